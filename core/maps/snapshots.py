"""Positions of a map while it is laid out, for whoever wants to see it settle."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from polysema.core.space.space import Floats

MAX_SNAPSHOTS = 12  # of a layout

_watcher: ContextVar[Callable[[Floats], None] | None] = ContextVar("layout_watcher", default=None)


@contextmanager
def watched_layout(watch: Callable[[Floats], None]) -> Iterator[None]:
    """Let `watch` have the positions (n, 2 or 3), in the method's own units, of what is laid out in this block by this
    thread.
    """
    token = _watcher.set(watch)
    try:
        yield
    finally:
        _watcher.reset(token)


def watcher() -> Callable[[Floats], None] | None:
    """Who wants to see what this thread lays out."""
    return _watcher.get()


def watcher_of(epoch: int, n_epochs: int) -> Callable[[Floats], None] | None:
    """Who wants to see the layout after an epoch (from 1): nobody most of the time."""
    watch = _watcher.get()
    every = max(1, n_epochs // MAX_SNAPSHOTS)
    return watch if watch is not None and epoch % every == 0 and epoch < n_epochs else None
