"""The service, for real on loopback, gives the answers of the command line and of Python, to the last digit."""

import base64
import io
import json
import threading
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli as cli_group
from polysema.app.client.client import Client
from polysema.app.explorer import AnalogyOptions, Explorer
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.core.errors import ConflictError, NotFoundError, UnknownWordError, UserError
from polysema.core.model.catalog import CATALOG
from polysema.core.model.contextual import word_vectors
from polysema.core.model.sentences import embed_sentences
from polysema.core.progress import Progress
from polysema.indexes.collection import Collection
from tests.command_line import call
from tests.service.conftest import Service
from tests.service.flat import Flat

TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold."]
ARROW = "application/vnd.apache.arrow.stream"
BASE64 = "application/vnd.polysema.base64+json"


def cli(*arguments: str) -> object:
    return json.loads(call([*arguments, "--format", "json"], Path.cwd()).out)


def test_python_the_command_line_and_http_agree_to_the_last_digit(http: httpx.Client, explorer: Explorer) -> None:
    there = http.get("/v1/analogy", params={"expression": "queen - king + man", "k": 4}).json()
    here = explorer.space().analogy("queen - king + man", k=4)
    printed = cli("analogy", "queen - king + man", "-k", "4")
    local = [(n.key, n.score) for n in here.neighbors]
    assert [(n["word"], n["cosine"]) for n in there["neighbors"]] == local
    assert [(n["word"], n["cosine"]) for n in printed["neighbors"]] == local  # type: ignore[index]
    assert local[0][0] == "woman"
    assert [(i["word"], i["rank"]) for i in there["left_out"]] == [(i.word, i.rank) for i in here.inputs]
    near = http.post("/v1/neighbors", json={"words": ["bank"], "space": "minilm-l6", "k": 3}).json()["answers"][0]
    expected = [(n.key, n.score) for n in explorer.space("minilm-l6").neighbors("bank", 3).neighbors]
    assert [(n["word"], n["cosine"]) for n in near["neighbors"]] == expected
    shell = cli("neighbors", "bank", "-s", "minilm-l6", "-k", "3")
    assert [(n["word"], n["cosine"]) for n in shell["neighbors"]] == expected  # type: ignore[index]
    layers = http.post("/v1/compare", json={"word": "bank", "texts": TEXTS, "layers": [6]}).json()["layers"]
    assert layers[0]["pairs"] == list(explorer.model().compare("bank", TEXTS, layers=[6]).layers[0].pairs)


def test_the_client_answers_as_the_explorer_does(url: str, explorer: Explorer) -> None:
    with Client(url) as client:
        assert Flat(client).neighbors("Bank", k=5) == explorer.space().neighbors("Bank", k=5)
        assert Flat(client).compare("bank", TEXTS) == explorer.model().compare("bank", TEXTS)
        options = AnalogyOptions(pairs=(("man", "woman"), ("boy", "girl")))
        there, here = (
            of.analogy("king", method="3cosavg", k=3, options=options) for of in (Flat(client), Flat(explorer))
        )
        assert (there.neighbors, there.inputs, there.pairs) == (here.neighbors, here.inputs, here.pairs)
        vectors = explorer.space().space.vectors[[5, 6]]
        assert Flat(client).nearest(vectors, k=3) == explorer.space().nearest(vectors, k=3)
        hidden = word_vectors(explorer.model().model, "bank", TEXTS, [0, 6])
        got = Flat(client).embed(TEXTS, layers=[0, 6], word="bank")
        assert (got.vectors == hidden.vectors.reshape(-1, 384)).all()
        assert [row["layer"] for row in got.rows] == [0, 0, 6, 6]
        with pytest.raises(UnknownWordError, match="nearest spellings") as caught:
            Flat(client).neighbors("bankk")
        assert "bank" in caught.value.suggestions
        with pytest.raises(UserError, match="k is at most 1,000 here"):
            Flat(client).neighbors("bank", "minilm-l6", 100_000)


def test_vectors_come_in_the_form_that_accept_asks_for(http: httpx.Client, explorer: Explorer) -> None:
    query = {"texts": TEXTS, "unit": "sentences", "layers": [-1]}
    expected = embed_sentences(explorer.model().model, TEXTS).vectors[0]
    plain = http.post("/v1/embed", json=query).json()
    assert (np.array(plain["vectors"], np.float32) == expected).all()
    packed = http.post("/v1/embed", json=query, headers={"accept": BASE64}).json()
    assert (np.frombuffer(base64.b64decode(packed["vectors"]), "<f4").reshape(2, -1) == expected).all()
    arrow = http.post("/v1/embed", json=query, headers={"accept": f"{ARROW}, application/json;q=0.5"})
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert (np.stack(table.column("vector").to_pylist()).astype(np.float32) == expected).all()
    assert table.column("layer").to_pylist() == [6, 6]
    assert http.post("/v1/embed", json=query, headers={"accept": "text/html"}).status_code == 406


def test_neighbors_by_occurrence_text_and_condition(http: httpx.Client, explorer: Explorer) -> None:
    place = {"word": "bank", "text": TEXTS[0]}
    query = {"space": "minilm-l6@6", "occurrences": [place], "k": 3}
    there = http.post("/v1/neighbors", json=query).json()["answers"][0]["neighbors"]
    local = explorer.space("minilm-l6@6").neighbors(f'bank in "{TEXTS[0]}" @6', 3).neighbors
    assert [(n["row"], n["word"], n["text"]) for n in there] == [(n.row, n.key, n.text) for n in local]
    filtered = http.post("/v1/neighbors", json={**query, "where": "word = 'swan'"}).json()["answers"][0]["neighbors"]
    assert {n["word"] for n in filtered} == {"swan"}
    texts = http.post("/v1/neighbors", json={"space": "minilm-l6@6", "texts": TEXTS, "k": 2}).json()["answers"]
    assert [len(one["neighbors"]) for one in texts] == [2, 2]
    assert http.post("/v1/neighbors", json={"words": ["bank"], "where": "x = 1"}).status_code == 422


def test_a_collection_over_http_is_the_one_on_the_disk(url: str, tmp_path: Path) -> None:
    vectors = np.random.default_rng(3).normal(size=(20, 8)).astype(np.float32)
    ids, colors = [f"r{i}" for i in range(20)], ["red", "blue"] * 10
    local = Collection.create(tmp_path / "local")
    with Client(url) as client:
        there = client.create("mine")
        for one in (local, there):
            assert one.add(ids, vectors, {"color": colors}) == 20
            assert one.upsert(["r3"], vectors[:1] * 2, {"color": ["green"]}) == 1
            assert one.delete(["r4", "nope"]) == 1
            assert one.delete(where="color = 'green'") == 1
        found, remote = (one.search(vectors[:3], 5, "color = 'red'") for one in (local, there))
        assert remote.ids == found.ids
        assert np.array_equal(np.array(remote.scores, np.float32), found.scores)
        assert (len(there), there.info()["version"]) == (18, local.view().manifest.version)
        assert (there.get(["r7", "r0"]).vectors == vectors[[7, 0]]).all()
        assert there.spaces.names() == local.spaces.names() == ["vectors"]
        assert (there.versions()[-1].rows, there.delete_where("color = 'green'")) == (
            18,
            0,
        )  # as they were called before
        assert client.collections() == ["mine"]
        with pytest.raises(ConflictError, match="already"):
            client.create("mine")
        with pytest.raises(NotFoundError, match="nope"):
            there.get(["nope"])
        client.delete("mine")
        with pytest.raises(NotFoundError, match="mine"):
            client.collection("mine")


def test_rows_as_an_arrow_stream(http: httpx.Client) -> None:
    http.put("/v1/collections/arrow")
    flat = pa.array(np.arange(6, dtype=np.float32))
    table = pa.table({"id": ["a", "b"], "vector": pa.FixedSizeListArray.from_arrays(flat, 3), "n": [1, 2]})
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    sent = http.post("/v1/collections/arrow/rows", content=out.getvalue(), headers={"content-type": ARROW})
    assert (sent.status_code, sent.json()["added"]) == (200, 2), sent.text
    rows = http.get("/v1/collections/arrow/rows", params={"id": ["b"]}).json()
    assert (rows["rows"], rows["vectors"]) == ([{"id": "b", "n": 2}], [[3, 4, 5]])
    for bad in (out.getvalue()[:200], b"", b"\xff" * 64):
        assert http.post("/v1/collections/arrow/rows", content=bad, headers={"content-type": ARROW}).status_code == 422
    assert (
        http.post("/v1/collections/arrow/rows", content=b"a", headers={"content-type": "text/csv"}).status_code == 415
    )


def test_a_job_that_says_nothing_for_long_keeps_its_connection(
    served: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    address, server = served()
    go = threading.Event()

    def work(progress: Progress) -> str:
        progress("read\u2028on", 1, 2)
        go.wait(20)
        return "a\nb"

    job = server._polysema.jobs.start("slow", work).id
    lines: list[str] = []
    with httpx.stream("GET", f"{address}/v1/jobs/{job}/events", trust_env=False, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            lines.append(line)
            if lines.count(": ping") == 2:
                go.set()
    events = [line for line in lines if line.startswith("event: ")]
    assert events[-1] == "event: end"
    assert set(events[:-1]) == {"event: progress"}
    assert json.loads(lines[lines.index("event: end") + 1].removeprefix("data: "))["result"] == "a\nb"
    with Client(address) as client:  # which reads past the pings
        assert list(client.jobs.events(job))[-1]["stage"] == "read\u2028on"
    assert httpx.get(f"{address}/v1/jobs/nosuch/events", trust_env=False).status_code == 404


def test_a_job_tells_how_far_it_is(url: str) -> None:
    with Client(url) as client:
        events = list(client.jobs.events(client.jobs.start("word_map", word="bank", method="pca")))
        assert events[-1]["state"] == "done", events[-1]
        assert len(events[-1]["result"]["positions"]) == 7
        assert [event["done"] for event in events] == sorted(event["done"] for event in events) or len(events) > 1
        failed = list(client.jobs.events(client.jobs.start("word_map", word="nosuchword")))[-1]
        assert (failed["state"], failed["error"]["code"]) == ("failed", "invalid")
        with pytest.raises(NotFoundError, match="no job"):
            client.jobs.cancel("0" * 32)


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("/v1/neighbors?word=bankk", 404, "nearest spellings: bank"),
        ("/v1/neighbors", 422, "word"),
        ("/v1/neighbors?word=bank&k=0", 422, "greater than or equal to 1"),
        ("/v1/neighbors?word=bank&k=9999", 422, "k is at most 1,000 here"),
        ("/v1/neighbors?word=bank&space=../../etc/passwd", 422, "a name of letters"),
        ("/v1/neighbors?word=bank&space=pyproject.toml", 422, "is not in the catalog"),
        ("/v1/spaces/pyproject.toml", 404, "is not in the catalog"),
        ("/v1/analogy?expression=queen%20-", 422, "a word is missing"),
        ("/v1/analogy?expression=" + "a%20" * 6000, 422, "10000"),
        ("/v1/collections/nope", 404, "no collection nope"),
        ("/v1/collections/..%2f..%2fetc", 404, "Not Found"),
        ("/v1/collections/%2e%2e", 422, "begins with a letter or digit"),
        ("/v1/collections/.hidden", 422, "begins with a letter or digit"),
        ("/nothing", 404, "Not Found"),
    ],
)
def test_mistakes_are_the_callers(http: httpx.Client, path: str, status: int, part: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, part in answer.json()["error"]["message"]) == (status, True), answer.text


def test_status(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"status": "ok"}
    assert http.get("/ready").json() == {"status": "ready"}
    text = http.get("/metrics").text
    assert 'polysema_requests_total{method="GET",route="/health",status="200"}' in text
    assert "polysema_model_bytes" in text
    seconds = 'polysema_request_seconds_bucket{le="60.0",method="GET",route="/health"}'
    assert seconds in text
    assert "# TYPE polysema_refused_total counter" in text
    assert "process_open_fds" in text
    assert "_created" not in text
    names = [one["id"] for one in http.get("/v1/models").json()["data"]]
    assert names == [row.name for row in CATALOG]


def shell(*arguments: str) -> Any:
    """What a command prints as JSON, in this process."""
    done = CliRunner().invoke(cli_group, [*arguments, "--format", "json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_attention_as_an_arrow_stream(http: httpx.Client, explorer: Explorer) -> None:
    text = "The bank. " * 200  # two windows
    query = {"text": text, "layers": [1, 2], "special": "merge"}
    table = pa.ipc.open_stream(http.post("/v1/attention", json=query, headers={"accept": ARROW}).content).read_all()
    here = explorer.model().attention(text, layers=[1, 2], options=AttentionOptions(special="merge"))
    assert len(here) > 1
    assert np.concatenate([part.weights.ravel() for part in here]).tolist() == [
        weight for row in table.column("weights").to_pylist() for weight in row
    ]
    more = json.loads(table.schema.metadata[b"polysema"])
    assert [unit["name"] for unit in more["windows"][1]["rows"]] == [unit.name for unit in here[1].rows]
    first = table.to_pylist()[len(here[0].rows)]
    assert (first["window"], first["layer"], first["head"], first["row"]) == (1, 1, 2, 0)
