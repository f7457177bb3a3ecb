"""The files of a collection that is open: the newest version read, and the next one written."""

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from polysema.core.errors import CorruptError, UserError
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.compaction import compacting
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.layout import missing, open_format, translate_os_errors
from polysema.indexes.store.manifest import Manifest
from polysema.indexes.store.naming import DRAFT_ENDING, is_needed
from polysema.indexes.store.new_file import discard, locked
from polysema.indexes.store.segment import StoredRows
from polysema.indexes.store.snapshot_marks import mark_all, read_snapshots
from polysema.indexes.store.transaction import Draft, referenced
from polysema.indexes.store.version_span import move_span
from polysema.indexes.store.view import CollectionView

T = TypeVar("T")
COMMIT_TRIES = 20  # versions that may be committed during one query
RECENT_VERSIONS = 1.0  # seconds for which a folder's time of change may not tell two changes apart


@dataclass(frozen=True, slots=True)
class CollectionOptions:
    """How a collection is used.

    Args:
        wait: Seconds for another writer.
        keep: Versions to which one can go back.

    Raises:
        PolysemaError: Seconds below 0, or no version.
    """

    wait: float = 30.0
    keep: int = 10

    def __post_init__(self) -> None:
        if self.wait < 0 or self.keep < 1:
            raise UserError(f"wait is 0 seconds or more, keep 1 version or more; got {self.wait} and {self.keep}")


@dataclass(slots=True, eq=False)
class _Change(ABC):
    """A change that waits for its commit, and whether it came to something."""

    done: bool = False
    error: BaseException | None = None

    @abstractmethod
    def run(self, draft: Draft) -> None:
        """Apply it to a draft."""


@dataclass(slots=True, eq=False)
class _AnsweredChange(_Change, Generic[T]):
    """A change with its answer."""

    apply: Callable[[Draft], T] = field(kw_only=True)
    answers: list[T] = field(default_factory=list)

    def run(self, draft: Draft) -> None:
        self.answers.append(self.apply(draft))


class CollectionFiles:
    """What reads and writes the versions of a collection. Safe to share between threads.

    Args:
        root: The folder of the collection.
        options: How long to wait for another writer, and how many versions to keep.
        disk: What reads and writes.
    """

    def __init__(self, root: Path, options: CollectionOptions, disk: Disk):
        self.root, self.options, self.disk = root, options, disk
        self._manifests = root / layout.MANIFESTS
        self._manifests_path = str(self._manifests)
        self._cache: dict[str, StoredRows] = {}
        self._seen: tuple[int, float] = (0, 0.0)
        self._opening = threading.RLock()
        self._writing = threading.Lock()
        self._queueing = threading.Lock()
        self._queue: list[_Change] = []
        with translate_os_errors(root, "read"):
            self._id = open_format(disk, root)
            self.last_view = self._opened(layout.current(disk, root))

    def view(self) -> CollectionView:
        """The newest version, opened.

        Returns:
            A view of which every answer is of that version.

        Raises:
            CorruptError: A file of it is missing or damaged; the message names it.
        """
        with translate_os_errors(self.root, "read"), self._opening:
            try:
                changed = self._manifests.stat().st_mtime_ns
            except FileNotFoundError:
                raise CorruptError(f"{self._manifests} is missing; {REPAIR}") from None
            before, looked = self._seen
            if changed == before and looked - changed / 1e9 > RECENT_VERSIONS:
                return self.last_view
            looked = time.time()
            for _ in range(COMMIT_TRIES):
                number = layout.versions(self.disk, self.root)[-1:]
                if number == [self.last_view.manifest.version]:
                    break
                try:
                    self.last_view = self._opened(layout.current(self.disk, self.root))
                    break
                except FileNotFoundError as absent:
                    error = absent
            else:
                raise missing(error)
            self._seen = (changed, looked)
            return self.last_view

    def read_view(self) -> CollectionView | None:
        """The newest version where it is known to be read already; None where finding out takes longer than a look.

        Waits for no other thread.
        """
        before, looked = self._seen
        try:
            changed = os.stat(self._manifests_path).st_mtime_ns  # noqa: PTH116 - a Path's takes twice the time
            known = changed == before and looked - before / 1e9 > RECENT_VERSIONS
        except OSError:
            return None
        return self.last_view if known else None

    def _opened(self, manifest: Manifest) -> CollectionView:
        if manifest.collection != self._id:
            raise CorruptError(f"{self.root} mixes the files of two collections; {REPAIR}")
        cache = dict(self._cache)
        try:
            view = CollectionView(self.disk, self.root, manifest, cache)
        except FileNotFoundError as absent:
            if layout.versions(self.disk, self.root)[-1] == manifest.version:
                raise missing(absent) from None
            raise
        used = {id(segment.stored) for segments in view.segments.values() for segment in segments}
        self._cache = {key: stored for key, stored in cache.items() if id(stored) in used}
        return view

    def read(self, question: Callable[[CollectionView], T]) -> T:
        """The result on the newest version; retried when its files were removed in the meantime."""
        for _ in range(COMMIT_TRIES):
            view = self.read_view() or self.view()
            try:
                with translate_os_errors(self.root, "read"):
                    return question(view)
            except FileNotFoundError as absent:
                error = absent
                if self.view() is view:
                    break
        raise missing(error)

    def commit(self, apply: Callable[[Draft], T]) -> T:
        """One version for all changes that wait: the first thread to come writes them together."""
        change = _AnsweredChange(apply=apply)
        with self._queueing:
            self._queue.append(change)
        with self._writing:
            if not change.done:
                with self._queueing:
                    changes, self._queue = self._queue, []
                self._write(changes)
        if change.error is not None:
            raise change.error
        return change.answers[-1]

    def _write(self, changes: Sequence[_Change]) -> None:
        try:
            with translate_os_errors(self.root, "change"), self._locked():
                view = self.view()
                draft = Draft(self.disk, self.root, view)
                for change in changes:
                    try:
                        change.run(draft)
                    except UserError as error:
                        change.error = error
                if draft.changed:
                    self.publish(draft.manifest())
        except BaseException as caught:
            failure = missing(caught) if isinstance(caught, FileNotFoundError) else caught
            for change in changes:
                change.error = change.error or failure
            if not isinstance(failure, UserError):
                raise
        finally:
            for change in changes:
                change.done = True

    @contextmanager
    def writing(self, doing: str = "change") -> Iterator[None]:
        """Nobody else writes meanwhile, no thread and no process; the system's errors are translated."""
        with translate_os_errors(self.root, doing), self._writing, self._locked():
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self.root / layout.LOCK, self.options.wait, "changed"):
            yield

    def publish(self, manifest: Manifest, discard: bool = True) -> None:
        """Make a version the current one; what was written for one that can't be published is removed (`discard`)."""
        try:
            if not self.last_view.manifest.marked:
                mark_all(self.disk, self.root)
            manifest = layout.publish(self.disk, self.root, manifest)
        except OSError:
            if discard:
                self._discard(manifest)
            raise
        with self._opening:
            self.last_view = self._opened(manifest)
        if manifest.version % self.disk.limits.collect_every == 0:
            with suppress(CorruptError):  # the version is there; what is damaged is told where it is read
                self.collect()

    def _discard(self, manifest: Manifest) -> None:
        if layout.numbered(self.root, manifest.version).exists():
            return  # it is the current version, though perhaps not durably
        for name in referenced([manifest]) - referenced([self.last_view.manifest]):
            discard(self.disk, self.root / layout.SEGMENTS / name)

    def snapshots(self) -> dict[str, Manifest]:
        """The versions that were given a name, which are kept until it is taken away.

        Returns:
            A manifest for each name.
        """
        with translate_os_errors(self.root, "read"):
            return read_snapshots(self.disk, self.root, self.view().manifest.marked)

    def collect(self, keep: int | None = None, compacted: bool = False) -> int:
        """Manifests go first, durably: a version that is listed has its files."""
        numbers = layout.versions(self.disk, self.root)
        old = numbers[: -(keep or self.options.keep)]
        manifests = self.root / layout.MANIFESTS
        if old:
            move_span(self.disk, self.root, oldest=numbers[len(old)])
            self.disk.sync_folder(self.root)
        for number in old:
            self.disk.unlink(layout.numbered(self.root, number))
        for name in self.disk.names(manifests):
            if name.endswith(DRAFT_ENDING) and not is_needed(self.disk, manifests / name):
                discard(self.disk, manifests / name)
        if old:
            self.disk.sync_folder(manifests)
        if not compacted and compacting(self.disk, self.root):
            return len(old)  # some files belong to a version that isn't there yet
        kept = [layout.read_manifest(self.disk, self.root, number) for number in numbers[len(old) :]]
        used = referenced(kept) | referenced(self.snapshots().values())
        dropped = [name for name in self.disk.names(self.root / layout.SEGMENTS) if name not in used]
        for name in dropped:
            discard(self.disk, self.root / layout.SEGMENTS / name)
        return len(old) + len(dropped)
