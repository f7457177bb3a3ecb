"""Which type of a family holds the values of two."""

import pyarrow as pa
from pyarrow import types

from polysema.indexes.store.column_types import MAX_DECIMAL_DIGITS, is_list, is_number, is_text, plain_type


def wider(old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
    """A type of the same family that holds every value of `old`, whatever it is, and may hold those of `new`; None
    where none does."""
    if old == new or types.is_null(new):
        return old
    if types.is_null(old):
        return plain_type(new)
    if types.is_dictionary(new) or types.is_run_end_encoded(new):
        return wider(old, new.value_type)
    return _wider_in_family(old, new)


def _wider_in_family(old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
    if types.is_integer(old) and types.is_integer(new):
        return _wider_integer(old, new)
    if types.is_floating(old) and is_number(new):
        return old if types.is_floating(new) and new.bit_width <= old.bit_width else pa.float64()
    if types.is_decimal(old) and (types.is_decimal(new) or types.is_integer(new)):
        return _wider_decimal(old, new)
    if is_text(old) and is_text(new):
        return pa.large_string()
    if types.is_time(old) and types.is_time(new):
        return pa.time64("ns") if "ns" in (old.unit, new.unit) else pa.time64("us")
    if is_list(old) and is_list(new):
        values = wider(old.value_type, new.value_type) or old.value_type  # whole doubles may fit into integers
        return pa.large_list(values) if any(map(types.is_large_list, (old, new))) else pa.list_(values)
    if types.is_struct(old) and types.is_struct(new):
        return _wider_struct(old, new)
    return None


def _wider_integer(old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
    signed = [types.is_signed_integer(one) for one in (old, new)]
    bits = max(old.bit_width, new.bit_width)
    if signed[0] == signed[1]:
        return old if old.bit_width == bits else new
    unsigned_bits = (new if signed[0] else old).bit_width
    bits = max(bits, 2 * unsigned_bits)
    return pa.type_for_alias(f"int{bits}") if bits <= 64 else None


def _wider_decimal(old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
    digits, scale = (len(str(2**new.bit_width)), 0) if types.is_integer(new) else (new.precision, new.scale)
    after = max(old.scale, scale)
    precision = max(old.precision - old.scale, digits - scale) + after
    if precision > MAX_DECIMAL_DIGITS:
        return None
    return pa.decimal128(precision, after) if precision <= 38 else pa.decimal256(precision, after)


def _wider_struct(old: pa.DataType, new: pa.DataType) -> pa.DataType:
    fields: dict[str, pa.DataType] = {one.name: one.type for one in old}
    for one in new:
        there = fields.get(one.name)
        fields[one.name] = plain_type(one.type) if there is None else wider(there, one.type) or there
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])
