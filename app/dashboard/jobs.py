"""Work that takes longer than a page may: done in the background once, watched by whoever asks for it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from polysema.core.progress import Progress

KEPT_JOBS = 64
AWAY_SECONDS = 10.0  # seconds without a look after which a session no longer waits for a job (its tab may be closed)


class CancelledError(Exception):
    """What the progress of a cancelled job raises, which ends its work."""


@dataclass
class Job:
    """One piece of work: `stage`, `done` and `total` say how far it is, `started` (monotonic seconds) since when."""

    future: "Future[Any]"
    stage: str = "wait for other work"
    done: int = 0
    total: int = 0
    started: float = 0.0
    made: float = field(default_factory=time.monotonic)
    watchers: dict[str, float] = field(default_factory=dict)
    _finished: threading.Event = field(default_factory=threading.Event)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def pending(self) -> bool:
        """Whether it is still under way."""
        return not self.future.done()

    @property
    def age(self) -> float:
        """Seconds since it was asked for."""
        return time.monotonic() - self.made

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._cancelled.is_set()

    @property
    def left(self) -> float | None:
        """Seconds that it may still take, as fast as this stage has gone so far; None where nothing can be said."""
        gone = time.monotonic() - self.started
        if self.total <= 1 or self.done <= 0 or gone < 2:
            return None
        return gone * (self.total - self.done) / self.done

    def seen_by(self, session: str) -> None:
        """A session waits for it."""
        self.watchers[session] = time.monotonic()

    def leave(self, session: str) -> None:
        """A session waits no longer; when no other does, the work ends at its next step."""
        self.watchers.pop(session, None)
        now = time.monotonic()
        if not any(now - seen < AWAY_SECONDS for seen in list(self.watchers.values())):
            self._cancelled.set()

    def result(self) -> Any:
        """What the work returned; raises what it raised."""
        return self.future.result()

    def wait(self, seconds: float) -> None:
        """Give quick work the time to end before anybody says that it is slow."""
        self._finished.wait(seconds)

    def at(self, stage: str, done: int, total: int) -> None:
        """Tell how far it is; raises `CancelledError` when nobody waits for it any more."""
        if self.cancelled:
            raise CancelledError
        if stage != self.stage:
            self.started = time.monotonic()
        self.stage, self.done, self.total = stage, done, total


class JobRunner:
    """Runs jobs on a few threads and keeps the results of the last ones; the same key is worked on once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="job")
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, key: Hashable, work: Callable[[Progress], Any]) -> Job:
        """The job of that key: the one under way or done, else a new one. A failed one is tried again when asked."""
        with self._lock:
            job = self._jobs.get(key)
            alive = job is not None and (not job.cancelled if job.pending else job.future.exception() is None)
            if job is not None and alive:
                self._jobs.move_to_end(key)
                return job
            job = Job(Future())
            self._jobs[key] = job
            for old in [k for k, j in self._jobs.items() if not j.pending][: max(0, len(self._jobs) - KEPT_JOBS)]:
                del self._jobs[old]
        self._pool.submit(_run, job, work)
        return job

    def find(self, key: Hashable) -> Job | None:
        """The job of that key, if there is one."""
        with self._lock:
            return self._jobs.get(key)

    def under_way(self, kind: str) -> list[tuple[Hashable, Job]]:
        """The jobs that are still worked on and whose keys are tuples that begin with `kind`, oldest first."""
        with self._lock:
            found = list(self._jobs.items())
        return [
            (key, job)
            for key, job in found
            if isinstance(key, tuple) and key[0] == kind and job.pending and not job.cancelled
        ]

    def forget(self, key: Hashable) -> None:
        """Do the work of that key anew the next time; what runs under it goes on, unseen."""
        with self._lock:
            self._jobs.pop(key, None)


def _run(job: Job, work: Callable[[Progress], Any]) -> None:
    try:
        job.at("start", 0, 0)
        job.future.set_result(work(job.at))
    except BaseException as error:
        job.future.set_exception(error)
    finally:
        job._finished.set()
