"""The page of lessons by Streamlit's harness: every lesson through every step, links, guesses, and mistakes."""

import pytest
from streamlit.testing.v1 import AppTest

from polysema.app.dashboard import widgets
from polysema.app.dashboard.lessons import LESSONS
from polysema.app.dashboard.lessons.lesson import checked
from polysema.core.model import catalog
from polysema.core.progress import no_progress
from tests.app.test_dashboard import as_launched, html, page, settle

__all__ = ["as_launched"]  # a fixture that every test here uses


@pytest.fixture(autouse=True)
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where smollm2-135m was never pulled: the lessons use what comes with polysema."""
    real = catalog.folder_of

    def here(row: catalog.CatalogEntry) -> object:
        return None if row.name == "smollm2-135m" else real(row)

    monkeypatch.setattr(catalog, "folder_of", here)
    monkeypatch.setattr("polysema.app.dashboard.widgets.folder_of", here)


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    return settle(app)


def words(app: AppTest) -> str:
    return " ".join(element.value for element in (*app.markdown, *app.caption, *app.info))


def test_the_list_begins_at_the_first_and_remembers() -> None:
    app = page("lessons")
    assert not app.exception
    assert [b.label for b in app.button if b.label == "Open"] == ["Open"] * len(LESSONS)
    press(app, "go_on")
    assert app.title[0].value == "1. Tokens and ids"
    assert app.query_params["lesson"] == "tokens"
    assert app.query_params["step"] == "predict"
    for _ in range(3):
        press(app, "next")
    press(app, "all_lessons")
    assert "lesson" not in app.query_params
    assert [b.label for b in app.button if b.label == "Again"] == ["Again"]
    assert app.button(key="go_on").label == "Next: One word, one vector"


@pytest.mark.parametrize("number", range(len(LESSONS)), ids=[lesson.name for lesson in LESSONS])
def test_a_lesson_from_start_to_end(number: int) -> None:
    lesson = LESSONS[number]
    app = page("lessons", lesson=lesson.name)
    assert not app.exception
    assert app.title[0].value == f"{number + 1}. {lesson.title}"
    if lesson.wants:
        assert f"measured on {lesson.wants}, which is not here yet" in words(app)
        assert any(one.label.startswith(f"Bring {lesson.wants}") for one in app.button)
        assert "phone" not in html(app) + words(app)
        press(app, "lesson_letters")
    radio = app.radio(key=f"guess_{lesson.name}")
    assert radio.value is None
    guess = radio.options[-1]
    radio.set_value(guess).run()
    press(app, "next")
    assert not app.exception
    assert not app.error
    starts = lesson.starts()
    found = lesson.check(widgets.explorer(), checked(lesson, starts), no_progress)
    assert found.said in [m.value for m in app.markdown]
    outcome = radio.options[found.option]
    said = f"You guessed **{guess}**" + (
        ", and that is" if guess == outcome else f". Measured just now: **{outcome}**."
    )
    assert said in words(app)
    press(app, "next")
    assert not app.exception
    assert not app.error
    assert found.said in [m.value for m in app.markdown]
    press(app, "next")
    assert not app.exception
    assert all(f"- {trap}" in [m.value for m in app.markdown] for trap in lesson.traps)
    press(app, "next")
    if number + 1 < len(LESSONS):
        assert app.title[0].value == f"{number + 2}. {LESSONS[number + 1].title}"
    else:
        assert app.title[0].value == "Lessons"


def test_a_link_restores_the_step_the_guess_and_the_texts() -> None:
    app = page("lessons", lesson="tokens", step="predict")
    app.radio(key="guess_tokens").set_value("One piece for each letter").run()
    press(app, "next")
    press(app, "next")
    app.text_input(key="lesson_tokens_text").set_value("the <b>Kierkegaard</b> of swans")
    next(b for b in app.button if b.label == "Measure").click().run()
    settle(app)
    assert "&lt;" in html(app)
    link = dict(app.query_params)
    assert (link["lesson"], link["step"]) == ("tokens", "try")
    other = page("lessons", **link)
    assert other.text_input(key="lesson_tokens_text").value == "the <b>Kierkegaard</b> of swans"
    press(other, "back")
    assert "You guessed **One piece for each letter**. Measured just now: **More pieces than words**." in words(other)


def test_a_link_that_is_wrong() -> None:
    app = page("lessons", lesson="<script>alert(1)</script>", step="evil", s="../../etc")
    assert not app.exception
    assert app.title[0].value == "Lessons"
    assert ["There is no lesson" in w.value for w in app.warning if "lesson" in w.value][:1] == [True]
    app = page("lessons", lesson="tokens", step="evil")
    assert not app.exception
    assert app.radio(key="guess_tokens").value is None


@pytest.mark.parametrize(
    ("name", "box", "wrong", "message"),
    [
        ("tokens", "text", "", "“Text” is empty"),
        ("one-vector", "word", "bankk", "'bankk' is not among"),
        ("travel", "expression", "queen - - king", "A word is missing"),
        ("senses", "word", "zebra", "'zebra' is not a word of"),
        ("looking", "last", "river", "ends in 'river' already"),
        ("heads", "looker", "zebra", "None of the texts has both words"),
        ("mlp", "word_w", "日", "has no token for '日'"),
        ("blocks", "text", "", "“Text” is empty"),
        ("cost", "lengths", "many", "Lengths are two or more whole numbers"),
        ("embedding", "word", "<script>", "'<script>' is not a word of"),
        ("window", "word", "zebra", "'zebra' is not a word of"),
        ("bias", "first", "qqqqx", "needs at least two words"),
        ("nonsense", "invented_w", "a" * 90, "90 tokens"),
    ],
)
def test_a_wrong_text_is_told_in_a_line(name: str, box: str, wrong: str, message: str) -> None:
    app = page("lessons", lesson=name, step="try")
    if any(one.key == "lesson_letters" for one in app.button):
        press(app, "lesson_letters")
    key = f"lesson_{name}_{box}"
    found = [b for b in (*app.text_input, *app.text_area) if b.key == key]
    found[0].set_value(wrong)
    next(b for b in app.button if b.label == "Measure").click().run()
    settle(app)
    assert not app.exception
    assert [message in e.value for e in app.error] == [True]


def test_an_idea_fills_the_boxes() -> None:
    app = page("lessons", lesson="one-vector", step="try")
    app.button_group(key="preset_one-vector").set_value("mouse").run()
    settle(app)
    assert app.text_input(key="lesson_one-vector_word").value == "mouse"
    assert app.text_input(key="lesson_one-vector_first").value == "cheese"
    assert "**mouse** has **1 row**" in words(app)


def test_a_finding_stands_with_its_notes() -> None:
    app = page("lessons", lesson="one-vector", step="try")
    app.text_input(key="lesson_one-vector_word").set_value("cafe\u0301")
    next(b for b in app.button if b.label == "Measure").click().run()
    settle(app)
    assert not app.exception
    assert sum("was looked up as" in caption.value for caption in app.caption) == 1
