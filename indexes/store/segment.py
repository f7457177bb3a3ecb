"""A segment: some rows of a space, written once as Parquet, and read back column by column as they are wanted."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast as as_type

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polysema.core.errors import CorruptError
from polysema.core.space.space import Floats, Ints, Keys
from polysema.indexes.base import Index, Mask
from polysema.indexes.exact import ExactIndex
from polysema.indexes.mapped_pages import release_pages
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.column_types import cast
from polysema.indexes.store.columns import OWN
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.manifest import SEGMENTS, SegmentRef, SpaceCard
from polysema.indexes.store.mapped_rows import MappedRows
from polysema.indexes.store.sealed_file import SealedFile, Stream
from polysema.indexes.store.segment_files import read_dead

MAX_KEPT_ROWS = 65_536  # rows of a streamed segment up to which a column that was read stays in memory


class StoredRows:
    """The files of a segment that never change, opened and their lengths checked; their content is read on
    demand.
    """

    def __init__(self, disk: Disk, root: Path, ref: SegmentRef, card: SpaceCard):
        self.ref = ref
        self.card = card
        folder = root / SEGMENTS
        self._data = SealedFile(disk, folder / ref.data.name, ref.data)
        self._npy = SealedFile(disk, folder / ref.vectors.name, ref.vectors) if ref.vectors else None
        self._faiss = SealedFile(disk, folder / ref.index.name, ref.index) if ref.index else None
        self._columns: dict[str, pa.Array] = {}
        self._making = threading.RLock()
        self._index: Index | None = None
        self._exact: ExactIndex | None = None
        self._streams = False

    def files(self) -> list[SealedFile]:
        """Every file, the truth first."""
        return [file for file in (self._data, self._npy, self._faiss) if file is not None]

    def parquet(self) -> pq.ParquetFile:
        """The truth, open."""
        return pq.ParquetFile(pa.PythonFile(Stream(self._data), mode="r"))

    def columns(self, names: Sequence[str], schema: pa.Schema) -> dict[str, pa.Array]:
        """These columns, each read once; nulls for one that came later than the segment. `id` is one of them."""
        with self._making:
            missing = [name for name in names if name not in self._columns]
            if missing:
                file = self.parquet()
                there = set(file.schema_arrow.names)
                table = file.read([name for name in missing if name in there], use_threads=False)
                for name in missing:
                    if name in there:
                        column = table.column(name)
                        self._columns[name] = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
                    else:
                        self._columns[name] = pa.nulls(self.ref.rows, schema.field(name).type)
            for name in names:  # a column that was widened after the segment was written
                if name in schema.names and self._columns[name].type != schema.field(name).type:
                    self._columns[name] = cast(self._columns[name], schema.field(name).type, as_text=True)
            return {name: self._columns[name] for name in names}

    def column_blocks(self, names: Sequence[str], schema: pa.Schema) -> Iterator[pa.Table]:
        """These columns of all rows, a row group at a time, of which none stays in memory; as they are, where they are
        in memory already.
        """
        if all(name in self._columns for name in names):
            yield pa.table(self.columns(names, schema))
            return
        file = self.parquet()
        for group in range(file.num_row_groups):
            yield _columns_of(file, group, names, schema)

    def rows_of(self, names: Sequence[str], rows: Ints, schema: pa.Schema) -> pa.Table:
        """These columns of some rows. Of a segment that is to `stream` only their row groups are read."""
        if not self._streams or self.ref.rows <= MAX_KEPT_ROWS:
            return pa.table(self.columns(names, schema)).take(pa.array(rows))
        file = self.parquet()
        starts = np.cumsum([0, *(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))])
        groups, found, order = np.searchsorted(starts, rows, side="right") - 1, [], []
        for group in np.unique(groups):
            mine = np.flatnonzero(groups == group)
            block = _columns_of(file, int(group), names, schema)
            found.append(block.take(pa.array(rows[mine] - starts[group])))
            order.append(mine)
        if not found:
            return pa.schema([schema.field(name) for name in names]).empty_table()
        return pa.concat_tables(found).take(pa.array(np.argsort(np.concatenate(order), kind="stable")))

    @cached_property
    def keys(self) -> Keys:
        """The ids, by row."""
        return Keys(self.columns(["id"], pa.schema([]))["id"])

    def find(self, ids: pa.Array) -> Ints:
        """The row of each id, -1 where it isn't here: (n,). Without a table of all ids: one pass over them."""
        if len(ids) <= 8:
            return np.array([self.keys.row(name) for name in ids.to_pylist()], np.int64)
        found = np.full(len(ids), -1, np.int64)
        places = pc.index_in(self.keys.array, value_set=ids).fill_null(-1).to_numpy()
        rows = np.flatnonzero(places >= 0)
        found[places[rows]] = rows
        return found

    @cached_property
    def vectors(self) -> Floats:
        """(n, dim): mapped (`MappedRows`, which is read as an array is) where there is a file for it, else decoded."""
        if self._npy is not None:
            return as_type("Floats", MappedRows(self._npy, self.ref.rows, self.card.dim, self._streams))
        return self.decode_vectors()

    @property
    def is_mapped(self) -> bool:
        """Whether there is a file of its vectors to be mapped."""
        return self._npy is not None

    def decode_vectors(self) -> Floats:
        """(n, dim), decoded from the truth."""
        return decoded(self.parquet().read(["vector"], use_threads=False).column("vector"), self.card.dim)

    def stream(self) -> None:
        """From now on give back the pages of vectors, and of the index, that were looked at."""
        self._streams = True
        mapped = self.__dict__.get("vectors")
        if isinstance(mapped, MappedRows):
            mapped.streams = True

    def release(self) -> None:
        """Give back the pages of the index, where it is to `stream`."""
        if self._streams and self._faiss is not None:
            release_pages(np.frombuffer(self._faiss.map(), np.uint8))

    def blocks(self) -> Iterator[Batch]:
        """All rows from the truth, a row group at a time."""
        file = self.parquet()
        for group in range(file.num_row_groups):
            yield self.group(file, group)

    def group(self, file: pq.ParquetFile, group: int) -> Batch:
        """The rows of one row group."""
        table = file.read_row_group(group, use_threads=False)
        rest = table.drop_columns(list(OWN))
        ids = table.column("id").combine_chunks()
        return Batch(ids, decoded(table.column("vector"), self.card.dim), rest if rest.num_columns else None)

    @property
    def has_index(self) -> bool:
        """Whether an index was built for it."""
        return self._faiss is not None

    def index(self) -> Index:
        """Its index, every byte of it checked before FAISS sees the first; the exact search where it has none."""
        with self._making:
            if self._index is None:
                if self._faiss is None or self.ref.card is None:
                    self._index = self.exact()
                else:
                    from polysema.indexes.faiss_index import FaissIndex

                    self._faiss.check()
                    self._index = FaissIndex.read(
                        str(self._faiss.path), self.vectors, self.card.metric, self.ref.card, self._faiss.map()
                    )
            return self._index

    def exact(self) -> ExactIndex:
        """The exact search over its rows."""
        with self._making:
            if self._exact is None:
                self._exact = ExactIndex(np.asarray(self.vectors), self.card.metric)
            return self._exact


def _columns_of(file: pq.ParquetFile, group: int, names: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Columns of one row group by the schema of the collection: nulls for one that came later, others cast."""
    there = set(file.schema_arrow.names)
    table = file.read_row_group(group, [name for name in names if name in there], use_threads=False)
    fields = [schema.field(name) for name in names]
    n_rows = file.metadata.row_group(group).num_rows
    arrays = [
        cast(table.column(one.name).combine_chunks(), one.type, as_text=True)
        if one.name in there
        else pa.nulls(n_rows, one.type)
        for one in fields
    ]
    return pa.table(arrays, schema=pa.schema(fields))


def decoded(column: pa.ChunkedArray, dim: int) -> Floats:
    """A column of vectors as (n, dim) float32."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    flat = parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, np.float32)
    return flat.reshape(-1, dim)


@dataclass(frozen=True, eq=False)
class Segment:
    """The rows of a segment that are there in one version."""

    stored: StoredRows
    ref: SegmentRef
    dead: Mask | None

    @property
    def n_live(self) -> int:
        """Rows that are there."""
        return self.ref.rows - self.ref.n_dead

    @cached_property
    def live(self) -> Mask:
        """Which rows are there: (rows,)."""
        return np.ones(self.ref.rows, bool) if self.dead is None else ~self.dead

    def find(self, ids: pa.Array) -> Ints:
        """The row of each id, -1 where it isn't here or is gone: (n,)."""
        rows = self.stored.find(ids)
        if self.dead is not None:
            rows[(rows >= 0) & self.dead[rows]] = -1
        return rows


def open_segment(disk: Disk, root: Path, ref: SegmentRef, card: SpaceCard, cache: dict[str, StoredRows]) -> Segment:
    """A segment of a version; what it shares with another version is opened once."""
    key = f"{ref.name} {ref.vectors.name if ref.vectors else ''} {ref.index.name if ref.index else ''}"
    stored = cache.get(key)
    if stored is None:
        stored = cache[key] = StoredRows(disk, root, ref, card)
    dead = None
    if ref.dead is not None:
        file = SealedFile(disk, root / SEGMENTS / ref.dead.name, ref.dead)
        dead = read_dead(file, ref.rows)
        if int(dead.sum()) != ref.n_dead:
            raise CorruptError(f"{file.path} marks {int(dead.sum()):,} dead rows instead of {ref.n_dead:,}; {REPAIR}")
    return Segment(stored, ref, dead)
