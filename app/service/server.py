"""The server under the app: uvicorn, with a time for headers and a stop that loses no request."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import uvicorn

from polysema.app.config.settings import Settings
from polysema.app.explorer import Explorer
from polysema.app.service.app import create_app
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.log import set_up
from polysema.app.service.pauses import shorten_pauses
from polysema.app.service.processes import listening_socket
from polysema.app.service.protocol import PatientProtocol
from polysema.app.service.siblings import HOME, Place
from polysema.core.errors import BeyondMemoryError
from polysema.core.model.loading_cost import check_memory_together

POLL_SECONDS = 5.0  # seconds that a job may take to its next step
DRAIN_SECONDS = 0.5  # seconds in which connections that are kept alive are told to close, and new ones are still served


def serve(explorer: Explorer, settings: Settings, first_line: str = "", place: Place | None = None) -> None:
    """Write the first line, and answer until SIGTERM or Ctrl+C; then requests under way are finished, for at most
    `grace` seconds. `place`: of several processes that are one service.
    """
    set_up()
    shorten_pauses()
    log = logging.getLogger("polysema.service")
    made = server(explorer, settings, place)
    try:
        if place is None or place.number == HOME:
            check_memory_together(explorer.names.loading_bytes(settings.own_models))
    except BeyondMemoryError as error:  # those used last are kept, so it may do: one too big for itself is refused
        log.warning("%s", json.dumps({"event": "memory", "message": str(error)}))
    if first_line:
        sys.stdout.write(f"{first_line}\n")
        sys.stdout.flush()
    made.run(None if place is None else [listening_socket(settings)])
    if not made.idle(min(settings.grace, POLL_SECONDS)):
        # a step that can't be interrupted: what a collection acknowledged is on its disk
        log.warning("%s", json.dumps({"event": "stopped", "jobs": "one was left in the middle of a step"}))
        sys.stderr.flush()
        os._exit(0)


def server(explorer: Explorer, settings: Settings, place: Place | None = None) -> Draining:
    """The server, not yet running."""
    app = create_app(explorer, settings, place)

    class Patient(PatientProtocol):
        seconds = settings.body_timeout

    config = uvicorn.Config(
        app,
        host=settings.address.strip("[]"),
        port=settings.port,
        http=Patient,
        proxy_headers=False,
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

    def __init__(self, config: uvicorn.Config, state: ServiceState):
        super().__init__(config)
        self._polysema = state
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        siblings = self._polysema.siblings
        if siblings is not None:
            protocol: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
            made = partial(
                protocol,
                config=self.config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
            )
            path = str(siblings.place.socket(siblings.place.number))
            self.servers.append(await self._loop.create_unix_server(made, path))

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
