"""The rows of a space on Milvus: which of them pass, their columns and vectors, and those of some ids."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from polysema.core.space.space import Floats, Keys, Space
from polysema.indexes.engines.milvus.catalog import Entry
from polysema.indexes.engines.milvus.connection import CONSISTENCY, Connection
from polysema.indexes.engines.milvus.expression import Translation, translated
from polysema.indexes.engines.milvus.keys import collection_name, key_of, one_of, space_name
from polysema.indexes.engines.milvus.values import decoded_rows
from polysema.indexes.filters import Filter, parse
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.view import UNKNOWN_ORIGIN

Row: TypeAlias = "Mapping[str, Any]"  # a row as Milvus gives it
WITHOUT_VECTOR = ("id", "full_id", "row", "place")
WHOLE = (*WITHOUT_VECTOR, "vector")
EVERY_ROW = "place >= 0"
READ_BYTES = 8 << 20  # of one answer of Milvus
ROW_BYTES = 1_000  # of a row without its vector, about
MAX_READ_ROWS = 4_000


class MilvusRows:
    """The rows of a collection's spaces, as they are now."""

    def __init__(self, connection: Connection, entry: Entry):
        self.connection, self.entry = connection, entry

    @cached_property
    def schema(self) -> pa.Schema:
        """What conditions and tables can be made of: `id` and the columns."""
        return pa.schema([pa.field("id", pa.large_string()), *self.entry.columns])

    def place(self, space: str) -> str:
        """What a space is called in Milvus."""
        return space_name(collection_name(self.connection.address.name), space)

    # conditions

    def condition(self, where: "str | Filter | None") -> tuple[Filter | None, Translation]:
        """A condition, checked, and as much of it as Milvus can be told."""
        if where is None:
            return None, Translation("", True)
        condition = parse(where) if isinstance(where, str) else where
        condition.check(self.schema)
        return condition, translated(condition, self.entry.columns)

    def passing(self, rows: Sequence[Row], condition: Filter | None) -> "list[Row]":
        """Those of some rows that pass."""
        if condition is None or not rows:
            return list(rows)
        mask = condition.mask(dict(zip(self.schema.names, self.table_of(rows).columns, strict=True)), len(rows))
        return [row for row, passes in zip(rows, mask, strict=True) if passes]

    def table_of(self, rows: Sequence[Row]) -> pa.Table:
        """The ids and columns of rows, in the types that they have in the collection."""
        columns = decoded_rows([json_of(row) for row in rows], self.entry.columns)
        ids = pa.array([id_of(row) for row in rows], pa.large_string())
        return pa.table([ids, *columns.columns], schema=self.schema)

    # getting rows back

    def passing_rows(self, space: str, condition: Filter | None, fields: Sequence[str]) -> "Iterator[list[Row]]":
        """The rows of a space that pass, some thousands at a time, in an order of Milvus' own."""
        said = translated(condition, self.entry.columns)
        yield from (self.passing(found, condition) for found in self.raw_rows(space, said.text or EVERY_ROW, fields))

    def raw_rows(self, space: str, text: str, fields: Sequence[str]) -> "Iterator[list[Row]]":
        """The rows that pass a condition of Milvus, some thousands at a time."""
        width = 4 * self.entry.spaces[space].dim if "vector" in fields else 0
        size = max(16, min(MAX_READ_ROWS, READ_BYTES // (ROW_BYTES + width)))
        options: dict[str, Any] = {"filter": text, "output_fields": list(fields), "consistency_level": CONSISTENCY}
        pages = self.connection.call("query_iterator", self.place(space), batch_size=size, **options)
        try:
            while found := self.connection.attempt("query", pages.next):
                yield list(found)
        finally:
            pages.close()

    def find(self, space: str, ids: Sequence[str], fields: Sequence[str] = ("id", "full_id")) -> "dict[str, Row]":
        """The rows of some ids, as far as they are there; the true ids are compared."""
        wanted = {key_of(name): name for name in ids}
        keys = list(wanted)
        width = 4 * self.entry.spaces[space].dim if "vector" in fields else 0
        size = max(16, min(1_000, READ_BYTES // (ROW_BYTES + width)))
        found: dict[str, Row] = {}
        for start in range(0, len(keys), size):
            part = keys[start : start + size]
            rows = self.connection.call(
                "query",
                self.place(space),
                filter=one_of(part),
                output_fields=list(fields),
                limit=len(part),
                consistency_level=CONSISTENCY,
            )
            found |= {id_of(row): row for row in rows if id_of(row) == wanted.get(row["id"])}
        return found

    def batch_of(self, rows: Sequence[Row]) -> Batch:
        """Rows with their vectors."""
        table = self.table_of(rows)
        columns = table.drop_columns(["id"])
        return Batch(table.column("id").combine_chunks(), vectors_of(rows), columns if columns.num_columns else None)

    def space_of(self, name: str, rows: Sequence[Row]) -> Space:
        """Rows as a space, in their order."""
        card = self.entry.spaces[name]
        origin = card.origin or UNKNOWN_ORIGIN
        if not rows:
            return Space(Keys([]), np.empty((0, card.dim), np.float32), origin)
        batch = self.batch_of(rows)
        return Space(Keys(batch.ids), batch.vectors, origin, batch.columns)


def id_of(row: Row) -> str:
    """The true id of a row."""
    return str(row.get("full_id") or row["id"])


def json_of(row: Row) -> "Mapping[str, Any]":
    """The columns of a row, as JSON."""
    value = row.get("row") or {}
    return json.loads(value) if isinstance(value, (str, bytes)) else value


def vectors_of(rows: Sequence[Row]) -> Floats:
    """The vectors of rows: (n, dim)."""
    return np.array([row["vector"] for row in rows], np.float32)
