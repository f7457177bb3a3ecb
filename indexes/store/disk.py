"""Every step that touches a collection's disk, one method each, so that tests can record, fail and reorder them.

This is a layer beside `core.atomic`, not on it: a collection's file never takes the place of another (its name is made
by a link that fails where one is there, which is how two writers find out about each other), and the tests of power
cuts record and reorder each step. What both need, syncing and locking, is theirs: `core.atomic.sync`, `core.locks`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from polysema.core.atomic import sync

REPAIR = "see `polysema collection verify`, and `polysema collection repair` for what can be made whole"


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """From which size on the files of a collection are kept and searched in another way.

    Args:
        mapped_bytes: Vectors of a segment from which on they are kept in a file to be mapped as well.
        group_rows: Rows that are written, and lost, together.
        small_segment_rows: Rows of a segment below which it is searched, and written anew, together with others.
        collect_every: Commits after which files that nothing refers to are removed.
    """

    mapped_bytes: int = 8 << 20
    group_rows: int = 8192
    small_segment_rows: int = 4096
    collect_every: int = 16


class Disk:
    """The steps themselves, on a real file system.

    Args:
        limits: The sizes that decide how files are written; those of every collection where None.
    """

    def __init__(self, limits: StoreLimits | None = None):
        self.limits = limits or StoreLimits()

    # what becomes durable

    def append(self, fd: int, path: Path, data: bytes) -> None:
        """All of `data` at the end of the file."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int, path: Path) -> None:
        """The file's bytes are on the disk when this returns."""
        os.fsync(fd)

    def sync_folder(self, path: Path) -> None:
        """The folder's names are on the disk when this returns."""
        sync(path)

    def link(self, source: Path, target: Path) -> None:
        """A second name for a file; raises `FileExistsError`, which makes it a compare-and-swap."""
        os.link(source, target)

    def unlink(self, path: Path) -> None:
        """One name less."""
        path.unlink()

    def rename(self, source: Path, target: Path) -> None:
        """Another name for a file, in the place of its own, whole or not at all; `target` is not there yet."""
        source.rename(target)

    def make_folder(self, path: Path) -> None:
        """A new folder; raises `FileExistsError`."""
        path.mkdir()

    # what is read

    def open(self, path: Path, new: bool = False) -> int:
        """An existing file, open for reading; a `new` one, open for writing, raises `FileExistsError`."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL if new else os.O_RDONLY, 0o644)

    def read_at(self, fd: int, path: Path, start: int, count: int) -> bytes:
        """`count` bytes from `start`, fewer at the file's end."""
        pieces = []
        while count and (piece := os.pread(fd, count, start)):
            pieces.append(piece)
            start += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted."""
        return sorted(path.name for path in folder.iterdir())
