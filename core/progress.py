"""How far long work is: the one call that tells it, whoever does the work and whoever watches."""

from typing import Protocol


class Progress(Protocol):
    """Is called again and again by long work; what it raises ends the work at that step."""

    def __call__(self, stage: str, done: int, total: int, /) -> object:
        """Tell how far the work is.

        Args:
            stage: What is being done, in a few words, such as `download`.
            done: How many steps of this stage are done (rows, bytes, texts, epochs).
            total: How many steps this stage has; 0 where nobody knows.
        """


def no_progress(stage: str, done: int, total: int, /) -> None:
    """Tell nobody: what long work calls when it is not watched."""


def in_stage(progress: Progress, stage: str) -> Progress:
    """Tell `progress` of another's work under one stage of the caller's own.

    Args:
        progress: Who is told.
        stage: What the whole of the other's work is called, whatever it calls its parts.

    Returns:
        The progress to hand to the other.
    """
    return lambda _, done, total: progress(stage, done, total)
