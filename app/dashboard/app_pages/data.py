"""Data: texts and vectors come in, collections are kept, models are brought."""

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard.data import collection_tab, intake_tab, models_tab

ADD, COLLECTIONS, MODELS = "Add", "Collections", "Models and spaces"


def show(collection: str, space: str) -> None:
    """Open a collection: what a button of another section does before the page runs again."""
    st.session_state["data"] = COLLECTIONS
    st.session_state["dc"] = collection
    st.session_state["dcs"] = space


def page() -> None:
    """The page."""
    widgets.title(
        "Data",
        "Your own texts and vectors: embed them, keep them in collections on this machine, search them, take them "
        "away as files.",
    )
    permalink.restore("data")
    chosen = st.segmented_control(
        "Section",
        [ADD, COLLECTIONS, MODELS],
        default=ADD,
        required=True,
        key="data",
        bind="query-params",
        label_visibility="collapsed",
        help="Bring something in, see what is kept, or what the catalog has.",
    )
    if chosen == COLLECTIONS:
        collection_tab.section()
    elif chosen == MODELS:
        models_tab.section()
    else:
        intake_tab.section(show)
    permalink.keep_boxes("data")


page()
