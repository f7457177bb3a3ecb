"""When rows are compared by 8-bit codes first: what an exact index is told of them."""

from dataclasses import dataclass, replace


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
