"""Locks between processes, and between threads of one: the operating system's, so that a kill lets go of them."""

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polysema.core.errors import BusyError, UnavailableError

POLL_SECONDS = 0.005  # seconds between two tries
UNLOCKABLE = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def file_lock(
    path: Path, wait: float, busy: str, remedy: str = "try again when it is done", remove: bool = False
) -> Iterator[None]:
    """Hold a lock file, alone among all processes and threads.

    Args:
        path: The lock file, made where it is missing (its folder must be there). Its content means nothing.
        wait: Seconds to wait for who holds it; 0 tries once.
        busy: What somebody else does, for the message, such as `another export is writing to out`.
        remedy: What the reader of the message may do.
        remove: Whether the file goes at the end.

    Raises:
        BusyError: The lock was not released within `wait` seconds; the message names the file.
        UnavailableError: The file system has no locks. A lock that a kill would leave behind is not taken instead.
        OSError: The file can't be opened.
    """
    from filelock import FileLock, Timeout

    # not thread-local: what streams an answer may begin in one thread and end in another
    lock = FileLock(path, thread_local=False, fallback_to_soft=False, poll_interval=POLL_SECONDS)
    try:
        lock.acquire(timeout=wait if math.isfinite(wait) else -1, blocking=wait > 0)
    except Timeout:
        raise BusyError(f"{busy}; waited {wait:g} s for the lock {path}: {remedy}") from None
    except OSError as error:
        if error.errno not in UNLOCKABLE:
            raise
        raise UnavailableError(
            f"{path} can't be locked: {error.strerror}; choose a folder on a file system that has locks"
        ) from None
    try:
        yield
    finally:
        if remove and os.name != "nt":  # while it is locked: who waits for it sees that it is gone, and makes a new one
            with suppress(OSError):
                path.unlink()
        lock.release()
