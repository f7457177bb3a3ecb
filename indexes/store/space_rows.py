"""The rows of one space of a collection, read from its segments as they are wanted."""

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any
from typing import cast as as_type

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from polysema.core.space.space import Floats, Ints, Keys, Space
from polysema.indexes.base import Mask
from polysema.indexes.filters import Filter
from polysema.indexes.store.segment import Segment
from polysema.indexes.store.view import UNKNOWN_ORIGIN, CollectionView, space_label
from polysema.indexes.streamed import RESIDENT_BYTES

MAX_DECODED = 2  # small segments whose vectors are decoded and remembered


class SpaceVectors:
    """The vectors of some segments' live rows, (n, dim) float32, read as an array is.

    With `streams` no more of them is in memory than was looked at last; else a segment's vectors stay.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, segments: Sequence[Segment], dim: int, streams: bool):
        self.streams = streams
        self._segments = segments
        self._live = [None if one.dead is None else np.flatnonzero(one.live) for one in segments]
        self._starts = np.cumsum([0, *(one.n_live for one in segments)])
        self.shape = (int(self._starts[-1]), dim)
        self._decoded = lru_cache(maxsize=MAX_DECODED)(lambda place: segments[place].stored.decode_vectors())

    @property
    def nbytes(self) -> int:
        """What they take in memory."""
        return self.shape[0] * self.shape[1] * 4

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: "npt.DTypeLike | None" = None, copy: bool | None = None) -> Floats:
        whole = self[:]
        return whole if dtype is None or dtype == np.float32 else whole.astype(dtype)

    def __getitem__(self, rows: "slice | int | np.integer[Any] | Ints") -> Floats:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._range(start, max(start, stop))
            rows = np.arange(start, stop, step)
        if isinstance(rows, (int, np.integer)):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows:,} of {len(self):,}")
            found: Floats = self._range(int(rows) % len(self), int(rows) % len(self) + 1)[0]
            return found
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64, copy=False)
        return self._chosen(np.where(rows < 0, rows + len(self), rows).ravel()).reshape(*rows.shape, self.shape[1])

    def _range(self, start: int, stop: int) -> Floats:
        pieces = [
            self._read(place, slice(max(start - first, 0), min(stop, last) - first))
            for place, (first, last) in enumerate(zip(self._starts[:-1], self._starts[1:], strict=True))
            if first < stop and start < last
        ]
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else np.empty((0, self.shape[1]), np.float32)

    def _chosen(self, rows: Ints) -> Floats:
        out = np.empty((len(rows), self.shape[1]), np.float32)
        places = np.searchsorted(self._starts, rows, side="right") - 1
        for place in np.unique(places):
            mine = places == place
            out[mine] = self._read(int(place), rows[mine] - self._starts[place])
        return out

    def _read(self, place: int, rows: "slice | Ints") -> Floats:
        stored, live = self._segments[place].stored, self._live[place]
        vectors = stored.vectors if stored.is_mapped or not self.streams else self._decoded(place)
        if live is not None:
            wanted = live[rows]
            if isinstance(rows, slice) and len(wanted):  # one piece with the dead among them, and these taken out
                answer: Floats = np.asarray(vectors[int(wanted[0]) : int(wanted[-1]) + 1])[wanted - wanted[0]]
                return answer
            rows = wanted
        found: Floats = vectors[rows]
        return found


class SpaceColumns:
    """The columns of a space's live rows, read as an Arrow table is: a column as a whole, or some rows.

    Args:
        rows: The rows.
        names: Which columns; None: all.
    """

    def __init__(self, rows: "SpaceRows", names: Sequence[str] | None = None):
        self._rows = rows
        known = rows.view.manifest.columns
        self.schema = known if names is None else pa.schema([known.field(name) for name in names])
        self.column_names: list[str] = self.schema.names
        self.num_rows, self.num_columns = len(rows.vectors), len(self.schema.names)

    def select(self, names: Sequence[str]) -> "SpaceColumns":
        """Some of the columns, none of them read yet."""
        return SpaceColumns(self._rows, names)

    def slice(self, offset: int, length: int) -> pa.Table:
        """Some rows that stand together."""
        return self.take(np.arange(offset, min(offset + length, self.num_rows)))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column."""
        blocks = [block.column(name) for _, block in self._rows.blocks([name])]
        return pa.chunked_array([chunk for block in blocks for chunk in block.chunks], self.schema.field(name).type)

    def take(self, rows: "pa.Array | Ints") -> pa.Table:
        """Some rows, of these columns."""
        wanted, found, order = np.asarray(rows, np.int64), [], []
        places = np.searchsorted(self._rows.starts, wanted, side="right") - 1
        for place in np.unique(places):
            mine = np.flatnonzero(places == place)
            local = self._rows.local(int(place), wanted[mine])
            stored = self._rows.segments[int(place)].stored
            found.append(stored.table.rows_of(self.column_names, local, self._rows.view.schema))
            order.append(mine)
        if not found:
            return self.schema.empty_table()
        table = pa.concat_tables(found)
        return table.take(pa.array(np.argsort(np.concatenate(order), kind="stable"))).combine_chunks()


class SpaceRows:
    """The live rows of one space of a version, numbered from 0 in the order in which they were added.

    Args:
        view: The version.
        space: Its name; None where there is one.
        resident_bytes: Vectors of more bytes than this are never in memory together.
    """

    def __init__(self, view: CollectionView, space: str | None, resident_bytes: int = RESIDENT_BYTES):
        self.view, self.name = view, view.name(space)
        self.card = view.manifest.spaces[self.name]
        self.segments = [one for one in view.segments[self.name] if one.n_live]
        self.starts = np.cumsum([0, *(one.n_live for one in self.segments)])
        self.resident_bytes = resident_bytes
        streams = int(self.starts[-1]) * self.card.dim * 4 > resident_bytes
        if streams:
            for one in self.segments:
                one.stored.stream()
        self.vectors = SpaceVectors(self.segments, self.card.dim, streams)

    def local(self, place: int, rows: Ints) -> Ints:
        """Rows of the segment at a place, by their numbers in its files."""
        segment, inside = self.segments[place], rows - self.starts[place]
        found: Ints = inside if segment.dead is None else np.flatnonzero(segment.live)[inside]
        return found

    def numbered(self, place: int, rows: Ints) -> Ints:
        """The inverse of `local`; -1 stays -1."""
        segment = self.segments[place]
        if segment.dead is not None:
            rows = np.where(rows < 0, -1, (np.cumsum(segment.live) - 1)[rows])
        numbers: Ints = np.where(rows < 0, -1, rows + self.starts[place])
        return numbers

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """Some columns (`id` is one) of the live rows, some thousands at a time, each time with the first row."""
        first = 0
        for segment in self.segments:
            at = 0
            for block in segment.stored.table.column_blocks(names, self.view.schema):
                live = segment.live[at : at + block.num_rows]
                at += block.num_rows
                if not live.all():
                    block = block.filter(pa.array(live))
                yield first, block
                first += block.num_rows

    @cached_property
    def keys(self) -> Keys:
        """The ids, without a second copy of them."""
        offsets, data = np.zeros(len(self.vectors) + 1, np.int64), bytearray()
        for first, block in self.blocks(["id"]):
            ids = Keys(block.column("id"))
            starts, letters = ids.text
            offsets[first + 1 : first + 1 + len(ids)] = starts[1:] - starts[0] + len(data)
            data += letters[starts[0] : starts[-1]]
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return Keys(pa.Array.from_buffers(pa.large_string(), len(self.vectors), buffers))

    def mask(self, condition: Filter) -> Mask:
        """Which rows pass, (n,); `id`, and where no column is called so `word`, stand for the ids."""
        schema = self.view.schema
        of_id = [name for name in ("id", "word") if name in condition.columns and name not in schema.names[1:]]
        condition.check(pa.schema([*list(schema), pa.field("word", pa.large_string())]) if "word" in of_id else schema)
        names = sorted(condition.columns - set(of_id))
        out = np.empty(len(self.vectors), bool)
        for first, block in self.blocks(names or ["id"]):
            columns = {name: block.column(name) for name in names}
            ids = self.keys.array[first : first + block.num_rows]
            columns |= dict.fromkeys(of_id, pa.chunked_array([ids]))
            out[first : first + block.num_rows] = condition.mask(columns, block.num_rows)
        return out

    def space(self) -> Space:
        """The rows as a space, whose vectors and columns are read when they are looked at."""
        if not len(self.vectors):
            return self.view.space(self.name)
        columns = as_type("pa.Table", SpaceColumns(self)) if self.view.manifest.columns.names else None
        vectors = as_type("Floats", self.vectors)
        label = space_label(self.view, self.name)
        return Space(self.keys, vectors, self.card.origin or UNKNOWN_ORIGIN, columns, label=label)
