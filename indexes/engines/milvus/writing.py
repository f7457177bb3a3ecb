"""Rows into a space on Milvus, and out of it: checked first, then sent by batches that the server can take."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from polysema.core.errors import BusyError, ConflictError, IncompatibleError, NotFoundError, UserError
from polysema.core.space.metric import Metric
from polysema.core.space.space import Origin
from polysema.indexes.collection_spaces import DEFAULT_SPACE
from polysema.indexes.engines.milvus.catalog import Catalog, Entry
from polysema.indexes.engines.milvus.connection import CONSISTENCY, Connection
from polysema.indexes.engines.milvus.keys import MAX_ID_BYTES, MAX_KEY_BYTES, draw_of, key_of
from polysema.indexes.engines.milvus.reading import MilvusView
from polysema.indexes.engines.milvus.rows import WITHOUT_VECTOR
from polysema.indexes.engines.milvus.searching import METRICS
from polysema.indexes.engines.milvus.values import Json, check_same_writing, encoded_rows
from polysema.indexes.filters import Filter
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.columns import joined
from polysema.indexes.store.manifest import SpaceCard, check_name
from polysema.indexes.store.transaction import check_origin

SENT_BYTES = 4 << 20  # of vectors and columns that go in one call
SENT_ROWS = 5_000
DELETED_ROWS = 1_000
MAX_ROW_BYTES = 65_000  # of a row's columns: Milvus keeps 65,536 bytes of JSON
MIN_DIM, MAX_DIM = 2, 32_768

_clock = threading.Lock()
_last_place = 0


def _places(n: int) -> int:
    """The first of n numbers that rise with time, whichever thread asks."""
    global _last_place
    with _clock:
        first = max(time.time_ns(), _last_place + 1)
        _last_place = first + n - 1
        return first


@dataclass(frozen=True, slots=True)
class Writer:
    """Changes a collection on Milvus."""

    connection: Connection
    catalog: Catalog

    def view(self) -> MilvusView:
        """What is known now."""
        return MilvusView(self.connection, self.catalog.read())

    # spaces

    def create_space(self, name: str, card: SpaceCard) -> None:
        """Make an empty space; the same again is no change."""
        check_name(name, "a space")
        if not MIN_DIM <= card.dim <= MAX_DIM:
            raise UserError(f"a space on Milvus has {MIN_DIM} to {MAX_DIM:,} dimensions; got {card.dim:,}")
        view = self.view()
        there = view.entry.spaces.get(name)
        if there is not None:
            self._check_same(name, there, card)
            return
        place = view.rows.place(name)
        if self.connection.has(place):
            self._drop_leftover(place, name in view.entry.dropped)
        self._make(place, card)

        def added(entry: Entry) -> Entry:
            if name in entry.spaces:
                self._check_same(name, entry.spaces[name], card)
                return entry
            dropped = tuple(one for one in entry.dropped if one != name)
            return replace(entry, spaces={**entry.spaces, name: card}, dropped=dropped, what=f"space {name}")

        self.catalog.change(added)

    def _drop_leftover(self, place: str, dropped: bool) -> None:
        """Remove what a making or a removal left that was killed; rows are removed where they were to be dropped."""
        if not dropped and (found := self._count(place)):
            raise ConflictError(
                f"{self.connection.address}: Milvus' collection {place} has {found:,} rows and no card of polysema; "
                "look at it with Milvus' own tools before you drop it there"
            )
        self.connection.call("drop_collection", place)

    def _count(self, place: str) -> int:
        try:
            self.connection.call("load_collection", place)
            options = {"filter": "", "output_fields": ["count(*)"], "consistency_level": CONSISTENCY}
            return int(self.connection.call("query", place, **options)[0]["count(*)"])
        except BusyError:
            raise
        except UserError:  # its index wasn't made, and nothing is written before
            return 0

    def _check_same(self, name: str, there: SpaceCard, card: SpaceCard) -> None:
        old, new = (None if one.origin is None else replace(one.origin, notes=()) for one in (there, card))
        if (there.dim, there.metric, old) != (card.dim, card.metric, new):
            raise ConflictError(
                f"{self.connection.address} has a space {name} already: {there.dim} dimensions, {there.metric.value},"
                f" [{there.origin.card() if there.origin else 'no origin'}]"
            )

    def _make(self, place: str, card: SpaceCard) -> None:
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=MAX_KEY_BYTES)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=card.dim)
        schema.add_field("row", DataType.JSON)
        schema.add_field("full_id", DataType.VARCHAR, max_length=MAX_ID_BYTES)
        schema.add_field("place", DataType.INT64)
        schema.add_field("draw", DataType.INT64)
        schema.add_field("zero", DataType.BOOL)
        indexes = MilvusClient.prepare_index_params()
        indexes.add_index("vector", index_type="FLAT", metric_type=METRICS[card.metric])
        call = self.connection.call
        call("create_collection", place, schema=schema, index_params=indexes, consistency_level=CONSISTENCY)

    def drop_space(self, name: str) -> None:
        """Take a space and all its rows out."""
        place = self.view().rows.place(name)

        def removed(entry: Entry) -> Entry:
            spaces = {one: card for one, card in entry.spaces.items() if one != name}
            indexes = {one: card for one, card in entry.indexes.items() if one != name}
            dropped = tuple({*entry.dropped, name} if name in entry.spaces else entry.dropped)
            return replace(entry, spaces=spaces, indexes=indexes, dropped=dropped, what=f"drop space {name}")

        self.catalog.change(removed)
        self.connection.call("drop_collection", place)

    # rows

    def put(self, space: str | None, batch: Batch, origin: Origin | None, replaces: bool) -> int:
        """Add rows, or put them in the place of those with their ids; how many were new, or replaced."""
        view = self.view()
        name = space
        if name is None:
            name = view.name(None) if view.entry.spaces else DEFAULT_SPACE
        schema, table = joined(view.entry.columns, batch.columns)
        check_same_writing(view.entry.columns, schema)
        rows, sizes = self._rows(replace(batch, columns=table))
        if name not in view.entry.spaces:
            if not len(batch):
                return 0
            self.create_space(name, SpaceCard(batch.vectors.shape[1], Metric.COSINE, origin))
            view = self.view()
        card = view.entry.spaces[name]
        if batch.vectors.shape[1] != card.dim:
            raise IncompatibleError(f"{name}: expected dimension {card.dim}, got {batch.vectors.shape[1]}")
        check_origin(name, card, origin)
        if not len(batch):
            return 0
        found = view.rows.find(name, batch.ids.to_pylist())
        if found and not replaces:
            more = " and others" if len(found) > 3 else ""
            raise ConflictError(
                f"{', '.join(repr(one[:40]) for one in list(found)[:3])}{more}: there already in {name}; upsert "
                "replaces them"
            )
        if schema != view.entry.columns:
            self._note_columns(schema)
        for part in _parts(rows, sizes):
            self.connection.call("upsert", view.rows.place(name), part)
        return len(found) if replaces else len(batch)

    def _note_columns(self, schema: pa.Schema) -> None:
        def merged(entry: Entry) -> Entry:
            columns, _ = joined(entry.columns, schema.empty_table())
            for field in schema:  # an empty table asks for no wider type
                place = columns.get_field_index(field.name)
                if entry.columns.get_field_index(field.name) < 0 or _is_wider(field, columns.field(place)):
                    columns = columns.set(place, field)
            return replace(entry, columns=columns, what=f"columns {', '.join(columns.names)}")

        self.catalog.change(merged)

    def _rows(self, batch: Batch) -> "tuple[list[dict[str, Json]], list[int]]":
        first = _places(len(batch))
        zero = [not row.any() for row in batch.vectors]
        made, sizes = [], []
        columns = encoded_rows(batch.columns, len(batch))
        for number, (name, row) in enumerate(zip(batch.ids.to_pylist(), columns, strict=True)):
            sizes.append(self._size(name, row) + 4 * batch.vectors.shape[1])
            key = key_of(name)
            made.append(
                {
                    "id": key,
                    "vector": batch.vectors[number],
                    "row": row,
                    "full_id": "" if key == name else name,
                    "place": first + number,
                    "draw": draw_of(name),
                    "zero": zero[number],
                }
            )
        return made, sizes

    def _size(self, name: str, row: "dict[str, Json]") -> int:
        if len(name.encode()) > MAX_ID_BYTES:
            raise UserError(f"Milvus keeps ids of at most {MAX_ID_BYTES:,} bytes; {name[:40]!r}… has more")
        size = len(json.dumps(row, ensure_ascii=False).encode())
        if size > MAX_ROW_BYTES:
            raise UserError(
                f"the columns of {name[:40]!r} take {size:,} bytes; Milvus keeps at most {MAX_ROW_BYTES:,} a row: "
                "leave long texts out, or take an embedded collection"
            )
        return size + len(name.encode()) + 100

    def delete(self, space: str | None, ids: pa.Array) -> int:
        """Delete the rows of these ids, as far as they are there; how many that were."""
        view = self.view()
        name = view.name(space)
        return self._delete(view, name, [str(row["id"]) for row in view.rows.find(name, ids.to_pylist()).values()])

    def delete_where(self, space: str | None, where: "str | Filter") -> int:
        """Delete the rows that pass a condition; how many."""
        view = self.view()
        name = view.name(space)
        condition, _ = view.rows.condition(where)
        gone = [str(row["id"]) for rows in view.rows.passing_rows(name, condition, WITHOUT_VECTOR) for row in rows]
        return self._delete(view, name, gone)

    def _delete(self, view: MilvusView, name: str, keys: "list[str]") -> int:
        for start in range(0, len(keys), DELETED_ROWS):
            self.connection.call("delete", view.rows.place(name), ids=keys[start : start + DELETED_ROWS])
        return len(keys)

    def drop(self) -> None:
        """Remove the collection and all its rows."""
        try:
            view = self.view()
        except NotFoundError:
            return
        for name in list(view.entry.spaces):
            self.drop_space(name)
        self.catalog.drop()


def _is_wider(field: pa.Field, there: pa.Field) -> bool:
    return bool(field.type != there.type)


def _parts(rows: "list[dict[str, Json]]", sizes: list[int]) -> "Iterator[list[dict[str, Json]]]":
    """Rows in parts that fit into one call each, by their sizes in bytes."""
    part: list[dict[str, Json]] = []
    filled = 0
    for row, size in zip(rows, sizes, strict=True):
        if part and (filled + size > SENT_BYTES or len(part) >= SENT_ROWS):
            yield part
            part, filled = [], 0
        part.append(row)
        filled += size
    if part:
        yield part
