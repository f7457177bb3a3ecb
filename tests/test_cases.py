"""Inputs of people, one row a case: what must be read, what is read with a note, what is refused."""

import re
from pathlib import Path

import pytest

from tests.cases import FILES, OUTCOMES, Case, load_cases
from tests.cases.actions import ACTIONS, run
from tests.cases.page import PAGE, page

CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.action}-{case.id}")
def test_a_case_shows_what_is_right(case: Case, tmp_path: Path) -> None:
    shown = run(case.action, case.arguments, tmp_path)
    assert re.search(case.shows, shown, re.DOTALL), shown
    assert "Traceback" not in shown
    assert not case.never or not re.search(case.never, shown, re.DOTALL), shown


def test_the_table_is_sound() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert {case.outcome for case in CASES} <= set(OUTCOMES)
    assert {case.action for case in CASES} == set(ACTIONS)
    named = " ".join(case.arguments for case in CASES)
    for path in FILES.rglob("*"):  # a vocabulary is named by its vectors, a pair by its folder
        assert path.is_dir() or path.stem in named or path.parent.name in named, f"no case reads {path.name}"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "stale: run `python -m tests.cases.page`"
