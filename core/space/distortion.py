"""What a map keeps of the space, and what it doesn't."""

from dataclasses import dataclass

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.imports import IMPORTING
from polysema.core.space.metric import unit
from polysema.core.space.projection import Neighbors
from polysema.core.space.space import Floats, Ints

SAMPLE = 2_000  # points that a large map is measured on
BLOCK = 128


@dataclass(frozen=True, slots=True, eq=False)
class Distortion:
    """How much of each point's neighbourhood a map kept.

    `rows` (s,) are the points that were measured, all or a sample; `kept` (s,) is for each the share of its `k` nearest in the
    space that are among its k nearest on the map; `preservation` is their mean. `trustworthiness` (Venna and
    Kaski 2001), at most 1, falls with points that are near on the map and far in the space. `by_chance` is what
    positions at random would preserve.
    """

    k: int
    rows: Ints
    kept: Floats
    preservation: float
    trustworthiness: float
    by_chance: float


def map_neighbors(positions: Floats, k: int, rows: "Ints | None" = None) -> Ints:
    """The k nearest others of points `rows` (all by default) on a map (n, 2 or 3), nearest first: (s, k)."""
    n = len(positions)
    if not 1 <= k < n:
        raise UserError(f"each of {n:,} points has from 1 to {n - 1:,} neighbours; got {k:,}")
    with IMPORTING:
        from scipy.spatial import cKDTree
    own = np.arange(n) if rows is None else np.asarray(rows, np.int64)
    _, found = cKDTree(positions).query(positions[own], k + 1)
    # the point itself is first unless others lie on it, and then it may be missing
    order = np.argsort(found == own[:, None], axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found, order, axis=1).astype(np.int64)


def kept_neighbors(positions: Floats, knn: Neighbors, k: int) -> Floats:
    """For every point the share of its k nearest in the space, by `knn`, that are among its k nearest on the map: (n,)."""
    near = knn.within(len(positions), len(positions), k).rows
    here = map_neighbors(positions, k)
    return np.array((near[:, :, None] == here[:, None, :]).any(axis=2).mean(axis=1), np.float32)


def distortion(vectors: Floats, positions: Floats, k: int = 10, sample: int = SAMPLE, seed: int = 0) -> Distortion:
    """Measure a map (n, 2 or 3) against its vectors (n, dim) by cosine, over all points or, of more, a seeded `sample`.

    Every measured point is compared with all n, so the numbers are those of the points measured, not estimates. Raises
    `UserError` for a k that is too large for n: trustworthiness needs k < n / 2.
    """
    n = len(vectors)
    if len(positions) != n:
        raise IncompatibleError(f"a map of {len(positions):,} points for {n:,} vectors")
    if n < 3 or not 1 <= k < n / 2:
        raise UserError(
            f"the distortion of {n:,} points is measured with k from 1 to {max(0, (n - 1) // 2):,}; got {k:,}"
        )
    rows = np.arange(n) if n <= sample else np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))
    directions = unit(np.ascontiguousarray(vectors, np.float32))
    here = map_neighbors(positions, k, rows)
    kept, penalty = np.empty(len(rows), np.float32), 0
    for start in range(0, len(rows), BLOCK):
        own = rows[start : start + BLOCK]
        similar = directions[own] @ directions.T  # (block, n)
        similar[np.arange(len(own)), own] = -np.inf
        theirs = np.take_along_axis(similar, here[start : start + BLOCK], axis=1)  # (block, k)
        ranks = np.stack([(similar > theirs[:, [j]]).sum(axis=1) for j in range(k)], axis=1)
        kept[start : start + BLOCK] = (ranks < k).mean(axis=1)
        penalty += int(np.maximum(0, ranks - k + 1).sum())
    trust = 1 - penalty * 2 / (len(rows) * k * (2 * n - 3 * k - 1))
    return Distortion(k, rows.astype(np.int64), kept, float(kept.mean()), float(trust), k / (n - 1))
