"""Maps by other metrics, supervised by a column, and of more than three dimensions."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import cdist

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.maps import umap_kernel
from polysema.core.maps.distance import MapMetric, map_points
from polysema.core.maps.distortion import Measurement, distortion, distortion_by, map_neighbors
from polysema.core.maps.fuzzy_graph import fuzzy_union
from polysema.core.maps.methods import METHODS
from polysema.core.maps.neighbors import nearest_among, nearest_others, search_neighbors
from polysema.core.maps.options import MapOptions, axis_names, changed_options
from polysema.core.maps.projection import place, project, project_supervised
from polysema.core.maps.regions import areas
from polysema.core.maps.target import MapTarget, target_names
from polysema.core.maps.umap_curve import curve
from polysema.core.maps.umap_layout import Edges
from polysema.indexes import distance_graph
from polysema.indexes.distance_graph import neighbors_by
from polysema.indexes.knn_graph import neighbors_of_all

SCIPY = {"manhattan": "cityblock"}
QUICK = {"n_epochs": 30, "perplexity": 8.0}


def cloud(n: int = 120, dim: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def oracle(vectors: np.ndarray, metric: str, k: int) -> tuple[np.ndarray, np.ndarray]:
    apart = cdist(vectors.astype(np.float64), vectors.astype(np.float64), SCIPY.get(metric, metric))
    np.fill_diagonal(apart, np.inf)
    rows = np.argsort(apart, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(apart, rows, axis=1)


@pytest.mark.parametrize("metric", [metric.value for metric in MapMetric])
def test_neighbors_are_scipys(metric: str) -> None:
    vectors = cloud() + 50  # a common offset costs no digits
    rows, distances = oracle(vectors, metric, 8)
    one = MapMetric.parse(metric)
    for found in (neighbors_by(vectors, 8, one), search_neighbors(map_points(vectors, one), 8, print, one)):
        assert np.mean(found.rows == rows) > 0.99, "float32 may swap two that are as far"
        np.testing.assert_allclose(found.distances, distances, rtol=2e-4, atol=1e-6)
    whole = np.tile(np.arange(120), (3, 1))
    near = nearest_among(vectors[:3], vectors, whole, 9, one)
    np.testing.assert_allclose(near.distances[:, 1:], distances[:3], rtol=2e-4, atol=1e-6)
    assert near.rows[:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
def test_many_points_find_nearly_all_their_neighbors(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance_graph, "EXACT_ROWS", 1_000)
    vectors = cloud(2_500, 4)
    found, (rows, _) = neighbors_by(vectors, 5, MapMetric.parse(metric)), oracle(vectors, metric, 5)
    assert np.mean([np.isin(mine, theirs).mean() for mine, theirs in zip(found.rows, rows, strict=True)]) > 0.95


def test_the_cosine_is_searched_as_before() -> None:
    vectors = cloud()
    found, before = neighbors_by(vectors, 5, MapMetric.COSINE), neighbors_of_all(vectors, 5)
    np.testing.assert_array_equal(found.rows, before.rows)
    np.testing.assert_array_equal(found.distances, before.distances)
    laid = project(vectors, "pca").positions
    assert distortion_by(vectors, laid, Measurement(5)).trustworthiness == distortion(vectors, laid, 5).trustworthiness


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("pca", "umap-learn")])
def test_a_metric_that_knows_lengths_keeps_them_apart(method: str) -> None:
    """Two shells in the same directions: one cloud by the cosine, two by Euclid and Manhattan."""
    directions = cloud(80, 5)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    vectors = directions * np.where(np.arange(80) % 2, 40, 1)[:, None].astype(np.float32)
    own = {}
    for metric in ("cosine", "euclidean", "manhattan"):
        laid = project(vectors, method, MapOptions(metric=metric, **QUICK)).positions
        near = map_neighbors(laid, 1)[:, 0]
        own[metric] = np.mean(near % 2 == np.arange(80) % 2)
    assert own["cosine"] < 0.75
    assert own["euclidean"] > 0.85
    assert own["manhattan"] > 0.85


@pytest.mark.parametrize("metric", [metric.value for metric in MapMetric])
def test_the_distortion_is_sklearns_by_the_metric(metric: str) -> None:
    from sklearn.manifold import trustworthiness

    vectors, laid = cloud(60), cloud(60, 2, 1)
    vectors[::2] *= 30
    found = distortion_by(vectors, laid, Measurement(5, MapMetric.parse(metric)))
    theirs = trustworthiness(vectors.astype(np.float64), laid, n_neighbors=5, metric=SCIPY.get(metric, metric))
    assert found.trustworthiness == pytest.approx(theirs, abs=1e-6)
    rows, near = oracle(vectors, metric, 5)[0], map_neighbors(laid, 5)
    kept = np.mean([np.isin(mine, theirs).mean() for mine, theirs in zip(rows, near, strict=True)])
    assert found.preservation == pytest.approx(kept, abs=1e-6)


def test_new_points_are_placed_by_the_metric() -> None:
    """Two groups in one direction, which only lengths tell apart."""
    vectors = np.ones((60, 6), np.float32) * np.where(np.arange(60) % 2, 40, 1)[:, None] + cloud(60) * 0.3
    on = project(vectors[:50], "umap", MapOptions(metric="euclidean", **QUICK))
    near = nearest_among(vectors[50:], vectors[:50], np.tile(np.arange(50), (10, 1)), 14, MapMetric.EUCLIDEAN)
    placed = place(on, vectors[50:], near)
    middle = [on.positions[start::2].mean(axis=0) for start in (0, 1)]
    nearest = [int(np.linalg.norm(one - middle[1]) < np.linalg.norm(one - middle[0])) for one in placed]
    assert np.mean(np.array(nearest) == np.arange(50, 60) % 2) >= 0.8


def test_a_column_draws_its_values_together() -> None:
    vectors, sides = cloud(90), ["left" if row % 2 else "right" for row in range(90)]
    target = MapTarget.of("side", pa.array(sides))
    found = project_supervised(vectors, target, "umap", MapOptions(target_weight=0.8, **QUICK))
    assert found.notes == ("supervised by side (2 categories): groups of its values are partly its own making",)
    assert found.options.target == "side"
    plain = project(vectors, "umap", MapOptions(**QUICK))
    same = [np.mean(map_neighbors(one.positions, 1)[:, 0] % 2 == np.arange(90) % 2) for one in (found, plain)]
    assert same[0] > 0.95
    assert same[1] < 0.7


def test_what_a_column_says() -> None:
    dates = pa.array([0, 10, None], pa.date32())
    found = MapTarget.of("day", dates)
    assert found.numbers is not None
    assert found.missing.tolist() == [False, False, True]
    assert found.note().endswith("; 1 of 3 rows have no value")
    ints = pa.chunked_array([[1, 5], [1]])
    assert MapTarget.of("topic", ints).numbers is not None
    coded = MapTarget.of("topic", ints, "categorical")
    assert coded.codes is not None
    assert (coded.codes.tolist(), coded.n_categories) == ([0, 1, 0], 2)
    words = MapTarget.of("w", pa.array(["b", None, "a", "b"]).dictionary_encode())
    assert words.codes is not None
    assert words.missing.tolist() == [False, True, False, False]
    assert words.codes[0] == words.codes[3] != words.codes[2]
    assert MapTarget.of("b", pa.array([True, False, None])).n_categories == 2
    infinite = MapTarget.of("f", pa.array([1.0, np.inf, np.nan, 2.0]))
    assert infinite.missing.tolist() == [False, True, True, False]
    assert len({found.digest, coded.digest, words.digest, infinite.digest}) == 4
    table = pa.table({"a": [1], "l": [[1]], "n": pa.nulls(1)})
    assert target_names(table.schema) == ["a"]


@pytest.mark.parametrize(
    ("column", "metric", "message"),
    [
        (pa.array([["a"], ["b"]]), "", r"'c' holds list<item: string>: a map is supervised by categories or numbers"),
        (pa.array([None, None], pa.string()), "", "'c' has no value in the 2 rows"),
        (pa.array(["a", "b"]), "l2", "'c' holds string, no numbers: give target_metric categorical"),
    ],
)
def test_columns_that_supervise_nothing(column: pa.Array, metric: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        MapTarget.of("c", column, metric)


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        ("pca", {"metric": "euclidean"}, "pca takes no metric, it turns unit vectors; got metric 'euclidean'"),
        (
            "tsne",
            {"n_components": 4},
            "tsne lays out 2 to 3 dimensions; got 4: choose one of pca, umap, densmap, umap-l",
        ),
        ("umap", {"metric": "dot"}, "'dot' is no distance, so no map is laid out by it; choose one of cosine"),
        ("umap", {"metric": "hamming"}, "'hamming' does not exist for maps; choose one of cosine, correlation, eu"),
        ("umap", {"n_components": 101}, "n_components must be a whole number from 2 to 100; got 101"),
        ("umap", {"target_weight": 1.5}, "target_weight must be a number from 0 to 1; got 1.5"),
        ("umap", {"target_metric": "l1"}, "target_metric must be categorical or l2; got 'l1'"),
        ("umap", {"target": "topic"}, "its values are handed to project_supervised"),
    ],
)
def test_options_that_a_method_does_not_take(method: str, change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        project(cloud(20), method, MapOptions(**change))


def test_supervision_is_refused_where_there_is_none() -> None:
    target = MapTarget.of("side", pa.array(["a", "b"] * 10))
    for method in ("pca", "tsne", "densmap"):
        with pytest.raises(
            UserError, match=f"{method} is not supervised; got target 'side': choose umap or umap-learn"
        ):
            project_supervised(cloud(20), target, method)
    with pytest.raises(IncompatibleError, match="a target of 20 values for 30 points"):
        project_supervised(cloud(30), target)
    missing = MapTarget.of("age", pa.array([None, *range(19)]))
    with pytest.raises(UserError, match="1 rows have no age: choose the method umap"):
        project_supervised(cloud(20), missing, "umap-learn")


def test_numbers_that_float32_does_not_hold() -> None:
    for size in (1e20, 1e-20):
        with pytest.raises(UserError, match="by euclidean the largest number of the vectors must be from 1e-15 to 1e"):
            project(cloud(20) * np.float32(size), "umap", MapOptions(metric="euclidean"))
    equal = np.ones((20, 4), np.float32)
    for metric, note in (
        ("euclidean", "all 20 vectors are equal: they are one point"),
        ("correlation", "20 of 20 vectors are of equal numbers: by correlation they have no direction"),
    ):
        assert note in project(equal, "umap", MapOptions(metric=metric, n_epochs=2)).notes[0]


def test_the_wide_loop_is_the_narrow_one() -> None:
    points = project(cloud(50), "pca", MapOptions(n_components=3)).positions * 10
    edges = Edges.of(fuzzy_union(nearest_others(cloud(50), 9)), 30)
    keys, span = np.arange(50).astype(np.uint64), np.array([0, 50, 50, 50])
    goal, radii, sums = (np.random.default_rng(seed).random(50).astype(np.float32) + 1 for seed in range(3))
    empty = np.empty(0, np.float32)
    for density in ((empty, empty, empty), (goal, radii, sums)):
        laid = []
        for epoch in (umap_kernel.epoch, umap_kernel.wide_epoch):
            mine = points.copy()
            more = (keys, *umap_kernel.tables(*curve(1.0, 0.1)), 1.0, 1, 0.5, True, 5, curve(1.0, 0.1)[1], *density)
            epoch(mine, mine, span, span, edges.first, edges.neighbors, edges.every, edges.every.copy(), *more)
            laid.append(mine)
        assert np.abs(laid[0] - points).max() > 0.1
        np.testing.assert_allclose(laid[1], laid[0], atol=1e-3)


@pytest.mark.parametrize("method", ["pca", "umap", "densmap"])
def test_many_dimensions_keep_more_than_two(method: str) -> None:
    vectors = cloud(150, 12)
    wide, flat = (project(vectors, method, MapOptions(n_components=n, **QUICK)) for n in (8, 2))
    assert wide.positions.shape == (150, 8)
    assert distortion(vectors, wide.positions, 10).preservation > distortion(vectors, flat.positions, 10).preservation
    again = project(vectors, method, MapOptions(n_components=8, **QUICK))
    np.testing.assert_array_equal(again.positions, wide.positions)
    near = np.argsort(cdist(wide.positions, wide.positions), axis=1)[:, 1:6]
    assert np.mean(map_neighbors(wide.positions, 5) == near) > 0.99


def test_more_axes_than_the_points_have() -> None:
    found = project(cloud(20, 4), "pca", MapOptions(n_components=6))
    assert found.notes == ("20 points of 4 numbers span no 6 axes",)
    assert not found.positions[:, 4:].any()


def test_planted_groups_are_found_in_many_dimensions() -> None:
    centers = np.random.default_rng(1).normal(size=(5, 20)).astype(np.float32) * 3
    group = np.arange(200) % 5
    vectors = centers[group] + cloud(200, 20) * 0.5
    laid = project(vectors, "umap", MapOptions(n_components=6, n_epochs=60)).positions
    found = areas(laid, vectors, [f"w{g}" for g in group])
    assert sorted(found.names) == [f"w{g}" for g in range(5)]
    inside = found.assigned >= 0
    assert inside.mean() > 0.8
    assert all(found.names[area] == f"w{g}" for area, g in zip(found.assigned[inside], group[inside], strict=True))


def test_names_of_axes_and_of_changes() -> None:
    assert axis_names(3) == ("x", "y", "z")
    assert axis_names(4) == ("x1", "x2", "x3", "x4")
    assert changed_options(MapOptions()) == {}
    assert changed_options(MapOptions(metric="Manhattan", seed=2)) == {"seed": 2, "metric": "manhattan"}
