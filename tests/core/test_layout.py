"""The descent of a map: its edges dealt to the cores in rounds."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from polysema.core.maps import umap_layout
from polysema.core.maps.compiled_steps import run_steps_by
from polysema.core.maps.distortion import distortion
from polysema.core.maps.layers import layered_maps
from polysema.core.maps.options import MapOptions
from polysema.core.maps.projection import place, project
from polysema.core.maps.snapshots import watched_layout
from polysema.core.maps.step_process import StepProcesses
from polysema.core.maps.umap_layout import Edges
from polysema.indexes.knn_graph import neighbors_of_all

N = 600
N_SHARED = umap_layout.MIN_PARALLEL_POINTS + 4  # points whose epochs the cores share


@pytest.fixture
def vectors() -> np.ndarray:
    return clustered(N_SHARED)


def clustered(n: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return (rng.normal(size=(12, 20))[rng.integers(0, 12, n)] + 0.5 * rng.normal(size=(n, 20))).astype(np.float32)


def edges(n: int = N) -> Edges:
    rng = np.random.default_rng(1)
    one_way = csr_array((rng.uniform(0.1, 1, 8 * n), (rng.integers(0, n, 8 * n), rng.integers(0, n, 8 * n))), (n, n))
    return Edges.of((one_way + one_way.T).tocsr(), 500)


def test_edges_are_dealt_with_their_points() -> None:
    whole, order = edges(), np.random.default_rng(2).permutation(N)
    dealt = whole.dealt(order)

    def message(of: Edges, names: np.ndarray) -> list:
        return sorted(zip(names[of.heads()].tolist(), names[of.neighbors].tolist(), of.every.tolist(), strict=True))

    assert message(dealt, order) == message(whole, np.arange(N))
    assert (order[umap_layout.back(order)] == np.arange(N)).all()


@pytest.mark.parametrize("n", [N_SHARED, N_SHARED + 3])
def test_a_round_moves_no_point_twice_and_an_epoch_draws_each_edge_once(n: int) -> None:
    whole = edges(n)
    drawn = []
    for tasks in umap_layout._rounds(whole):
        seen: set[int] = set()
        for task in tasks:
            a, b, c, d = task.moved
            points = [*range(a, b), *range(c, d)]
            assert not seen & set(points)
            seen |= set(points)
            heads = np.repeat(points, np.diff(task.first))
            assert set(task.neighbors.tolist()) <= set(points)
            drawn += zip(heads.tolist(), task.neighbors.tolist(), task.every.tolist(), strict=True)
        assert len(seen) == n
    assert sorted(drawn) == sorted(
        zip(whole.heads().tolist(), whole.neighbors.tolist(), whole.every.tolist(), strict=True)
    )


def test_everyone_meets_everyone_once() -> None:
    rounds = list(umap_layout._tournament(8))
    assert sorted(tuple(sorted(pair)) for round_ in rounds for pair in round_) == list(
        itertools.combinations(range(8), 2)
    )
    assert all(len({side for pair in round_ for side in pair}) == 8 for round_ in rounds)


@pytest.mark.parametrize("method", ["umap", "densmap"])
def test_a_map_is_the_same_by_however_many_cores(
    vectors: np.ndarray, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = MapOptions(n_epochs=10, n_components=3 if method == "umap" else 2)
    maps = []
    for cores in (1, 2, 8, 2):
        monkeypatch.setattr(umap_layout, "cores", lambda cores=cores: cores)
        maps.append(project(vectors, method, options).positions)
    assert all((one == maps[0]).all() for one in maps)


def test_a_map_by_several_cores_is_as_faithful_as_by_one(vectors: np.ndarray) -> None:
    def quality(points: np.ndarray) -> tuple[float, float]:
        found = distortion(points, project(points, "umap", MapOptions(n_epochs=100)).positions, 15)
        return found.trustworthiness, found.preservation

    assert quality(vectors) == pytest.approx(quality(vectors[: umap_layout.MIN_PARALLEL_POINTS - 4]), abs=0.015)


def test_placed_points_are_the_same_in_parts(vectors: np.ndarray) -> None:
    on = project(vectors[:400], "umap", MapOptions(n_epochs=30))
    few = neighbors_of_all(vectors[:400], 14)
    knn = replace(few, rows=np.resize(few.rows, (N_SHARED, 14)), distances=np.resize(few.distances, (N_SHARED, 14)))
    many = np.resize(vectors[:400], (N_SHARED, vectors.shape[1]))
    np.testing.assert_array_equal(place(on, many, knn)[:400], place(on, vectors[:400], few))


def test_layers_are_laid_out_together_in_the_order_they_came(vectors: np.ndarray) -> None:
    layers = [vectors, vectors + 0.05 * np.random.default_rng(3).normal(size=vectors.shape).astype(np.float32)]
    for method in ("umap", "aligned-umap"):
        for layer, positions in zip(layers, layered_maps(layers, method, MapOptions(n_epochs=40)), strict=True):
            assert distortion(layer, positions, 10).trustworthiness > 0.9


def test_what_progress_raises_ends_the_work_of_all_cores(vectors: np.ndarray) -> None:
    class EndedError(Exception):
        pass

    def progress(stage: str, done: int, total: int) -> None:
        if done == 3:
            raise EndedError

    with pytest.raises(EndedError):
        project(vectors, "umap", MapOptions(n_epochs=50), progress=progress)


def test_a_layout_can_be_watched_as_it_settles(vectors: np.ndarray) -> None:
    seen: list[np.ndarray] = []
    with watched_layout(lambda positions: seen.append(positions.copy())):
        watched = project(vectors, options=MapOptions(n_epochs=24))
    assert len(seen) == 11
    assert all(positions.shape == (N_SHARED, 2) and np.isfinite(positions).all() for positions in seen)
    moved = [float(np.abs(b - a).mean()) for a, b in itertools.pairwise(seen)]
    assert moved[-1] < moved[0]
    alone = project(vectors, options=MapOptions(n_epochs=24))
    assert len(seen) == 11
    np.testing.assert_array_equal(watched.positions, alone.positions)


def test_a_process_of_its_own_lays_out_the_same_to_the_last_digit(vectors: np.ndarray) -> None:
    here = project(vectors[:300], "umap", MapOptions(n_epochs=12))
    processes, seen = StepProcesses(), list[int]()
    run_steps_by(processes.run)
    try:
        with watched_layout(lambda positions: seen.append(len(positions))):
            apart = project(vectors[:300], "umap", MapOptions(n_epochs=12))
        (process,) = processes._free
        process.process.kill()  # as a system without memory does
        process.process.wait()
        again = project(vectors[:300], "umap", MapOptions(n_epochs=12))

        def cancel(stage: str, done: int, total: int) -> None:
            if stage == "lay out" and done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            project(vectors[:300], "umap", MapOptions(n_epochs=200), progress=cancel)
        assert processes._free == []  # what is cancelled is not computed any further
    finally:
        run_steps_by()
    np.testing.assert_array_equal(here.positions, apart.positions)
    np.testing.assert_array_equal(here.positions, again.positions)
    assert seen == [300] * 11
