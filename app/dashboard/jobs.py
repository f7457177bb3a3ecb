"""Work that takes longer than a page may: done in the background once, watched by whoever asks for it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

from polysema.core.jobs import Job
from polysema.core.progress import Progress

KEPT_JOBS = 64
AWAY_SECONDS = 10.0  # seconds without a look after which a session no longer waits for a job (its tab may be closed)


class WatchedJob(Job):
    """A job that sessions wait for, and that is cancelled when none does any more."""

    def __init__(self) -> None:
        super().__init__("wait for other work")
        self.watchers: dict[str, float] = {}

    def seen_by(self, session: str) -> None:
        """A session waits for it."""
        self.watchers[session] = time.monotonic()

    def leave(self, session: str) -> None:
        """A session waits no longer; when no other does, the work ends at its next step."""
        self.watchers.pop(session, None)
        now = time.monotonic()
        if not any(now - seen < AWAY_SECONDS for seen in list(self.watchers.values())):
            self.cancel()


class JobRunner:
    """Runs jobs on a few threads and keeps the results of the last ones; the same key is worked on once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="job")
        self._jobs: OrderedDict[Hashable, WatchedJob] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, key: Hashable, work: Callable[[Progress], object]) -> WatchedJob:
        """The job of that key: the one under way or done, else a new one. A failed one is started again."""
        with self._lock:
            job = self._jobs.get(key)
            alive = job is not None and (not job.stopping if job.pending else job.failure is None)
            if job is not None and alive:
                self._jobs.move_to_end(key)
                return job
            job = WatchedJob()
            self._jobs[key] = job
            for old in [k for k, j in self._jobs.items() if not j.pending][: max(0, len(self._jobs) - KEPT_JOBS)]:
                del self._jobs[old]
        self._pool.submit(job.run, _begun(work))
        return job

    def find(self, key: Hashable) -> WatchedJob | None:
        """The job of that key, if there is one."""
        with self._lock:
            return self._jobs.get(key)

    def under_way(self, kind: str) -> list[tuple[Hashable, WatchedJob]]:
        """The jobs that are still worked on and whose keys are tuples that begin with `kind`, oldest first."""
        with self._lock:
            found = list(self._jobs.items())
        return [
            (key, job)
            for key, job in found
            if isinstance(key, tuple) and key[0] == kind and job.pending and not job.stopping
        ]

    def forget(self, key: Hashable) -> None:
        """Do the work of that key anew the next time; what runs under it goes on, unseen."""
        with self._lock:
            self._jobs.pop(key, None)


def _begun(work: Callable[[Progress], object]) -> Callable[[Progress], object]:
    """The work, which tells that it no longer waits for other work."""

    def begin(progress: Progress) -> object:
        progress("start", 0, 0)
        return work(progress)

    return begin
