"""The curve by which UMAP turns a distance on the map into a weight."""

from functools import lru_cache

import numpy as np

from polysema.core.import_lock import IMPORTING


@lru_cache(maxsize=64)
def curve(spread: float, min_dist: float) -> tuple[float, float]:
    """a and b of 1 / (1 + a d^2b), nearest to 1 up to `min_dist` and an exponential fall after it (McInnes et al.
    2018).
    """
    with IMPORTING:
        from scipy.optimize import curve_fit
    x = np.linspace(0, spread * 3, 300)
    y = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / spread))
    (a, b), _ = curve_fit(lambda d, a, b: 1.0 / (1.0 + a * d ** (2 * b)), x, y, maxfev=10_000)
    return float(a), float(b)
