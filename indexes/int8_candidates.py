"""When rows are compared by 8-bit codes first, and which rows are then scored exactly."""

from dataclasses import dataclass, replace

import numpy as np

from polysema.core.space.space import Floats, Ints


@dataclass(frozen=True, slots=True)
class CodeOptions:
    """When an exact index searches by way of 8-bit codes: the answers are the same.

    Args:
        after: Queries run in NumPy before the compiled code is loaded, which takes half a second.
        min_numbers: Numbers (n x dim) below which the full pass takes a fraction of a millisecond.
        max_misses: Queries for which the codes pruned too little before they are dropped.
        spare: Whether the memory of a mapped file is given back after each pass over all of it; the next pass takes
            some milliseconds longer.
    """

    after: int = 3
    min_numbers: int = 2_000_000
    max_misses: int = 3
    spare: bool = False


CODE_BLOCK = 64
_default = CodeOptions()


def default_codes() -> CodeOptions:
    """When the exact indexes of this process search by codes, where they are not told."""
    return _default


def spare_memory(min_numbers: int) -> None:
    """Let the exact indexes that this process makes from now on search by codes from so many numbers on, and give back
    what a pass over a mapped file has read.

    For a process that counts its memory and not its milliseconds: what compiles takes 95 MB, a code a byte a number.
    """
    global _default
    _default = replace(_default, min_numbers=min_numbers, spare=True)


def candidate_rows(line: Floats, k: int) -> Ints:
    """Places in ascending order among which the k best of `line` (n,) are, all that share the k-th score included.

    The k best blocks hold k scores at least as high as the least of their maxima: a block whose maximum is lower holds
    none of the k best. One pass finds the maxima, and the rest is looked at only where it matters. Block b is every
    n_blocks-th place from b on, so that the maxima are those of whole lines, which is several times as fast.
    """
    n_blocks = len(line) // CODE_BLOCK
    if n_blocks <= 4 * k:
        return np.arange(len(line))
    maxima = line[: n_blocks * CODE_BLOCK].reshape(CODE_BLOCK, n_blocks).max(axis=0)
    blocks = np.flatnonzero(maxima >= np.partition(maxima, n_blocks - k)[-k])
    inside = (np.arange(CODE_BLOCK)[:, None] * n_blocks + blocks).ravel()
    return np.concatenate([inside, np.arange(n_blocks * CODE_BLOCK, len(line))])
