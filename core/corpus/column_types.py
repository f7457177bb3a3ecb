"""The types of the columns that go along with texts, found over whole files: of cells, of JSON's values, of files."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from polysema.core.corpus.columns import Value
from polysema.core.files.cell_types import CELL_TYPES, DATE_TYPES, DECIMAL_COMMA, CellType, CellTypes, parse_cells

# what pyarrow raises for values of several types, numbers beyond 64 bits, and half surrogate pairs
_MIXED_FAULTS = (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError, ValueError)


class ColumnTypes:
    """The types of a file's columns, narrowed by each part of it that is seen.

    Args:
        separator: What stands between the cells of a delimited file: numbers with a decimal comma are read where it
            isn't the comma.
    """

    def __init__(self, separator: str = ",") -> None:
        self._types = CELL_TYPES if separator == "," else (*CELL_TYPES[:2], DECIMAL_COMMA, *CELL_TYPES[2:])
        self._cells: dict[str, CellTypes] = {}
        self._values: dict[str, _ValueTypes] = {}

    def see_cells(self, columns: Mapping[str, Sequence[str]]) -> None:
        """Look at columns of cells, which are all texts."""
        for name, cells in columns.items():
            if name not in self._cells:
                self._cells[name] = CellTypes(self._types)
            self._cells[name].see(pa.array(cells, pa.large_string()))

    def see_values(self, columns: Mapping[str, Sequence[Value]]) -> None:
        """Look at columns of JSON's values."""
        for name, values in columns.items():
            if name not in self._values:
                self._values[name] = _ValueTypes()
            self._values[name].see(values)

    def found(self) -> "dict[str, FoundType]":
        """The type of each column that was seen, in the order in which they came."""
        cells = {name: FoundType(cell=seen.found) for name, seen in self._cells.items()}
        return cells | {name: seen.found() for name, seen in self._values.items()}


class FoundType:
    """The type of a column, and how its cells or values become an array of it.

    Args:
        cell: The type of cells; None for strings.
        kind: The type of JSON's values, None for cells.
        as_text: Whether values of several types are kept as JSON.
    """

    def __init__(self, cell: CellType | None = None, kind: pa.DataType | None = None, as_text: bool = False):
        self._cell, self._values, self._as_text = cell, kind, as_text
        read = pa.large_string() if cell is None else cell.kind
        self.kind: pa.DataType = read if kind is None else kind

    def array(self, values: Sequence[Value]) -> pa.Array:
        """These cells or values as an array of the type."""
        if self._values is None or self._cell is not None:
            return parse_cells(pa.array(values, pa.large_string()), self._cell)
        if self._as_text:
            values = [value if value is None or isinstance(value, str) else _json(value) for value in values]
        return pa.array(values, self._values)


def _json(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)


class _ValueTypes:
    """The type of a column of JSON's values."""

    def __init__(self) -> None:
        self._kind: pa.DataType = pa.null()
        self._mixed = False
        self._dates = CellTypes(DATE_TYPES)

    def see(self, values: Sequence[Value]) -> None:
        if self._mixed:
            return
        try:
            array = pa.array(values)
            self._kind = common_type([self._kind, array.type])
        except _MIXED_FAULTS:
            self._mixed = True
            return
        if pa.types.is_string(array.type):
            self._dates.see(array)

    def found(self) -> FoundType:
        if self._mixed:
            return FoundType(kind=pa.large_string(), as_text=True)
        if pa.types.is_string(self._kind) and (date := self._dates.found) is not None:
            return FoundType(cell=date)
        return FoundType(kind=_whole(self._kind))


def _whole(kind: pa.DataType) -> pa.DataType:
    """A type without a part that no value has shown: what was null everywhere may hold texts."""
    if pa.types.is_null(kind) or pa.types.is_string(kind):
        return pa.large_string()
    return pa.list_(_whole(kind.value_type)) if pa.types.is_list(kind) else kind


def common_type(kinds: Sequence[pa.DataType]) -> pa.DataType:
    """A type that holds the values of all of these; raises `pa.ArrowException` where none does."""
    schemas = [pa.schema([("value", kind)]) for kind in kinds]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type


def joined_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The columns of several files: each with a type that holds what all of them have there, else as strings."""
    kinds: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            if field.name not in kinds or kinds[field.name] == field.type:
                kinds[field.name] = field.type
                continue
            try:
                kinds[field.name] = common_type([kinds[field.name], field.type])
            except pa.ArrowException:
                kinds[field.name] = pa.large_string()
    return pa.schema(list(kinds.items()))


def in_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch with the columns of a schema: null where it has none of that name."""
    if batch.schema.equals(schema):
        return batch
    arrays = []
    for field in schema:
        place = batch.schema.get_field_index(field.name)
        if place < 0:
            arrays.append(pa.nulls(batch.num_rows, field.type))
        elif batch.column(place).type == field.type:
            arrays.append(batch.column(place))
        else:
            arrays.append(_as_type(batch.column(place), field.type))
    return pa.record_batch(arrays, schema=schema)


def _as_type(array: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return array.cast(kind)
    except pa.ArrowException:  # lists have no cast to strings
        texts = [None if value is None else json.dumps(value, default=str) for value in array.to_pylist()]
        return pa.array(texts, kind)


def in_parts(rows: Iterable[tuple[Value, ...]], size: int) -> Iterator[list[tuple[Value, ...]]]:
    """Rows in lists of at most `size`."""
    part: list[tuple[Value, ...]] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
