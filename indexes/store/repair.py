"""Making a damaged collection whole again, as far as it can be, and saying what it cost."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import CorruptError, NotFoundError
from polysema.core.progress import Progress, no_progress
from polysema.indexes.base import Mask
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.compaction import indexed
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.layout import mark, open_format, translate_os_errors
from polysema.indexes.store.manifest import Manifest, SegmentRef, SpaceCard
from polysema.indexes.store.naming import move, read_sealed
from polysema.indexes.store.new_file import FileRef, locked, write_file
from polysema.indexes.store.repair_marks import MarkRepair
from polysema.indexes.store.salvaged_ids import read_ids
from polysema.indexes.store.sealed_file import SealedFile
from polysema.indexes.store.segment import StoredRows
from polysema.indexes.store.segment_files import SegmentLayout, read_dead, write_dead, write_segment, write_vectors
from polysema.indexes.store.snapshot_marks import mark_all, marks_of
from polysema.indexes.store.transaction import referenced
from polysema.indexes.store.verify import read_whole

ASIDE_FOLDER = "aside"


@dataclass(slots=True)
class RepairReport:
    """What a repair did (`done`) and could not save (`lost`), a line each; `lost_ids` are rows by space and id, as far
    as they could be read."""

    done: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lost_ids: list[tuple[str, str]] = field(default_factory=list)


def repair(
    root: "Path | str", wait: float = 30.0, progress: Progress = no_progress, disk: Disk | None = None
) -> RepairReport:
    """Make a damaged collection whole again, and say what it cost.

    Derived files (mapped vectors, indexes) are made anew from the Parquet files without loss. A damaged Parquet file
    is set aside in `aside/`, its sound row groups are kept, the ids of the others are listed. A damaged manifest is
    set aside: the newest sound one is current again. Nothing that is damaged is deleted.
    """
    root, disk = Path(root), disk or Disk()
    with translate_os_errors(root, "repair"):
        layout.versions(disk, root)  # raises where nothing of a collection is
        for name in (layout.LOCK, layout.COMPACTING):
            if (root / layout.MANIFESTS).is_dir() and not (root / name).exists():
                write_file(disk, root / name, b"")
        with (
            locked(root / layout.COMPACTING, wait, "compacted"),
            locked(root / layout.LOCK, wait, "changed"),
        ):
            return _Repair(disk, root, progress).run()


class _Repair:
    def __init__(self, disk: Disk, root: Path, progress: Progress):
        self.disk = disk
        self.root = root
        self.progress = progress
        self.mended = RepairReport()
        self._checked: dict[str, bool] = {}

    def run(self) -> RepairReport:
        marks = MarkRepair(
            self.disk, self.root, self.mended.done.append, self.mended.lost.append, lambda path: self._aside(path)
        )
        marks.empty_files()
        manifests, newest_lost = self._manifests()
        if not manifests:
            raise CorruptError(f"{self.root} has no sound manifest left: its rows can't be told from leftovers")
        newest = manifests[max(manifests)]
        self._mark(newest)
        gone = marks.versions(manifests)
        newest_lost += [number for number in gone if number > newest.version]
        marks.snapshots(manifests, newest.marked)
        mark_all(self.disk, self.root)
        if newest_lost:
            self._leftovers(manifests.values())
        kept = []
        for ref in newest.segments:
            mended = self._segment(ref, newest, manifests)
            if mended is not None:
                kept.append(mended)
        snapshots = self._snapshots()
        for manifest in (*manifests.values(), *snapshots.values()):
            for ref in manifest.segments:
                for file in ref.files():
                    self._good(file)
        bad = {name for name, good in self._checked.items() if not good}
        gone += [number for number, one in manifests.items() if referenced([one]) & bad]
        if tuple(kept) != newest.segments or newest_lost or set(gone) - set(newest.lost):
            number = max([newest.version, *newest_lost])
            lost = tuple(sorted({*newest.lost, *gone, *newest_lost}))
            following = replace(newest.next("repair"), segments=tuple(kept), lost=lost, version=number + 1)
            layout.publish(self.disk, self.root, following)
            self.mended.done.append(f"version {number + 1} is current")
        self._forget(manifests, snapshots, bad)
        for name in sorted(bad):
            self._aside(self.root / layout.SEGMENTS / name)
        marks.finish()
        return self.mended

    def _manifests(self) -> tuple[dict[int, Manifest], list[int]]:
        """The sound ones by number, and the numbers of damaged ones that are newer than all of them."""
        sound, damaged = {}, []
        for number in layout.versions(self.disk, self.root):
            try:
                sound[number] = layout.read_manifest(self.disk, self.root, number)
            except CorruptError:
                damaged.append(number)
        newest = max(sound, default=-1)
        for number in damaged:
            self._aside(layout.numbered(self.root, number))
            what = "what it acknowledged last is lost" if number > newest else "it can't be gone back to"
            self.mended.lost.append(f"version {number}: its manifest is damaged, {what}")
        folder = self.root / layout.SNAPSHOTS
        for path in (folder / name for name in self.disk.names(folder) if name.endswith(".json")):
            try:
                Manifest.unsealed(read_sealed(self.disk, path), path)
            except CorruptError:
                self._aside(path)
                if path.stem not in {mark.name for mark in marks_of(self.disk, self.root)}:
                    self.mended.lost.append(f"the snapshot {path.stem}: its manifest is damaged")
        return sound, [number for number in damaged if number > newest]

    def _mark(self, newest: Manifest) -> None:
        try:
            if open_format(self.disk, self.root) == newest.collection:
                return
        except (CorruptError, NotFoundError):
            pass
        self._aside(self.root / layout.FORMAT_FILE)
        mark(self.disk, self.root, newest.collection)
        self.mended.done.append(f"{layout.FORMAT_FILE} was written anew")

    def _leftovers(self, manifests: Iterable[Manifest]) -> None:
        """Files that only a lost version may have needed are set aside, not collected."""
        used = referenced(manifests)
        for name in self.disk.names(self.root / layout.SEGMENTS):
            if name not in used:
                self._aside(self.root / layout.SEGMENTS / name)
                self.mended.done.append(f"{name}, which no sound version refers to, was set aside")

    def _good(self, ref: FileRef | None) -> bool:
        if ref is None:
            return True
        if ref.name not in self._checked:
            problem = read_whole(self.disk, self.root / layout.SEGMENTS / ref.name, ref)
            self._checked[ref.name] = problem is None
        return self._checked[ref.name]

    def _segment(self, ref: SegmentRef, newest: Manifest, manifests: dict[int, Manifest]) -> SegmentRef | None:
        card = newest.spaces[ref.space]
        if not self._good(ref.dead):
            ref = self._dead(ref, newest, manifests)
        if not self._good(ref.data):
            return self._salvaged(ref, card, newest)
        if not self._good(ref.vectors):
            blocks = (block.vectors for block in self._stored(replace(ref, vectors=None, index=None), card).blocks())
            name = f"{ref.name}-{newest.version}"
            ref = replace(ref, vectors=write_vectors(self.disk, self.root, name, ref.rows, card.dim, blocks))
            self.mended.done.append(f"the mapped vectors of {ref.data.name} were made anew from it")
        if not self._good(ref.index) and ref.card is not None:
            from polysema.indexes.index_spec import IndexSpec

            ref = indexed(self.disk, self.root, ref, card, IndexSpec.from_json(ref.card["recipe"]), self.progress)
            self.mended.done.append(f"the index of {ref.data.name} was built anew")
        return ref

    def _stored(self, ref: SegmentRef, card: SpaceCard) -> StoredRows:
        return StoredRows(self.disk, self.root, ref, card)

    def _dead(self, ref: SegmentRef, newest: Manifest, manifests: dict[int, Manifest]) -> SegmentRef:
        """What is still known of a segment's dead rows: those of the last sound list, and those that were replaced."""
        dead = np.zeros(ref.rows, bool)
        for number in sorted(manifests, reverse=True):
            older = next((one for one in manifests[number].segments if one.data == ref.data), None)
            if older is not None and older.dead != ref.dead and self._good(older.dead):
                dead = self._read_dead(older)
                break
        if self._good(ref.data):
            ids = self._stored(replace(ref, vectors=None, index=None), newest.spaces[ref.space]).table.keys.array
            later = newest.of(ref.space)[newest.of(ref.space).index(ref) + 1 :]
            for other in (other for other in later if self._good(other.data) and self._good(other.dead)):
                stored = self._stored(replace(other, vectors=None, index=None), newest.spaces[ref.space])
                names = stored.table.keys.array.filter(pa.array(~self._read_dead(other)))
                dead |= pc.is_in(ids, value_set=names).to_numpy(zero_copy_only=False)
        known = int(dead.sum())
        if known < ref.n_dead:
            self.mended.lost.append(
                f"{ref.n_dead - known:,} of {ref.n_dead:,} deletions in {ref.data.name} (space {ref.space}): "
                "those rows are"
                " back, delete them again"
            )
        self.mended.done.append(f"the list of deleted rows of {ref.data.name} was made anew: {known:,} rows")
        if not known:
            return replace(ref, dead=None, n_dead=0)
        return replace(ref, dead=write_dead(self.disk, self.root, ref.name, dead), n_dead=known)

    def _read_dead(self, ref: SegmentRef) -> Mask:
        if ref.dead is None:
            return np.zeros(ref.rows, bool)
        return read_dead(SealedFile(self.disk, self.root / layout.SEGMENTS / ref.dead.name, ref.dead), ref.rows)

    def _salvaged(self, ref: SegmentRef, card: SpaceCard, newest: Manifest) -> SegmentRef | None:
        """The sound row groups of a damaged Parquet file as a new segment; the ids of the others are listed."""
        dead = self._read_dead(ref)
        batches, lost, unread = [], [], ref.rows - ref.n_dead
        for rows, batch, ids in self._groups(ref, card):
            live = np.flatnonzero(~dead[rows])
            if batch is not None:
                batches.append(batch.take(live))
                unread -= len(live)
            elif ids is not None:
                lost += ids.take(pa.array(live)).to_pylist()
                unread -= len(live)
        if unread and not batches and not lost:
            known = read_ids(self.root / layout.SEGMENTS / ref.data.name, ref.rows)
            lost = [one for one, gone in zip(known, dead[: len(known)], strict=True) if one is not None and not gone]
            unread -= len(lost)
        self.mended.lost_ids += [(ref.space, one) for one in lost]
        saved = sum(map(len, batches))
        unknown = f", {unread:,} of them with ids that can't be read" if unread else ""
        self.mended.lost.append(f"{len(lost) + unread:,} rows of {ref.data.name} (space {ref.space}){unknown}")
        if not saved:
            return None
        self.mended.done.append(f"{saved:,} sound rows of {ref.data.name} were kept")
        new = write_segment(self.disk, self.root, SegmentLayout(ref.space, card, saved, newest.columns), batches)
        if ref.card is not None and new.vectors is not None:
            from polysema.indexes.index_spec import IndexSpec

            new = indexed(self.disk, self.root, new, card, IndexSpec.from_json(ref.card["recipe"]), self.progress)
        return new

    def _groups(self, ref: SegmentRef, card: SpaceCard) -> "Iterator[tuple[slice, Batch | None, pa.Array | None]]":
        """Each row group: its rows, and all of it or its ids alone, as far as every byte of them is sound."""
        try:
            stored = self._stored(replace(ref, vectors=None, index=None), card)
            file = stored.table.parquet()
        except (CorruptError, FileNotFoundError):
            return
        start = 0
        for group in range(file.num_row_groups):
            rows = slice(start, start + file.metadata.row_group(group).num_rows)
            start = rows.stop
            batch = ids = None
            try:
                batch = stored.group(file, group)
            except CorruptError:
                try:
                    ids = file.read_row_group(group, columns=["id"], use_threads=False).column("id").combine_chunks()
                except CorruptError:
                    ids = None
            yield rows, batch, ids

    def _snapshots(self) -> dict[str, Manifest]:
        folder = self.root / layout.SNAPSHOTS
        paths = [folder / name for name in self.disk.names(folder) if name.endswith(".json")]
        return {path.stem: Manifest.unsealed(read_sealed(self.disk, path), path) for path in paths}

    def _forget(self, manifests: dict[int, Manifest], snapshots: dict[str, Manifest], bad: set[str]) -> None:
        """Versions and snapshots that need a file that is set aside can't be gone back to."""
        for number, manifest in manifests.items():
            if referenced([manifest]) & bad:
                self._aside(layout.numbered(self.root, number))
                self.mended.done.append(f"version {number} needs a damaged file, and can't be gone back to")
        for name, manifest in snapshots.items():
            if referenced([manifest]) & bad:
                self._aside(self.root / layout.SNAPSHOTS / f"{name}.json")
                self.mended.lost.append(f"the snapshot {name} needs a damaged file, and can't be gone back to")

    def _aside(self, path: Path) -> Path | None:
        """Out of the way, not out of the world: where it is now, None where it wasn't there."""
        if not path.exists():
            return None
        folder = self.root / ASIDE_FOLDER
        if not folder.is_dir():
            self.disk.make_folder(folder)
        target = folder / path.name
        count = 1
        while target.exists():
            count += 1
            target = folder / f"{path.name}.{count}"
        move(self.disk, path, target)
        self.disk.sync_folder(path.parent)
        return target
