"""The decorator of compiled loops, which keeps the type of what it decorates."""

from collections.abc import Callable
from typing import TypeVar

_Loop = TypeVar("_Loop", bound=Callable[..., object])


def compiled(fastmath: bool = False) -> Callable[[_Loop], _Loop]:
    """Compile a function at its first call, and keep its machine code on the disk for all later ones.

    Other threads go on while it runs. A module that uses this is imported where it is needed: numba takes half a
    second.

    Args:
        fastmath: Whether sums may be taken in another order.

    Returns:
        A decorator; the compiled function has the arguments of the plain one.
    """
    import numba

    def decorate(function: _Loop) -> _Loop:
        loop: _Loop = numba.njit(nogil=True, fastmath=fastmath, cache=True)(function)
        return loop

    return decorate
