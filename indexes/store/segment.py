"""A segment: some rows of a space, written once as Parquet, and read back column by column as they are wanted."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast as as_type

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polysema.core.errors import CorruptError
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index, Mask
from polysema.indexes.exact import ExactIndex
from polysema.indexes.mapped_pages import release_pages
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.columns import OWN
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.manifest import SEGMENTS, SegmentRef, SpaceCard
from polysema.indexes.store.mapped_rows import MappedRows
from polysema.indexes.store.sealed_file import SealedFile
from polysema.indexes.store.segment_columns import SegmentColumns
from polysema.indexes.store.segment_files import read_dead


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
        self._making = threading.RLock()
        self.table = SegmentColumns(self._data, ref.rows)
        self._index: Index | None = None
        self._exact: ExactIndex | None = None
        self._streams = False

    def files(self) -> list[SealedFile]:
        """Every file, the truth first."""
        return [file for file in (self._data, self._npy, self._faiss) if file is not None]

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
        return decoded(self.table.parquet().read(["vector"], use_threads=False).column("vector"), self.card.dim)

    def stream(self) -> None:
        """From now on give back the pages of vectors, and of the index, that were looked at."""
        self._streams = self.table.streams = True
        mapped = self.__dict__.get("vectors")
        if isinstance(mapped, MappedRows):
            mapped.streams = True

    def release(self) -> None:
        """Give back the pages of the index, where it is to `stream`."""
        if self._streams and self._faiss is not None:
            release_pages(np.frombuffer(self._faiss.map(), np.uint8))

    def blocks(self) -> Iterator[Batch]:
        """All rows from the truth, a row group at a time."""
        file = self.table.parquet()
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
        rows = self.stored.table.find(ids)
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
