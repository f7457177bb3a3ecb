"""The fields of a lesson: choices, texts and example inputs."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from polysema.app.dashboard.lessons import Lesson, LessonField
from polysema.app.dashboard.lessons.lesson import MODEL
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.choices import reads_letters


def box_key(lesson: Lesson, key: str, model: str = "") -> str:
    """The session's name of a field; texts for a model that reads letters are others than sentences."""
    return f"lesson_{lesson.name}_{key}{'_w' if key != MODEL and reads_letters(model) else ''}"


def model_of(lesson: Lesson) -> str:
    """The model chosen in a lesson."""
    return str(st.session_state.get(box_key(lesson, MODEL)) or lesson.starts().get(MODEL, ""))


def ask(lesson: Lesson) -> dict[str, str]:
    """The lesson's fields: the choices above, the texts in a form; and what they hold."""
    query: dict[str, str] = {}
    choices = [f for f in lesson.fields if f.choices is not None]
    for column, f in zip(st.columns([3] * len(choices) + [max(1, 12 - 3 * len(choices))]), choices, strict=False):
        query[f.key] = choose(column, lesson, f)
    model = query.get(MODEL, "")
    letters = reads_letters(model)
    offer_presets(lesson, model)
    with st.form(f"ask_{lesson.name}", border=False):
        texts = [f for f in lesson.fields if f.choices is None]
        for fields in ([f for f in texts if not f.lines], [f for f in texts if f.lines]):
            for start in range(0, len(fields), 3):  # row by row, so that a phone has them in their order
                row = fields[start : start + 3]
                for column, f in zip(st.columns(min(3, len(fields))), row, strict=False):
                    with column:
                        query[f.key] = write_in(lesson, f, model, letters)
        st.form_submit_button("Measure", type="primary")
    return query


def offer_presets(lesson: Lesson, model: str) -> None:
    """The example inputs of a lesson: one that is picked fills in the texts."""
    of_letters = lesson.letters.presets if lesson.letters is not None else {}
    presets = of_letters if reads_letters(model) else lesson.presets
    if not presets:
        return
    pick = f"preset_{lesson.name}"

    def take() -> None:
        values = presets.get(st.session_state.get(pick) or "", {})
        starts = lesson.starts(model)
        for f in lesson.fields:
            if f.choices is None:
                st.session_state[box_key(lesson, f.key, model)] = values.get(f.key, starts[f.key])
        st.session_state[pick] = None

    st.pills("Ideas", list(presets), key=pick, on_change=take, help="They fill in the boxes below.")


def choose(place: DeltaGenerator, lesson: Lesson, f: LessonField) -> str:
    """One of a field's choices."""
    there = list(f.choices() if f.choices is not None else ())
    key = box_key(lesson, f.key)
    if st.session_state.get(key) not in there:
        st.session_state.pop(key, None)
    show_as = choices.space_label if f.key == "space" else choices.name_label
    chosen = place.selectbox(f.label, there, key=key, help=f.explains, format_func=show_as, persist_state="session")
    return str(chosen or "")


def write_in(lesson: Lesson, f: LessonField, model: str, letters: bool) -> str:
    """What a field's box holds."""
    key = box_key(lesson, f.key, model)
    how = {"key": key, "help": f.explains, "persist_state": "session"}
    if f.lines:
        return str(st.text_area(f.label, f.first(letters), height=120, **how) or "")
    return str(st.text_input(f.label, f.first(letters), **how) or "")


def current(lesson: Lesson) -> dict[str, str]:
    """What the fields hold now, shown or not."""
    model = model_of(lesson)
    starts = lesson.starts(model)
    present = {key: st.session_state.get(box_key(lesson, key, model)) for key in starts}
    return {key: value if isinstance(value, str) and value else starts[key] for key, value in present.items()}
