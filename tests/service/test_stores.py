"""Collections over HTTP beyond rows: as spaces by name, their versions, texts embedded into them, and what a bad disk
does.
"""

import errno
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from polysema.app.client.client import Client
from polysema.app.client.space import RemoteSpace
from polysema.app.collection.registry import CollectionRegistry
from polysema.app.collection.summary import holdings
from polysema.app.explorer import Explorer, SearchOptions
from polysema.app.explorer.index_builds import build_turn
from polysema.core.errors import (
    ConflictError,
    CorruptError,
    DiskFullError,
    IncompatibleError,
    NotFoundError,
    UserError,
)
from polysema.core.model.contextual import word_vectors
from polysema.core.model.recipe import SentenceOptions
from polysema.core.model.sentences import embed_sentences
from polysema.core.space.space import Origin
from polysema.indexes.collection import Collection
from polysema.indexes.store.disk import Disk
from tests.service.conftest import Service
from tests.service.flat import Flat

TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold.", "A swan slept on the bank."]


@pytest.fixture
def client(served: Service):  # type: ignore[no-untyped-def]
    with Client(served()[0]) as one:
        yield one


def test_a_collection_on_another_engine_has_a_name_here(client: Client, tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite")
    address = f"milvus-lite://{tmp_path}/far.db/theirs"
    vectors = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    names = [f"w{row}" for row in range(30)]
    there = Collection.create(address)
    there.add(names, vectors, {"layer": [row % 2 for row in range(30)]})
    shelf = CollectionRegistry(tmp_path / "data")
    shelf.link("far", address)
    with pytest.raises(ConflictError, match="a collection far already"):
        shelf.link("far", address)
    far = client.collection("far")
    assert far.info()["rows"] == 30
    found = far.search(vectors[:1], k=3, where="layer = 0")
    assert found.ids[0] == there.search(vectors[:1], 3, "layer = 0").ids[0]
    far.add(["new"], [[1.0, 2.0, 3.0, 4.0]], {"layer": [7]})
    assert (len(there), there.get(["new"]).column("layer")) == (31, [7])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = Flat(client).neighbors("w3", "far", 3).neighbors
    assert {one.key for one in near} <= {*names, "new"}
    assert near[0].score == pytest.approx(float(np.sort(unit @ unit[3])[-2]), abs=1e-3) or near[0].key == "new"
    with pytest.raises(UserError, match="Milvus has no snapshots; copy it to a folder"):
        far.snapshot("now")
    (one,) = holdings(shelf)
    assert (one.name, one.rows, one.problem) == ("far", 31, "")
    shelf.delete("far")
    assert (shelf.names(), len(there)) == ([], 31)


def test_a_collection_is_a_space_by_its_name(client: Client, explorer: Explorer, tmp_path: Path) -> None:
    space = explorer.space().space
    mine = client.create("mine")
    keys = [space.keys[row] for row in range(300)]
    mine.add(keys, space.vectors[:300], {"even": [row % 2 == 0 for row in range(300)]})
    local = Collection(tmp_path / "data" / "mine").space()
    assert Flat(client).neighbors("was", "mine", 5).neighbors == explorer.space(local).neighbors("was", 5).neighbors
    assert (
        Flat(client).analogy("is - was + were", "mine", 3).neighbors
        == explorer.space(local).analogy("is - was + were", 3).neighbors
    )
    assert (
        Flat(client).similarity(["was"], ["is"], "mine").cosine
        == explorer.space(local).similarity(["was"], ["is"]).cosine
    )
    assert (Flat(client).map("mine", "pca").map.positions == explorer.maps.map(local, "pca").map.positions).all()
    mine.upsert(["was"], -space.vectors[:1])
    assert Flat(client).neighbors("was", "mine", 5) == explorer.space(
        Collection(tmp_path / "data" / "mine").space()
    ).neighbors("was", 5)
    for name in ("mine", "mine/vectors"):
        with pytest.raises(UserError, match="limit is of files of vectors and models: a collection's rows stand in no"):
            Flat(client).neighbors("was", client.space(name, limit=10))
    mine.spaces.create("other", 2)
    assert len(client.space("mine/vectors")) == 300
    with pytest.raises(UserError, match="several spaces"):
        Flat(client).neighbors("was", "mine")
    assert Flat(client).neighbors("was", "mine/vectors", 2).neighbors[0].rank == 1
    with pytest.raises(NotFoundError, match="no space 'nope'"):
        Flat(client).neighbors("was", "mine/nope")
    with pytest.raises(ConflictError, match="name of the catalog"):
        client.create("minilm-l6")
    assert client.transport.ask("GET", "/v1/neighbors", params={"word": "was", "space": "mine/vectors"})["neighbors"]


def test_a_large_collection_is_asked_by_its_name_and_maps_read_what_they_may(served: Service, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    mine = Collection.create(tmp_path / "data" / "mine")
    vectors = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    mine.add([f"w{row}" for row in range(400)], vectors)
    mine.compact(index="ivf:nlist=4,nprobe=1")
    address, _ = served(max_space=1000, max_index_bytes=100_000)
    with Client(address) as client:
        answer = client.space("mine").neighbors("w1")
        assert answer.search == "ivf, nprobe 1"
        assert answer.recall is not None
        assert answer.recall < 1
        with pytest.raises(UserError, match=r"needs 3,200 numbers in memory; 1,000 of a collection"):
            client.space("mine").view("centered").neighbors("w1")
        with pytest.raises(UserError, match=r"this map needs 3,200 numbers"):
            Flat(client).map("mine", "pca")
        assert len(Flat(client).map("mine", "pca", n=100).map.positions) == 100
        with build_turn():  # as another request does
            found = httpx.get(f"{address}/v1/neighbors", params={"word": "w1", "space": "mine", "index": "hnsw"})
        assert (found.status_code, found.headers["Retry-After"]) == (503, "1")
        with pytest.raises(UserError, match=r"may be built for a request: leave the index out"):
            client.space("mine").neighbors("w1", search=SearchOptions(index="hnsw:M=512"))


def test_columns_over_http_keep_their_family(client: Client) -> None:
    mine = client.create("mine")

    def add(name: str, **columns: Any) -> Any:
        return mine.upsert([name], [[1, 0]], {key: [value] for key, value in columns.items()})

    add("a", price=1.5, count=1, tags=["red", "blue"], about={"size": 1}, big=2**64 - 1)
    add("b", price=2, count=2.0, tags=[], about={}, big=1)  # JavaScript writes 2.0 as 2
    with pytest.raises(
        IncompatibleError, match=r"column count holds int64.*2\.5 \(float\) in row 1.*widen FOLDER count double"
    ):
        add("c", count=2.5)
    assert mine.widen("count", "double") == "double"
    add("c", count=2.5)
    for value in (2**64, 10**400, [2**70]):
        with pytest.raises(UserError, match="the column (big|more) ") as caught:
            add("d", more=value)
        assert caught.value.code == "invalid"
    with pytest.raises(UserError, match="the column more mixes kinds of values: row 1 holds 1 .int., row 2 holds 'a'"):
        mine.add(["d", "e"], [[1, 0], [1, 0]], {"more": [1, "a"]})
    with pytest.raises(UserError, match="the column tags holds list.*: 'red' .str. in row 1 doesn't fit"):
        add("d", tags="red")
    found = {row["id"]: row for row in mine.get(["a", "b", "c"]).rows}
    assert found["a"] == {
        "id": "a",
        "price": 1.5,
        "count": 1.0,
        "tags": ["red", "blue"],
        "about": {"size": 1},
        "big": 2**64 - 1,
    }
    assert found["b"] == {"id": "b", "price": 2.0, "count": 2.0, "tags": [], "about": None, "big": 1}
    assert found["c"]["count"] == 2.5
    with pytest.raises(NotFoundError, match="no column 'nope'"):
        mine.widen("nope", "double")


def test_fewer_rows_than_k_and_no_rows_over_http(client: Client) -> None:
    mine = client.create("mine")
    assert mine.search([[1, 0, 5]], 10).ids == [[]]
    assert client.transport.ask("POST", "/v1/collections/mine/search", {"text": "anything"})["answers"] == [[]]
    mine.spaces.create("few", 2)
    assert mine.search([[1, 0]], 10).ids == [[]]
    mine.add([f"r{number}" for number in range(11)], np.eye(11, 2) + 1)
    assert len(mine.search([[1, 0]], 100).ids[0]) == 11
    assert mine.search([[1, 0]], 100, "id = 'nope'").ids == [[]]
    assert len(Flat(client).neighbors("r0", "mine", 100).neighbors) == 10
    assert len(Flat(client).nearest([[1, 0]], "mine", 100)[0]) == 11
    assert len(Flat(client).analogy("r0 - r1 + r2", "mine", 100).neighbors) == 8
    assert all(len(stop.neighbors) == 10 for stop in Flat(client).travel("r0", "r1 -> r2", "mine", k=500).steps)
    for k in (0, 100_000):
        with pytest.raises(UserError, match="k"):
            mine.search([[1, 0]], k)


def test_a_card_names_no_path_that_is_loaded(client: Client, tmp_path: Path) -> None:
    evil = tmp_path / "model"
    evil.mkdir()
    (evil / "config.json").write_text("{}")
    mine = client.create("mine")
    origin = Origin(str(evil), layer=1, pooling="mean of the text")
    mine.add(["a", "b"], np.eye(2), origin=origin)
    place = {"word": "bank", "text": TEXTS[0]}
    for path, query in (
        ("/v1/neighbors", {"occurrences": [place], "k": 1}),
        ("/v1/neighbors", {"words": ['bank in "the bank"'], "k": 1}),
        ("/v1/neighbors", {"texts": TEXTS, "k": 1}),
        ("/v1/neighbors", {"words": ["a"], "k": 1, "without": ['a -> b in "b"']}),
        ("/v1/analogy", {"expression": 'a - b in "the b"', "k": 1}),
        ("/v1/similarity", {"first": ["a"], "second": ['b in "the b"']}),
        ("/v1/project", {"words": ["a"], "axes": ['a -> b in "b"']}),
        ("/v1/direction", {"axis": 'a -> b in "b"'}),
        ("/v1/travel", {"word": 'a in "a"', "axis": "a -> b"}),
        ("/v1/vector", {"expression": 'b in "the b"'}),
        ("/v1/baseline", {"without": ['a -> b in "b"']}),
        (
            "/v1/association",
            {"first": ["a", 'b in "b"'], "second": ["a", "b"], "toward": ["a", "b"], "away": ["a", "b"]},
        ),
    ):
        with pytest.raises(UserError, match="no model served here"):
            client.transport.ask("POST", path, {"space": "mine", **query})
    with pytest.raises(UserError, match="no model served here"):
        client.transport.ask("GET", "/v1/spaces/mine", params={"without": 'a -> b in "b"'})
    with pytest.raises(UserError, match="no model served here"):
        Flat(client).matched(RemoteSpace(client.transport, "mine", removed=('a -> b in "b"',)), "glove-6b-50d")
    with pytest.raises(UserError, match="is not in the catalog"):
        client.transport.ask("POST", "/v1/collections/mine/search", {"text": "bank", "k": 1})


def test_versions_snapshots_and_the_way_back(client: Client, tmp_path: Path) -> None:
    mine = client.create("mine")
    mine.add(["a", "b"], np.eye(2))
    assert mine.history.snapshot("two") == 2
    with pytest.raises(ConflictError, match="has a snapshot two already"):
        mine.history.snapshot("two")
    mine.delete(["a"])
    local = Collection(tmp_path / "data" / "mine")
    assert [(one.version, one.rows, one.snapshot) for one in mine.history.versions()] == [
        (1, 0, None),
        (2, 2, "two"),
        (3, 1, None),
    ]
    assert [one.made for one in mine.history.versions()] == [one.made for one in local.history.versions()]
    assert mine.history.restore("two") == 4
    assert (len(mine), mine.history.restore(3), len(mine)) == (2, 5, 1)
    with pytest.raises(NotFoundError, match="keeps the versions 1, 2, 3, 4, 5 and the snapshots two"):
        mine.history.restore(99)
    mine.history.drop_snapshot("two")
    with pytest.raises(NotFoundError, match="no snapshot two"):
        mine.history.drop_snapshot("two")
    for wrong in ("..", ".hidden", "a b"):
        with pytest.raises(UserError):
            mine.history.snapshot(wrong)
    rows = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    mine.spaces.create("wide", 8)
    mine.upsert([f"r{n}" for n in range(3000)], rows, space="wide")
    assert mine.spaces.recall("wide") == []
    assert "hnsw" in mine.compact("wide", "hnsw")
    points = mine.spaces.recall("wide")
    assert {point["kind"] for point in points} == {"hnsw"}
    assert max(point["recall_10"] for point in points) > 0.9
    assert mine.verify()["problems"] == []


def test_texts_are_embedded_into_a_collection_as_a_job(client: Client, explorer: Explorer) -> None:
    mine, seen = client.create("mine"), []
    done = mine.embed(
        [*TEXTS, "  ", "No such word."],
        lambda *step: seen.append(step),
        ids=["x", "y", "z", "v", "w"],
        word="bank",
        layer=6,
        space="banks",
    )
    assert (done["rows"], done["left_out"]) == (3, 2)
    assert ("embed", 5, 5) in seen
    found = mine.get(["x:10-14", "z:20-24"], "banks")
    expected = word_vectors(explorer.model().model, "bank", TEXTS, [6]).vectors[0]
    np.testing.assert_allclose(found.vectors, expected[[0, 2]], atol=1e-6)
    assert found.rows[1]["text"] == TEXTS[2]
    assert (found.origin.layer, found.origin.source) == (6, "minilm-l6")
    mine.embed(TEXTS, space="whole", unit="sentences", columns={"year": [1, None, 3], "id": ["a", "b", "c"]})
    assert [(row["year"], row["file_id"]) for row in mine.get(["0", "1", "2"], "whole").rows] == [
        (1, "a"),
        (None, "b"),
        (3, "c"),
    ]
    whole = embed_sentences(explorer.model().model, TEXTS).vectors[0]
    np.testing.assert_allclose(mine.get(["0", "1", "2"], "whole").vectors, whole, atol=1e-6)
    query = {"text": TEXTS[1], "k": 1, "space": "whole"}
    assert client.transport.ask("POST", "/v1/collections/mine/search", query)["answers"][0][0]["id"] == "1"
    assert (
        client.transport.ask("POST", "/v1/neighbors", {"space": "mine/whole", "texts": [TEXTS[2]], "k": 1})["answers"][
            0
        ]["neighbors"][0]["word"]
        == "2"
    )
    # a question in a space of cut vectors is cut as they are; a prompt of theirs isn't put before it
    cut = SentenceOptions("passage: ", None, 32)
    how = {"unit": "sentences", "pooling": "own", "prompt": "passage: ", "dimensions": 32}
    assert mine.embed(TEXTS, space="cut", model="minilm-l6@6", **how)["rows"] == 3
    expected = embed_sentences(explorer.model().model, TEXTS, pooling="own", options=cut)
    made = mine.get(["0", "1", "2"], "cut")
    np.testing.assert_allclose(made.vectors, expected.vectors[0], atol=1e-6)
    assert (made.origin.prompt, made.origin.dimensions) == ("passage: ", 32)
    query = {"text": TEXTS[1], "k": 1, "space": "cut"}
    assert client.transport.ask("POST", "/v1/collections/mine/search", query)["answers"][0][0]["id"] == "1"
    query = {"space": "mine/cut", "texts": [TEXTS[2]], "k": 1}
    assert client.transport.ask("POST", "/v1/neighbors", query)["answers"][0]["neighbors"][0]["word"] == "2"
    for wrong, match in (
        ({"ids": ["a"]}, "ids for"),
        ({"prompt": "q"}, "a prompt is for whole texts"),
        ({"model": "minilm-l6@3", "layer": 2}, "not both; got minilm-l6@3"),
        ({"ids": ["a", "a", "b"]}, "ids for"),
        ({"model": "nope"}, "catalog"),
        ({"layer": 9}, "layers"),
        ({"columns": {"year": [1]}}, "the column 'year' has 1 values for 3 texts"),
    ):
        with pytest.raises(UserError, match=match):
            mine.embed(TEXTS, **wrong)
    with pytest.raises(NotFoundError, match="no collection other"):
        client.jobs.start("embed", collection="other", texts=TEXTS)


def state_of(client: Client, job: str) -> str:
    return str(client.transport.ask("GET", f"/v1/jobs/{job}")["state"])


def until(true: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_running_job_really_stops(client: Client) -> None:
    mine = client.create("mine")
    many = [f"The bank number {n} lies by the river and is open on every day of the week." for n in range(20_000)]
    jobs = [client.jobs.start("embed", collection="mine", texts=many, unit="sentences")]
    jobs.append(client.jobs.start("map", method="umap", n=3000, options={"n_epochs": 10_000}))
    waiting = client.jobs.start("senses")  # two run at a time
    assert client.jobs.cancel(waiting)["state"] == "cancelled"
    until(lambda: len(mine) > 0)
    until(lambda: client.transport.ask("GET", f"/v1/jobs/{jobs[1]}")["stage"] == "lay out")
    for job in jobs:
        assert client.jobs.cancel(job)["stopping"] is True
    until(lambda: [state_of(client, job) for job in jobs] == ["cancelled"] * 2)
    rows = len(mine)
    assert rows < len(many)
    names = {thread.name for thread in threading.enumerate() if thread.name.startswith("job")}
    assert names  # the threads live, and are free: another job is done at once
    assert list(client.jobs.events(client.jobs.start("map", method="pca", n=50)))[-1]["state"] == "done"
    assert len(mine) == rows  # nothing is written any more
    assert mine.verify()["problems"] == []
    with pytest.raises(ConflictError, match="is cancelled"):
        client.transport.ask("GET", f"/v1/jobs/{jobs[1]}/result")
    assert client.jobs.cancel(jobs[0])["state"] == "cancelled"


def test_ended_jobs_are_kept_for_a_while_only(served: Service) -> None:
    with Client(served(jobs_kept=2)[0]) as client:
        jobs = []
        for n in (10, 20, 30):
            jobs.append(client.jobs.start("map", method="pca", n=n))
            assert list(client.jobs.events(jobs[-1]))[-1]["result"]["n"] == n
        until(lambda: "no job" in httpx.get(f"{client.transport._url}/v1/jobs/{jobs[0]}", trust_env=False).text)
        assert state_of(client, jobs[2]) == "done"


class Full(Disk):
    """A disk on which nothing more has room."""

    full = False

    def append(self, fd: int, path: Path, data: bytes) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        super().append(fd, path, data)


def test_a_full_disk_is_507_and_loses_nothing(served: Service, tmp_path: Path) -> None:
    url, server = served()
    with Client(url) as client:
        mine = client.create("mine")
        mine.add(["a"], [[1, 2]])
        disk = Full()
        server._polysema.shelf._open["mine"] = Collection(tmp_path / "data" / "mine", disk=disk)
        Full.full = True
        try:
            refused = httpx.post(
                f"{url}/v1/collections/mine/rows", json={"ids": ["b"], "vectors": [[3, 4]]}, trust_env=False
            )
            assert (refused.status_code, refused.json()["error"]["code"]) == (507, "disk_full"), refused.text
            assert "disk is full" in refused.json()["error"]["message"]
            assert str(tmp_path) not in refused.text
            with pytest.raises(DiskFullError):
                mine.delete(["a"])
            with pytest.raises(DiskFullError):
                mine.embed(TEXTS, unit="sentences", space="texts")
            assert mine.search([[1, 2]], 1).ids == [["a"]]
        finally:
            Full.full = False
        assert mine.add(["b"], [[3, 4]]) == 1
        assert mine.verify()["problems"] == []
        assert [one.rows for one in mine.history.versions()] == [0, 1, 2]


def test_a_damaged_collection_is_told_as_such(served: Service, tmp_path: Path) -> None:  # noqa: C901  all damages by all requests
    url, server = served()
    client, shelf = Client(url), server._polysema.shelf
    folder = tmp_path / "data" / "mine"
    mine = client.create("mine")
    mine.add([f"r{n}" for n in range(50)], np.random.default_rng(1).normal(size=(50, 4)), {"n": list(range(50))})
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    assert len(files) > 3
    whole = {path: path.read_bytes() for path in files}
    message = set()
    for path in files:
        for damaged in (b"", whole[path][:-3], bytes(byte ^ 0x55 for byte in whole[path]), None):
            for other, data in whole.items():
                other.write_bytes(data)
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            for opened in (True, False):  # seen by those who have it open, and by those who open it
                if not opened:
                    shelf._open.clear()
                for method, at, body in (
                    ("GET", "", None),
                    ("POST", "/search", {"vectors": [[1, 0, 0, 0]], "k": 3, "where": "n > 3"}),
                    ("GET", "/rows?id=r1", None),
                    ("GET", "/versions", None),
                    ("POST", "/delete", {"ids": ["nope"]}),
                ):
                    try:
                        client.transport.ask(method, f"/v1/collections/mine{at}", body)
                    except CorruptError as error:
                        message.add(path.name)
                        assert str(tmp_path) not in str(error)
                    except UserError as error:
                        # without its newest manifest it is as it was before: empty
                        assert damaged is None, (path, error.code, error)
                        assert error.code == "not_found" or "is empty" in str(error) or "has none yet" in str(error)
    assert len(message) >= len(files) - 2, (message, files)
    for other, data in whole.items():
        other.write_bytes(data)
    (files[0]).write_bytes(b"")
    problems = mine.verify()["problems"]
    assert problems
    assert not any(str(tmp_path) in line for line in problems)
    client.delete("mine")  # also a damaged one can be let go
    assert client.collections() == []
