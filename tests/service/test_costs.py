"""What one request may cost: the worst that each route can be sent, against a service in a process of its own."""

import contextlib
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest

from polysema.app.service.arrow_bodies import read_table
from polysema.app.service.bodies import JsonCounts, check_cost, count_json
from polysema.app.service.errors import RefusedError
from polysema.core.errors import UserError
from tests.endurance import ENDURE
from tests.service.conftest import free_port
from tests.service.worst_requests import (
    JOB,
    MATCHED_JOB,
    MODELS,
    SENTENCE,
    SPACES,
    WORST,
    make_collections,
)

MOST_MEMORY = 400  # MB over rest
MOST_WAIT = 2.0  # seconds that another client may wait; half a second on a machine of its own
BODY = 32 << 20  # bytes, the most that a body may have


class Process:
    """The service in a process, and what it takes."""

    def __init__(self, pid: int, url: str):
        self.pid, self.url = pid, url
        self.client = httpx.Client(base_url=url, timeout=120, trust_env=False)

    def job(self, **body: object) -> str:
        """The id of a job that is done."""
        name = str(self.client.post("/v1/jobs", json=body).raise_for_status().json()["id"])
        for _ in range(1200):
            if (state := self.client.get(f"/v1/jobs/{name}").json()["state"]) == "done":
                return name
            assert state in ("queued", "running")
            time.sleep(0.1)
        raise AssertionError(f"{body} takes too long")

    def megabytes(self, name: str) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))

    def cost(self, method: str, path: str, body: bytes, accept: str = "*/*") -> tuple[int, int, float, float]:
        """The status and bytes of an answer, the memory over rest in MB, and the longest wait of another client."""
        size = 0
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak starts anew
        rest, waits, done = self.megabytes("VmRSS"), [0.0], threading.Event()

        def others() -> None:
            with httpx.Client(base_url=self.url, timeout=120, trust_env=False) as client:
                while not done.is_set():
                    start = time.perf_counter()
                    assert client.get("/health").status_code == 200
                    waits.append(time.perf_counter() - start)
                    time.sleep(0.01)

        other = threading.Thread(target=others)
        other.start()
        try:
            headers = {"content-type": "application/json", "accept": accept}
            with self.client.stream(method, path, content=body, headers=headers) as answer:
                self.first = b""
                for part in answer.iter_raw():
                    self.first = self.first or part[:200]
                    size += len(part)
        finally:
            done.set()
            other.join()
        return answer.status_code, size, self.megabytes("VmHWM") - rest, max(waits)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the peak of a process's memory can't be read here")
    data = tmp_path_factory.mktemp("data")
    make_collections(data)
    port = free_port()
    command = (sys.executable, "-m", "polysema.app", "serve", "--port", str(port))
    started = subprocess.Popen([*command, "--data", str(data)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        made = Process(started.pid, f"http://127.0.0.1:{port}")
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                made.client.get("/health")
                break
            time.sleep(0.1)
        # what is loaded once is no cost of a request
        made.client.post("/v1/attention", json={"model": "minilm-l6", "text": "a"})
        made.client.post("/v1/lens", json={"model": "minilm-l6", "text": "a [MASK]"})
        for name in SPACES:
            made.client.post("/v1/neighbors", json={"space": name, "words": ["bank"]})
        for name in MODELS if ENDURE else MODELS[:1]:
            made.client.post("/v1/surprisal", json={"model": name, "text": "a b", "target": "a"})
        yield made
    finally:
        started.terminate()
        started.wait(30)


def filled(start: bytes, item: bytes, end: bytes, size: int = BODY) -> bytes:
    return start + b",".join([item] * ((size - len(start) - len(end)) // (len(item) + 1))) + end


HUGE = {
    "numbers": (b'{"vectors":[', b"1", b"]}", BODY),
    "objects": (b'{"occurrences":[', b'{"a":1}', b"]}", BODY),
    "empty lists": (b'{"input":[', b"[]", b'],"model":"minilm-l6"}', BODY),
    "vectors": (b'{"vectors":[[', b"0.123456789", b"]]}", 30 << 20),
    "an open end": (b'{"vectors":[[', b"0.123456789", b"", 30 << 20),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_body_of_the_largest_size_is_cheap(process: Process, name: str) -> None:
    start, item, end, size = HUGE[name]
    path = "/v1/embeddings" if b'"input"' in start else "/v1/neighbors"
    status, _, memory, wait = process.cost("POST", path, filled(start, item, end, size))
    assert status in (400, 413, 422)
    assert memory < MOST_MEMORY
    assert wait < MOST_WAIT


def test_no_route_collects_the_mistakes_of_a_body(process: Process) -> None:
    """What passes the count is wrong throughout: unknown fields, and wrong items in every list that a route has."""
    document = process.client.get("/openapi.json").json()
    unknown = b"{" + b",".join(b'"k%d":1' % number for number in range(100_000)) + b"}"
    wrong = filled(b"[", b"[[]]", b"]", 1 << 18)
    fields = {
        name
        for schema in document["components"]["schemas"].values()
        for name, field in schema.get("properties", {}).items()
        if field.get("type") == "array"
    }
    items = b"{" + b",".join(b'"%b":[[1],[1],[1]]' % name.encode() for name in sorted(fields)) + b"}"
    paths = [path for path, routes in document["paths"].items() if "post" in routes and "{" not in path]
    assert len(paths) > 15
    for path in paths:
        for body in (unknown, items, b'{"texts":' + wrong + b"}"):
            answer = process.client.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in (400, 413, 422), (path, answer.text)
            assert len(answer.content) < 2000
    status, _, memory, wait = process.cost("POST", "/v1/jobs", unknown)
    assert status == 422
    assert memory < MOST_MEMORY
    assert wait < MOST_WAIT


@pytest.mark.parametrize(
    ("path", "body", "least"),
    [
        ("/v1/attention", b'{"model": "minilm-l6", "text": "%b"}' % (24 * SENTENCE.encode()), 100 << 20),
        ("/v1/lens", b'{"model": "minilm-l6", "text": "%b[MASK]", "k": 1000}' % (2 * SENTENCE.encode()), 3 << 20),
        ("/v1/embeddings", b'{"model": "minilm-l6", "input": [%b]}' % b",".join([b'"a"'] * 256), 1 << 20),
    ],
    ids=lambda value: value[4:] if isinstance(value, str) else "",
)
def test_the_largest_answers_are_written_while_they_are_sent(
    process: Process, path: str, body: bytes, least: int
) -> None:
    status, size, memory, wait = process.cost("POST", path, body)
    assert status == 200
    assert size > least
    assert memory < MOST_MEMORY
    assert wait < MOST_WAIT


def test_every_route_has_a_worst_request(process: Process) -> None:
    document = process.client.get("/openapi.json").json()
    routes = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert {one.route for one in WORST} == routes


def test_no_request_within_the_limits_costs_more_than_is_said(process: Process) -> None:
    """The worst of each route, which those of a second or two show here, and all of them in `make endure`."""
    ids = {
        JOB: process.job(kind="map", space="glove-6b-50d", method="pca", n=400_000 if ENDURE else 20_000),
        MATCHED_JOB: process.job(kind="matched", a="minilm-l6@0", b="minilm-l6@6", n=None, method="pca"),
    }
    found = []
    for one in WORST:
        if one.endures and not ENDURE:
            continue
        path = one.path.replace(JOB, ids[JOB]).replace(MATCHED_JOB, ids[MATCHED_JOB])
        status, size, memory, wait = process.cost(one.method, path, one.content, one.accept)
        line = f"{one.route}: {status}, {size / 1e6:.1f} MB, {memory:.0f} MB of memory, {wait:.2f} s, {process.first!r}"
        expected = (413, 422) if one.refused else (200, 201, 202, 503) if one.endures else (200, 201, 202)
        if status not in expected or memory > MOST_MEMORY or wait > MOST_WAIT:
            found.append(line)
    assert not found, "\n".join(found)


def test_counting_passes_over_what_stands_in_texts() -> None:
    assert count_json(rb'{"a[{,": ["b\"[,", "\\", {"c": [1, 2]}]}') == JsonCounts(3, 4, 2, 2)
    assert count_json(b"") == JsonCounts(0, 0, 0, 0)
    check_cost(b'{"texts": ["' + b"[{," * 400_000 + b'"]}', 10 << 20)
    with pytest.raises(RefusedError, match=r"takes about \d+ MB to read; one may take 10 MB"):
        check_cost(filled(b"[", b"[]", b"]", 1 << 20), 10 << 20)


def arrow(table: pa.Table, compression: str | None = None) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return out.getvalue()


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_what_an_arrow_stream_unpacks_to_is_known_before(compression: str | None) -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(1000 * 64, np.float32)), 64)
    senses = pa.array(["river"] * 1000).dictionary_encode()
    table = pa.table({"id": [str(row) for row in range(1000)], "vector": vectors, "sense": senses})
    ids, found, columns = read_table(arrow(table, compression), 1 << 19)
    assert (len(ids), found.shape, columns) == (1000, (1000, 64), table.select(["sense"]))
    with pytest.raises(RefusedError, match="takes 0 MB unpacked; one may take 0 MB"):
        read_table(arrow(table, compression), 1 << 17)
    long = table.set_column(2, "text", pa.array(["a" * 1_000_000] * 1000).dictionary_encode())
    with pytest.raises(RefusedError, match="takes 953 MB unpacked; one may take 64 MB"):
        read_table(arrow(long, compression), 64 << 20)
    body = bytearray(arrow(table, compression))
    for place in range(0, len(body), 97):  # damaged anywhere: read, or told
        damaged = bytes(body[:place]) + bytes([body[place] ^ 0xFF]) + bytes(body[place + 1 :])
        with contextlib.suppress(UserError):
            read_table(damaged, 1 << 19)
