"""Reading every byte of a collection."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from polysema.core.errors import CorruptError, UnreadableError, UserError
from polysema.core.progress import Progress, no_progress
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.disk import Disk
from polysema.indexes.store.layout import open_format, translate_os_errors
from polysema.indexes.store.manifest import Manifest, SegmentRef, SpaceCard
from polysema.indexes.store.new_file import FileRef
from polysema.indexes.store.sealed_file import SealedFile
from polysema.indexes.store.segment import StoredRows
from polysema.indexes.store.segment_files import read_dead
from polysema.indexes.store.snapshot_marks import list_snapshots, marks_of, snapshot_path
from polysema.indexes.store.transaction import referenced
from polysema.indexes.store.version_chain import check_chain
from polysema.indexes.store.version_span import read_span, spans


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found: `files` that were read, `bytes` in them, `problems` (a line each, with the file's name), and
    `leftovers` of changes that were stopped, which nothing refers to and the next compaction removes."""

    files: int
    bytes: int
    problems: list[str]
    leftovers: list[str]


def verify(root: "Path | str", progress: Progress = no_progress, disk: Disk | None = None) -> Report:
    """Read every byte of every version and snapshot that is kept, and compare it with what was written.

    Beyond the checksums: the vectors and ids of each segment are decoded from Parquet and compared with the files that
    are derived from them, and each id is there once. Raises `NotFoundError` where no collection is.
    """
    root, disk = Path(root), disk or Disk()
    with translate_os_errors(root, "verify"):
        return _verify(root, progress, disk)


def _verify(root: Path, progress: Progress, disk: Disk) -> Report:
    check = CollectionCheck(root, disk)
    collection = check.format()
    check.locks()
    manifests = check.manifests(collection)
    check.segments(manifests, progress)
    if manifests and not check.problems:
        check.problems += _unique(disk, root, max(manifests, key=lambda manifest: manifest.version))
    used = referenced(manifests)
    leftovers = [name for name in disk.names(root / layout.SEGMENTS) if name not in used]
    leftovers += [name for name in disk.names(root / layout.MANIFESTS) if not layout.NUMBERED.fullmatch(name)]
    leftovers += check.leftovers
    return Report(check.files, check.size, check.problems, leftovers)


class CollectionCheck:
    """A check of a collection under way: the files read, their bytes, and the problems found so far."""

    def __init__(self, root: Path, disk: Disk):
        self.problems: list[str] = []
        self.leftovers: list[str] = []
        self.files = self.size = 0
        self._root, self._disk = root, disk

    def format(self) -> str | None:
        """The collection's id; None where it can't be read."""
        try:
            collection = open_format(self._disk, self._root)
        except CorruptError as error:
            self.problems.append(str(error))
            return None
        self.files += 1
        return collection

    def locks(self) -> None:
        """Whether the files that are locked are there and empty."""
        for path in (self._root / layout.LOCK, self._root / layout.COMPACTING):
            if not path.is_file():
                self.problems.append(f"{path} is missing")
            elif path.stat().st_size:
                self.problems.append(f"{path} holds bytes, and should be empty")

    def manifests(self, collection: str | None) -> list[Manifest]:
        """The manifests of all versions and snapshots that can be read; whether all that are kept are there."""
        versions = _versions(self._disk, self._root, collection)
        self.problems += versions.problems
        self.leftovers += versions.leftovers
        self.files, self.size = self.files + len(versions.manifests), self.size + versions.bytes
        return versions.manifests

    def segments(self, manifests: list[Manifest], progress: Progress) -> None:
        """Read every file of every segment, and compare those that belong together."""
        segments = {
            tuple(file.name for file in segment.files()): (segment, manifest)
            for manifest in manifests
            for segment in manifest.segments
        }
        total = sum({file.name: file.bytes for one, _ in segments.values() for file in one.files()}.values())
        seen: dict[str, bool] = {}
        done = 0
        for segment, manifest in segments.values():
            for file in segment.files():
                if file.name in seen:
                    continue
                seen[file.name] = self._file(file)
                done += file.bytes
                progress("bytes", done, total)
            if all(seen[file.name] for file in segment.files()):
                self.problems += _inside(self._disk, self._root, segment, manifest.spaces[segment.space])

    def _file(self, file: FileRef) -> bool:
        """Whether a file of a segment is as it was written."""
        try:
            problem = read_whole(self._disk, self._root / layout.SEGMENTS / file.name, file)
        except UnreadableError as error:
            problem = str(error)
        self.files, self.size = self.files + 1, self.size + file.bytes
        if problem:
            self.problems.append(problem)
        return problem is None


@dataclass(frozen=True, slots=True)
class _Versions:
    manifests: list[Manifest]
    bytes: int
    problems: list[str]
    leftovers: list[str]


def _versions(disk: Disk, root: Path, collection: str | None) -> _Versions:
    """The versions and snapshots, and whether all that are kept are there and belong together."""
    kept, problems = check_chain(disk, root)
    span = read_span(disk, root)
    if not kept and not problems:
        problems.append(f"{root / layout.MANIFESTS} holds no manifest: the collection's versions are lost")
    for path in (root / one.name for one in spans(disk, root)):
        with suppress(FileNotFoundError):
            if path.stat().st_size:
                problems.append(f"{path} holds bytes, and should be empty")
    if span is not None and kept and kept[-1].version < span.newest and not problems:
        problems.append(f"{layout.numbered(root, span.newest)} is missing, the newest version")
    listing = list_snapshots(disk, root, bool(kept) and kept[-1].marked)
    for mark in marks_of(disk, root):
        with suppress(FileNotFoundError):
            if mark.path(root).stat().st_size:
                problems.append(f"{mark.path(root)} holds bytes, and should be empty")
    manifests = [*kept, *listing.found.values()]
    if collection is not None:
        problems += [
            f"{layout.numbered(root, one.version)} belongs to another collection"
            for one in kept
            if one.collection != collection
        ]
        problems += [
            f"{snapshot_path(root, name)} belongs to another collection"
            for name, one in listing.found.items()
            if one.collection != collection
        ]
    size = sum(len(one.sealed()) for one in manifests)
    return _Versions(manifests, size, problems + listing.problems, listing.leftovers)


def read_whole(disk: Disk, path: Path, ref: FileRef) -> str | None:
    """What is wrong with a file, or None."""
    try:
        file = SealedFile(disk, path, ref)
        file.check_sha256()
        file.check()
    except FileNotFoundError:
        return f"{path} is missing"
    except CorruptError as error:
        return str(error)
    return None


def _inside(disk: Disk, root: Path, ref: SegmentRef, card: SpaceCard) -> Iterator[str]:
    """Whether the files of a segment say the same."""
    stored = StoredRows(disk, root, ref, card)
    mapped = stored.vectors if ref.vectors is not None else None
    start = 0
    for block in stored.blocks():
        if block.vectors.shape[1] != card.dim:
            yield f"{root / layout.SEGMENTS / ref.data.name} holds vectors of another width than {card.dim}"
            return
        if mapped is not None and not np.array_equal(mapped[start : start + len(block)], block.vectors):
            yield (f"{root / layout.SEGMENTS / ref.vectors.name} holds other vectors than the Parquet file beside it")  # type: ignore[union-attr]
        start += len(block)
    if start != ref.rows:
        yield f"{root / layout.SEGMENTS / ref.data.name} holds {start:,} rows instead of {ref.rows:,}"
    if ref.dead is not None:
        dead = read_dead(SealedFile(disk, root / layout.SEGMENTS / ref.dead.name, ref.dead), ref.rows)
        if int(dead.sum()) != ref.n_dead:
            yield f"{root / layout.SEGMENTS / ref.dead.name} marks {int(dead.sum()):,} rows instead of {ref.n_dead:,}"
    if ref.index is not None:
        try:
            stored.index()
        except UserError as error:
            yield str(error)


def _unique(disk: Disk, root: Path, manifest: Manifest) -> Iterator[str]:
    """Whether each id is there once in each space of the current version."""
    for name, card in manifest.spaces.items():
        ids = []
        for ref in manifest.of(name):
            column = StoredRows(disk, root, ref, card).table.keys.array
            if ref.dead is not None:
                dead = read_dead(SealedFile(disk, root / layout.SEGMENTS / ref.dead.name, ref.dead), ref.rows)
                column = column.filter(pa.array(~dead))
            ids.append(column)
        whole = pa.chunked_array(ids, pa.large_string())
        if len(whole.unique()) != len(whole):
            yield f"{root}: {len(whole) - len(whole.unique()):,} ids are in the space {name} more than once"
