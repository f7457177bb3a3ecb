"""The types of columns: which ones Parquet keeps, and what fits into which without loss."""

import io
import json
import re
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from polysema.core.errors import UserError

ANY_TEXT = b"polysema.any"  # in the metadata of a column that was widened to texts: it takes any value as its text
ALIASES = {"int": "int64", "integer": "int64", "float": "double", "number": "double", "text": "string", "str": "string"}
TYPE_NAMES = "int64, uint64, double, string, timestamp[us], timestamp[us, tz=UTC], decimal(38, 9)"
MAX_DECIMAL_DIGITS = 76


class MisfitError(Exception):
    """A value that a type can't hold as it is."""


def parse_type(name: str) -> pa.DataType:
    """The type of that name (`double`, `string`, `timestamp[us, tz=UTC]`, `decimal(38, 9)`); raises `UserError`."""
    text = name.strip().lower()
    digits = re.fullmatch(r"decimal(?:128|256)?\s*\(\s*(\d{1,2})\s*,\s*(-?\d{1,2})\s*\)", text)
    zoned = re.fullmatch(r"timestamp\[(s|ms|us|ns)\s*,\s*tz=([\w/+:-]{1,60})\]", name.strip(), re.IGNORECASE)
    try:
        if digits:
            precision, scale = int(digits[1]), int(digits[2])
            return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
        if zoned:
            return stored_type(pa.timestamp(zoned[1].lower(), zoned[2]), name)
        return stored_type(pa.type_for_alias(ALIASES.get(text, text)), name)
    except ValueError:
        raise UserError(f"{name!r:.80} is no type of a column; there are {TYPE_NAMES} and others of Arrow") from None


# What Parquet keeps


def stored_type(kind: pa.DataType, column: str) -> pa.DataType:
    """The type by which a new column of `kind` is kept; raises `UserError` for one that Parquet can't keep."""
    found = _stored(plain_type(kind))
    if found is None:
        raise UserError(f"the column {column} holds {kind}, which Parquet can't keep: convert it")
    return found


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type without what only says how values lie in memory."""
    if types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if types.is_dictionary(kind):
        values = plain_type(kind.value_type)
        return pa.dictionary(pa.int32(), values) if is_text(values) or _is_bytes(values) else values
    if types.is_list_view(kind):
        return pa.list_(plain_type(kind.value_type))
    if types.is_large_list_view(kind):
        return pa.large_list(plain_type(kind.value_type))
    if types.is_list(kind):
        return pa.list_(plain_type(kind.value_type))
    if types.is_large_list(kind):
        return pa.large_list(plain_type(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([pa.field(one.name, plain_type(one.type)) for one in kind])
    if types.is_string_view(kind):  # which can't be taken by rows
        return pa.large_string()
    return pa.large_binary() if types.is_binary_view(kind) else kind


@lru_cache(maxsize=256)
def _stored(kind: pa.DataType) -> pa.DataType | None:
    """The type as it comes back from Parquet, None where it can't be written or another one comes back."""
    try:
        out = io.BytesIO()
        pq.write_table(pa.schema([pa.field("column", kind)]).empty_table(), out)
        found = pq.read_table(out).schema.field(0).type
        cast(pa.nulls(0, kind), found)
    except (pa.ArrowException, NotImplementedError, MisfitError):
        return None
    return found


# What fits


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of texts."""
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether it is a type of lists."""
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def is_number(kind: pa.DataType) -> bool:
    """Whether it is a type of whole numbers, floats or decimals."""
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def cast(array: pa.Array, kind: pa.DataType, as_text: bool = False) -> pa.Array:
    """The same values as another type; with `as_text` a type of texts takes any value as its text.

    NaN is a missing value to a type that has none. Raises `MisfitError` where a value doesn't fit without loss.
    """
    given = array.type
    if given == kind:
        return array
    if types.is_null(given) or (len(array) and array.null_count == len(array)):
        return pa.nulls(len(array), kind)
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(cast(array, kind.storage_type, as_text))
    if (plain := _decoded(array)) is not None:
        return cast(plain, kind, as_text)
    if types.is_dictionary(kind):
        return pc.dictionary_encode(cast(array, kind.value_type, as_text)).cast(kind)
    if types.is_floating(given) and not types.is_floating(kind):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, given), array)
        if array.null_count == len(array):
            return pa.nulls(len(array), kind)
    try:
        return _cast_within_family(array, kind, as_text)
    except pa.ArrowException as error:
        raise MisfitError(str(error)) from None


def _decoded(array: pa.Array) -> pa.Array | None:
    """The values of an array that holds them another way; None for one that holds them as they are."""
    if isinstance(array.type, pa.BaseExtensionType):
        return array.storage
    if types.is_run_end_encoded(array.type):
        return pc.run_end_decode(array)
    return array.dictionary_decode() if types.is_dictionary(array.type) else None


def _cast_within_family(array: pa.Array, kind: pa.DataType, as_text: bool) -> pa.Array:
    given = array.type
    if is_list(given) and is_list(kind):
        return _cast_lists(array, kind, as_text)
    if types.is_struct(given) and types.is_struct(kind):
        return _cast_structs(array, kind, as_text)
    if is_number(given) and is_number(kind):
        return _cast_numbers(array, kind)
    if types.is_temporal(given) and types.is_temporal(kind):
        return _cast_times(array, kind)
    for is_family in (is_text, _is_bytes, types.is_boolean, types.is_map):
        if is_family(given) and is_family(kind):
            return array.cast(kind)
    if as_text and is_text(kind):
        return _texts(array).cast(kind)
    raise MisfitError(f"{given} is no {kind}")


def _texts(array: pa.Array) -> pa.Array:
    """Each value as its text; lists and structs as JSON."""
    if types.is_nested(array.type) or _is_bytes(array.type):
        written = [
            None if one is None else json.dumps(one, default=str, ensure_ascii=False) for one in array.to_pylist()
        ]
        return pa.array(written, pa.large_string())
    return array.cast(pa.large_string())


def _cast_numbers(array: pa.Array, kind: pa.DataType) -> pa.Array:
    given = array.type
    exact = types.is_integer(given) and types.is_integer(kind)
    if exact or (types.is_floating(given) and types.is_floating(kind) and kind.bit_width >= given.bit_width):
        return array.cast(kind)
    if types.is_floating(given) and types.is_integer(kind):
        return array.cast(kind)  # Arrow refuses what isn't whole, or too large
    if types.is_decimal(given) and not types.is_floating(kind):
        return array.cast(kind if types.is_decimal(kind) else pa.decimal256(MAX_DECIMAL_DIGITS, 0)).cast(kind)
    if types.is_integer(given) and types.is_decimal(kind):
        return array.cast(pa.decimal128(38, 0)).cast(kind)
    # Arrow rounds on these ways, or refuses what would fit: what comes back tells
    made = array.cast(kind, safe=False) if types.is_floating(kind) else array.cast(kind)
    same = pc.equal(made.cast(given), array)
    if types.is_floating(given):
        same = pc.or_kleene(same, pc.is_nan(array))
    if not pc.all(same, min_count=0).as_py():
        raise MisfitError(f"not every value is a {kind}")
    return made


def _cast_times(array: pa.Array, kind: pa.DataType) -> pa.Array:
    given = array.type
    if types.is_timestamp(given) and types.is_timestamp(kind) and (given.tz is None) != (kind.tz is None):
        raise MisfitError("a time with a zone and one without are not the same")
    zoned = any(types.is_timestamp(one) and one.tz is not None for one in (given, kind))
    if zoned and (types.is_date(given) or types.is_date(kind)):
        raise MisfitError("a day is no moment of a zone")
    kinds = (types.is_time, types.is_duration, lambda one: types.is_timestamp(one) or types.is_date(one))
    if not any(is_kind(given) and is_kind(kind) for is_kind in kinds):
        raise MisfitError(f"{given} is no {kind}")
    made = array.cast(kind)
    if types.is_date(kind) and not pc.all(pc.equal(made.cast(given), array), min_count=0).as_py():
        raise MisfitError("a day has no time of day")
    return made


def _cast_lists(array: pa.Array, kind: pa.DataType, as_text: bool) -> pa.Array:
    lengths = pc.list_value_length(array)
    values = cast(pc.list_flatten(array), kind.value_type, as_text)
    ends = pc.cumulative_sum(pc.fill_null(lengths, 0).cast(pa.int64()))
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    wide = pa.large_list(kind.value_type)
    made = pa.LargeListArray.from_arrays(offsets, values, type=wide, mask=array.is_null())
    return made if wide == kind else made.cast(kind)


def _cast_structs(array: pa.Array, kind: pa.DataType, as_text: bool) -> pa.Array:
    there = dict(zip([one.name for one in array.type], array.flatten(), strict=True))
    names = {one.name for one in kind}
    for name, values in there.items():
        if name not in names and values.null_count < len(values):
            raise MisfitError(f"there is no key {name}")
    children = [
        cast(there[one.name], one.type, as_text) if one.name in there else pa.nulls(len(array), one.type)
        for one in kind
    ]
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=array.is_null())
