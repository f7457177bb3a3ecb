"""The scatter plot of the dashboard: 2-D or 3-D points in plain WebGL2, with selection back to Python.

The browser side is `scatter.js` and `scatter.css` beside this file: an ES module without dependencies. It draws on a
2-D canvas where WebGL2 is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

__all__ = ["Arrow", "Points", "Selection", "scatter"]

MAX_SELECTED_ROWS = 2_000
"""Most rows that travel from the browser to Python; `Selection.count` is the whole number."""

MIN_HEIGHT = 120
"""Pixels; a lower plot has no room for its toolbar."""

SHAPE_COUNT = 3
"""0 disc, 1 diamond, 2 cross."""


@dataclass(frozen=True, slots=True)
class Points:
    """What to plot. Row `i` of each member describes the same point.

    Attributes:
        positions: `(n, 2)` or `(n, 3)`, finite.
        labels: `n` short texts: drawn beside the point for `label_rows`, the title of the tooltip.
        categories: Legend names in colour order. Twelve colours, then the same again with other markers.
        category: `(n,)` integers, indices into `categories`.
        details: `n` longer texts for the tooltip, such as the sentence.
        marks: `n` pairs `[start, end)`, in Unicode code points of `details`, to show in bold.
        shapes: `(n,)` integers: 0 disc, 1 diamond, 2 cross. Discs by default.
    """

    positions: NDArray[np.floating[Any]]
    labels: Sequence[str]
    categories: Sequence[str]
    category: NDArray[np.integer[Any]]
    details: Sequence[str] | None = None
    marks: Sequence[tuple[int, int]] | None = None
    shapes: NDArray[np.integer[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from the point of row `start` to the point of row `end`."""

    start: int
    end: int
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user selected by a click or a lasso.

    Attributes:
        rows: Selected rows in ascending order, empty when none, at most `MAX_SELECTED_ROWS` of them.
        count: How many points are selected, more than `len(rows)` when `rows` was cut.
    """

    rows: tuple[int, ...]
    count: int


NOTHING = Selection(rows=(), count=0)


def _asset(name: str) -> str:
    """Text of a file that ships beside this module."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


# Registered once. The assets have many lines, so Streamlit can't take them for paths.
_mount = st.components.v2.component("polysema_scatter", js=_asset("scatter.js"), css=_asset("scatter.css"))


def _ignore_change() -> None:
    """Stand-in callback: with one, the result always has the attribute and `default` is allowed."""


def _float32_positions(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Check the positions and convert them: `(n, 2)` or `(n, 3)` to the same shape in float32."""
    positions = np.asarray(values)
    if positions.ndim != 2 or positions.shape[1] not in (2, 3):
        raise ValueError(f"positions must have shape (n, 2) or (n, 3), not {positions.shape}")
    if positions.dtype.kind not in "fiu":
        raise ValueError(f"positions must be real numbers, not {positions.dtype}")
    with np.errstate(over="ignore"):
        converted = positions.astype(np.float32)
    if not np.isfinite(converted).all():
        row = int(np.flatnonzero(~np.isfinite(converted).all(axis=1))[0])
        raise ValueError(f"positions must be finite in float32, but row {row} is {positions[row].tolist()}")
    return converted


def _codes(values: NDArray[np.integer[Any]], *, name: str, count: int, limit: int) -> NDArray[np.int64]:
    """Check an integer column: shape `(count,)`, each value in `[0, limit)`."""
    codes = np.asarray(values)
    if codes.shape != (count,):
        raise ValueError(f"{name} must have shape ({count},), not {codes.shape}")
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers, not {codes.dtype}")
    outside = np.flatnonzero((codes < 0) | (codes >= limit))
    if outside.size:
        row = int(outside[0])
        raise ValueError(f"{name} must lie in [0, {limit}), but row {row} is {int(codes[row])}")
    return codes.astype(np.int64)


def _texts(values: Sequence[str], *, name: str, count: int | None = None) -> list[str]:
    """Check a column of texts, of length `count` unless that is None."""
    texts = list(values)
    if count is not None and len(texts) != count:
        raise ValueError(f"{name} must have {count} entries, not {len(texts)}")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"{name} must be strings, but entry {row} is {type(text).__name__}")
    # np.str_ is a str, yet JSON and Arrow shall see nothing of numpy.
    return [str(text) for text in texts]


def _text_column(texts: list[str], *, name: str) -> pa.Array:
    """An Arrow column of texts."""
    try:
        return pa.array(texts, type=pa.string())
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} must be valid Unicode: {error}") from error


def _row(value: int, *, name: str, count: int) -> int:
    """Check one row number and make it a plain int."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be a row number, not {value!r}")
    if not 0 <= value < count:
        raise ValueError(f"{name} must lie in [0, {count}), not {int(value)}")
    return int(value)


def _mark_columns(marks: Sequence[tuple[int, int]], details: list[str]) -> tuple[pa.Array, pa.Array]:
    """Starts and ends of the marks as Arrow columns, each mark checked against its text."""
    if len(marks) != len(details):
        raise ValueError(f"marks must have {len(details)} entries, not {len(marks)}")
    starts: list[int] = []
    ends: list[int] = []
    for row, (start, end) in enumerate(marks):
        if not 0 <= start <= end <= len(details[row]):
            raise ValueError(f"marks of row {row} must lie in [0, {len(details[row])}], not ({start}, {end})")
        starts.append(int(start))
        ends.append(int(end))
    return pa.array(starts, type=pa.int32()), pa.array(ends, type=pa.int32())


def _digest(*parts: bytes | pa.Buffer) -> str:
    """Hexadecimal content hash, 16 characters."""
    state = blake2b(digest_size=8)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def _ipc(table: pa.Table) -> pa.Buffer:
    """The table as an Arrow stream, the same bytes for the same content."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _payload(
    points: Points,
    *,
    key: str,
    alt: str,
    arrows: Sequence[Arrow],
    label_rows: Sequence[int],
    height: int,
    morph: bool,
    equal_axes: bool,
) -> dict[str, Any]:
    """Check all arguments and build the component's `data`.

    Per-point columns go in one Arrow table, the rest in plain ints, strings and lists: Streamlit sends a dict that JSON
    can't take (one numpy scalar is enough) as the text of its repr, without an error.

    `version` hashes all that is drawn per point. `identity` hashes what names the points: two versions of one identity
    are the same points at other places (another layer, say), and the selection stays.
    """
    if not isinstance(key, str) or not key:
        raise ValueError("key must be a text that is not empty")
    if isinstance(height, bool) or not isinstance(height, int | np.integer) or height < MIN_HEIGHT:
        raise ValueError(f"height must be an integer of at least {MIN_HEIGHT} pixels, not {height!r}")
    positions = _float32_positions(points.positions)
    count, dim = int(positions.shape[0]), int(positions.shape[1])
    labels = _texts(points.labels, name="labels", count=count)
    categories = _texts(points.categories, name="categories")
    category = _codes(points.category, name="category", count=count, limit=len(categories))

    columns: dict[str, pa.Array] = {}
    for axis, name in zip(range(dim), "xyz", strict=False):
        columns[name] = pa.array(np.ascontiguousarray(positions[:, axis]))
    columns["category"] = pa.array(category.astype(np.int32))
    if points.shapes is not None:
        shapes = _codes(points.shapes, name="shapes", count=count, limit=SHAPE_COUNT)
        columns["shape"] = pa.array(shapes.astype(np.uint8))
    names = {"label": _text_column(labels, name="labels")}
    if points.details is not None:
        details = _texts(points.details, name="details", count=count)
        names["detail"] = _text_column(details, name="details")
        if points.marks is not None:
            columns["mark_start"], columns["mark_end"] = _mark_columns(points.marks, details)
    elif points.marks is not None:
        raise ValueError("marks need details: they are characters of it")

    table = pa.table(columns | names)
    return {
        "points": table,
        "version": _digest(_ipc(table), "\0".join(categories).encode()),
        "identity": _digest(_ipc(pa.table(names))),
        "dim": dim,
        "categories": categories,
        "arrows": [
            [
                _row(arrow.start, name="Arrow.start", count=count),
                _row(arrow.end, name="Arrow.end", count=count),
                int(arrow.dashed),
            ]
            for arrow in arrows
        ],
        "labelRows": [_row(row, name="label_rows", count=count) for row in label_rows],
        "key": key,
        "alt": str(alt),
        "height": int(height),
        "morph": bool(morph),
        "equalAxes": bool(equal_axes),
        "maxRows": MAX_SELECTED_ROWS,
    }


def _selection(value: object, *, identity: str, count: int) -> Selection:
    """Read the browser's state. Whatever doesn't fit these points is no selection: the browser can send anything."""
    if not isinstance(value, Mapping) or value.get("identity") != identity:
        return NOTHING
    rows, total = value.get("rows"), value.get("count")
    if not isinstance(rows, list) or type(total) is not int or len(rows) > MAX_SELECTED_ROWS:
        return NOTHING
    if any(type(row) is not int or not 0 <= row < count for row in rows) or not len(rows) <= total <= count:
        return NOTHING
    return Selection(rows=tuple(sorted(set(rows))), count=total)


def scatter(
    points: Points,
    *,
    key: str,
    alt: str,
    arrows: Sequence[Arrow] = (),
    label_rows: Sequence[int] = (),
    height: int = 460,
    morph: bool = True,
    equal_axes: bool = True,
) -> Selection:
    """Draw a scatter plot and return what is selected in it.

    Calling it again with the same points changes nothing in the browser. Points of another version glide to their new
    positions when their number stayed; the selection stays too when `labels` and `details` did.

    Args:
        points: What to plot, `n` points.
        key: Names the plot within the app.
        alt: Says in words what the plot shows, for those who can't see it.
        arrows: Drawn from point to point.
        label_rows: Points to label, the most important first: a label that would hide an earlier one is left out.
        height: Of the plot without its legend, in pixels. Phones get at most 320.
        morph: Whether points glide to new positions. They never do where the user asked for reduced motion.
        equal_axes: Whether one unit is as long on each axis. Off, each axis fills the plot.

    Returns:
        The selection, empty at first.

    Raises:
        ValueError: The arguments don't fit each other, or a position is NaN or infinite.
    """
    data = _payload(
        points,
        key=key,
        alt=alt,
        arrows=arrows,
        label_rows=label_rows,
        height=height,
        morph=morph,
        equal_axes=equal_axes,
    )
    result = _mount(key=key, data=data, default={"selection": None}, on_selection_change=_ignore_change)
    return _selection(getattr(result, "selection", None), identity=data["identity"], count=len(points.labels))
