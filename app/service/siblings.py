"""The processes of one service among themselves: whatever one of them has alone, its jobs and its counts, the others
ask it for, over sockets in a folder that nobody else may look into.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.responses import Response, StreamingResponse
from starlette.types import Scope

from polysema.app.service.errors import RefusedError

if TYPE_CHECKING:
    import httpx

HOME = 0  # the number of the process that runs the jobs
JOBS, METRICS = "/v1/jobs", "/metrics"
CONNECT_SECONDS = 5.0  # until a process that is just starting answers
EARLIEST = ("process_start_time_seconds",)  # of these the least is told, of others the sum
_OF_A_CONNECTION = {b"connection", b"transfer-encoding", b"date", b"server", b"keep-alive"}


@dataclass(frozen=True, slots=True)
class Place:
    """One of several processes: its number, how many there are, and the folder of their sockets."""

    number: int
    count: int
    folder: Path

    def socket(self, number: int) -> Path:
        """The socket of one of them."""
        return self.folder / f"{number}.sock"


class Siblings:
    """Asks the other processes."""

    def __init__(self, place: Place):
        self.place = place
        self._clients: dict[int, httpx.AsyncClient] = {}

    def forwards(self, scope: Scope) -> bool:
        """Whether a request is one for the process that runs the jobs, and this is another."""
        path = scope["path"]
        return self.place.number != HOME and (path == JOBS or path.startswith(f"{JOBS}/"))

    async def forward(self, scope: Scope, body: bytes) -> Response:
        """What the process that runs the jobs answers to a request, part by part as it comes."""
        import httpx

        client = self._client(HOME)
        query = scope["query_string"]
        target = scope.get("raw_path") or scope["path"].encode()
        url = httpx.URL("http://localhost").copy_with(raw_path=target + (b"?" + query if query else b""))
        headers = [
            (name, value) for name, value in scope["headers"] if name not in {*_OF_A_CONNECTION, b"content-length"}
        ]
        request = client.build_request(scope["method"], url, headers=headers, content=body)
        try:
            answer = await client.send(request, stream=True)
        except httpx.TransportError:
            raise RefusedError("unavailable", "the process that runs the jobs is starting anew; ask again") from None
        response = StreamingResponse(answer.aiter_raw(), answer.status_code)
        response.raw_headers = [
            (name.lower(), value)
            for name, value in answer.headers.raw
            if name.lower() not in _OF_A_CONNECTION and name.lower() != b"x-request-id"
        ]
        return _Closing(response, answer)

    async def metrics(self, mine: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The metrics of all processes together; of those that don't answer, none."""
        others = [number for number in range(self.place.count) if number != self.place.number]
        texts = await asyncio.gather(*(self._metrics_of(number, headers) for number in others))
        return merged([mine, *texts])

    async def _metrics_of(self, number: int, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        import httpx

        kept = [(name, value) for name, value in headers if name in (b"host", b"authorization", b"x-api-key")]
        try:
            answer = await self._client(number).get(f"http://localhost{METRICS}", headers=kept)
        except httpx.TransportError:
            return b""
        return answer.content if answer.status_code == 200 else b""

    def _client(self, number: int) -> httpx.AsyncClient:
        import httpx

        if number not in self._clients:
            transport = httpx.AsyncHTTPTransport(uds=str(self.place.socket(number)))
            timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
            self._clients[number] = httpx.AsyncClient(transport=transport, timeout=timeout)
        return self._clients[number]

    async def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            await client.aclose()


class _Closing(Response):
    """A response that closes what it is read from."""

    def __init__(self, response: Response, source: httpx.Response):
        self._response, self._source = response, source

    async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]
        """Send it."""
        try:
            await self._response(scope, receive, send)
        finally:
            await self._source.aclose()


def is_of_sibling(scope: Scope) -> bool:
    """Whether a request came over a socket of the folder: it has no address."""
    return scope.get("client") is None


class _Merged(Collector):
    """The samples of several texts, those with the same name and labels as one."""

    def __init__(self, texts: Iterable[bytes]):
        self._texts = [text.decode() for text in texts]

    def collect(self) -> Iterable[Metric]:
        """One family for each name."""
        families: dict[str, Metric] = {}
        values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
        for text in self._texts:
            for family in text_string_to_metric_families(text):
                families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    key = (family.name, sample.name, tuple(sample.labels.items()))
                    before = values.get(key)
                    if before is None:
                        values[key] = sample.value
                    else:
                        values[key] = min(before, sample.value) if sample.name in EARLIEST else before + sample.value
        for (family_name, name, labels), value in values.items():
            families[family_name].add_sample(name, dict(labels), value)
        return families.values()


def merged(texts: Iterable[bytes]) -> bytes:
    """The metrics of several processes as those of one: counts, times and memory are added up."""
    registry = CollectorRegistry()
    registry.register(_Merged(texts))
    return generate_latest(registry)
