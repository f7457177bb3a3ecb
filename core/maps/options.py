"""What a map depends on."""

from dataclasses import dataclass

import numpy as np

from polysema.core.errors import UserError

SEED = 0


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What a map depends on, by the field's names; raises `UserError` for what no map can be made with.

    `n_components` dimensions. UMAP and densMAP: `n_neighbors` (the point itself is counted), `min_dist`, `spread`,
    `n_epochs` (None: 500 for up to 10,000 points, else 200), `negative_sample_rate`; densMAP's `dens_lambda`; t-SNE's
    `perplexity`. The same `seed` gives the same map.
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

    def __post_init__(self) -> None:
        bounds = {
            "n_components": (2, 3),
            "n_neighbors": (2, 200),
            "spread": (0.01, 100.0),
            "min_dist": (0.0, self.spread),
            "n_epochs": (1, 10_000),
            "negative_sample_rate": (1, 50),
            "dens_lambda": (0.0, 100.0),
            "perplexity": (1.0, 200.0),
            "seed": (0, 2**32 - 1),
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
