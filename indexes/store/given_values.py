"""The values that a user gave for a column: made an Arrow array, or refused by their row where Arrow would lose
something.
"""

import datetime
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeGuard

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError

MAX_INTEGER = 2**64 - 1
NESTED = (list, tuple, set, frozenset)


def array_of(name: str, values: object) -> "pa.Array | pa.ChunkedArray":
    """The values of a column as an array; raises `UserError` with the column's name and the row that is wrong."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if not _is_list(values):
        raise UserError(f"the column {name} is a list of values, one a row; got {shown(values)}")
    if isinstance(values, np.ndarray):
        values = _plain_numpy(values)
    if isinstance(values, (list, tuple)) or str(getattr(values, "dtype", "")) == "object":
        values = _checked(name, list(values))
    try:
        return _made(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _wrong(name, values, error) from None


def _is_list(values: object) -> TypeGuard[Collection[object]]:
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__len__"):
        return False
    return len(getattr(values, "shape", (1,))) == 1 or isinstance(values, np.ndarray)  # another is a data frame


def _plain_numpy(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any] | list[object]":
    """An array of one dimension, of a byte order, a width and a unit of time that Arrow has."""
    if values.ndim != 1:
        return list(values) if values.ndim > 1 else [values.item()]
    if values.dtype.kind in "mM":
        unit = np.datetime_data(values.dtype)[0]
        if unit in ("Y", "M", "W") and values.dtype.kind == "M":
            return values.astype("datetime64[D]")
        if unit in ("h", "m") or (unit in ("W", "D") and values.dtype.kind == "m"):
            return values.astype(f"{values.dtype.kind}8[s]")
        return values
    if values.dtype.kind == "f" and values.dtype.itemsize > 8 and (values.astype(np.float64) == values).all():
        return values.astype(np.float64)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _by_place(values: Sequence[object]) -> dict[tuple[object, ...], list[tuple[int, object]]]:
    """The rows (from 1) and values of each place within the values: of themselves, of their lists, of each of their
    fields.
    """
    places: dict[tuple[object, ...], list[tuple[int, object]]] = {}

    def walk(row: int, value: object, place: tuple[object, ...]) -> None:
        if isinstance(value, Mapping):
            for key, each in value.items():
                walk(row, each, (*place, key))
        elif isinstance(value, NESTED):
            for each in value:
                walk(row, each, (*place, None))
        elif not is_missing(value):
            places.setdefault(place, []).append((row, value))

    for row, value in enumerate(values, 1):
        walk(row, value, ())
    return places


def _checked(name: str, values: list[Any]) -> list[object]:
    """The values, days and times of a column of both as times; raises `UserError` for what Arrow would mix in
    silence.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) == 1 and kinds & {str, int, float, bool}:
        return values
    if any(issubclass(kind, (Mapping, *NESTED)) for kind in kinds):
        try:
            places = _by_place(values)
        except RecursionError:
            return values  # nested too deep for Arrow as well
        for place, rows in places.items():
            _check_mixture(name, rows)
            if place:
                _check_days(name, rows, "give all as times, or all as days")
        return values
    rows = [(row, value) for row, value in enumerate(values, 1) if not is_missing(value)]
    _check_mixture(name, rows)
    moments = [value for _, value in rows if isinstance(value, datetime.datetime)]
    if datetime.date not in kinds or not moments:
        return values
    if moments[0].tzinfo is not None:
        _check_days(name, rows, "give all as times with a zone")
    midnight = datetime.time()
    return [datetime.datetime.combine(one, midnight) if type(one) is datetime.date else one for one in values]


def _check_mixture(name: str, rows: Sequence[tuple[int, Any]]) -> None:
    """Raise `UserError` for values that Arrow takes for another kind: bytes for texts, truth for numbers, zones for
    none.
    """
    kinds = {type(value) for _, value in rows}
    whether = kinds & {bool, np.bool_}
    if whether and any(issubclass(kind, (int, float, np.number)) for kind in kinds - whether):
        raise _mixed(name, rows, lambda value: isinstance(value, (bool, np.bool_)))
    if bytes in kinds and any(issubclass(kind, str) for kind in kinds):
        raise _mixed(name, rows, lambda value: isinstance(value, bytes))
    zoned = {value.tzinfo is not None: row for row, value in reversed(rows) if isinstance(value, datetime.datetime)}
    if len(zoned) > 1:
        raise UserError(
            f"the column {name} mixes times with a zone (row {zoned[True]}) and without: give all a zone, or none"
        )
    for row, value in rows if datetime.time in kinds else ():
        if isinstance(value, datetime.time) and value.tzinfo is not None:
            raise UserError(
                f"the column {name} holds a time of day with a zone in row {row}, {shown(value)}, and the zone "
                "would be "
                "lost: give dates with times, or no zone"
            )


def _check_days(name: str, rows: Sequence[tuple[int, Any]], way_out: str) -> None:
    kinds = {type(value) for _, value in rows}
    if datetime.date in kinds and any(issubclass(kind, datetime.datetime) for kind in kinds):
        raise _mixed(name, rows, lambda value: type(value) is datetime.date, way_out)


def _made(values: Collection[object]) -> pa.Array:
    if isinstance(values, list) and (finer := _with_nanoseconds(values)) is not None:
        return finer
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, UnicodeEncodeError):
            raise
        given = list(values)
        present = [value for value in given if not is_missing(value)]
        whole = [value for value in present if type(value) is int and 0 <= value <= MAX_INTEGER]
        if whole and len(whole) == len(present) and max(whole) > 2**63 - 1:
            return pa.array([None if is_missing(value) else value for value in given], pa.uint64())
        if (
            present
            and all(isinstance(value, (np.datetime64, datetime.date)) for value in present)
            and any(isinstance(value, np.datetime64) for value in present)
        ):
            return _made(
                _plain_numpy(np.array([None if is_missing(value) else value for value in given], "datetime64"))
            )
        if len(present) < len(given):  # NaN among texts, as data frames have it
            return pa.array([None if is_missing(value) else value for value in given])
        raise


def _with_nanoseconds(values: list[Any]) -> pa.Array | None:
    """The array of pandas's times where some have nanoseconds, which Arrow cuts from values in a list; None of
    others.
    """
    finer = (
        (getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0))
        for value in values
        if not is_missing(value)
    )
    if not any(isinstance(each, int) and each for each in finer):
        return None
    import pandas as pd

    return pa.array(pd.Series(values))


def is_missing(value: object) -> bool:
    """None, NaN, also of decimals, and pandas's NA and NaT, which alone don't equal themselves."""
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return type(value).__name__ in ("NAType", "NaTType")


def _wrong(name: str, values: Collection[object], error: Exception) -> UserError:
    """What Arrow can't make a column of, in our words."""
    given = list(values)
    try:
        places = _by_place(given)
    except RecursionError:
        return UserError(f"the column {name} can't be kept: its values are nested too deep")
    for rows in places.values():
        for row, value in rows:
            if (refused := _wrong_value(name, row, value)) is not None:
                return refused
        numbers = [value for _, value in rows if type(value) is int]
        if len(numbers) == len(rows) and max(numbers) > 2**63 - 1:
            return _too_wide(name, numbers)
    outer = [(row, value) for row, value in enumerate(given, 1) if not is_missing(value)]
    for rows in [outer, *places.values()]:
        if any(type(value) is not type(rows[0][1]) for _, value in rows):
            first = type(rows[0][1])
            return _mixed(name, rows, partial(_is_another, first))
    reason = " ".join(str(error).split())[:160]
    return UserError(f"the column {name} can't be kept: {reason}: give numbers, texts, times, or lists of them")


def _is_another(kind: type, value: object) -> bool:
    return type(value) is not kind


def _too_wide(name: str, numbers: Sequence[int]) -> UserError:
    if min(numbers) < 0:
        return UserError(
            f"the column {name} holds numbers below 0 and beyond {2**63 - 1:,}, which no 64 bits hold together: "
            "give them"
            " as texts"
        )
    return UserError(
        f"the column {name} holds numbers beyond {2**63 - 1:,} in its lists or fields, {shown(max(numbers))}: "
        "give them as "
        "texts, or as an Arrow array of uint64"
    )


def _wrong_value(name: str, row: int, value: object) -> UserError | None:
    """What is wrong with one value, whatever stands beside it."""
    if isinstance(value, int) and not -(2**63) <= value <= MAX_INTEGER:
        return UserError(
            f"the column {name} holds an integer beyond 64 bits in row {row}, {shown(value)}: give it as a text"
        )
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return UserError(f"the column {name} holds half a surrogate pair in row {row}: {value[:40]!a} is no Unicode")
    if isinstance(value, Decimal) and value.is_infinite():
        return UserError(f"the column {name} holds {value} in row {row}, which decimals can't be: leave it out (None)")
    if isinstance(value, (complex, np.complexfloating)):
        return UserError(f"the column {name} holds a complex number in row {row}: give its parts as two columns")
    return None


def _mixed(
    name: str,
    rows: Sequence[tuple[int, Any]],
    differs: Callable[[object], bool],
    way_out: str = "give all as texts, or all as numbers",
) -> UserError:
    """What is said of rows (from 1) of two kinds: the first, and the next that differs from it."""
    first = differs(rows[0][1])
    row, value = next(((row, value) for row, value in rows if differs(value) != first), rows[-1])
    return UserError(
        f"the column {name} mixes kinds of values: row {rows[0][0]} holds {shown(rows[0][1])}, row {row} holds"
        f" {shown(value)}: {way_out}"
    )


def shown(value: object) -> str:
    """A value with its type, cut where it is long, for a message."""
    if type(value) is int and abs(value) >= 10**40:
        return f"a number of {value.bit_length():,} bits"
    text = f"{value:,}" if type(value) is int else " ".join(repr(value).split())
    cut = text if len(text) <= 60 else f"{text[:57]}…"
    return f"{cut} ({type(value).__name__})"
