"""What marks the versions and snapshots of a collection, made right again by a repair."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from polysema.core.errors import UserError
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.manifest import Manifest
from polysema.indexes.store.naming import give_name, read_sealed
from polysema.indexes.store.new_file import read_file, write_file
from polysema.indexes.store.snapshot_marks import (
    SnapshotMark,
    drop_marks,
    marks_of,
    put_mark,
    snapshot_path,
)
from polysema.indexes.store.version_span import VersionSpan, begin_span, move_span, read_span, spans, unbroken


@dataclass(frozen=True, slots=True)
class MarkRepair:
    """A repair of marks: what it did goes to `done`, what could not be saved to `lost`; `aside` sets a file aside."""

    disk: Disk
    root: Path
    done: Callable[[str], None]
    lost: Callable[[str], None]
    aside: Callable[[Path], Path | None]

    def empty_files(self) -> None:
        """Take the bytes out of files that are empty; a copy of them is set aside."""
        files = [self.root / name for name in (layout.LOCK, layout.COMPACTING)]
        files += [self.root / one.name for one in spans(self.disk, self.root)]
        files += [mark.path(self.root) for mark in marks_of(self.disk, self.root)]
        for path in files:
            if not path.is_file() or not path.stat().st_size:
                continue
            folder = self.root / "aside"
            if not folder.is_dir():
                self.disk.make_folder(folder)
            count = 1
            while (copy := folder / f"{path.name}.{count}").exists():
                count += 1
            write_file(self.disk, copy, read_file(self.disk, path))
            os.truncate(path, 0)  # in its place: others may hold a lock on it
            self.done(f"{path.name}, which had bytes, is empty again")

    def versions(self, sound: dict[int, Manifest]) -> list[int]:
        """The numbers of versions that should be there and aren't, or that are no parents of the next, which are set
        aside; those that a snapshot still has come back."""
        newest = max(sound, default=0)
        snapshots = self._sealed_files()
        for number in sorted(sound, reverse=True):
            after = sound.get(number + 1)
            if after is not None and after.parent != sound[number].sha256:
                self.aside(layout.numbered(self.root, number))
                self.lost(f"version {number} is another one than {number + 1} was made of: it was set aside")
                del sound[number]
        span = read_span(self.disk, self.root)
        known = set(sound[newest].lost) if sound else set()
        wanted = set() if span is None else set(range(span.oldest, span.newest + 1)) - known
        missing = []
        for number in sorted(wanted - set(sound), reverse=True):
            after = sound.get(number + 1)
            source = snapshots.get(after.parent) if after is not None else None
            if source is None:
                missing.append(number)
                what = "what it acknowledged last is lost" if number > newest else "it can't be gone back to"
                if not (self.root / "aside" / layout.numbered(self.root, number).name).exists():  # told already
                    self.lost(f"version {number}: its manifest is missing, {what}")
                continue
            give_name(self.disk, source, layout.numbered(self.root, number))
            self.disk.sync_folder(self.root / layout.MANIFESTS)
            sound[number] = layout.read_manifest(self.disk, self.root, number)
            self.done(f"version {number} was made anew from the snapshot {source.stem}")
        return missing

    def snapshots(self, sound: dict[int, Manifest], marked: bool) -> None:
        """Each snapshot is the version that got its name; what was made as none is set aside."""
        sealed = self._sealed_files()
        sealed |= {one.sha256: layout.numbered(self.root, number) for number, one in sound.items()}
        marks = {mark.name: mark for mark in marks_of(self.disk, self.root) if mark.step != "naming"}
        naming = [mark for mark in marks_of(self.disk, self.root) if mark.step == "naming"]
        folder = self.root / layout.SNAPSHOTS
        names = [name[:-5] for name in self.disk.names(folder) if name.endswith(".json")]
        known = set(marks) | {mark.name for mark in naming}
        for name in sorted(set(names) - known):
            if not marked:
                continue  # of a time before there were marks
            self.aside(snapshot_path(self.root, name))
            self.done(f"{name}.json, which was not made as a snapshot, was set aside")
        wrong = [mark for mark in (*marks.values(), *naming) if self._digest(mark.name) != mark.sha256]
        sources = dict(sealed)
        for mark in wrong:
            there, digest = snapshot_path(self.root, mark.name), self._digest(mark.name)
            if (moved := self.aside(there)) is not None and digest:
                sources[digest] = moved if sources.get(digest) == there else sources.get(digest, moved)
        for mark in wrong:
            source = sources.get(mark.sha256)
            if mark.step != "named":
                drop_marks(self.disk, self.root, mark.name)
            elif source is None:
                drop_marks(self.disk, self.root, mark.name)
                self.lost(f"the snapshot {mark.name}: its file is missing, and no version has the same content")
            else:
                give_name(self.disk, source, snapshot_path(self.root, mark.name))
                self.done(f"the snapshot {mark.name} was made anew")
        self.disk.sync_folder(folder)

    def finish(self) -> None:
        """A mark for each snapshot that is left and for none that isn't, and for the versions that are kept."""
        folder = self.root / layout.SNAPSHOTS
        there = {name[:-5] for name in self.disk.names(folder) if name.endswith(".json")}
        marks = marks_of(self.disk, self.root)
        for mark in marks:
            if mark.name not in there:
                self.disk.unlink(mark.path(self.root))
        for name in there - {mark.name for mark in marks}:
            put_mark(self.disk, self.root, SnapshotMark(name, self._digest(name), "named"))
        self.disk.sync_folder(folder)
        numbers = layout.versions(self.disk, self.root)
        newest = layout.read_manifest(self.disk, self.root, numbers[-1])
        if not newest.marked:
            return
        oldest = unbroken(sorted({*numbers, *newest.lost}), newest.version)
        span = read_span(self.disk, self.root)
        if span is None:
            begin_span(self.disk, self.root, VersionSpan(oldest, newest.version))
            self.done("the file that says which versions are kept was made anew")
        else:
            move_span(self.disk, self.root, oldest=max(oldest, span.oldest), newest=newest.version)
        self.disk.sync_folder(self.root)

    def _digest(self, name: str) -> str:
        try:
            return hashlib.sha256(read_sealed(self.disk, snapshot_path(self.root, name))).hexdigest()
        except FileNotFoundError:
            return ""

    def _sealed_files(self) -> dict[str, Path]:
        """The files of snapshots by their SHA-256, as far as they are sound."""
        found = {}
        folder = self.root / layout.SNAPSHOTS
        for path in (folder / name for name in self.disk.names(folder) if name.endswith(".json")):
            try:
                found[Manifest.unsealed(read_sealed(self.disk, path), path).sha256] = path
            except UserError:
                continue
        return found
