"""What a map depends on."""

from dataclasses import dataclass, fields

import numpy as np

from polysema.core.errors import UserError
from polysema.core.maps.distance import MapMetric

SEED = 0
MAX_COMPONENTS = 100
PICTURE_COMPONENTS = 3  # as many dimensions can be drawn
TARGET_METRICS = ("categorical", "l2")


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What a map depends on, by the field's names; raises `UserError` for what no map can be made with.

    `n_components` dimensions: 2 or 3 to look at, more to cluster. UMAP and densMAP: `n_neighbors` (the point itself is
    counted), `min_dist`, `spread`, `n_epochs` (None: 500 for up to 10,000 points, else 200), `negative_sample_rate`;
    densMAP's `dens_lambda`; t-SNE's `perplexity`. The same `seed` gives the same map.

    `metric` is cosine, correlation, euclidean, manhattan or chebyshev; PCA takes none but the cosine's unit vectors.
    `target` names a column of the space that supervises UMAP (empty: none): its values are categories or numbers, by
    their type or by `target_metric`, categorical or l2; `target_weight`, 0 to 1, is how much it counts
    beside the vectors (umap-learn's: at 0 numbers don't count at all, and categories little).
    """

    n_components: int = 2
    n_neighbors: int = 15
    min_dist: float = 0.1
    spread: float = 1.0
    n_epochs: int | None = None
    negative_sample_rate: int = 5
    dens_lambda: float = 2.0
    perplexity: float = 30.0
    seed: int = SEED
    metric: str = MapMetric.COSINE.value
    target: str = ""
    target_metric: str = ""
    target_weight: float = 0.5

    def __post_init__(self) -> None:
        bounds = {
            "n_components": (2, MAX_COMPONENTS),
            "n_neighbors": (2, 200),
            "spread": (0.01, 100.0),
            "min_dist": (0.0, self.spread),
            "n_epochs": (1, 10_000),
            "negative_sample_rate": (1, 50),
            "dens_lambda": (0.0, 100.0),
            "perplexity": (1.0, 200.0),
            "seed": (0, 2**32 - 1),
            "target_weight": (0.0, 1.0),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if value is None and name == "n_epochs":
                continue
            whole = isinstance(low, int)
            right = isinstance(value, (int, np.integer) if whole else (int, float, np.integer, np.floating))
            if isinstance(value, bool) or not right or not low <= value <= high:
                kind = "a whole number" if whole else "a number"
                raise UserError(f"{name} must be {kind} from {low:g} to {high:g}; got {value!r}")
        object.__setattr__(self, "metric", MapMetric.parse(self.metric).value)
        if not isinstance(self.target, str):
            raise UserError(f"target must be the name of a column; got {self.target!r}")
        if self.target_metric not in ("", *TARGET_METRICS):
            raise UserError(f"target_metric must be {' or '.join(TARGET_METRICS)}; got {self.target_metric!r}")

    @property
    def distance(self) -> MapMetric:
        """The metric itself."""
        return MapMetric(self.metric)


def changed_options(options: MapOptions) -> dict[str, object]:
    """The options that are not as they are by default, by name."""
    plain = MapOptions()
    return {
        one.name: getattr(options, one.name)
        for one in fields(options)
        if getattr(options, one.name) != getattr(plain, one.name)
    }


def axis_names(n_components: int) -> tuple[str, ...]:
    """The names of a map's axes: x, y and z, and of more than three x1, x2 and so on."""
    if n_components <= PICTURE_COMPONENTS:
        return ("x", "y", "z")[:n_components]
    return tuple(f"x{number}" for number in range(1, n_components + 1))
