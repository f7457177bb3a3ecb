"""Python's garbage collector looks through everything that is in memory while every request waits: with a model loaded
for half a second. Here it looks rarely, and never twice through what stays.
"""

from __future__ import annotations

import gc
import time

THRESHOLDS = (50_000, 20, 50)  # new objects, and collections of the younger ones, before a collection
LONG_SECONDS = 0.02  # of a collection: so many objects stay that they are no longer looked through


class SurvivorFreezer:
    """After a collection that took long, what is in memory is left out of the next ones: above all what the libraries
    and models are made of. It is freed as ever when nothing refers to it; `Explorer` looks through all of it where it
    lets go of a model.
    """

    def __init__(self) -> None:
        self._start = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        """A callback of `gc`."""
        if phase == "start":
            self._start = time.perf_counter()
        elif info["generation"] == 2 and time.perf_counter() - self._start > LONG_SECONDS:
            gc.freeze()


def shorten_pauses() -> None:
    """Have the garbage collector of this process make no long pauses."""
    gc.set_threshold(*THRESHOLDS)
    if not any(isinstance(one, SurvivorFreezer) for one in gc.callbacks):
        gc.callbacks.append(SurvivorFreezer())
    gc.collect()
