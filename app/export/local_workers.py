"""Several processes of this machine that do pieces of work."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection, wait

from polysema.app.export.workers import MAX_TRIES, Task, TaskOutcome, worn_out
from polysema.core.environment import cores


@dataclass(slots=True)
class WorkerProcess:
    """A process, the pipe to it, and what it is doing, for the how manieth time."""

    process: "subprocess.Popen[bytes]"
    pipe: Connection
    task: Task | None = None
    tries: int = 0

    def give(self, task: Task, tries: int) -> None:
        """Let it do that."""
        self.task, self.tries = task, tries
        self.pipe.send((task, version("polysema")))

    def end(self) -> None:
        """End it at once."""
        self.pipe.close()
        self.process.kill()
        self.process.wait()

    def why(self) -> str:
        """How it ended."""
        status = self.process.wait()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


class LocalWorkers:
    """`count` processes, each with its share of the cores; begun when there is work for them."""

    device = ""

    def __init__(self, count: int):
        self.n_here = count
        self._count = count
        self._free: list[WorkerProcess] = []
        self._busy: list[WorkerProcess] = []

    def run(self, tasks: Iterator[Task]) -> Iterator[TaskOutcome]:
        """See `Workers`."""
        while True:
            while len(self._busy) < self._count and (task := next(tasks, None)) is not None:
                self._give(task, 1)
            if not self._busy:
                return
            ready = wait([worker.pipe for worker in self._busy])
            for worker in [worker for worker in self._busy if worker.pipe in ready]:
                self._busy.remove(worker)
                try:
                    outcome = worker.pipe.recv()
                except (EOFError, OSError):
                    self._again(worker)
                else:
                    self._free.append(worker)
                    yield outcome

    def close(self) -> None:
        """See `Workers`."""
        for worker in (*self._free, *self._busy):
            worker.end()
        self._free, self._busy = [], []

    def _give(self, task: Task, tries: int) -> None:
        worker = self._free.pop() if self._free else self._start()
        self._busy.append(worker)
        try:
            worker.give(task, tries)
        except OSError:  # it was ended while it had nothing to do
            self._busy.remove(worker)
            self._again(worker)

    def _again(self, worker: WorkerProcess) -> None:
        why = worker.why()
        worker.pipe.close()
        assert worker.task is not None
        if worker.tries >= MAX_TRIES:
            raise worn_out(worker.task, worker.tries, why)
        self._give(worker.task, worker.tries + 1)

    def _start(self) -> WorkerProcess:
        """A Python of its own rather than a fork, which would inherit threads and locks of the libraries."""
        mine, theirs = socket.socketpair()
        with theirs:
            threads = max(1, cores() // self._count)
            command = [sys.executable, "-P", "-m", "polysema.app.export.worker", str(theirs.fileno()), str(threads)]
            process = subprocess.Popen(  # noqa: S603 - this Python, with numbers
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            )
        return WorkerProcess(process, Connection(mine.detach()))
