"""Several processes that are one service: the same answers, jobs and counts whichever process a client meets."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from polysema.app.collection.registry import CollectionRegistry
from polysema.app.service.siblings import merged
from tests.browser.conftest import until
from tests.service.conftest import free_port

PROCESSES = 2


class Several:
    """The service, and its processes."""

    def __init__(self, started: "subprocess.Popen[str]", url: str):
        self.started, self.url = started, url

    def ids(self) -> list[int]:
        """The processes that answer: those of them that listen, without Python's own tracker of resources."""
        children = Path(f"/proc/{self.started.pid}/task/{self.started.pid}/children").read_text().split()
        return [one for one in map(int, children) if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """On a connection of its own, which the system gives to any of the processes."""
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60) as client:
            return client.request(method, path, json=body)

    def count(self, route: str) -> float:
        """Completed requests of a route, of all processes."""
        lines = self.ask("GET", "/metrics").text.splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith("polysema_requests_total") and f'route="{route}"' in line
        )


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    port, folder = free_port(), tmp_path_factory.mktemp("several")
    command = [sys.executable, "-m", "polysema.app", "serve", "--port", str(port), "--data", str(folder / "data")]
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(
            [*command, "--processes", str(PROCESSES), "--grace", "2"], stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert started.stdout is not None
        try:
            first = json.loads(started.stdout.readline())
            assert first["event"] == "listening", (folder / "log").read_text()
            yield Several(started, f"http://127.0.0.1:{port}")
            started.send_signal(signal.SIGTERM)
            assert started.wait(30) in (0, -signal.SIGTERM)
        finally:
            with contextlib.suppress(ProcessLookupError):
                started.kill()
    assert all(json.loads(line) for line in (folder / "log").read_text().splitlines())


def test_collections_jobs_and_counts_are_those_of_one_service(several: Several) -> None:
    assert len(several.ids()) == PROCESSES
    assert several.ask("PUT", "/v1/collections/mine").status_code == 201
    for number in range(24):  # written by one process, found at once by another
        rows = {"ids": [f"r{number}"], "vectors": [[1.0, number]]}
        assert several.ask("PUT", "/v1/collections/mine/rows", rows).status_code == 200
        found = several.ask("POST", "/v1/collections/mine/search", {"vectors": [[1.0, number]], "k": 1}).json()
        assert found["answers"][0][0]["id"] == f"r{number}"
    assert several.count("/v1/collections/{name}/rows") == 24
    assert several.count("/v1/collections/{name}/search") == 24
    job = several.ask("POST", "/v1/jobs", {"kind": "verify", "collection": "mine"}).json()["id"]
    for _ in range(8):
        assert several.ask("GET", f"/v1/jobs/{job}").json()["id"] == job
    with (
        httpx.Client(base_url=several.url, trust_env=False, timeout=60) as client,
        client.stream("GET", f"/v1/jobs/{job}/events") as events,
    ):
        assert events.headers["content-type"].startswith("text/event-stream")
        assert '"state":"done"' in "".join(events.iter_text()).replace(" ", "")
    assert several.ask("GET", "/v1/jobs/none").status_code == 404
    assert several.ask("DELETE", "/v1/collections/mine").status_code == 200
    assert several.ask("PUT", "/v1/collections/mine").status_code == 201  # a new one of the same name
    for _ in range(8):
        assert several.ask("GET", "/v1/collections/mine").json()["rows"] == 0


def test_a_process_that_ends_is_started_anew(several: Several) -> None:
    before = several.ids()
    time.sleep(max(0.0, 6.0 - time.clock_gettime(time.CLOCK_BOOTTIME) + _started_at(before[-1])))
    os.kill(before[-1], signal.SIGKILL)
    until(lambda: len(several.ids()) == PROCESSES and several.ids() != before, "no process was started")
    for _ in range(8):
        with contextlib.suppress(httpx.TransportError):  # the connections of the one that ended
            assert several.ask("GET", "/health").status_code == 200
    assert several.ask("POST", "/v1/jobs", {"kind": "verify", "collection": "none"}).status_code == 404


def _started_at(process: int) -> float:
    """When a process was started, in seconds after the machine was."""
    ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def test_a_collection_that_another_process_made_anew_is_opened_anew(tmp_path: Path) -> None:
    here, there = CollectionRegistry(tmp_path), CollectionRegistry(tmp_path)
    here.create("mine").add(["x"], [[1.0, 2.0]])
    assert len(there.get("mine")) == 1
    here.delete("mine")
    here.create("mine").add(["x", "y"], [[1.0, 2.0, 3.0], [3.0, 4.0, 4.0]])
    assert there.get("mine").get(["y"]).vectors.tolist() == [[3.0, 4.0, 4.0]]


def test_metrics_of_processes_are_added_up() -> None:
    one = b'# HELP a_total A.\n# TYPE a_total counter\na_total{x="1"} 2.0\n# HELP process_start_time_seconds S.\n'
    one += b"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 50.0\n"
    other = one.replace(b"2.0", b"3.0").replace(b"50.0", b"40.0") + b"# HELP b B.\n# TYPE b gauge\nb 1.0\n"
    lines = merged([one, other, b""]).decode().splitlines()
    assert [line for line in lines if line[0] != "#"] == [
        'a_total{x="1"} 5.0',
        "process_start_time_seconds 40.0",
        "b 1.0",
    ]
