"""The memory that a mapped file takes while it is read."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from polysema.core.progress import go_on
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


def row_blocks(vectors: Floats, rows: int, release: bool = False) -> Iterator[tuple[int, Floats]]:
    """So many rows at a time, each time with the number of the first; with `release` their memory is given back when
    they have been read.
    """
    for start in range(0, len(vectors), rows):
        go_on()
        block = vectors[start : start + rows]
        try:
            yield start, block
        finally:
            if release:
                release_pages(block)
