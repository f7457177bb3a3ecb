"""Areas of a map: where its points lie densely, few and large or many and small, each named by what sets it apart.

The density of the points is counted on a grid and smoothed; an area is a hill of it. Two hills become one where the
saddle between them is hardly lower than the lower top (Chazal et al. 2013, ToMATo), so the areas of a level are those
of the levels below it joined. Its time grows with the points and not with their square.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.maps.hills import hills_of
from polysema.core.maps.options import PICTURE_COMPONENTS
from polysema.core.maps.region_names import distinctive_words
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

MIN_POINTS = 5
POINTS_AN_AREA = 400  # an area of the finest level holds at least one in so many points
LEFT_OUT = 0.12  # of the points: those where it is least dense are in no area
LEVELS = ((0.7, 60), (0.85, 150), (0.94, 400))
"""From afar, nearer, near: how high a saddle is at which two hills are one; one in how many points an area holds."""
IN_NAME = 3
MAX_CLUSTERED_POINTS, CLUSTER_SHARE = 50_000, 100  # in many dimensions; a cluster holds at least one in so many points


@dataclass(frozen=True, slots=True, eq=False)
class RegionLevel:
    """The areas of one level, largest first: `names`, the row `typical` of each, the `centers` (m, 2 or 3) on the map,
    and for each point its area, `assigned` (n,), -1 for a point in none.
    """

    names: tuple[str, ...]
    typical: Ints
    centers: Floats
    assigned: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The areas of a map at each level, few first. An area of a level lies within one area of the level before it."""

    levels: tuple[RegionLevel, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the first level."""
        return self.levels[0].names

    @property
    def typical(self) -> Ints:
        """A row of each area of the first level."""
        return self.levels[0].typical

    @property
    def assigned(self) -> Ints:
        """For each point its area of the first level, -1 for none."""
        return self.levels[0].assigned


def areas(positions: Floats, vectors: Floats, labels: Sequence[str], texts: Sequence[str] | None = None) -> Regions:
    """Group the points of a map (n, n_components) by where they lie densely on it, at some levels.

    In more than three dimensions they are clustered by HDBSCAN (Campello et al. 2013), at one level; raises `UserError`
    for more than 50,000 points there.

    An area's name is the words that set its `texts` apart from those of the others (class TF-IDF), at most three;
    without texts the different labels of its points nearest to its mean in the space, (n, dim) `vectors`.
    """
    n = len(positions)
    if len(vectors) != n or len(labels) != n or (texts is not None and len(texts) != n):
        raise IncompatibleError(
            f"{n:,} positions, {len(vectors):,} vectors and {len(labels):,} labels: as many of each"
        )
    island = max(MIN_POINTS, n // POINTS_AN_AREA)
    if n < 2 * island:
        return Regions((_no_areas(positions),))
    if positions.shape[1] > PICTURE_COMPONENTS:
        return Regions((_level(_ordered(_clusters(positions)), positions, vectors, _Names(labels, texts)),))
    hills = hills_of(positions, LEFT_OUT)
    levels: list[RegionLevel] = []
    for saddle, points in LEVELS:
        assigned = _ordered(hills.joined(saddle, max(MIN_POINTS, n // points), island))
        if levels and int(assigned.max()) == int(levels[-1].assigned.max()):
            break
        levels.append(_level(assigned, positions, vectors, _Names(labels, texts)))
    return Regions(tuple(levels))


def _clusters(positions: Floats) -> Ints:
    """The cluster of each point of many dimensions, (n,), -1 for none."""
    if len(positions) > MAX_CLUSTERED_POINTS:
        raise UserError(
            f"areas in {positions.shape[1]} dimensions are found among up to {MAX_CLUSTERED_POINTS:,} points; got "
            f"{len(positions):,}: take fewer rows, or 2 or 3 dimensions"
        )
    with IMPORTING:
        from sklearn.cluster import HDBSCAN
    fewest = max(MIN_POINTS, len(positions) // CLUSTER_SHARE)
    return np.asarray(
        HDBSCAN(min_cluster_size=fewest, min_samples=MIN_POINTS, copy=True).fit_predict(positions), np.int64
    )


@dataclass(frozen=True, slots=True)
class _Names:
    labels: Sequence[str]
    texts: Sequence[str] | None


def _no_areas(positions: Floats) -> RegionLevel:
    none = np.empty(0, np.int64)
    return RegionLevel((), none, np.empty((0, positions.shape[1]), np.float32), np.full(len(positions), -1, np.int64))


def _ordered(groups: Ints) -> Ints:
    """The groups of points numbered from the largest on; -1 stays."""
    numbers, sizes = np.unique(groups[groups >= 0], return_counts=True)
    place = np.full(int(groups.max(initial=-1)) + 2, -1, np.int64)
    place[numbers[np.argsort(-sizes, kind="stable")]] = np.arange(len(numbers))
    return place[groups]


def _level(assigned: Ints, positions: Floats, vectors: Floats, named: _Names) -> RegionLevel:
    count = int(assigned.max(initial=-1)) + 1
    members = [np.flatnonzero(assigned == area) for area in range(count)]
    orders = [_typical_first(vectors, rows) for rows in members]
    if named.texts is None:
        names = [_first_labels(named.labels, order) for order in orders]
    else:
        words = distinctive_words(named.texts, members, IN_NAME)
        names = [", ".join(each) or _first_labels(named.labels, o) for each, o in zip(words, orders, strict=True)]
    names = [name if names.count(name) == 1 else f"{name} ({place + 1})" for place, name in enumerate(names)]
    centers = np.array([np.median(positions[rows], axis=0) for rows in members], np.float32)
    typical = np.array([order[0] for order in orders], np.int64)
    return RegionLevel(tuple(names), typical, centers.reshape(count, positions.shape[1]), assigned)


def _typical_first(vectors: Floats, rows: Ints) -> Ints:
    """Rows with those nearest to their mean in the space first."""
    directions = unit(np.ascontiguousarray(vectors[rows], np.float32))
    return rows[np.argsort(-(directions @ directions.mean(axis=0)), kind="stable")]


def _first_labels(labels: Sequence[str], best: Ints) -> str:
    found: dict[str, str] = {}
    for row in best:
        found.setdefault(labels[row].lower(), labels[row])
        if len(found) == IN_NAME:
            break
    return ", ".join(found.values())
