"""Embeddings a second over HTTP, of this service and of one that runs (infinity, another checkout), in one run.

    python benchmarks/embedding_service.py [--seconds 3] [--rounds 3] [--clients 1,8,32] [--other URL …]

One sentence a request, MiniLM, vectors as numbers. `--other http://127.0.0.1:8790/embeddings` gets the same.
Started as `infinity_emb v2 --model-id FOLDER --served-model-name minilm-l6 --engine torch --device cpu --port 8790`.
"""

import argparse
import json
import subprocess
import sys
import time
import urllib.request
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from index_data import sentences
from search_service import Server, measure, report

PORT, N_TEXTS = 8715, 256


def process_at(port: int) -> int:
    """The process that listens at a port, 0 where the system doesn't tell."""
    found = subprocess.run(["ss", "-ltnpH", f"sport = :{port}"], capture_output=True, text=True, check=False).stdout
    _, _, rest = found.partition("pid=")
    return int(rest.split(",")[0]) if rest else 0


def vectors(server: Server) -> np.ndarray:
    """What it answers to the first texts."""
    found = []
    for body in server.bodies[:8]:
        url, kind = f"http://127.0.0.1:{server.port}{server.path}", {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=120) as answer:
            found.append(json.loads(answer.read())["data"][0]["embedding"])
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--other", action="append", default=[], help="the address of embeddings of another service")
    given = parser.parse_args()
    bodies = [json.dumps({"model": "minilm-l6", "input": text}).encode() for text in islice(sentences(False), N_TEXTS)]
    command = [sys.executable, "-m", "polysema.app", "serve", "--port", str(PORT)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert started.stdout is not None
        started.stdout.readline()
        time.sleep(1)
        servers = {"polysema": Server(PORT, "/v1/embeddings", bodies, list, started.pid)}
        for url in given.other:
            place = urlsplit(url)
            port = place.port or 80
            servers[url] = Server(port, place.path, bodies, list, process_at(port))
        mine = vectors(servers["polysema"])
        for name, server in servers.items():
            cosines = (vectors(server) * mine).sum(axis=1)
            print(f"{name}: cosine with ours at least {cosines.min():.6f}", flush=True)
        counts = [int(one) for one in given.clients.split(",")]
        measure(servers, counts, given.seconds, given.rounds)
        report(servers, counts)
    finally:
        started.terminate()
        started.wait(60)


if __name__ == "__main__":
    main()
