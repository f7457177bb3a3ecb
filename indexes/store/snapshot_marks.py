"""The names of snapshots, and the marks beside them that tell of one that is gone, swapped or doubled.

A snapshot is a second name of a manifest, `<name>.json`. Beside it lies an empty file whose name has its SHA-256:

    <name>.<sha256>.naming      made before the snapshot's file; without one it was stopped, and there is no snapshot
    <name>.<sha256>.named       the same file, renamed when the snapshot was durable
    <name>.<sha256>.dropping    the same again, before the snapshot's file is removed
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from polysema.core.errors import CorruptError, UserError
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.manifest import Manifest
from polysema.indexes.store.naming import read_sealed
from polysema.indexes.store.new_file import discard

MARK = re.compile(r"(.+)\.([0-9a-f]{64})\.(naming|named|dropping)")
LISTING_TRIES = 3  # listings in which another process may take or drop a snapshot


@dataclass(frozen=True, slots=True)
class SnapshotMark:
    """A mark: the snapshot's name, the SHA-256 of its file, and `naming`, `named` or `dropping`."""

    name: str
    sha256: str
    step: str

    def path(self, root: Path) -> Path:
        """Where it lies."""
        return root / layout.SNAPSHOTS / f"{self.name}.{self.sha256}.{self.step}"


def snapshot_path(root: Path, name: str) -> Path:
    """Where the snapshot of that name lies."""
    return root / layout.SNAPSHOTS / f"{name}.json"


def marks_of(disk: Disk, root: Path) -> list[SnapshotMark]:
    """Every mark."""
    found = (MARK.fullmatch(name) for name in disk.names(root / layout.SNAPSHOTS))
    return [SnapshotMark(one[1], one[2], one[3]) for one in found if one]


def put_mark(disk: Disk, root: Path, mark: SnapshotMark) -> SnapshotMark:
    """A new mark; durable when the folder of snapshots is synced."""
    if not mark.path(root).exists():
        os.close(disk.open(mark.path(root), new=True))
    return mark


def move_mark(disk: Disk, root: Path, mark: SnapshotMark, step: str) -> SnapshotMark:
    """The mark with its next step."""
    moved = SnapshotMark(mark.name, mark.sha256, step)
    if moved != mark:
        disk.rename(mark.path(root), moved.path(root))
    return moved


def mark_all(disk: Disk, root: Path) -> None:
    """Mark the snapshots of a collection that was last changed before there were marks."""
    marked = {mark.name for mark in marks_of(disk, root)}
    names = [name[:-5] for name in disk.names(root / layout.SNAPSHOTS) if name.endswith(".json")]
    for name in names:
        if name not in marked:
            data = read_sealed(disk, snapshot_path(root, name))
            put_mark(disk, root, SnapshotMark(name, hashlib.sha256(data).hexdigest(), "named"))
    if set(names) - marked:
        disk.sync_folder(root / layout.SNAPSHOTS)


@dataclass(frozen=True, slots=True)
class SnapshotListing:
    """The snapshots by name, `problems` (a line each, with the file's name), and marks of what was stopped."""

    found: dict[str, Manifest]
    problems: list[str]
    leftovers: list[str]


def list_snapshots(disk: Disk, root: Path, marked: bool) -> SnapshotListing:
    """Read every snapshot; `marked`: whether each must have a mark."""
    found: dict[str, Manifest] = {}
    problems: list[str] = []
    leftovers: list[str] = []
    names = [name[:-5] for name in disk.names(root / layout.SNAPSHOTS) if name.endswith(".json")]
    marks: dict[str, list[SnapshotMark]] = {}
    for mark in marks_of(disk, root):
        marks.setdefault(mark.name, []).append(mark)
    for name in names:
        path = snapshot_path(root, name)
        try:
            data = read_sealed(disk, path)
            manifest = Manifest.unsealed(data, path)
        except FileNotFoundError:
            continue  # dropped meanwhile
        except UserError as error:
            problems.append(str(error))
            continue
        digest = hashlib.sha256(data).hexdigest()
        known = {mark.sha256 for mark in marks.get(name, [])}
        if digest in known or not (known or marked):
            found[name] = manifest
        elif known:
            problems.append(f"{path} is another version than the one that got this name; {REPAIR}")
        else:
            wanted = SnapshotMark(name, digest, "named").path(root).name
            problems.append(f"{path} was not made as a snapshot: it is a copy, or {wanted} is missing; {REPAIR}")
    for mark in (one for name in sorted(set(marks) - set(names)) for one in marks[name]):
        if mark.step == "named":
            problems.append(f"{snapshot_path(root, mark.name)} is missing; {REPAIR}")
        else:
            leftovers.append(mark.path(root).name)
    return SnapshotListing(found, problems, leftovers)


def read_snapshots(disk: Disk, root: Path, marked: bool) -> dict[str, Manifest]:
    """The snapshots by name; raises `CorruptError` where one is missing, damaged, swapped or doubled."""
    for _ in range(LISTING_TRIES):
        listing = list_snapshots(disk, root, marked)
        if not listing.problems:
            return listing.found
    raise CorruptError(listing.problems[0])


def drop_marks(disk: Disk, root: Path, name: str) -> None:
    """Remove the marks of a snapshot that isn't there."""
    for mark in marks_of(disk, root):
        if mark.name == name:
            discard(disk, mark.path(root))
