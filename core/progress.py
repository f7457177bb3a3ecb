"""How far long work is: the one call that tells it, whoever does the work and whoever watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

Check = Callable[[], object]
_check: ContextVar[Check | None] = ContextVar("check", default=None)


class Progress(Protocol):
    """Is called again and again by long work; what it raises ends the work at that step."""

    def __call__(self, stage: str, done: int, total: int, /) -> object:
        """Tell how far the work is.

        Args:
            stage: What is being done, in a few words, such as `download`.
            done: How many steps of this stage are done (rows, bytes, texts, epochs).
            total: How many steps this stage has; 0 where nobody knows.
        """


@contextmanager
def ended_by(check: Check | None) -> Iterator[None]:
    """Within it, in this thread, work ends at its next step when a check raises, whether it is watched or not.

    Args:
        check: Is called between two steps; None: nothing ends it.
    """
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def current_check() -> Check | None:
    """What ends the work of this thread: to be handed to the threads that do parts of it."""
    return _check.get()


def go_on() -> None:
    """Between two steps of long work: raises what the check of `ended_by` raises."""
    check = _check.get()
    if check is not None:
        check()


def no_progress(stage: str, done: int, total: int, /) -> None:
    """Tell nobody: what long work calls when it is not watched. It ends as `ended_by` says all the same."""
    go_on()


def in_stage(progress: Progress, stage: str) -> Progress:
    """Tell `progress` of another's work under one stage of the caller's own.

    Args:
        progress: Who is told.
        stage: What the whole of the other's work is called, whatever it calls its parts.

    Returns:
        The progress to hand to the other.
    """
    return lambda _, done, total: progress(stage, done, total)
