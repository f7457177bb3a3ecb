"""Ctrl-C that is never lost: Arrow drops the exception where it comes while it looks for pandas."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from polysema.core.progress import Progress


@contextmanager
def interruptible(progress: Progress) -> Iterator[Progress]:
    """The progress, which raises `KeyboardInterrupt` at its next step where an earlier one was dropped."""
    if threading.current_thread() is not threading.main_thread():  # where signals don't come
        yield progress
        return
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def advance(stage: str, done: int, total: int) -> None:
        if pressed:
            raise KeyboardInterrupt
        progress(stage, done, total)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield advance
    finally:
        signal.signal(signal.SIGINT, before)
