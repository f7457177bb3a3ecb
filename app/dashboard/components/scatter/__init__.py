"""The scatter plot of the dashboard: 2-D or 3-D points in plain WebGL2, with selection back to Python.

The browser side is the JavaScript and CSS beside this file: ES modules without dependencies that are joined into one
here, without a build step (`mount.js` is where to begin). It draws on a 2-D canvas where WebGL2 is missing.

Small clouds travel with the page's other data. Larger ones (over `INLINE_POINTS`) are fetched by the browser from the
dashboard's own server, once per version: see `points` and `point_routes` beside this package.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from polysema.app.dashboard.components import assets
from polysema.app.dashboard.components.points import Points, PublishedCloud, check, publish, store
from polysema.app.dashboard.components.scatter.payload import INLINE_POINTS, Arrow, _payload, _wished
from polysema.app.dashboard.components.scatter.selection import (
    NO_SELECTION,
    Region,
    Selection,
    View,
    checked_view,
    read_view,
    rows_inside,
    write_rows,
    write_view,
)
from polysema.app.dashboard.components.scatter.selection_memory import SelectionMemory
from polysema.app.dashboard.components.scatter.session import _missing_tries, _of_group, _Plot, _plots, _state

__all__ = [
    "NO_SELECTION",
    "Arrow",
    "Points",
    "PublishedCloud",
    "Region",
    "Selection",
    "View",
    "publish",
    "read_view",
    "rows_inside",
    "scatter",
    "write_view",
]


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
    arrows: Sequence[Arrow] = (),
    links: Sequence[tuple[int, int]] = (),
    label_rows: Sequence[int] = (),
    highlight: Sequence[int] = (),
    selected: Sequence[int] | NDArray[np.integer[Any]] = (),
    view: Sequence[float] | None = None,
    report_view: bool = True,
    group: str = "",
    height: int = 460,
    morph: bool = True,
    equal_axes: bool = True,
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
        arrows: Drawn from point to point.
        links: Pairs of rows with a thin line between them, such as a point and its neighbors. The first 2,000.
        label_rows: Points to label, the most important first: a label that would hide an earlier one is left out.
        highlight: Points with a ring and a label. When none of them is in view, the view moves to them. The first 200.
        selected: Rows to select at first, and whenever this changes, for example from a link. A selection of the
            user's that comes back through it is not imposed again, so a page may write what it reads. With a new
            value the result has `by="python"` until the user selects something else.
        view: Where the camera starts, as `Selection.view` had it; later changes are left to the user. A view of
            another kind of plot, as an old link may hold, is ignored.
        report_view: Whether a move of the camera comes back by itself. Streamlit runs the page for it, 0.7 s after the
            gesture; it can't be told without that. Without it `Selection.view` is that of the last selection.
        group: Plots of one group with as many points share hover (without a run) and selection: each of them returns
            the newest one.
        height: Of the plot without its legend, in pixels. Phones get at most 320.
        morph: Whether points glide to new positions. They never do when the user prefers reduced motion.
        equal_axes: Whether one unit is as long on each axis. Off, each axis fills the plot.

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
    data = _payload(
        cloud,
        key=key,
        alt=alt,
        arrows=arrows,
        links=links,
        label_rows=label_rows,
        highlight=highlight,
        height=height,
        inline=inline,
    )
    plot = _plots().setdefault(key, _Plot(SelectionMemory()))
    plot.group, plot.cloud = group, cloud if group else None
    memory = plot.memory
    memory.wish(_wished(selected, cloud.count), cloud.identity)
    data |= {
        "command": memory.command,
        "selected": write_rows(np.asarray(memory.rows, np.int64), cloud.count),
        "view": checked_view(view, cloud.dim),
        "reportView": bool(report_view),
        "group": str(group),
        "morph": bool(morph),
        "equalAxes": bool(equal_axes),
        "attempt": tries,
    }
    result = _mount(key=key, data=data, default={"plot": None}, on_plot_change=_ignore_change)
    message = getattr(result, "plot", None)
    found = memory.read(message, cloud)
    if message is None and data["view"] is not None:  # nobody has seen it yet, and it starts there
        found = replace(found, view=tuple(data["view"]))
    return _of_group(found, key, cloud) if group else found
