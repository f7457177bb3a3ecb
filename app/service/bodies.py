"""What a JSON body costs before it is read: counted in its bytes, so that a small limit on bytes is one on memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import numpy as np
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from polysema.app.config.settings import MEGABYTE
from polysema.app.service.errors import RefusedError

UNCOUNTED_BYTES = 1 << 19  # a body up to here costs little whatever stands in it
# bytes of memory that one of each takes once it is read and validated (Python 3.11 to 3.13, measured)
VALUE_BYTES, TEXT_BYTES, LIST_BYTES, OBJECT_BYTES = 56, 64, 160, 480


@dataclass(frozen=True, slots=True)
class JsonCounts:
    """What stands in a JSON text outside its strings, without reading it."""

    values: int
    texts: int
    lists: int
    objects: int

    @property
    def cost(self) -> int:
        """Bytes of memory that it takes to read and to validate it, about."""
        return (
            self.values * VALUE_BYTES + self.texts * TEXT_BYTES + self.lists * LIST_BYTES + self.objects * OBJECT_BYTES
        )


def count_json(body: bytes) -> JsonCounts:
    """The commas, strings, lists and objects of a JSON text."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
    texts = body.count(b'"') // 2
    commas, lists, objects = (body.count(sign) for sign in (b",", b"[", b"{"))
    if texts and (commas > texts or lists or objects):  # some of the signs may stand within strings
        codes = np.frombuffer(body, np.uint8)
        outside = ~np.logical_xor.accumulate(codes == ord('"'))
        commas, lists, objects = (int(np.count_nonzero(outside & (codes == ord(sign)))) for sign in ",[{")
    return JsonCounts(commas, texts, lists, objects)


def check_cost(body: bytes, most: int) -> None:
    """Raise `RefusedError` (413) for a JSON text that would take more than `most` bytes of memory to read."""
    if len(body) <= UNCOUNTED_BYTES:
        return
    counts = count_json(body)
    if counts.cost + len(body) > most:
        raise RefusedError(
            "too_large",
            f"a body of {counts.values:,} values, {counts.texts:,} strings, {counts.lists:,} lists and "
            f"{counts.objects:,} objects takes about {counts.cost // MEGABYTE:,} MB to read; one may take "
            f"{most // MEGABYTE:,} MB: send less at once, and vectors as base64 or as an Arrow stream",
        )


class CheckedRequest(Request):
    """A request whose JSON is read by the faster parser."""

    async def json(self) -> object:
        """The body as Python values; raises `json.JSONDecodeError`."""
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = parse(body) if len(body) <= UNCOUNTED_BYTES else await asyncio.to_thread(parse, body)
        return self._json


def parse(body: bytes) -> object:
    """A JSON text as Python values; raises `json.JSONDecodeError`."""
    try:
        return from_json(body)
    except ValueError as error:
        if len(body) <= UNCOUNTED_BYTES:
            return json.loads(body)  # says at which character, and takes what is no Unicode, which fields refuse
        raise json.JSONDecodeError(str(error), "", 0) from None


class CheckedRoute(APIRoute):
    """A route whose bodies are counted before they are read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        """The handler of FastAPI, for a request of ours."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            checked = CheckedRequest(request.scope, request.receive)
            if "json" in request.headers.get("content-type", ""):
                body, most = await checked.body(), request.app.state.polysema.settings.max_parsed
                if len(body) > UNCOUNTED_BYTES:  # other requests have their turn meanwhile
                    await asyncio.to_thread(check_cost, body, most)
            return await handler(checked)

        return answer
