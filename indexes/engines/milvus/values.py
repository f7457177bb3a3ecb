"""Columns as JSON, a row at a time, and back in their types, value for value."""

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import types

from polysema.core.errors import IncompatibleError

Json: TypeAlias = Any  # what JSON holds: its own types, nested
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")


def field_of(column: str) -> str:
    """The name of a column in a row's JSON, which goes into conditions as it is."""
    return column if _PLAIN.fullmatch(column) else f"x.{column.encode().hex()}"


def encoded_rows(columns: pa.Table | None, n: int) -> list[dict[str, Json]]:
    """Each row as a JSON object; what is missing isn't in it."""
    rows: list[dict[str, Json]] = [{} for _ in range(n)]
    if columns is None:
        return rows
    for name in columns.column_names:
        field = field_of(name)
        values = (value for chunk in columns.column(name).chunks for value in encoded(chunk))
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                row[field] = value
    return rows


def decoded_rows(rows: Sequence[Mapping[str, Json]], schema: pa.Schema) -> pa.Table:
    """The inverse of `encoded_rows`."""
    arrays = [decoded([row.get(field_of(field.name)) for row in rows], field.type) for field in schema]
    return pa.table(arrays, schema=schema) if len(schema) else pa.table({})


# Values as JSON


def encoded(array: pa.Array) -> list[Json]:
    """Values as JSON: numbers, texts and truths as they are, moments as their count, others as text."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return encoded(array.storage)
    if types.is_dictionary(kind):
        return encoded(array.dictionary_decode())
    for is_kind, write in _WRITERS:
        if is_kind(kind):
            return write(array)
    return list(array.to_pylist())


def _floats(array: pa.Array) -> list[Json]:
    values = array.cast(pa.float64()).to_pylist()
    return [value if value is None or math.isfinite(value) else _name(value) for value in values]


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _texts(array: pa.Array) -> list[Json]:
    return [None if value is None else str(value) for value in array.to_pylist()]


def _bytes(array: pa.Array) -> list[Json]:
    return [None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()]


def _counts(array: pa.Array) -> list[Json]:
    return list(array.view(pa.int32() if array.type.bit_width == 32 else pa.int64()).to_pylist())


def _lists(array: pa.Array) -> list[Json]:
    lists = array.cast(pa.large_list(array.type.value_type))
    values = encoded(lists.flatten())
    lengths = [0 if length is None else length for length in lists.value_lengths().to_pylist()]
    ends = np.cumsum([0, *lengths]).tolist()
    there = array.is_valid().to_pylist()
    return [values[start:end] if valid else None for (start, end), valid in zip(pairwise(ends), there, strict=True)]


def _structs(array: pa.Array) -> list[Json]:
    parts = {field.name: encoded(part) for field, part in zip(array.type, array.flatten(), strict=True)}
    there = array.is_valid().to_pylist()
    return [{name: parts[name][row] for name in parts} if valid else None for row, valid in enumerate(there)]


def _maps(array: pa.Array) -> list[Json]:
    kind = array.type
    pairs = pa.list_(pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)]))
    listed = [
        None if one is None else [{"key": key, "value": value} for key, value in one] for one in array.to_pylist()
    ]
    return _lists(pa.array(listed, pairs))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_moment(kind: pa.DataType) -> bool:
    return bool(types.is_temporal(kind))


_WRITERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], list[Json]]], ...] = (
    (types.is_floating, _floats),
    (types.is_decimal, _texts),
    (_is_bytes, _bytes),
    (_is_moment, _counts),
    (types.is_map, _maps),
    (_is_list, _lists),
    (types.is_struct, _structs),
)


# And back


def decoded(values: Sequence[Json], kind: pa.DataType) -> pa.Array:
    """JSON values as an array of a type."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(decoded(values, kind.storage_type))
    if types.is_dictionary(kind):
        return decoded(values, kind.value_type).dictionary_encode().cast(kind)
    if types.is_floating(kind):
        return pa.array([None if value is None else float(value) for value in values], pa.float64()).cast(kind)
    if types.is_decimal(kind):
        return pa.array([None if value is None else Decimal(value) for value in values], kind)
    if _is_bytes(kind):
        return pa.array([None if value is None else base64.b64decode(value) for value in values], kind)
    if _is_moment(kind):
        return pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)
    if types.is_map(kind):
        return _read_maps(values, kind)
    if _is_list(kind):
        return _read_lists(values, kind)
    if types.is_struct(kind):
        there = [{} if value is None else value for value in values]
        parts = [decoded([one.get(field.name) for one in there], field.type) for field in kind]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=_missing(values))
    return pa.array(values, kind)


def _missing(values: Sequence[Json]) -> pa.Array:
    return pa.array([value is None for value in values], pa.bool_())


def _read_lists(values: Sequence[Json], kind: pa.DataType) -> pa.Array:
    if types.is_fixed_size_list(kind):  # a missing one takes its place
        blank = [None] * kind.list_size
        flat = decoded([one for value in values for one in (blank if value is None else value)], kind.value_type)
        return pa.FixedSizeListArray.from_arrays(flat, type=kind, mask=_missing(values))
    flat = decoded([one for value in values if value is not None for one in value], kind.value_type)
    ends = np.cumsum([0, *(0 if value is None else len(value) for value in values)])
    wide = pa.large_list(kind.value_field)
    made = pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), flat, type=wide, mask=_missing(values))
    return made if kind == wide else made.cast(kind)


def _read_maps(values: Sequence[Json], kind: pa.DataType) -> pa.Array:
    keys = decoded([one["key"] for value in values if value is not None for one in value], kind.key_type)
    items = decoded([one["value"] for value in values if value is not None for one in value], kind.item_type)
    ends = np.cumsum([0, *(0 if value is None else len(value) for value in values)])
    offsets = pa.array(ends, pa.int32(), mask=np.array([*(value is None for value in values), False]))
    return pa.MapArray.from_arrays(offsets, keys, items).cast(kind)


# Types that change


def check_same_writing(old: pa.Schema, new: pa.Schema) -> None:
    """Raise `IncompatibleError` where rows that are there couldn't be read any more in a column's new type."""
    for field in old:
        kind = new.field(field.name).type
        if kind != field.type and not _is_written_alike(field.type, kind):
            raise IncompatibleError(
                f"the column {field.name} holds {field.type}, and {kind} would be needed: Milvus can't rewrite its "
                "rows. Copy the collection to a folder (`polysema collection copy`), widen the column there, and copy "
                "it back"
            )


def _is_written_alike(old: pa.DataType, new: pa.DataType) -> bool:
    if _is_list(old) and _is_list(new):
        return _is_written_alike(old.value_type, new.value_type)
    if types.is_struct(old) and types.is_struct(new):
        return all(_is_written_alike(one.type, new.field(one.name).type) for one in old)
    if types.is_temporal(old) or types.is_temporal(new):
        return bool(old == new)
    families: tuple[Callable[[pa.DataType], bool], ...] = (
        lambda kind: bool(types.is_integer(kind) or types.is_floating(kind)),
        types.is_decimal,
        _is_bytes,
        lambda kind: bool(types.is_string(kind) or types.is_large_string(kind)),
    )
    return bool(old == new) or any(is_family(old) and is_family(new) for is_family in families)
