"""Work that takes longer than a page may: done in the background once, watched by whoever asks for it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

Progress = Callable[[str, int, int], None]
KEPT = 64


@dataclass
class Job:
    """One piece of work: `stage`, `done` and `total` say how far it is."""

    future: "Future[Any]"
    stage: str = "wait for other work"
    done: int = 0
    total: int = 0
    _finished: threading.Event = field(default_factory=threading.Event)

    @property
    def pending(self) -> bool:
        """Whether it is still under way."""
        return not self.future.done()

    def result(self) -> Any:
        """What the work returned; raises what it raised."""
        return self.future.result()

    def wait(self, seconds: float) -> None:
        """Give quick work the time to end before anybody says that it is slow."""
        self._finished.wait(seconds)


class Jobs:
    """Runs jobs on a few threads and keeps the results of the last ones; the same key is worked on once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="job")
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, key: Hashable, work: Callable[[Progress], Any]) -> Job:
        """The job of that key: the one under way or done, else a new one. A failed one is tried again when asked."""
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and (job.pending or job.future.exception() is None):
                self._jobs.move_to_end(key)
                return job
            job = Job(Future())
            self._jobs[key] = job
            for old in [k for k, j in self._jobs.items() if not j.pending][: max(0, len(self._jobs) - KEPT)]:
                del self._jobs[old]
        self._pool.submit(_run, job, work)
        return job


def _run(job: Job, work: Callable[[Progress], Any]) -> None:
    def progress(stage: str, done: int, total: int) -> None:
        job.stage, job.done, job.total = stage, done, total

    job.stage = "start"
    try:
        job.future.set_result(work(progress))
    except BaseException as error:
        job.future.set_exception(error)
    finally:
        job._finished.set()
