"""Back gives the question before: the browser's history has one entry for each question.

`steps.js` stands in the page itself, before Streamlit's own scripts; `settle` tells it at the end of each run which
question got its result. It says why.
"""

from collections.abc import Sequence

import streamlit as st

from polysema.app.dashboard.components import assets

__all__ = ["settle"]


_mount = st.components.v2.component("polysema_steps", js=assets.module("steps/settle.js"))


def settle(page: str, names: Sequence[str], question: str) -> None:
    """Tell the browser that a run is at its end.

    Args:
        page: The page's name in the address; empty for the first page.
        names: The names of all pages but the first.
        question: A key of the question: equal questions have equal keys.
    """
    runs = st.session_state["_runs"] = int(st.session_state.get("_runs", 0)) + 1
    data = {"page": str(page), "names": [str(name) for name in names], "question": str(question), "run": runs}
    _mount(key="polysema_steps", data=data)
