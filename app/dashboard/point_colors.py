"""What the points of a map are colored by and what they say: a column of the space, their order, areas; their texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from polysema.core.maps.regions import Regions
from polysema.core.space.space import Floats, Ints, Space

AREAS, ORDER, KEPT = "areas of the map", "order of the rows", "neighbors kept"
MAX_COLORS = 12  # colors of the plot: one of them is the gray one of the rest, where there is a rest
GRAY = 6  # where the gray one stands among the twelve colors of the plot
OTHER_LABEL = "other"
LOG = " (log)"
MIN_LOG_RATIO = 1_000  # of the largest and the smallest number, from which on powers of ten tell more
SECONDS_A_YEAR = 365.2425 * 86_400
NO_TEXT = ("text",)  # too long to be distinguished by color


@dataclass(frozen=True, slots=True, eq=False)
class PointColors:
    """`category` (n,) numbers `categories`; where there are `values` (n,), called `value_name`, they decide."""

    categories: tuple[str, ...]
    category: Ints
    values: Floats | None = None
    value_name: str = ""


def plain(n: int, name: str = "points") -> PointColors:
    """All the same."""
    return PointColors((name,), np.zeros(n, np.int64))


def choices(space: Space) -> list[str]:
    """What the points of a space can be colored by, besides areas, order and what was kept: columns that tell groups
    apart.
    """
    if space.columns is None:
        return []
    found = []
    for field in space.columns.schema:
        if field.name in NO_TEXT:
            continue
        if _is_text(field.type) or _is_number(field.type) or pa.types.is_boolean(field.type) or _is_moment(field.type):
            found.append(field.name)
        if _is_number(field.type) and _spans_powers(space.columns.column(field.name)):
            found.append(field.name + LOG)
    return found


def by_order(n: int) -> PointColors:
    """By the row, on a scale of powers of ten: files of vectors list the most frequent words first."""
    return PointColors(
        ("points",), np.zeros(n, np.int64), np.log10(np.arange(1, n + 1)).astype(np.float32), "log10 of the row"
    )


def by_kept(kept: Floats, k: int) -> PointColors:
    """By the share of its neighbors that each point kept."""
    if not np.isfinite(kept).all():
        return plain(len(kept))
    return PointColors(("points",), np.zeros(len(kept), np.int64), kept, f"share of its {k} nearest kept")


def by_areas(found: Regions) -> PointColors:
    """By the largest areas; those in a smaller one or in none are gray."""
    rest = len(found.names) > MAX_COLORS or bool((found.assigned < 0).any())
    shown = min(MAX_COLORS - rest, len(found.names))
    codes = np.where((found.assigned >= 0) & (found.assigned < shown), found.assigned, -1)
    return _with_rest(list(found.names[:shown]), codes, "smaller areas and between")


def by_choice(space: Space, name: str) -> PointColors:
    """By what `choices` names: a column, or the powers of ten of its numbers."""
    assert space.columns is not None
    if name not in space.columns.column_names and name.endswith(LOG):
        numbers = pc.cast(space.columns.column(name.removesuffix(LOG)).combine_chunks(), pa.float64())
        logs = np.log10(numbers.to_numpy(zero_copy_only=False)).astype(np.float32)
        return PointColors(("points",), np.zeros(len(logs), np.int64), logs, f"log10 of {name.removesuffix(LOG)}")
    return by_column(space.columns.column(name), name)


def _spans_powers(column: pa.ChunkedArray) -> bool:
    """Whether numbers are all positive and of very different sizes."""
    if column.null_count or not len(column):
        return False
    ends = pc.min_max(column).as_py()
    return bool(ends["min"] > 0 and np.isfinite(ends["max"]) and ends["max"] / ends["min"] >= MIN_LOG_RATIO)


def _by_moment(array: pa.Array) -> PointColors | None:
    """By a column of dates, as years with a fraction; None where one is missing."""
    if array.null_count or not len(array):
        return None
    moments = pc.cast(array, pa.timestamp("s", getattr(array.type, "tz", None)), safe=False)
    seconds = pc.cast(moments, pa.int64()).to_numpy(zero_copy_only=False)
    years = 1970 + seconds / SECONDS_A_YEAR
    first, last = (np.datetime64(int(end), "s").astype("datetime64[D]") for end in (seconds.min(), seconds.max()))
    name = f"year ({first} to {last})"
    return PointColors(("points",), np.zeros(len(array), np.int64), years.astype(np.float32), name)


def by_column(column: "pa.ChunkedArray | pa.Array", name: str = "value") -> PointColors:
    """By a column: the most frequent values, the rest and rows without a value gray; numbers of many values and dates
    as a scale.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    n = len(array)
    if _is_number(array.type) and (pa.types.is_floating(array.type) or pc.count_distinct(array).as_py() > MAX_COLORS):
        values = pc.cast(array, pa.float64()).to_numpy(zero_copy_only=False)
        if np.isfinite(values).all() and np.abs(values).max(initial=0) < np.finfo(np.float32).max:
            return PointColors(("points",), np.zeros(n, np.int64), values.astype(np.float32), name)
    if _is_moment(array.type) and (dated := _by_moment(array)) is not None:
        return dated
    texts = pc.cast(array, pa.large_string())
    texts = pc.if_else(pc.equal(pc.fill_null(texts, ""), ""), None, texts)  # rows without a value
    frequent, n_values = _most_frequent(texts)
    rest = n_values > MAX_COLORS or texts.null_count > 0
    names = frequent[: MAX_COLORS - rest]
    found = pc.index_in(texts, value_set=pa.array(names, pa.large_string())) if names else None
    codes = (
        np.full(n, -1, np.int64)
        if found is None
        else found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    if texts.null_count == len(codes[codes < 0]):
        return _with_rest(names, codes, "no value")
    return _with_rest(
        names, codes, f"{n_values - len(names):,} other values" + (", or none" if texts.null_count else "")
    )


def _most_frequent(texts: pa.Array) -> tuple[list[str], int]:
    """The most frequent texts, as many as there are colors, those of one number by name; and how many there are."""
    counted = pc.value_counts(texts.drop_null())
    table = pa.table({"text": counted.field("values"), "count": counted.field("counts")})
    order = pc.sort_indices(table, [("count", "descending"), ("text", "ascending")])  # a million texts in a second
    return table.column("text").take(order[:MAX_COLORS]).to_pylist(), len(table)


def _with_rest(names: Sequence[str], codes: "NDArray[np.int64]", rest: str) -> PointColors:
    """Names and their codes with one more, gray, for the rows of code -1."""
    if not (codes < 0).any():
        return PointColors(tuple(names), codes)
    place = min(GRAY, len(names))
    if place < GRAY:  # empty categories would be seen in the legend: with few names the rest comes last
        return PointColors((*names, rest), np.where(codes < 0, place, codes))
    moved = np.where(codes >= place, codes + 1, codes)
    return PointColors((*names[:place], rest, *names[place:]), np.where(codes < 0, place, moved))


def sentences_of(space: Space) -> tuple[list[str] | None, list[tuple[int, int]] | None]:
    """The texts of the rows and where their words stand in them, where the space has them."""
    if not has_text(space):
        return None, None
    table = space.columns
    assert table is not None
    texts = [str(text or "") for text in table.column("text").to_pylist()]
    if not {"start", "end"} <= set(table.column_names):
        return texts, None
    ends = zip(texts, table.column("start").to_pylist(), table.column("end").to_pylist(), strict=True)
    return texts, [mark(text, start, end) for text, start, end in ends]


def mark(text: str, start: object, end: object) -> tuple[int, int]:
    """Where a word stands in its text, from the columns of a table; (0, 0) where they don't say it rightly."""
    inside = isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= len(text)
    return cast(tuple[int, int], (start, end)) if inside else (0, 0)


def has_text(space: Space) -> bool:
    """Whether the rows stand in texts."""
    return space.columns is not None and "text" in space.columns.column_names


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
