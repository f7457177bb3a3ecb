"""Evaluating conditions: Boolean arrays with nulls, joined as Kleene joins them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.display import clip_text
from polysema.core.errors import PolysemaError
from polysema.indexes.filters.conditions import Condition, Node, Not
from polysema.indexes.filters.texts import TEXT_OPERATORS, equal_text, match_text

Column: TypeAlias = "pa.Array | pa.ChunkedArray"

COMPARED = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
A_MOMENT = "a moment in quotes, such as '2024-05-31' or '2024-05-31 12:30:00'"
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def run(node: Node, columns: Mapping[str, Column]) -> pa.Array:
    """What a filter says of each row: true, false or null."""
    if isinstance(node, Condition):
        column = columns[node.column]
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        if len(chunks) == 1:
            return evaluate(node, chunks[0])
        parts = [evaluate(node, chunk) for chunk in chunks]
        return pa.concat_arrays(parts) if parts else evaluate(node, pa.nulls(0, column.type))
    if isinstance(node, Not):
        return pc.invert(run(node.inner, columns))
    join = pc.and_kleene if node.word == "and" else pc.or_kleene
    result = run(node.parts[0], columns)
    for part in node.parts[1:]:
        result = join(result, run(part, columns))
    return result


def true_rows(array: pa.Array, n_rows: int) -> npt.NDArray[np.bool_]:
    """Where a Boolean array is true, not false or null: (n_rows,)."""
    if n_rows == 0:
        return np.zeros(0, np.bool_)
    bits = [_bits(buffer, array.offset, n_rows) for buffer in reversed(array.buffers()) if buffer is not None]
    return bits[0] if len(bits) == 1 else bits[0] & bits[1]


def _bits(buffer: pa.Buffer, offset: int, n: int) -> npt.NDArray[np.bool_]:
    packed = np.frombuffer(buffer, np.uint8)[offset // 8 : (offset + n + 7) // 8]
    return np.unpackbits(packed, bitorder="little")[offset % 8 : offset % 8 + n].view(np.bool_)


def evaluate(test: Condition, array: pa.Array) -> pa.Array:
    """The condition on one column's values: a Boolean array, null where the value is."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return evaluate(test, array.storage)
    if pa.types.is_dictionary(kind):
        answers = evaluate(test, array.dictionary)
        taken = answers.take(array.indices)
        return taken.fill_null(True) if test.op == "is null" else taken
    if pa.types.is_run_end_encoded(kind):
        return evaluate(test, pc.run_end_decode(array))
    if test.op == "is null":
        return pc.is_null(array)
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.bool_())
    if test.op == "between":
        low, high = test.values
        return pc.and_kleene(
            evaluate(Condition(test.column, ">=", (low,)), array),
            evaluate(Condition(test.column, "<=", (high,)), array),
        )
    for is_kind, answer in _KINDS:
        if is_kind(kind):
            return answer(test, array)
    raise PolysemaError(
        f"column {test.column!r} holds {kind}, which can't be compared; only is null and is not null are allowed"
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _list(test: Condition, array: pa.Array) -> pa.Array:
    """Whether one of a list's elements is what `contains` says, or is a text that fits another operator of texts."""
    if test.op not in TEXT_OPERATORS:
        raise PolysemaError(
            f"column {test.column!r} holds {array.type}, which can't be compared; only contains and the other "
            "operators of texts, of one of its elements, is null and is not null are allowed; got "
            f"{clip_text(str(test))}"
        )
    lists = array.cast(pa.large_list(array.type.value_type))
    elements = pc.list_flatten(lists)
    if test.op == "icontains" and _is_text(elements.type) and all(isinstance(value, str) for value in test.values):
        hits = equal_text(test, elements)
    else:
        hits = evaluate(replace(test, op="=") if "contains" in test.op else test, elements)
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy()
    rows = np.zeros(len(array), np.bool_)
    rows[np.repeat(np.arange(len(array)), lengths)[hits.fill_null(False).to_numpy(zero_copy_only=False)]] = True
    return _known(array, pa.array(rows))


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _misfit(test: Condition, kind: "pa.DataType | str", wanted: str) -> PolysemaError:
    return PolysemaError(f"column {test.column!r} holds {kind}: compare it with {wanted}; got {clip_text(str(test))}")


def _constant(array: pa.Array, value: bool) -> pa.Array:
    """The same answer for every row that has a value."""
    return pc.if_else(pc.is_valid(array), pa.scalar(value), pa.scalar(None, pa.bool_()))


def _known(array: pa.Array, answers: pa.Array) -> pa.Array:
    return answers if not array.null_count else pc.if_else(pc.is_valid(array), answers, pa.scalar(None, pa.bool_()))


def _text(test: Condition, array: pa.Array) -> pa.Array:
    if not all(isinstance(value, str) for value in test.values):
        raise _misfit(test, array.type, "a string in quotes")
    if any("\ud800" <= letter <= "\udfff" for value in test.values for letter in str(value)):
        raise _misfit(test, array.type, "text that can be written as UTF-8")
    if pa.types.is_string_view(array.type):
        array = array.cast(pa.large_string())
    if test.op == "in":
        return _known(array, pc.is_in(array, value_set=pa.array(test.values, array.type)))
    if test.op in TEXT_OPERATORS:
        return match_text(test, array)
    return COMPARED[test.op](array, pa.scalar(test.values[0], array.type))


def _bool(test: Condition, array: pa.Array) -> pa.Array:
    if test.op not in ("=", "!=", "in") or not all(isinstance(value, bool) for value in test.values):
        raise PolysemaError(
            f"column {test.column!r} holds {array.type}; only = true, = false and is null are allowed; got "
            f"{clip_text(str(test))}"
        )
    if test.op == "in":
        return _known(array, pc.is_in(array, value_set=pa.array(sorted(set(test.values)), pa.bool_())))
    return COMPARED[test.op](array, pa.scalar(test.values[0]))


def _numbers(test: Condition, kind: pa.DataType) -> "list[int | Decimal]":
    numbers = [value for value in test.values if isinstance(value, (int, Decimal)) and not isinstance(value, bool)]
    if len(numbers) < len(test.values) or test.op in TEXT_OPERATORS:
        raise _misfit(test, kind, "a number")
    return numbers


def _integer(test: Condition, array: pa.Array) -> pa.Array:
    return _on_grid(test.op, [Fraction(value) for value in _numbers(test, array.type)], array)


def _decimal(test: Condition, array: pa.Array) -> pa.Array:
    """Decimals are whole multiples of their last digit."""
    unit = Fraction(10) ** array.type.scale
    values = [Fraction(value) * unit for value in _numbers(test, array.type)]
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(38, array.type.scale))
    return _on_grid(test.op, values, array)


def _moment(test: Condition, array: pa.Array) -> pa.Array:
    kind = array.type
    if test.op in TEXT_OPERATORS or not all(isinstance(value, str) for value in test.values):
        raise _misfit(test, kind, A_MOMENT)
    seconds = [_seconds(test, str(value), kind) for value in test.values]
    if pa.types.is_date32(kind):
        return _on_grid(test.op, [s / 86400 for s in seconds], array.view(pa.int32()))
    per_second = 1000 if pa.types.is_date64(kind) else _UNITS[kind.unit]
    return _on_grid(test.op, [s * per_second for s in seconds], array.view(pa.int64()))


def _seconds(test: Condition, text: str, kind: pa.DataType) -> Fraction:
    """Seconds since 1970 (UTC) of a moment; without an offset it is in the column's own zone."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise _misfit(test, kind, A_MOMENT)
    day, clock, fraction, offset = found.groups()
    column_zone = getattr(kind, "tz", None)
    if offset and column_zone is None:
        raise _misfit(test, f"{kind}, which has no time zone", "a moment without an offset")
    zone = None if offset else _zone(column_zone)
    try:
        moment = datetime.fromisoformat(day if clock is None else f"{day}T{clock}")
        if offset:
            digits = offset.replace(":", "")
            minutes = 0 if offset in "Zz" else int(digits[1:3]) * 60 + int(digits[3:5])
            zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
        moment = moment.replace(tzinfo=zone)
    except ValueError:
        raise _misfit(test, kind, A_MOMENT) from None
    past = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Fraction(past // timedelta(seconds=1)) + Fraction(f"0.{fraction or 0}")


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    if found := re.fullmatch(r"([+-])(\d\d):(\d\d)", name):
        minutes = int(found[2]) * 60 + int(found[3])
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise PolysemaError(
            f"the time zone {name!r} of a column is not known here; give moments with an offset"
        ) from None


def _on_grid(op: str, values: list[Fraction], array: pa.Array) -> pa.Array:
    """Compare whole numbers (or decimals counted in their last digit) with exact values that may lie between them."""
    kind = array.type
    least, most = _range(kind)

    def scalar(value: int) -> int | Decimal:
        if not pa.types.is_decimal(kind):
            return value
        return Decimal((int(value < 0), tuple(int(d) for d in str(abs(value))), -kind.scale))

    whole = [int(v) for v in values if v.denominator == 1 and least <= v <= most]
    if op in ("=", "in"):
        if not whole:
            return _constant(array, False)
        if op == "=":
            return pc.equal(array, pa.scalar(scalar(whole[0]), kind))
        return _known(array, pc.is_in(array, value_set=pa.array([scalar(v) for v in whole], kind)))
    if op == "!=":
        return pc.not_equal(array, pa.scalar(scalar(whole[0]), kind)) if whole else _constant(array, True)
    value = values[0]
    floor = value.numerator // value.denominator
    if op in ("<", "<="):
        bound = floor - 1 if op == "<" and value.denominator == 1 else floor
        if not least <= bound <= most:
            return _constant(array, bound > most)
        return pc.less_equal(array, pa.scalar(scalar(bound), kind))
    bound = floor if op == ">=" and value.denominator == 1 else floor + 1
    if not least <= bound <= most:
        return _constant(array, bound < least)
    return pc.greater_equal(array, pa.scalar(scalar(bound), kind))


def _range(kind: pa.DataType) -> tuple[int, int]:
    """The least and the most that a type of whole numbers holds, of decimals counted in their last digit."""
    if pa.types.is_decimal(kind):
        return 1 - 10**kind.precision, 10**kind.precision - 1
    bits = kind.bit_width
    return (0, 2**bits - 1) if str(kind).startswith("uint") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _float(test: Condition, array: pa.Array) -> pa.Array:
    """A number is rounded to the column's width first, so that 0.1 is the float32 that 0.1 was stored as."""
    wide = array.type.to_pandas_dtype()
    with np.errstate(over="ignore"):
        values = [float(wide(float(value))) for value in _numbers(test, array.type)]
    if not np.isfinite(values).all():
        values, wide = [float(value) for value in test.values], np.float64
    array = array.cast(pa.float64()) if wide is not np.float32 else array
    if test.op == "in":
        both = values + [-0.0 for value in values if value == 0] + [0.0 for value in values if value == 0]
        return _known(array, pc.is_in(array, value_set=pa.array(both, array.type)))
    return COMPARED[test.op](array, pa.scalar(values[0], array.type))


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Condition, pa.Array], pa.Array]], ...] = (
    (_is_text, _text),
    (pa.types.is_boolean, _bool),
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _float),
    (pa.types.is_decimal, _decimal),
    (_is_moment, _moment),
    (_is_list, _list),
)
