"""The columns of rows: made of what a user gave, and fitted into those that a collection has."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from polysema.core.errors import IncompatibleError, UserError
from polysema.indexes.store.column_types import ANY_TEXT, MisfitError, cast, is_text, stored_type
from polysema.indexes.store.given_values import array_of, shown
from polysema.indexes.store.wider_types import wider

OWN = ("id", "vector")
WIDEN = "`polysema collection widen FOLDER {column} {type}` (Collection.widen) makes it hold {what}"


# What a user gave


def table_of(columns: "pa.Table | Mapping[str, Any]") -> pa.Table:
    """Columns as a table; raises `UserError` with the column's name, its row (from 1) and what is wrong there.

    A column that holds nothing but missing values is left out: its type isn't known yet.
    """
    if isinstance(columns, pa.Table):
        table = columns
    else:
        try:
            given = dict(columns)
        except (TypeError, ValueError):
            raise UserError(f"columns are a table, or lists by name; got a {type(columns).__name__}") from None
        arrays = {_name_of(name): array_of(str(name), values) for name, values in given.items()}
        lengths = {name: len(values) for name, values in arrays.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name} has {count:,}" for name, count in list(lengths.items())[:6])
            raise UserError(f"columns are a table, or lists of one length by name: {counts}")
        table = pa.table(arrays)
    taken = [name for name in table.column_names if name in OWN]
    if taken:
        raise UserError(f"a column can't be called {' or '.join(taken)}: that is the collection's own")
    doubled = {name for name in table.column_names if table.column_names.count(name) > 1}
    if doubled:
        raise UserError(f"each column has a name of its own; there are two called {sorted(doubled)[0]!r}")
    table = table.drop_columns([one.name for one in table.schema if _is_empty(one.type)])
    try:
        table.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise UserError(f"columns can't be kept: {' '.join(str(error).split())[:200]}") from None
    return table.replace_schema_metadata(None)


def _is_empty(kind: pa.DataType) -> bool:
    """Whether a type has no value: nothing but missing ones, or structs without a key."""
    return bool(pa.types.is_null(kind) or (pa.types.is_struct(kind) and kind.num_fields == 0))


def _name_of(name: object) -> str:
    if not isinstance(name, str):
        raise UserError(f"a column's name is a text; got {name!r:.60}, a {type(name).__name__}")
    return name


# Into the columns that are there


def joined(schema: pa.Schema, table: pa.Table | None) -> tuple[pa.Schema, pa.Table | None]:
    """The columns of a collection with those of new rows among them, and the rows' own in the types that they have
    there.

    What fits without loss is cast; a column becomes wider where its family has a type that holds all of both (int32 and
    int64, decimals, a struct's further keys). Raises `IncompatibleError` with the column, the value and the way out.
    """
    if table is None:
        return schema, None
    for place, field in enumerate(table.schema):
        there = schema.get_field_index(field.name)
        old = schema.field(there) if there >= 0 else None
        column = table.column(place)
        if old is None:
            kind = stored_type(field.type, field.name)
            schema = schema.append(pa.field(field.name, kind))
        else:
            kind = _holding(old, column)
            if kind != old.type:
                schema = schema.set(there, old.with_type(kind))
        made = cast_column(column, kind, old is not None and _takes_any(old), field.name)
        table = table.set_column(place, pa.field(field.name, kind), made)
    return schema, table


def widened_field(column: str, kind: pa.DataType) -> pa.Field:
    """A column of the type to which it is widened; one of texts is marked, so that it takes any value as its text."""
    return pa.field(column, kind, metadata={ANY_TEXT: b"1"} if is_text(kind) else None)


def _takes_any(field: pa.Field) -> bool:
    return ANY_TEXT in (field.metadata or {})


def _holding(old: pa.Field, column: pa.ChunkedArray) -> pa.DataType:
    """The type of a column that takes new values, its own where it can."""
    as_text = _takes_any(old)
    if _misfit(column, old.type, as_text) is None:
        return old.type
    kind = wider(old.type, column.type)
    if kind is not None:
        kind = stored_type(kind, old.name)
        if kind != old.type and _misfit(column, kind, as_text) is None:
            return kind
    row = _misfit(column, old.type, as_text)
    assert row is not None
    value = column[row].as_py()
    raise IncompatibleError(
        f"the column {old.name} holds {old.type} in this collection; got {column.type}: {shown(value)} in row {row + 1}"
        f" doesn't fit without loss. Convert it, or {_way_out(old.name, old.type, value)}"
    )


def _way_out(name: str, kind: pa.DataType, value: object) -> str:
    if pa.types.is_integer(kind) and isinstance(value, (int, float)) and not isinstance(value, bool):
        if isinstance(value, float):
            return WIDEN.format(column=name, type="double", what="such numbers")
        if value > 2**63 - 1:
            return WIDEN.format(column=name, type="uint64", what="numbers up to 2^64, none below 0")
    if pa.types.is_integer(kind) and isinstance(value, Decimal):
        return WIDEN.format(column=name, type="'decimal(38, 9)'", what="such numbers")
    if pa.types.is_timestamp(kind) and isinstance(value, datetime.datetime):
        if (value.tzinfo is None) != (kind.tz is None):
            return f"give every time {'a' if kind.tz else 'no'} zone"
        return WIDEN.format(column=name, type="'timestamp[ns]'", what="finer times")
    return WIDEN.format(column=name, type="string", what="any value as its text")


def cast_column(column: pa.ChunkedArray, kind: pa.DataType, as_text: bool, name: str) -> pa.ChunkedArray:
    """A column as another type; raises `IncompatibleError` with the value that doesn't fit."""
    if column.type == kind:
        return column
    try:
        return pa.chunked_array([cast(chunk, kind, as_text) for chunk in column.chunks], kind)
    except MisfitError:
        row = _misfit(column, kind, as_text) or 0
        raise IncompatibleError(
            f"the column {name} can't hold {shown(column[row].as_py())} in row {row + 1} as {kind}: convert it"
        ) from None


def _misfit(column: pa.ChunkedArray, kind: pa.DataType, as_text: bool) -> int | None:
    """The first row (from 0) whose value a type can't hold; None where all fit."""
    start = 0
    for chunk in column.chunks:
        if not _fits(chunk, kind, as_text):
            low, high = 0, len(chunk)  # the rows before `low` fit, one before `high` doesn't
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _fits(chunk.slice(low, middle - low), kind, as_text) else (low, middle)
            return start + low
        start += len(chunk)
    return None


def _fits(array: pa.Array, kind: pa.DataType, as_text: bool) -> bool:
    try:
        cast(array, kind, as_text)
    except MisfitError:
        return False
    return True


def fitting(columns: pa.Table | None, rows: int, schema: pa.Schema) -> list[pa.ChunkedArray]:
    """The columns in the order and the types of `schema`; nulls for those that aren't there."""
    found = []
    for field in schema:
        if columns is not None and field.name in columns.column_names:
            found.append(cast_column(columns.column(field.name), field.type, True, field.name))
        else:
            found.append(pa.chunked_array([pa.nulls(rows, field.type)]))
    return found
