"""In what order files are dealt to the processes that share a run."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.scheduling import LONGEST, WAITING, WAITING_PROCESS, place


def test_what_takes_longest_is_there_and_comes_first() -> None:
    assert [start for start in LONGEST if not (ROOT / start).exists()] == []
    files = [f"{path.relative_to(ROOT)}::test" for path in (ROOT / "tests").rglob("test_*.py")]
    assert min(files, key=place).startswith("tests/browser/")
    assert place("tests/core/test_load.py::test") == len(LONGEST)
    assert [start for start in WAITING if not (ROOT / start).exists()] == []


def test_what_waits_has_a_process_of_its_own_and_all_tests_run(tmp_path: Path) -> None:
    """A run in three processes, of files that say in which they ran."""
    body = "def test(worker_id, number):\n    open(f'{__file__}.{worker_id}', 'a').close()\n"
    many = "import pytest\n\n\n@pytest.mark.parametrize('number', range(4))\n" + body
    for name in ("engines/test_a", "engines/test_b", "core/test_c", "core/test_d", "store/test_e", "store/test_f"):
        path = tmp_path / "tests" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(many)
    hooks = "pytest_ignore_collect, pytest_xdist_make_scheduler"
    rule = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.scheduling import {hooks}\n"
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # from here the files have their names
    (tmp_path / "conftest.py").write_text(rule)
    run = [sys.executable, "-m", "pytest", "-q", "-n", "3", "--dist", "loadfile", "-p", "no:cacheprovider", "tests"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(run, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert "24 passed" in done.stdout, done.stdout + done.stderr
    assert "Number of units" not in done.stdout, "the scheduler speaks of its own affairs"
    ran = [path.name.split(".")[-1] for path in (tmp_path / "tests" / "engines").glob("*.gw*")]
    assert ran == [WAITING_PROCESS] * 2
    others = {path.name.split(".")[-1] for path in (tmp_path / "tests").glob("[cs]*/*.gw*")}
    assert others <= {"gw0", "gw1"}
