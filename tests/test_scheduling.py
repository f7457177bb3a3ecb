"""How files are dealt out to the processes that share a run."""

from tests.conftest import ROOT
from tests.scheduling import BROWSER, LONGEST, place, scope


def test_the_files_of_the_browser_are_one_and_others_are_by_themselves() -> None:
    assert {scope(f"{path.relative_to(ROOT)}::test") for path in (ROOT / BROWSER).glob("test_*.py")} == {BROWSER}
    assert scope("tests/core/test_load.py::test_a[b::c]") == "tests/core/test_load.py"


def test_what_takes_longest_is_there_and_comes_first() -> None:
    assert [start for start in LONGEST if not (ROOT / start).exists()] == []
    files = [f"{path.relative_to(ROOT)}::test" for path in (ROOT / "tests").rglob("test_*.py")]
    assert min(files, key=place).startswith(BROWSER)
    assert place("tests/core/test_load.py::test") == len(LONGEST)
