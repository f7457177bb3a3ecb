"""Pages of a space of a few rows, or of none: they answer with what there is."""

import shutil
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from polysema.app.config.loading import load_settings
from polysema.app.dashboard import widgets
from polysema.app.dashboard.lessons import LessonResult, lesson_of
from polysema.core.errors import UserError
from polysema.core.progress import no_progress
from polysema.indexes.collection import Collection
from tests.app.test_dashboard import as_launched, listed
from tests.app.test_page_map import page

__all__ = ["as_launched"]

WORDS = ["bank", "river", "queen", "king", "man", "woman", "swan", "water", "money", "shore", "boat", "loan"]
PAGES = {
    "neighbors": {"w": "bank"},
    "analogies": {"q": "bank - river + bank"},
    "map": {"mn": "1k"},
    "compare": {"cn": "500"},
}
KEYS = {"neighbors": ["ns"], "analogies": ["space"], "map": ["ms"], "compare": ["a", "b"]}


@pytest.fixture(scope="module", params=[0, 1, 2, 3, 12])
def small(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A collection of so many words, and its name."""
    folder = load_settings().settings.folder
    folder.mkdir(parents=True, exist_ok=True)
    name = f"small-{uuid.uuid4().hex[:8]}"
    made = Collection.create(folder / name)
    n = request.param
    vectors = np.random.default_rng(0).normal(size=(max(n, 1), 8)).astype(np.float32)
    made.add(WORDS[: max(n, 1)], vectors, {"word": WORDS[: max(n, 1)]})
    if not n:
        made.delete(WORDS[:1])
    yield name, n
    shutil.rmtree(made.root)


def open_with(name: str, space: str) -> AppTest:
    return page(name, **PAGES[name], **dict.fromkeys(KEYS[name], space))


def page_text(app: AppTest) -> str:
    return " ".join(element.value for element in (*app.markdown, *app.caption, *app.info, *app.error, *app.warning))


@pytest.mark.parametrize("name", list(PAGES))
def test_a_page_answers_with_what_there_is(name: str, small: tuple[str, int]) -> None:
    space, n = small
    app = open_with(name, space)
    assert not app.exception
    assert "got 12" not in page_text(app)
    assert "must be from" not in page_text(app)
    if n == 0:
        assert f"There are no rows in {space} now" in page_text(app).replace("\\", "")
        assert not app.error
    elif name == "neighbors" and n == 1:
        assert "bank is the only row of this space" in page_text(app)
    elif name == "compare" and n == 1:
        assert "compared by two rows or more" in page_text(app)
    elif name == "analogies" and n == 2:
        assert "no word but those of the sum" in page_text(app)
    elif name == "neighbors" and n > 1:
        assert not app.error, page_text(app)
        assert len(listed(app, "nearest")) == n - 1
    elif name == "analogies" and n > 2:
        assert not app.error, page_text(app)
        assert len(listed(app, "answers")) == min(8, n - 2)
    elif name == "map":
        assert not app.error, page_text(app)
        assert f"**{n} points**" in page_text(app)
    elif name == "compare" and n > 1:
        assert not app.error, page_text(app)
        assert f"{min(10, n - 1)} nearest in" in page_text(app)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("one-vector", {"word": "bank", "first": "river", "second": "bank"}),
        ("travel", {"expression": "bank - river + bank", "wanted": "queen"}),
    ],
)
def test_a_lesson_measures_what_there_is(name: str, query: dict[str, str], small: tuple[str, int]) -> None:
    space, n = small
    lesson = lesson_of(name)
    assert lesson is not None

    def measure() -> LessonResult:
        return lesson.check(widgets.explorer(), lesson.starts() | query | {"space": space}, no_progress)

    if n <= 1 or (name == "travel" and n == 2):
        with pytest.raises(UserError):
            measure()
    else:
        found = measure()
        assert len(found.rows) >= min(8, n - 2)
        assert name == "travel" or f"Of its {min(10, n - 1) if n < 11 else 'ten'} nearest words" in found.said
