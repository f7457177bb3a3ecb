"""Files and folders that appear whole or not at all: written beside under a name of their own, then renamed.

What a process that was killed left half-written is found by that name and removed by the next one (`sweep`).
"""

import os
import platform
import re
import shutil
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import IO

ABANDONED_SECONDS = 7 * 86_400.0  # after so long a part of another machine's process is nobody's any more
_PART = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.part")
_MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"  # process ids mean nothing on another machine
_mine: set[str] = set()  # the names of the parts that this process writes now


def atomic_write(path: Path, write: Callable[[IO[bytes]], object] | bytes, durable: bool = True) -> Path:
    """Write a file whole: who reads it meanwhile sees the old one or the new one.

    Args:
        path: The file, replaced where it is there.
        write: Its content, or what writes it into an open file.
        durable: Whether it must outlast a power cut as soon as this returns (synced, and its folder too).

    Returns:
        `path`.

    Raises:
        OSError: There is no room or no right to write; the old file, if any, is untouched.
    """
    with atomic_files([path], durable) as (part,), part.open("wb") as file:
        if isinstance(write, bytes):
            file.write(write)
        else:
            write(file)
    return path


@contextmanager
def atomic_files(paths: Sequence[Path], durable: bool = True) -> Iterator[list[Path]]:
    """Names to write files to, which take their places when the block ends; after an error none of them does.

    What a process that was killed left half-written of these files is removed first.

    Args:
        paths: The files, all in folders that are there. The first is the last to take its place: who sees it sees all.
        durable: Whether they must outlast a power cut as soon as this returns.

    Yields:
        A path for each of `paths`, in the same folder, of an empty file with the rights that a new file gets.
    """
    parts: list[Path] = []
    _sweep_parts(paths)
    try:
        for path in paths:
            parts.append(_part(path))
            parts[-1].open("xb").close()  # by `open`, so that the umask decides who may read it
        yield parts
        if durable:
            for part in parts:
                sync(part)
        for part, path in reversed(list(zip(parts, paths, strict=True))):
            part.replace(path)
        if durable:
            for folder in {path.parent for path in paths}:
                sync(folder)
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            _mine.discard(part.name)


def _never() -> bool:
    return False


@contextmanager
def atomic_folder(
    path: Path, durable: bool = True, mode: int = 0o777, replace: Callable[[], bool] = _never
) -> Iterator[Path]:
    """A new folder to fill, which takes its place when the block ends; after an error it never does.

    Args:
        path: The folder; the one around it is made where it is missing.
        durable: Whether it must outlast a power cut as soon as this returns, with all that is in it.
        mode: The rights of the folder, before the umask.
        replace: Whether a folder that is there at the end may go; called then.

    Yields:
        An empty folder beside `path`.

    Raises:
        FileExistsError: Something is there at the end that may not be replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=mode)
    sweep(path.parent)
    part = _part(path)
    old: Path | None = None
    try:
        part.mkdir(mode=mode)
        yield part
        if durable:
            for inner in part.rglob("*"):
                sync(inner)
            sync(part)
        if path.exists():
            if not replace():
                raise FileExistsError(f"{path} is there already")
            old = _part(path)
            path.rename(old)
        part.rename(path)
        if durable:
            sync(path.parent)
    finally:
        for left in (part, *((old,) if old is not None else ())):
            shutil.rmtree(left, ignore_errors=True)
            _mine.discard(left.name)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder to work in, below `parent` and so on the same disk, which is gone when the block ends."""
    sweep(parent)
    folder = _part(parent / "scratch")
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _mine.discard(folder.name)


def is_part(name: str) -> bool:
    """Whether a name is that of something half-written."""
    return _PART.fullmatch(name) is not None


def sweep(folder: Path, locked: bool = False) -> None:
    """Remove what is half-written in a folder, and by a process that is gone.

    Args:
        folder: The folder; nothing happens where it isn't there.
        locked: Whether the caller alone may write there: then everything half-written is left over.
    """
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if (found := _PART.fullmatch(path.name)) and (locked or _is_abandoned(path, found[1], int(found[2]))):
                _remove(path)


def _sweep_parts(paths: Sequence[Path]) -> None:
    """Remove what processes that are gone left of these files; other names in their folders aren't looked at twice."""
    for path in paths:
        with suppress(OSError):
            for part in path.parent.glob(f".{escape(path.name)}.*.part"):
                if (found := _PART.fullmatch(part.name)) and _is_abandoned(part, found[1], int(found[2])):
                    _remove(part)


def prune(
    folder: Path,
    pattern: str = "*",
    max_files: int | None = None,
    max_bytes: int | None = None,
    max_age_seconds: float | None = None,
) -> None:
    """Drop what was used longest ago from a folder of things that can be made again.

    Args:
        folder: The folder; nothing happens where it isn't there.
        pattern: Which of its files and folders count.
        max_files: How many may stay.
        max_bytes: How many bytes they may have together. The one that was used last stays whatever it has.
        max_age_seconds: How long ago the last use (of a folder: of anything in it) may be.
    """
    with suppress(OSError):
        known = sorted(((_last_use(path), path) for path in list(folder.glob(pattern))), reverse=True)
        total = 0
        for place, (used, path) in enumerate(known):
            total += path.stat().st_size if max_bytes is not None else 0
            if (
                (max_files is not None and place >= max_files)
                or (max_bytes is not None and place and total > max_bytes)
                or (max_age_seconds is not None and time.time() - used > max_age_seconds)
            ):
                _remove(path)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    if sys.platform == "win32" and path.is_dir():
        return  # folders can't be opened there; their names are written through
    handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _part(path: Path) -> Path:
    """A name beside `path` that nobody else has, and that says whose it is."""
    name = f".{path.name}.{_MACHINE}-{os.getpid()}-{uuid.uuid4().hex[:12]}.part"
    _mine.add(name)
    return path.with_name(name)


def _is_abandoned(path: Path, machine: str, process: int) -> bool:
    if machine == _MACHINE and process == os.getpid():
        return path.name not in _mine  # of an earlier process that had the same number
    if machine == _MACHINE and sys.platform != "win32":  # where signal 0 would end the process
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False
    return time.time() - _last_use(path) > ABANDONED_SECONDS


def _last_use(path: Path) -> float:
    times = [0.0]
    for one in (path, *(path.rglob("*") if path.is_dir() else ())):
        with suppress(OSError):  # gone meanwhile
            times.append(one.stat().st_mtime)
    return max(times)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
