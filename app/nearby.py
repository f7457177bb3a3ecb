"""What lies around a point of a map: in the space, and on the picture."""

import numpy as np

from polysema.app.schemas import Around, Near, SpaceMap
from polysema.core.space.space import Floats, Ints, Space
from polysema.core.space.spotting import labels_of

FAR = 10  # a neighbour on the map is far when this many times k rows are nearer in the space


def around_point(on: SpaceMap, whole: Space, cosines: Floats, position: Floats, own: int | None, k: int) -> Around:
    """The k nearest by `cosines` (rows of the whole space,), and by the distance on the map from `position`."""
    n = len(on.space)
    cosines = np.array(cosines, np.float32)
    distances = np.sqrt(((on.map.positions - position) ** 2).sum(axis=1))  # (n,)
    if own is not None:
        cosines[own], distances[own] = -np.inf, np.inf
    true, shown = _first(-cosines, k), _first(distances, k)
    labels = labels_of(whole)

    def near(row: int, listed_on_map: bool) -> Near:
        in_space = 1 + int(np.count_nonzero(cosines > cosines[row]) + np.count_nonzero(cosines[:row] == cosines[row]))
        on_map = None
        if row < n:
            on_map = 1 + int(
                np.count_nonzero(distances < distances[row]) + np.count_nonzero(distances[:row] == distances[row])
            )
        return Near(
            row, labels[row].as_py(), float(cosines[row]), in_space, on_map, listed_on_map and in_space > FAR * k
        )

    visible = true[true < n]
    kept = float(np.isin(visible, shown).mean()) if len(visible) else float("nan")
    return Around(tuple(near(int(row), False) for row in true), tuple(near(int(row), True) for row in shown), kept)


def _first(values: Floats, k: int) -> Ints:
    """The k rows with the least values, least first, of equal ones the earlier row."""
    k = min(k, int(np.isfinite(values).sum()))
    best = np.argpartition(values, k - 1)[:k] if k < len(values) else np.arange(len(values))
    limit = values[best].max() if k else 0
    rows = np.flatnonzero(values <= limit)
    found: Ints = rows[np.lexsort((rows, values[rows]))][:k].astype(np.int64)
    return found
