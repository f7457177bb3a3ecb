"""What a session knows of its scatter plots between runs, and of those of the same group."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from polysema.app.dashboard.components.points import PublishedCloud
from polysema.app.dashboard.components.scatter.selection import (
    Selection,
)
from polysema.app.dashboard.components.scatter.selection_memory import SelectionMemory


@dataclass(slots=True)
class _Plot:
    """What a session keeps of a plot between runs. The points only of plots in a group: the others read them."""

    memory: SelectionMemory
    group: str = ""
    cloud: PublishedCloud | None = None


def _plots() -> dict[str, _Plot]:
    """The plots of this session by their keys."""
    name = "polysema_scatter_plots"
    if name not in st.session_state:
        st.session_state[name] = {}
    found: dict[str, _Plot] = st.session_state[name]
    return found


def _of_group(own: Selection, key: str, cloud: PublishedCloud) -> Selection:
    """The newest selection among the plots of a group with as many points; with the plot's own view."""
    plots = _plots()
    newest, found = plots[key].memory.at, own
    for name, plot in plots.items():
        state = _state(name)
        if name == key or plot.group != plots[key].group or plot.cloud is None or state is None:
            continue
        # The browser's word is known before that plot is mounted again, further down the page.
        other = plot.memory.read(state, plot.cloud)
        if plot.cloud.count == cloud.count and plot.memory.at > newest:
            newest, found = plot.memory.at, replace(other, view=own.view, region=None)
    return found


def _missing_tries(state: object, version: str) -> int:
    """How often the browser has failed to load these points."""
    missing = state.get("missing") if isinstance(state, Mapping) else None
    if not isinstance(missing, Mapping) or missing.get("version") != version:
        return 0
    tries = missing.get("tries")
    return min(tries, 9) if type(tries) is int and tries > 0 else 0


def _state(key: str) -> object:
    """What the browser last said of a plot, known before it is mounted in this run."""
    try:
        return getattr(st.session_state[key], "plot", None)
    except (KeyError, AttributeError):
        return None
