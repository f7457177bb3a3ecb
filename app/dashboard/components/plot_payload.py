"""What is sent to the browser for a scatter plot."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polysema.app.dashboard.components.plot_options import AreaLabels, PlotMarks, PlotOptions
from polysema.app.dashboard.components.point_columns import MAX_SELECTED_ROWS, write_rows
from polysema.app.dashboard.components.points import PublishedCloud

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


def _some_rows(rows: NDArray[np.integer[Any]] | None, count: int) -> dict[str, object] | None:
    return None if rows is None else write_rows(np.asarray(rows, np.int64), count)


def _areas(areas: AreaLabels | None) -> dict[str, object] | None:
    """Names of areas in plain lists."""
    if areas is None:
        return None
    return {
        "places": [[float(number) for number in place] for place in areas.places],
        "levels": [int(level) for level in areas.levels],
        "names": [str(name) for name in areas.names],
    }


def _behavior(options: PlotOptions) -> dict[str, Any]:
    """How a plot behaves, in plain values."""
    return {
        "reportView": bool(options.report_view),
        "group": str(options.group),
        "morph": bool(options.morph),
        "equalAxes": bool(options.equal_axes),
        "fill": bool(options.fill),
        "search": None
        if options.search is None
        else {
            "hint": options.search.hint,
            "text": options.search.text,
            "modes": [list(mode) for mode in options.search.modes],
        },
        "actions": [list(action) for action in options.actions],
    }


def _payload(
    cloud: PublishedCloud, marks: PlotMarks, *, key: str, alt: str, height: int, inline: bool
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
    labeled = _rows(marks.label_rows, name="label_rows", count=count, limit=MAX_LABEL_ROWS)
    rings = _rows(marks.highlight, name="highlight", count=count, limit=MAX_HIGHLIGHTS)
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
            for arrow in marks.arrows
        ],
        "links": [
            [_row(start, name="links", count=count), _row(end, name="links", count=count)]
            for start, end in list(marks.links)[:MAX_LINKS]
        ],
        "labelRows": labeled,
        "areas": _areas(marks.areas),
        "passing": _some_rows(marks.passing, count),
        "hidden": _some_rows(marks.hidden, count),
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
        "layout": [list(column) for column in cloud.layout],
        "hasDetails": cloud.details is not None,
        "texts": [shown, cloud.labels.take(shown).to_pylist() if shown else []],
    }
