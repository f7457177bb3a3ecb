"""What the user asks of a page through a plot: a search, or something to be done with the selection."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class PlotRequest:
    """A wish, once.

    Attributes:
        name: Of a mode of the search box or of an action; `focus` for a point to be looked at.
        text: What stands in the search box.
        row: Of the point; -1 for none.
    """

    name: str
    text: str = ""
    row: int = -1


def requested(key: str) -> PlotRequest | None:
    """What is newly requested through the plot of that key, which is known before the plot is drawn in this run."""
    try:
        state = st.session_state[key]
    except (KeyError, AttributeError):
        return None
    message = state.get("request") if isinstance(state, Mapping) else getattr(state, "request", None)
    if not isinstance(message, Mapping) or not isinstance(message.get("name"), str):
        return None
    done, at = f"_plot_request_{key}", message.get("at")
    if not isinstance(at, int | float) or st.session_state.get(done) == at:
        return None
    st.session_state[done] = at
    text, row = message.get("text"), message.get("row")
    return PlotRequest(
        str(message["name"])[:40],
        text[:MAX_TEXT] if isinstance(text, str) else "",
        row if type(row) is int and row >= 0 else -1,
    )
