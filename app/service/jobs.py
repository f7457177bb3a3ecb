"""Long work: started, watched by server-sent events, cancelled at its next step, and kept for a while when it is
done.
"""

from __future__ import annotations

import errno
import json
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from polysema.app.service.errors import RefusedError, disk_full
from polysema.core.errors import NotFoundError, UserError
from polysema.core.progress import Progress

LOG = logging.getLogger("polysema.service")


class CancelledJobError(Exception):
    """Raised inside a job by its progress call when somebody cancelled it."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a job came to: `result`, which every look at the job shows, and a `value` that is fetched by itself."""

    result: Any
    value: Any


@dataclass(slots=True, eq=False)
class Job:
    """A piece of work. `state` is queued, running, done, failed or cancelled; `version` counts its changes."""

    id: str
    kind: str
    state: str = "queued"
    stage: str = ""
    done: int = 0
    total: int = 0
    result: Any = None
    value: Any = None
    error: dict[str, str] | None = None
    version: int = 0
    stopping: bool = False
    made: float = field(default_factory=time.time)

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self.state in ("done", "failed", "cancelled")

    def to_json(self) -> dict[str, Any]:
        """As it is answered."""
        names = ("id", "kind", "state", "stopping", "stage", "done", "total", "result", "error")
        return {name: getattr(self, name) for name in names}


class JobQueue:
    """Runs jobs on a few threads; at most `queue` wait."""

    def __init__(self, workers: int, queue: int, kept: int, folder: str):
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="job")
        self._most, self._kept, self._folder = workers + queue, kept, folder
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, kind: str, work: Callable[[Progress], Any]) -> Job:
        """Queue a job; raises `RefusedError` where too many wait."""
        with self._lock:
            if sum(not job.ended for job in self._jobs.values()) >= self._most:
                raise RefusedError("too_many", f"{self._most} jobs run or wait, as many as may; try again later")
            job = Job(secrets.token_hex(16), kind)
            self._jobs[job.id] = job
        self._pool.submit(self._run, job, work)
        return job

    def get(self, name: str) -> Job:
        """The job of that id; raises `NotFoundError`."""
        job = self._jobs.get(name)
        if job is None:
            raise NotFoundError(f"there is no job {name[:64]!r}; ended ones are kept for a while only")
        return job

    def active(self) -> int:
        """How many run or wait."""
        return sum(not job.ended for job in list(self._jobs.values()))

    def running(self) -> int:
        """How many run."""
        return sum(job.state == "running" for job in list(self._jobs.values()))

    def cancel(self, name: str) -> Job:
        """Stop a job: at once when it waits, at its next step when it runs; an ended one stays as it is."""
        job = self.get(name)
        with self._lock:
            job.stopping = True
            if job.state == "queued":
                job.state = "cancelled"
                job.version += 1
                self._drop()
        return job

    def _drop(self) -> None:
        """Let go of the results of those that ended first."""
        ended = [name for name, one in self._jobs.items() if one.ended]
        for name in ended[: max(0, len(ended) - self._kept)]:
            del self._jobs[name]

    def _run(self, job: Job, work: Callable[[Progress], Any]) -> None:
        def progress(stage: str, done: int, total: int) -> None:
            if job.stopping:
                raise CancelledJobError
            job.stage, job.done, job.total = stage, done, total
            job.version += 1

        with self._lock:
            if job.ended or job.stopping:
                job.state = job.state if job.ended else "cancelled"
                job.version += 1
                return
            job.state = "running"
            job.version += 1
        state, found = "done", None
        try:
            found = work(progress)
        except CancelledJobError:
            state = "cancelled"
        except UserError as error:
            state, job.error = "failed", self._told(error)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            state, job.error = "failed", self._told(disk_full()) if full else self._fault(job, error)
        except Exception as error:
            state, job.error = "failed", self._fault(job, error)
        if isinstance(found, Outcome):
            job.result, job.value = found.result, found.value
        else:
            job.result = found
        with self._lock:
            job.state = state  # last: who sees it done sees its result
            job.version += 1
            self._drop()

    def _told(self, error: UserError) -> dict[str, str]:
        return {"code": error.code, "message": str(error).replace(self._folder, "")}

    def _fault(self, job: Job, error: Exception) -> dict[str, str]:
        LOG.exception("%s", json.dumps({"event": "fault", "job": job.id, "kind": job.kind}))
        return {"code": "internal", "message": f"a fault of the service: {type(error).__name__}"}

    def stop(self) -> None:
        """Cancel what waits and what runs, at its next step."""
        for job in list(self._jobs.values()):
            job.stopping = True

    def close(self) -> None:
        """Stop, and let the threads end."""
        self.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
