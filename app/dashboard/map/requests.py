"""The page Map: requests through the plot, taken up before the page is drawn."""

import streamlit as st

from polysema.app.dashboard.components.scatter import PlotRequest
from polysema.app.dashboard.map.condition import write
from polysema.app.dashboard.map.inspector import FILTER, POINT, SELECTION, go_to

MEANING, CONDITION, PLACE = "meaning", "condition", "place"
MODES = ((MEANING, "By meaning"), (CONDITION, "As a condition"), (PLACE, "Place it"))
KEEP, HIDE, NAME, TYPICAL, SAVE = "keep", "hide", "name", "typical", "save"
ACTIONS = (
    (KEEP, "Keep only these"),
    (HIDE, "Hide"),
    (TYPICAL, "What is typical"),
    (NAME, "Name as a set"),
    (SAVE, "Save as a collection"),
)


def take_up(request: PlotRequest | None, chosen: list[int]) -> None:
    """Do what is requested, as far as the page shows it; `chosen` are the selected rows of the map."""
    if request is None:
        return
    if request.name in _OF_TEXT:
        _OF_TEXT[request.name](request.text)
    elif request.name == "focus" and request.row >= 0:
        go_to(request.row)
    elif request.name in _OF_ROWS and chosen:
        _OF_ROWS[request.name](chosen)
    elif request.name in (NAME, TYPICAL, SAVE):
        st.session_state["map_next_panel"], st.session_state["map_wish"] = SELECTION, request.name


def _find(text: str) -> None:
    st.session_state["map_find"] = text


def _ask(text: str) -> None:
    st.session_state["map_question"], st.session_state["map_next_panel"] = text, POINT


def _place(text: str) -> None:
    st.session_state["map_place_text"] = text


def _filter(text: str) -> None:
    write(text)
    st.session_state["map_next_panel"] = FILTER


def _keep(chosen: list[int]) -> None:
    state = st.session_state
    state["map_only"], state["map_chosen"], state["map_hidden"] = _within(chosen), [], []
    for name in ("map_focus", "map_trail", "map_view", "map_clicked"):
        state.pop(name, None)


def _hide(chosen: list[int]) -> None:
    state = st.session_state
    state["map_hidden"], state["map_chosen"] = sorted({*(state.get("map_hidden") or []), *chosen}), []


_OF_TEXT = {"find": _find, MEANING: _ask, PLACE: _place, CONDITION: _filter}
_OF_ROWS = {KEEP: _keep, HIDE: _hide}


def _within(chosen: list[int]) -> list[int]:
    """Rows of the map as rows of the space: of a map of some rows those of the rows that it shows."""
    only = st.session_state.get("map_only") or None
    return chosen if only is None else [only[row] for row in chosen if row < len(only)]
