"""What happens to every request before a route sees it: its key, its body, its time, its line in the log."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polysema.app.config.api_keys import find_key
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.errors import RefusedError, answer, of
from polysema.app.service.hosts import check_host
from polysema.app.service.log import MAX_LOGGED, query_shown, without_keys
from polysema.app.service.parameters import parameters_of
from polysema.app.service.search_lane import SearchLane
from polysema.core.errors import UserError

LOG = logging.getLogger("polysema.service")
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
LINGER_SECONDS = 0.5  # seconds
OPEN_PATHS = {"/health", "/ready"}  # without a key: what a supervisor asks


class GuardMiddleware:
    """An ASGI middleware. A body is read whole before any work begins, counted as it comes: a client that is slow, lies
    about the length or goes away costs nothing but its connection.
    """

    def __init__(self, app: ASGIApp, state: ServiceState):
        self._app, self._state = app, state
        self._hosts = state.settings.hosts
        self._lane = SearchLane(state)
        self._crossing = _crossing(self._answer, state.settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._app(scope, receive, send)
            return
        seen = _Seen(scope, send, self._state)
        scope["polysema.request"] = seen
        try:
            if self._hosts is not None:
                check_host(scope, self._hosts)
            await self._crossing(scope, receive, seen.send)
        except ClientDisconnect:
            seen.status = seen.status or 499
        except RefusedError as error:
            await of(error, scope["path"])(scope, receive, seen.send)
        finally:
            seen.end()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request with an allowed host, errors included."""
        seen: _Seen = scope["polysema.request"]
        try:
            self._admit(scope)
            body = await self._body(scope, receive)
            siblings = self._state.siblings
            forwards = siblings is not None and siblings.forwards(scope)
            response = None if forwards else await self._lane.answer(scope, body)
            if response is not None:
                await response(scope, receive, send)
                return
            async with _while_there(receive, seen):
                if siblings is not None and forwards:
                    seen.passed_on = True  # the other process counts it and writes its line
                    response = await siblings.forward(scope, body)
                    await response(scope, receive, send)
                else:
                    await self._app(scope, _replayed(body, receive), send)
        except ClientDisconnect:
            raise
        except RefusedError as error:
            if error.code in ("too_large", "slow"):
                scope["polysema.close"] = True
                await _passed_over(receive)
            await of(error, scope["path"])(scope, receive, send)
        except UserError as error:
            await of(error, scope["path"], self._state.without_paths)(scope, receive, send)
        except Exception:
            LOG.exception({"event": "fault", "request": seen.id, "path": seen.route()})
            if not seen.status:
                await answer(500, "internal", f"a fault of the service; its log has it under {seen.id}")(
                    scope, receive, send
                )

    def _admit(self, scope: Scope) -> None:
        keys = self._state.keys
        if not keys or scope["path"] in OPEN_PATHS:
            return
        given = _given(scope)
        if given is None:
            raise RefusedError("unauthorized", "this service needs an API key: send Authorization: Bearer KEY")
        key = find_key(keys, given)
        if key is None:
            raise RefusedError("unauthorized", "this API key is not known here")
        scope["polysema.key"] = key

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        most = self._state.settings.max_body
        notes = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if notes is not None and notes.isdigit() and (len(notes) > 18 or int(notes) > most):
            raise _too_large(most)
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(self._state.settings.body_timeout):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise _too_large(most)
                    more = message.get("more_body", False)
        except TimeoutError:
            seconds = self._state.settings.body_timeout
            raise RefusedError("slow", f"the body didn't come within {seconds:g} seconds") from None
        scope["polysema.bytes"] = size
        return b"".join(parts)


class _Seen:
    """What is noted of one request, for its metrics and its line in the log."""

    def __init__(self, scope: Scope, send: Send, state: ServiceState):
        self.id = f"{random.getrandbits(64):016x}"
        self.status = 0
        self.passed_on = self.complete = False
        self._scope, self._send, self._state = scope, send, state
        self._start = time.perf_counter()
        self._sent = 0

    async def send(self, message: Message) -> None:
        """Send, with the request's id; from SIGTERM on every answer ends its connection."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self.id.encode())]
            if self._state.draining or self._scope.get("polysema.close"):
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        else:
            self._sent += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        await self._send(message)

    def route(self) -> str:
        """The path's pattern: what stands in a path may be a text."""
        return getattr(self._scope.get("route"), "path", "unknown")

    def end(self) -> None:
        """Count it, and write its line."""
        if self.passed_on and self.status:
            return
        seconds = time.perf_counter() - self._start
        method = self._scope["method"] if self._scope["method"] in METHODS else "other"
        self._state.metrics.count_request(self.route(), method, self.status, seconds)
        if not LOG.isEnabledFor(logging.INFO):
            return
        key = self._scope.get("polysema.key")
        line: dict[str, Any] = {
            "event": "request",
            "request": self.id,
            "method": method,
            "route": self.route(),
            "status": self.status,
            "ms": round(1000 * seconds, 2),
            "in": self._scope.get("polysema.bytes", 0),
            "out": self._sent,
            "key": key.name if key else None,
        }
        if self._state.settings.log_texts:
            line["path"] = without_keys(self._scope["path"])[:MAX_LOGGED]
            line["query"] = query_shown(self._scope["query_string"], parameters_of(self._scope))
        LOG.info(line)


@asynccontextmanager
async def _while_there(receive: Receive, seen: _Seen) -> AsyncIterator[None]:
    """What is done within it ends where the client goes away before it has its answer: raises `ClientDisconnect`."""
    current = asyncio.current_task()
    assert current is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        if not seen.complete:
            gone = current.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not gone or current.uncancel():
            raise
        raise ClientDisconnect from None
    finally:
        watching.cancel()


def _crossing(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The app, which pages of these origins may ask from a browser; keys come in a header, so no cookie is let
    through.
    """
    if not origins:
        return app
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST", "PUT", "DELETE"),
        allow_headers=("*",),
        expose_headers=("X-Request-Id", "Retry-After"),
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What gives the app a body that was read."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return whole.pop() if whole else await receive()

    return replay


async def _passed_over(receive: Receive) -> None:
    """Read on for a moment: closing a connection with bytes unread would reset it before the answer is seen."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, key = value.decode("latin-1").partition(" ")
            return key.strip() if kind.lower() == "bearer" else None
        if name == b"x-api-key":
            return str(value.decode("latin-1")).strip()
    return None


def _too_large(most: int) -> RefusedError:
    return RefusedError("too_large", f"a body may have {most:,} bytes; this one has more")
