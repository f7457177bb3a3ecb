"""Spaces by their names: files, tables of models, collections."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from polysema.app.explorer.options import COLLECTION_LIMIT
from polysema.core.errors import UserError
from polysema.core.files.formats import open_glove, read_vectors
from polysema.core.model.catalog import ModelLocation, catalog
from polysema.core.model.model_folder import is_static_embedding
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Origin, Space
from polysema.indexes.collection import Collection
from polysema.indexes.engines.address import address_in
from polysema.indexes.store.manifest import FORMAT_FILE, MANIFESTS
from polysema.indexes.store.manifest import NAME as COLLECTION_NAME
from polysema.indexes.store.space_rows import SpaceRows

if TYPE_CHECKING:
    from polysema.app.explorer.model_names import ModelNames


@dataclass(frozen=True, slots=True)
class SpacePlace:
    """Where the space of a name is: at the `address` of another engine, or in the `folder` of a collection, where it is
    the one called `inner`; neither for a file, a folder or a row of the catalog. `stamp` tells whether it has changed.
    """

    address: str | None = None
    folder: Path | None = None
    inner: str | None = None
    stamp: Hashable = None


def place_of(collections: Path, names: ModelNames, name: str) -> SpacePlace:
    """Where the space of a name is. An owner's name stands before a collection's, which stands before a file's."""
    first, _, inner = name.partition("/")
    folder = collections / first
    here = COLLECTION_NAME.fullmatch(first) is not None and folder.is_dir()
    if here and (address := address_in(folder)) is not None:
        return SpacePlace(address if not inner else f"{address}/{inner}")
    if names.owns(name):
        return SpacePlace(stamp=file_stamp(str(names.locate(name).path or name)))
    if here and is_collection(folder) and not Path(name).exists() and all(row.name != name for row in catalog()):
        return SpacePlace(None, folder, inner or None, file_stamp(str(folder)))
    return SpacePlace(stamp=file_stamp(name))


def is_collection(path: Path) -> bool:
    """Whether a folder is a collection's."""
    return (path / FORMAT_FILE).is_file()


def file_stamp(name: str) -> Hashable:
    """What tells whether a file or folder has changed since it was opened; None for what isn't one."""
    try:
        path = Path(name).expanduser()
        known = (path / MANIFESTS if is_collection(path) else path).stat()
    except (OSError, ValueError, RuntimeError):
        return None
    return (known.st_mtime_ns, known.st_size, known.st_ino)


def static_space(found: ModelLocation, progress: Progress = no_progress) -> Space | SpaceRows:
    """The space of a file of vectors, of the catalog's, of a model's own table, or the rows of a collection."""
    if found.path is not None and is_collection(found.path):
        return SpaceRows(Collection(found.path).view(), None)
    if not found.is_vectors:
        from polysema.core.model.static import input_table

        return input_table(found, progress)
    assert found.path is not None
    if is_static_embedding(found.path):
        from polysema.core.model.static_embedding import open_static_embedding

        return open_static_embedding(found).space()
    if found.path.is_file():  # a file of a user's own
        space = read_vectors(found.path, progress)
        return space if found.entry is None else _named(space, found)
    assert found.entry is not None
    origin = Origin(found.name, weights_sha256=found.entry.members[0].sha256, revision=found.entry.requirement)
    return open_glove(found.path, origin)


def first_rows(space: Space, limit: int) -> Space:
    """The first rows of a space, which its card says; the space itself where it has no more.

    Raises:
        UserError: The limit is below 1, or the space is a collection's.
    """
    if limit < 1:
        raise UserError(f"limit is how many words of the space are opened, at least 1; got {limit}")
    if hasattr(space.vectors, "streams"):
        raise UserError(COLLECTION_LIMIT)
    if limit >= len(space):
        return space
    first = space.take(range(limit))
    return replace(first, origin=space.origin.with_notes(f"the first {limit:,} of {len(space):,} words"))


def _named(space: Space, found: ModelLocation) -> Space:
    """The space of a file under the name that stands for it: its path is told nowhere."""
    revision = found.entry.requirement if found.entry is not None else ""
    notes = tuple(note.replace(str(found.path), found.name) for note in space.origin.notes)
    return replace(space, origin=replace(space.origin, source=found.name, revision=revision, notes=notes))
