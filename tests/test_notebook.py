"""The notebook of the documentation: its cells run, show what is kept in it, and its page is made of that."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.documentation import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook", ROOT / "docs" / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(cell: dict[str, object]) -> str:
    """What a cell put out, without the digits that another processor may round otherwise."""
    return re.sub(r"\d+", "#", str(cell.get("outputs")))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_kept(path: Path, runner: ModuleType) -> None:
    kept = runner.read(path)
    done = runner.run(kept)
    code = [(new, old) for new, old in zip(done["cells"], kept["cells"], strict=True) if new["cell_type"] == "code"]
    assert len(code) >= 8
    assert any("<table>" in str(new["outputs"]) for new, _ in code)
    for new, old in code:
        assert shown(new) == shown(old), "stale: run `make notebook`"
    assert path.with_suffix(".md").read_text(encoding="utf-8") == runner.page(kept), "stale: run `make notebook`"
