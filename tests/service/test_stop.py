"""SIGTERM under load: every request that was sent gets its whole response; and no job holds the process up."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from tests.service.conftest import Service, free_port


def test_sigterm_under_load_loses_no_request(tmp_path: Path) -> None:  # noqa: C901  what clients see of a server's end
    port = free_port()
    (tmp_path / "birds.txt").write_text("swan 1 0\ncrane 0.9 0.1\n")
    command = [sys.executable, "-m", "polysema.app", "serve", "--port", str(port), "--data", str(tmp_path)]
    command += ["--models", f"birds={tmp_path / 'birds.txt'}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    url = f"http://127.0.0.1:{port}"
    lost: list[str] = []
    answers: list[int] = []

    def client() -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            try:
                while True:
                    answer = http.post("/v1/neighbors", json={"words": ["bank", "swan"], "k": 5})
                    answers.append(answer.status_code)
            except httpx.ConnectError:  # nobody listens any more: nothing was sent
                return
            except httpx.HTTPError as error:
                # the kernel had taken the connection or the bytes, and the server never did: it has no line in the
                # log, whose lines are counted below
                gone = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
                if not (isinstance(error, gone) and re.search("reset|pipe|disconnected without sending", str(error))):
                    lost.append(repr(error))

    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{url}/v1/neighbors?word=bank", trust_env=False, timeout=60).status_code == 200
                break
            except httpx.ConnectError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        named = httpx.get(f"{url}/v1/neighbors?word=swan&space=birds", trust_env=False, timeout=60).json()
        assert named["neighbors"][0]["word"] == "crane"
        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        while len(answers) < 32 and not lost:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(30)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert lost == []
    first = json.loads(out)
    assert (first["event"], first["url"], first["level"]) == ("listening", f"{url}/v1/", "info")
    assert len(answers) > 32  # some were under way
    assert set(answers) == {200}
    assert process.returncode in (0, -signal.SIGTERM), err
    assert "swan" not in err  # the log holds no text
    lines = [json.loads(line) for line in err.splitlines()]
    assert {line["route"] for line in lines} == {"/v1/neighbors"}
    assert len(lines) == len(answers) + 2  # with the two that waited for the server


def test_sigterm_does_not_wait_for_a_job(tmp_path) -> None:  # type: ignore[no-untyped-def]
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "polysema.app",
        "serve",
        "--port",
        str(port),
        "--data",
        str(tmp_path),
        "--grace",
        "2",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                assert httpx.get(f"{url}/health", trust_env=False, timeout=60).status_code == 200
                break
            except httpx.ConnectError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        # t-SNE lays out in one step, for minutes
        job = httpx.post(
            f"{url}/v1/jobs", json={"kind": "map", "method": "tsne", "n": 20_000}, trust_env=False, timeout=60
        ).json()["id"]
        while httpx.get(f"{url}/v1/jobs/{job}", trust_env=False, timeout=60).json()["stage"] != "lay out":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - start < 30
    finally:
        process.kill()
    assert process.returncode in (0, -signal.SIGTERM), err
    assert "Traceback" not in err


def test_what_cannot_be_interrupted_is_waited_for_a_while_only(served: Service) -> None:
    _, server = served()
    go = threading.Event()
    current = asyncio.run_coroutine_threadsafe(server._polysema.gate.run(lambda: go.wait(60)), server._loop)
    while not server._polysema.gate.running:
        time.sleep(0.01)
    assert not server.idle(0.1)
    go.set()
    assert current.result(30)
    assert server.idle(30)
    job = server._polysema.jobs.start(
        "slow", lambda progress: [progress("wait", n, 600) or time.sleep(0.1) for n in range(600)]
    )
    while not job.stage:
        time.sleep(0.01)
    assert not server.idle(0.1)
    server._polysema.jobs.stop()
    assert server.idle(30)
    assert job.state == "cancelled"
