"""`Collection`: a space on disk that grows, shrinks, is searched, and survives a kill."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt
import pyarrow as pa

from polysema.core.argument_types import checked_arguments
from polysema.core.display import HtmlRepr
from polysema.core.errors import ConflictError, CorruptError, NotFoundError, UserError
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import Metric
from polysema.core.space.space import Origin, Space
from polysema.indexes.filters import Filter
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.batch import Batch, batch_of, ids_of
from polysema.indexes.store.column_types import parse_type, stored_type
from polysema.indexes.store.columns import joined
from polysema.indexes.store.compaction import carried_over, compacted, compacting, planned
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.layout import make, missing, open_format, translate_os_errors
from polysema.indexes.store.manifest import Manifest, SpaceCard, check_name
from polysema.indexes.store.matches import Matches, Search
from polysema.indexes.store.naming import DRAFT_ENDING, give_name, is_needed, read_sealed
from polysema.indexes.store.segment import StoredRows
from polysema.indexes.store.transaction import Draft, referenced
from polysema.indexes.store.view import CollectionView

if TYPE_CHECKING:
    from polysema.indexes.index_spec import IndexSpec

__all__ = ["Collection", "CollectionOptions", "Matches"]

T = TypeVar("T")
COMMIT_TRIES = 20  # versions that may be committed during one query
RECENT_VERSIONS = 1.0  # seconds for which a folder's time of change may not tell two changes apart
COLLECT_EVERY = 16  # commits
DEFAULT_SPACE = "vectors"


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
class _Change:
    """A change that waits for its commit, and what came of it."""

    apply: Callable[[Draft], Any]
    done: bool = False
    answer: Any = None
    error: BaseException | None = None


@checked_arguments
class Collection(HtmlRepr):
    """Vectors with ids, columns and origins in a folder: several spaces, each of one width, metric and origin.

    Any number of processes and threads read while one writes. A change is acknowledged (the call returns) when it is on
    the disk, whole; rows are found as soon as they are acknowledged, and deleted ones never.

    Example:
        >>> import tempfile
        >>> collection = Collection.create(tempfile.mkdtemp())
        >>> collection.add(["a", "b"], [[1.0, 0.0], [0.0, 1.0]], {"layer": [6, 0]})
        2
        >>> collection.search([[0.2, 0.9]], k=1).ids
        [['b']]
        >>> collection.search([[0.2, 0.9]], k=1, where="layer > 3").ids
        [['a']]
        >>> collection.delete(["b"]), len(collection)
        (1, 1)
    """

    def __init__(self, root: "Path | str", options: CollectionOptions | None = None, disk: Disk | None = None):
        """Open the collection in a folder.

        Args:
            root: The folder of a collection.
            options: How long to wait for another writer, and how many versions to keep.
            disk: What reads and writes; the file system where None.

        Raises:
            NotFoundError: There is no collection.
            CorruptError: A file of it is missing or damaged; the message names it.
            IncompatibleError: It was written by a newer version.
        """
        self.root = Path(root)
        self.options = options or CollectionOptions()
        self._manifests = self.root / layout.MANIFESTS
        self._disk = disk or Disk()
        self._cache: dict[str, StoredRows] = {}
        self._seen: tuple[int, float] = (0, 0.0)
        self._opening = threading.RLock()
        self._writing = threading.Lock()
        self._queueing = threading.Lock()
        self._queue: list[_Change] = []
        with translate_os_errors(self.root, "read"):
            self._id = open_format(self._disk, self.root)
            self._view = self._opened(layout.current(self._disk, self.root))

    @classmethod
    def create(
        cls, root: "Path | str", options: CollectionOptions | None = None, disk: Disk | None = None
    ) -> "Collection":
        """Make an empty collection in a new or empty folder.

        Args:
            root: The folder.
            options: How long to wait for another writer, and how many versions to keep.
            disk: What reads and writes; the file system where None.

        Returns:
            The collection, opened.

        Raises:
            ConflictError: Something else is in the folder.
        """
        with translate_os_errors(Path(root), "create"):
            make(disk or Disk(), Path(root))
        return cls(root, options, disk)

    def __repr__(self) -> str:
        opened = self._view.manifest  # the version read last: showing an object reads no disk
        spaces = ", ".join(opened.spaces) or "no space yet"
        return f"Collection({str(self.root)!r}, {opened.n_rows:,} rows, {spaces}, version {opened.version})"

    def __len__(self) -> int:
        return self.view().manifest.n_rows

    # reading

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
                return self._view
            looked = time.time()
            for _ in range(COMMIT_TRIES):
                number = layout.versions(self._disk, self.root)[-1:]
                if number == [self._view.manifest.version]:
                    break
                try:
                    self._view = self._opened(layout.current(self._disk, self.root))
                    break
                except FileNotFoundError as absent:
                    error = absent
            else:
                raise missing(error)
            self._seen = (changed, looked)
            return self._view

    def _opened(self, manifest: Manifest) -> CollectionView:
        if manifest.collection != self._id:
            raise CorruptError(f"{self.root} mixes the files of two collections; {REPAIR}")
        cache = dict(self._cache)
        try:
            view = CollectionView(self._disk, self.root, manifest, cache)
        except FileNotFoundError as absent:
            if layout.versions(self._disk, self.root)[-1] == manifest.version:
                raise missing(absent) from None
            raise
        used = {id(segment.stored) for segments in view.segments.values() for segment in segments}
        self._cache = {key: stored for key, stored in cache.items() if id(stored) in used}
        return view

    def _read(self, question: Callable[[CollectionView], T]) -> T:
        """The result on the newest version; retried when its files were removed in the meantime."""
        for _ in range(COMMIT_TRIES):
            view = self.view()
            try:
                with translate_os_errors(self.root, "read"):
                    return question(view)
            except FileNotFoundError as absent:
                error = absent
                if self.view() is view:
                    break
        raise missing(error)

    def search(
        self,
        queries: "npt.ArrayLike",
        k: int = 10,
        where: "str | Filter | None" = None,
        *,
        space: str | None = None,
        recall: float | None = None,
        exact: bool = False,
    ) -> Matches:
        """The k best rows for each query, of those that pass a condition.

        Where fewer than k rows are there or pass, all of them are the answer, and of an empty collection nothing.

        Args:
            queries: (n_queries, dim)
            k: How many rows for each query, 1 or more.
            where: A condition on the columns, such as `layer >= 6 and word in ("bank", "shore")`.
            space: The space to search, where there are several.
            recall: The least share of the true best, above 0 and at most 1, that is wanted of an approximate index;
                None: as its recipe says.
            exact: Whether the exact answer is wanted.

        Returns:
            Ids and scores, and the recall to expect.

        Raises:
            PolysemaError: k is below 1, a query holds NaN or Inf or is all zeros (with the cosine), or the condition is
                wrong.
            IncompatibleError: The queries are of another width.
            CorruptError: A file is damaged; the message names it.
        """
        how = Search(k, space, where, recall, exact)
        return self._read(lambda view: view.search(queries, how))  # type: ignore[arg-type]

    def get(self, ids: Sequence[str], space: str | None = None) -> Space:
        """The vectors and columns of some ids.

        Args:
            ids: n ids.
            space: Their space, where there are several.

        Returns:
            A space of n rows, in the order of the ids, which are its keys.

        Raises:
            NotFoundError: Some are not there; the message names them.
        """
        wanted = ids_of(ids)
        return self._read(lambda view: view.get(space, wanted))

    def space(self, space: str | None = None, where: "str | Filter | None" = None) -> Space:
        """All rows of a space, or those that pass a condition, in memory.

        Args:
            space: Its name, where there are several.
            where: A condition on the columns.

        Returns:
            A space whose keys are the ids.
        """
        return self._read(lambda view: view.space(space, where))

    # changing

    def create_space(
        self, name: str, dim: int, metric: "Metric | str" = Metric.COSINE, origin: Origin | None = None
    ) -> None:
        """Make an empty space; the same once more is no change.

        Args:
            name: Letters, digits, `.`, `-` and `_`.
            dim: Width of its vectors.
            metric: `cosine`, `inner_product` or `euclidean`.
            origin: Where its vectors come from: only such ones may be added then.

        Raises:
            ConflictError: There is one of that name with another width, metric or origin.
        """
        card = SpaceCard(int(dim), Metric.parse(metric), origin)
        self._commit(lambda draft: draft.create_space(name, card))

    def drop_space(self, name: str) -> None:
        """Take a space and its rows out.

        Args:
            name: Its name.

        Raises:
            NotFoundError: There is none of that name.
        """
        self._commit(lambda draft: draft.drop_space(_named(draft, name)))

    def add(
        self,
        ids: "Sequence[str] | pa.Array",
        vectors: "npt.ArrayLike",
        columns: "pa.Table | Mapping[str, Any] | None" = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """Add rows with ids that are new to the space. All of them or, with an error, none.

        The first rows of an empty collection make its space (`vectors`, compared by cosine) where none is named.

        Args:
            ids: n different ids.
            vectors: (n, dim) finite numbers.
            columns: A table, or a list for each name, of n values.
            space: The space to add to, where there are several.
            origin: Where the vectors come from. A space that has an origin takes only vectors of the same.

        Returns:
            How many rows were added.

        Raises:
            ConflictError: Some ids are there already.
            IncompatibleError: Another width or origin, or another type of a column.
            PolysemaError: NaN, Inf or a wrong id.
        """
        batch = batch_of(ids, vectors, columns, None)
        self._commit(lambda draft: _put(draft, batch, space, origin, False))
        return len(batch)

    def upsert(
        self,
        ids: "Sequence[str] | pa.Array",
        vectors: "npt.ArrayLike",
        columns: "pa.Table | Mapping[str, Any] | None" = None,
        space: str | None = None,
        origin: Origin | None = None,
    ) -> int:
        """As `add`, in the place of rows with the same ids.

        Args:
            ids: n different ids.
            vectors: (n, dim) finite numbers.
            columns: A table, or a list for each name, of n values.
            space: The space to add to, where there are several.
            origin: Where the vectors come from.

        Returns:
            How many of the ids were there before.

        Raises:
            IncompatibleError: Another width or origin, or another type of a column.
            PolysemaError: NaN, Inf or a wrong id.
        """
        batch = batch_of(ids, vectors, columns, None)
        return self._commit(lambda draft: _put(draft, batch, space, origin, True))

    def delete(self, ids: "Sequence[str] | pa.Array", space: str | None = None) -> int:
        """Delete rows.

        Args:
            ids: Their ids; those that aren't there are passed over.
            space: Their space, where there are several.

        Returns:
            How many of the ids were there.
        """
        names = ids_of(ids)
        return self._commit(lambda draft: draft.delete(_named(draft, space), names))

    def delete_where(self, where: "str | Filter", space: str | None = None) -> int:
        """Delete the rows that pass a condition.

        Args:
            where: A condition on the columns.
            space: Their space, where there are several.

        Returns:
            How many rows were deleted.

        Raises:
            PolysemaError: The condition is wrong.
        """
        return self._commit(lambda draft: draft.delete_where(_named(draft, space), where))

    def widen(self, column: str, kind: "str | pa.DataType") -> str:
        """Give a column a type that holds all of its values and more.

        A column of texts takes any value, as its text, from then on.

        Args:
            column: Its name.
            kind: A type, such as `double` or `string`.

        Returns:
            The name of the type.

        Raises:
            IncompatibleError: A value of the column doesn't fit without loss.
            NotFoundError: There is no such column.
            PolysemaError: There is no such type.
        """
        wanted = parse_type(kind) if isinstance(kind, str) else stored_type(kind, column)
        self._commit(lambda draft: draft.widen(column, wanted))
        return str(wanted)

    def _commit(self, apply: Callable[[Draft], T]) -> T:
        """One version for all changes that wait: the first thread to come writes them together."""
        change = _Change(apply)
        with self._queueing:
            self._queue.append(change)
        with self._writing:
            if not change.done:
                with self._queueing:
                    changes, self._queue = self._queue, []
                self._write(changes)
        if change.error is not None:
            raise change.error
        answer: T = change.answer
        return answer

    def _write(self, changes: list[_Change]) -> None:
        try:
            with translate_os_errors(self.root, "change"), self._locked():
                view = self.view()
                draft = Draft(self._disk, self.root, view)
                for change in changes:
                    try:
                        change.answer = change.apply(draft)
                    except UserError as error:
                        change.error = error
                if draft.changed:
                    self._publish(draft.manifest())
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
    def _locked(self) -> Iterator[None]:
        with self._disk.locked(self.root / layout.LOCK, self.options.wait, "changed"):
            yield

    def _publish(self, manifest: Manifest, discard: bool = True) -> None:
        """Make a version the current one; what was written for one that can't be published is removed (`discard`)."""
        try:
            layout.publish(self._disk, self.root, manifest)
        except OSError:
            if discard:
                self._discard(manifest)
            raise
        with self._opening:
            self._view = self._opened(manifest)
        if manifest.version % COLLECT_EVERY == 0:
            self._collect()

    def _discard(self, manifest: Manifest) -> None:
        if layout.numbered(self.root, manifest.version).exists():
            return  # it is the current version, though perhaps not durably
        for name in referenced([manifest]) - referenced([self._view.manifest]):
            self._disk.discard(self.root / layout.SEGMENTS / name)

    # looking after

    def compact(
        self,
        space: str | None = None,
        index: "IndexSpec | str | None" = None,
        progress: Progress = no_progress,
        *,
        memory_bytes: int | None = None,
        recall: float | None = None,
    ) -> str:
        """Write a space's rows anew as one segment with an index; others read and write meanwhile.

        Args:
            space: Its name, where there are several.
            index: A recipe, its kind, `auto` (chosen by rows, width and the two below), `none` for the exact search, or
                None for what the space had before (`auto` the first time).
            progress: Is called with (what, done, total).
            memory_bytes: The most that an index of `auto` may take.
            recall: The recall@10, above 0 and at most 1, that is wanted of an index of `auto`.

        Returns:
            Why that index was taken, in one line.

        Raises:
            BusyError: Another compaction is under way.
        """
        with (
            translate_os_errors(self.root, "compact"),
            self._disk.locked(self.root / layout.COMPACTING, self.options.wait, "compacted"),
        ):
            view = self.view()
            name = view.name(space)
            recipe, reason = planned(view, name, index, memory_bytes, recall)
            new, sources = compacted(self._disk, self.root, view, name, recipe, progress)
            with self._writing, self._locked():
                now = self.view()
                if name not in now.manifest.spaces:
                    raise ConflictError(f"the space {name} was dropped while it was compacted")
                card = replace(now.manifest.spaces[name], index=recipe.to_json() if recipe else {"kind": "none"})
                segments = carried_over(self._disk, self.root, new, sources, now)
                spaces = now.manifest.spaces | {name: card}
                self._publish(now.manifest.next(f"compact {name}", spaces=spaces, segments=segments))
                self._collect(compacted=True)
        return reason

    def collect(self, keep: int | None = None) -> int:
        """Remove what only old versions need. Snapshots stay.

        Args:
            keep: The versions to keep, from the newest; None: as `options` says.

        Returns:
            How many files were removed.
        """
        with translate_os_errors(self.root, "clean"), self._writing, self._locked():
            return self._collect(keep)

    def _collect(self, keep: int | None = None, compacted: bool = False) -> int:
        """Manifests go first, durably: a version that is listed has its files."""
        numbers = layout.versions(self._disk, self.root)
        old = numbers[: -(keep or self.options.keep)]
        manifests = self.root / layout.MANIFESTS
        for number in old:
            self._disk.unlink(layout.numbered(self.root, number))
        for name in self._disk.names(manifests):
            if name.endswith(DRAFT_ENDING) and not is_needed(self._disk, manifests / name):
                self._disk.discard(manifests / name)
        if old:
            self._disk.sync_folder(manifests)
        if not compacted and compacting(self._disk, self.root):
            return len(old)  # some files belong to a version that isn't there yet
        kept = [layout.read_manifest(self._disk, self.root, number) for number in numbers[len(old) :]]
        used = referenced(kept) | referenced(self.snapshots().values())
        dropped = [name for name in self._disk.names(self.root / layout.SEGMENTS) if name not in used]
        for name in dropped:
            self._disk.discard(self.root / layout.SEGMENTS / name)
        return len(old) + len(dropped)

    # versions

    def versions(self) -> list[Manifest]:
        """The versions that are kept; `restore` goes back to one.

        Returns:
            Their manifests, oldest first.
        """
        with translate_os_errors(self.root, "read"):
            found = []
            for number in layout.versions(self._disk, self.root):
                try:
                    found.append(layout.read_manifest(self._disk, self.root, number))
                except FileNotFoundError:  # collected meanwhile
                    continue
            return found

    def snapshots(self) -> dict[str, Manifest]:
        """The versions that were given a name, which are kept until it is taken away.

        Returns:
            A manifest for each name.
        """
        with translate_os_errors(self.root, "read"):
            folder = self.root / layout.SNAPSHOTS
            paths = [folder / name for name in self._disk.names(folder) if name.endswith(".json")]
            return {path.stem: Manifest.unsealed(read_sealed(self._disk, path), path) for path in paths}

    def snapshot(self, name: str) -> int:
        """Give the current version a name under which it is kept.

        Args:
            name: Letters, digits, `.`, `-` and `_`.

        Returns:
            The number of the version.

        Raises:
            ConflictError: There is a snapshot of that name.
        """
        path = self.root / layout.SNAPSHOTS / f"{check_name(name, 'a snapshot')}.json"
        with translate_os_errors(self.root, "change"), self._writing, self._locked():
            version = self.view().manifest.version
            try:
                give_name(self._disk, layout.numbered(self.root, version), path)
            except FileExistsError:
                raise ConflictError(
                    f"{self.root} has a snapshot {name} already; drop it first, or choose another name"
                ) from None
            self._disk.sync_folder(path.parent)
            return version

    def drop_snapshot(self, name: str) -> None:
        """Take a snapshot's name away; its files go when no version needs them.

        Args:
            name: Its name.

        Raises:
            NotFoundError: There is none of that name.
        """
        path = self.root / layout.SNAPSHOTS / f"{check_name(name, 'a snapshot')}.json"
        with translate_os_errors(self.root, "change"), self._writing, self._locked():
            try:
                self._disk.unlink(path)
            except FileNotFoundError:
                there = ", ".join(self.snapshots()) or "none"
                raise NotFoundError(f"{self.root} has no snapshot {name}; it has {there}") from None
            self._disk.sync_folder(path.parent)

    def restore(self, version: "int | str") -> int:
        """Make an earlier version the current one again.

        Args:
            version: Its number, or the name of a snapshot.

        Returns:
            The number of the new version.

        Raises:
            NotFoundError: It is not kept; the message says which are.
        """
        with translate_os_errors(self.root, "change"), self._writing, self._locked():
            now = self.view().manifest
            found = self.snapshots().get(str(version))
            if found is None and str(version).isdecimal():
                found = next((one for one in self.versions() if one.version == int(version)), None)
            if found is None:
                numbers = ", ".join(str(one.version) for one in self.versions())
                names = ", ".join(self.snapshots()) or "none"
                raise NotFoundError(
                    f"{self.root} keeps the versions {numbers} and the snapshots {names}; got {version!r}"
                )
            what = f"back to {version}"
            old = {"spaces": found.spaces, "columns": found.columns, "segments": found.segments}
            self._publish(now.next(what, **old), discard=False)
            return now.version + 1


def _named(draft: Draft, space: str | None) -> str:
    """The space that is meant, among those of the version in the making."""
    if space is None and len(draft.spaces) == 1:
        return next(iter(draft.spaces))
    if space is not None and space in draft.spaces:
        return space
    there = ", ".join(draft.spaces) or "none yet"
    if space is None:
        raise UserError(f"{draft.root} has no single space: name one; it has {there}")
    raise NotFoundError(f"{draft.root} has no space {space!r:.80}; it has {there}")


def _put(draft: Draft, batch: Batch, space: str | None, origin: Origin | None, replaces: bool) -> int:
    name = space
    if name is None:
        name = _named(draft, None) if draft.spaces else DEFAULT_SPACE
    if name not in draft.spaces:
        if not len(batch):
            return 0
        joined(draft.columns, batch.columns)  # what is wrong with the rows is told before their space is made
        draft.create_space(name, SpaceCard(batch.vectors.shape[1], Metric.COSINE, origin))
    return draft.put(name, batch, replaces, origin)
