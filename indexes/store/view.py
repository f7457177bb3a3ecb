"""One version of a collection, opened: what is searched and read while later versions come and go."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import NotFoundError, UserError
from polysema.core.space.space import Floats, Ints, Keys, Origin, Space
from polysema.indexes.base import Mask
from polysema.indexes.engines.protocol import IndexedPart
from polysema.indexes.filters import Filter, parse
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.manifest import Manifest, SpaceCard
from polysema.indexes.store.segment import StoredRows, open_segment
from polysema.indexes.store.segment_search import SmallSegmentCache

if TYPE_CHECKING:
    from polysema.indexes.store.single_search import SingleSearch

MAX_CACHED_FILTERS = 16  # conditions whose rows are remembered
UNKNOWN_ORIGIN = Origin("vectors of your own")


class CollectionView:
    """The segments of one version. Opening it checks that every file is there and as long as it was written."""

    def __init__(self, disk: Disk, root: Path, manifest: Manifest, cache: dict[str, StoredRows]):
        self.root = root
        self.manifest = manifest
        self.limits = disk.limits
        self.segments = {
            name: [open_segment(disk, root, ref, card, cache) for ref in manifest.of(name)]
            for name, card in manifest.spaces.items()
        }
        self.small_segments = SmallSegmentCache(self.segments, manifest.spaces, disk.limits)
        self.single_searches: dict[tuple[int, str | None, float | None], SingleSearch | None] = {}
        self._masks: OrderedDict[tuple[str, str], list[Mask]] = OrderedDict()
        self._making = threading.Lock()

    # what there is

    def name(self, space: str | None) -> str:
        """The space that is meant: the only one where none is named; raises `UserError`, `NotFoundError`."""
        names = list(self.manifest.spaces)
        if space is None:
            if len(names) == 1:
                return names[0]
            if not names:
                raise UserError(f"{self.root} is empty: there is nothing to search; add vectors first")
            raise UserError(f"{self.root} holds several spaces, which are never mixed: name one of {', '.join(names)}")
        if space not in self.manifest.spaces:
            raise NotFoundError(
                f"{self.root} has no space {space!r:.80}; it has {', '.join(names) if names else 'none yet'}"
            )
        return space

    def card(self, space: str | None) -> SpaceCard:
        """The card of a space."""
        return self.manifest.spaces[self.name(space)]

    def n_rows(self, space: str | None = None, where: "str | Filter | None" = None) -> int:
        """Rows that are there in one space, or those that pass."""
        if where is not None:
            return sum(int(mask.sum()) for mask in self.masks(self.name(space), where))
        return sum(segment.n_live for segment in self.segments[self.name(space)])

    def parts(self, space: str) -> list[IndexedPart]:
        """The rows of a space by the index that they have."""
        return [IndexedPart(one.n_live, one.ref.rows, one.ref.card) for one in self.segments[space]]

    @cached_property
    def schema(self) -> pa.Schema:
        """What conditions and tables can be made of: `id` and the columns."""
        return pa.schema([pa.field("id", pa.large_string()), *self.manifest.columns])

    # conditions

    def masks(self, space: str, where: "str | Filter") -> list[Mask]:
        """For each segment of a space which rows are there and pass: (rows,) each. The last conditions are
        remembered.
        """
        condition = parse(where) if isinstance(where, str) else where
        key = (space, str(condition))
        with self._making:
            if key in self._masks:
                self._masks.move_to_end(key)
                return self._masks[key]
        condition.check(self.schema)
        names = sorted(condition.columns)
        masks = []
        for segment in self.segments[space]:
            columns = segment.stored.table.columns(names, self.schema)
            masks.append(condition.mask(columns, segment.ref.rows) & segment.live)
        with self._making:
            self._masks[key] = masks
            while len(self._masks) > MAX_CACHED_FILTERS:
                self._masks.popitem(last=False)
        return masks

    # getting rows back

    def _find(self, space: str, ids: pa.Array) -> tuple[Ints, Ints]:
        """The segment and row of each id, -1 where it isn't there: (n,) each."""
        places = np.full(len(ids), -1, np.int64)
        rows = np.full(len(ids), -1, np.int64)
        for place, segment in enumerate(self.segments[space]):
            found = segment.find(ids)
            there = found >= 0
            places[there], rows[there] = place, found[there]
        return places, rows

    def vectors(self, space: str, places: Ints, rows: Ints) -> Floats:
        """The vectors of rows by segment: (n, dim)."""
        out = np.empty((len(rows), self.manifest.spaces[space].dim), np.float32)
        for place in np.unique(places):
            mine = places == place
            out[mine] = self.segments[space][int(place)].stored.vectors[rows[mine]]
        return out

    def table(self, space: str, places: Ints, rows: Ints, names: Sequence[str] | None = None) -> pa.Table:
        """The id and the columns (all, or those named) of rows by segment."""
        fields = self._fields(names)
        wanted = [field.name for field in fields]
        parts, order = [], []
        for place in np.unique(places):
            mine = np.flatnonzero(places == place)
            columns = self.segments[space][int(place)].stored.table.columns(wanted, self.schema)
            taken = pa.array(rows[mine])
            parts.append(pa.table([columns[name].take(taken) for name in wanted], schema=pa.schema(fields)))
            order.append(mine)
        if not parts:
            return pa.schema(fields).empty_table()
        table = pa.concat_tables(parts)
        return table.take(pa.array(np.argsort(np.concatenate(order), kind="stable"))).combine_chunks()

    def _fields(self, names: Sequence[str] | None) -> list[pa.Field]:
        """The fields of `id` and of these columns (all, where none are named); raises `UserError`."""
        if names is None:
            return list(self.schema)
        unknown = next((name for name in names if self.schema.get_field_index(name) < 0), None)
        if unknown is not None:
            there = ", ".join(self.schema.names)
            raise UserError(f"there is no column {unknown!r:.80}; there are: {there}")
        return [self.schema.field(name) for name in dict.fromkeys(["id", *names])]

    def space(self, space: str | None, where: "str | Filter | None" = None) -> Space:
        """The rows of a space, or those that pass, in memory: keys are the ids, in the order in which they were added.

        A space without rows is one of 0 rows; raises `UserError` where a condition lets no row pass.
        """
        name = self.name(space)
        masks = self.masks(name, where) if where is not None else [part.live for part in self.segments[name]]
        places = np.concatenate([np.full(int(mask.sum()), i) for i, mask in enumerate(masks)] or [np.empty(0, int)])
        rows = np.concatenate([np.flatnonzero(mask) for mask in masks] or [np.empty(0, int)])
        card = self.manifest.spaces[name]
        origin = card.origin or UNKNOWN_ORIGIN
        if not len(rows):
            if where is not None:
                raise UserError(f"no row of {name} passes")
            return Space(Keys([]), np.empty((0, card.dim), np.float32), origin, label=space_label(self, name))
        table = self.table(name, places, rows)
        rest = table.drop_columns(["id"])
        columns = rest if rest.num_columns else None
        vectors = self.vectors(name, places, rows)
        return Space(Keys(table.column("id")), vectors, origin, columns, label=space_label(self, name))

    def batches(self, space: str | None, where: "str | Filter | None" = None) -> Iterator[Batch]:
        """The rows of a space, or those that pass, some thousands at a time."""
        name = self.name(space)
        masks = self.masks(name, where) if where is not None else [part.live for part in self.segments[name]]
        for segment, mask in zip(self.segments[name], masks, strict=True):
            start = 0
            for block in segment.stored.blocks():
                rows = np.flatnonzero(mask[start : start + len(block)])
                start += len(block)
                if len(rows):
                    yield block if len(rows) == len(block) else block.take(rows)

    def get(self, space: str | None, ids: pa.Array) -> Space:
        """The rows of these ids, in their order; raises `NotFoundError` with those that aren't there."""
        name = self.name(space)
        places, rows = self._find(name, ids)
        if (rows < 0).any():
            missing = ids.filter(pa.array(rows < 0)).to_pylist()
            more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
            raise NotFoundError(f"{', '.join(repr(one[:60]) for one in missing[:3])}{more}: no such id in {name}")
        origin = self.manifest.spaces[name].origin or UNKNOWN_ORIGIN
        rest = self.table(name, places, rows).drop_columns(["id"])
        return Space(Keys(ids), self.vectors(name, places, rows), origin, rest if rest.num_columns else None)


def space_label(view: CollectionView, name: str) -> str:
    """What messages call a space of a collection: the collection, and the space where it has several."""
    return view.root.name + (f"/{name}" if len(view.manifest.spaces) > 1 else "")


def index_of(array: pa.Array, values: pa.Array) -> Ints:
    """For each of `array` its place among `values`, -1 where it isn't: (n,)."""
    found: Ints = pc.index_in(array, value_set=values).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return found
