"""What a map keeps of the space, and what it doesn't."""

from dataclasses import dataclass

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.maps.distance import MapMetric, distances_to, map_points
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import PICTURE_COMPONENTS
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

SAMPLE_ROWS = 2_000  # points that a large map is measured on
BLOCK_ROWS = 128
QUERY_ROWS = 16_384  # points whose neighbors are looked up at a time


@dataclass(frozen=True, slots=True, eq=False)
class Distortion:
    """How much of each point's neighborhood a map kept.

    `rows` (s,) are the points that were measured, all or a sample; `kept` (s,) is for each the share of its `k`
    nearest in the space that are among its k nearest on the map; `preservation` is their mean. `trustworthiness`
    (Venna and Kaski 2001), at most 1, falls with points that are near on the map and far in the space. `by_chance` is
    what positions at random would preserve.
    """

    k: int
    rows: Ints
    kept: Floats
    preservation: float
    trustworthiness: float
    by_chance: float


def map_neighbors(positions: Floats, k: int, rows: "Ints | None" = None, progress: Progress = no_progress) -> Ints:
    """The k nearest others of points `rows` (all by default) on a map (n, 2 or 3), nearest first: (s, k)."""
    n = len(positions)
    if not 1 <= k < n:
        raise UserError(f"each of {n:,} points has from 1 to {n - 1:,} neighbors; got {k:,}")
    own = np.arange(n) if rows is None else np.asarray(rows, np.int64)
    if positions.shape[1] > PICTURE_COMPONENTS:
        return _wide_neighbors(positions, k, own, progress)
    with IMPORTING:
        from scipy.spatial import cKDTree
    tree, nearest = cKDTree(positions), np.empty((len(own), k), np.int64)
    for start in range(0, len(own), QUERY_ROWS):
        progress("measure the distortion", start, len(own))
        mine = own[start : start + QUERY_ROWS]
        _, found = tree.query(positions[mine], k + 1)
        # the point itself is first unless others lie on it, and then it may be missing
        order = np.argsort(found == mine[:, None], axis=1, kind="stable")[:, :k]
        nearest[start : start + QUERY_ROWS] = np.take_along_axis(found, order, axis=1)
    progress("measure the distortion", len(own), len(own))
    return nearest


def _wide_neighbors(positions: Floats, k: int, own: Ints, progress: Progress) -> Ints:
    """The same in more dimensions than a tree is good for: every pair is compared."""
    nearest = np.empty((len(own), k), np.int64)
    for start in range(0, len(own), BLOCK_ROWS):
        progress("measure the distortion", start, len(own))
        mine = own[start : start + BLOCK_ROWS]
        apart = distances_to(positions[mine], positions, MapMetric.EUCLIDEAN)  # (block, n)
        apart[np.arange(len(mine)), mine] = np.inf
        best = np.argpartition(apart, k - 1, axis=1)[:, :k]
        order = np.lexsort((best, np.take_along_axis(apart, best, axis=1)))
        nearest[start : start + BLOCK_ROWS] = np.take_along_axis(best, order, axis=1)
    progress("measure the distortion", len(own), len(own))
    return nearest


@dataclass(frozen=True, slots=True, eq=False)
class MapNeighbors:
    """One point's nearest others: `on_map` (k,) those on the map, nearest first, with their `distances` there,
    `in_space` (k,) those in the space with their `cosines`; `both` (k,) says of each of `on_map` whether it is among
    `in_space`.
    """

    on_map: Ints
    distances: Floats
    in_space: Ints
    cosines: Floats
    both: "np.typing.NDArray[np.bool_]"


def neighbors_on_map(vectors: Floats, positions: Floats, row: int, k: int = 10) -> MapNeighbors:
    """The k nearest others of a point on a map (n, 2 or 3) and among its vectors (n, dim), by cosine, exactly.

    Of equal distances the earlier row comes first.
    """
    n = len(positions)
    if len(vectors) != n:
        raise IncompatibleError(f"a map of {n:,} points for {len(vectors):,} vectors")
    if not 0 <= row < n:
        raise UserError(f"row must be from 0 to {n - 1:,}, the points of the map; got {row}")
    if not 1 <= k < n:
        raise UserError(f"each of {n:,} points has from 1 to {n - 1:,} neighbors; got {k:,}")
    apart = np.sqrt(((positions - positions[row]) ** 2).sum(axis=1))
    mine = unit(np.ascontiguousarray(vectors[[row]], np.float32))[0]
    cosines = np.empty(n, np.float32)
    for start in range(0, n, QUERY_ROWS):
        cosines[start : start + QUERY_ROWS] = (
            unit(np.ascontiguousarray(vectors[start : start + QUERY_ROWS], np.float32)) @ mine
        )
    cosines[row], apart[row] = -np.inf, np.inf
    here, there = _first(apart, k), _first(-cosines, k)
    return MapNeighbors(here, apart[here].astype(np.float32), there, cosines[there], np.isin(here, there))


def _first(values: Floats, k: int) -> Ints:
    """The k rows of the least values, the least first, of equal ones the earlier row."""
    bound = np.partition(values, k - 1)[k - 1]
    near = np.flatnonzero(values <= bound)
    order: Ints = near[np.argsort(values[near], kind="stable")][:k].astype(np.int64)
    return order


def kept_neighbors(positions: Floats, knn: Neighbors, k: int, progress: Progress = no_progress) -> Floats:
    """For every point the share of its k nearest in the space, by `knn`, that are among its k nearest on the map:
    (n,).
    """
    near = knn.within(len(positions), len(positions), k).rows
    here = map_neighbors(positions, k, progress=progress)
    kept = np.empty(len(here), np.float32)
    for start in range(0, len(here), QUERY_ROWS):
        same = near[start : start + QUERY_ROWS, :, None] == here[start : start + QUERY_ROWS, None, :]
        kept[start : start + QUERY_ROWS] = same.any(axis=2).mean(axis=1)
    return kept


def distortion(
    vectors: Floats,
    positions: Floats,
    k: int = 10,
    sample: int = SAMPLE_ROWS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Distortion:
    """Measure a map (n, 2 or 3) against its vectors (n, dim) by cosine, over all points or, of more, a seeded `sample`.

    See `distortion_by`.
    """
    sampled = Measurement(k, sample=sample, seed=seed)
    return distortion_by(vectors, positions, sampled, progress)


@dataclass(frozen=True, slots=True)
class Measurement:
    """How a map is measured: by how many neighbors, by which metric in the space, and on how many points."""

    k: int = 10
    metric: MapMetric = MapMetric.COSINE
    sample: int = SAMPLE_ROWS
    seed: int = 0


def distortion_by(vectors: Floats, positions: Floats, how: Measurement, progress: Progress = no_progress) -> Distortion:
    """Measure a map (n, n_components) against its vectors (n, dim), over all points or, of more, a seeded sample.

    Every measured point is compared with all n, so the numbers are those of the points measured, not estimates. Raises
    `UserError` for a k that is too large for n: trustworthiness needs k < n / 2.
    """
    n, k, sample = len(vectors), how.k, how.sample
    if len(positions) != n:
        raise IncompatibleError(f"a map of {len(positions):,} points for {n:,} vectors")
    if n < 3 or not 1 <= k < n / 2:
        raise UserError(
            f"the distortion of {n:,} points is measured with k from 1 to {max(0, (n - 1) // 2):,}; got {k:,}"
        )
    rows = np.arange(n) if n <= sample else np.sort(np.random.default_rng(how.seed).choice(n, sample, replace=False))
    points = map_points(vectors, how.metric)
    here = map_neighbors(positions, k, rows)
    kept, penalty = np.empty(len(rows), np.float32), 0
    for start in range(0, len(rows), BLOCK_ROWS):
        progress("measure the distortion", start, len(rows))
        own = rows[start : start + BLOCK_ROWS]
        # (block, n)
        similar = points[own] @ points.T if how.metric.angular else -distances_to(points[own], points, how.metric)
        similar[np.arange(len(own)), own] = -np.inf
        theirs = np.take_along_axis(similar, here[start : start + BLOCK_ROWS], axis=1)  # (block, k)
        ranks = np.stack([(similar > theirs[:, [j]]).sum(axis=1) for j in range(k)], axis=1)
        kept[start : start + BLOCK_ROWS] = (ranks < k).mean(axis=1)
        penalty += int(np.maximum(0, ranks - k + 1).sum())
    progress("measure the distortion", len(rows), len(rows))
    trust = 1 - penalty * 2 / (len(rows) * k * (2 * n - 3 * k - 1))
    return Distortion(k, rows.astype(np.int64), kept, float(kept.mean()), float(trust), k / (n - 1))
