"""One contract for every kind of index with every metric, compared with the exact search and against plain loops."""

from collections.abc import Callable

import numpy as np
import pytest

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.space.metric import Metric
from polysema.indexes import ExactIndex, FaissIndex, Index, IndexSpec

BUILT: dict[tuple[str, Metric, bytes], Index] = {}


def kept(kind: str, build: Callable[[np.ndarray, Metric], Index]) -> Callable[[np.ndarray, Metric], Index]:
    """The index of a kind over the same vectors is built once: searching must not change it."""

    def index(vectors: np.ndarray, metric: Metric) -> Index:
        key = (kind, metric, vectors.tobytes())
        if key not in BUILT:
            BUILT[key] = build(vectors, metric)
        return BUILT[key]

    return index


KINDS: dict[str, Callable[[np.ndarray, Metric], Index]] = {
    "exact": ExactIndex,
    "flat": lambda vectors, metric: FaissIndex(vectors, metric, IndexSpec("flat")),
    "hnsw": lambda vectors, metric: FaissIndex(vectors, metric, IndexSpec("hnsw", ef_search=200)),
    "hnsw-sq8": lambda vectors, metric: FaissIndex(vectors, metric, IndexSpec("hnsw-sq8", ef_search=200)),
    "ivf": lambda vectors, metric: FaissIndex(vectors, metric, IndexSpec("ivf-flat", nlist=8, nprobe=8)),
    "ivf-sq8": lambda vectors, metric: FaissIndex(vectors, metric, IndexSpec("ivf-sq8", nlist=8, nprobe=8)),
    "ivf-pq": lambda vectors, metric: FaissIndex(
        vectors, metric, IndexSpec("ivf-pq", nlist=8, nprobe=8, m=dividing(vectors), k_factor=64)
    ),
    "pq-fastscan": lambda vectors, metric: FaissIndex(
        vectors, metric, IndexSpec("pq-fastscan", m=dividing(vectors), k_factor=64)
    ),
    "auto": lambda vectors, metric: FaissIndex(vectors, metric, IndexSpec("auto")),
}
KINDS = {kind: kept(kind, build) for kind, build in KINDS.items()}


def dividing(vectors: np.ndarray) -> int:
    return vectors.shape[1] // 2 if vectors.ndim == 2 and vectors.shape[1] % 2 == 0 else 0


every = pytest.mark.parametrize("kind", KINDS)
every_metric = pytest.mark.parametrize("metric", Metric)


def data(n: int = 500, dim: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, dim)) * rng.uniform(0.2, 4, (n, 1))).astype(np.float32)


def slow(vectors: np.ndarray, query: np.ndarray, metric: Metric) -> list[float]:
    scores = []
    for vector in vectors.astype(np.float64):
        if metric is Metric.EUCLIDEAN:
            scores.append(-float(np.sqrt(((vector - query) ** 2).sum())))
        else:
            lengths = np.linalg.norm(vector) * np.linalg.norm(query) if metric is Metric.COSINE else 1.0
            scores.append(float(vector @ query / lengths) if lengths else 0.0)
    return scores


@every
@every_metric
def test_the_best_rows_and_their_scores(kind: str, metric: Metric) -> None:
    vectors, queries = data(), data(7, seed=1)
    hits = KINDS[kind](vectors, metric).search(queries, 10)
    assert (hits.rows.shape, hits.rows.dtype, hits.scores.dtype) == ((7, 10), np.int64, np.float32)
    for query, rows, scores in zip(queries, hits.rows, hits.scores, strict=True):
        expected = slow(vectors, query, metric)
        assert rows.tolist() == sorted(range(500), key=lambda row: -expected[row])[:10]
        np.testing.assert_allclose(scores, [expected[row] for row in rows], rtol=1e-4, atol=1e-5)


@every
@every_metric
def test_the_metrics_disagree_where_they_should(kind: str, metric: Metric) -> None:
    vectors = np.array([[1, 0.1], [9, 3], [0, 1]] * 4, np.float32)
    hits = KINDS[kind](vectors, metric).search(np.array([[3, 0]], np.float32), 1)
    best = {Metric.COSINE: (0, 0.99504), Metric.INNER_PRODUCT: (1, 27.0), Metric.EUCLIDEAN: (0, -2.00250)}[metric]
    assert hits.rows[0, 0] % 3 == best[0]
    assert hits.scores[0, 0] == pytest.approx(best[1], abs=1e-4)


@every
@every_metric
def test_a_vector_finds_itself_with_the_full_score(kind: str, metric: Metric) -> None:
    vectors = data()
    hits = KINDS[kind](vectors, metric).search(vectors[40:43], 1)
    if metric is Metric.INNER_PRODUCT:
        return
    assert hits.rows[:, 0].tolist() == [40, 41, 42]
    assert hits.scores[:, 0] == pytest.approx(1.0 if metric is Metric.COSINE else 0.0, abs=1e-3)


@every
@every_metric
def test_what_is_excluded_is_not_found_and_k_still_comes(kind: str, metric: Metric) -> None:
    vectors, query = data(), data(1, seed=3)
    index = KINDS[kind](vectors, metric)
    first = index.search(query, 12).rows[0].tolist()
    found = index.search(query, 9, exclude=[first[0], first[4], first[5], 10_000, -3]).rows[0].tolist()
    assert found == [row for row in first if row not in {first[0], first[4], first[5]}]


@every
def test_all_rows_can_be_asked_for(kind: str) -> None:
    hits = KINDS[kind](data(60), Metric.COSINE).search(data(2, seed=5), 60)
    assert [sorted(rows) for rows in hits.rows.tolist()] == [list(range(60))] * 2


@every
def test_fewer_rows_than_k_are_the_answer(kind: str) -> None:
    vectors, queries = data(60), data(2, seed=5)
    index = KINDS[kind](vectors, Metric.COSINE)
    every_row, best = index.search(queries, 60), index.search(queries, 60).rows[0].tolist()
    for k in (61, 1_000_000_000):
        found = index.search(queries, k)
        assert np.array_equal(found.rows, every_row.rows)
        assert np.array_equal(found.scores, every_row.scores)
    left = index.search(queries[:1], 100, exclude=best[:57])
    assert left.rows.tolist() == [best[57:]]
    assert index.search(queries, 100, exclude=range(60)).rows.shape == (2, 0)
    few = np.zeros(60, bool)
    few[best[3:5]] = True
    found = index.search(queries[:1], 10, where=few)
    assert (found.rows[0].tolist(), found.scores[0, 2:].tolist()) == ([*best[3:5], *[-1] * 8], [-np.inf] * 8)
    assert index.search(queries, 100, where=np.zeros(60, bool)).rows.tolist() == [[-1] * 60] * 2
    assert KINDS[kind](vectors[:1], Metric.COSINE).search(queries, 5).rows.tolist() == [[0], [0]]


@pytest.mark.parametrize("kind", ["exact", "flat"])
@every_metric
def test_equal_scores_come_in_row_order(kind: str, metric: Metric) -> None:
    vectors = np.tile(np.array([[1, 2, 2]], np.float32), (50, 1))
    hits = KINDS[kind](vectors, metric).search(vectors[:1], 50 if kind == "flat" else 5)
    assert hits.rows[0].tolist() == list(range(50 if kind == "flat" else 5))


@every
@every_metric
def test_stored_zero_vectors_are_no_error(kind: str, metric: Metric) -> None:
    vectors = data(40)
    vectors[7] = 0
    hits = KINDS[kind](vectors, metric).search(vectors[:1], 40)
    assert np.isfinite(hits.scores).all()
    if metric is Metric.COSINE:
        assert hits.scores[0][hits.rows[0] == 7] == pytest.approx(0.0)


@every
@pytest.mark.parametrize("n_queries", [0, 1, 2, 200])
def test_batches_of_any_size(kind: str, n_queries: int) -> None:
    index = KINDS[kind](data(), Metric.COSINE)
    queries = data(max(n_queries, 1), seed=9)[:n_queries]
    hits = index.search(queries, 3)
    assert hits.rows.shape == (n_queries, 3)
    for row in range(min(n_queries, 5)):
        assert hits.rows[row].tolist() == index.search(queries[row : row + 1], 3).rows[0].tolist()


@every
@pytest.mark.parametrize(
    ("query", "k", "message"),
    [
        (np.ones((1, 12)), 0, "k must be 1 or more; got 0"),
        (np.ones((1, 12)), -3, "k must be 1 or more; got -3"),
        (np.ones((1, 12)), 2.5, "k must be 1 or more; got 2.5"),
        (np.ones((1, 11)), 3, r"queries must have the shape \(n, 12\); got \(1, 11\)"),
        (np.ones(12), 3, r"got \(12,\)"),
        (np.full((2, 12), np.nan), 3, "queries must be finite numbers; row 0 holds NaN or Inf"),
        (np.full((1, 12), np.inf), 3, "row 0 holds NaN or Inf"),
        (np.zeros((1, 12)), 3, "query 0 is all zeros: it has no direction"),
    ],
)
def test_mistakes_are_named(kind: str, query: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        KINDS[kind](data(), Metric.COSINE).search(query, k)


@every
def test_bad_vectors_are_refused(kind: str) -> None:
    bad = data(10)
    bad[3, 2] = np.inf
    with pytest.raises(UserError, match="vectors must be finite numbers; row 3 holds NaN or Inf"):
        KINDS[kind](bad, Metric.COSINE)
    with pytest.raises(UserError, match="an index needs at least one vector; got none"):
        KINDS[kind](np.empty((0, 4), np.float32), Metric.COSINE)
    with pytest.raises(IncompatibleError, match=r"vectors must have the shape \(n, dim\); got \(4,\)"):
        KINDS[kind](np.ones(4, np.float32), Metric.COSINE)


def test_a_recipe_is_checked() -> None:
    with pytest.raises(UserError, match="index kind 'lsh' does not exist; choose flat, hnsw, hnsw-sq8, .* or auto"):
        IndexSpec("lsh")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="M must be at least 2; got 0"):
        IndexSpec("hnsw", M=0)


def test_hnsw_and_ivf_find_nearly_all_of_real_vectors(explorer) -> None:  # type: ignore[no-untyped-def]
    vectors = np.ascontiguousarray(explorer.space("glove-6b-50d").space.vectors[:20_000])
    queries = vectors[::100]
    best = ExactIndex(vectors).search(queries, 10).rows
    for recipe, least in ((IndexSpec("hnsw"), 0.95), (IndexSpec("ivf", nlist=100, nprobe=20), 0.9)):
        found = FaissIndex(vectors, recipe=recipe).search(queries, 10).rows
        recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(best.tolist(), found.tolist(), strict=True)])
        assert recall >= least
