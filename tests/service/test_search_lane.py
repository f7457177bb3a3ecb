"""Searches by vectors have a lane of their own: what comes out of it is what the route answers, to the last digit."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from polysema import Collection
from polysema.app.explorer import Explorer
from polysema.app.service.schemas.collection import SearchRequest
from polysema.app.service.search_lane import VectorSearch, read_search
from polysema.app.service.server import Draining
from polysema.indexes.store.matches import Search
from polysema.indexes.store.segment_search import answers_alike
from tests.service.conftest import running

FIELDS = ("vectors", "ids", "text", "word", "k", "space", "where", "recall", "exact", "columns", "other")
ROUTE = {"content-type": "application/any+json"}  # which the lane leaves to the route
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70_000),
    st.floats(-2, 2),
    st.sampled_from(["vectors", "a\n", "-x", "a@3", "", "AACAPwAAAEA=", 10**400, 1e308]),
)
lists = st.lists(st.one_of(st.floats(-2, 2), st.integers(-3, 3), scalars), max_size=3)
requests = st.fixed_dictionaries(
    {"vectors": st.one_of(st.lists(st.lists(st.floats(-2, 2), min_size=1, max_size=3), max_size=2), lists, scalars)},
    optional={name: st.one_of(scalars, lists) for name in FIELDS[1:]},
)


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(requests)
def test_what_the_lane_reads_is_a_request_with_the_same_values(request: dict[str, Any]) -> None:
    body = json.dumps(request).encode()
    read = read_search(body)
    try:
        expected = SearchRequest.model_validate_json(body)
    except ValidationError:
        assert read is None
        return
    if expected.vectors is None or expected.ids or expected.text or expected.word:
        assert read is None or (expected.vectors is not None and not {"ids", "text", "word"} & set(request))
    elif not {"ids", "text", "word"} & set(request):
        assert read is not None
    if read is not None:
        assert {name: getattr(read, name) for name in VectorSearch.__struct_fields__} == {
            name: getattr(expected, name) for name in VectorSearch.__struct_fields__
        }


def test_the_lane_has_the_defaults_of_the_route() -> None:
    names = set(VectorSearch.__struct_fields__)
    assert set(SearchRequest.model_fields) - names == {"ids", "text", "word"}
    read = read_search(b'{"vectors": [[1]]}')
    assert all(getattr(read, name) == SearchRequest.model_fields[name].default for name in names - {"vectors"})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection with a graph, one of rows alone, and one of both with columns and rows that were deleted."""
    folder = tmp_path_factory.mktemp("lane")
    vectors = np.random.default_rng(0).normal(size=(600, 12)).astype(np.float32)
    for name in ("graph", "rows", "mixed"):
        made = Collection.create(folder / name)
        columns = {"number": [row / 7 for row in range(600)]} if name == "mixed" else None
        made.add([f"r{row}" for row in range(600)], vectors, columns)
        if name != "rows":
            made.compact(index="hnsw")
        if name == "mixed":
            made.delete([f"r{row}" for row in range(0, 600, 9)])
            made.upsert(["new"], vectors[:1] + 1, {"number": [None]})
    return folder


@pytest.fixture(scope="module")
def lane(explorer: Explorer, data: Path) -> Iterator[tuple[httpx.Client, Draining]]:
    with (
        running(explorer, data=str(data), max_texts=2, max_k=50) as (url, server),
        httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield client, server


def ask(client: httpx.Client, name: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    answer = client.post(f"/v1/collections/{name}/search", json=body, headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("name", ["graph", "rows", "mixed"])
def test_concurrent_searches_are_answered_as_alone(lane: tuple[httpx.Client, Draining], name: str) -> None:
    client, server = lane
    rng = np.random.default_rng(1)
    bodies: list[dict[str, Any]] = [{"vectors": rng.normal(size=(1 + n % 2, 12)).tolist()} for n in range(24)]
    bodies += [{**body, "recall": 0.9, "k": 3} for body in bodies[:6]]
    bodies += [{"vectors": [[0.0] * 12]}, {"vectors": [[1e39] + [1.0] * 11]}]  # no direction; not finite
    if name == "mixed":
        bodies += [{**body, "where": "number > 20"} for body in bodies[:4]]
        bodies += [{**body, "columns": []} for body in bodies[:4]]
    expected = [ask(client, name, body, ROUTE) for body in bodies]
    with ThreadPoolExecutor(12) as pool:
        for _ in range(2):
            assert list(pool.map(lambda body: ask(client, name, body), bodies)) == expected
    assert {status for status, _ in expected} == {200, 422}
    assert server._polysema.gate.running == 0
    assert 'route="/v1/collections/{name}/search",status="200"' in client.get("/metrics").text


def test_many_queries_are_only_searched_at_once_where_each_has_its_own_answer(data: Path) -> None:
    for name, alike in (("graph", True), ("rows", False), ("mixed", False)):
        view = Collection(data / name).view()
        assert answers_alike(view.segments["vectors"], Search()) is alike
        assert not answers_alike(view.segments["vectors"], Search(exact=True))
        assert not answers_alike(view.segments["vectors"], Search(recall=1.0))  # which no setting promises
        assert not answers_alike(view.segments["vectors"], Search(where="id = 'r1'"))


def test_what_was_written_is_found_at_once_and_what_is_gone_is_not(lane: tuple[httpx.Client, Draining]) -> None:
    client, _ = lane
    client.put("/v1/collections/mine")
    for number in range(20):
        vector = [float(np.cos(number)), float(np.sin(number))]
        assert client.put("/v1/collections/mine/rows", json={"ids": [f"r{number}"], "vectors": [vector]}).is_success
        status, answer = ask(client, "mine", {"vectors": [vector], "k": 1})
        assert (status, answer["answers"][0][0]["id"]) == (200, f"r{number}")
    wide = {"vectors": [[1.0, 0.0, 0.0]]}
    assert ask(client, "mine", wide) == ask(client, "mine", wide, ROUTE)
    assert ask(client, "mine", {"vectors": "AACAPwAAAAA="}) == ask(client, "mine", {"vectors": [[1, 0]]})
    client.delete("/v1/collections/mine")
    assert ask(client, "mine", {"vectors": [[1.0, 0.0]]})[0] == 404


def test_limits_hold_in_the_lane(lane: tuple[httpx.Client, Draining]) -> None:
    client, _ = lane
    for body in ({"vectors": [[1.0] * 12] * 3}, {"vectors": [[1.0] * 12], "k": 51}, {"vectors": [[1.0], [1.0, 2.0]]}):
        assert ask(client, "graph", body) == ask(client, "graph", body, ROUTE)
        assert ask(client, "graph", body)[0] == 422
