"""The scatter plot of the dashboard: 2-D or 3-D points in plain WebGL2, with selection back to Python.

The browser side is the JavaScript and CSS beside this file: ES modules without dependencies that are joined into one
here, without a build step (`mount.js` is where to begin). It draws on a 2-D canvas where WebGL2 is missing.

Small clouds travel with the page's other data. Larger ones (over `INLINE_POINTS`) are fetched by the browser from the
dashboard's own server, once per version: see `points` and `point_routes` beside this package.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray
from streamlit import config

from polysema.app.dashboard.components import assets
from polysema.app.dashboard.components.points import Points, PublishedCloud, check, publish, store
from polysema.app.dashboard.components.scatter.selection import (
    MAX_SELECTED_ROWS,
    NO_SELECTION,
    Region,
    Selection,
    SelectionMemory,
    View,
    checked_view,
    read_view,
    rows_inside,
    write_rows,
    write_view,
)

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

INLINE_POINTS = 5_000
"""Most points that travel with the page's data."""

MIN_HEIGHT = 120
"""Pixels; a lower plot has no room for its toolbar."""

MAX_LINKS = 2_000
"""Most links of a plot."""

MAX_LABEL_ROWS = 3_000
"""Most labels that are tried; the browser draws those that find room."""

MAX_HIGHLIGHTS = 200
"""Most points with a ring of their own."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from the point of row `start` to the point of row `end`."""

    start: int
    end: int
    dashed: bool = False


def module_text() -> str:
    """The whole ES module."""
    return assets.module("scatter/mount.js")


# Registered once. The assets have many lines, so Streamlit can't take them for paths.
_mount = st.components.v2.component("polysema_scatter", js=module_text(), css=assets.asset("scatter/scatter.css"))


def _ignore_change() -> None:
    """Stand-in callback: with one, the result always has the attribute and `default` is allowed."""


def _row(value: int, *, name: str, count: int) -> int:
    """Check one row number and make it a plain int."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be a row number, not {value!r}")
    if not 0 <= value < count:
        raise ValueError(f"{name} must lie in [0, {count}), not {int(value)}")
    return int(value)


def _rows(values: Iterable[int], *, name: str, count: int, limit: int) -> list[int]:
    """Check row numbers; of more than `limit` the first ones stay."""
    return [_row(row, name=name, count=count) for row in list(values)[:limit]]


def _wished(values: Sequence[int] | NDArray[np.integer[Any]], count: int) -> NDArray[np.int64]:
    """The argument `selected` as ascending rows."""
    if len(values) == 0:
        return np.zeros(0, np.int64)
    rows = np.asarray(values)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(f"selected must be row numbers, not {rows.dtype} of shape {rows.shape}")
    if int(rows.min()) < 0 or int(rows.max()) >= count:
        raise ValueError(f"selected must lie in [0, {count}), not {int(rows.min())} to {int(rows.max())}")
    return np.unique(rows.astype(np.int64))


def _table(cloud: PublishedCloud) -> pa.Table:
    """All columns, for points that travel with the page's data."""
    columns: dict[str, pa.Array] = {}
    for axis, name in zip(range(cloud.dim), "xyz", strict=False):
        columns[name] = pa.array(np.ascontiguousarray(cloud.positions[:, axis]))
    for name, _, _ in cloud.layout[1:]:
        column = cloud.column(name)
        assert column is not None
        columns[name] = pa.array(column.astype(np.int32) if name == "category" else column)
    columns["label"] = cloud.labels.cast(pa.string())
    if cloud.details is not None:
        columns["detail"] = cloud.details.cast(pa.string())
    if cloud.marks is not None:
        columns["mark_start"] = pa.array(np.ascontiguousarray(cloud.marks[:, 0]))
        columns["mark_end"] = pa.array(np.ascontiguousarray(cloud.marks[:, 1]))
    return pa.table(columns)


def _payload(
    cloud: PublishedCloud,
    *,
    alt: str,
    key: str,
    arrows: Sequence[Arrow],
    links: Sequence[tuple[int, int]],
    label_rows: Sequence[int],
    highlight: Sequence[int],
    height: int,
    inline: bool,
) -> dict[str, Any]:
    """Check the arguments and build the component's `data`, without what the session adds to it.

    Per-point columns go in one Arrow table or by their address, the rest in plain ints, strings and lists: Streamlit
    sends a dict that JSON can't take (one numpy scalar is enough) as the text of its repr, without an error.
    """
    if not isinstance(key, str) or not key:
        raise ValueError("key must be a text that is not empty")
    if isinstance(height, bool) or not isinstance(height, int | np.integer) or height < MIN_HEIGHT:
        raise ValueError(f"height must be an integer of at least {MIN_HEIGHT} pixels, not {height!r}")
    count = cloud.count
    labeled = _rows(label_rows, name="label_rows", count=count, limit=MAX_LABEL_ROWS)
    rings = _rows(highlight, name="highlight", count=count, limit=MAX_HIGHLIGHTS)
    data: dict[str, Any] = {
        "version": cloud.version,
        "identity": cloud.identity,
        "count": count,
        "dim": cloud.dim,
        "categories": list(cloud.categories),
        "valueName": cloud.value_name,
        "arrows": [
            [
                _row(arrow.start, name="Arrow.start", count=count),
                _row(arrow.end, name="Arrow.end", count=count),
                int(arrow.dashed),
            ]
            for arrow in arrows
        ],
        "links": [
            [_row(start, name="links", count=count), _row(end, name="links", count=count)]
            for start, end in list(links)[:MAX_LINKS]
        ],
        "labelRows": labeled,
        "highlight": rings,
        "key": key,
        "alt": str(alt),
        "height": int(height),
        "maxRows": MAX_SELECTED_ROWS,
    }
    if inline:
        return data | {"points": _table(cloud)}
    shown = sorted({*labeled, *rings})
    return data | {
        "base": str(config.get_option("server.baseUrlPath") or "").strip("/"),
        "layout": [list(column) for column in cloud.layout],
        "hasDetails": cloud.details is not None,
        "texts": [shown, cloud.labels.take(shown).to_pylist() if shown else []],
    }


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
    """How often the browser has asked in vain for these points."""
    missing = state.get("missing") if isinstance(state, Mapping) else None
    if not isinstance(missing, Mapping) or missing.get("version") != version:
        return 0
    tries = missing.get("tries")
    return min(tries, 9) if type(tries) is int and tries > 0 else 0


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
        morph: Whether points glide to new positions. They never do where the user asked for reduced motion.
        equal_axes: Whether one unit is as long on each axis. Off, each axis fills the plot.

    Returns:
        The selection, empty at first or with the rows of `selected`.

    Raises:
        ValueError: The arguments don't fit each other, or a position or value is NaN or infinite.
    """
    cloud = points if isinstance(points, PublishedCloud) else check(points)
    state = _state(key)
    tries = _missing_tries(state, cloud.version)
    inline = cloud.count <= INLINE_POINTS or tries > 1  # asked twice in vain: this server has no such route
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


def _state(key: str) -> object:
    """What the browser last said of a plot, known before it is mounted in this run."""
    try:
        return getattr(st.session_state[key], "plot", None)
    except (KeyError, AttributeError):
        return None
