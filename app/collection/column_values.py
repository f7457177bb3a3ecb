"""What a column of a collection says of some rows, written in place: a new version, the vectors as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from polysema.core.errors import NotFoundError, UserError
from polysema.core.space.space import Keys, Origin, Space
from polysema.indexes.engines.protocol import VectorCollection

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
    return {one: _write(collection, name, values, one, rows) for one, rows in parts.items() if len(rows)}


def _rows_there(collection: VectorCollection, ids: Sequence[str], space: str) -> Space:
    """The rows of those ids that are in a space."""
    return collection.space(space, where=_among(ids)) if collection.view().n_rows(space, _among(ids)) else _nothing()


def _nothing() -> Space:
    return Space(Keys([]), np.empty((0, 1), np.float32), Origin("no rows"))


def _among(ids: Sequence[str]) -> str:
    quoted = ", ".join('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in ids)
    return f"id in ({quoted})"


def _write(collection: VectorCollection, column: str, values: Mapping[str, Value], space: str, rows: Space) -> int:
    columns = {} if rows.columns is None else {one: rows.columns.column(one) for one in rows.columns.column_names}
    given = pa.array([values[key] for key in rows.keys])
    columns[column] = given if not pa.types.is_string(given.type) else given.cast(pa.large_string())
    collection.upsert(rows.keys.array.to_pylist(), rows.vectors, columns, space=space)
    return len(rows)
