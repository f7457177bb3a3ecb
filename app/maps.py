"""Maps of whole spaces: the neighbours come from an index, once, and go to the layout and to its measure."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from polysema.app.schemas import SpaceMap
from polysema.core.space.distortion import distortion, kept_neighbors
from polysema.core.space.projection import MapOptions, Neighbors, check_method, n_neighbors_of, nearest_among, project
from polysema.core.space.space import Floats, Space
from polysema.indexes.graph import neighbors_of_all

LEAST = 15  # neighbours that are searched at least, so that another method or number finds them there
SPARE = 16  # candidates of a new point beyond those that place it

Progress = Callable[[str, int, int], None]
Search: TypeAlias = Callable[[int, Callable[[], Neighbors]], Neighbors]


def project_space(
    space: Space, n: int, method: str, options: MapOptions, k: int, neighbours: Search, progress: Progress
) -> SpaceMap:
    """The first n rows of a space laid out and measured; `neighbours(wanted, search)` keeps what was searched."""
    shown = space if n == len(space) else space.take(np.arange(n))
    needed = n_neighbors_of(check_method(method), options, n)
    measured = n >= 3 and k < n / 2
    wanted = max(needed, k if measured else 0)
    knn = None
    if wanted:
        most = min(n - 1, max(wanted, LEAST))

        def search() -> Neighbors:
            return neighbors_of_all(
                shown.vectors, most, seed=options.seed, progress=lambda d, t: progress("find neighbours", d, t)
            )

        knn = neighbours(wanted, search)
    laid = project(
        shown.vectors, method, options, knn if needed else None, progress=lambda d, t: progress("lay out", d, t)
    )
    progress("measure the distortion", 0, 1)
    kept = kept_neighbors(laid.positions, knn, k) if knn is not None and measured else np.full(n, np.nan, np.float32)
    report = distortion(shown.vectors, laid.positions, k) if measured else None
    progress("measure the distortion", 1, 1)
    return SpaceMap(shown, laid, knn, report, kept)


def new_neighbors(on: SpaceMap, vectors: Floats) -> Neighbors | None:
    """The neighbours of new vectors among a map's points, exactly; None where the map is linear and needs none."""
    if on.map.plane is not None or not len(vectors):
        return None
    from polysema.indexes.exact import ExactIndex

    n = len(on.space)
    k = n_neighbors_of(on.map.method, on.map.options, n)
    found = ExactIndex(on.space.vectors).search(vectors, min(n, k + SPARE))
    return nearest_among(vectors, on.space.vectors, found.rows, k)
