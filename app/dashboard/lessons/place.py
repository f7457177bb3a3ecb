"""Where a reader of the lessons is: the lesson and step of the link, and how far each lesson was taken."""

import streamlit as st

from polysema.app.dashboard import permalink, reader_notes, widgets
from polysema.app.dashboard.lessons import Lesson, lesson_of, lessons
from polysema.app.dashboard.lessons.fields import box_key
from polysema.app.dashboard.lessons.lesson import MODEL

LESSON_STEPS = {
    "predict": "1 · Guess",
    "reveal": "2 · See",
    "try": "3 · Try your own",
    "beware": "4 · What could fool you",
}
ORDER = list(LESSON_STEPS)


def here() -> tuple[Lesson | None, str]:
    """The lesson and the step of the link, or, where a page was opened without one, where this session was."""
    name, step = st.query_params.get("lesson", ""), st.query_params.get("step", "")
    if not name and not permalink.returning():
        name, step = st.session_state.get("lesson_at", ("", ""))
    lesson = lesson_of(name) if name else None
    if name and lesson is None:
        st.warning(f"There is no lesson {widgets.plain(name[:60])}; here are those that there are.", icon="⚠️")
        st.query_params.pop("lesson", None)
        st.query_params.pop("step", None)
    return lesson, step if step in LESSON_STEPS else ORDER[0]


def go(name: str, step: str = ORDER[0]) -> None:
    """Go to a step of a lesson, or with an empty name to the list."""
    st.session_state["lesson_at"] = (name, step)
    for key, value in (("lesson", name), ("step", step if name else "")):
        if value:
            st.query_params[key] = value
        else:
            st.query_params.pop(key, None)


def reached() -> dict[str, int]:
    """How far each lesson has been taken: the number of its furthest step, from 1."""
    if "lesson_steps" not in st.session_state:
        st.session_state["lesson_steps"] = reader_notes.lesson_steps()
    far: dict[str, int] = st.session_state["lesson_steps"]
    return far


def done(lesson: Lesson) -> bool:
    """Whether a lesson has been taken to its end."""
    return reached().get(lesson.name, 0) == len(ORDER)


def restore() -> None:
    """What the link knows: how far each lesson was taken, the guesses and the texts."""
    values = permalink.restore("lessons")
    message = values.get("steps")
    for entry in message if isinstance(message, list) else []:
        name, _, number = str(entry).partition(" ")
        if lesson_of(name) is not None and number.isdecimal():
            reached()[name] = max(reached().get(name, 0), min(int(number), len(ORDER)))


def keep() -> None:
    """Put it into the link, and how far each lesson was taken into the notes of this machine."""
    reader_notes.note_lessons(reached())
    values: dict[str, permalink.Plain] = {"steps": [f"{name} {number}" for name, number in sorted(reached().items())]}
    for lesson in lessons():
        guess = st.session_state.get(f"guess_{lesson.name}")
        if isinstance(guess, str):
            values[f"widget:guess_{lesson.name}"] = guess
        model = st.session_state.get(box_key(lesson, MODEL))
        starts = lesson.starts(model if isinstance(model, str) else "")
        for key, start in starts.items():
            name = box_key(lesson, key, starts.get(MODEL, ""))
            value = st.session_state.get(name)
            if isinstance(value, str) and value != (lesson.starts()[MODEL] if key == MODEL else start):
                values[f"widget:{name}"] = value
    permalink.keep("lessons", values, views=("steps", *(f"widget:guess_{lesson.name}" for lesson in lessons())))
