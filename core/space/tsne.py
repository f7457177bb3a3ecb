"""t-SNE (van der Maaten and Hinton 2008), by openTSNE (Poličar, Stražar and Zupan 2024), whose steps can be watched."""

from collections.abc import Callable
from typing import Any

import numpy as np

from polysema.core.imports import IMPORTING
from polysema.core.space.space import Floats, Ints

EARLY, LATE = 250, 500  # steps with exaggerated pulls, and without
EXAGGERATION = 12.0
SPREAD = 1e-4  # the deviation of the start along its first axis
GRID = 10_000  # from so many points on a plane the pushes are interpolated on a grid, which takes time linear in n


def tsne(
    rows: Ints, distances: Floats, start: Floats, perplexity: float, seed: int, progress: Callable[[int, int], None]
) -> Floats:
    """Lay out n points by their k nearest others `rows` (n, k) at `distances` 1 - cosine, from `start`: (n, 2 or 3).

    The perplexity is at most k / 3. Pushes are approximated by a Barnes-Hut tree (van der Maaten 2014), or, for many
    points on a plane, on a grid (Linderman et al. 2019). What `progress` raises ends the work.
    """
    with IMPORTING:
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import PrecomputedNeighbors
    n, k = rows.shape
    chords = np.sqrt(2 * np.maximum(distances.astype(np.float64), 0))  # of unit vectors, by which perplexity is meant
    near = PrecomputedNeighbors(rows.astype(np.int64), chords)
    progress(0, EARLY + LATE)
    affinities = PerplexityBasedNN(knn_index=near, perplexity=min(perplexity, max(1.0, k / 3)))
    begun = start.astype(np.float64) * (SPREAD / max(float(start[:, 0].std()), 1e-9))
    method = "fft" if n >= GRID and start.shape[1] == 2 else "bh"
    # by one thread: with more of them sums come in another order, and the same seed would give another map
    laid = TSNEEmbedding(begun, affinities, negative_gradient_method=method, n_jobs=1, random_state=seed)
    done = 0

    def told(iteration: int, error: float, embedding: Any) -> bool:
        progress(done + iteration, EARLY + LATE)
        return False

    watched = {"inplace": True, "callbacks": [told], "callbacks_every_iters": 1, "propagate_exception": True}
    laid.optimize(n_iter=EARLY, exaggeration=EXAGGERATION, momentum=0.5, **watched)
    done = EARLY
    laid.optimize(n_iter=LATE, exaggeration=1, momentum=0.8, **watched)
    progress(EARLY + LATE, EARLY + LATE)
    return np.asarray(laid, np.float32)
