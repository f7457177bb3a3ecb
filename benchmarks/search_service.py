"""Searches a second over HTTP: this service, another checkout of it, and the servers of others, in one run.

    python benchmarks/search_service.py [--seconds 3] [--rounds 3] [--clients 1,8,32] [--with "--processes 2"]
        [--before CHECKOUT/.venv/bin/python] [--chroma VENV/bin/chroma] [--milvus HOST:PORT]

100,000 contextual vectors, 384 wide, cosine, k = 10, each at its cheapest setting whose recall@10 is at least 0.95; the
vectors stand in the request. The clients are one process that does nothing but send bytes and take the time, so most of
two cores is left to the server. Ratios are of rounds in turn.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from index_data import contextual

from polysema import Collection
from polysema.core.environment import home
from polysema.core.space.metric import unit

N_ROWS, K, N_QUESTIONS, WANTED = 100_000, 10, 256, 0.95
NAME = "occurrences"


@dataclass
class Server:
    """The questions: a port, a path, the bodies of the questions, and how the ids stand in an answer."""

    port: int
    path: str
    bodies: list[bytes]
    ids: Callable[[Any], list[str]]
    process: int = 0
    rates: dict[int, list[float]] = field(default_factory=dict)
    costs: dict[int, list[float]] = field(default_factory=dict)
    times: dict[int, list[float]] = field(default_factory=dict)

    @property
    def requests(self) -> list[bytes]:
        """The questions as they go over the wire."""
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        return [head.encode() + f"{len(body)}\r\n\r\n".encode() + body for body in self.bodies]


def _drive(port: int, requests: list[bytes], clients: int, seconds: float) -> list[float]:
    """The seconds of every request of so many clients, each of which asks again when it has its answer."""
    ready, times = selectors.DefaultSelector(), []
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
    started, got = [0.0] * clients, [b""] * clients
    number = 0
    for place, one in enumerate(sockets):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(one, selectors.EVENT_READ, place)
        started[place] = time.perf_counter()
        one.sendall(requests[place])
    end = time.perf_counter() + seconds
    open_now = clients
    while open_now:
        for key, _ in ready.select(30):
            place, one = key.data, sockets[key.data]
            got[place] += one.recv(1 << 18)
            if not _whole(got[place]):
                continue
            now = time.perf_counter()
            if not got[place].startswith(b"HTTP/1.1 200"):
                raise RuntimeError(got[place][:400])
            times.append(now - started[place])
            got[place] = b""
            if now > end:
                ready.unregister(one)
                one.close()
                open_now -= 1
                continue
            number += 1
            started[place] = now
            one.sendall(requests[number % len(requests)])
    return times


def _whole(data: bytes) -> bool:
    head, there, body = data.partition(b"\r\n\r\n")
    if not there:
        return False
    low = head.lower()
    place = low.find(b"content-length:")
    if place < 0:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(low[place + 15 :].split(b"\r\n", 1)[0])


@contextmanager
def polysema(python: str, port: int, options: list[str]) -> Iterator[Server]:
    """`polysema serve` of a checkout over the collection."""
    place = home() / "benchmarks" / "service"
    _made(place / NAME)
    command = [python, "-m", "polysema.app", "serve", "--port", str(port), "--data", str(place), *options]
    with _running(command, port) as process:
        bodies = [json.dumps({"vectors": [one], "k": K, "recall": WANTED}).encode() for one in _questions().tolist()]
        yield Server(
            port,
            f"/v1/collections/{NAME}/search",
            bodies,
            lambda answer: [row["id"] for row in answer["answers"][0]],
            process,
        )


@contextmanager
def chroma(program: str, port: int) -> Iterator[Server]:
    """Chroma's server, filled over its own HTTP."""
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        command = [program, "run", "--path", place, "--port", str(port), "--host", "127.0.0.1"]
        process = stack.enter_context(_running(command, port))
        base = f"http://127.0.0.1:{port}/api/v2/tenants/default_tenant/databases/default_database/collections"
        hnsw = {"hnsw": {"space": "cosine", "ef_search": 40, "max_neighbors": 16, "ef_construction": 100}}
        made = _post(base, {"name": NAME, "configuration": hnsw})
        vectors = contextual(N_ROWS)[0]
        for start in range(0, N_ROWS, 2000):
            rows = vectors[start : start + 2000]
            ids = [f"r{row}" for row in range(start, start + len(rows))]
            _post(f"{base}/{made['id']}/add", {"ids": ids, "embeddings": rows.tolist()})
        bodies = [
            json.dumps({"query_embeddings": [one], "n_results": K, "include": ["distances"]}).encode()
            for one in _questions().tolist()
        ]
        path = base.removeprefix(f"http://127.0.0.1:{port}") + f"/{made['id']}/query"
        yield Server(port, path, bodies, lambda answer: list(answer["ids"][0]), process)


@contextmanager
def milvus(address: str) -> Iterator[Server]:
    """A Milvus server that runs, filled through pymilvus, searched over its HTTP."""
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(uri=f"http://{address}")
    if client.has_collection(NAME):
        client.drop_collection(NAME)
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=32)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=384)
    client.create_collection(NAME, schema=schema)
    vectors = unit(np.asarray(contextual(N_ROWS)[0]))
    for start in range(0, N_ROWS, 2000):
        client.upsert(NAME, [{"id": f"r{row}", "vector": vectors[row].tolist()} for row in range(start, start + 2000)])
    client.flush(NAME)
    params = client.prepare_index_params()
    params.add_index("vector", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 100})
    client.create_index(NAME, params)
    client.load_collection(NAME)
    _, _, port = address.partition(":")
    bodies = [
        json.dumps(
            {"collectionName": NAME, "vector": one, "limit": K, "outputFields": ["id"], "params": {"ef": 40}}
        ).encode()
        for one in _questions().tolist()
    ]
    yield Server(int(port), "/v1/vector/search", bodies, lambda answer: [row["id"] for row in answer["data"]])


@contextmanager
def _running(command: list[str], port: int) -> Iterator[int]:
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if started.poll() is not None:
                raise RuntimeError(f"{command} ended with {started.returncode}")
            time.sleep(0.1)
        yield started.pid
    finally:
        started.terminate()
        started.wait(60)


def cpu_seconds(process: int) -> float:
    """What a process and its children took of the processors."""
    if not process:
        return 0.0
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") + sum(cpu_seconds(int(one)) for one in children)


def _post(url: str, body: object) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.loads(answer.read() or b"null")


def _questions() -> np.ndarray:
    return contextual(N_ROWS)[2][:N_QUESTIONS].astype(np.float32)


def _made(place: Path) -> None:
    if place.exists():
        return
    part = place.with_name("part")
    shutil.rmtree(part, ignore_errors=True)
    collection, vectors = Collection.create(part), contextual(N_ROWS)[0]
    for start in range(0, N_ROWS, 10_000):
        collection.add([f"r{row}" for row in range(start, start + 10_000)], vectors[start : start + 10_000])
    print(collection.compact(index="hnsw"), flush=True)
    part.rename(place)


def recall(server: Server) -> float:
    """The share of the true ten best in its answers."""
    vectors = unit(np.asarray(contextual(N_ROWS)[0]))
    scores = unit(_questions()) @ vectors.T
    best = np.argpartition(-scores, K, axis=1)[:, :K]
    shares = []
    for body, rows in zip(server.bodies, best, strict=True):
        found = server.ids(_post(f"http://127.0.0.1:{server.port}{server.path}", json.loads(body)))
        shares.append(len({f"r{row}" for row in rows} & set(found)) / K)
    return statistics.mean(shares)


def measure(servers: dict[str, Server], counts: list[int], seconds: float, rounds: int) -> None:
    """Rounds in turn, so that whatever else the machine does falls on all of them."""
    # the clients have a process of their own: in the service's they would take its interpreter from it
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as others:
        for _ in range(rounds):
            for clients in counts:
                for server in servers.values():
                    before = cpu_seconds(server.process)
                    times = others.submit(_drive, server.port, server.requests, clients, seconds).result()
                    server.costs.setdefault(clients, []).append((cpu_seconds(server.process) - before) / len(times))
                    server.rates.setdefault(clients, []).append(len(times) / seconds)
                    server.times.setdefault(clients, []).extend(times)


def report(servers: dict[str, Server], counts: list[int]) -> None:
    """What came of it, and how many times as many the first has."""
    first = next(iter(servers.values()))
    for clients in counts:
        for name, server in servers.items():
            p50, p99 = (1000 * np.percentile(server.times[clients], share) for share in (50, 99))
            pairs = zip(first.rates[clients], server.rates[clients], strict=True)
            print(
                f"{clients:2} clients, {name}: {statistics.median(server.rates[clients]):,.0f} searches a second, "
                f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {1000 * statistics.median(server.costs[clients]):.2f} ms of a "
                f"processor each; the first has {statistics.median(a / b for a, b in pairs):.2f} times as many"
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--with", dest="options", action="append", default=[], help="further options of ours, a run")
    parser.add_argument("--before", help="the Python of another checkout")
    parser.add_argument("--chroma", help="the program of a virtual environment")
    parser.add_argument("--milvus", help="the host and port of one that runs")
    given = parser.parse_args()
    ways = {"polysema": polysema(sys.executable, 8701, [])}
    for number, options in enumerate(given.options):
        ways[f"polysema {options}"] = polysema(sys.executable, 8702 + number, options.split())
    if given.before:
        ways["before"] = polysema(given.before, 8711, [])
    if given.chroma:
        ways["chroma"] = chroma(given.chroma, 8712)
    if given.milvus:
        ways["milvus"] = milvus(given.milvus)
    counts = [int(one) for one in given.clients.split(",")]
    with ExitStack() as stack:
        servers = {name: stack.enter_context(way) for name, way in ways.items()}
        for name, server in servers.items():
            print(f"{name}: recall@10 {recall(server):.3f}", flush=True)
        measure(servers, counts, given.seconds, given.rounds)
        report(servers, counts)


if __name__ == "__main__":
    main()
