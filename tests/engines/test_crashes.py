"""What a crash of a Milvus server costs: the cards at once, the rows under load in the minutes of `make cluster`."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from polysema.core.errors import ConflictError, UserError
from polysema.indexes.collection import Collection
from tests.engines.conftest import CACHE
from tests.engines.milvus_cluster import MilvusCluster
from tests.engines.milvus_server import MilvusServer, unpack

CLUSTER = os.environ.get("POLYSEMA_CLUSTER")  # the folder of the broker's package
ROWS = 50  # of one write
VECTORS = np.random.default_rng(1).normal(size=(ROWS, 8)).astype(np.float32)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MilvusServer]:
    """A server that no other test waits for."""
    pytest.importorskip("milvus")
    made = MilvusServer(tmp_path, unpack(CACHE))
    made.start()
    yield made
    made.kill()


def test_cards_survive_a_kill(server: MilvusServer) -> None:
    made = Collection.create(f"milvus://{server.uri}/killed")
    made.spaces.create("layer-1", 8)
    made.spaces.create("layer-2", 4)
    made.spaces.drop("layer-2")
    before = made.view().entry
    server.kill()
    server.start()
    assert Collection.open(f"milvus://{server.uri}/killed").view().entry == before


def test_rows_without_a_card_are_not_dropped(milvus_server: MilvusServer) -> None:
    from pymilvus import MilvusClient

    made = Collection.create(f"milvus://{milvus_server.uri}/mine")
    made.spaces.create("layer-1", 8)
    made.add([f"row {number}" for number in range(ROWS)], VECTORS)
    client = MilvusClient(uri=f"http://{milvus_server.uri}")
    client.drop_collection("polysema_mine___entry_1")  # what knew of the space
    with pytest.raises(ConflictError, match="50 rows and no card"):
        made.spaces.create("layer-1", 8)
    client.drop_collection("polysema_mine__layer_2d1")
    made.drop()


@pytest.mark.skipif(not CLUSTER, reason="minutes: make cluster")
def test_a_server_killed_while_it_writes_loses_no_acknowledged_row(server: MilvusServer) -> None:
    made = Collection.create(f"milvus://{server.uri}/killed")
    made.spaces.create("vectors", 8)
    acknowledged: list[str] = []
    stop = threading.Event()

    def write() -> None:
        batch = 0
        while not stop.is_set():
            names = [f"{batch}-{row}" for row in range(ROWS)]
            batch += 1
            try:
                made.upsert(names, VECTORS)
            except UserError:  # it isn't acknowledged, and may or may not be there
                continue
            acknowledged.extend(names)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    for _ in range(3):
        before = len(acknowledged)
        while len(acknowledged) < before + 10 * ROWS:
            stop.wait(0.05)
        server.kill()
        server.start()
    before = len(acknowledged)
    while len(acknowledged) < before + 5 * ROWS:  # it goes on by itself
        stop.wait(0.05)
    stop.set()
    writer.join()
    end = time.monotonic() + 90
    while not set(acknowledged) <= (there := set(made.space())) and time.monotonic() < end:
        time.sleep(1)  # the server says that it is healthy before it has read its log again
    assert set(acknowledged) <= there
    assert made.view().n_rows("vectors") == len(there)


@pytest.mark.skipif(not CLUSTER or not shutil.which("etcd"), reason="minutes and etcd: make cluster")
@pytest.mark.timeout(900)
def test_a_query_node_killed_under_load_costs_no_search(tmp_path: Path) -> None:
    from pymilvus import MilvusClient

    pytest.importorskip("milvus")
    cluster = MilvusCluster(tmp_path, unpack(CACHE), str(CLUSTER))
    try:
        cluster.start()
        made = Collection.create(f"milvus://{cluster.uri}/replicated")
        made.spaces.create("vectors", 8)
        vectors = np.random.default_rng(2).normal(size=(2_000, 8)).astype(np.float32)
        made.add([f"row {number}" for number in range(len(vectors))], vectors)
        client = MilvusClient(uri=f"http://{cluster.uri}")
        client.release_collection("polysema_replicated__vectors")
        client.load_collection("polysema_replicated__vectors", replica_number=2, timeout=120)
        answers: list[bool] = []
        stop = threading.Event()

        def search() -> None:
            while not stop.is_set():
                answers.append(made.search(vectors[7:8], k=3).ids[0][0] == "row 7")

        searching = [threading.Thread(target=search) for _ in range(2)]
        for one in searching:
            one.start()
        stop.wait(10)
        before = len(answers)
        cluster.kill("querynode")
        stop.wait(45)
        stop.set()
        for one in searching:
            one.join()
        print(f"{before} searches before the kill, {len(answers) - before} after it")
        assert before > 10
        assert len(answers) > before + 10
        assert all(answers)
    finally:
        cluster.stop()
