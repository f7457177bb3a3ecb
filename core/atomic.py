"""Files that appear whole or not at all: written beside, synced to the disk, renamed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def whole(path: Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Written beside, synced, renamed: a reader sees the old file or the new one."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as out:
            write(out)
            out.flush()
            os.fsync(out.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)
    return path


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
