"""Long work: started, watched by server-sent events, cancelled at its next step, and kept for a while when it is
done.
"""

from __future__ import annotations

import errno
import json
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from polysema.app.explorer.results.jobs import JobCard, JobError, JobState
from polysema.app.service.errors import RefusedError, disk_full
from polysema.core.errors import NotFoundError, UserError
from polysema.core.jobs import Job, JobCancelledError
from polysema.core.progress import Progress

LOG = logging.getLogger("polysema.service")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a job came to: `result`, which every look at the job shows, and a `value` that is fetched by itself."""

    result: Any
    value: Any


class ServiceJob(Job):
    """A job with an id, and its end as it is reported."""

    def __init__(self, kind: str, without_paths: Callable[[str], str]):
        super().__init__()
        self.id, self.kind = secrets.token_hex(16), kind
        self.shown: Any = None
        self.error: dict[str, str] | None = None
        self._without_paths = without_paths

    def on_end(self) -> None:
        """Part what is shown from what is fetched by itself, and write an error as responses do."""
        if isinstance(self.value, Outcome):
            self.shown, self.value = self.value.result, self.value.value
        else:
            self.shown, self.value = self.value, None
        if self.failure is not None and not isinstance(self.failure, JobCancelledError):
            self.error = self._error_of(self.failure)

    def _error_of(self, error: BaseException) -> dict[str, str]:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            error = disk_full()
        if isinstance(error, UserError):
            return {"code": error.code, "message": self._without_paths(str(error))}
        line = json.dumps({"event": "fault", "job": self.id, "kind": self.kind})
        LOG.error("%s", line, exc_info=error)
        return {"code": "internal", "message": f"a fault of the service: {type(error).__name__}"}

    def card(self, with_result: bool = True) -> JobCard:
        """As a response."""
        error = None if self.error is None else JobError(**self.error)
        shown, state = self.shown if with_result else None, cast("JobState", self.state)
        return JobCard(self.id, self.kind, state, self.stopping, self.stage, self.done, self.total, shown, error)


class JobQueue:
    """Runs jobs on a few threads; at most `queue` wait."""

    def __init__(self, workers: int, queue: int, kept: int, without_paths: Callable[[str], str]):
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="job")
        self._most, self._kept, self._without_paths = workers + queue, kept, without_paths
        self._jobs: OrderedDict[str, ServiceJob] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, kind: str, work: Callable[[Progress], Any]) -> ServiceJob:
        """Queue a job; raises `RefusedError` where too many wait."""
        with self._lock:
            if self.active() >= self._most:
                raise RefusedError("too_many", f"{self._most} jobs run or wait, as many as may; try again later")
            job = ServiceJob(kind, self._without_paths)
            self._jobs[job.id] = job
        self._pool.submit(self._run, job, work)
        return job

    def get(self, name: str) -> ServiceJob:
        """The job of that id; raises `NotFoundError`."""
        job = self._jobs.get(name)
        if job is None:
            raise NotFoundError(f"there is no job {name[:64]!r}; ended ones are kept for a while only")
        return job

    def active(self) -> int:
        """How many run or wait."""
        return sum(job.pending for job in list(self._jobs.values()))

    def running(self) -> int:
        """How many run."""
        return sum(job.state == "running" for job in list(self._jobs.values()))

    def cancel(self, name: str) -> ServiceJob:
        """Stop a job: at once when it waits, at its next step when it runs; an ended one stays as it is."""
        job = self.get(name)
        job.cancel()
        self._drop()
        return job

    def _drop(self) -> None:
        """Let go of the results of those that ended first."""
        with self._lock:
            ended = [name for name, one in self._jobs.items() if not one.pending]
            for name in ended[: max(0, len(ended) - self._kept)]:
                del self._jobs[name]

    def _run(self, job: ServiceJob, work: Callable[[Progress], Any]) -> None:
        job.run(work)
        self._drop()

    def stop(self) -> None:
        """Cancel what waits and what runs, at its next step."""
        for job in list(self._jobs.values()):
            job.cancel()

    def close(self) -> None:
        """Stop, and let the threads end."""
        self.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
