"""What clients do that nobody should: none of it may stop the service, fill it up, or be answered 5xx."""

import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polysema.app.api import create_app
from polysema.app.explorer import Explorer
from polysema.app.keys import make_key
from polysema.app.settings import Settings
from polysema.core.errors import UserError
from tests.service.conftest import Service

MALFORMED = int(os.environ.get("POLYSEMA_MALFORMED", "2000"))
POSTS = (
    "/v1/embeddings", "/v1/neighbors", "/v1/analogy", "/v1/compare", "/v1/embed", "/v1/jobs",
    "/v1/collections/c/rows", "/v1/collections/c/search", "/v1/collections/c/delete",
)  # fmt: skip
FIELDS = (
    "model",
    "input",
    "words",
    "vectors",
    "expression",
    "texts",
    "word",
    "ids",
    "k",
    "space",
    "where",
    "kind",
    "columns",
    "origin",
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["../../etc/passwd", "\ud800", "\x00", "1e999", "bank", "minilm-l6", 10**400]),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
bodies = st.one_of(
    st.binary(max_size=200),
    values.map(lambda value: json.dumps(value).encode()),
    values.map(lambda value: json.dumps(value).encode()[:-1]),
    # a field that no request has makes every one of these wrong
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=6).map(
        lambda one: json.dumps({**one, "no such field": 1, "input": 3}).encode()
    ),
    st.integers(1, 5000).map(lambda depth: b"[" * depth),
)


@pytest.fixture(scope="module")
def inside(explorer: Explorer, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    from starlette.testclient import TestClient

    app = create_app(explorer, Settings(data=str(tmp_path_factory.mktemp("data"))))
    with TestClient(app, raise_server_exceptions=False) as client:
        client.put("/v1/collections/c")
        client.post("/v1/collections/c/rows", json={"ids": ["a"], "vectors": [[1, 2]]})
        yield client


@settings(
    max_examples=MALFORMED, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
@given(
    path=st.sampled_from(POSTS),
    body=bodies,
    kind=st.sampled_from(["application/json", "text/plain", "application/vnd.apache.arrow.stream"]),
)
def test_malformed_bodies_are_answered_4xx(inside, path: str, body: bytes, kind: str) -> None:  # type: ignore[no-untyped-def]
    answer = inside.post(path, content=body, headers={"content-type": kind})
    assert 400 <= answer.status_code < 500, (path, body, answer.text)
    assert answer.json()["error"]["code"]


def test_the_openapi_document_holds(explorer: Explorer, tmp_path: Path) -> None:
    import schemathesis
    from schemathesis.checks import CheckContext  # noqa: F401  (the version that has it is the one that is tested)
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    app = create_app(explorer, Settings(data=str(tmp_path), timeout=120))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    examples = int(os.environ.get("POLYSEMA_SCHEMATHESIS", "8"))
    checks = [
        schemathesis.checks.not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    operations = [one.ok() for one in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:

        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        )
        @given(case=operation.as_strategy())
        def holds(case) -> None:  # type: ignore[no-untyped-def]
            if isinstance(case.body, dict) and case.path == "/v1/jobs":
                case.body["kind"] = "compact"  # the others compute for minutes
            case.call_and_validate(checks=checks)

        holds()


def raw(url: str, data: bytes, wait: float = 10.0) -> bytes:
    """What comes back for bytes on a socket, up to its end."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=wait) as one:
        got = b""
        with suppress(ConnectionError):  # huge headers: closed while they are still being sent
            one.sendall(data)
            while part := one.recv(65536):
                got += part
        return got


def test_bodies_that_lie_are_slow_or_too_large(served: Service) -> None:
    url, _ = served(max_body=1024, body_timeout=1.0)
    head = b"POST /v1/analogy HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    assert b" 413 " in raw(url, head + b"Content-Length: 99999999999\r\n\r\n{")
    chunks = b"".join(b"200\r\n" + b"a" * 512 + b"\r\n" for _ in range(4))
    assert b" 413 " in raw(url, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    start = time.monotonic()
    assert b" 408 " in raw(url, head + b"Content-Length: 100\r\n\r\n{")  # 99 bytes never come
    assert raw(url, b"GET /health HT") == b""  # headers that never end
    assert time.monotonic() - start < 8
    huge = raw(url, b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n")
    assert huge[:12] in (b"", b"HTTP/1.1 400")
    assert b" 400 " in raw(url, head + b"Content-Length: -5\r\n\r\n")
    assert b" 400 " in raw(url, head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")
    place = urlsplit(url)
    for _ in range(20):  # aborted uploads
        with socket.create_connection((place.hostname, place.port)) as one:
            one.sendall(head + b"Content-Length: 1000\r\n\r\n{")
    assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
    assert "polysema_running 0" in httpx.get(f"{url}/metrics", trust_env=False).text


def test_keys(served: Service) -> None:
    (reader, read), (writer, write) = make_key("reader"), make_key("writer", "write")
    assert reader not in read
    url, _ = served(keys=(read, write))

    def ask(method: str, path: str, key: str | None, header: str = "Authorization") -> int:
        headers = (
            {} if key is None else {header: (f"Bearer {key}" if header == "Authorization" else key).encode("latin-1")}
        )
        answer = httpx.request(method, url + path, headers=headers, trust_env=False)
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
        return answer.status_code

    assert ask("GET", "/health", None) == 200
    for path in ("/v1/models", "/metrics", "/openapi.json", "/nothing"):
        assert [ask("GET", path, key) for key in (None, "wrong", reader[:-1], write)] == [401] * 4
    assert ask("GET", "/v1/models", reader) == ask("GET", "/v1/models", reader, "X-API-Key") == 200
    assert [ask("PUT", "/v1/collections/c", key) for key in (None, "é", reader, writer)] == [401, 401, 403, 201]
    assert [ask("DELETE", "/v1/collections/c", key) for key in (reader, writer)] == [403, 200]


def test_without_a_key_only_loopback_is_listened_on() -> None:
    for address in ("0.0.0.0", "192.168.0.1", "::", "example.org"):
        with pytest.raises(UserError, match="without an API key the service listens on loopback only"):
            Settings(address=address)
    assert Settings(address="::1").address == "::1"
    assert Settings(address="0.0.0.0", keys=(make_key("a")[1],)).api_keys[0].name == "a"


def test_beyond_the_queue_it_is_429(served: Service, explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    url, server = served(workers=1, queue=1, timeout=2.0)
    go = threading.Event()
    gate = server._polysema.gate
    loop = server._loop
    import asyncio

    held = asyncio.run_coroutine_threadsafe(gate.run(lambda: go.wait(20)), loop)
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(httpx.get(f"{url}/v1/collections", trust_env=False)))
    asking.start()
    while gate.waiting < 1:
        time.sleep(0.01)
    refused = httpx.get(f"{url}/v1/collections", trust_env=False)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["code"] == "too_many"
    asking.join()
    assert (answers[0].status_code, answers[0].json()["error"]["code"]) == (503, "timeout")  # it waited for 2 seconds
    go.set()
    with pytest.raises(UserError, match="longer than 2 seconds"):
        held.result(10)
    assert httpx.get(f"{url}/v1/collections", trust_env=False).status_code == 200
    assert (gate.running, gate.waiting) == (0, 0)


def test_a_link_does_not_lead_out_of_the_data_folder(served: Service, tmp_path: Path) -> None:
    url, _ = served()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    assert httpx.get(f"{url}/v1/collections/out", trust_env=False).status_code == 422
    assert httpx.put(f"{url}/v1/collections/a%00b", trust_env=False).status_code == 422
