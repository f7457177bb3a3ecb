"""Loading as it is watched: what transformers reads is told weight by weight, and ends by what is raised."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from polysema.core.progress import Progress

READING = "read weights"


class Watch:
    """A progress that knows what it raised: that is passed on as it is, whatever else a reader can raise.

    Args:
        progress: Who is told.
    """

    def __init__(self, progress: Progress):
        self._progress = progress
        self._raised: list[BaseException] = []

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """Tell how far the work is, as `Progress` says."""
        try:
            self._progress(stage, done, total)
        except BaseException as error:
            self._raised.append(error)
            raise

    def ended_by(self, error: BaseException) -> bool:
        """Whether an error is what the progress raised; several threads can be told at once, and each ends."""
        return any(error is one for one in self._raised)


@contextmanager
def weights_told(progress: Progress) -> Iterator[None]:
    """In this thread, tell of each weight that transformers puts into a model.

    Args:
        progress: Is told how many are read; what it raises ends the reading.
    """
    from transformers.utils import logging

    here = threading.get_ident()

    def watch(factory: Callable[..., Any], given: tuple[Any, ...], options: dict[str, Any]) -> object:
        if threading.get_ident() == here and given and str(options.get("desc")).startswith("Loading weights"):
            return _told(given[0], progress)
        return before(factory, given, options) if before is not None else factory(*given, **options)

    set_hook = getattr(logging, "set_tqdm_hook", None)
    if set_hook is None:  # as in the first releases of transformers 5
        yield
        return
    before = set_hook(watch)
    try:
        yield
    finally:
        set_hook(before)


def _told(weights: Iterable[Any], progress: Progress) -> Iterator[Any]:
    weights = list(weights)
    for number, one in enumerate(weights):
        progress(READING, number, len(weights))
        yield one
    progress(READING, len(weights), len(weights))
