"""The metrics of maps: by which distance two points are neighbors."""

from enum import Enum

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

SAFE_SIZES = (1e-15, 1e15)  # of a space's largest number: float32 holds the squares of such
SAME_POINT = 1e-5  # the difference, of the largest number, that is rounding, also of text with six digits


class MapMetric(Enum):
    """The metrics, by the names of umap-learn and scikit-learn."""

    COSINE = "cosine"
    CORRELATION = "correlation"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"
    CHEBYSHEV = "chebyshev"

    @classmethod
    def parse(cls, name: "str | MapMetric") -> "MapMetric":
        """The metric of that name; raises `UserError` naming those that exist."""
        if isinstance(name, MapMetric):
            return name
        try:
            return cls(name.lower())
        except (ValueError, AttributeError):
            pass
        names = ", ".join(metric.value for metric in cls)
        if str(name).lower().replace("-", "_") in ("dot", "inner_product"):
            raise UserError(f"metric {name!r} is no distance, so no map is laid out by it; choose one of {names}")
        raise UserError(f"metric {name!r} does not exist for maps; choose one of {names}")

    @property
    def angular(self) -> bool:
        """Whether the length of a vector doesn't matter."""
        return self in (MapMetric.COSINE, MapMetric.CORRELATION)


def map_points(vectors: Floats, metric: MapMetric, least: int = 1) -> Floats:
    """Vectors (n, dim) as what is laid out: unit vectors by the cosine, their deviations from their own mean as unit
    vectors by the correlation, else the vectors themselves.

    Raises for another shape, fewer than `least`, NaN or Inf, and where float32 doesn't hold the distances.
    """
    array = np.asarray(vectors)
    if array.ndim != 2:
        raise IncompatibleError(f"a map is made of (n, dim) vectors; got the shape {array.shape}")
    if len(array) < least:
        raise UserError("a map needs at least one point; got none")
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise UserError(f"the vectors of a map must be finite numbers; row {row} holds NaN or Inf")
    if metric is MapMetric.COSINE:
        return unit(array)
    if metric is MapMetric.CORRELATION:
        return deviations(array)
    largest = float(np.abs(array).max(initial=0))
    if largest and not SAFE_SIZES[0] <= largest <= SAFE_SIZES[1]:
        raise UserError(
            f"by {metric.value} the largest number of the vectors must be from {SAFE_SIZES[0]:g} to {SAFE_SIZES[1]:g}; "
            f"got {largest:g}: scale them, or choose cosine"
        )
    return array


def unit_directions(vectors: Floats, least: int = 1) -> Floats:
    """Vectors (n, dim) as unit vectors; raises for another shape, fewer than `least`, NaN or Inf."""
    return map_points(vectors, MapMetric.COSINE, least)


def deviations(vectors: Floats) -> Floats:
    """What the correlation compares by its cosine: the deviations of each row (n, dim) from its own mean, of length 1.

    A row of equal numbers has none, and is zero.
    """
    apart = vectors - vectors.mean(axis=1, keepdims=True, dtype=np.float64)
    size = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    apart[np.abs(apart).max(axis=1, initial=0) <= 1e-6 * size[:, 0]] = 0  # rounding of equal numbers
    return unit(apart.astype(np.float32))


def distances_to(queries: Floats, points: Floats, metric: MapMetric) -> Floats:
    """How far `points` (n, dim) are from each of `queries` (m, dim), both as `map_points` makes them: (m, n)."""
    if metric.angular:
        angles: Floats = np.maximum(1 - queries @ points.T, 0)
        return angles
    if metric is MapMetric.EUCLIDEAN:
        middle = points.mean(axis=0, dtype=np.float64).astype(np.float32)  # no digits are lost to a common offset
        queries, points = queries - middle, points - middle
        squares = (queries**2).sum(axis=1)[:, None] + (points**2).sum(axis=1) - 2 * (queries @ points.T)
        found: Floats = np.sqrt(np.maximum(squares, 0))
        return found
    with IMPORTING:
        from scipy.spatial.distance import cdist
    apart = cdist(queries, points, "cityblock" if metric is MapMetric.MANHATTAN else "chebyshev")
    return np.asarray(apart, np.float32)


def nearest_rows(query: Floats, points: Floats, k: int, metric: MapMetric) -> Ints:
    """The k of `points` (n, dim) nearest to one query (dim,), nearest first, of equal distances the earlier row."""
    apart = distances_to(query[None], points, metric)[0]
    nearest: Ints = np.argsort(apart, kind="stable")[:k].astype(np.int64)
    return nearest


def candidate_distances(queries: Floats, candidates: Floats, metric: MapMetric) -> Floats:
    """How far each query's own candidates (m, c, dim) are from it, (m, dim): (m, c), each pair by itself."""
    if metric.angular:
        angles: Floats = np.maximum(1 - np.matmul(candidates, queries[:, :, None])[:, :, 0], 0)
        return angles
    apart = candidates - queries[:, None]  # (m, c, dim)
    if metric is MapMetric.EUCLIDEAN:
        answer: Floats = np.sqrt(np.einsum("mcd,mcd->mc", apart, apart))
        return answer
    apart = np.abs(apart)
    found: Floats = apart.sum(axis=2) if metric is MapMetric.MANHATTAN else apart.max(axis=2)
    return found


def is_one_point(points: Floats, metric: MapMetric, block_rows: int) -> bool:
    """Whether all points (n, dim) are equal but for rounding; block by block, so that most end at the first."""
    first = points[0]
    least = SAME_POINT * (1.0 if metric.angular else float(np.abs(first).max(initial=0)) or 1.0)
    blocks = (points[start : start + block_rows] for start in range(0, len(points), block_rows))
    return all(float(np.abs(block - first).max()) < least for block in blocks)
