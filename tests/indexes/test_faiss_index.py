"""FAISS indexes: measured recall, filters, what lies on disk, threads; all kinds against the exact search."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from polysema.core.errors import IncompatibleError, NotFoundError, UnreadableError, UserError
from polysema.core.space.metric import Metric
from polysema.indexes import BuildOptions, ExactIndex, FaissIndex, IndexSpec, choose
from polysema.indexes.recall import RecallCurve, Setting, recalls

N, DIM = 3_000, 16
RECIPES = {
    "flat": IndexSpec("flat"),
    "hnsw": IndexSpec("hnsw", M=12, ef_construction=60),
    "hnsw-sq8": IndexSpec("hnsw-sq8", M=12, ef_construction=60),
    "ivf": IndexSpec("ivf", nlist=40, nprobe=4),
    "ivf-sq8": IndexSpec("ivf-sq8", nlist=40, nprobe=4),
    "ivf-pq": IndexSpec("ivf-pq", nlist=40, nprobe=4, m=8, nbits=6),
    "pq-fastscan": IndexSpec("pq-fastscan", nlist=40, nprobe=4, m=8),
}
every = pytest.mark.parametrize("kind", RECIPES)
approximate = pytest.mark.parametrize("kind", [kind for kind in RECIPES if kind != "flat"])


def clustered(n: int, seed: int) -> np.ndarray:
    """Rows around centers, as words' occurrences lie around their senses."""
    centers = np.random.default_rng(7).normal(size=(60, DIM))
    rng = np.random.default_rng(seed)
    return (centers[rng.integers(0, 60, n)] + rng.normal(0, 0.7, (n, DIM))).astype(np.float32)


VECTORS, QUERIES = clustered(N, 0), clustered(64, 1)
BUILT: dict[Any, FaissIndex] = {}


def built(kind: str, metric: Metric = Metric.COSINE) -> FaissIndex:
    if (kind, metric) not in BUILT:
        BUILT[kind, metric] = FaissIndex(VECTORS, metric, RECIPES[kind], building=BuildOptions(threads=1))
    return BUILT[kind, metric]


def exact(metric: Metric = Metric.COSINE) -> ExactIndex:
    return ExactIndex(VECTORS, metric)


def recall_of(found: Any, best: Any) -> float:
    return float(recalls(found.scores, best.scores, 10).mean())


# Scores and recall


@every
@pytest.mark.parametrize("metric", Metric)
def test_scores_are_those_of_the_exact_search(kind: str, metric: Metric) -> None:
    hits = built(kind, metric).search(QUERIES[:20], 10)
    for query, rows, scores in zip(QUERIES[:20], hits.rows, hits.scores, strict=True):
        if metric is Metric.EUCLIDEAN:
            wanted = -np.linalg.norm(VECTORS[rows] - query, axis=1)
        else:
            wanted = VECTORS[rows].astype(np.float64) @ query
            if metric is Metric.COSINE:
                wanted = wanted / np.linalg.norm(VECTORS[rows], axis=1) / np.linalg.norm(query)
        np.testing.assert_allclose(scores, wanted, rtol=2e-5, atol=2e-5)
        assert (np.diff(scores) <= 0).all()


def test_without_rescoring_the_scores_are_those_of_the_codes() -> None:
    coarse, fine = (built("ivf-pq").search(QUERIES, 5, rescore=anew).scores for anew in (False, True))
    assert np.abs(coarse[:, 0] - fine[:, 0]).max() > 1e-3


@approximate
@pytest.mark.parametrize("metric", Metric)
def test_the_recall_that_is_promised_is_kept(kind: str, metric: Metric) -> None:
    index, best = built(kind, metric), exact(metric).search(QUERIES, 10)
    assert index.curve.n_queries == 256
    for wanted in (0.7, 0.95, 0.99):
        hits = index.search(QUERIES, 10, recall=wanted)
        assert hits.recall is not None
        assert hits.recall >= wanted
        assert recall_of(hits, best) >= wanted - 0.03  # 64 queries of other rows
    assert index.search(QUERIES, 10).recall == pytest.approx(recall_of(index.search(QUERIES, 10), best), abs=0.05)


@every
def test_recall_of_one_is_the_exact_answer(kind: str) -> None:
    hits, best = built(kind).search(QUERIES, 10, recall=1.0), exact().search(QUERIES, 10)
    assert (hits.recall, best.recall) == (1.0, 1.0)
    assert hits.how.startswith("exact") or kind == "flat"
    np.testing.assert_array_equal(hits.rows, best.rows)
    np.testing.assert_allclose(hits.scores, best.scores, atol=1e-6)


def test_a_recall_that_no_setting_reaches_is_answered_exactly_and_said() -> None:
    index = FaissIndex(VECTORS, "cosine", IndexSpec("ivf", nlist=1_500, nprobe=1), building=BuildOptions(threads=1))
    index.curve = RecallCurve(256, tuple(p for p in index.curve.points if p.setting.nprobe < 4))
    most = max(p.recall for p in index.curve.points)
    hits = index.search(QUERIES, 10, recall=0.999)
    assert hits.how == f"exact: ivf can't promise a recall of 0.999 (the best setting reached {most:.3f})"
    assert hits.recall == 1.0
    np.testing.assert_array_equal(hits.rows, exact().search(QUERIES, 10).rows)
    small = FaissIndex(VECTORS[:50], recipe=IndexSpec("hnsw"))
    assert (
        small.search(QUERIES, 5, recall=0.9).how
        == "exact: hnsw can't promise a recall of 0.9 (its recall was not measured)"
    )
    assert small.search(QUERIES, 5).recall is None


@approximate
def test_the_curve_rises_and_the_cheapest_setting_is_taken(kind: str) -> None:
    points = built(kind).curve.points
    best = max(points, key=lambda p: p.recall)
    assert best.recall > 0.97
    assert min(p.recall for p in points) < best.recall or kind.startswith("hnsw")
    chosen = built(kind).curve.cheapest(0.95)
    assert chosen is not None
    assert chosen.recall - chosen.error >= 0.95
    reaching = [p for p in points if p.recall - p.error >= 0.95 and p is not chosen]
    assert not any(p.setting.within(chosen.setting) for p in reaching)
    if kind.startswith(("hnsw", "ivf")) and kind != "ivf-pq":
        assert chosen.setting == min([p.setting for p in reaching] + [chosen.setting])


@pytest.mark.parametrize("recall", [0, -1, 1.5, float("nan"), "0.9"])
def test_a_recall_that_is_none_is_refused(recall: Any) -> None:
    with pytest.raises(UserError, match="recall is a share above 0 and at most 1, such as 0.95; got"):
        built("hnsw").search(QUERIES, 10, recall=recall)


@approximate
def test_many_neighbors_and_all_rows(kind: str) -> None:
    best = exact().search(QUERIES[:8], 200)
    hits = built(kind).search(QUERIES[:8], 200, recall=0.9)
    assert (hits.rows >= 0).all()
    assert recalls(hits.scores, best.scores, 200).mean() > 0.85
    everything = built(kind).search(QUERIES[:1], N, recall=1.0)
    assert sorted(everything.rows[0].tolist()) == list(range(N))


@approximate
def test_held_out_rows_are_found_under_their_own_numbers(kind: str) -> None:
    index = built(kind, Metric.EUCLIDEAN)
    current = np.array(index.card()["held_out"])
    assert len(current) == 256
    rows = np.concatenate([current, np.arange(0, N, 97), [0, N - 1]])
    found = index.search(VECTORS[rows], 1, recall=0.99)
    assert (found.rows[:, 0] == rows).mean() > 0.99


# Filters


@every
@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.97])
def test_a_filter_is_equal_to_filtering_the_exact_answer(kind: str, metric: Metric, share: float) -> None:
    mask = np.random.default_rng(int(share * 1000)).random(N) < share
    mask[5] = True
    k = 10
    hits = built(kind, metric).search(QUERIES, k, where=mask, recall=0.95)
    best = exact(metric).search(QUERIES, k, where=mask)
    there = min(k, int(mask.sum()))
    assert hits.rows.shape == best.rows.shape == (64, k)
    for found in (hits, best):
        assert mask[found.rows[:, :there]].all()
        assert (found.rows[:, there:] == -1).all()
        assert np.isneginf(found.scores[:, there:]).all()
    plain = exact(metric).search(QUERIES[:5], N)
    for query in range(5):
        rows = [row for row in plain.rows[query].tolist() if mask[row]][:k]
        assert best.rows[query, :there].tolist() == rows
    assert recalls(hits.scores[:, :there], best.scores[:, :there], 10).mean() >= 0.93
    assert hits.recall is not None
    assert hits.recall >= 0.95


@every
def test_a_filter_far_from_the_query_is_answered_right(kind: str) -> None:
    """The rows that pass are those least like the query: what lies around it holds none of them."""
    scores = VECTORS @ QUERIES[0]
    mask = scores < np.quantile(scores, 0.3)
    hits = built(kind).search(QUERIES[:1], 10, where=mask, recall=0.95)
    best = exact().search(QUERIES[:1], 10, where=mask)
    assert hits.rows.tolist() == best.rows.tolist()


@approximate
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_filter_that_hangs_together_with_the_vectors_keeps_its_recall(
    kind: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that pass lie together, far from most queries: the way through the graph or the cells is made to seem
    cheap.
    """
    index = built(kind)
    monkeypatch.setattr(index, "costs", type(index.costs)(row=1.0, product=1.0))
    side = VECTORS[:, 0] + VECTORS[:, 1]
    mask = side > np.quantile(side, 1 - share)
    hits, best = index.search(QUERIES, 10, where=mask, recall=0.95), exact().search(QUERIES, 10, where=mask)
    assert "under the filter" in hits.how
    assert recall_of(hits, best) >= 0.94


@every
def test_both_ways_of_filtering_are_taken_and_right(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    index = built(kind)
    if kind == "flat":
        return
    mask = np.random.default_rng(0).random(N) < 0.3
    best = exact().search(QUERIES, 10, where=mask)
    ways = {
        "exact": {"row": 1e-12, "product": 1e-12},
        "under the filter": {"row": 1.0, "product": 1.0},
        "all cells": {"row": 1.0, "product": 1.0, "scan": 1e-15, "scan_passing": 1e-15, "scan_recall": 1.0},
    }
    for how, costs in ways.items():
        monkeypatch.setattr(index, "costs", type(index.costs)(**costs))
        hits = index.search(QUERIES, 10, where=mask, recall=0.9)
        if how == "all cells" and kind.startswith("hnsw"):
            continue
        assert how in hits.how
        assert mask[hits.rows].all()
        assert recalls(hits.scores, best.scores, 10).mean() > 0.93


@every
def test_filters_with_rows_left_out(kind: str) -> None:
    mask = np.zeros(N, bool)
    mask[:30] = True
    hits = built(kind).search(QUERIES[:3], 40, exclude=range(25), where=mask)
    assert [sorted(rows) for rows in hits.rows.tolist()] == [[-1] * 35 + [25, 26, 27, 28, 29]] * 3
    hits = built(kind).search(QUERIES[:2], 5, where=np.zeros(N, bool))
    assert (hits.rows == -1).all()
    assert hits.recall == 1.0
    many = built(kind).search(QUERIES[:1], 5, exclude=range(2_000), recall=1.0)
    assert many.rows.min() >= 2_000
    with pytest.raises(IncompatibleError, match="where must say true or false for each of the 3,000 rows; got int64"):
        built(kind).search(QUERIES, 5, where=np.ones(N, int))  # type: ignore[arg-type]
    with pytest.raises(IncompatibleError, match=r"got bool of shape \(5,\)"):
        built(kind).search(QUERIES, 5, where=np.ones(5, bool))


# On disk


@every
@pytest.mark.parametrize("mapped", [True, False])
def test_written_and_read_back(kind: str, mapped: bool, tmp_path: Path) -> None:
    index, path = built(kind, Metric.INNER_PRODUCT), tmp_path / "index.faiss"
    index.write(path)
    card = json.loads(json.dumps(index.card()))
    again = FaissIndex.read(path, VECTORS, "inner_product", card, mapped)
    assert again.recipe == index.recipe
    assert again.curve == index.curve
    assert (str(path) in Path("/proc/self/maps").read_text()) == mapped
    for recall in (None, 0.95, 1.0):
        one, two = (i.search(QUERIES, 10, recall=recall) for i in (index, again))
        np.testing.assert_array_equal(one.rows, two.rows)
        np.testing.assert_array_equal(one.scores, two.scores)
        assert one.recall == two.recall


@every
def test_what_is_not_that_of_its_card_is_refused(kind: str, tmp_path: Path) -> None:
    index, path = built(kind), tmp_path / "index.faiss"
    index.write(path)
    card = index.card()
    for change, message in (
        ({"n": N - 1}, r"is of \(2999, 16\) float32 vectors; got float32 of shape \(3000, 16\)"),
        ({"metric": "euclidean"}, "is of format 1 and for euclidean; expected 1 and cosine"),
        ({"format": 2}, "is of format 2"),
        ({"recipe": None}, "is not one"),
        ({"held_out": "x"}, "is not one"),
        ({"recipe": {"kind": "flat" if kind != "flat" else "hnsw"}}, "is not that of its card: kind"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            FaissIndex.read(path, VECTORS, "cosine", card | change)
        assert str(path) in str(caught.value)
    with pytest.raises(UnreadableError, match="is not one: KeyError"):
        FaissIndex.read(path, VECTORS, "cosine", {})
    with pytest.raises(IncompatibleError, match=r"got float64"):
        FaissIndex.read(path, VECTORS.astype(np.float64), "cosine", card)
    with pytest.raises(NotFoundError, match="there is no index file"):
        FaissIndex.read(tmp_path / "none", VECTORS, "cosine", card)
    fewer = FaissIndex(VECTORS[:2_500], "cosine", RECIPES[kind], building=BuildOptions(held_out=0, threads=1))
    fewer.write(path)
    with pytest.raises(IncompatibleError, match="is not that of its card: rows 2500, expected 3000"):
        FaissIndex.read(path, VECTORS, "cosine", card)
    FaissIndex(VECTORS, "euclidean", RECIPES[kind], building=BuildOptions(held_out=0, threads=1)).write(path)
    with pytest.raises(IncompatibleError, match="metric 1, expected 0"):
        FaissIndex.read(path, VECTORS, "cosine", card)
    path.write_bytes(b"no index")
    with pytest.raises(UnreadableError, match="can't be read as a FAISS index"):
        FaissIndex.read(path, VECTORS, "cosine", card)
    with pytest.raises(UserError, match="can't be written"):
        index.write(tmp_path / "no" / "folder")


# Building


@pytest.mark.parametrize("kind", RECIPES)
def test_the_same_seed_gives_the_same_index(kind: str, tmp_path: Path) -> None:
    contents = []
    for seed in (3, 3, 4):
        FaissIndex(VECTORS[:700], recipe=RECIPES[kind], building=BuildOptions(seed, 12, 1)).write(tmp_path / "index")
        contents.append((tmp_path / "index").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2] or kind == "flat"


def test_progress_is_told_and_can_end_it() -> None:
    message: list[tuple[str, int, int]] = []
    vectors = clustered(40_000, 3)[:, :8]
    FaissIndex(vectors, recipe=IndexSpec("ivf-sq8", nlist=8), progress=lambda *step: message.append(step))
    rounds = [("train the cells", number, 10) for number in range(10)]
    added = [("index", done, 40_000) for done in (0, 16_384, 32_768, 40_000, 40_000)]
    assert message == [*rounds, ("train the codes", 0, 1), *added]

    class StopError(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        if done:
            raise StopError

    with pytest.raises(StopError):
        FaissIndex(vectors, recipe=IndexSpec("hnsw", M=4, ef_construction=8), progress=stop)
    with pytest.raises(StopError):
        FaissIndex(vectors, recipe=IndexSpec("ivf", nlist=8), progress=stop)  # between two rounds of its k-means


def test_mapped_vectors_are_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VECTORS)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    index = FaissIndex(mapped, recipe=RECIPES["ivf-sq8"], building=BuildOptions(threads=1))
    assert np.shares_memory(index._vectors, mapped)
    np.testing.assert_array_equal(index.search(QUERIES, 5).rows, built("ivf-sq8").search(QUERIES, 5).rows)


@pytest.mark.parametrize("kind", RECIPES)
def test_odd_sizes(kind: str) -> None:
    for n, dim in ((1, 1), (2, 7), (17, 13), (130, 31)):
        vectors = np.random.default_rng(n).normal(size=(n, dim)).astype(np.float32)
        for metric in Metric:
            index = FaissIndex(vectors, metric, IndexSpec(kind))  # type: ignore[arg-type]
            hits = index.search(vectors[:1], min(n, 5), recall=1.0)
            assert (hits.rows >= 0).all()
    alike = np.ones((300, 8), np.float32)
    assert (FaissIndex(alike, recipe=IndexSpec(kind)).search(alike[:2], 10).scores > 0.999).all()  # type: ignore[arg-type]
    assert FaissIndex(np.zeros((300, 8), np.float32), recipe=IndexSpec(kind)).search(alike[:1], 3).scores.tolist() == [
        [0, 0, 0]
    ]  # type: ignore[arg-type]


# Threads


@every
def test_many_threads_get_the_answers_of_one(kind: str) -> None:
    index = built(kind)
    mask = np.random.default_rng(0).random(N) < 0.4
    query = [
        (number, wanted, where, k)
        for number in range(16)
        for wanted in (None, 0.8, 0.99, 1.0)
        for where in (None, mask)
        for k in (1, 10, 60)
    ]

    def ask(question: Any) -> Any:
        number, wanted, where, k = question
        hits = index.search(QUERIES[number : number + 1], k, recall=wanted, where=where)
        return hits.rows.tolist(), hits.recall

    alone = [ask(question) for question in query]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, query)) == alone


def test_the_threads_of_faiss_are_limited_for_this_search_alone() -> None:
    before, seen = faiss.omp_get_max_threads(), []
    index = FaissIndex(VECTORS, recipe=RECIPES["ivf"], building=BuildOptions(threads=1))
    index._searcher.faiss = Watched(index._searcher.faiss, seen)
    faiss.omp_set_num_threads(3)
    index.search(QUERIES, 5)
    assert (seen, faiss.omp_get_max_threads()) == ([1], 3)
    faiss.omp_set_num_threads(before)
    with pytest.raises(UserError, match="threads must be from 1 to 1024; got 0"):
        BuildOptions(threads=0)


class Watched:
    """FAISS's index, and the number of threads that it was searched with."""

    def __init__(self, index: Any, seen: list[int]):
        self._index, self._seen = index, seen
        self.ntotal = index.ntotal

    def search(self, *given: Any, **named: Any) -> Any:
        self._seen.append(faiss.omp_get_max_threads())
        return self._index.search(*given, **named)


def test_the_exact_twin_is_made_once() -> None:
    index = FaissIndex(VECTORS, recipe=RECIPES["ivf"], building=BuildOptions(held_out=0, threads=1))
    current: list[Any] = []
    threads = [
        threading.Thread(target=lambda: current.append((index.search(QUERIES, 3, recall=1.0), index._exact)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(exact) for _, exact in current}) == 1


# Recipes


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IndexSpec("lsh"), "index kind 'lsh' does not exist; choose flat, hnsw, .* or auto"),
        (lambda: IndexSpec("hnsw", M=1), "M must be at least 2; got 1"),
        (lambda: IndexSpec("hnsw", ef_search=2.5), "ef_search must be a whole number; got 2.5"),
        (lambda: IndexSpec("hnsw", ef_search=True), "ef_search must be a whole number; got True"),
        (lambda: IndexSpec("ivf", nprobe=0), "nprobe must be at least 1; got 0"),
        (lambda: IndexSpec("ivf-pq", nbits=20), "nbits must be at most 12; got 20"),
        (lambda: IndexSpec("pq-fastscan", nbits=8), "pq-fastscan has codes of nbits 4; got 8"),
        (lambda: IndexSpec("hnsw", M=10**6), "M must be at most 512; got 1,000,000"),
        (
            lambda: FaissIndex(VECTORS, recipe=IndexSpec("ivf-pq", m=7)),
            "m, the sub-quantizers, must divide the width 16; got 7; near it do 1, 2, 4, 8",
        ),
        (lambda: IndexSpec.parse("ivf:cells=3"), "an index has no parameter 'cells'; there are M, ef_construction"),
        (lambda: IndexSpec.parse("ivf:nlist"), "a recipe is written ivf-sq8:nlist=1000,nprobe=32; got 'ivf:nlist'"),
        (lambda: IndexSpec.parse("tree"), "index kind 'tree' does not exist"),
        (lambda: choose(0, 5), "at least one row"),
        (lambda: choose(10, 5, recall=2), "recall is a share"),
        (lambda: choose(10**6, 384, memory_bytes=1000), "no kind of index for 1,000,000 x 384 fits into 1,000 bytes"),
    ],
)
def test_wrong_values_are_named(make: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def test_recipes_are_written_and_read() -> None:
    recipe = IndexSpec.parse(" IVF-flat : nlist=100, nprobe=8")
    assert recipe == IndexSpec("ivf", nlist=100, nprobe=8)
    assert str(recipe) == "ivf, nlist 100, nprobe 8"
    assert IndexSpec.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert IndexSpec("ivf-pq").fitted(1_000_000, 384) == IndexSpec("ivf-pq", nlist=4000, m=48, nbits=8)
    assert IndexSpec("pq-fastscan").fitted(100, 307).m == 307  # a prime
    assert IndexSpec("ivf", nlist=500, nprobe=100).fitted(20, 8) == IndexSpec("ivf", nlist=20, nprobe=20)
    curve = built("ivf-pq").curve
    assert RecallCurve.from_json(json.loads(json.dumps(curve.to_json()))) == curve
    assert str(Setting(nprobe=4, k_factor=2)) == "nprobe 4, k_factor 2"


def test_auto_chooses_by_size_memory_and_recall_and_says_why() -> None:
    gigabyte = 1 << 30
    assert choose(20_000, 384)[0].kind == "flat"
    assert choose(10**6, 384, recall=1.0)[0].kind == "flat"
    kinds = [choose(400_000, 384, int(size * gigabyte))[0].kind for size in (1.6, 0.36, 0.18, 0.04)]
    assert kinds[0] == "hnsw"
    assert kinds[1] == "hnsw-sq8"
    assert kinds[2] == "pq-fastscan"
    assert kinds[3] == "ivf-pq"
    recipe, reason = choose(10**6, 384, 2 * gigabyte)
    assert recipe.kind in reason
    assert "1,000,000 x 384" in reason
    assert "within 2,048 MiB" in reason
    recipe, reason = choose(2 * 10**6, 64)  # a graph would be built for minutes
    assert recipe.kind == "pq-fastscan"
    assert recipe.build_seconds(2 * 10**6, 64) < 60
    assert "hnsw would take 8 minutes to build, this one 0." in reason
    index = FaissIndex(VECTORS, recipe=IndexSpec("auto"))
    assert index.recipe.kind == "flat"
    assert index.reason.startswith("flat: 3,000 x 16 is searched exactly")


@approximate
def test_the_bytes_that_auto_counts_with_are_those_of_the_file(kind: str, tmp_path: Path) -> None:
    index = built(kind)
    index.write(tmp_path / "index")
    assert (tmp_path / "index").stat().st_size == pytest.approx(index.recipe.index_bytes(N, DIM), rel=0.12)
