"""Areas of a map: where its points lie densely, each named by its most typical points."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

MAX_REGIONS = 50_000  # points; HDBSCAN's time grows with their square
POINTS_A_REGION = 100  # an area holds at least one in so many points
MIN_POINTS = 5
SMOOTHING = 5  # neighbors that a dense place has; on GloVe's first 10,000 words 3 to 5 leave fewest points in no area
IN_NAME = 3


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The dense areas of a map, largest first: `names`, the row `typical` of each, and for each point its area.

    `assigned` (n,) is -1 for a point in none.
    """

    names: tuple[str, ...]
    typical: Ints
    assigned: Ints


def areas(positions: Floats, vectors: Floats, labels: Sequence[str]) -> Regions:
    """Group the points of a map (n, 2 or 3) by HDBSCAN (Campello et al. 2013), by where they lie on it.

    An area's name is that of its points nearest to its mean in the space, (n, dim) `vectors`: different labels, at
    most three.
    Raises `UserError` for more points than 50,000.
    """
    n = len(positions)
    if len(vectors) != n or len(labels) != n:
        raise IncompatibleError(
            f"{n:,} positions, {len(vectors):,} vectors and {len(labels):,} labels: as many of each"
        )
    if n > MAX_REGIONS:
        raise UserError(f"areas are found among up to {MAX_REGIONS:,} points; got {n:,}; show fewer")
    least = max(MIN_POINTS, n // POINTS_A_REGION)
    if n < 2 * least:
        return Regions((), np.empty(0, np.int64), np.full(n, -1, np.int64))
    with IMPORTING:
        from sklearn.cluster import HDBSCAN
    found = HDBSCAN(
        min_cluster_size=least, min_samples=SMOOTHING, cluster_selection_method="leaf", copy=True
    ).fit_predict(np.ascontiguousarray(positions, np.float64))
    order = [area for area, _ in Counter(found[found >= 0].tolist()).most_common()]
    assigned, names, typical = np.full(n, -1, np.int64), [], []
    for place, area in enumerate(order):
        rows = np.flatnonzero(found == area)
        assigned[rows] = place
        directions = unit(np.ascontiguousarray(vectors[rows], np.float32))
        best = rows[np.argsort(-(directions @ directions.mean(axis=0)), kind="stable")]
        typical.append(int(best[0]))
        names.append(_name(labels, best))
    names = [name if names.count(name) == 1 else f"{name} ({place + 1})" for place, name in enumerate(names)]
    return Regions(tuple(names), np.array(typical, np.int64), assigned)


def _name(labels: Sequence[str], best: Ints) -> str:
    message: dict[str, str] = {}
    for row in best:
        message.setdefault(labels[row].lower(), labels[row])
        if len(message) == IN_NAME:
            break
    return ", ".join(message.values())
