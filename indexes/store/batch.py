"""Rows to be written, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import checked
from polysema.indexes.filters import Filter, parse
from polysema.indexes.store.columns import table_of

ID_BYTES = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows to be added: `ids` unique large_string, `vectors` (n, dim) finite float32, `columns` as many rows or
    None.
    """

    ids: pa.Array
    vectors: Floats
    columns: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Ints) -> "Batch":
        """These rows."""
        places = pa.array(rows)
        return Batch(
            self.ids.take(places), self.vectors[rows], None if self.columns is None else self.columns.take(places)
        )


def batch_of(
    ids: "Sequence[str] | pa.Array",
    vectors: "npt.ArrayLike",
    columns: "pa.Table | Mapping[str, Any] | None",
    dim: int | None,
) -> Batch:
    """What a user gave, checked: raises `UserError` or `IncompatibleError` with the one thing that is wrong."""
    matrix = checked(vectors, dim, "vectors")
    if matrix.shape[1] == 0:
        raise IncompatibleError("vectors must have at least 1 dimension; got 0")
    names = ids_of(ids)
    if len(names) != len(matrix):
        raise IncompatibleError(f"{len(names):,} ids for {len(matrix):,} vectors; they must be as many")
    table = None
    if columns is not None:
        table = table_of(columns)
        if table.num_rows != len(matrix) and table.num_columns:
            raise IncompatibleError(f"columns of {table.num_rows:,} rows for {len(matrix):,} vectors")
    return Batch(names, matrix, table if table is not None and table.num_columns else None)


def deleted_rows(ids: "Sequence[str] | pa.Array | None", where: "str | Filter | None") -> "pa.Array | Filter":
    """The rows that are to be deleted, by their ids or by a condition; raises `UserError` where not one is given."""
    if where is not None and ids is None:
        return parse(where) if isinstance(where, str) else where
    if ids is None or where is not None:
        raise UserError("delete takes ids, or a condition (where); give one of them")
    return ids_of(ids)


def ids_of(ids: "Sequence[str] | pa.Array") -> pa.Array:
    """Ids as an Arrow array; raises `UserError` for what is no id, or stands there twice."""
    if isinstance(ids, str):
        raise UserError(f"ids are a list of texts; got one text, {ids[:40]!r}")
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if not isinstance(ids, pa.Array):
        ids = _array_of(list(ids))
    if not (pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type) or pa.types.is_string_view(ids.type)):
        raise UserError(f"ids are texts; got a column of {ids.type}")
    return _checked_ids(ids.cast(pa.large_string()))


def _array_of(given: Sequence[object]) -> pa.Array:
    row = next((row for row, value in enumerate(given) if not isinstance(value, str)), -1)
    if row >= 0:
        wrong = given[row]
        what = "row {0:,} has none" if wrong is None else "got {1!r:.60}, a {2}, in row {0:,}"
        raise UserError(f"ids are texts; {what.format(row + 1, wrong, type(wrong).__name__)}")
    try:
        return pa.array(given, pa.large_string())
    except UnicodeEncodeError as error:
        raise UserError(f"ids are Unicode texts; one holds half a surrogate pair: {error.object[:40]!a}") from None


def _checked_ids(ids: pa.Array) -> pa.Array:
    if ids.null_count:
        raise UserError(f"ids are texts; row {pc.index(ids.is_null(), True).as_py() + 1:,} has none")
    try:
        ids.validate(full=True)
    except pa.ArrowException as error:
        raise UserError(f"ids are texts in UTF-8: {' '.join(str(error).split())[:100]}") from None
    if len(ids):
        lengths = pc.binary_length(ids)
        if pc.min(lengths).as_py() == 0:
            raise UserError(f"an id must not be empty; that of row {pc.index(lengths, 0).as_py() + 1:,} is")
        if pc.max(lengths).as_py() > ID_BYTES:
            raise UserError(f"an id has at most {ID_BYTES:,} bytes; got one of {pc.max(lengths).as_py():,}")
        if pc.count_distinct(ids).as_py() != len(ids):
            counts = pc.value_counts(ids)
            twice = next(entry["values"].as_py() for entry in counts if entry["counts"].as_py() > 1)
            raise UserError(f"an id may stand in a batch once; {twice[:60]!r} stands there more than once")
    return ids
