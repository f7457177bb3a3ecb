"""Which setting a recall is promised by, and on which rows it was measured."""

import numpy as np
import pytest

from polysema.core.space.metric import Metric
from polysema.indexes import ExactIndex, FaissIndex, IndexSpec
from polysema.indexes.recall import RecallCurve, RecallPoint, Setting, distinct_rows, recalls


def point(nprobe: int, recall: float, single: float, error: float = 0.0, recall_100: float = 1.0) -> RecallPoint:
    return RecallPoint(Setting(nprobe=nprobe), recall, error, recall_100, single, 10 * single)


def test_the_cheapest_setting_that_reaches_a_recall_is_taken() -> None:
    curve = RecallCurve(256, (point(1, 0.7, 900), point(4, 0.96, 500), point(16, 0.99, 200), point(64, 1.0, 50)))
    chosen = [curve.cheapest(recall) for recall in (0.5, 0.95, 0.97, 0.995)]
    assert [one.setting.nprobe if one else 0 for one in chosen] == [1, 4, 16, 64]
    ways = (  # neither searches further than the other in every way: the faster one is taken, wherever it stands
        RecallPoint(Setting(nprobe=2, k_factor=8), 0.96, 0, 1, 300, 300),
        RecallPoint(Setting(nprobe=8, k_factor=2), 0.97, 0, 1, 700, 700),
        RecallPoint(Setting(nprobe=4, k_factor=4), 0.98, 0, 1, 500, 500),
    )
    for order in (ways, ways[::-1]):
        best = RecallCurve(256, order).cheapest(0.95)
        assert best is not None
        assert best.setting == Setting(nprobe=8, k_factor=2)
    noisy = RecallCurve(256, (point(4, 0.96, 500), point(16, 0.99, 600)))  # faster by chance only
    assert noisy.cheapest(0.95) == noisy.points[0]
    assert curve.cheapest(1.01) is None


def test_a_recall_is_reached_by_a_standard_error() -> None:
    curve = RecallCurve(256, (point(4, 0.955, 500, error=0.01), point(16, 0.98, 200, error=0.005)))
    assert curve.cheapest(0.95) == curve.points[1]  # 0.955 may as well be 0.945
    assert curve.cheapest(0.944) == curve.points[0]
    whole = RecallCurve(256, (point(4, 1.0, 500, error=0.2),))
    assert whole.cheapest(0.95) == whole.points[0]  # all was found: there is nothing to be unsure of
    hundred = RecallCurve(256, (point(4, 0.99, 500, recall_100=0.9), point(16, 0.99, 200, recall_100=0.97)))
    assert [hundred.cheapest(0.95, k) for k in (10, 100)] == [hundred.points[0], hundred.points[1]]


@pytest.mark.parametrize("metric", Metric)
def test_rows_that_all_differ_are_drawn_as_ever(metric: Metric) -> None:
    vectors = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    expected = np.sort(np.random.default_rng(7).choice(3000, 256, replace=False))
    assert np.array_equal(distinct_rows(vectors, 256, metric, np.random.default_rng(7)), expected)


@pytest.mark.parametrize("metric", Metric)
def test_no_two_rows_that_are_drawn_are_equal(metric: Metric) -> None:
    rng = np.random.default_rng(1)
    different = rng.normal(size=(300, 8)).astype(np.float32)
    vectors = np.concatenate([np.repeat(different[:1], 9000, 0), different[1:], np.repeat(different[5:6], 700, 0)])
    vectors = vectors[rng.permutation(len(vectors))]
    drawn = distinct_rows(vectors, 256, metric, rng)
    assert len(np.unique(vectors[drawn], axis=0)) == len(drawn) == 256
    assert (np.diff(drawn) > 0).all()
    few = distinct_rows(np.repeat(different[:3], 100, 0), 30, metric, rng)  # there are no more than three
    assert len(few) == 3
    longer = np.repeat(different[:1], 200, 0) * rng.uniform(0.5, 2, (200, 1)).astype(np.float32)
    assert len(distinct_rows(longer, 20, metric, rng)) == (1 if metric is Metric.COSINE else 20)


@pytest.mark.parametrize("kind", ["ivf", "ivf-sq8", "pq-fastscan"])
def test_what_is_promised_holds_for_the_rare_rows_where_nine_tenths_are_equal(kind: str) -> None:
    rng = np.random.default_rng(1)
    centers = rng.normal(size=(60, 32))
    rare = centers[rng.integers(0, 60, 2000)] + 0.5 * rng.normal(size=(2000, 32))
    vectors = np.repeat(rng.normal(size=(1, 32)), 20_000, 0)
    vectors[rng.choice(20_000, 2000, replace=False)] = rare
    vectors = vectors.astype(np.float32)
    queries = (rare[:400] + 0.1 * rng.normal(size=(400, 32))).astype(np.float32)
    best = ExactIndex(vectors).search(queries, 10)
    index = FaissIndex(vectors, recipe=IndexSpec.parse(kind))
    for wanted in (0.9, 0.95, 0.99):
        found = index.search(queries, 10, recall=wanted)
        assert found.recall is not None
        assert recalls(found.scores, best.scores, 10).mean() >= min(wanted, found.recall - 0.03)
