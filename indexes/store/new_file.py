"""Files of a collection: written under a name of their own, once, and never changed.

`NewFile` counts and hashes the bytes on their way to the disk, `SealedFile` gives them back only while they are the
ones that were written.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from polysema.core.locks import file_lock
from polysema.indexes.store.disk import Disk

if TYPE_CHECKING:
    from typing_extensions import Buffer

BLOCK_BYTES = 1 << 16  # bytes that are hashed at once
MAX_PARTS = 128  # parts of a file that can be checked alone, at most


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file as it was written: its name, length, SHA-256, and a hash for each part of `part` blocks.

    A part's hash is XXH3 (128 bits) over the XXH3 digests of its blocks of 64 KiB: a file that grows while it is
    written has one pass over it, and at most 128 parts whatever its length.
    """

    name: str
    bytes: int
    sha256: str
    part: int
    sums: str

    @property
    def n_parts(self) -> int:
        """How many parts can be checked alone."""
        return len(self.sums) // 32

    def to_json(self) -> dict[str, object]:
        """As plain JSON types."""
        return {"name": self.name, "bytes": self.bytes, "sha256": self.sha256, "part": self.part, "sums": self.sums}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "FileRef":
        """The inverse of `to_json`."""
        return cls(value["name"], value["bytes"], value["sha256"], value["part"], value["sums"])


class NewFile:
    """A file that is being written: `write` bytes in order, then `seal`. Left without a seal, it is removed."""

    def __init__(self, disk: Disk, path: Path):
        self.path = path
        self.closed = False
        self._disk = disk
        self._fd = disk.open(path, new=True)
        self._sha256 = hashlib.sha256()
        self._digests: list[bytes] = []
        self._pending = bytearray()
        self._bytes = 0

    def write(self, data: "Buffer") -> int:
        """Append bytes (anything with a buffer); they reach the disk in pieces of a MiB."""
        view = memoryview(data).cast("B")
        self._pending += view
        if len(self._pending) >= 1 << 20:
            self._drain(len(self._pending) // BLOCK_BYTES * BLOCK_BYTES)
        self._bytes += len(view)
        return len(view)

    def tell(self) -> int:
        """How many bytes were written."""
        return self._bytes

    def flush(self) -> None:
        """Nothing: what counts is the seal."""

    def _drain(self, count: int) -> None:
        data = bytes(memoryview(self._pending)[:count])
        del self._pending[:count]
        self._disk.append(self._fd, self.path, data)
        self._sha256.update(data)
        view = memoryview(data)
        self._digests += [xxhash.xxh3_128_digest(view[at : at + BLOCK_BYTES]) for at in range(0, count, BLOCK_BYTES)]

    def seal(self) -> FileRef:
        """Write the rest, sync it and close; returns what the manifest says of the file."""
        try:
            self._drain(len(self._pending))
            self._disk.sync(self._fd, self.path)
        finally:
            self.close()
        part = 1
        while len(self._digests) > part * MAX_PARTS:
            part *= 2
        sums = "".join(
            xxhash.xxh3_128_hexdigest(b"".join(self._digests[at : at + part]))
            for at in range(0, len(self._digests), part)
        )
        return FileRef(self.path.name, self._bytes, self._sha256.hexdigest(), part, sums)

    def close(self) -> None:
        """Let the file go."""
        if not self.closed:
            self.closed = True
            os.close(self._fd)


class _Writer(NewFile):
    ref: FileRef


@contextmanager
def writing(disk: Disk, path: Path) -> Iterator[_Writer]:
    """A new file to write to in pieces; sealed at the end (`.ref`), removed after an exception."""
    file = _Writer(disk, path)
    try:
        yield file
        file.ref = file.seal()
    except BaseException:
        file.close()
        discard(disk, path)
        raise


def write_file(disk: Disk, path: Path, data: bytes) -> FileRef:
    """A whole new file, durable as soon as its folder is synced; nothing is left when it can't be written."""
    with writing(disk, path) as file:
        file.write(data)
    return file.ref


def read_file(disk: Disk, path: Path) -> bytes:
    """A whole file."""
    fd = disk.open(path)
    try:
        return disk.read_at(fd, path, 0, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def discard(disk: Disk, path: Path) -> None:
    """Remove a file that nothing refers to; when that fails it is collected later."""
    with suppress(OSError):
        disk.unlink(path)


@contextmanager
def locked(path: Path, wait: float, what: str) -> Iterator[None]:
    """Hold the lock file at `path` (freed when the process ends); raises `BusyError` after `wait` seconds."""
    with file_lock(path, wait, f"{path.parent} is being {what} by another process"):
        yield
