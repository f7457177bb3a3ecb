"""Where the cache lies: what the user says, else the place that the system keeps for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polysema.core.environment import home

# without ctypes and winreg, which ask a real Windows, platformdirs reads the variables
CODE = "import sys\nsys.platform = sys.argv[1]\nsys.modules['ctypes'] = sys.modules['winreg'] = None\n"
CODE += "from polysema.core.environment import home\nprint(home().as_posix())"


@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        ("linux", {}, "/home/ada/.cache/polysema"),
        ("linux", {"XDG_CACHE_HOME": "/data/cache"}, "/data/cache/polysema"),
        ("linux", {"XDG_CACHE_HOME": "/data/cache", "POLYSEMA_HOME": "~/models"}, "/home/ada/models"),
        ("darwin", {}, "/home/ada/Library/Caches/polysema"),
        ("win32", {"LOCALAPPDATA": "/C/AppData/Local"}, "/C/AppData/Local/polysema/Cache"),
        ("win32", {"LOCALAPPDATA": "/C/AppData/Local", "POLYSEMA_HOME": "/D/models"}, "/D/models"),
    ],
)
def test_each_system_has_its_place(system: str, variables: dict[str, str], expected: str) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in ("POLYSEMA_HOME", "XDG_CACHE_HOME")}
    run = subprocess.run(
        [sys.executable, "-c", CODE, system],
        env=kept | {"HOME": "/home/ada"} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == expected


def test_the_users_own_choice_is_read_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    assert home() == tmp_path


def test_a_command_lets_threads_sleep_while_they_wait_unless_told_otherwise() -> None:
    code = "import os\nfrom polysema.app.cli.main import main\ntry:\n    main()\nfinally:\n"
    code += "    print(os.environ['OMP_WAIT_POLICY'])"
    kept = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    for given, expected in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        run = [sys.executable, "-c", code, "--version"]
        done = subprocess.run(run, env=kept | given, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == expected
