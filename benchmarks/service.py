"""The service over HTTP: what it costs over the library, how it holds under load, and what batching brings.

python benchmarks/service.py [seconds a measurement] [minutes of mixed load]
"""

import http.client
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from polysema.app.config.settings import Settings
from polysema.app.explorer import Explorer
from polysema.app.service.server import Draining, server

CLIENTS = (1, 8, 32)
NEIGHBORS = ("POST", "/v1/neighbors", {"words": ["bank"], "k": 10})
TEXT = ("POST", "/v1/embeddings", {"model": "minilm-l6", "input": "She sat on the bank of the river."})
Question = tuple[str, str, dict[str, object]]


@contextmanager
def running(explorer: Explorer, port: int, **settings: object) -> Iterator[Draining]:
    made = server(explorer, Settings(port=port, **settings))  # type: ignore[arg-type]
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    while not made.started:
        time.sleep(0.01)
    yield made
    made.should_exit = True
    thread.join()


def ask(one: http.client.HTTPConnection, question: Question) -> bytes:
    method, path, body = question
    one.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = one.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {data[:200]!r}")
    return data


def _clients(port: int, question: Question, clients: int, seconds: float) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        one = http.client.HTTPConnection("127.0.0.1", port)
        mine = []
        while (start := time.perf_counter()) < end:
            ask(one, question)
            mine.append(time.perf_counter() - start)
        times.extend(mine)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


# the clients have a process of their own: in the service's they would take its interpreter from it
_OTHERS = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def load(port: int, question: Question, clients: int, seconds: float) -> list[float]:
    """The seconds of every request of so many clients that ask one after the other."""
    return _OTHERS.submit(_clients, port, question, clients, seconds).result()


def report(title: str, times: list[float], seconds: float) -> None:
    p50, p99 = (1000 * np.percentile(times, p) for p in (50, 99))
    print(f"{title}: {len(times) / seconds:.0f} requests a second, p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def over_the_library(explorer: Explorer, port: int, rounds: int = 200) -> None:
    one = http.client.HTTPConnection("127.0.0.1", port)

    def timed(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return 1000 * (time.perf_counter() - start)

    pairs = [
        (timed(lambda: explorer.space().neighbors("bank")), timed(lambda: ask(one, NEIGHBORS))) for _ in range(rounds)
    ]
    here, there = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"a neighbor query on 400,000 words, one client: HTTP {there:.2f} ms, library {here:.2f} ms at p50: it "
        f"costs {there - here:.2f} ms"
    )


def run(seconds: float = 3.0, rounds: int = 3) -> None:
    explorer = Explorer()
    with (
        tempfile.TemporaryDirectory() as data,
        running(explorer, 8641, data=data),
        running(explorer, 8642, data=data, batch_texts=1),
    ):
        for port in (8641, 8642):
            for question in (NEIGHBORS, TEXT):
                load(port, question, 2, 1)
        over_the_library(explorer, 8641)
        rounds_of = {clients: [load(8641, NEIGHBORS, clients, seconds)] for clients in CLIENTS}
        for _ in range(rounds - 1):  # in turn, so that whatever else the machine does falls on all of them
            for clients in CLIENTS:
                rounds_of[clients].append(load(8641, NEIGHBORS, clients, seconds))
        for clients, all_times in rounds_of.items():
            report(f"neighbors, {clients} clients", [one for times in all_times for one in times], rounds * seconds)
        for clients in CLIENTS[1:]:
            more = statistics.median(len(a) / len(b) for a, b in zip(rounds_of[clients], rounds_of[1], strict=True))
            print(f"neighbors: {clients} clients get {more:.2f} times the throughput of 1")
        for clients in CLIENTS:
            report(f"a text embedding, {clients} clients", load(8641, TEXT, clients, seconds), seconds)
        ratios = []
        for _ in range(rounds):
            together, alone = (len(load(port, TEXT, 32, seconds)) for port in (8641, 8642))
            ratios.append(together / max(alone, 1))
        print(
            f"a text embedding, 32 clients: batched {statistics.median(ratios):.2f} times as many a second as "
            f"without ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def mixed(minutes: float) -> None:  # noqa: C901  clients and what they check
    """Mixed load from 32 clients with a write a second: no error, no wrong answer, memory flat."""
    explorer = Explorer()
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 32)).astype(np.float32)
    faults: list[str] = []
    query = [0]
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as data, running(explorer, 8643, data=data):
        one = http.client.HTTPConnection("127.0.0.1", 8643)
        one.request("PUT", "/v1/collections/mixed")
        one.getresponse().read()
        ids = [f"r{i}" for i in range(len(vectors))]
        ask(one, ("PUT", "/v1/collections/mixed/rows", {"ids": ids, "vectors": vectors.tolist()}))
        questions: list[Question] = [NEIGHBORS, TEXT]
        questions.append(("POST", "/v1/analogy", {"expression": "queen - king + man", "evidence": False}))
        expected = [json.loads(ask(one, question)) for question in questions]

        def right(number: int, answer: dict[str, object]) -> bool:
            if questions[number] is not TEXT:
                return answer == expected[number]
            given, wanted = (np.array(of["data"][0]["embedding"]) for of in (answer, expected[number]))  # type: ignore[index]
            return bool(np.abs(given - wanted).max() < 1e-6)

        def client(seed: int) -> None:
            mine = np.random.default_rng(seed)
            connection = http.client.HTTPConnection("127.0.0.1", 8643)
            try:
                while not stop.is_set():
                    number = int(mine.integers(4))
                    if number < 3:
                        if not right(number, json.loads(ask(connection, questions[number]))):
                            faults.append(f"a wrong answer to {questions[number][1]}")
                    else:
                        row = int(mine.integers(2000))
                        search = ("POST", "/v1/collections/mixed/search", {"vectors": [vectors[row].tolist()], "k": 1})
                        best = json.loads(ask(connection, search))["answers"][0][0]["id"]
                        if best != ids[row]:
                            faults.append(f"{best} for {ids[row]}")
                    query[0] += 1
            except Exception as error:
                faults.append(repr(error))

        threads = [threading.Thread(target=client, args=(seed,)) for seed in range(32)]
        for thread in threads:
            thread.start()
        sizes = []
        start = time.monotonic()
        count = 0
        while time.monotonic() - start < 60 * minutes:
            new = -vectors[count % 2000 : count % 2000 + 1]  # never the nearest to a question
            ask(one, ("PUT", "/v1/collections/mixed/rows", {"ids": [f"w{count % 100}"], "vectors": new.tolist()}))
            count += 1
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6)
            time.sleep(max(0.0, start + count - time.monotonic()))  # the writes' own time is part of their second
        stop.set()
        for thread in threads:
            thread.join()
        a_minute = max(1, len(sizes) // max(1, round(minutes)))
        second, last = (statistics.mean(part) for part in (sizes[a_minute : 2 * a_minute] or sizes, sizes[-a_minute:]))
        print(
            f"mixed load, 32 clients, {minutes:g} minutes: {query[0]:,} requests, {count} writes, {len(faults)} "
            "faults; memory "
            f"{second:.0f} MB in the second minute, {last:.0f} MB in the last ({100 * (last / second - 1):+.1f} %)"
        )
        for fault in sorted(set(faults))[:5]:
            print("  ", fault)


if __name__ == "__main__":
    run(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
    if len(sys.argv) > 2:
        mixed(float(sys.argv[2]))
