"""The scatter plot of the dashboard: 2-D or 3-D points in plain WebGL2, with selection back to Python.

The browser side is the JavaScript and CSS beside this file: ES modules without dependencies that are joined into one
here, without a build step (`mount.js` is where to begin). It draws on a 2-D canvas where WebGL2 is missing.

Small clouds travel with the page's other data. Larger ones (over `INLINE_POINTS`) are fetched by the browser from the
dashboard's own server, once per version: see `points` and `point_routes` beside this package.
"""

from dataclasses import replace

import numpy as np
import streamlit as st
from streamlit import config

from polysema.app.dashboard.components import assets
from polysema.app.dashboard.components.plot_options import (
    AreaLabels,
    Arrow,
    PlotMarks,
    PlotOptions,
    PlotSearchBox,
    PlotStart,
)
from polysema.app.dashboard.components.plot_payload import INLINE_POINTS, _behavior, _payload, _wished
from polysema.app.dashboard.components.point_columns import write_rows
from polysema.app.dashboard.components.point_store import publish, store
from polysema.app.dashboard.components.points import Points, PublishedCloud, check
from polysema.app.dashboard.components.scatter.requests import PlotRequest, requested
from polysema.app.dashboard.components.scatter.selection import (
    NO_SELECTION,
    Region,
    Selection,
    View,
    checked_view,
    read_view,
    rows_inside,
    write_view,
)
from polysema.app.dashboard.components.scatter.selection_memory import SelectionMemory
from polysema.app.dashboard.components.scatter.session import _missing_tries, _of_group, _Plot, _plots, _state

__all__ = [
    "NO_SELECTION",
    "AreaLabels",
    "Arrow",
    "PlotMarks",
    "PlotOptions",
    "PlotRequest",
    "PlotSearchBox",
    "PlotStart",
    "Points",
    "PublishedCloud",
    "Region",
    "Selection",
    "View",
    "publish",
    "read_view",
    "requested",
    "rows_inside",
    "scatter",
    "write_view",
]


NO_MARKS, NO_START, DEFAULT_OPTIONS = PlotMarks(), PlotStart(), PlotOptions()


def module_text() -> str:
    """The whole ES module."""
    return assets.module("scatter/mount.js")


# Registered once. The assets have many lines, so Streamlit can't take them for paths.
_mount = st.components.v2.component("polysema_scatter", js=module_text(), css=assets.asset("scatter/scatter.css"))


def _ignore_change() -> None:
    """Stand-in callback: with one, the result always has the attribute and `default` is allowed."""


def scatter(
    points: Points | PublishedCloud,
    *,
    key: str,
    alt: str,
    marks: PlotMarks = NO_MARKS,
    start: PlotStart = NO_START,
    options: PlotOptions = DEFAULT_OPTIONS,
) -> Selection:
    """Draw a scatter plot and return what is selected in it, and where its camera is.

    Calling it again with the same points changes nothing in the browser. Points of another version glide to their new
    positions when their number stayed; the selection stays too when `labels` and `details` did. Links, highlights and
    labels come and go without touching the points.

    Args:
        points: What to plot, `n` points. Give `PublishedCloud` (see `publish`) when they are many: a run then costs
            next to nothing. Large `Points` are published on every run, which hashes them each time.
        key: Names the plot within the app.
        alt: Says in words what the plot shows, for those who can't see it.
        marks: What is drawn beside the points: arrows, links, labels, rings.
        start: What is selected and in view at first.
        options: How the plot behaves.

    Returns:
        The selection, empty at first or with the rows of `selected`.

    Raises:
        ValueError: The arguments don't fit each other, or a position or value is NaN or infinite.
    """
    cloud = points if isinstance(points, PublishedCloud) else check(points)
    state = _state(key)
    tries = _missing_tries(state, cloud.version)
    inline = cloud.count <= INLINE_POINTS or tries > 1  # loading failed twice: this server has no such route
    if not inline:
        store().keep(cloud)
    data = _payload(cloud, marks, key=key, alt=alt, height=options.height, inline=inline)
    if not inline:
        data["base"] = str(config.get_option("server.baseUrlPath") or "").strip("/")
    plot = _plots().setdefault(key, _Plot(SelectionMemory()))
    plot.group, plot.cloud = options.group, cloud if options.group else None
    memory = plot.memory
    memory.wish(_wished(start.selected, cloud.count), cloud.identity)
    data |= _behavior(options) | {
        "command": memory.command,
        "selected": write_rows(np.asarray(memory.rows, np.int64), cloud.count),
        "view": checked_view(start.view, cloud.dim),
        "attempt": tries,
    }
    changes = {"on_plot_change": _ignore_change, "on_request_change": _ignore_change}
    result = _mount(key=key, data=data, default={"plot": None, "request": None}, **changes)
    message = getattr(result, "plot", None)
    found = memory.read(message, cloud)
    if message is None and data["view"] is not None:  # nobody has seen it yet, and it starts there
        found = replace(found, view=tuple(data["view"]))
    return _of_group(found, key, cloud) if options.group else found
