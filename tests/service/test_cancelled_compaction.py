"""A job of a compaction that is cancelled stops within seconds."""

import base64
import time

import httpx
import numpy as np


def test_a_compaction_that_is_cancelled_leaves_the_collection_as_it_was(http: httpx.Client) -> None:
    http.put("/v1/collections/stopped").raise_for_status()
    vectors = np.random.default_rng(0).normal(size=(30_000, 8)).astype("<f4")
    names = [f"w{row}" for row in range(len(vectors))]
    for start in range(0, len(names), 15_000):
        part = slice(start, start + 15_000)
        body = {"ids": names[part], "vectors": base64.b64encode(vectors[part].tobytes()).decode(), "dim": 8}
        http.post("/v1/collections/stopped/rows", json=body).raise_for_status()
    before = http.get("/v1/collections/stopped").json()
    index = "hnsw:M=64,ef_construction=400"
    job = http.post("/v1/jobs", json={"kind": "compact", "collection": "stopped", "index": index}).json()["id"]
    deadline = time.monotonic() + 60
    while not (card := http.get(f"/v1/jobs/{job}").json())["stage"].startswith("index"):
        assert time.monotonic() < deadline
    assert card["state"] == "running"
    begun = time.monotonic()
    http.delete(f"/v1/jobs/{job}").raise_for_status()
    while (card := http.get(f"/v1/jobs/{job}").json())["state"] == "running":
        assert time.monotonic() - begun < 20
        time.sleep(0.05)
    assert (card["state"], card["result"]) == ("cancelled", None)
    assert http.get("/v1/collections/stopped").json() == before
    http.delete("/v1/collections/stopped").raise_for_status()
