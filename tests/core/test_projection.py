import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tqdm import tqdm

from polysema.core.errors import UserError
from polysema.core.maps.distortion import distortion, kept_neighbors, map_neighbors, neighbors_on_map
from polysema.core.maps.fuzzy_graph import fuzzy_union
from polysema.core.maps.layers import joint_planes, layered_maps
from polysema.core.maps.methods import n_neighbors_of
from polysema.core.maps.neighbors import Neighbors, nearest_among, nearest_others
from polysema.core.maps.options import MapOptions
from polysema.core.maps.pca import principal_plane
from polysema.core.maps.positions import align
from polysema.core.maps.projection import place, project
from polysema.core.maps.target import MapTarget
from polysema.core.space.metric import unit


@pytest.fixture(scope="module", autouse=True)
def search_of_umap_learn() -> None:
    """umap-learn's own search of neighbors, which no map uses, is imported as plain Python: it compiles for 20 s."""
    import numba

    if "pynndescent" not in sys.modules:
        numba.config.DISABLE_JIT = True
        import pynndescent  # noqa: F401

        numba.config.DISABLE_JIT = False


def clouds(seed: int = 0, n: int = 30) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(2, 16)) * 4
    return (centers[np.arange(n) % 2] + rng.normal(size=(n, 16))).astype(np.float32)


def test_the_plane_keeps_parallels_and_says_what_it_holds() -> None:
    a, b, c = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    vectors = np.stack([a, b, c, a - b + c])
    plane = principal_plane(vectors)
    p = plane.project(vectors)
    np.testing.assert_allclose(p[0] - p[1], p[3] - p[2], atol=1e-5)
    assert plane.explained.sum() == pytest.approx(1.0, abs=1e-5)  # a parallelogram lies in a plane


@pytest.mark.parametrize("vectors", [np.ones((3, 4)), np.eye(2), np.ones((2, 1))])
def test_planes_of_few_or_equal_points(vectors: np.ndarray) -> None:
    plane = principal_plane(vectors.astype(np.float32))
    assert np.isfinite(plane.project(vectors.astype(np.float32))).all()
    assert plane.axes.shape == (2, vectors.shape[1])


def test_align_turns_and_mirrors_but_does_not_stretch() -> None:
    points = np.random.default_rng(2).normal(size=(10, 2)).astype(np.float32)
    points -= points.mean(axis=0)
    turned = points @ np.array([[0, 1], [1, 0]], np.float32)
    np.testing.assert_allclose(align(turned * 2, points), points * 2, atol=1e-5)


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_layers_lie_on_one_plane(method: str) -> None:
    base = clouds()
    layers = [base, base + 0.05 * clouds(3), clouds(4)]
    maps = layered_maps(layers, method)
    assert [m.shape for m in maps] == [(30, 2)] * 3
    assert all(np.isfinite(m).all() for m in maps)
    # near layers look alike, and the two clouds are apart
    assert np.linalg.norm(maps[0] - maps[1], axis=1).mean() < 0.6
    gap = np.linalg.norm(maps[2][::2].mean(axis=0) - maps[2][1::2].mean(axis=0))
    assert gap > 1.0
    again = layered_maps(layers, method, MapOptions())
    assert all(a.tolist() == b.tolist() for a, b in zip(maps, again, strict=True))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_points_have_a_map(n: int) -> None:
    maps = layered_maps([clouds(n=n), clouds(1, n=n)], "umap")
    assert [m.shape for m in maps] == [(n, 2)] * 2
    assert np.isfinite(maps[0]).all()


def test_a_method_that_is_not_there() -> None:
    with pytest.raises(
        UserError,
        match="map method 'mds' does not exist; choose one of pca, umap, densmap, umap-learn, tsne, aligned-umap",
    ):
        layered_maps([clouds()], "mds")
    with pytest.raises(UserError, match="pca takes no metric, it turns unit vectors; got metric 'chebyshev'"):
        layered_maps([clouds()], "pca", MapOptions(metric="chebyshev"))
    with pytest.raises(
        UserError, match="map method 'aligned-umap' does not exist; choose one of pca, umap, densmap, umap-learn, tsne$"
    ):
        project(clouds(), "aligned-umap")


@pytest.mark.parametrize(
    ("method", "n_components"),
    [("pca", 2), ("pca", 3), ("umap", 2), ("umap", 3), ("densmap", 2), ("tsne", 2), ("tsne", 3)],
)
def test_every_method_keeps_the_clouds_apart(method: str, n_components: int) -> None:
    vectors, options = clouds(n=90), MapOptions(n_components=n_components, n_epochs=60, perplexity=10)
    found = project(vectors, method, options)
    assert found.positions.shape == (90, n_components)
    assert distortion(vectors, found.positions, 10).trustworthiness > 0.7
    a, b = found.positions[::2], found.positions[1::2]
    assert np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)) > 0.7
    np.testing.assert_array_equal(project(vectors, method, options).positions, found.positions)


def test_another_seed_is_another_map() -> None:
    maps = [project(clouds(), "umap", MapOptions(seed=seed)).positions for seed in (1, 2)]
    assert np.abs(maps[0] - maps[1]).max() > 0.01


def test_neighbors_that_are_handed_in_are_used() -> None:
    vectors = unit(clouds(n=60))
    knn = nearest_others(unit(vectors), 14)
    same = project(vectors, "umap", precomputed_knn=knn).positions
    np.testing.assert_array_equal(same, project(vectors, "umap").positions)
    wrong = Neighbors(np.random.default_rng(0).integers(0, 60, (60, 14)), knn.distances)
    mixed = project(vectors, "umap", precomputed_knn=wrong).positions
    assert distortion(vectors, mixed, 10).trustworthiness < distortion(vectors, same, 10).trustworthiness - 0.05


def test_the_loops_are_umap_learns() -> None:
    """As trustworthy as umap-learn from the same start, and its memberships to the last digits."""
    from umap import UMAP
    from umap.umap_ import fuzzy_simplicial_set

    vectors = np.random.default_rng(3).normal(size=(120, 12)).astype(np.float32)
    knn = nearest_others(vectors, 9)
    rows = np.concatenate([np.arange(120)[:, None], knn.rows], axis=1)
    distances = np.concatenate([np.zeros((120, 1), np.float32), knn.distances], axis=1)
    theirs = fuzzy_simplicial_set(
        vectors, 10, np.random.RandomState(0), "cosine", knn_indices=rows, knn_dists=distances
    )[0]
    np.testing.assert_allclose(fuzzy_union(knn).toarray(), theirs.toarray(), atol=2e-4)
    ours = [project(vectors, "umap", MapOptions(n_neighbors=10, seed=s)).positions for s in range(3)]
    start = project(vectors, "pca").positions * 10
    other = [UMAP(n_neighbors=10, metric="cosine", init=start, random_state=s).fit_transform(vectors) for s in range(3)]
    mine, umaps = (np.mean([distortion(vectors, p, 10).trustworthiness for p in maps]) for maps in (ours, other))
    assert mine > umaps - 0.015


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.9, 1.0])
def test_the_supervised_graph_is_umap_learns(weight: float) -> None:
    """By its own loops as plain Python: compiled, each would cost seconds."""
    from umap.sparse import general_sset_intersection
    from umap.umap_ import fast_intersection, reset_local_connectivity

    graph = fuzzy_union(nearest_others(clouds(n=60), 9))
    values = [None if row % 7 == 0 else "abc"[row % 3] for row in range(60)]
    codes = np.array([-1 if value is None else "abc".index(value) for value in values])
    far = 2.5 / (1 - weight) if weight < 1 else 1e12
    theirs = graph.tocoo(copy=True)
    fast_intersection.py_func(theirs.row, theirs.col, theirs.data, codes, 1.0, far)
    ours = MapTarget.of("c", pa.array(values)).met(graph, weight, 10)
    np.testing.assert_allclose(ours.toarray(), reset_local_connectivity(theirs).toarray(), atol=1e-5)

    numbers = np.random.default_rng(1).normal(size=60)
    apart = np.abs(numbers[:, None] - numbers[None]) / numbers.std() + np.diag(np.full(60, np.inf))
    near = np.argsort(apart, axis=1)[:, :9]
    other = fuzzy_union(Neighbors(near, np.take_along_axis(apart, near, axis=1).astype(np.float32)))
    theirs, parts = (graph + other).tocoo(), [(one.indptr, one.indices, one.data) for one in (graph, other)]
    given = (*parts[0], *parts[1], theirs.row, theirs.col, theirs.data)
    general_sset_intersection.py_func(*given, mix_weight=weight)
    ours = MapTarget.of("n", pa.array(numbers)).met(graph, weight, 10)
    np.testing.assert_allclose(ours.toarray(), reset_local_connectivity(theirs).toarray(), atol=1e-4)


@pytest.mark.parametrize("method", ["pca", "umap", "tsne"])
def test_new_points_lie_among_their_own_the_same_alone_or_in_a_batch(method: str) -> None:
    every = clouds(n=80)
    old, new = every[:60], every[60:]
    on = project(old, method, MapOptions(perplexity=8))
    before = on.positions.copy()
    k = n_neighbors_of(method, on.options, 60)
    candidates = np.tile(np.arange(60), (20, 1))

    def placed(vectors: np.ndarray) -> np.ndarray:
        return place(on, vectors, nearest_among(vectors, old, candidates[: len(vectors)], k) if k else None)

    together = placed(new)
    np.testing.assert_array_equal(on.positions, before)
    np.testing.assert_array_equal(np.concatenate([placed(new[[i]]) for i in range(20)]), together)
    np.testing.assert_array_equal(placed(new[::-1])[::-1], together)
    centers = np.stack([before[::2].mean(axis=0), before[1::2].mean(axis=0)])
    nearest = np.linalg.norm(together[:, None] - centers, axis=2).argmin(axis=1)
    assert nearest.tolist() == [0, 1] * 10
    assert placed(new[:0]).shape == (0, 2)


def test_placing_needs_neighbors() -> None:
    with pytest.raises(UserError, match="through their neighbors: give precomputed_knn"):
        place(project(clouds(), "umap", MapOptions(n_epochs=2)), clouds(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_components": 1}, "n_components must be a whole number from 2 to 100; got 1"),
        ({"n_neighbors": 1}, "n_neighbors must be a whole number from 2 to 200; got 1"),
        ({"min_dist": 2.0}, "min_dist must be a number from 0 to 1; got 2.0"),
        ({"min_dist": float("nan")}, "min_dist must be a number from 0 to 1; got nan"),
        ({"n_epochs": 0}, "n_epochs must be a whole number from 1 to 10000; got 0"),
        ({"seed": -1}, "seed must be a whole number from 0 to"),
        ({"n_neighbors": True}, "n_neighbors must be a whole number"),
    ],
)
def test_options_that_make_no_map(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        MapOptions(**change)


def test_what_can_not_be_laid_out() -> None:
    bad = clouds()
    bad[7, 3] = np.nan
    for vectors, message in ((bad, "row 7 holds NaN or Inf"), (bad[:0], "at least one point"), (bad[0], r"\(n, dim\)")):
        with pytest.raises(UserError, match=message):
            project(vectors)
    knn = nearest_others(clouds(), 14)
    with pytest.raises(UserError, match="at least 14 neighbors of each of the 30 points"):
        project(clouds(), precomputed_knn=knn.first(3))
    with pytest.raises(UserError, match="names row 99 of only 30"):
        project(clouds(), precomputed_knn=Neighbors(np.where(knn.rows == 0, 99, knn.rows), knn.distances))
    with pytest.raises(UserError, match="hold the same points"):
        layered_maps([clouds(), clouds(n=20)])


def test_progress_may_end_the_work() -> None:
    seen = []

    def progress(stage: str, done: int, total: int) -> None:
        seen.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project(clouds(), "umap", progress=progress)
    assert seen == [(0, 500), (1, 500), (2, 500), (3, 500)]


@pytest.mark.parametrize("method", ["densmap", "tsne", "aligned-umap", "umap-learn"])
def test_progress_may_end_every_method(method: str) -> None:
    class StoppedError(Exception):
        pass

    seen: list[int] = []

    def progress(stage: str, done: int, total: int) -> None:
        seen.append(done)
        assert 0 <= done <= total
        if done == 7:
            raise StoppedError

    several = [clouds(n=120), clouds(1, n=120)]
    with pytest.raises(StoppedError):
        layered_maps(several, method, progress=progress) if method == "aligned-umap" else project(
            several[0], method, progress=progress
        )
    stopped = seen.index(7)
    assert seen[stopped - 7 : stopped + 1] == list(range(8))
    assert seen[stopped:] == [7]
    free = threading.Thread(target=lambda: tqdm([], disable=True), daemon=True)  # it takes the lock of all bars
    free.start()
    free.join(60)
    assert not free.is_alive(), "the lock of all progress bars was kept"


def test_progress_may_end_the_search_of_neighbors() -> None:
    def progress(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nearest_others(clouds(), 5, progress)


def test_densmap_is_umap_learns() -> None:
    """The radii on the map follow those in the space as well as umap-learn's do, and far better than UMAP's."""
    from umap import UMAP

    rng = np.random.default_rng(7)
    spread = np.repeat([0.1, 0.4, 1.0], 80)[:, None]
    vectors = np.repeat(rng.normal(size=(3, 12)) * 2, 80, axis=0) + spread * rng.normal(size=(240, 12))
    vectors = unit(vectors.astype(np.float32))
    knn = nearest_others(vectors, 14)
    rows = np.concatenate([np.arange(240)[:, None], knn.rows], axis=1)
    distances = np.concatenate([np.zeros((240, 1), np.float32), knn.distances], axis=1)
    theirs = UMAP(
        metric="cosine",
        densmap=True,
        random_state=0,
        init=project(vectors, "pca").positions * 10,
        precomputed_knn=(rows, distances),
    ).fit_transform(vectors)

    def correlation(positions: np.ndarray) -> float:
        near = map_neighbors(positions, 10)
        here = np.log(((positions[near] - positions[:, None]) ** 2).sum(axis=2).mean(axis=1))
        return float(np.corrcoef(here, np.log((knn.distances[:, :10] ** 2).mean(axis=1)))[0, 1])

    ours = correlation(project(vectors, "densmap").positions)
    assert ours > correlation(theirs) - 0.05
    assert ours > correlation(project(vectors, "umap").positions) + 0.1


WARM = """
import json
from polysema.core.maps import layers, neighbors, projection
from polysema.core.maps.options import MapOptions
projection.warm()
from polysema.core.maps import umap_kernel
loops = [getattr(umap_kernel, name) for name in ("memberships", "epoch", "log_radii")]
print(json.dumps([[sum(loop.stats.cache_hits.values()), sum(loop.stats.cache_misses.values())] for loop in loops]))
before = [len(loop.signatures) for loop in loops]
import numpy as np
vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
for method in ("umap", "densmap"):
    on = projection.project(vectors, method, MapOptions(n_epochs=2, n_neighbors=5))
layers.layered_maps([vectors, vectors], "aligned-umap", MapOptions(n_epochs=2, n_neighbors=5))
near = neighbors.nearest_among(vectors[:3], vectors, np.tile(np.arange(60), (3, 1)), 4)
projection.place(on, vectors[:3], near)
from polysema.core.maps import umap_layout
umap_layout.MIN_PARALLEL_POINTS = 50
for method in ("umap", "densmap"):
    projection.project(vectors, method, MapOptions(n_epochs=2, n_neighbors=5))
assert before == [len(loop.signatures) for loop in loops], "a method compiles what warm() didn't"
"""


def test_compiled_loops_are_kept_on_disk_and_warmed_whole(tmp_path: Path) -> None:
    def run() -> list[list[int]]:
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", WARM], env=env, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    assert all(hits == 0 and misses > 0 for hits, misses in run())
    assert all(hits > 0 and misses == 0 for hits, misses in run())


@pytest.mark.parametrize("vectors", [np.ones((50, 8)), np.zeros((50, 8)), np.repeat(np.eye(5), 10, axis=0)])
def test_equal_vectors_have_a_map(vectors: np.ndarray) -> None:
    for method in ("pca", "umap", "densmap", "tsne"):
        assert np.isfinite(project(vectors.astype(np.float32), method, MapOptions(n_epochs=20)).positions).all()


def test_layers_travel_less_than_maps_of_their_own() -> None:
    base = clouds(n=60)
    layers = [base + 0.3 * step * clouds(9, n=60) for step in range(4)]
    together = layered_maps(layers, "umap")
    alone = [project(layer, "umap").positions for layer in layers]
    aligned = [alone[0]]
    for positions in alone[1:]:
        aligned.append(align(positions, aligned[-1]))

    def travel(maps: list) -> float:
        return float(np.mean([np.linalg.norm(a - b, axis=1).mean() for a, b in itertools.pairwise(maps)]))

    assert travel(together) < 0.6 * travel(aligned)
    assert min(distortion(v, p, 8).trustworthiness for v, p in zip(layers, together, strict=True)) > 0.75
    planes = joint_planes(layers)
    assert travel(planes) < travel(aligned)


def test_distortion_is_scikit_learns() -> None:
    from sklearn.manifold import trustworthiness

    vectors = np.random.default_rng(5).normal(size=(200, 10)).astype(np.float32)
    positions = project(vectors, "pca").positions
    found = distortion(vectors, positions, 7)
    assert found.trustworthiness == pytest.approx(
        trustworthiness(vectors, positions, n_neighbors=7, metric="cosine"), abs=1e-6
    )
    near, here = nearest_others(vectors, 7).rows, map_neighbors(positions, 7)
    kept = [len(set(a) & set(b)) / 7 for a, b in zip(near.tolist(), here.tolist(), strict=True)]
    np.testing.assert_allclose(found.kept, kept, atol=1e-6)
    np.testing.assert_allclose(kept_neighbors(positions, nearest_others(vectors, 9), 7), kept, atol=1e-6)
    assert found.preservation == pytest.approx(np.mean(kept))
    some = distortion(vectors, positions, 7, sample=50)
    np.testing.assert_allclose(some.kept, np.array(kept)[some.rows], atol=1e-6)
    with pytest.raises(UserError, match="measured with k from 1 to 99; got 100"):
        distortion(vectors, positions, 100)


def test_neighbors_of_one_point_on_the_map_and_in_the_space() -> None:
    vectors = np.random.default_rng(6).normal(size=(150, 10)).astype(np.float32)
    positions = project(vectors, "pca").positions
    near, here = nearest_others(vectors, 9).rows, map_neighbors(positions, 9)
    for row in (0, 77, 149):
        found = neighbors_on_map(vectors, positions, row, 9)
        assert (found.in_space.tolist(), found.on_map.tolist()) == (near[row].tolist(), here[row].tolist())
        assert found.both.tolist() == [other in near[row] for other in here[row]]
        np.testing.assert_allclose(
            found.distances, np.linalg.norm(positions[here[row]] - positions[row], axis=1), rtol=1e-5
        )
        np.testing.assert_allclose(found.cosines, unit(vectors)[near[row]] @ unit(vectors)[row], atol=1e-6)
    equal = neighbors_on_map(np.ones((5, 3), np.float32), np.zeros((5, 2), np.float32), 2, 3)
    assert equal.on_map.tolist() == equal.in_space.tolist() == [0, 1, 3]
    for row, k, message in ((150, 3, "row must be from 0 to 149"), (-1, 3, "row must be"), (0, 150, "from 1 to 149")):
        with pytest.raises(UserError, match=message):
            neighbors_on_map(vectors, positions, row, k)


def test_progress_may_end_the_measure_and_the_plane_of_many() -> None:
    def progress(stage: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    vectors = clouds(n=70_000)  # more than are summed at a time
    with pytest.raises(KeyboardInterrupt):
        project(vectors, "pca", progress=progress)
    with pytest.raises(KeyboardInterrupt):
        distortion(vectors[:300], vectors[:300, :2], 5, progress=progress)


def test_umap_learn_from_the_same_neighbors_keeps_as_much() -> None:
    vectors = clouds(n=200)
    ours, theirs = (distortion(vectors, project(vectors, name).positions, 10) for name in ("umap", "umap-learn"))
    assert theirs.trustworthiness == pytest.approx(ours.trustworthiness, abs=0.02)
    again = project(vectors, "umap-learn").positions
    assert np.array_equal(again, project(vectors, "umap-learn").positions)


@pytest.mark.parametrize("n", [4, 6, 9, 15, 24, 33, 48])
@pytest.mark.parametrize("n_components", [2, 3])
def test_tsne_parts_few_points(n: int, n_components: int) -> None:
    for seed in range(3):
        vectors = np.random.default_rng(seed).normal(size=(n, 40)).astype(np.float32)
        laid = project(vectors, "tsne", MapOptions(n_components=n_components, seed=seed))
        apart = np.linalg.norm(laid.positions[:, None] - laid.positions[None], axis=2) + np.eye(n)
        assert float(apart.min()) > 0.02, (n, seed)


def test_tsne_notes_that_early_exaggeration_was_left_out() -> None:
    vectors = np.random.default_rng(0).normal(size=(8, 40)).astype(np.float32)
    lowered, note = project(vectors, "tsne").notes
    assert lowered == "perplexity 30 is too high for 8 points: 2.33 was used"
    assert note == "laid out without early exaggeration, which drew these few points into one place"
    assert project(np.random.default_rng(0).normal(size=(120, 40)).astype(np.float32), "tsne").notes == ()


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_a_map_depends_on_directions_alone(scale: float) -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    far, near = project(vectors, "pca"), project(vectors * np.float32(scale), "pca")
    np.testing.assert_allclose(near.positions, far.positions, atol=1e-5)


@pytest.mark.parametrize("method", ["pca", "umap", "densmap", "umap-learn", "tsne"])
def test_equal_vectors_are_told_of(method: str) -> None:
    laid = project(np.ones((30, 8), np.float32), method)
    assert np.isfinite(laid.positions).all()
    assert laid.notes[0].startswith("all 30 vectors point the same way")


def test_a_lowered_number_of_neighbors_is_told_of() -> None:
    vectors = np.random.default_rng(0).normal(size=(10, 8)).astype(np.float32)
    assert project(vectors, "umap").notes == ("n_neighbors 15 is more than there are points: 10 was used",)
    assert project(vectors, "umap", MapOptions(n_neighbors=10)).notes == ()
