"""Files that are read with their checksums."""

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import xxhash

from polysema.core.environment import cores
from polysema.core.errors import CorruptError, UnreadableError
from polysema.core.space.space import Ints
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.new_file import BLOCK_BYTES, FileRef

READ_BYTES = 1 << 20  # bytes that are read at once to be checked: a multiple of those that are hashed


class SealedFile:
    """A file of a version. Bytes are given out only after the part of the file that they are in was checked.

    Raises `CorruptError`, which names the file, for another length or other bytes than were written; a missing file
    is a `FileNotFoundError`, since a newer version may have replaced it.
    """

    def __init__(self, disk: Disk, path: Path, ref: FileRef):
        self.path = path
        self.ref = ref
        self._disk = disk
        self._fd = disk.open(path)
        self._good = np.zeros(ref.n_parts, bool)
        self.all_good = False
        self._mapped: mmap | None = None
        self._mapping = threading.Lock()
        length = os.fstat(self._fd).st_size
        if length != ref.bytes:
            os.close(self._fd)
            self._fd = -1
            raise CorruptError(f"{path} has {length:,} bytes instead of the {ref.bytes:,} that were written; {REPAIR}")

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            os.close(self._fd)

    @property
    def part_bytes(self) -> int:
        """How many bytes are checked at once."""
        return self.ref.part * BLOCK_BYTES

    def check(self, start: int = 0, stop: int | None = None) -> None:
        """Check the parts that hold the bytes from `start` to `stop`, each once."""
        if self.all_good:
            return
        size = self.part_bytes
        first, last = start // size, -(-min(stop if stop is not None else self.ref.bytes, self.ref.bytes) // size)
        self.check_parts(np.arange(first, last))

    def check_parts(self, parts: Ints) -> None:
        """Check these parts, each once."""
        size = self.part_bytes
        todo = np.unique(parts[~self._good[parts]]).tolist()
        if len(todo) * size > 64 << 20:  # the hash lets the interpreter go
            with ThreadPoolExecutor(min(8, cores())) as pool:
                list(pool.map(self._check, todo))
        else:
            for part in todo:
                self._check(part)
        self.all_good = self.all_good or bool(self._good.all())

    def _check(self, part: int) -> None:
        start, stop = part * self.part_bytes, min((part + 1) * self.part_bytes, self.ref.bytes)
        digests = []
        for first in range(start, stop, READ_BYTES):
            data = memoryview(self._bytes(first, min(READ_BYTES, stop - first)))
            digests += [xxhash.xxh3_128_digest(data[at : at + BLOCK_BYTES]) for at in range(0, len(data), BLOCK_BYTES)]
        if xxhash.xxh3_128_hexdigest(b"".join(digests)) != self.ref.sums[32 * part : 32 * part + 32]:
            raise CorruptError(
                f"{self.path} is damaged: bytes {start:,} to {stop:,} are not the ones that were written; {REPAIR}"
            )
        self._good[part] = True

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        """The bytes from `start` to `stop`, checked."""
        stop = self.ref.bytes if stop is None else stop
        self.check(start, stop)
        return self._bytes(start, stop - start)

    def _bytes(self, start: int, count: int) -> bytes:
        try:
            return self._disk.read_at(self._fd, self.path, start, count)
        except OSError as error:
            raise UnreadableError(f"{self.path} can't be read: {error.strerror or error}") from error

    def map(self) -> mmap:
        """The whole file, mapped: `check` what is looked at."""
        with self._mapping:
            if self._mapped is None:
                self._mapped = mmap(self._fd, 0, access=ACCESS_READ)
            return self._mapped

    def check_sha256(self) -> None:
        """Read every byte and compare the SHA-256."""
        digest = hashlib.sha256()
        for start in range(0, self.ref.bytes, 1 << 22):
            digest.update(self._bytes(start, 1 << 22))
        if digest.hexdigest() != self.ref.sha256:
            raise CorruptError(f"{self.path} is damaged: its SHA-256 is not the one that was written; {REPAIR}")


class Stream:
    """A `SealedFile` as the file object that Arrow reads from."""

    def __init__(self, file: SealedFile):
        self._file = file
        self._at = 0
        self.closed = False

    def read(self, count: int = -1) -> bytes:
        """The next bytes."""
        stop = self._file.ref.bytes if count is None or count < 0 else min(self._at + count, self._file.ref.bytes)
        data = self._file.read(self._at, stop) if stop > self._at else b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        self._at = offset + (0, self._at, self._file.ref.bytes)[whence]
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def size(self) -> int:
        """The file's length."""
        return self._file.ref.bytes

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def writable(self) -> bool:
        """No."""
        return False

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Let it go; the file stays open for others."""
        self.closed = True
