"""The four steps of a lesson: guess, measurement, own input, and caveats."""

from collections.abc import Callable
from contextlib import suppress

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.lessons import Lesson, LessonInput, LessonResult, Verdict
from polysema.app.dashboard.lessons.fields import ask, current, model_of
from polysema.app.dashboard.lessons.lesson import MODEL, checked
from polysema.app.dashboard.picker.choices import reads_letters
from polysema.app.dashboard.sharing import page_record
from polysema.core.errors import UserError
from polysema.core.model.catalog import catalog, folder_of
from polysema.core.progress import Progress

BADGES = {
    Verdict.WORKS: ("✔", "green"),
    Verdict.PARTLY: ("◐", "orange"),
    Verdict.FAILS: ("✘", "red"),
}


def guess_of(lesson: Lesson) -> str | None:
    """What was guessed, if it is one of the options."""
    guess = st.session_state.get(f"guess_{lesson.name}")
    return guess if guess in asks(lesson)[1] else None


def asks(lesson: Lesson) -> tuple[str, tuple[str, ...]]:
    """The question and the options, as they are with the model that the lesson begins with."""
    if lesson.letters is not None and reads_letters(lesson.starts().get(MODEL, "")):
        return lesson.letters.question, lesson.letters.options
    return lesson.question, lesson.options


def predict(lesson: Lesson) -> None:
    """The idea, the question, and a guess."""
    st.markdown(lesson.idea)
    question, options = asks(lesson)
    st.markdown(f"#### {question}")
    key = f"guess_{lesson.name}"
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    st.radio(
        "Your guess",
        options,
        index=None,
        key=key,
        persist_state="session",
        help="A guess costs nothing, and you remember better what surprised you.",
    )
    starts = lesson.starts()
    if key_of(lesson, starts) not in st.session_state.get("cancelled_work", ()):
        widgets.jobs().start(key_of(lesson, starts), measure(lesson, starts))  # measured while one thinks


def reveal(lesson: Lesson) -> None:
    """The measurement of the lesson's own example, beside the guess."""
    query = lesson.starts()
    found = measured(lesson, query)
    if found is None:
        return
    _, options = asks(lesson)
    guess, outcome = guess_of(lesson), options[found.option]
    if guess is None:
        st.markdown(f"Measured just now: **{outcome}**.")
    elif guess == outcome:
        st.markdown(f"You guessed **{guess}**, and that is what was measured.")
    else:
        st.markdown(f"You guessed **{guess}**. Measured just now: **{outcome}**.")
    answer(lesson, found, query, "see")


def try_own(lesson: Lesson) -> None:
    """The same with one's own words."""
    letters = lesson.letters if reads_letters(model_of(lesson)) else None
    st.markdown(letters.task if letters is not None else lesson.task)
    query = ask(lesson)
    found = measured(lesson, query)
    if found is not None:
        answer(lesson, found, query, "try")


def key_of(lesson: Lesson, query: LessonInput) -> tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What the work of measuring is called: a lesson may measure every model that is here, and one may be brought
    meanwhile.
    """
    here = tuple(row.name for row in catalog() if folder_of(row) is not None)
    return (f"lesson {lesson.name}", tuple(sorted(query.items())), here)


def measure(lesson: Lesson, query: LessonInput) -> Callable[[Progress], LessonResult]:
    """The work itself. The model that it asks is loaded first, which is watched and can be cancelled."""

    def made(progress: Progress) -> LessonResult:
        given = checked(lesson, query)
        if MODEL in given:
            with suppress(UserError):  # the lesson itself says what is wrong
                widgets.explorer().model(given[MODEL], progress=progress)
        return lesson.check(widgets.explorer(), given, progress)

    return made


def measured(lesson: Lesson, query: LessonInput) -> LessonResult | None:
    """What a lesson measures, or None while it does, or where it can't: which is shown."""
    found: LessonResult | None = work.answer(key_of(lesson, query), measure(lesson, query))
    return found


def answer(lesson: Lesson, found: LessonResult, query: LessonInput, where: str) -> None:
    """A finding: what is claimed and whether it holds here, the picture, the numbers, the Python lines."""
    sign, color = BADGES[found.verdict]
    with st.container(border=True):
        st.badge(f"{sign} {found.verdict.value}", color=color)
        widgets.say(f"*{lesson.claim}* {sign} {found.verdict.value}.")
        widgets.say(found.said)
    widgets.notes(found)
    st.caption(lesson.reading)
    page_record.text(lesson.reading)
    name = f"{lesson.name}_{where}"
    lesson.draw(found, name)
    downloads.numbers(found.rows, f"{name}_all", "All numbers (CSV)")
    widgets.python_lines(found.python, found.details)


def beware(lesson: Lesson) -> None:
    """What could fool one, where it comes from, and the ways on."""
    for trap in lesson.traps:
        st.markdown(f"- {trap}")
    if lesson.ways:
        st.markdown("**Look further**")
        query = current(lesson)
        for way in lesson.ways:
            st.page_link(f"app_pages/{way.page}.py", label=way.label, icon="➡️", query_params=way.query(query))
    if lesson.sources:
        st.caption("Read: " + "; ".join(widgets.plain(source) for source in lesson.sources) + ".")
