"""Disks that record what becomes durable, and disks on which something fails."""

import errno
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polysema.indexes.store.disk import Disk, StoreLimits
from tests.store.scenario import SMALL_LIMITS

Skip = Callable[[str], bool]


def site(path: Path, root: Path) -> str:
    """Where a sync is called from and what it is of: `publish: folder segments`, `seal: .parquet`."""
    frame = sys._getframe(2)
    while frame.f_code.co_name in (
        "sync",
        "sync_folder",
        "seal",
        "writing",
        "write",
        "write_file",
        "__exit__",
        "discard",
    ):
        assert frame.f_back is not None
        frame = frame.f_back
    if path.is_dir():
        what = "folder " + ("root" if path == root else "parent" if path == root.parent else path.name)
    else:
        what = path.suffix or path.name
    return f"{frame.f_code.co_name}: {what}"


@dataclass
class Recording(Disk):
    """Does everything, and keeps a log of it; syncs for which `skip` says so are left out (of the log, and of the
    disk).
    """

    root: Path
    log: list[tuple[Any, ...]] = field(default_factory=list)
    skip: Skip = lambda label: False
    sites: set[str] = field(default_factory=set)
    paths: dict[int, Path] = field(default_factory=dict)
    limits: StoreLimits = SMALL_LIMITS
    first_skip: int = 0  # how long the log was when the first sync was left out

    def open(self, path: Path, new: bool = False) -> int:
        fd = super().open(path, new)
        if new:
            self.log.append(("create", path))
        return fd

    def append(self, fd: int, path: Path, data: bytes) -> None:
        super().append(fd, path, data)
        self.log.append(("append", path, data))

    def sync(self, fd: int, path: Path) -> None:
        label = site(path, self.root)
        self.sites.add(label)
        self._log_sync(("sync", path), label)

    def sync_folder(self, path: Path) -> None:
        label = site(path, self.root)
        self.sites.add(label)
        self._log_sync(("sync_folder", path), label)

    def _log_sync(self, step: tuple[str, Path], label: str) -> None:
        if not self.skip(label):
            self.log.append(step)
        elif not self.first_skip:
            self.first_skip = len(self.log)

    def link(self, source: Path, target: Path) -> None:
        super().link(source, target)
        self.log.append(("link", source, target))

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self.log.append(("unlink", path))

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self.log.append(("rename", source, target))

    def make_folder(self, path: Path) -> None:
        super().make_folder(path)
        self.log.append(("make_folder", path))

    def note(self, *what: Any) -> None:
        """Put something of the test's own into the log."""
        self.log.append(what)


@dataclass
class RecordingWithoutLinks(Recording):
    """The same on a file system that has no hard links, as FAT, exFAT and some network and user-space ones."""

    def link(self, source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(source), None, str(target))


@dataclass
class _Inode:
    data: bytearray = field(default_factory=bytearray)
    synced: int = -1  # bytes that are durable; -1: not even its length


def after_power_loss(  # noqa: C901  a branch for each step of the log
    log: list[tuple[Any, ...]], variant: int, rng: random.Random
) -> "tuple[dict[Path, bytes], set[Path]]":
    """The files and folders that a disk may hold when the power goes after the steps of `log`.

    Of unsynced bytes any may be lost, cut, zero or garbage; of unsynced names any may be there or not. Variant 0 loses
    all names that weren't synced, 1 keeps them all, the others choose each by chance.
    """
    names: dict[Path, _Inode | None] = {}  # None is a folder
    durable: dict[Path, _Inode | None] = {}
    waiting: list[list[tuple[Path, _Inode | None, bool]]] = []  # each wholly or not at all

    def change(path: Path, inode: "_Inode | None", there: bool) -> None:
        waiting.append([(path, inode, there)])
        if there:
            names[path] = inode
        else:
            names.pop(path)

    for step, *args in log:
        if step == "create":
            change(args[0], _Inode(), True)
        elif step == "append":
            inode = names[args[0]]
            assert inode is not None
            inode.data += args[1]
        elif step == "sync":
            inode = names[args[0]]
            assert inode is not None
            inode.synced = len(inode.data)
        elif step == "link":
            change(args[1], names[args[0]], True)
        elif step == "unlink":
            change(args[0], names[args[0]], False)
        elif step == "rename":  # the old name goes and the new one comes at once
            inode = names.pop(args[0])
            names[args[1]] = inode
            waiting.append([(args[1], inode, True), (args[0], inode, False)])
        elif step == "make_folder":
            change(args[0], None, True)
        elif step == "sync_folder":
            for one in [one for one in waiting if one[0][0].parent == args[0]]:
                waiting.remove(one)
                _apply(durable, one)
    for one in waiting:
        if variant == 1 or (variant > 1 and rng.random() < 0.5):
            _apply(durable, one)
    folders = {path for path, inode in durable.items() if inode is None}
    files = {path: _left(inode, rng) for path, inode in durable.items() if inode is not None}
    return files, folders


def _apply(durable: "dict[Path, _Inode | None]", changes: "list[tuple[Path, _Inode | None, bool]]") -> None:
    for path, inode, there in changes:
        if there:
            durable[path] = inode
        else:
            durable.pop(path, None)


def _left(inode: _Inode, rng: random.Random) -> bytes:
    kept = bytes(inode.data[: max(inode.synced, 0)])
    loose = bytes(inode.data[max(inode.synced, 0) :])
    if not loose:
        return kept
    way = rng.randrange(5)
    return (
        kept + [b"", loose[: rng.randrange(len(loose) + 1)], loose, bytes(len(loose)), rng.randbytes(len(loose))][way]
    )


@dataclass
class Failing(Disk):
    """Its n-th step fails (counted from 1; 0: none does), once or from then on."""

    at: int = 0
    error: int = errno.EIO
    forever: bool = False
    count: int = 0
    failed: str = ""
    limits: StoreLimits = SMALL_LIMITS

    def _step(self, what: str) -> bool:
        self.count += 1
        fails = self.at > 0 and (self.count == self.at or (self.forever and self.count > self.at))
        if fails:
            self.failed = what
        return fails

    def _fail(self, path: Path) -> None:
        raise OSError(self.error, os.strerror(self.error), str(path))

    links: bool = True

    def append(self, fd: int, path: Path, data: bytes) -> None:
        if self._step("append"):
            super().append(fd, path, data[: len(data) // 2])
            self._fail(path)
        super().append(fd, path, data)

    def sync(self, fd: int, path: Path) -> None:
        if self._step("sync"):
            self._fail(path)

    def sync_folder(self, path: Path) -> None:
        if self._step("sync_folder"):
            self._fail(path)

    def link(self, source: Path, target: Path) -> None:
        if self._step("link"):
            self._fail(target)
        if not self.links:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), str(target))
        super().link(source, target)

    def unlink(self, path: Path) -> None:
        if self._step("unlink"):
            self._fail(path)
        super().unlink(path)

    def rename(self, source: Path, target: Path) -> None:
        if self._step("rename"):
            self._fail(source)
        super().rename(source, target)

    def make_folder(self, path: Path) -> None:
        if self._step("make_folder"):
            self._fail(path)
        super().make_folder(path)

    def open(self, path: Path, new: bool = False) -> int:
        if self._step("create" if new else "open"):
            self._fail(path)
        return super().open(path, new)

    def read_at(self, fd: int, path: Path, start: int, count: int) -> bytes:
        if self._step("read_at"):
            self._fail(path)
        return super().read_at(fd, path, start, count)

    def names(self, folder: Path) -> list[str]:
        if self._step("names"):
            self._fail(folder)
        return super().names(folder)
