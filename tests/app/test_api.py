"""The service, for real on loopback, gives the answers of the command line and of Python."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from polysema.app.api import create_app
from polysema.app.explorer import Explorer


@pytest.fixture(scope="module")
def http(explorer: Explorer) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app(explorer), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
        while not server.started:
            time.sleep(0.02)
        yield client
    server.should_exit = True
    thread.join()


def test_the_same_answers_as_in_python(http: httpx.Client, explorer: Explorer) -> None:
    answer = http.get("/v1/analogy", params={"expression": "queen - king + man", "k": 4}).json()
    local = explorer.analogy("queen - king + man", k=4)
    assert [(n["word"], n["cosine"]) for n in answer["neighbors"]] == [(n.key, n.score) for n in local.neighbours]
    assert answer["neighbors"][0]["word"] == "woman"
    near = http.get("/v1/neighbors", params={"word": "bank", "space": "minilm-l6", "k": 3}).json()
    assert [n["word"] for n in near["neighbors"]] == [
        n.key for n in explorer.neighbors("bank", "minilm-l6", 3).neighbours
    ]
    near = http.get("/v1/neighbors", params={"word": "bank", "k": 3, "where": "word in ('shore', 'river')"}).json()
    assert [n["word"] for n in near["neighbors"]] == ["shore", "river"]
    texts = ["The river bank was muddy.", "Gringotts bank keeps its gold."]
    layers = http.post("/v1/compare", json={"word": "bank", "texts": texts, "layers": [6]}).json()["layers"]
    assert layers[0]["pairs"] == list(explorer.compare("bank", texts, layers=[6]).layers[0].pairs)
    assert [m["name"] for m in http.get("/v1/models").json()] == ["glove-6b-50d", "minilm-l6", "smollm2-135m", "g2p-t5"]
    assert http.get("/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("/v1/neighbors?word=bankk", 404, "nearest spellings: bank"),
        ("/v1/neighbors", 422, "word"),
        ("/v1/neighbors?word=bank&where=layer=3", 422, "there is no column 'layer' to filter by"),
        ("/v1/neighbors?word=bank&k=0", 422, "greater than or equal to 1"),
        ("/v1/neighbors?word=bank&k=99999999", 422, "less than or equal to 1000"),
        ("/v1/neighbors?word=bank&space=../../etc/passwd", 422, "pattern"),
        ("/v1/neighbors?word=bank&space=pyproject.toml", 422, "is not in the catalog"),
        ("/v1/analogy?expression=queen%20-", 422, "a word is missing"),
        ("/v1/analogy?expression=" + "a%20" * 6000, 422, "10000"),
        ("/nothing", 404, "Not Found"),
    ],
)
def test_mistakes_are_the_callers(http: httpx.Client, path: str, status: int, part: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, part in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"word": 3}',
        b'{"word": "bank", "texts": []}',
        b'{"word": "bank", "texts": ["no such"]}',
        b"\xff\xfe",
    ],
)
def test_bad_bodies_are_the_callers(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/v1/compare", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
