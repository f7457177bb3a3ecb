"""The nearest neighbors of the points of a map, handed in or searched exactly."""

from dataclasses import dataclass

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.maps.distance import MapMetric, candidate_distances, distances_to, map_points
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

BLOCK_ROWS = 512  # points whose neighbors are searched at a time where none are handed in


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The nearest others of each point: `rows` (n, k), nearest first, and their `distances` (n, k).

    By the cosine a distance is 1 - cosine. A map takes them from whoever has searched already (the field calls them
    `precomputed_knn`); the point itself is not among its neighbors. Raises `IncompatibleError` where the two don't fit,
    `UserError` for NaN, Inf or a negative row.
    """

    rows: Ints
    distances: Floats

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.shape != self.distances.shape:
            raise IncompatibleError(
                f"precomputed_knn has rows of shape {self.rows.shape} and distances of shape {self.distances.shape}; "
                "both must be (n, k)"
            )
        if self.rows.size and int(self.rows.min()) < 0:
            raise UserError("precomputed_knn has a negative row: fewer neighbors were found than requested")
        if not np.isfinite(self.distances).all():
            raise UserError("precomputed_knn has distances that are NaN or Inf")

    def first(self, k: int) -> "Neighbors":
        """The k nearest of them."""
        return self if k >= self.rows.shape[1] else Neighbors(self.rows[:, :k], self.distances[:, :k])

    def within(self, n_points: int, n_rows: int, k: int) -> "Neighbors":
        """The k nearest, when these are neighbors of `n_points` points among `n_rows`; raises `IncompatibleError`."""
        if len(self.rows) != n_points or self.rows.shape[1] < k:
            raise IncompatibleError(
                f"precomputed_knn must hold at least {k} neighbors of each of the {n_points:,} points; got "
                f"{self.rows.shape}"
            )
        if self.rows.size and int(self.rows.max()) >= n_rows:
            raise IncompatibleError(f"precomputed_knn names row {int(self.rows.max()):,} of only {n_rows:,}")
        return self.first(k)


def nearest_others(vectors: Floats, k: int, progress: Progress = no_progress) -> Neighbors:
    """The k nearest others of each of (n, dim) vectors by cosine, exactly: every pair is compared, block by block.

    What `progress` (rows done, and of how many) raises ends the work.
    """
    directions = unit(np.ascontiguousarray(vectors, np.float32))
    rows, distances = np.empty((len(vectors), k), np.int64), np.empty((len(vectors), k), np.float32)
    for start in range(0, len(directions), BLOCK_ROWS):
        progress("find neighbors", start, len(directions))
        similar = directions[start : start + BLOCK_ROWS] @ directions.T  # (block, n)
        own = np.arange(len(similar))
        similar[own, start + own] = -np.inf
        best = np.argpartition(-similar, k - 1, axis=1)[:, :k]
        scores = np.take_along_axis(similar, best, axis=1)
        order = np.lexsort((best, -scores))
        rows[start : start + BLOCK_ROWS] = np.take_along_axis(best, order, axis=1)
        distances[start : start + BLOCK_ROWS] = 1 - np.take_along_axis(scores, order, axis=1)
    return Neighbors(rows, np.maximum(distances, 0))


def search_neighbors(points: Floats, k: int, progress: Progress, metric: MapMetric = MapMetric.COSINE) -> Neighbors:
    """The nearest others of what is laid out, as `map_points` makes it; after the first block, `progress` may end the
    search too.
    """

    def late(stage: str, done: int, total: int) -> None:
        if done:
            progress(stage, 0, 1)

    if metric.angular:
        return nearest_others(points, k, late)
    n = len(points)
    rows, distances = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for start in range(0, n, BLOCK_ROWS):
        late("find neighbors", start, n)
        apart = distances_to(points[start : start + BLOCK_ROWS], points, metric)  # (block, n)
        own = np.arange(len(apart))
        apart[own, start + own] = np.inf
        best = np.argpartition(apart, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(apart, best, axis=1)
        order = np.lexsort((best, near))
        rows[start : start + BLOCK_ROWS] = np.take_along_axis(best, order, axis=1)
        distances[start : start + BLOCK_ROWS] = np.take_along_axis(near, order, axis=1)
    return Neighbors(rows, distances)


def nearest_among(
    queries: Floats, vectors: Floats, candidates: Ints, k: int, metric: MapMetric = MapMetric.COSINE
) -> Neighbors:
    """The k nearest of each query's `candidates` (m, c >= k), which are rows of `vectors`, with their exact distances.

    Each is computed by itself, so that a query has the same neighbors in any batch; an index's scores are not the
    same to the last bit.
    """
    distances = np.empty(candidates.shape, np.float32)
    for place_, (query, rows) in enumerate(zip(map_points(queries, metric, least=0), candidates, strict=True)):
        if metric is MapMetric.COSINE:
            distances[place_] = 1 - np.einsum("kd,d->k", unit(np.ascontiguousarray(vectors[rows])), query)
        else:
            points = map_points(vectors[rows], metric)
            distances[place_] = candidate_distances(query[None], points[None], metric)[0]
    order = np.lexsort((candidates, distances))[:, :k]
    return Neighbors(
        np.take_along_axis(candidates, order, axis=1), np.maximum(np.take_along_axis(distances, order, axis=1), 0)
    )
