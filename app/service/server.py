"""The server under the app: uvicorn, with a time for headers and a stop that loses no request."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from polysema.app.config.settings import Settings
from polysema.app.explorer import Explorer
from polysema.app.service.app import create_app
from polysema.app.service.log import set_up
from polysema.core.errors import UnavailableError
from polysema.core.model.loading_cost import check_memory_together

POLL_SECONDS = 5.0  # seconds that a job may take to its next step
DRAIN_SECONDS = 0.5  # seconds in which connections that are kept alive are told to close, and new ones are still served


def serve(explorer: Explorer, settings: Settings, first_line: str = "") -> None:
    """Write the first line, and answer until SIGTERM or Ctrl+C; then requests under way are finished, for at most
    `grace` seconds.
    """
    set_up()
    log = logging.getLogger("polysema.service")
    made = server(explorer, settings)
    try:
        check_memory_together(explorer.names.loading_bytes(settings.own_models))
    except UnavailableError as error:  # those used last are kept, so it may do: one too big for itself is refused
        log.warning("%s", json.dumps({"event": "memory", "message": str(error)}))
    if first_line:
        sys.stdout.write(f"{first_line}\n")
        sys.stdout.flush()
    made.run()
    if not made.idle(min(settings.grace, POLL_SECONDS)):
        # a step that can't be interrupted: what a collection acknowledged is on its disk
        log.warning("%s", json.dumps({"event": "stopped", "jobs": "one was left in the middle of a step"}))
        sys.stderr.flush()
        os._exit(0)


def server(explorer: Explorer, settings: Settings) -> Draining:
    """The server, not yet running."""
    app = create_app(explorer, settings)

    class Patient(_Patient):
        seconds = settings.body_timeout

    config = uvicorn.Config(
        app,
        host=settings.address.strip("[]"),
        port=settings.port,
        http=Patient,
        ws="none",
        log_level="error",
        access_log=False,
        log_config=None,
        limit_concurrency=settings.connections,
        backlog=2048,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(settings.grace)),
        server_header=False,
    )
    return Draining(config, app.state.polysema)


class Draining(uvicorn.Server):
    """On a signal it first goes on for half a second, in which every answer ends its connection; then it stops.

    So no client sends a request down a connection that is just being closed. A second signal stops at once.
    """

    def __init__(self, config: uvicorn.Config, state: Any):
        super().__init__(config)
        self._polysema = state
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: Any = None) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def idle(self, seconds: float) -> bool:
        """Whether all work ended within so many seconds after the stop."""
        until = time.monotonic() + seconds
        while self._polysema.busy():
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def drain(self) -> None:
        """Begin to stop. May be called from any thread."""
        self._polysema.draining = True
        self._polysema.jobs.stop()
        if self._loop is None:
            self.should_exit = True
        else:
            self._loop.call_soon_threadsafe(self._loop.call_later, DRAIN_SECONDS, self._stop)

    def _stop(self) -> None:
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        if self._polysema.draining:
            self.force_exit = sig == signal.SIGINT
            self.should_exit = True
        else:
            if sig == signal.SIGINT:  # raised again at the end, so that the shell learns of it
                self._captured_signals.append(sig)
            self.drain()


class _Patient(H11Protocol):
    """Closes a connection whose headers don't come within `seconds`, or of whose answer nothing is read in that
    time.
    """

    seconds = 20.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.seconds, self._late)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        """Until a client that reads nothing, or asks nothing more, is let go."""
        unsent = _unsent(self.transport)
        seconds = self.seconds if unsent else max(self.seconds, self.timeout_keep_alive + 1)
        self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._late, unsent)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def _late(self, unsent_before: int = 0) -> None:
        unsent = _unsent(self.transport)
        if unsent and unsent >= unsent_before > 0:
            self.transport.abort()  # closing would wait until the answer is read
        elif unsent or unsent_before:
            self._wait()
        elif (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()


def _unsent(transport: Any) -> int:
    """Bytes that the client hasn't taken: those that wait here, and, where the system tells, those that wait in its
    buffers.
    """
    waiting = int(transport.get_write_buffer_size())
    with suppress(OSError, AttributeError):
        import fcntl
        import termios

        current = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        waiting += int.from_bytes(current, sys.byteorder)
    return waiting
