"""Every example that the dashboard's texts show runs as it stands."""

import re
from pathlib import Path

import pytest

from polysema.app.collection import summary
from polysema.app.dashboard import own_points
from polysema.app.dashboard.data import collection_search
from polysema.app.explorer import Explorer
from polysema.core.model.tokens import find_word
from polysema.core.space.expression import parse
from polysema.indexes.collection import Collection

PAGES = Path(own_points.__file__).parent
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PAGES.rglob("*.py")))


def examples(name: str) -> list[str]:
    found = re.search(r"^EXAMPLES = \((.*?)\)", (PAGES / "app_pages" / f"{name}.py").read_text("utf-8"), re.M | re.S)
    assert found is not None
    return re.findall(r'"([^"]+)"', found[1])


SUMS = [*examples("analogies"), "king - man + woman", "0.5*blue + swan"]


@pytest.mark.parametrize("expression", SUMS)
def test_an_example_of_a_sum_has_an_answer(expression: str) -> None:
    parse(expression)
    assert Explorer().space().analogy(expression).neighbors


def test_sums_in_hints_are_among_those_tried() -> None:
    hinted = re.findall(r"such as (\w+ - \w+ \+ \w+)", TEXT)
    assert hinted
    assert set(hinted) <= set(SUMS)


@pytest.mark.parametrize(
    ("columns", "passing"),
    [
        ({"word": ["bank", "bank", "swan"], "text": ["the river bank", "a bank", "a river swan"]}, 1),
        ({"text": ["the river bank", "a bank", "a river swan"]}, 2),
        ({"n": [1, 2, 3]}, 1),
    ],
)
def test_the_placeholder_of_the_filter_is_a_condition_that_runs(
    tmp_path: Path, columns: dict[str, list[object]], passing: int
) -> None:
    made = Collection.create(tmp_path / "made")
    made.add(["a1", "b2", "c3"], [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], columns, space="s")
    where = collection_search._example(made)
    assert summary.count_rows(made, "s", where) == passing
    assert len(made.search([[1.0, 0.0]], 3, where, space="s").table()) == passing


@pytest.mark.parametrize(
    "condition",
    [
        "n = 1",
        "n < 2",
        "n > 2",
        "n in (1, 2)",
        "n = 1 and text contains 'river'",
        "n = 1 or n = 2",
        "not n = 1",
        "text starts with 'the'",
        "text contains 'river'",
    ],
)
def test_what_the_filter_says_that_it_knows_runs(tmp_path: Path, condition: str) -> None:
    message = re.search(r"A condition over the columns with ([^\"]*)\.", TEXT)
    assert message is not None
    for word in re.findall(r"[a-z=<>]+(?: with)?", message[1]):
        assert word in "= < > in and or not starts with contains", f"{word} is promised, and not tried here"
    made = Collection.create(tmp_path / "made")
    made.add(["a", "b"], [[1.0, 0.0], [0.0, 1.0]], {"n": [1, 3], "text": ["the river", "a bank"]}, space="s")
    assert summary.count_rows(made, "s", condition) in (1, 2)


def test_the_words_beside_example_sentences_stand_in_them() -> None:
    assert find_word(own_points.SENTENCE, "bank").start
    assert TEXT.count("They had a picnic on the bank of the river.") >= 2
