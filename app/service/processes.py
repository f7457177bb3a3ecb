"""Several processes as one service: each answers at the same port, and one that ends is started anew."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from polysema.app.config.settings import Settings
from polysema.app.service.log import set_up
from polysema.app.service.siblings import Place
from polysema.core.errors import UnavailableError

LOG = logging.getLogger("polysema.service")
STARTING_SECONDS = 120.0  # until a process must be there
BRIEF_SECONDS = 5.0  # a process that ends sooner than this after it was started is not started anew
LAST_SECONDS = 10.0  # beyond `grace` that a process may take to end


def serve_processes(settings: Settings, first_line: str) -> None:
    """Answer from `settings.processes` processes until SIGTERM or Ctrl+C; raises `UnavailableError` where one of them
    doesn't start.
    """
    set_up()
    with tempfile.TemporaryDirectory(prefix="polysema-") as folder, _port(settings):
        _Supervisor(settings, Path(folder)).run(first_line)


def listening_socket(settings: Settings, listens: bool = True) -> socket.socket:
    """A socket at the port, which several processes may have: the system deals the connections out."""
    address = settings.address.strip("[]")
    family, _, _, _, place = socket.getaddrinfo(address, settings.port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(place)
    if listens:
        made.setblocking(False)
    return made


@contextmanager
def _port(settings: Settings) -> Iterator[None]:
    """The port stays taken while a process is started anew."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise UnavailableError("several processes need a system with SO_REUSEPORT; set processes to 1")
    with listening_socket(settings, listens=False):
        yield


class _Supervisor:
    """Starts the processes, hands signals on, and waits."""

    def __init__(self, settings: Settings, folder: Path):
        self._settings, self._folder = settings, folder
        self._processes: dict[int, SpawnProcess] = {}
        self._started: dict[int, float] = {}
        self._stopping = False
        self._woken, self._wake = os.pipe()

    def run(self, first_line: str) -> None:
        """Until all ended."""
        before = {one: signal.signal(one, self._stop) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            for number in range(self._settings.processes):
                self._start(number)
            self._wait_for_all()
            if first_line and not self._stopping:
                sys.stdout.write(f"{first_line}\n")
                sys.stdout.flush()
            self._watch()
        finally:
            self._end()
            for one, handler in before.items():
                signal.signal(one, handler)

    def _start(self, number: int) -> None:
        place = Place(number, self._settings.processes, self._folder)
        place.socket(number).unlink(missing_ok=True)
        made = multiprocessing.get_context("spawn").Process(target=work, args=(self._settings, place))
        made.start()
        self._processes[number], self._started[number] = made, time.monotonic()

    def _wait_for_all(self) -> None:
        until = time.monotonic() + STARTING_SECONDS
        for number, one in self._processes.items():
            path = Place(number, 0, self._folder).socket(number)
            while not path.exists() and not self._stopping:
                if not one.is_alive() or time.monotonic() > until:
                    raise UnavailableError(f"process {number} of the service did not start; its log says why")
                time.sleep(0.02)

    def _watch(self) -> None:
        while not self._stopping:
            wait([self._woken, *(one.sentinel for one in self._processes.values())])
            for number, one in list(self._processes.items()):
                if one.is_alive() or self._stopping:
                    continue
                LOG.error({"event": "process ended", "process": number, "status": one.exitcode})
                if time.monotonic() - self._started[number] < BRIEF_SECONDS:
                    raise UnavailableError(f"process {number} of the service ended as it had begun; its log says why")
                self._start(number)

    def _stop(self, sig: int, frame: FrameType | None) -> None:
        self._stopping = True
        os.write(self._wake, b"!")
        for one in self._processes.values():
            if one.pid is not None and one.is_alive():
                os.kill(one.pid, signal.SIGTERM)

    def _end(self) -> None:
        """Every process, with the time that requests under way have."""
        self._stopping = True
        for one in self._processes.values():
            if one.is_alive():
                one.terminate()
        until = time.monotonic() + self._settings.grace + LAST_SECONDS
        for one in self._processes.values():
            one.join(max(0.0, until - time.monotonic()))
            if one.is_alive():
                one.kill()
                one.join()


def work(settings: Settings, place: Place) -> None:
    """One of the processes, from its start to its end."""
    from polysema.app.explorer import Explorer
    from polysema.app.service.server import serve

    os.setsid()  # Ctrl+C is for the process that started this one, which hands it on
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(Explorer(models=settings.own_models), settings, place=place)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
