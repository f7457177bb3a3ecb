"""A piece of long work: queued, run, watched, cancelled at its next step. Who starts it, and who may ask for it, is
others'.
"""

import threading
import time
from collections.abc import Callable

from polysema.core.progress import Progress, ended_by

ENDED = ("done", "failed", "cancelled")
LEAST_SECONDS = 2.0  # seconds after which a stage's speed says how long it may still take


class JobCancelledError(Exception):
    """What the progress of a cancelled job raises, which ends its work."""


class Job:
    """One piece of work, and how far it is.

    Attributes:
        state: queued, running, done, failed or cancelled.
        stage: What is being done now.
        done: How many steps of the stage are done.
        total: How many it has; 0 where nobody knows.
        value: What the work returned.
        failure: What it raised.
        version: Counts the changes, for those who watch.
    """

    def __init__(self, stage: str = "") -> None:
        self.state, self.stage, self.done, self.total = "queued", stage, 0, 0
        self.value: object = None
        self.failure: BaseException | None = None
        self.version = 0
        self._made, self._started = time.monotonic(), 0.0
        self._lock = threading.Lock()
        self._stopping, self._ended = threading.Event(), threading.Event()

    @property
    def pending(self) -> bool:
        """Whether it waits or runs."""
        return self.state not in ENDED

    @property
    def stopping(self) -> bool:
        """Whether it was cancelled: if it still runs, it ends at its next step."""
        return self._stopping.is_set()

    @property
    def age(self) -> float:
        """Seconds since it was submitted."""
        return time.monotonic() - self._made

    @property
    def left(self) -> float | None:
        """Seconds that it may still take, as fast as this stage has gone so far; None where nothing can be said."""
        gone = time.monotonic() - self._started
        if self.total <= 1 or self.done <= 0 or gone < LEAST_SECONDS:
            return None
        return gone * (self.total - self.done) / self.done

    def advance(self, stage: str, done: int, total: int, /) -> None:
        """Tell how far it is (a `Progress`); raises `JobCancelledError` when it was cancelled."""
        self.check()
        if stage != self.stage:
            self._started = time.monotonic()
        self.stage, self.done, self.total = stage, done, total
        self.version += 1

    def check(self) -> None:
        """Raise `JobCancelledError` when it was cancelled."""
        if self.stopping:
            raise JobCancelledError

    def cancel(self) -> None:
        """End it: at once when it waits, at its next step when it runs; an ended one stays as it is."""
        self._stopping.set()
        with self._lock:
            waits = self.state == "queued"
            if waits:
                self.failure = JobCancelledError()
                self.state = "cancelled"
                self.version += 1
        if waits:
            self._ended.set()

    def run(self, work: Callable[[Progress], object]) -> None:
        """Do the work, unless it was cancelled while it waited, and keep what it returns or raises."""
        with self._lock:
            if self.state != "queued":
                return
            self.state = "running"
            self.version += 1
        state = "done"
        try:
            with ended_by(self.check):
                self.value = work(self.advance)
        except JobCancelledError as error:
            state, self.failure = "cancelled", error
        except BaseException as error:
            state, self.failure = "failed", error
        self.on_end()
        with self._lock:
            self.state = state  # last: who sees it done sees its result
            self.version += 1
        self._ended.set()

    def on_end(self) -> None:
        """Is called when the work has ended, before anybody sees that it has."""

    def wait(self, seconds: float) -> None:
        """Give quick work the time to end before anybody says that it is slow."""
        self._ended.wait(seconds)

    def result(self) -> object:
        """What the work returned, waited for; raises what it raised."""
        self._ended.wait()
        if self.failure is not None:
            raise self.failure
        return self.value
