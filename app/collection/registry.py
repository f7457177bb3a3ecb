"""The collections of the service and the dashboard: folders below one data folder, by checked names, each opened
once.
"""

from __future__ import annotations

import shutil
import stat
import threading
import uuid
from collections.abc import Callable, Iterator
from collections.abc import Collection as Names
from contextlib import contextmanager
from pathlib import Path

from polysema.core.atomic import atomic_folder
from polysema.core.errors import ConflictError, NotFoundError, UserError
from polysema.core.model.catalog import catalog_names
from polysema.indexes.collection import Collection
from polysema.indexes.engines.address import ADDRESS_MARK, address_in, drop_at, is_address
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.store.manifest import MANIFESTS, NAME, check_name

COLLECTION_MARK = "FORMAT"
MAX_OPEN_COLLECTIONS = 64


class CollectionRegistry:
    """Names to collections. A name is one component of A-Z a-z 0-9 _ . -, never a path, and never a link."""

    def __init__(self, folder: Path, taken: Callable[[], Names[str]] = catalog_names):
        self.folder, self._taken = folder, taken
        self._open: dict[str, VectorCollection] = {}
        self._marks: dict[str, tuple[int, int, int]] = {}  # of the folders that were opened
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The collections that are there."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if not p.name.startswith(".") and is_there(p))

    def __contains__(self, name: object) -> bool:
        """Whether there is a collection of that name."""
        return isinstance(name, str) and bool(NAME.fullmatch(name)) and is_there(self._path(name))

    def get(self, name: str) -> VectorCollection:
        """The collection of that name; raises `NotFoundError`."""
        path = self._path(name)
        with self._lock:
            mark = _mark_of(path)
            if mark is None or mark != self._marks.get(name):  # gone, or another one, made by another process
                self._open.pop(name, None)
                self._marks.pop(name, None)
            if mark is None:
                self.where(name)
            if name not in self._open:
                while len(self._open) >= MAX_OPEN_COLLECTIONS:
                    self._open.pop(next(iter(self._open)))
                self._open[name] = Collection.open(address_in(path) or path)
                if mark is not None:
                    self._marks[name] = mark
            return self._open[name]

    def open(self, place: str | Path, new: bool = False) -> VectorCollection:
        """The collection in any folder, at the address of another engine, or, where neither is there, of that name
        here; raises `NotFoundError`. A `new` one is made in the folder or at the address; raises `ConflictError`.

        What comes over a network is a name, and goes to `get`.
        """
        if new:
            return Collection.create(place)
        named = isinstance(place, str) and not is_address(place) and not Path(place).exists() and place in self
        return self.get(str(place)) if named else Collection.open(place)

    @contextmanager
    def filling(self, place: str | Path) -> Iterator[VectorCollection]:
        """The collection in a folder or at an address, made where there is none; made for nothing, where the block
        raises a `UserError` before a row is there, it goes again.
        """
        try:
            collection, new = Collection.open(place), False
        except NotFoundError:
            collection, new = self.open(place, new=True), True
        try:
            yield collection
        except UserError:
            if new and not len(collection):
                _remove(place)
            raise

    def opened(self, name: str) -> VectorCollection | None:
        """The collection of that name if it is open already, without a look at the disk or a wait for anybody."""
        return self._open.get(name)

    def where(self, name: str) -> Path:
        """The folder of a collection, be it damaged; raises `NotFoundError` where there is none."""
        path = self._path(name)
        if not is_there(path) and not (path / MANIFESTS).is_dir():
            there = ", ".join(self.names()[:20]) or "none"
            raise NotFoundError(f"there is no collection {name}; there are: {there}")
        return path

    def create(self, name: str) -> VectorCollection:
        """Make an empty collection; raises `ConflictError` when the name is taken."""
        path = self._free(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._open[name] = made = Collection.create(path)
            self._marks[name] = _mark_of(path) or (0, 0, 0)
            return made

    def link(self, name: str, address: str) -> VectorCollection:
        """Give a collection on another engine a name here; raises `NotFoundError` where it isn't there, `ConflictError`
        when the name is taken.
        """
        found, path = Collection.open(address), self._free(name)
        try:
            with atomic_folder(path) as part:
                (part / ADDRESS_MARK).write_text(f"{found.root}\n", encoding="utf-8")
        except FileExistsError:
            raise ConflictError(f"there is a collection {name} already; choose another name") from None
        return found

    @contextmanager
    def making(self, name: str) -> Iterator[VectorCollection]:
        """A new collection, which is there under its name, whole, when the block ends; with an error or a kill it
        never is.

        Raises `ConflictError` when the name is taken, at the start or meanwhile.
        """
        final = self._free(name)
        if final.exists():
            raise ConflictError(f"there is a collection {name} already; choose another name")
        try:
            with atomic_folder(final) as part:
                made = Collection.create(part)
                yield made
                made.history.collect(keep=1)  # that it was empty for a moment is no version to go back to
        except FileExistsError:
            raise ConflictError(f"a collection {name} was made meanwhile; choose another name") from None

    def delete(self, name: str) -> None:
        """Delete a collection and all its versions; it is out of sight at once, whole."""
        self.where(name)
        with self._lock:  # a damaged one can't be opened, and can be deleted
            self._open.pop(name, None)
            gone = self.folder / f".deleted-{uuid.uuid4().hex}"
            try:
                self._path(name).rename(gone)
            except FileNotFoundError:
                raise NotFoundError(f"there is no collection {name}") from None
        shutil.rmtree(gone, ignore_errors=True)

    def _free(self, name: str) -> Path:
        """The path of a new collection, whose name must not be that of anything else that has a name."""
        if name in self._taken():
            raise ConflictError(f"{name} is a name of the catalog, or of a model that is served; choose another")
        return self._path(name)

    def _path(self, name: str) -> Path:
        path = self.folder / check_name(name, "a collection")
        if path.is_symlink():
            raise UserError(f"{name} is a link, which could lead out of the data folder; it isn't followed")
        return path


def is_there(path: Path) -> bool:
    """Whether a folder is a collection's, or that of a name for one on another engine."""
    return (path / COLLECTION_MARK).is_file() or address_in(path) is not None


def _remove(place: str | Path) -> None:
    if is_address(str(place)):
        drop_at(str(place))
    else:
        shutil.rmtree(place)


def _mark_of(path: Path) -> tuple[int, int, int] | None:
    """What tells the collection in a folder from another that was there before; None where there is none."""
    try:
        found = (path / (ADDRESS_MARK if (path / ADDRESS_MARK).is_file() else COLLECTION_MARK)).stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None
