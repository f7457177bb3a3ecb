"""The vectors of a segment, mapped."""

from typing import Any

import numpy as np
import numpy.typing as npt

from polysema.core.errors import CorruptError
from polysema.core.space.space import Floats, Ints
from polysema.indexes.mapped_pages import release_pages
from polysema.indexes.store.disk import REPAIR
from polysema.indexes.store.sealed_file import SealedFile
from polysema.indexes.store.segment_files import npy_header

ROWS_BETWEEN = 256  # rows that are gathered before their pages are given back


class MappedRows:
    """The vectors of a segment, (n, dim) float32, mapped: what is looked at is checked first, each part once.

    With `streams` the pages of what was looked at before are given back, so that memory stays bounded.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, file: SealedFile, rows: int, dim: int, streams: bool = False):
        head = len(npy_header(rows, dim))
        if file.ref.bytes != head + rows * dim * 4 or file.read(0, head) != npy_header(rows, dim):
            raise CorruptError(f"{file.path} does not hold {rows:,} vectors of {dim:,} numbers; {REPAIR}")
        self.shape = (rows, dim)
        self._file = file
        self._head = head
        self._width = dim * 4
        self._array: Floats = np.frombuffer(file.map(), np.float32, rows * dim, head).reshape(rows, dim)
        self.streams = streams
        self._before: slice | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: "slice | int | np.integer[Any] | Ints") -> Floats:
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
        if not self.streams:
            return self._array[rows]
        before, self._before = self._before, rows if isinstance(rows, slice) else None
        if before is not None:
            release_pages(self._array[before])
        return self._array[rows] if isinstance(rows, (slice, int, np.integer)) else self._gathered(rows)

    def _gathered(self, rows: Ints) -> Floats:
        """A copy of chosen rows, whose pages are given back again and again: the system maps 16 for each."""
        out = np.empty((len(rows), self.shape[1]), np.float32)
        for at in range(0, len(rows), ROWS_BETWEEN):
            out[at : at + ROWS_BETWEEN] = self._array[rows[at : at + ROWS_BETWEEN]]
            release_pages(self._array)
        return out

    def _check(self, start: int, stop: int) -> None:
        if stop > start:
            self._file.check(self._head + start * self._width, self._head + min(stop, len(self)) * self._width)

    def __array__(self, dtype: "npt.DTypeLike | None" = None, copy: bool | None = None) -> Floats:
        self._file.check()
        return self._array if dtype is None or dtype == np.float32 else self._array.astype(dtype)
