"""A space on Milvus as the pages and verbs take one: a sample of its rows in memory, and every other row by its id."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from polysema.core.space.hits import Hits
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints, Keys, Space
from polysema.indexes.engines.milvus.reading import MilvusView
from polysema.indexes.engines.milvus.rows import WHOLE, Row, id_of, vectors_of
from polysema.indexes.engines.milvus.searching import search
from polysema.indexes.store.matches import Search
from polysema.indexes.store.view import UNKNOWN_ORIGIN

if TYPE_CHECKING:
    from polysema.indexes.engines.milvus.collection import MilvusCollection

SAMPLE_ROWS = 20_000
SAMPLE_BYTES = 256 << 20  # of its vectors


class SampledRows:
    """Rows of a space that are known here, numbered: those of the sample first, then those that were requested or
    found, as they come.
    """

    def __init__(self, collection: "MilvusCollection", space: str | None, size: int = SAMPLE_ROWS):
        self.collection = collection
        view = collection.view()
        self.name = view.name(space)
        self.card = view.card(self.name)
        self.total = view.n_rows(self.name)
        self.view: MilvusView = view
        self._rows = view.sample(self.name, min(size, max(1, SAMPLE_BYTES // (4 * self.card.dim))))
        self.n = len(self._rows)
        self._numbers = {id_of(row): number for number, row in enumerate(self._rows)}
        self._adding = threading.Lock()

    def known(self) -> "list[Row]":
        """The rows, by number."""
        return self._rows

    def number(self, name: str) -> int:
        """The number of the row of an id, which is fetched where it isn't known; -1 where there is none."""
        return self.numbers([name])[0]

    def numbers(self, names: Sequence[str]) -> list[int]:
        """The number of each id's row, -1 where there is none."""
        missing = [name for name in dict.fromkeys(names) if name and name not in self._numbers]
        if missing:
            found = self.view.rows.find(self.name, missing, WHOLE)
            with self._adding:
                for name, row in found.items():
                    if name not in self._numbers:
                        self._rows.append(row)
                        self._numbers[name] = len(self._rows) - 1
        return [self._numbers.get(name, -1) for name in names]

    def search(self, queries: Floats, k: int, where: str | None, recall: float | None, left_out: Sequence[int]) -> Hits:
        """The k best of all rows of the space, by its index there, those of `left_out` not among them."""
        self.view = self.collection.view()  # its cards are read before each question
        how = Search(k + len(left_out), self.name, where, recall)
        found = search(self.view, queries, how)
        rows = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        self.numbers([name for line in found.ids for name in line])
        for query, line in enumerate(found.ids):
            numbers = self.numbers(line)
            hits = [(row, found.scores[query, place]) for place, row in enumerate(numbers) if row not in left_out][:k]
            for place, (row, score) in enumerate(hits):
                rows[query, place], scores[query, place] = row, score
        width = int((rows >= 0).sum(axis=1).max(initial=0))
        told = "exact" if found.recall == 1 else "by the index on Milvus"
        return Hits(rows[:, :width], scores[:, :width], found.recall, told)

    @property
    def by_cosine(self) -> bool:
        """Whether the engine compares as the verbs do."""
        return self.card.metric is Metric.COSINE

    def space(self) -> Space:
        """The sample as a space; a word that isn't in it is fetched by its id."""
        origin = self.card.origin or UNKNOWN_ORIGIN
        if self.n < self.total:
            origin = replace(origin, notes=(*origin.notes, f"a sample of {self.n:,} of {self.total:,} rows on Milvus"))
        columns = cast("pa.Table", SampledColumns(self)) if len(self.view.entry.columns) else None
        label = str(self.collection.address)
        return Space(SampledKeys(self), cast("Floats", SampledVectors(self)), origin, columns, label=label)


class SampledKeys(Keys):
    """The ids of the sample; those of other rows by their numbers, or as requested."""

    def __init__(self, rows: SampledRows):
        super().__init__(pa.array([id_of(row) for row in rows.known()[: rows.n]], pa.large_string()))
        self._of = rows

    def row(self, word: str) -> int:
        """The number of an id's row, -1 where there is none."""
        return self._of.number(word)

    def rows(self, words: Sequence[str]) -> Ints:
        """The number of each."""
        return np.array(self._of.numbers(words), np.int64)

    def all_rows(self, word: str) -> Ints:
        """The one row of an id."""
        row = self.row(word)
        return np.array([row] if row >= 0 else [], np.int64)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.row(word) >= 0

    def __getitem__(self, row: "int | slice") -> Any:  # noqa: ANN401  as a list's
        if isinstance(row, slice) or row < self._of.n:
            return super().__getitem__(row)
        return id_of(self._of.known()[row])

    def take(self, rows: Ints) -> list[str]:
        """The ids of rows."""
        known = self._of.known()
        return [id_of(known[row]) for row in rows.tolist()]


class SampledVectors:
    """The vectors of the sample, (n, dim) float32; those of other rows by their numbers."""

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, rows: SampledRows):
        self._of = rows
        dim = rows.card.dim
        self._sample = vectors_of(rows.known()) if rows.n else np.empty((0, dim), np.float32)
        self._sample.flags.writeable = False
        self.shape = (rows.n, dim)
        self.nbytes = self._sample.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: "npt.DTypeLike | None" = None, copy: bool | None = None) -> Floats:
        return self._sample if dtype is None or dtype == np.float32 else self._sample.astype(dtype)

    def __getitem__(self, rows: "slice | int | np.integer[Any] | Ints") -> Floats:
        if isinstance(rows, slice):
            return self._sample[rows]
        wanted = np.asarray(rows)
        if wanted.dtype == bool or not wanted.size or wanted.max() < self.shape[0]:
            found: Floats = self._sample[wanted]
            return found
        known = self._of.known()
        return vectors_of([known[row] for row in wanted.ravel().tolist()]).reshape(*wanted.shape, self.shape[1])


class SampledColumns:
    """The columns of the sample, read as an Arrow table is; those of other rows by their numbers."""

    def __init__(self, rows: SampledRows, names: Sequence[str] | None = None):
        self._of = rows
        known = rows.view.entry.columns
        self.schema = known if names is None else pa.schema([known.field(name) for name in names])
        self.column_names: list[str] = self.schema.names
        self.num_rows, self.num_columns = rows.n, len(self.schema.names)

    def select(self, names: Sequence[str]) -> "SampledColumns":
        """Some of the columns."""
        return SampledColumns(self._of, names)

    def slice(self, offset: int, length: int) -> pa.Table:
        """Some rows that stand together."""
        return self.take(np.arange(offset, min(offset + length, self.num_rows)))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column, of every row that is known."""
        return self._table(self._of.known()).column(name)

    def take(self, rows: "pa.Array | Ints") -> pa.Table:
        """Some rows."""
        known = self._of.known()
        return self._table([known[row] for row in np.asarray(rows, np.int64).tolist()])

    def append_column(self, name: str, values: pa.ChunkedArray) -> pa.Table:
        """The sample's columns with another."""
        return self._table(self._of.known()[: self.num_rows]).append_column(name, values)

    def _table(self, rows: "Sequence[Row]") -> pa.Table:
        return self._of.view.rows.table_of(rows).select(self.column_names)
