"""One query at a time goes a shorter way than many: with the answers of the other one, to the last digit."""

from pathlib import Path

import numpy as np
import pytest

from polysema.core.errors import IncompatibleError, UserError
from polysema.indexes.collection import Collection
from polysema.indexes.store.matches import Matches, Search
from polysema.indexes.store.single_search import single_search
from polysema.indexes.store.view_search import search_view

ROWS, DIM = 2000, 16


@pytest.fixture(scope="module", params=["cosine", "euclidean", "inner_product"])
def collection(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    c = Collection.create(tmp_path_factory.mktemp("single") / "c")
    c.spaces.create("v", DIM, request.param)
    vectors = np.random.default_rng(1).normal(size=(ROWS, DIM)).astype(np.float32)
    vectors[7] = vectors[8]  # a tie
    c.add([f"id {row}" for row in range(ROWS)], vectors, space="v")
    c.compact("v", "hnsw:M=8")
    return c


def same(found: Matches, other: Matches) -> None:
    assert found.ids == other.ids
    assert np.array_equal(found.scores, other.scores)
    assert found.scores.dtype == other.scores.dtype
    assert np.array_equal(found.rows, other.rows)
    assert np.array_equal(found.segments, other.segments)
    assert (found.recall, found.space, found.view) == (other.recall, other.space, other.view)


@pytest.mark.parametrize(("k", "recall"), [(1, None), (10, None), (10, 0.5), (150, None), (5000, None)])
def test_the_short_way_has_the_answers_of_the_long_one(collection: Collection, k: int, recall: float | None) -> None:
    view = collection.view()
    queries = np.random.default_rng(2).normal(size=(8, DIM))
    queries[0] = view.vectors("v", np.array([0]), np.array([7]))
    if k <= 150:
        assert single_search(view, k, None, recall) is not None
        assert k > 1 or single_search(view, True, None, recall) is None
    for query in queries:
        long = search_view(view, query[None], Search(k, None, None, recall))  # type: ignore[arg-type]
        same(collection.search(query[None], k, recall=recall), long)
        same(collection.search([query.tolist()], k, space="v", recall=recall), long)


def test_what_is_wrong_is_told_as_ever(collection: Collection) -> None:
    good = np.ones((1, DIM), np.float32)
    collection.search(good, 3)
    with pytest.raises(IncompatibleError, match="shape"):
        collection.search(good[:, 1:], 3)
    with pytest.raises(UserError, match="NaN or Inf"):
        collection.search(good * np.nan, 3)
    with pytest.raises(UserError, match="k must be 1 or more"):
        collection.search(good, True)
    with pytest.raises(UserError, match="above 0 and at most 1"):
        collection.search(good, 3, recall=7.0)
    with pytest.raises(UserError, match="no space 'w'"):
        collection.search(good, 3, space="w")
    if collection.view().card("v").metric.value == "cosine":
        with pytest.raises(UserError, match="all zeros"):
            collection.search(good * 0, 3)


def test_later_rows_and_deleted_ones_are_seen(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    vectors = np.random.default_rng(1).normal(size=(ROWS, DIM)).astype(np.float32)
    names = [f"id {row}" for row in range(ROWS)]
    c.add(names, vectors)
    c.compact(index="hnsw:M=8")
    assert c.search(vectors[5:6], 1).ids == [["id 5"]]
    c.delete(["id 5"])
    assert single_search(c.view(), 1, None, None) is None
    assert c.search(vectors[5:6], 1).ids != [["id 5"]]
    c.add(["new"], vectors[5:6])
    assert c.search(vectors[5:6], 1).ids == [["new"]]


def test_what_was_found_is_made_when_it_is_looked_at(collection: Collection) -> None:
    query = np.random.default_rng(2).normal(size=(1, DIM))
    found, other = collection.search(query, 3), collection.search(query, 3)
    assert other.scores.shape == (1, 3)  # all fields, then the ids
    assert found.ids == other.ids  # the ids, then the others
    assert (len(found), found.table().column("id").to_pylist()) == (1, found.ids[0])
    assert np.array_equal(found.scores, other.scores)
    assert found.ids is found.ids
    with pytest.raises(AttributeError, match="no attribute 'id'"):
        found.id  # type: ignore[attr-defined]  # noqa: B018
