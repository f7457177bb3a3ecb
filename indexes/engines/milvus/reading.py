"""What a collection on Milvus holds, read as the view of an embedded one is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from polysema.core.errors import NotFoundError, UserError
from polysema.core.space.space import Space
from polysema.indexes.engines.milvus.catalog import Entry
from polysema.indexes.engines.milvus.connection import CONSISTENCY, Connection
from polysema.indexes.engines.milvus.keys import DRAWS
from polysema.indexes.engines.milvus.rows import WHOLE, WITHOUT_VECTOR, MilvusRows, Row
from polysema.indexes.engines.protocol import IndexedPart
from polysema.indexes.filters import Filter
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.manifest import SpaceCard


@dataclass(frozen=True, slots=True)
class MilvusContents:
    """What is in a collection, as `Contents` says; Milvus counts no versions."""

    entry: Entry
    count: Callable[[], int]

    version = 0

    @property
    def collection(self) -> str:
        """The id that no other collection has."""
        return self.entry.collection

    @property
    def what(self) -> str:
        """The last change of its spaces or columns."""
        return self.entry.what

    @property
    def spaces(self) -> Mapping[str, SpaceCard]:
        """The spaces by name."""
        return self.entry.spaces

    @property
    def columns(self) -> pa.Schema:
        """The columns beside ids and vectors."""
        return self.entry.columns

    @property
    def n_rows(self) -> int:
        """Rows of all spaces together, counted when it is looked at."""
        return self.count()


class MilvusView:
    """A collection on Milvus, read: what is known of it is as it was when the view was made, its rows are as they are
    now.
    """

    def __init__(self, connection: Connection, entry: Entry):
        self.connection, self.entry = connection, entry
        self.rows = MilvusRows(connection, entry)
        self.root = str(connection.address)
        self.manifest = MilvusContents(entry, lambda: sum(self.n_rows(name) for name in entry.spaces))

    @property
    def schema(self) -> pa.Schema:
        """What conditions and tables can be made of: `id` and the columns."""
        return self.rows.schema

    def name(self, space: str | None) -> str:
        """The space that is meant: the only one where none is named; raises `UserError`, `NotFoundError`."""
        names = list(self.entry.spaces)
        if space is None:
            if len(names) == 1:
                return names[0]
            if not names:
                raise UserError(f"{self.root} is empty: there is nothing to search; add vectors first")
            raise UserError(f"{self.root} holds several spaces, which are never mixed: name one of {', '.join(names)}")
        if space not in self.entry.spaces:
            raise NotFoundError(f"{self.root} has no space {space!r:.80}; it has {', '.join(names) or 'none yet'}")
        return space

    def card(self, space: str | None) -> SpaceCard:
        """The card of a space."""
        return self.entry.spaces[self.name(space)]

    def n_rows(self, space: str | None = None, where: "str | Filter | None" = None) -> int:
        """Rows that are there in one space, or those that pass."""
        name = self.name(space)
        condition, said = self.rows.condition(where)
        if not said.whole:
            return sum(len(rows) for rows in self.rows.passing_rows(name, condition, WITHOUT_VECTOR))
        found = self.connection.call(
            "query",
            self.rows.place(name),
            filter=said.text,
            output_fields=["count(*)"],
            consistency_level=CONSISTENCY,
        )
        return int(found[0]["count(*)"])

    def parts(self, space: str) -> list[IndexedPart]:
        """The rows of a space by the index that they have: one of all."""
        card = self.entry.indexes.get(space)
        rows = self.n_rows(space)
        return [IndexedPart(rows, int(card["rows"]) if card else rows, card)]

    def batches(self, space: str | None, where: "str | Filter | None" = None) -> Iterator[Batch]:
        """The rows of a space, or those that pass, some thousands at a time, in an order of Milvus' own."""
        name = self.name(space)
        condition, _ = self.rows.condition(where)
        for rows in self.rows.passing_rows(name, condition, WHOLE):
            if rows:
                yield self.rows.batch_of(rows)

    def sample(self, space: str | None, size: int) -> "list[Row]":
        """About so many rows of a space with their vectors (all where there are fewer), drawn by their ids: the same
        ones as long as none come or go, and no others are read.
        """
        name = self.name(space)
        n = self.n_rows(name)
        share = DRAWS if n <= size else int(DRAWS * size / n)
        found = [row for rows in self.rows.raw_rows(name, f"draw < {share}", (*WHOLE, "draw")) for row in rows]
        return sorted(found, key=lambda row: int(row["draw"]))[:size]

    def space(self, space: str | None, where: "str | Filter | None" = None) -> Space:
        """The rows of a space, or those that pass, in memory: keys are the ids, in the order in which they came."""
        name = self.name(space)
        condition, _ = self.rows.condition(where)
        rows = [row for part in self.rows.passing_rows(name, condition, WHOLE) for row in part]
        if not rows and where is not None:
            raise UserError(f"no row of {name} passes")
        return self.rows.space_of(name, sorted(rows, key=lambda row: int(row["place"])))

    def get(self, space: str | None, ids: pa.Array) -> Space:
        """The rows of these ids, in their order; raises `NotFoundError` with those that aren't there."""
        name, wanted = self.name(space), ids.to_pylist()
        found = self.rows.find(name, wanted, WHOLE)
        missing = [one for one in wanted if one not in found]
        if missing:
            more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
            raise NotFoundError(f"{', '.join(repr(one[:60]) for one in missing[:3])}{more}: no such id in {name}")
        return self.rows.space_of(name, [found[one] for one in wanted])
