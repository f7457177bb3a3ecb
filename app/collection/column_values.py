"""What a column of a collection says of some rows, written in place: a new version, the vectors as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from polysema.core.errors import NotFoundError, UserError
from polysema.core.space.space import Keys, Origin, Space
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.filters import Condition, Filter

Value = str | int | float | bool | None


def write_column(
    collection: VectorCollection, column: str, values: Mapping[str, Value], space: str | None = None
) -> dict[str, int]:
    """Write the values of a column, which may be new, into the rows of some ids; all other columns stay.

    Args:
        collection: The collection.
        column: Its name.
        values: A value for each id; None for nothing.
        space: The space of the rows; None: every space that has such a row, as the layers of the same words have.

    Returns:
        How many rows of each space were written.

    Raises:
        UserError: No name, or no value.
        NotFoundError: An id stands in none of the spaces.
        IncompatibleError: The column holds another type.
    """
    name = column.strip()
    if not name or name == "id":
        raise UserError(f"a column of values needs a name other than id; got {column!r}")
    if not values:
        raise UserError("there is nothing to write: give a value for at least one id")
    names = collection.spaces.names() if space is None else [space]
    parts = {one: _rows_there(collection, list(values), one) for one in names}
    known = {key for rows in parts.values() for key in rows.keys}
    missing = [key for key in values if key not in known]
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        raise NotFoundError(
            f"{', '.join(repr(one[:60]) for one in missing[:3])}{more}: no such id in {', '.join(names)}"
        )
    written = {}
    for one, rows in parts.items():
        if len(rows):
            set_column(collection, rows, name, pa.array([values[key] for key in rows.keys]), one)
            written[one] = len(rows)
    return written


def set_column(collection: VectorCollection, rows: Space, column: str, values: pa.Array, space: str | None) -> int:
    """Write a column of rows that were read, a value for each, beside their other columns; how many rows."""
    columns = {} if rows.columns is None else {one: rows.columns.column(one) for one in rows.columns.column_names}
    columns[column] = values if not pa.types.is_string(values.type) else values.cast(pa.large_string())
    return collection.upsert(rows.keys.array.to_pylist(), rows.vectors, columns, space=space)


def _rows_there(collection: VectorCollection, ids: Sequence[str], space: str) -> Space:
    """The rows of those ids that are in a space."""
    among = Filter(Condition("id", "in", tuple(ids)))
    return collection.space(space, where=among) if collection.view().n_rows(space, among) else _nothing()


def _nothing() -> Space:
    return Space(Keys([]), np.empty((0, 1), np.float32), Origin("no rows"))
