"""A process that does pieces of work: `python -m polysema.app.export.worker HANDLE THREADS`, as `LocalWorkers` does."""

import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection

from polysema.app.export.workers import attempt

WATCH_SECONDS = 0.5


def work(handle: int, threads: int) -> None:
    """Do what comes through the pipe, until it ends or the process that began this one does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for who gave out the work, and who ends this
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with Connection(handle) as pipe:
        while True:
            try:
                task, expected_version = pipe.recv()
                pipe.send(attempt(task, threads, expected_version))
            except (EOFError, ConnectionError):
                return


def _end_with(parent: int) -> None:
    """End as soon as the parent has: nobody would read what is computed."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]))
