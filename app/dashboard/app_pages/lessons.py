"""Lessons: question, guess, measurement, one's own try, and what could fool; each on live models."""

from collections.abc import Callable

import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.lessons import LESSONS, Lesson, LessonField, LessonInput, LessonResult, Verdict, lesson_of
from polysema.app.dashboard.lessons import chips as drawing
from polysema.app.dashboard.lessons.lesson import MODEL, checked, reads_letters
from polysema.core.model.catalog import CATALOG, folder_of
from polysema.core.progress import Progress

LESSON_STEPS = {
    "predict": "1 · Guess",
    "reveal": "2 · See",
    "try": "3 · Try your own",
    "beware": "4 · What could fool you",
}
ORDER = list(LESSON_STEPS)
BADGES = {
    Verdict.WORKS: ("✔", "green"),
    Verdict.PARTLY: ("◐", "orange"),
    Verdict.FAILS: ("✘", "red"),
}


# Where one is: in the address, and kept in the session for who comes back from another page


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
    far: dict[str, int] = st.session_state.setdefault("lesson_steps", {})
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
    """Put it into the link."""
    values: dict[str, permalink.Plain] = {"steps": [f"{name} {number}" for name, number in sorted(reached().items())]}
    for lesson in LESSONS:
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
    permalink.keep("lessons", values, views=("steps", *(f"widget:guess_{lesson.name}" for lesson in LESSONS)))


# The list


def index() -> None:
    """All lessons as cards, with how far each was taken."""
    st.markdown(
        "From the first token to the last layer in twelve short lessons. You guess, the models here are measured, "
        "and you try your own words."
    )
    n = sum(done(lesson) for lesson in LESSONS)
    begun = [lesson for lesson in LESSONS if lesson.name in reached() and not done(lesson)]
    st.progress(n / len(LESSONS), text=f"{n} of {len(LESSONS)} lessons done")
    upcoming = begun[0] if begun else next((lesson for lesson in LESSONS if not done(lesson)), LESSONS[0])
    word = "Go on with" if begun else "Start with" if not n else "Next:"
    step = ORDER[min(reached().get(upcoming.name, 1), len(ORDER)) - 1] if begun else ORDER[0]
    st.button(f"{word} {upcoming.title}", type="primary", key="go_on", on_click=go, args=(upcoming.name, step))
    chapter = ""
    columns = st.columns(3)
    place = 0
    for number, lesson in enumerate(LESSONS, 1):
        if lesson.chapter != chapter:
            chapter, place = lesson.chapter, 0
            st.subheader(chapter, anchor=False)
            columns = st.columns(3)
        with columns[place % 3]:
            card(number, lesson)
        place += 1


def card(number: int, lesson: Lesson) -> None:
    """One lesson of the list."""
    far = reached().get(lesson.name, 0)
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{number}. {lesson.title}**")
        st.caption(lesson.question)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Again" if done(lesson) else "Go on" if far else "Open",
                key=f"open_{lesson.name}",
                on_click=go,
                args=(lesson.name, ORDER[max(0, far - 1)] if far and not done(lesson) else ORDER[0]),
                help=f"Lesson {number}: {lesson.title}",
            )
            if done(lesson):
                st.badge("done", icon="✔️", color="green")
            elif far:
                st.badge(f"step {far} of {len(ORDER)}", color="blue")
            else:
                st.caption(f"{lesson.minutes} min")


# One lesson


def box_key(lesson: Lesson, key: str, model: str = "") -> str:
    """The session's name of a field; texts for a model that reads letters are others than sentences."""
    return f"lesson_{lesson.name}_{key}{'_w' if key != MODEL and reads_letters(model) else ''}"


def show(lesson: Lesson, step: str) -> None:
    """A lesson at one of its steps."""
    go(lesson.name, step)  # so that the address names it, also where the session did
    number = LESSONS.index(lesson) + 1
    top = st.container(horizontal=True, vertical_alignment="center")
    top.caption(f"{lesson.chapter} · lesson {number} of {len(LESSONS)}", width="content")
    top.button("All lessons", key="all_lessons", on_click=go, args=("",), type="tertiary")
    st.session_state["lesson_step_shown"] = step
    st.segmented_control(
        "Step",
        ORDER,
        key="lesson_step_shown",
        format_func=LESSON_STEPS.__getitem__,
        required=True,
        label_visibility="collapsed",
        on_change=lambda: go(lesson.name, st.session_state["lesson_step_shown"] or step),
    )
    if lesson.wants and any(row.name == lesson.wants and folder_of(row) is None for row in CATALOG):
        st.caption(
            f"{lesson.wants} is not here, so the lesson uses a model that reads letters and writes sounds. Bring "
            f"it with `polysema models pull {lesson.wants}`."
        )
    reached()[lesson.name] = max(reached().get(lesson.name, 0), ORDER.index(step) + 1)
    {"predict": predict, "reveal": reveal, "try": try_own, "beware": beware}[step](lesson)
    way_on(lesson, step)


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
    presets = lesson.presets if not letters else lesson.letters.presets if lesson.letters is not None else {}
    if presets:
        pick = f"preset_{lesson.name}"

        def take() -> None:
            values = presets.get(st.session_state.get(pick) or "", {})
            starts = lesson.starts(model)
            for f in lesson.fields:
                if f.choices is None:
                    st.session_state[box_key(lesson, f.key, model)] = values.get(f.key, starts[f.key])
            st.session_state[pick] = None

        st.pills("Ideas", list(presets), key=pick, on_change=take, help="They fill in the boxes below.")
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


def choose(place: object, lesson: Lesson, f: LessonField) -> str:
    """One of a field's choices."""
    there = list(f.choices() if f.choices is not None else ())
    key = box_key(lesson, f.key)
    if st.session_state.get(key) not in there:
        st.session_state.pop(key, None)
    show_as = widgets.space_label if f.key == "space" else str
    chosen = place.selectbox(f.label, there, key=key, help=f.explains, format_func=show_as, persist_state="session")  # type: ignore[attr-defined]
    return str(chosen or "")


def write_in(lesson: Lesson, f: LessonField, model: str, letters: bool) -> str:
    """What a field's box holds."""
    key = box_key(lesson, f.key, model)
    how = {"key": key, "help": f.explains, "persist_state": "session"}
    if f.lines:
        return str(st.text_area(f.label, f.first(letters), height=120, **how) or "")
    return str(st.text_input(f.label, f.first(letters), **how) or "")


def key_of(lesson: Lesson, query: LessonInput) -> tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What the work of measuring is called: a lesson may measure every model that is here, and one may be brought
    meanwhile.
    """
    here = tuple(row.name for row in CATALOG if folder_of(row) is not None)
    return (f"lesson {lesson.name}", tuple(sorted(query.items())), here)


def measure(lesson: Lesson, query: LessonInput) -> Callable[[Progress], LessonResult]:
    """The work itself."""
    return lambda progress: lesson.check(widgets.explorer(), checked(lesson, query), progress)


def measured(lesson: Lesson, query: LessonInput) -> LessonResult | None:
    """What a lesson measures, or None while it does, or where it can't: which is shown."""
    found: LessonResult | None = work.answer(key_of(lesson, query), measure(lesson, query))
    return found


def answer(lesson: Lesson, found: LessonResult, query: LessonInput, where: str) -> None:
    """A finding: what is claimed and whether it holds here, the picture, the numbers, the Python lines."""
    sign, color = BADGES[found.verdict]
    with st.container(border=True):
        st.badge(f"{sign} {found.verdict.value}", color=color)
        st.markdown(f"*{lesson.claim}*")
        st.markdown(found.said)
    widgets.notes(found)
    st.caption(lesson.reading)
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


def current(lesson: Lesson) -> dict[str, str]:
    """What the fields hold now, shown or not."""
    model = model_of(lesson)
    starts = lesson.starts(model)
    present = {key: st.session_state.get(box_key(lesson, key, model)) for key in starts}
    return {key: value if isinstance(value, str) and value else starts[key] for key, value in present.items()}


def way_on(lesson: Lesson, step: str) -> None:
    """Back and next, through the steps and from lesson to lesson."""
    st.space("small")
    place, number = ORDER.index(step), LESSONS.index(lesson)
    row = st.container(horizontal=True)
    if place:
        row.button("Back", key="back", on_click=go, args=(lesson.name, ORDER[place - 1]), help="To the step before.")
    if place < len(ORDER) - 1:
        label = ("Show me", "Try your own", "What could fool you?")[place]
        row.button(label, type="primary", key="next", on_click=go, args=(lesson.name, ORDER[place + 1]))
    elif number < len(LESSONS) - 1:
        after = LESSONS[number + 1]
        row.button(f"Next lesson: {after.title}", type="primary", key="next", on_click=go, args=(after.name,))
    else:
        row.button("All lessons", type="primary", key="next", on_click=go, args=("",))


def page() -> None:
    """The page."""
    heading = st.container()  # first on the page, known last
    drawing.style()
    restore()
    lesson, step = here()
    with heading:
        st.title("Lessons" if lesson is None else f"{LESSONS.index(lesson) + 1}. {lesson.title}", anchor=False)
    if lesson is None:
        index()
    else:
        show(lesson, step)
    keep()


page()
