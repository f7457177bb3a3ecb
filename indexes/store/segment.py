"""A segment: some rows of a space, written once as Parquet, and read back column by column as they are wanted."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from typing import cast as as_type

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polysema.core.errors import CorruptError
from polysema.core.space.space import Floats, Ints, Keys
from polysema.indexes.base import Index, Mask
from polysema.indexes.exact import ExactIndex
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.column_types import cast
from polysema.indexes.store.columns import OWN
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.manifest import SEGMENTS, SegmentRef, SpaceCard
from polysema.indexes.store.sealed_file import SealedFile, Stream
from polysema.indexes.store.segment_files import npy_header, read_dead

# Writing


# Reading


class MappedRows:
    """The vectors of a segment, (n, dim) float32, mapped: what is looked at is checked first, each part once."""

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, file: SealedFile, rows: int, dim: int):
        head = len(npy_header(rows, dim))
        if file.ref.bytes != head + rows * dim * 4 or file.read(0, head) != npy_header(rows, dim):
            raise CorruptError(f"{file.path} does not hold {rows:,} vectors of {dim:,} numbers; {REPAIR}")
        self.shape = (rows, dim)
        self._file = file
        self._head = head
        self._width = dim * 4
        self._array: Floats = np.frombuffer(file.map(), np.float32, rows * dim, head).reshape(rows, dim)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            low, high = (start, stop) if step > 0 else (stop + 1, start + 1)
            self._check(max(low, 0), high)
        elif isinstance(rows, (int, np.integer)):
            self._check(int(rows) % len(self), int(rows) % len(self) + 1)
        elif not self._file.all_good:
            rows = np.asarray(rows)
            if rows.dtype == bool:
                rows = np.flatnonzero(rows)
            starts = self._head + rows.ravel() * self._width
            self._file.check_parts(np.concatenate([starts, starts + self._width - 1]) // self._file.part_bytes)
        return self._array[rows]

    def _check(self, start: int, stop: int) -> None:
        if stop > start:
            self._file.check(self._head + start * self._width, self._head + min(stop, len(self)) * self._width)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        self._file.check()
        return self._array if dtype is None or dtype == np.float32 else self._array.astype(dtype)


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
            return as_type("Floats", MappedRows(self._npy, self.ref.rows, self.card.dim))
        return decoded(self.parquet().read(["vector"], use_threads=False).column("vector"), self.card.dim)

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
                        str(self._faiss.path), self.vectors, self.card.metric, self.ref.card, mapped=True
                    )
            return self._index

    def exact(self) -> ExactIndex:
        """The exact search over its rows."""
        with self._making:
            if self._exact is None:
                self._exact = ExactIndex(np.asarray(self.vectors), self.card.metric)
            return self._exact


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
