"""What clients do that nobody should: none of it may stop the service, fill it up, or get a 5xx."""

import json
import os
import re
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
from pydantic import ValidationError

from polysema.app.config.api_keys import make_key
from polysema.app.config.settings import Settings
from polysema.app.explorer import Explorer
from polysema.app.service.app import create_app
from polysema.core.errors import UserError
from tests.endurance import ENDURE
from tests.service.conftest import Service

MALFORMED = int(os.environ.get("POLYSEMA_MALFORMED", "4000" if ENDURE else "600"))
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
    "text",
    "layers",
    "first",
    "axes",
    "pairs",
    "version",
    "options",
    "at",
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["../../etc/passwd", "\ud800", "\x00", "1e999", "bank", "minilm-l6", 10**400]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
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

    app = create_app(explorer, Settings(data=str(tmp_path_factory.mktemp("data")), allowed_hosts=("testserver",)))
    with TestClient(app, raise_server_exceptions=False) as client:
        client.put("/v1/collections/c")
        client.post("/v1/collections/c/rows", json={"ids": ["a"], "vectors": [[1, 2]]})
        yield client


@pytest.fixture(scope="module")
def posts(inside) -> list[str]:  # type: ignore[no-untyped-def]
    """Every path whose body must say something."""
    paths = inside.get("/openapi.json").json()["paths"]
    found = sorted(path.replace("{name}", "c") for path, routes in paths.items() if "post" in routes)
    all_paths = [re.sub(r"\{\w+\}", "0", path) for path in found]
    enough = [path for path in all_paths if inside.post(path, json={}).status_code == 200]
    assert enough == ["/v1/baseline", "/v1/check"]
    return [path for path in all_paths if path not in enough]


@settings(
    max_examples=MALFORMED, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
@given(
    number=st.integers(0, 999),
    body=bodies,
    kind=st.sampled_from(["application/json", "text/plain", "application/vnd.apache.arrow.stream"]),
)
def test_malformed_bodies_are_answered_4xx(  # type: ignore[no-untyped-def]
    inside, posts: list[str], number: int, body: bytes, kind: str
) -> None:
    path = posts[number % len(posts)]
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

    @schemathesis.serializer("application/vnd.apache.arrow.stream")
    def arrow_stream(context, value) -> bytes:  # type: ignore[no-untyped-def]
        """Any bytes: most are no Arrow stream, and must be refused as such."""
        return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")

    app = create_app(explorer, Settings(data=str(tmp_path), timeout=120, allowed_hosts=("*",)))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    examples = int(os.environ.get("POLYSEMA_SCHEMATHESIS", "25" if ENDURE else "2"))
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
            if isinstance(case.body, dict) and case.body.get("kind") in (
                "map",
                "matched",
                "word_map",
                "sense_clusters",
                "senses",
                "corpus",
            ):
                case.body = {"kind": "compact", "collection": "none"}  # these compute for minutes
            case.call_and_validate(checks=checks, timeout=300)

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
    url, _ = served(max_body=1024, body_timeout=1.0, allowed_hosts=("x",))
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
        answer = httpx.request(method, url + path, headers=headers, trust_env=False, timeout=60)
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
        return answer.status_code

    assert ask("GET", "/health", None) == 200
    for path in ("/v1/models", "/metrics", "/openapi.json", "/nothing"):
        assert [ask("GET", path, key) for key in (None, "wrong", reader[:-1], write)] == [401] * 4
    assert ask("GET", "/v1/models", reader) == ask("GET", "/v1/models", reader, "X-API-Key") == 200
    assert [ask("PUT", "/v1/collections/c", key) for key in (None, "é", reader, writer)] == [401, 401, 403, 201]
    for method, path, body, status in (
        ("PUT", "/v1/collections/c/snapshots/s", None, 201),
        ("POST", "/v1/collections/c/restore", {"version": "s"}, 200),
        ("DELETE", "/v1/collections/c/snapshots/s", None, 200),
        ("PUT", "/v1/collections/c/spaces/s", {"dim": 2}, 200),
        ("DELETE", "/v1/collections/c/spaces/s", None, 200),
        ("POST", "/v1/jobs", {"kind": "embed", "collection": "c", "texts": ["a"]}, 202),
        ("POST", "/v1/jobs", {"kind": "compact", "collection": "c"}, 202),
    ):
        given = [
            httpx.request(
                method, url + path, json=body, headers={"x-api-key": key}, trust_env=False, timeout=60
            ).status_code
            for key in ("wrong", reader, writer)
        ]
        assert given == [401, 403, status], (path, given)
    for path, body in (
        ("/v1/similarity", {"first": ["a"], "second": ["b"]}),
        ("/v1/attention", {"text": "a"}),
        ("/v1/jobs", {"kind": "verify", "collection": "c"}),
    ):
        given = [
            httpx.post(url + path, json=body, headers={"x-api-key": key}, trust_env=False, timeout=60).status_code
            for key in ("", reader)
        ]
        assert given == [401, 202 if "jobs" in path else 200], (path, given)
    assert [ask("DELETE", "/v1/collections/c", key) for key in (reader, writer)] == [403, 200]


def test_without_a_key_only_loopback_is_listened_on() -> None:
    for address in ("0.0.0.0", "192.168.0.1", "::", "example.org"):
        with pytest.raises(ValidationError, match="without an API key the service listens on loopback only"):
            Settings(address=address)
    assert Settings(address="::1").address == "::1"
    assert Settings(address="0.0.0.0", keys=(make_key("a")[1],)).api_keys[0].name == "a"


def test_beyond_the_queue_it_is_429(served: Service, explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    url, server = served(workers=1, queue=1, timeout=2.0)
    go = threading.Event()
    gate = server._polysema.gate
    loop = server._loop
    import asyncio

    current = asyncio.run_coroutine_threadsafe(gate.run(lambda: go.wait(20)), loop)
    answers: list[httpx.Response] = []
    options = threading.Thread(
        target=lambda: answers.append(httpx.get(f"{url}/v1/collections", trust_env=False, timeout=60))
    )
    options.start()
    while gate.waiting < 1:
        time.sleep(0.01)
    refused = httpx.get(f"{url}/v1/collections", trust_env=False, timeout=60)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["code"] == "too_many"
    options.join()
    assert (answers[0].status_code, answers[0].json()["error"]["code"]) == (503, "timeout")  # it waited for 2 seconds
    go.set()
    with pytest.raises(UserError, match="longer than 2 seconds"):
        current.result(10)
    assert httpx.get(f"{url}/v1/collections", trust_env=False, timeout=60).status_code == 200
    assert (gate.running, gate.waiting) == (0, 0)


def test_a_link_does_not_lead_out_of_the_data_folder(served: Service, tmp_path: Path) -> None:
    url, _ = served()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    assert httpx.get(f"{url}/v1/collections/out", trust_env=False).status_code == 422
    assert httpx.put(f"{url}/v1/collections/a%00b", trust_env=False).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/v1/collections/c/snapshots/..%2f..%2fFORMAT",
        "/v1/collections/c/snapshots/%2e%2e",
        "/v1/collections/c/snapshots/.x",
        "/v1/collections/c/snapshots/a%00b",
        "/v1/collections/c/spaces/..%2fx",
        "/v1/collections/c/spaces/%2e%2e",
        "/v1/collections/%2e%2e/snapshots/x",
        "/v1/collections/c%2f..%2fc/snapshots/x",
        "/v1/collections/~root/snapshots/x",
    ],
)
def test_names_lead_nowhere_else(inside, path: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    before = sorted(inside.app.state.polysema.shelf.folder.parent.rglob("*"))
    for method in ("PUT", "DELETE"):
        answer = inside.request(method, path, json={"dim": 2} if "spaces" in path else None)
        assert answer.status_code in (404, 422), answer.text
    assert sorted(inside.app.state.polysema.shelf.folder.parent.rglob("*")) == before
    for space in ("../../etc/passwd", "c/../c", "c/..", "/etc", "c/", "~"):
        assert inside.post("/v1/neighbors", json={"words": ["a"], "space": space}).status_code == 422


@pytest.mark.parametrize(
    ("path", "query", "part"),
    [
        ("/v1/attention", {"text": "bank " * 3000}, "at most 0.0671 GB"),
        ("/v1/attention", {"text": "bank " * 60_000}, "at most 20000 characters"),
        ("/v1/attention", {"text": "The bank.", "head": 3}, "give the layer"),
        ("/v1/attention", {"text": "The bank.", "head": 99, "layers": [1]}, "heads"),
        ("/v1/attention", {"text": "The bank.", "layers": [0]}, "layer"),
        ("/v1/attention", {"text": "The bank.", "model": "glove-6b-50d"}, ""),
        ("/v1/attention", {"text": "The bank.", "model": "/etc/passwd"}, "model"),
        ("/v1/attention", {"text": " "}, ""),
        ("/v1/lens", {"text": "bank " * 3000, "k": 1000}, "numbers"),
        ("/v1/lens", {"text": "The bank.", "at": "river"}, "river"),
        ("/v1/lens", {"text": "The bank.", "at": 99}, "tokens 0 to"),
        ("/v1/find-heads", {"pairs": [["a"]], "texts": ["a"]}, "pairs"),
        (
            "/v1/contributions",
            {"text": "bank " * 3000, "word": "a", "at": 1},
            "has positions for 512: give a shorter text",
        ),
        (
            "/v1/patch",
            {"clean": "the bank", "corrupted": "a bank", "answer": "a", "model": "minilm-l6"},
            "no head that",
        ),
        ("/v1/patch", {"clean": "phone", "corrupted": "shone", "answer": "F", "model": "g2p-t5", "at": 9}, "tokens 0"),
        ("/v1/patch", {"clean": "phone", "answer": "F", "model": "g2p-t5"}, "corrupted text, or noise"),
        ("/v1/patch", {"clean": "ph", "corrupted": "shone", "answer": "F", "model": "g2p-t5", "part": "x"}, "part"),
        ("/v1/head-computation", {"text": "a", "layer": 7, "head": 1, "model": "minilm-l6"}, "layers 1 to 6; got 7"),
        ("/v1/head-computation", {"text": "a", "layer": 1, "head": 13, "model": "minilm-l6"}, "heads 1 to 12"),
        ("/v1/head-statistics", {"model": "minilm-l6"}, "at least one text"),
        ("/v1/head-statistics", {"texts": ["a a"], "random": 1, "model": "minilm-l6"}, "and not both"),
        ("/v1/surprisal", {"text": "the bank", "model": "minilm-l6"}, "no head that scores words"),
        ("/v1/surprisal", {"text": "phone", "model": "g2p-t5", "method": "masked"}, "masks nothing"),
        ("/v1/travel", {"word": "house", "axis": "poor -> rich", "reach": 0}, "reach"),
        ("/v1/similarity", {"first": ["a"] * 200, "second": ["b"] * 100}, "256 words"),
        ("/v1/embed", {"texts": ["bank"] * 2, "layers": [0, 0, 99]}, "layers"),
        ("/v1/jobs", {"kind": "nope"}, "kind"),
        ("/v1/jobs", {"kind": "map", "options": {"min_dist": 3.0, "spread": 1.0}}, "min_dist"),
        ("/v1/jobs", {"kind": "map", "space": "/etc/passwd"}, "space"),
        ("/v1/jobs", {"kind": "map", "method": "nope"}, "does not exist"),
        ("/v1/jobs", {"kind": "verify", "collection": "nope"}, "no collection nope"),
        ("/v1/jobs", {"kind": "matched", "a": "/etc/passwd", "b": "minilm-l6@0"}, "should be a name of letters"),
        ("/v1/jobs", {"kind": "matched", "a": "minilm-l6@0", "b": "nope"}, "'nope' is not in the catalog"),
        ("/v1/jobs", {"kind": "matched", "a": "minilm-l6@0", "b": {"space": "minilm-l6@6", "k": 1}}, "Extra inputs"),
        ("/v1/jobs", {"kind": "matched", "a": "minilm-l6@0", "b": "minilm-l6@6", "method": "nope"}, "does not exist"),
        (
            "/v1/jobs",
            {"kind": "matched", "a": "minilm-l6@0", "b": "minilm-l6@6", "through": ["minilm-l6@3"] * 99},
            "32",
        ),
        ("/v1/jobs", {"kind": "sense_clusters", "word": "bank", "texts": ["bank"] * 2001}, "2000"),
        (
            "/v1/association",
            {"first": ["a"] * 80, "second": ["b"] * 80, "toward": ["c"] * 80, "away": ["d"] * 80},
            "256 words",
        ),
        ("/v1/association", {"first": ["a"], "second": ["b", "c"], "toward": ["c", "d"], "away": ["d", "e"]}, "first"),
        (
            "/v1/association",
            {"first": ["a"] * 2, "second": ["a"] * 2, "toward": ["c"] * 2, "away": ["d"] * 2},
            "lean alike",
        ),
        ("/v1/vector", {"expression": ""}, "expression"),
        ("/v1/vector", {"expression": "king - "}, ""),
        ("/v1/baseline", {"space": "/etc/passwd"}, "space"),
        ("/v1/jobs/0/around", {"row": 1}, "no job '0'"),
    ],
)
def test_too_much_and_wrong_is_the_callers(inside, path: str, query: dict[str, object], part: str) -> None:  # type: ignore[no-untyped-def]
    answer = inside.post(path, json=query)
    assert 400 <= answer.status_code < 500, answer.text
    assert part in answer.json()["error"]["message"]
    assert "\n" not in answer.json()["error"]["message"]


def test_a_body_that_is_no_json_is_told_as_such(inside) -> None:  # type: ignore[no-untyped-def]
    for path in ("/v1/lens", "/v1/collections/c/rows"):
        answer = inside.post(path, content=b'{"text": "The bank"', headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert "no JSON" in answer.json()["error"]["message"] or "Invalid JSON" in answer.json()["error"]["message"]
    nowhere = inside.post("/v1/neighbors", json={"words": ["a"], "space": "mine"}).json()["error"]["message"]
    assert nowhere.endswith("and no collection here (c)")


def test_a_foreign_host_is_not_answered(served: Service) -> None:
    url, _ = served(allowed_hosts=("polysema.lan",))
    port = urlsplit(url).port
    for host, status in (
        ("127.0.0.1", 200),
        (f"127.0.0.1:{port}", 200),
        ("localhost:1", 200),
        ("LOCALHOST", 200),
        (f"[::1]:{port}", 200),
        ("polysema.lan", 200),
        ("evil.example", 421),
        (f"evil.example:{port}", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("polysema.lan.", 200),
        ("localhost..", 421),
        (f"127.0.0.1:{port}@evil", 421),
        (f"evil@127.0.0.1:{port}", 421),
        ("127.0.0.1:65536", 421),
        ("127.0.0.1:", 421),
        ("127.0.0.1:+80", 421),
        ("[::1]evil", 421),
        ("::1", 421),
        ("[127.0.0.1]", 421),
        ("127.0.0.1/evil", 421),
        ("127.0.0.1, evil", 421),
        ("localhost:80:80", 421),
        ("", 421),
        ("[::1", 421),
        ("0.0.0.0", 421),
        ("\xe9", 421),
    ):
        got = raw(url, b"GET /health HTTP/1.1\r\nConnection: close\r\nHost: " + host.encode("latin-1") + b"\r\n\r\n")
        assert int(got.split(b" ")[1]) == status or (not host.isascii() and b" 400 " in got), (host, got)
    own = f"Host: 127.0.0.1:{port}\r\n"
    for line, headers, status in (
        ("GET /health HTTP/1.0", "", 421),
        ("GET /health HTTP/1.0", own, 200),
        ("GET /health HTTP/1.1", own + "Host: evil.example\r\n", 400),
        ("GET http://evil.example/health HTTP/1.1", own, 421),
        ("GET http://evil@localhost/health HTTP/1.1", own, 421),
        (f"GET http://localhost:{port}/health HTTP/1.1", own, 200),
        (f"GET http://127.0.0.1:{port} HTTP/1.1", own, 404),
    ):
        got = raw(url, f"{line}\r\n{headers}Connection: close\r\n\r\n".encode())
        assert int(got.split(b" ")[1]) == status, (line, headers, got)
    assert (
        httpx.get(f"{url}/v1/models", headers={"host": "evil.example"}, trust_env=False).json()["error"]["code"]
        == "misdirected"
    )
    for wrong in ("http://x", "a b", "x:80", ""):
        with pytest.raises(ValidationError, match="allowed_hosts"):
            Settings(allowed_hosts=(wrong,))
    key = make_key("a")[1]
    assert Settings(address="0.0.0.0", keys=(key,)).hosts is None
    assert Settings(address="0.0.0.0", keys=(key,), allowed_hosts=("a.b",)).hosts == {
        "a.b",
        "localhost",
        "127.0.0.1",
        "::1",
        "0.0.0.0",
    }
    assert Settings(allowed_hosts=("*",)).hosts is None


HEADER_BYTES = 200  # in which two answers with the same body may differ


def test_a_client_that_reads_nothing_is_let_go(served: Service) -> None:
    url, server = served(body_timeout=1.0)
    place = urlsplit(url)
    body = json.dumps({"word": "bank", "other": "zulu", "space": "glove-6b-50d"}).encode()
    head = (
        "POST /v1/closer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        f"{len(body)}\r\n\r\n"
    )
    with socket.socket() as deaf, socket.socket() as slow:
        for one, room in ((deaf, 4096), (slow, 1 << 17)):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            one.connect((place.hostname, place.port))
            one.sendall(head.encode() + body)
        got = len(slow.recv(1 << 16))  # the answer is there: from here on it is read slowly
        end = time.monotonic() + 4
        while time.monotonic() < end:
            got += len(slow.recv(1 << 14))
            time.sleep(0.05)
        open_now = len(server.server_state.connections)
        slow.settimeout(30)
        whole = len(raw(url, head.encode().replace(b"Host", b"Connection: close\r\nHost") + body))
        while got < whole - HEADER_BYTES and (part := slow.recv(1 << 20)):
            got += len(part)
    assert got >= whole - HEADER_BYTES > 2_000_000
    assert open_now == 1
