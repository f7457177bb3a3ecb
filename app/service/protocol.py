"""HTTP as it comes from a connection: read by llhttp (httptools), with limits on headers and on what a client waits."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 1 << 16  # of a request's line and headers, beside what is read from a connection at once


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose headers don't come within `seconds`, or of whose answer nothing is read in that time.

    Refuses what llhttp lets pass: headers without end, and a request of HTTP/1.1 with no host or several.
    """

    seconds = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client came."""
        super().connection_made(transport)
        self._head_bytes: int | None = None  # of the headers that are being read
        self._since, self._patience = self.loop.time(), self.seconds
        self._deadline = self.loop.call_later(self.seconds, self._late)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        super().data_received(data)
        if self._head_bytes is None:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Its headers are here."""
        self._head_bytes = None
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and self.parser.get_http_version() == "1.1":
            raise ValueError("a request of HTTP/1.1 names one host")  # which httptools makes a 400 of
        if self.url.startswith(b"/"):
            super().on_headers_complete()
            return
        whole, mark, query = self.url.partition(b"?")  # the whole address, whose host is checked as well
        if b"/" not in whole.partition(b"://")[2]:
            self.url = whole + b"/" + mark + query
        super().on_headers_complete()
        self.scope["path"] = whole.decode("latin-1")

    def on_response_complete(self) -> None:
        """Its answer is complete."""
        super().on_response_complete()
        # no timer anew with each answer: the one that runs looks when that was
        self._since, self._patience = self.loop.time(), max(self.seconds, self.timeout_keep_alive + 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def _late(self, unsent_before: int = 0) -> None:
        """Let a client go that reads nothing, or asks nothing more; else look again later."""
        unsent = _unsent(self.transport)
        if unsent >= unsent_before > 0:
            self.transport.abort()  # closing would wait until the answer is read
            return
        idle = self.cycle is None or self.cycle.response_complete
        left = self._patience - (self.loop.time() - self._since)
        if idle and left <= 0 and not unsent:
            self.transport.close()
            return
        delay = min(left, self.seconds) if idle and not unsent else self.seconds
        self._deadline = self.loop.call_later(delay, self._late, unsent)


def _unsent(transport: asyncio.Transport) -> int:
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
