"""What changes in the neighborhoods of the same rows between two spaces."""

from dataclasses import dataclass

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.maps.distance import MapMetric, candidate_distances, map_points
from polysema.core.maps.neighbors import Neighbors
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

BLOCK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Shift:
    """A neighbor of a row in two spaces: its ranks there, from 1, and its cosines."""

    row: int
    rank_a: int
    rank_b: int
    cosine_a: float
    cosine_b: float


def shared_neighbors(a: Neighbors, b: Neighbors, k: int) -> Floats:
    """For each row the share of its k nearest by `a` that are among its k nearest by `b`: (n,), from 0 to 1."""
    return _shared(a, b, k)[:, -1]


def changed_most(a: Neighbors, b: Neighbors, k: int) -> Ints:
    """The rows (n,), those first whose neighborhoods share least.

    Of rows that share as many of the k, those whose nearest differ first: by the mean overlap of the lists' heads,
    down to each depth (the average overlap of Fagin, Kumar and Sivakumar 2003), and then by row.
    """
    shared = _shared(a, b, k)
    order: Ints = np.lexsort((shared.mean(axis=1), shared[:, -1])).astype(np.int64)
    return order


def _shared(a: Neighbors, b: Neighbors, k: int) -> Floats:
    """The overlap of the first 1, 2, … k of two lists, as shares: (n, k)."""
    if len(a.rows) != len(b.rows):
        raise IncompatibleError(f"neighbors of {len(a.rows):,} rows in one space and of {len(b.rows):,} in the other")
    if not 1 <= k <= min(a.rows.shape[1], b.rows.shape[1]):
        raise UserError(f"neighborhoods are compared with k from 1 to {min(a.rows.shape[1], b.rows.shape[1])}; got {k}")
    found = np.empty((len(a.rows), k), np.float32)
    depth = np.arange(k)
    for start in range(0, len(found), BLOCK_ROWS):
        here, there = a.rows[start : start + BLOCK_ROWS, :k], b.rows[start : start + BLOCK_ROWS, :k]
        count = np.zeros((len(here), k), np.int64)
        for place in range(k):
            same = here[:, [place]] == there  # (block, k)
            where = np.where(same.any(axis=1), np.maximum(same.argmax(axis=1), place), k)
            count += depth >= where[:, None]
        found[start : start + BLOCK_ROWS] = count / (depth + 1)
    return found


def shifts(
    vectors_a: Floats, vectors_b: Floats, row: int, others: Ints, metric: MapMetric = MapMetric.COSINE
) -> tuple[Shift, ...]:
    """Where `others` (m,) stand among the neighbors of a row in two spaces of the same rows, (n, dim) each.

    By all n rows, exactly, ranked by the metric; of equal distances the earlier row comes first, as in every search
    here. The cosines are cosines by any metric.
    """
    n = len(vectors_a)
    if len(vectors_b) != n:
        raise IncompatibleError(f"two spaces of the same rows are compared; got {n:,} and {len(vectors_b):,}")
    if not 0 <= row < n:
        raise UserError(f"row must be from 0 to {n - 1:,}; got {row:,}")
    cosines, ranks = zip(*(_ranks(vectors, row, others, metric) for vectors in (vectors_a, vectors_b)), strict=True)
    return tuple(
        Shift(int(other), int(ranks[0][i]), int(ranks[1][i]), float(cosines[0][i]), float(cosines[1][i]))
        for i, other in enumerate(others)
    )


def _ranks(vectors: Floats, row: int, others: Ints, metric: MapMetric) -> tuple[Floats, Ints]:
    cosines = _cosines(vectors, row)
    near = cosines if metric is MapMetric.COSINE else _nearness(vectors, row, metric)
    near[row] = -np.inf
    above = [np.count_nonzero(near > near[other]) + np.count_nonzero(near[:other] == near[other]) for other in others]
    return cosines[others], np.array(above, np.int64) + 1


def _cosines(vectors: Floats, row: int) -> Floats:
    cosines = np.empty(len(vectors), np.float32)
    mine = unit(np.ascontiguousarray(vectors[[row]]))[0]
    for start in range(0, len(vectors), BLOCK_ROWS):
        cosines[start : start + BLOCK_ROWS] = unit(np.ascontiguousarray(vectors[start : start + BLOCK_ROWS])) @ mine
    return cosines


def _nearness(vectors: Floats, row: int, metric: MapMetric) -> Floats:
    """The negative distance of each row from one."""
    mine = map_points(vectors[[row]], metric)
    near = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        near[start : start + BLOCK_ROWS] = -candidate_distances(
            mine, map_points(vectors[start : start + BLOCK_ROWS], metric)[None], metric
        )[0]
    return near
