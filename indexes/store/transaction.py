"""What a commit changes, gathered before anything is written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from polysema.core.errors import ConflictError, IncompatibleError, NotFoundError, UserError
from polysema.core.space.space import Ints, Origin
from polysema.indexes.base import Mask
from polysema.indexes.filters import Filter, parse
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.columns import cast_column, fitting, joined, widened_field
from polysema.indexes.store.compaction import compacting
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.manifest import SEGMENTS, Manifest, SegmentRef, SpaceCard, check_name
from polysema.indexes.store.new_file import discard
from polysema.indexes.store.segment import Segment
from polysema.indexes.store.segment_files import SegmentLayout, write_dead, write_segment
from polysema.indexes.store.view import CollectionView, index_of

MAX_SMALL_SEGMENTS = 32  # small segments of a space that are merged with the next rows that come


@dataclass(slots=True, eq=False)
class _Pending:
    """Rows of this commit: `live` says which weren't replaced or deleted by a later change of it."""

    batch: Batch
    live: Mask


@dataclass(slots=True, eq=False)
class Draft:
    """A version in the making: changes are applied one after the other, each wholly or (with an error) not at all."""

    disk: Disk
    root: Path
    view: CollectionView
    spaces: dict[str, SpaceCard] = field(init=False)
    columns: pa.Schema = field(init=False)
    what: list[str] = field(default_factory=list)
    dead: dict[str, Mask] = field(default_factory=dict)
    pending: dict[str, list[_Pending]] = field(default_factory=dict)
    segments: tuple[SegmentRef, ...] = field(init=False)
    changed: bool = False

    def __post_init__(self) -> None:
        self.spaces = dict(self.view.manifest.spaces)
        self.columns = self.view.manifest.columns
        self.segments = self.view.manifest.segments

    # changes

    def create_space(self, name: str, card: SpaceCard) -> None:
        """Add a space; the same one again is no change. Raises `ConflictError` when another has the name."""
        check_name(name, "a space")
        there = self.spaces.get(name)
        if there is not None:
            if (there.dim, there.metric, _unnoted(there)) != (card.dim, card.metric, _unnoted(card)):
                raise ConflictError(
                    f"{self.root} has a space {name} already: {there.dim} dimensions, {there.metric.value},"
                    f" [{there.origin.card() if there.origin else 'no origin'}]"
                )
            return
        if not 1 <= card.dim <= 65_536:
            raise UserError(f"a space has 1 to 65,536 dimensions; got {card.dim:,}")
        self.spaces[name] = card
        self._note(f"space {name}")

    def put(self, name: str, batch: Batch, replaces: bool, origin: Origin | None) -> int:
        """Add rows, or put them in the place of those with the same ids; returns how many were replaced."""
        card = self.spaces[name]
        if batch.vectors.shape[1] != card.dim:
            raise IncompatibleError(f"{name}: expected dimension {card.dim}, got {batch.vectors.shape[1]}")
        check_origin(name, card, origin)
        columns, table = joined(self.columns, batch.columns)
        batch = replace(batch, columns=table)
        if not len(batch):
            return 0
        found = list(self._where(name, batch.ids))
        if not replaces:
            taken = [batch.ids[row].as_py() for _, _, places in found for row in np.flatnonzero(places >= 0)[:4]]
            if taken:
                more = " and others" if len(taken) > 3 else ""
                raise ConflictError(
                    f"{', '.join(repr(one[:40]) for one in taken[:3])}{more}: there already in {name}; upsert "
                    "replaces them"
                )
        gone = sum(self._bury(key, n, rows[rows >= 0]) for key, n, rows in found)
        self.columns = columns
        self.pending.setdefault(name, []).append(_Pending(batch, np.ones(len(batch), bool)))
        self._note(f"{'upsert' if replaces else 'add'} {len(batch):,} rows to {name}")
        return gone

    def delete(self, name: str, ids: pa.Array) -> int:
        """Delete the rows of these ids, as far as they are there; returns how many that were."""
        gone = sum(self._bury(key, n, rows[rows >= 0]) for key, n, rows in list(self._where(name, ids)))
        if gone:
            self._note(f"delete {gone:,} rows of {name}")
        return gone

    def delete_where(self, name: str, where: "str | Filter") -> int:
        """Delete the rows that pass a condition; returns how many."""
        condition = parse(where) if isinstance(where, str) else where
        schema = pa.schema([pa.field("id", pa.large_string()), *self.columns])
        condition.check(schema)
        names = sorted(condition.columns)
        gone = 0
        for segment in self.view.segments.get(name, []):
            passing = condition.mask(segment.stored.table.columns(names, schema), segment.ref.rows)
            gone += self._bury(segment.ref.name, segment.ref.rows, np.flatnonzero(passing & ~self._buried(segment)))
        for pending in self.pending.get(name, []):
            arrays = fitting(pending.batch.columns, len(pending.batch), self.columns)
            columns = dict(zip(self.columns.names, arrays, strict=True)) | {"id": pending.batch.ids}
            passing = condition.mask({one: columns[one] for one in names}, len(pending.batch)) & pending.live
            pending.live[passing] = False
            gone += int(passing.sum())
        if gone:
            self._note(f"delete {gone:,} rows of {name} where {str(condition)[:200]}")
        return gone

    def widen(self, column: str, kind: pa.DataType) -> None:
        """Give a column a type that holds all of its values; one of texts takes any value from then on."""
        place = self.columns.get_field_index(column)
        if place < 0:
            there = ", ".join(self.columns.names) or "none yet"
            raise NotFoundError(f"{self.root} has no column {column!r:.80}; it has {there}")
        old, new = self.columns.field(place), widened_field(column, kind)
        if old.equals(new, check_metadata=True):
            return
        for segment in self._all():
            array = segment.stored.table.columns([column], pa.schema([old]))[column]
            cast_column(pa.chunked_array([array]), kind, True, column)
        for pending in (one for batches in self.pending.values() for one in batches):
            fitting(pending.batch.columns, len(pending.batch), pa.schema([new]))
        self.columns = self.columns.set(place, new)
        self._note(f"widen {column} from {old.type} to {kind}")

    def drop_space(self, name: str) -> None:
        """Take a space and all its rows out."""
        del self.spaces[name]
        self.pending.pop(name, None)
        self.segments = tuple(segment for segment in self.segments if segment.space != name)
        self._note(f"drop space {name}")

    def _note(self, what: str) -> None:
        self.what.append(what)
        self.changed = True

    def _buried(self, segment: Segment) -> Mask:
        """Which rows of a segment are gone, this commit's changes with them."""
        there = self.dead.get(segment.ref.name)
        if there is not None:
            return there
        return segment.dead if segment.dead is not None else np.zeros(segment.ref.rows, bool)

    def _where(self, name: str, ids: pa.Array) -> Iterator[tuple[str, int, Ints]]:
        """For each segment or pending batch that holds some of the ids: its name, its length, the row of each id or
        -1.
        """
        for segment in self.view.segments.get(name, []):
            rows = segment.stored.table.find(ids)
            rows[(rows >= 0) & self._buried(segment)[rows]] = -1
            if (rows >= 0).any():
                yield segment.ref.name, segment.ref.rows, rows
        for place, pending in enumerate(self.pending.get(name, [])):
            rows = index_of(ids, pending.batch.ids)
            rows[(rows >= 0) & ~pending.live[rows]] = -1
            if (rows >= 0).any():
                yield f"{name} {place}", len(pending.batch), rows

    def _bury(self, key: str, n: int, rows: Ints) -> int:
        if not len(rows):
            return 0
        space, space_there, place = key.partition(" ")
        if space_there:
            self.pending[space][int(place)].live[rows] = False
        else:
            if key not in self.dead:
                old = next(s for s in self._all() if s.ref.name == key).dead
                self.dead[key] = np.zeros(n, bool) if old is None else old.copy()
            self.dead[key][rows] = True
        return len(rows)

    def _all(self) -> Iterator[Segment]:
        for segments in self.view.segments.values():
            yield from segments

    # writing

    def manifest(self) -> Manifest:
        """Write the files of the new version and return its manifest, which isn't published yet."""
        kept: list[SegmentRef] = []
        try:
            self._write(kept)
        except BaseException:
            old = {file.name for segment in self.segments for file in segment.files()}
            for file in (file for segment in kept for file in segment.files() if file.name not in old):
                discard(self.disk, self.root / SEGMENTS / file.name)
            raise
        what = "; ".join(self.what[:8]) + ("; …" if len(self.what) > 8 else "")
        following = self.view.manifest.next(what)
        return replace(following, spaces=self.spaces, columns=self.columns, segments=tuple(kept))

    def _write(self, kept: list[SegmentRef]) -> None:
        """Write what is new, and put the segments of the new version into `kept`."""
        segments = {segment.ref.name: segment for segment in self._all()}
        merged = self._merged(segments)
        for ref in self.segments:
            dead = self.dead.get(ref.name)
            n_dead = ref.n_dead if dead is None else int(dead.sum())
            if ref.name in merged or n_dead == ref.rows:
                continue
            if dead is not None:
                ref = replace(ref, dead=write_dead(self.disk, self.root, ref.name, dead), n_dead=n_dead)
            kept.append(ref)
        for name, pending in self.pending.items():
            old = [
                _live(segment, self._buried(segment)) for key, segment in segments.items() if merged.get(key) == name
            ]
            new = [one.batch if one.live.all() else one.batch.take(np.flatnonzero(one.live)) for one in pending]
            batches = [batch for batch in (*old, *new) if len(batch)]
            rows = sum(map(len, batches))
            if rows:
                layout = SegmentLayout(name, self.spaces[name], rows, self.columns)
                kept.append(write_segment(self.disk, self.root, layout, batches))

    def _merged(self, segments: dict[str, Segment]) -> dict[str, str]:
        """Small segments that are written anew with the rows that come, so that they don't become too many: their
        spaces.
        """
        merged: dict[str, str] = {}
        for name in self.pending:
            small = [
                ref.name
                for ref in self.segments
                if ref.space == name and ref.rows < self.disk.limits.small_segment_rows and ref.index is None
            ]
            if len(small) >= MAX_SMALL_SEGMENTS and not compacting(self.disk, self.root):
                merged |= dict.fromkeys(small, name)
        return merged


def _unnoted(card: SpaceCard) -> Origin | None:
    """Where a space comes from, without what was noted of one file of it."""
    return None if card.origin is None else replace(card.origin, notes=())


def _live(segment: Segment, dead: Mask) -> Batch:
    """The rows of a small segment that are there."""
    parts = list(segment.stored.blocks())
    ids = pa.concat_arrays([part.ids for part in parts])
    tables = [part.columns for part in parts if part.columns is not None]
    batch = Batch(ids, np.concatenate([part.vectors for part in parts]), pa.concat_tables(tables) if tables else None)
    return batch.take(np.flatnonzero(~dead)) if dead.any() else batch


def check_origin(name: str, card: SpaceCard, origin: Origin | None) -> None:
    """Raise `IncompatibleError` unless vectors of `origin` belong into the space."""
    if card.origin is None and origin is None:
        return
    if card.origin is None or origin is None:
        there, given = (one.card() if one else "no origin" for one in (card.origin, origin))
        raise IncompatibleError(
            f"the space {name} holds [{there}]; got [{given}]: say origin=… where they belong together, or name "
            "another space"
        )
    card.origin.require_same(origin)


def referenced(manifests: Iterable[Manifest]) -> set[str]:
    """The names of the files that some versions refer to."""
    return {file.name for manifest in manifests for segment in manifest.segments for file in segment.files()}
