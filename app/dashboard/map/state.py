"""The page Map: what a session keeps of it, what its link holds, and how what was taken out is brought back."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from polysema.app.dashboard import own_points, permalink, trail

OWN_KEYS = (
    "map_focus",
    "map_chosen",
    "map_placed",
    "map_wrong",
    "map_clicked",
    "map_view",
    "map_only",
    "map_hidden",
    "map_question",
)  # what belongs to a space, and is forgotten with it


def restore(name: str) -> None:
    """Take up what the link holds; forget what belongs to another space."""
    state = st.session_state
    if "map_of" in state and state["map_of"] != name:
        for key in OWN_KEYS:
            state.pop(key, None)
        trail.forget("map")
    state["map_of"] = name
    current = permalink.restore("map")
    if not current:
        return
    for key in ("chosen", "only", "hidden"):
        state[f"map_{key}"] = permalink.unpack(current.get(key))
    written = current.get("placed")
    state["map_placed"] = (
        [text for text in written if isinstance(text, str)][: own_points.MAX_POINTS]
        if isinstance(written, list)
        else []
    )
    state["map_question"] = str(current.get("question") or "")
    state["map_view"] = str(current.get("view") or "")
    focus = current.get("focus")
    if type(focus) is int and focus >= 0:
        state["map_focus"] = focus
    else:
        state.pop("map_focus", None)


def hidden_rows(n: int) -> NDArray[np.int64] | None:
    """The rows of the map that were hidden; None for none."""
    hidden = [row for row in st.session_state.get("map_hidden") or [] if row < n]
    return np.array(hidden, np.int64) if hidden else None


def undo_bar() -> None:
    """What was taken out of the picture, and how to bring it back."""
    state = st.session_state
    for key, words in (("map_only", "Show all rows again"), ("map_hidden", "Show what is hidden")):
        if state.get(key):
            st.button(f"{words} ({len(state[key]):,})", key=f"{key}_undo", on_click=bring_back, args=(key,))


def bring_back(key: str) -> None:
    """Undo `Keep only these` or `Hide`."""
    for name in (key, "map_chosen", "map_view") if key == "map_only" else (key,):
        st.session_state.pop(name, None)
    if key == "map_only":
        st.session_state.pop("map_focus", None)
