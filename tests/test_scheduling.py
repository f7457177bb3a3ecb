"""In what order files are dealt to the processes that share a run."""

from tests.conftest import ROOT
from tests.scheduling import LONGEST, place


def test_what_takes_longest_is_there_and_comes_first() -> None:
    assert [start for start in LONGEST if not (ROOT / start).exists()] == []
    files = [f"{path.relative_to(ROOT)}::test" for path in (ROOT / "tests").rglob("test_*.py")]
    assert min(files, key=place).startswith("tests/browser/")
    assert place("tests/core/test_load.py::test") == len(LONGEST)
