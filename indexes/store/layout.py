"""The folder of a collection: how it is made and recognized, and what the system's errors mean there."""

import errno
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from polysema.core.errors import (
    ConflictError,
    CorruptError,
    DiskFullError,
    NotFoundError,
    StorageError,
    UserError,
)
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.manifest import Manifest
from polysema.indexes.store.naming import give_name, read_sealed
from polysema.indexes.store.new_file import discard, locked, write_file
from polysema.indexes.store.version_span import spans

PARTS = (layout.MANIFESTS, layout.SEGMENTS, layout.SNAPSHOTS)  # the folders in it


@contextmanager
def translate_os_errors(root: Path, doing: str) -> Iterator[None]:
    """The system's errors in one line of ours; a missing file is left to those who know whether another may be
    there.
    """
    try:
        yield
    except (FileNotFoundError, UserError):
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"can't {doing} {root}: the disk is full. What was acknowledged is whole; free space and try again"
            ) from error
        where = f" ({error.filename})" if error.filename else ""
        raise StorageError(f"can't {doing} {root}: {error.strerror or error}{where}") from error


def missing(error: FileNotFoundError) -> CorruptError:
    """The error for a file that a version needs and that isn't there."""
    return CorruptError(f"{error.filename} is missing; {REPAIR}")


def open_format(disk: Disk, root: Path) -> str:
    """The id of the collection in a folder."""
    path = root / layout.FORMAT_FILE
    try:
        value = layout.unseal(read_sealed(disk, path), path)
    except (FileNotFoundError, NotADirectoryError):
        if _lived(disk, root):
            raise CorruptError(f"{path} is missing; {REPAIR}") from None
        raise NotFoundError(
            f"{root} holds no collection; make one with `polysema collection create {root}` or `polysema collection "
            "import`"
        ) from None
    if value.get("kind") != layout.KIND:
        raise CorruptError(f"{path} is not a collection's; {REPAIR}")
    layout.check_format(value, path)
    return str(value["collection"])


def _lived(disk: Disk, root: Path) -> bool:
    """Whether a folder without the mark holds more than the making of a collection that was stopped."""
    folder = root / layout.MANIFESTS
    return folder.is_dir() and any(name > f"{1:020d}.json" for name in disk.names(folder) if name.endswith(".json"))


def make(disk: Disk, root: Path, fill: "Callable[[Path], Manifest] | None" = None) -> None:
    """The folder's parts, each synced, its mark last: a folder without the mark is begun again where it was left.

    `fill` puts files into it and returns the version (of another collection) that refers to them.
    """
    _take_folder(disk, root)
    for part in PARTS:
        if not (root / part).is_dir():
            disk.make_folder(root / part)
    for name in (layout.LOCK, layout.COMPACTING):
        if not (root / name).exists():
            os.close(disk.open(root / name, new=True))
    disk.sync_folder(root)
    with locked(root / layout.LOCK, 0, "created"):
        if (root / layout.FORMAT_FILE).exists():
            raise ConflictError(f"{root} was made a collection by another process just now")
        for name in disk.names(root / layout.MANIFESTS):  # of a making that was stopped
            disk.unlink(root / layout.MANIFESTS / name)
        for span in spans(disk, root):
            disk.unlink(root / span.name)
        first = Manifest(uuid.uuid4().hex)
        if fill is not None:
            source = fill(root)
            first = replace(first, spaces=source.spaces, columns=source.columns, segments=source.segments)
        layout.publish(disk, root, first.next("created"))
        mark(disk, root, first.collection)


def _take_folder(disk: Disk, root: Path) -> None:
    """The folder, made where it isn't there; raises `ConflictError` where anything else is in it."""
    if not root.parent.is_dir():
        raise NotFoundError(f"{root.parent} is not there; make the folder first")
    try:
        disk.make_folder(root)
    except FileExistsError:
        if not root.is_dir():
            raise ConflictError(f"{root} is a file; name a new folder") from None
    strangers = set(disk.names(root)) - {*PARTS, layout.LOCK, layout.COMPACTING, f"{layout.FORMAT_FILE}.tmp"}
    strangers -= {span.name for span in spans(disk, root)}
    if strangers or _lived(disk, root):
        ours = not strangers or layout.FORMAT_FILE in strangers
        what = "a collection" if ours else f"other things ({min(strangers)})"
        raise ConflictError(f"{root} holds {what} already; name a new folder")
    disk.sync_folder(root.parent)


def mark(disk: Disk, root: Path, collection: str) -> None:
    """Write the file that makes the folder a collection; raises `ConflictError` when it has one."""
    draft = root / f"{layout.FORMAT_FILE}.tmp"
    discard(disk, draft)
    write_file(disk, draft, layout.seal({"kind": layout.KIND, "format": layout.FORMAT, "collection": collection}))
    try:
        give_name(disk, draft, root / layout.FORMAT_FILE)
    except FileExistsError:
        raise ConflictError(f"{root} was made a collection by another process just now") from None
    disk.sync_folder(root)
    discard(disk, draft)
