"""The columns of a space as charts: bars that a condition on the other columns is counted for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from polysema.app.explorer.results.columns import ColumnBar, ColumnChart, ColumnCharts
from polysema.app.explorer.space_search import condition_table
from polysema.core.space.space import Ints, Space
from polysema.indexes.base import Mask
from polysema.indexes.filters import BooleanGroup, Condition, Filter, parse
from polysema.indexes.filters.conditions import conditions_in

Floats64: TypeAlias = npt.NDArray[np.float64]
MAX_BARS = 12  # of a column of values
MAX_RANGES = 24  # of a column of numbers
MIN_LOG_RATIO = 1_000.0  # of the largest and the smallest number, from which on ranges may grow by a factor
DAY = 86_400
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """A bar for each of `labels`, with a condition each; `codes` (n,) are the bars of the rows, -1 for none.

    Of lists a row may be in several bars: `rows` (m,) are the rows of `codes` (m,), each in a bar, and `others` counts
    the rows with elements that are in none.
    """

    kind: str
    labels: Sequence[str]
    conditions: Sequence[Filter]
    codes: Ints
    missing: int
    log: bool = False
    rows: Ints | None = None
    others: int = 0


def column_charts(space: Space, columns: Sequence[str] | None, where: str) -> ColumnCharts:
    """Each column counted among the rows that pass what `where` says of the others; None: all that have a chart."""
    table = condition_table(space)
    wanted = parse(where) if where.strip() else None
    everything = np.ones(len(space), np.bool_)
    passing = everything if wanted is None else wanted.mask_of(table)
    charts = []
    for name in table.column_names if columns is None else columns:
        if columns is not None and name not in table.column_names:
            parse(f"`{name.replace('`', '``')}` is null").check(table.schema)  # says which there are
        counted = _counted(name, _plain(table.column(name)))
        if counted is None:
            continue
        others = wanted.without(name) if wanted is not None else None
        own = wanted.only(name) if wanted is not None else None
        charts.append(
            _chart(
                name,
                counted,
                everything if others is None else others.mask_of(table),
                everything if own is None else own.mask_of(table),
                _named(own),
            )
        )
    return ColumnCharts(len(space), int(passing.sum()), "" if wanted is None else str(wanted), tuple(charts))


def _plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _named(own: Filter | None) -> frozenset[str]:
    """What a condition says of a column, test by test."""
    return frozenset() if own is None else frozenset(str(test) for test in conditions_in(own.node))


def _chart(name: str, counted: _Counted, others: Mask, own: Mask, named: frozenset[str]) -> ColumnChart:
    bars, codes = len(counted.labels), counted.codes
    others, own = (mask if counted.rows is None else mask[counted.rows] for mask in (others, own))
    inside = codes >= 0
    total = np.bincount(codes[inside], minlength=bars)
    count = np.bincount(codes[inside & others], minlength=bars)
    chosen = np.bincount(codes[inside & own], minlength=bars) > 0
    if counted.rows is not None and (lit := np.array([str(test) in named for test in counted.conditions])).any():
        chosen = lit  # rows that pass have other elements as well
    rest = counted.others if counted.rows is not None else int((~inside).sum()) - counted.missing
    rows = zip(counted.labels, counted.conditions, count.tolist(), total.tolist(), chosen.tolist(), strict=True)
    made = tuple(ColumnBar(label, str(test), few, all_, lit) for label, test, few, all_, lit in rows)
    return ColumnChart(name, counted.kind, counted.log, made, rest, counted.missing)


def _counted(name: str, array: pa.Array) -> _Counted | None:
    kind = array.type
    if pa.types.is_boolean(kind):
        codes = pc.cast(array, pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        tests = [Filter(Condition(name, "=", (value,))) for value in (False, True)]
        return _Counted("boolean", ("false", "true"), tests, codes, array.null_count)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _numbers(name, array)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _dates(name, array)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _values(name, array)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _lists(name, array.cast(pa.large_list(kind.value_type)))
    return None


def _lists(name: str, array: pa.Array) -> _Counted | None:
    """The most frequent elements of lists of texts or whole numbers, each counted once a row; none where hardly any
    comes twice.
    """
    kind = array.type.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
        return None
    pairs = pa.table({"row": pc.list_parent_indices(array), "value": pc.list_flatten(array)})
    pairs = pairs.filter(pc.is_valid(pairs.column("value"))).group_by(["row", "value"]).aggregate([])
    counts = pairs.group_by("value").aggregate([([], "count_all")])
    if not len(counts) or (len(counts) > MAX_BARS and len(counts) > 0.5 * len(pairs)):
        return None
    ranked = sorted(
        zip(counts.column("value").to_pylist(), counts.column("count_all").to_pylist(), strict=True), key=_rank
    )
    names = [value for value, _ in ranked[:MAX_BARS]]
    codes = (
        pc.index_in(pairs.column("value"), value_set=pa.array(names, kind)).fill_null(-1).to_numpy().astype(np.int64)
    )
    rows, inside = pairs.column("row").to_numpy().astype(np.int64), codes >= 0
    tests = [Filter(Condition(name, "contains", (value,))) for value in names]
    with_any, with_bar = len(np.unique(rows)), len(np.unique(rows[inside]))
    return _Counted(
        "list",
        [str(value) for value in names],
        tests,
        codes[inside],
        len(array) - with_any,
        rows=rows[inside],
        others=with_any - with_bar,
    )


def _values(name: str, array: pa.Array) -> _Counted | None:
    """The most frequent values; none for a column in which hardly any comes twice, such as one of texts."""
    counts = pc.value_counts(array.drop_null())
    if len(counts) > MAX_BARS and len(counts) > 0.5 * len(array):
        return None
    pairs = sorted(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True), key=_rank)
    names = [value for value, _ in pairs[:MAX_BARS]]
    if not names:
        return None
    codes = pc.index_in(array, value_set=pa.array(names, array.type)).fill_null(-1).to_numpy(zero_copy_only=False)
    tests = [Filter(Condition(name, "=", (value,))) for value in names]
    return _Counted("category", names, tests, codes.astype(np.int64), array.null_count)


def _rank(pair: tuple[str | int, int]) -> tuple[int, str | int]:
    return -pair[1], pair[0]


def _numbers(name: str, array: pa.Array) -> _Counted | None:
    values = pc.cast(array, pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    there = np.isfinite(values)
    if not there.any():
        return None
    low, high = float(values[there].min()), float(values[there].max())
    log = low > 0 and high / low >= MIN_LOG_RATIO and float(np.median(values[there])) < low + (high - low) / 20
    edges = _log_edges(low, high) if log else _edges(low, high, pa.types.is_integer(array.type))
    codes = np.full(len(values), -1, np.int64)
    codes[there] = np.clip(np.searchsorted(edges, values[there], side="right") - 1, 0, len(edges) - 2)
    labels = [f"{edge:.6g}" for edge in edges]
    tests = [_range(name, a, b, at == len(labels) - 2) for at, (a, b) in enumerate(itertools.pairwise(labels))]
    return _Counted("number", labels[:-1], tests, codes, array.null_count, log)


def _edges(low: float, high: float, whole: bool) -> Floats64:
    """Ranges of a round width, at most `MAX_RANGES`."""
    span = (high - low) or 1.0
    step = 10.0 ** np.floor(np.log10(span / MAX_RANGES))
    step = next(step * nice for nice in _NICE if span / (step * nice) <= MAX_RANGES - 1)
    if whole:
        step = max(1.0, float(np.ceil(step)))
    first, last = np.floor(low / step), np.floor(high / step) + 1
    edges = np.arange(first, last + 1) * step
    return np.array([float(f"{edge:.6g}") for edge in edges])


def _log_edges(low: float, high: float) -> Floats64:
    """Ranges that grow by a round factor: powers of ten, with 2 and 5 between them where they are few."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = (1.0, 2.0, 5.0) if last - first <= MAX_RANGES // 3 else (1.0,)
    edges = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    below = max(at for at, edge in enumerate(edges) if edge <= low)
    above = next((at for at, edge in enumerate(edges) if edge > high), len(edges) - 1)
    return np.array(edges[below : above + 1])


def _range(name: str, low: str, high: str, last: bool) -> Filter:
    """From low to before high; in the last range up to the end."""
    column = "`" + name.replace("`", "``") + "`"
    return parse(f"{column} >= {low}" if last else f"{column} >= {low} and {column} < {high}")


def _dates(name: str, array: pa.Array) -> _Counted | None:
    seconds = pc.cast(array, pa.timestamp("s", getattr(array.type, "tz", None)), safe=False)
    zone = getattr(array.type, "tz", None)
    local = pc.local_timestamp(seconds) if zone else seconds
    values = pc.cast(local, pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
    there = np.isfinite(values)
    if not there.any():
        return None
    low, high = float(values[there].min()), float(values[there].max())
    step = max(1.0, np.ceil((high - low + 1) / MAX_RANGES))
    if step > DAY / 2 or pa.types.is_date(array.type):
        step = max(1.0, np.ceil(step / DAY)) * DAY
        low = np.floor(low / DAY) * DAY
    edges = np.arange(low, high + step, step)
    edges = edges if edges[-1] > high else np.append(edges, edges[-1] + step)
    codes = np.full(len(values), -1, np.int64)
    codes[there] = np.searchsorted(edges, values[there], side="right") - 1
    form = "%Y-%m-%d" if step >= DAY else "%Y-%m-%d %H:%M:%S"
    labels = pc.strftime(pa.array(edges.astype(np.int64), pa.timestamp("s")), format=form).to_pylist()
    labels = [label.partition(".")[0] for label in labels]
    tests = [
        _range(name, f"'{a}'", f"'{b}'", at == len(labels) - 2) for at, (a, b) in enumerate(itertools.pairwise(labels))
    ]
    return _Counted("date", labels[:-1], tests, codes, array.null_count)


def brushed(where: str, chart: ColumnChart, chosen: Sequence[int]) -> str:
    """The condition with what is said of a chart's column put anew: the bars of these places, or nothing where none or
    all are chosen.
    """
    wanted = parse(where) if where.strip() else None
    rest = wanted.without(chart.column) if wanted is not None else None
    places = sorted({place for place in chosen if 0 <= place < len(chart.bars)})
    own = None if len(places) in (0, len(chart.bars)) else _own(chart, places)
    if rest is None:
        return "" if own is None else str(own)
    return str(rest.joined(own))


def _own(chart: ColumnChart, places: Sequence[int]) -> Filter:
    """What rows of some bars pass: a range of numbers or dates, or a list of values."""
    tests = [parse(chart.bars[place].condition) for place in places]
    if chart.kind in ("number", "date"):
        first, last = parse(chart.bars[places[0]].condition), parse(chart.bars[places[-1]].condition)
        nodes = [test for test in _conditions(first) if test.op == ">="] + [t for t in _conditions(last) if t.op == "<"]
        found = Filter(nodes[0])
        return found if len(nodes) == 1 else found.joined(Filter(nodes[1]))
    if len(tests) == 1:
        return tests[0]
    if chart.kind == "list":
        return Filter(BooleanGroup("or", tuple(test.node for test in tests)))
    values = tuple(_conditions(test)[0].values[0] for test in tests)
    return Filter(Condition(chart.column, "in", values))


def _conditions(wanted: Filter) -> list[Condition]:
    if isinstance(wanted.node, Condition):
        return [wanted.node]
    parts = wanted.node.parts if isinstance(wanted.node, BooleanGroup) else ()
    return [part for part in parts if isinstance(part, Condition)]
