"""The page at the bare address: two doors, and what was opened last."""

import streamlit as st

from polysema.app.dashboard import reader_notes, widgets
from polysema.app.dashboard.lessons import lessons
from polysema.app.dashboard.lessons.place import ORDER

WAYS = (
    ("map", "Map of GloVe's words", "A space in one picture, with search, filters and areas."),
    ("analogies", "queen - king + man", "A sum of words, and where it leads."),
    ("contexts", "The senses of bank", "One word in many sentences, layer by layer."),
    ("inside", "Inside a model", "Attention, lens, attribution, patching."),
)


def learn() -> None:
    """The door to the lessons."""
    steps, every = reader_notes.lesson_steps(), lessons()
    done = sum(steps.get(lesson.name, 0) == len(ORDER) for lesson in every)
    begun = next((lesson for lesson in every if 0 < steps.get(lesson.name, 0) < len(ORDER)), None)
    with st.container(border=True, height="stretch"):
        st.subheader("Learn on live models", anchor=False)
        st.markdown(
            f"{len(every)} short lessons, from the first token to the last layer: guess, see it measured on models "
            "that run on this machine, try your own words."
        )
        st.page_link("app_pages/lessons.py", label="**Open the lessons**", icon=":material/school:", query_params={})
        if begun is not None:
            query = {"lesson": begun.name, "step": ORDER[steps[begun.name] - 1]}
            st.page_link(
                "app_pages/lessons.py",
                label=f"Go on with {begun.title}",
                icon=":material/arrow_forward:",
                query_params=query,
            )
        if steps:
            st.caption(f"{done} of {len(every)} lessons done")


def explore() -> None:
    """The door to texts and vectors of one's own."""
    with st.container(border=True, height="stretch"):
        st.subheader("Explore your own texts or vectors", anchor=False)
        st.markdown(
            "CSV, Excel, JSON lines, Parquet, NumPy, word2vec, a folder of a model: bring it with all its columns, and "
            "see it as a map that can be searched, filtered and shared. It stays on this machine."
        )
        st.page_link(
            "app_pages/data.py", label="**Bring texts or vectors**", icon=":material/folder_open:", query_params={}
        )
        for name in widgets.collected()[:4]:
            label = f"Map of {widgets.plain(name)}"
            st.page_link("app_pages/map.py", label=label, icon=":material/map:", query_params={"space": name})


def page() -> None:
    """The page."""
    widgets.title("Polysema", "One word, one static vector, and as many hidden states as it has contexts.")
    left, right = st.columns(2, gap="medium")
    with left:
        learn()
    with right:
        explore()
    last = reader_notes.opened_last()
    if last:
        st.markdown("**Opened last**")
        with st.container(key="start_last", gap="xxsmall"):
            for opened in last:
                st.page_link(
                    f"app_pages/{opened.name}.py", label=widgets.plain(opened.label), query_params=opened.query
                )
    st.markdown("**Or look at what is here**")
    for column, (name, label, what) in zip(st.columns(len(WAYS)), WAYS, strict=True):
        with column:
            st.page_link(f"app_pages/{name}.py", label=label, query_params={})
            st.caption(what)


page()
