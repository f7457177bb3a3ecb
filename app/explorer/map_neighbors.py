"""What lies around a point of a map: in the space, and on the picture."""

from dataclasses import dataclass

import numpy as np

from polysema.app.explorer.results import SpaceMap
from polysema.core.space.label_search import labels_of
from polysema.core.space.space import Floats, Ints, Space

FAR_FACTOR = 10  # a neighbor on the map is far when this many times k rows are nearer in the space


@dataclass(frozen=True, slots=True)
class MapNeighbor:
    """A neighbor of a point: its ranks in the whole space and on the map, from 1, and its cosine.

    `on_map` is None for a row that the map doesn't show. It is `far` when the map puts it near and the space doesn't:
    it is among the k nearest on the map, and more than 10 k are nearer in the space.
    """

    row: int
    key: str
    cosine: float
    in_space: int
    on_map: int | None
    far: bool


@dataclass(frozen=True, slots=True)
class PointNeighbors:
    """The k nearest of a point in the space, and its k nearest on the map, each nearest first.

    `kept` is the share of the first, of those that are shown on the map, which are among the second; NaN where none is
    shown.
    """

    in_space: tuple[MapNeighbor, ...]
    on_map: tuple[MapNeighbor, ...]
    kept: float


def around_point(
    on: SpaceMap, whole: Space, cosines: Floats, position: Floats, own: int | None, k: int
) -> PointNeighbors:
    """The k nearest by `cosines` (rows of the whole space,), and by the distance on the map from `position`."""
    n = len(on.space)
    cosines = np.array(cosines, np.float32)
    distances = np.sqrt(((on.map.positions - position) ** 2).sum(axis=1))  # (n,)
    if own is not None:
        cosines[own], distances[own] = -np.inf, np.inf
    true, shown = _first(-cosines, k), _first(distances, k)
    labels = labels_of(whole)

    def near(row: int, listed_on_map: bool) -> MapNeighbor:
        in_space = 1 + int(np.count_nonzero(cosines > cosines[row]) + np.count_nonzero(cosines[:row] == cosines[row]))
        on_map = None
        if row < n:
            on_map = 1 + int(
                np.count_nonzero(distances < distances[row]) + np.count_nonzero(distances[:row] == distances[row])
            )
        return MapNeighbor(
            row, labels[row].as_py(), float(cosines[row]), in_space, on_map, listed_on_map and in_space > FAR_FACTOR * k
        )

    visible = true[true < n]
    kept = float(np.isin(visible, shown).mean()) if len(visible) else float("nan")
    return PointNeighbors(
        tuple(near(int(row), False) for row in true), tuple(near(int(row), True) for row in shown), kept
    )


def _first(values: Floats, k: int) -> Ints:
    """The k rows with the least values, least first, of equal ones the earlier row."""
    k = min(k, int(np.isfinite(values).sum()))
    best = np.argpartition(values, k - 1)[:k] if k < len(values) else np.arange(len(values))
    limit = values[best].max() if k else 0
    rows = np.flatnonzero(values <= limit)
    found: Ints = rows[np.lexsort((rows, values[rows]))][:k].astype(np.int64)
    return found
