"""What a collection answers and refuses, the same on every engine."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from polysema.core.errors import ConflictError, IncompatibleError, NotFoundError, UserError
from polysema.core.space.space import Origin
from polysema.indexes.collection import Collection
from polysema.indexes.engines.protocol import VectorCollection
from tests.endurance import ENDURE

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 8)).astype(np.float32)
NAMES = [f"w{number}" for number in range(60)]
COLUMNS = {
    "layer": [number % 7 for number in range(60)],
    "word": [f"{'ab'[number % 2]}{number}" if number % 5 else None for number in range(60)],
}
LONG = ["ü" * 9_000, 'a "quoted" \\ id', "sha256:" + "0" * 64, "tab\tnew\nline", "日本語", "x" * 512, "x" * 513]


def best(queries: Any, vectors: Any, k: int, metric: str) -> Any:
    """The oracle: all scores, sorted."""
    if metric == "cosine":
        lengths = np.linalg.norm(vectors, axis=1)
        scores = (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ vectors.T
        scores = np.divide(scores, lengths, out=np.zeros_like(scores), where=lengths > 0)
    elif metric == "inner_product":
        scores = queries @ vectors.T
    else:
        scores = -np.linalg.norm(queries[:, None] - vectors[None], axis=2)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


def test_the_verbs_of_rows(c: VectorCollection, new_address: Callable[[], str]) -> None:
    assert len(c) == 0
    assert c.search(X[:2], 3).ids == [[], []]
    assert c.add(NAMES, X, COLUMNS) == 60
    found = c.search(X[:3] + 0.1, 6)
    order, scores = best(X[:3] + np.float32(0.1), X, 6, "cosine")
    assert found.ids == [[NAMES[row] for row in line] for line in order]
    assert np.allclose(found.scores, scores, atol=1e-5)
    assert found.recall == 1.0
    assert np.array_equal(found.vectors()[0], X[order[0]])
    table = found.table(["layer"])
    assert table.column_names == ["query", "rank", "score", "id", "layer"]
    assert table.column("layer").to_pylist() == [COLUMNS["layer"][row] for row in order.ravel()]
    with pytest.raises(UserError, match="no column 'lauer'"):
        found.table(["lauer"])
    with pytest.raises(ConflictError, match="'w5': there already in vectors; upsert replaces"):
        c.add(["new", "w5"], X[:2])
    with pytest.raises(NotFoundError, match="'new': no such id"):
        c.get(["w1", "new"])
    assert c.upsert(["w5", "new"], X[:2] + 1, {"layer": [50, 51]}) == 1
    there = c.get(["new", "w5", "w6"])
    assert list(there) == ["new", "w5", "w6"]
    assert np.array_equal(there.vectors, np.stack([X[1] + 1, X[0] + 1, X[6]]))
    assert there.column("layer") == [51, 50, 6]
    assert there.column("word") == [None, None, "a6"]
    assert c.delete(["w1", "w2", "never"]) == 2
    assert c.delete(where="layer = 6 and word is not null") == 6
    assert len(c) == 53
    assert c.view().n_rows(None, "word is null") == 13
    whole = c.space()
    assert list(whole)[:3] == ["w0", "w3", "w4"]
    assert list(whole)[-2:] == ["w5", "new"]
    assert list(c.space(where="layer >= 50")) == ["w5", "new"]
    with pytest.raises(UserError, match="no row of vectors passes"):
        c.space(where="layer = 99")
    few = c.search(X[:1], 60, "layer in (50, 51)")
    assert [sorted(line) for line in few.ids] == [["new", "w5"]]
    assert few.scores.shape == (1, 53)
    assert np.isneginf(few.scores[:, 2:]).all()
    assert sum(len(batch) for batch in c.view().batches(None)) == 53
    again = Collection.open(str(c.root))
    assert again.search(X[:1], 4).ids == c.search(X[:1], 4).ids
    with pytest.raises(ConflictError):
        Collection.create(str(c.root))
    with pytest.raises(NotFoundError, match="no collection"):
        Collection.open(new_address())


def test_what_is_wrong_is_refused_before_it_leaves(c: VectorCollection) -> None:
    c.spaces.create("s", 4, "euclidean")
    for vectors in ([[np.nan, 0, 0, 0]], [[np.inf, 0, 0, 0]]):
        with pytest.raises(UserError, match="must be finite"):
            c.add(["a"], vectors, space="s")
        with pytest.raises(UserError, match="must be finite"):
            c.search(vectors, 1)
    with pytest.raises(IncompatibleError, match="expected dimension 4, got 3"):
        c.add(["a"], [[1, 2, 3]], space="s")
    c.add(["a"], [[1, 2, 3, 4]], {"n": [1]}, space="s")
    with pytest.raises(IncompatibleError, match="shape"):
        c.search([[1, 2, 3]], 1)
    with pytest.raises(IncompatibleError, match="the column n holds int64"):
        c.add(["b"], [[1, 2, 3, 4]], {"n": ["text"]})
    with pytest.raises(UserError, match="k must be 1 or more"):
        c.search([[1, 2, 3, 4]], 0)
    with pytest.raises(UserError, match="no column 'm'"):
        c.search([[1, 2, 3, 4]], 1, "m = 1")
    for ids in (["b", "b"], [""], [3]):
        with pytest.raises(UserError, match="id"):
            c.add(ids, np.ones((len(ids), 4)))
    assert len(c) == 1


def test_origins_are_kept_and_compared(c: VectorCollection) -> None:
    mine, other = Origin("my model", layer=6, pooling="mean"), Origin("my model", layer=7, pooling="mean")
    c.spaces.create("six", 4, "cosine", mine)
    c.spaces.create("six", 4, "cosine", mine)
    with pytest.raises(ConflictError, match="has a space six already"):
        c.spaces.create("six", 4, "cosine", other)
    c.add(["a"], np.ones((1, 4)), space="six", origin=mine)
    with pytest.raises(IncompatibleError):
        c.add(["b"], np.ones((1, 4)), space="six", origin=other)
    with pytest.raises(IncompatibleError, match="no origin"):
        c.add(["b"], np.ones((1, 4)), space="six")
    c.spaces.create("seven", 3, "inner_product", other)
    c.add(["a"], np.ones((1, 3)), space="seven", origin=other)
    assert c.spaces.names() == ["six", "seven"]
    with pytest.raises(UserError, match="several spaces"):
        c.search(np.ones((1, 4)), 1)
    assert c.get(["a"], "seven").origin == other
    c.spaces.drop("six")
    assert (len(c), c.spaces.names()) == (1, ["seven"])
    with pytest.raises(NotFoundError, match="no space 'six'"):
        c.space("six")


@pytest.mark.parametrize("metric", ["inner_product", "euclidean", "cosine"])
def test_every_metric_with_rows_of_zeros(c: VectorCollection, metric: str) -> None:
    vectors = X.copy()
    vectors[[3, 9]] = 0
    c.spaces.create("s", 8, metric)
    c.add(NAMES, vectors)
    order, scores = best(X[:2], vectors, 60, metric)
    found = c.search(X[:2], 60)
    assert np.allclose(found.scores, scores, atol=1e-5)
    assert [sorted(line) for line in found.ids] == [sorted(NAMES)] * 2
    assert c.search(X[:2], 20).ids == [[NAMES[row] for row in line[:20]] for line in order]


def test_ids_of_any_length_and_script(c: VectorCollection) -> None:
    c.add(LONG, X[: len(LONG)], {"n": list(range(len(LONG)))})
    assert [c.search(X[row : row + 1], 1).ids for row in range(len(LONG))] == [[[name]] for name in LONG]
    assert np.array_equal(c.get(LONG[::-1]).vectors, X[: len(LONG)][::-1])
    assert list(c.space()) == LONG
    assert list(c.space(where="id starts with 'x'")) == ["x" * 512, "x" * 513]
    assert c.view().n_rows(None, "id = '日本語'") == 1
    assert c.upsert(LONG[:2], X[10:12]) == 2
    assert c.delete(LONG[:3]) == 3
    assert sorted(c.space()) == sorted(LONG[3:])


def test_columns_come_back_as_they_went_in(c: VectorCollection) -> None:
    seconds = pa.array([1_700_000_000_123, None, -5], pa.timestamp("ms", "Europe/Berlin"))
    table = pa.table(
        {
            "text": ["a 'b' \"c\" \\ \n", None, "日本\x00語"],
            "odd name": pa.array([1, None, 2], pa.int8()),
            "big": pa.array([2**64 - 1, 2**63, None], pa.uint64()),
            "low": pa.array([-(2**63), 2**53 + 1, None], pa.int64()),
            "real": [np.nan, np.inf, -0.1],
            "half": pa.array([0.1, None, -np.inf], pa.float32()),
            "true": [True, None, False],
            "when": seconds,
            "day": pa.array([1, None, 3], pa.date32()),
            "price": pa.array(["1.25", None, "-3.50"]).cast(pa.decimal128(9, 2)),
            "bytes": pa.array([b"\x00\xff", None, b""]),
            "tags": [["x", None], [], None],
            "deep": [[[1, 2], None], None, []],
            "both": [{"a": 1, "b": ["x"]}, None, {"a": None, "b": None}],
            "kind": pa.array(["x", "y", None]).dictionary_encode(),
        }
    )
    c.add(["a", "b", "c"], X[:3], table)
    found = c.get(["a", "b", "c"]).columns
    assert found is not None
    reference = table.column("real").to_pylist()
    assert np.array_equal(found.column("real").to_pylist(), reference, equal_nan=True)
    for name in table.column_names:
        if name != "real":
            assert found.column(name).to_pylist() == table.column(name).to_pylist(), name
    assert found.schema.field("when").type == seconds.type
    assert found.schema.field("price").type == pa.decimal128(9, 2)
    c.add(["d"], X[3:4], {"more": ["later"]})
    assert c.get(["a", "d"]).column("more") == [None, "later"]
    assert c.search(X[:1], 2, "tags contains 'x'").ids == [["a"]]


@pytest.mark.parametrize("kind", ["hnsw:M=8,ef_construction=40", "ivf-pq:m=4,nlist=8,nbits=6"])
def test_an_index_with_its_measured_recall(c: VectorCollection, kind: str, engine: str) -> None:
    name = kind.partition(":")[0]
    if name == "ivf-pq" and engine == "milvus" and not ENDURE:
        pytest.skip("a minute: make endure")
    vectors = RNG.normal(size=(1_500, 8)).astype(np.float32)
    ids = [f"v{number}" for number in range(len(vectors))]
    c.add(ids, vectors)
    if name == "ivf-pq" and engine == "milvus-lite":
        with pytest.raises(
            UserError, match="milvus-lite has no index ivf-pq; choose flat, hnsw, ivf, ivf-sq8, auto or none"
        ):
            c.compact(index=kind)
        assert c.search(vectors[:1], 1).ids == [["v0"]]
        return
    c.compact(index=kind)
    part = c.view().parts("vectors")[0]
    assert part.card is not None
    assert (part.rows, part.card["recipe"]["kind"]) == (1_500, name)
    assert part.card["curve"]["n_queries"] > 20
    queries = vectors[:40] + 0.05
    order, _ = best(queries, vectors, 10, "cosine")
    truth = [{ids[row] for row in line} for line in order]
    exact = c.search(queries, 10, exact=True)
    assert exact.recall == 1.0
    assert [set(line) for line in exact.ids] == truth
    assert [set(line) for line in c.search(queries, 10, recall=1.0).ids] == truth
    wanted = c.search(queries, 10, recall=0.95)
    shares = [len(mine & set(line)) / 10 for mine, line in zip(truth, wanted.ids, strict=True)]
    assert wanted.recall is not None
    assert wanted.recall >= 0.95
    assert np.mean(shares) >= 0.9
    c.upsert(["late"], vectors[:1] * 2)
    assert set(c.search(vectors[:1], 2).ids[0]) == {"v0", "late"}
    if engine != "milvus":  # whose every load takes seconds
        assert c.compact().startswith(f"{name}, as before")
    if name == "hnsw" and engine != "milvus":
        assert "exact" in c.compact(index="none")
        assert c.view().parts("vectors")[0].card is None


def test_what_an_engine_cannot_do_is_named(c: VectorCollection, engine: str) -> None:
    if engine == "embedded":
        assert c.history.versions()
        return
    for verb in (lambda: c.history.snapshot("mine"), c.history.versions, lambda: c.history.restore(1)):
        with pytest.raises(UserError, match=r"Milvus has no .*polysema collection copy milvus.* FOLDER"):
            verb()
    with pytest.raises(UserError, match="copy the collection to a folder"):
        c.columns.widen("x", "string")
    c.add(["a"], X[:1])
    with pytest.raises(UserError, match="(Milvus|milvus-lite) has no index pq-fastscan; choose flat, hnsw, ivf"):
        c.compact(index="pq-fastscan")
