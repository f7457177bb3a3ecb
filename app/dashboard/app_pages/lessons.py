"""Lessons: question, guess, measurement, own input and caveats; each on live models."""

import streamlit as st

from polysema.app.dashboard import widgets
from polysema.app.dashboard.lessons import Lesson, lessons
from polysema.app.dashboard.lessons.course import own_lessons
from polysema.app.dashboard.lessons.place import LESSON_STEPS, ORDER, done, go, here, keep, reached, restore
from polysema.app.dashboard.lessons.steps import beware, predict, reveal, try_own
from polysema.app.dashboard.picker.bring import offer
from polysema.app.dashboard.sharing import page_record
from polysema.core.model.catalog import catalog, folder_of

LETTERS_CHOSEN = "lessons_with_letters"  # in the session, where the model that reads sentences is missing


def index() -> None:
    """All lessons as cards, with how far each was taken."""
    every = lessons()
    st.markdown(
        f"From the first token to the last layer in {len(every)} short lessons. You guess, the models here are "
        "measured, and you try your own words."
    )
    for problem in own_lessons()[1]:
        st.warning(widgets.plain(problem), icon="⚠️")
    n = sum(done(lesson) for lesson in every)
    begun = [lesson for lesson in every if lesson.name in reached() and not done(lesson)]
    st.progress(n / len(every), text=f"{n} of {len(every)} lessons done")
    upcoming = begun[0] if begun else next((lesson for lesson in every if not done(lesson)), every[0])
    word = "Go on with" if begun else "Start with" if not n else "Next:"
    step = ORDER[min(reached().get(upcoming.name, 1), len(ORDER)) - 1] if begun else ORDER[0]
    st.button(f"{word} {upcoming.title}", type="primary", key="go_on", on_click=go, args=(upcoming.name, step))
    chapter = ""
    columns = st.columns(3)
    place = 0
    for number, lesson in enumerate(every, 1):
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


def show(lesson: Lesson, step: str) -> None:
    """A lesson at one of its steps."""
    go(lesson.name, step)  # so that the address names it, also where the session did
    every = lessons()
    number = every.index(lesson) + 1
    top = st.container(horizontal=True, vertical_alignment="center")
    top.caption(f"{lesson.chapter} · lesson {number} of {len(every)}", width="content")
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
    if lesson.wants and any(row.name == lesson.wants and folder_of(row) is None for row in catalog()):
        offer(lesson.wants, "This lesson is about sentences and is measured on", f"lesson_{lesson.name}")
        if not st.session_state.get(LETTERS_CHOSEN):
            st.button(
                "Take the lesson with letters instead",
                key="lesson_letters",
                on_click=lambda: st.session_state.update({LETTERS_CHOSEN: True}),
                help="On a model that comes with polysema: it reads the letters of a word and writes its sounds.",
            )
            return
    reached()[lesson.name] = max(reached().get(lesson.name, 0), ORDER.index(step) + 1)
    begin_record(lesson)
    {"predict": predict, "reveal": reveal, "try": try_own, "beware": beware}[step](lesson)
    end_record(lesson)
    way_on(lesson, step)


def begin_record(lesson: Lesson) -> None:
    """What the lesson's file begins with, at every step: the idea and the question."""
    page_record.text(f"{lesson.idea}\n\n## {lesson.question}")
    page_record.text("\n".join(f"- {option}" for option in lesson.options))
    page_record.text("## Measured")


def end_record(lesson: Lesson) -> None:
    """What it ends with: what to try, what could fool one, and the papers."""
    page_record.text(f"## Try\n\n{lesson.task}")
    page_record.text("## What could fool you\n\n" + "\n".join(f"- {trap}" for trap in lesson.traps))
    if lesson.sources:
        page_record.text("## Read\n\n" + "\n".join(f"- {source}" for source in lesson.sources))


def way_on(lesson: Lesson, step: str) -> None:
    """Back and next, through the steps and from lesson to lesson."""
    st.space("small")
    every = lessons()
    place, number = ORDER.index(step), every.index(lesson)
    row = st.container(horizontal=True)
    if place:
        row.button("Back", key="back", on_click=go, args=(lesson.name, ORDER[place - 1]), help="To the step before.")
    if place < len(ORDER) - 1:
        label = ("Show me", "Try your own", "What could fool you?")[place]
        row.button(label, type="primary", key="next", on_click=go, args=(lesson.name, ORDER[place + 1]))
    elif number < len(every) - 1:
        after = every[number + 1]
        row.button(f"Next lesson: {after.title}", type="primary", key="next", on_click=go, args=(after.name,))
    else:
        row.button("All lessons", type="primary", key="next", on_click=go, args=("",))


def page() -> None:
    """The page."""
    heading = st.container()  # first on the page, known last
    restore()
    lesson, step = here()
    with heading:
        title = "Lessons" if lesson is None else f"{lessons().index(lesson) + 1}. {lesson.title}"
        st.title(title, anchor=False)
        page_record.title(title)
    if lesson is None:
        index()
    else:
        show(lesson, step)
    keep()


page()
