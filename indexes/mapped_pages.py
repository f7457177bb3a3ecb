"""The memory that a mapped file takes while it is read."""

import mmap
from typing import Any

import numpy as np

from polysema.core.space.space import Floats


def release_pages(block: Floats) -> None:
    """Give back the memory of a part of a mapped file that has been read: it comes again from the file when needed."""
    base: Any = block
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.mode != "r":
            return
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if not isinstance(base, mmap.mmap) or not hasattr(base, "madvise"):
        return
    origin = np.frombuffer(base, np.uint8).ctypes.data
    start = -(-(block.ctypes.data - origin) // mmap.PAGESIZE) * mmap.PAGESIZE
    stop = (block.ctypes.data - origin + block.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if stop > start:
        base.madvise(mmap.MADV_DONTNEED, start, stop - start)
