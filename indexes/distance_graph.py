"""The nearest others of every vector at once by any metric of maps: see `knn_graph` for the cosine."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from polysema.core.environment import cores
from polysema.core.errors import UserError
from polysema.core.maps.distance import MapMetric, candidate_distances, deviations, distances_to, map_points
from polysema.core.maps.neighbors import Neighbors
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats, Ints
from polysema.indexes.knn_graph import BLOCK, EXACT_ROWS, MORE, PART, cell_candidates, neighbors_of_all

FACTOR = 3  # candidates by the Euclidean distance for each neighbor by another one, where not all pairs are compared


def neighbors_by(
    vectors: Floats, k: int, metric: MapMetric, seed: int = 0, progress: Progress = no_progress
) -> Neighbors:
    """The k nearest others of each of (n, dim) vectors by a metric, nearest first, themselves left out.

    Exactly for up to 12,000 of them; beyond, among the nearest cells of a k-means, each pair with its exact distance;
    by Manhattan and Chebyshev among three times as many that are nearest by Euclid. What `progress` raises ends the
    work. Raises `UserError` for a k that is too large.
    """
    if metric is MapMetric.COSINE:
        return neighbors_of_all(vectors, k, seed=seed, progress=progress)
    if metric is MapMetric.CORRELATION:
        return neighbors_of_all(deviations(np.asarray(vectors, np.float32)), k, seed=seed, progress=progress)
    points = map_points(vectors, metric)
    n = len(points)
    if not 1 <= k < n:
        raise UserError(f"each of {n:,} vectors has from 1 to {n - 1:,} neighbors; got {k:,}")
    points = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)  # no digits are lost to a common offset
    if n <= EXACT_ROWS:
        candidates = _all_pairs(points, min(n, k + 1 + MORE), metric)
    else:
        many = k + 1 + max(MORE, k // 2) if metric is MapMetric.EUCLIDEAN else FACTOR * k + 1 + MORE
        search = cell_candidates(points, min(n, many), seed, lambda: progress("find neighbors", 0, n))

        def candidates(start: int, end: int) -> Ints:
            return search(start, end)[0]

    rows, distances = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for start in range(0, n, BLOCK):
        progress("find neighbors", start, n)
        end = min(start + BLOCK, n)
        found = candidates(start, end)
        apart = _compared(points, start, found, metric)
        apart[found == np.arange(start, end)[:, None]] = np.inf
        order = np.lexsort((found, apart))[:, :k]
        rows[start:end] = np.take_along_axis(found, order, axis=1)
        distances[start:end] = np.take_along_axis(apart, order, axis=1)
    progress("find neighbors", n, n)
    return Neighbors(rows, distances)


def _all_pairs(points: Floats, wanted: int, metric: MapMetric) -> Callable[[int, int], Ints]:
    """The `wanted` nearest of the rows between two, themselves too."""
    import faiss

    f: Any = faiss

    def search(start: int, end: int) -> Ints:
        if metric is MapMetric.CHEBYSHEV:  # FAISS takes seven times as long for it as SciPy
            blocks = [(low, min(low + PART, end)) for low in range(start, end, PART)]
            apart = (distances_to(points[low:high], points, metric) for low, high in blocks)
            return np.concatenate([np.argpartition(one, wanted - 1, axis=1)[:, :wanted] for one in apart])
        kind = f.METRIC_L2 if metric is MapMetric.EUCLIDEAN else f.METRIC_L1
        found: Ints = f.knn(points[start:end], points, wanted, metric=kind)[1]
        return found

    return search


def _compared(points: Floats, start: int, found: Ints, metric: MapMetric) -> Floats:
    """The distance of each row from `start` on from each of its candidates `found` (m, c)."""

    def part(low: int) -> Floats:
        candidates = found[low : low + PART]
        own = points[start + low : start + low + len(candidates)]
        return candidate_distances(own, points[candidates], metric)

    with ThreadPoolExecutor(cores()) as pool:
        return np.concatenate(list(pool.map(part, range(0, len(found), PART))))
