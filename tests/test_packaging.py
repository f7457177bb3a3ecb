"""What is built is what is here, and it works from another folder in an environment of its own."""

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.lock import pins

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **env})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT), cwd=out)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("polysema-*.whl"))


def test_the_wheel_holds_every_file_of_the_tree(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("polysema/")}
    tracked = run("git", "ls-files", "app", "core", "indexes", cwd=ROOT).stdout.split()
    assert tracked
    placed = {f"polysema/{name.removeprefix('app/public/')}" for name in tracked if (ROOT / name).exists()}
    assert placed <= inside
    assert {name for name in inside if "__pycache__" in name} == set()
    assert {
        "polysema/core/py.typed",
        "polysema/app/py.typed",
        "polysema/indexes/py.typed",
        "polysema/app/dashboard/lessons/texts/swan.md",
        "polysema/core/data/senses.jsonl",
    } <= inside
    assert not any(name.startswith("polysema/app/public/") for name in inside), "the front door stands once"


def test_it_is_installed_and_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = str(tmp_path / "env" / "bin" / "python")
    installed = run(
        sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--no-deps", str(wheel), cwd=tmp_path
    )
    assert installed.returncode == 0, installed.stderr
    # the libraries it needs are lent from here: only polysema itself must come from the wheel
    site = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    libraries = Path(metadata.distribution("numpy").locate_file(""))
    (site / "lent.pth").write_text(str(libraries) + "\n")
    command = str(tmp_path / "env" / "bin" / "polysema")
    where = run(python, "-c", "import polysema.core.space as m; print(m.__file__)", cwd=tmp_path)
    assert where.stdout.strip().startswith(str(site)), where.stdout + where.stderr
    answer = run(command, "analogy", "queen - king + man", "--format", "json", cwd=tmp_path)
    assert json.loads(answer.stdout)["neighbors"][0]["word"] == "woman", answer.stderr
    where = "from polysema.core.model.catalog import entry, folder_of; print(folder_of(entry('g2p-t5')))"
    shipped = run(python, "-c", where, cwd=tmp_path).stdout.strip()
    assert shipped == str(site / "polysema" / "core" / "data" / "g2p-t5")
    assert run(command, "--version", cwd=tmp_path).stdout.split()[-1] == PROJECT["project"]["version"]


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.argv = ['polysema', '--help']\nfrom polysema.app.cli.main import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\nprint(*sorted({m.partition('.')[0] for m in "
        "sys.modules}))\n"
        "print(len(sys.modules), file=sys.stderr)"
    )
    done = run(sys.executable, "-c", code, cwd=tmp_path)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "Explore embedding spaces" in done.stdout
    assert not loaded & {"torch", "transformers", "umap", "streamlit", "numpy", "pandas", "faiss", "sklearn", "pyarrow"}
    assert int(done.stderr.split()[-1]) < 350


def test_a_static_question_loads_no_model_library(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.argv = ['polysema', 'neighbors', 'bank', '-k', '1']\nfrom polysema.app.cli.main import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\nprint(*sorted({m.partition('.')[0] for m in "
        "sys.modules}))"
    )
    loaded = set(run(sys.executable, "-c", code, cwd=tmp_path).stdout.splitlines()[-1].split())
    assert not loaded & {"torch", "transformers", "umap", "streamlit", "sklearn"}


def test_everything_installed_is_pinned() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    locked = dict(line.split("==") for line in lines)
    assert pins() == locked, "constraints.txt is stale: run `make lock`"
    assert locked["torch"] == "2.13.0"


def test_every_requirement_is_pinned() -> None:
    locked = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    project = PROJECT["project"]
    wanted = project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]
    for requirement in wanted:
        name = re.split(r"[\s<>=!~\[;]", requirement)[0].lower().replace("_", "-")
        assert name in locked, f"{name} is not in constraints.txt"


def test_the_list_of_packages_is_the_tree() -> None:
    tree = {
        ("polysema." + ".".join(path.parent.relative_to(ROOT).parts)).removesuffix(".app.public")
        for top in ("app", "core", "indexes")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == tree
