"""The compiled steps of maps by a process of its own, so that a server keeps its memory: what compiles takes 95 MB.

`python -m polysema.core.maps.step_process HANDLE` is that process. It does the steps that come through its pipe, and
ends when none came for a while, or with the process that began it. What it computes is the same to the last digit.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from polysema.core.maps.compiled_steps import CompiledStep, run_steps_by
from polysema.core.maps.snapshots import watched_layout, watcher
from polysema.core.progress import Progress
from polysema.core.space.array_types import Floats

IDLE_SECONDS = 60.0  # without work, after which the process ends
TELL_SECONDS = 0.05  # between two words on how far a step is
AT, SEEN, DONE = "at", "seen", "done"


def run_steps_apart() -> None:
    """Have the compiled steps of this process done by one of their own from now on, where there can be one."""
    if sys.platform != "win32":  # a pipe's handle is handed on
        run_steps_by(StepProcesses().run)


class StepProcesses:
    """The processes that are there: as many as there are steps at a time. The next step takes one that is free."""

    def __init__(self) -> None:
        self._free: list[_Process] = []
        self._lock = threading.Lock()

    def run(self, step: CompiledStep, progress: Progress) -> Floats:
        """What a step computes; by this process where another can't be begun, or ends before its time."""
        process = self._take()
        while process is not None:
            try:
                found = process.run(step, progress)
            except (EOFError, OSError):  # it had nothing to do for long, or was ended
                process.end()
                process = self._take() if process.has_worked else None
            except BaseException:
                process.end()
                raise
            else:
                with self._lock:
                    self._free.append(process)
                if found is not None:
                    return found
                break
        return step.run(progress)

    def _take(self) -> "_Process | None":
        with self._lock:
            if self._free:
                return self._free.pop()
        try:
            return _Process.begun()
        except OSError:  # no memory for another process
            return None


@dataclass(slots=True)
class _Process:
    """A process, the pipe to it, and whether it has done a step."""

    process: "subprocess.Popen[bytes]"
    pipe: Connection
    has_worked: bool = False

    @classmethod
    def begun(cls) -> "_Process":
        """A Python of its own rather than a fork, which would inherit threads and locks of the libraries."""
        mine, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this Python, with a number
                [sys.executable, "-P", "-m", "polysema.core.maps.step_process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return cls(process, Connection(mine.detach()))

    def run(self, step: CompiledStep, progress: Progress) -> Floats | None:
        """What a step computes, or None where it could not."""
        watch = watcher()
        self.pipe.send((step, watch is not None))
        while True:
            kind, what = self.pipe.recv()
            if kind == AT:
                progress(*what)
            elif kind == SEEN:
                assert watch is not None
                watch(what)
            else:
                self.has_worked = True
                found: Floats | None = what
                return found

    def end(self) -> None:
        """End it at once."""
        self.pipe.close()
        self.process.kill()
        self.process.wait()


def work(handle: int) -> None:
    """Do the steps that come through the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for who began this one
    with Connection(handle) as pipe:
        try:
            while pipe.poll(IDLE_SECONDS):
                step, is_watched = pipe.recv()
                pipe.send((DONE, _computed(step, is_watched, pipe)))
        except (EOFError, ConnectionError):  # nobody waits any more
            return


def _computed(step: CompiledStep, is_watched: bool, pipe: Connection) -> Floats | None:
    told = 0.0

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal told
        if done == total or time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            pipe.send((AT, (stage, done, total)))

    try:
        if not is_watched:
            return step.run(tell)
        with watched_layout(lambda positions: pipe.send((SEEN, positions))):
            return step.run(tell)
    except ConnectionError:
        raise
    except Exception:  # whoever waits does it itself, and meets the same
        return None


if __name__ == "__main__":
    work(int(sys.argv[1]))
