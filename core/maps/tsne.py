"""t-SNE (van der Maaten and Hinton 2008), by openTSNE (Poličar, Stražar and Zupan 2024), whose steps can be watched."""

from typing import TYPE_CHECKING

import numpy as np

from polysema.core.import_lock import IMPORTING
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MapOptions
from polysema.core.progress import Progress
from polysema.core.space.array_types import Doubles, Floats, Ints

if TYPE_CHECKING:
    from openTSNE.affinity import PerplexityBasedNN

EARLY, LATE = 250, 500  # steps with exaggerated pulls, and without
EXAGGERATION = 12.0
SPREAD = 1e-4  # the deviation of the start along its first axis
COLLAPSED, MIN_SPREAD = 1e-6, 1e-6  # points nearer than this share of the map's size, or than this, lie on one place
MIN_DISTANCE = 1e-6  # 1 - cosine from which on two vectors differ by more than rounding
MAX_COLLAPSED = 0.1  # the share of points that may lie on their neighbor's place though their vectors differ
GRID = 10_000  # from so many points on a plane the pushes are interpolated on a grid, which takes time linear in n


def tsne(knn: Neighbors, start: Floats, options: MapOptions, progress: Progress) -> tuple[Floats, str]:
    """Lay out n points by their nearest others, from `start`: (n, 2 or 3).

    Returns the positions and a note, empty where there is nothing to say. The perplexity is that of
    `usable_perplexity`. Pushes are approximated by a Barnes-Hut tree (van der Maaten 2014), or, for many points on a
    plane, on a grid (Linderman et al. 2019).

    Early exaggeration can draw few points, each the neighbor of nearly all others, into one place that they never
    leave (the collapsed map is a stable fixed point of the exaggerated gradient). Such a map is laid out again without
    it, and the note says so. What `progress` raises ends the work.
    """
    with IMPORTING:
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import PrecomputedNeighbors
    rows, distances, seed = knn.rows, knn.distances, options.seed
    k = rows.shape[1]
    chords = np.maximum(distances.astype(np.float64), 0)
    if options.distance.angular:
        chords = np.sqrt(2 * chords)  # of unit vectors, by which perplexity is meant
    near = PrecomputedNeighbors(rows.astype(np.int64), chords)
    progress("lay out", 0, EARLY + LATE)
    affinities = PerplexityBasedNN(knn_index=near, perplexity=usable_perplexity(options.perplexity, k))
    positions = _optimize(affinities, start, seed, EXAGGERATION, progress)
    if not _is_collapsed(positions, rows, distances):
        return positions, ""
    positions = _optimize(affinities, start, seed, 1.0, progress)
    if _is_collapsed(positions, rows, distances):
        return positions, "t-SNE could not part these points: most of them lie on one place; try umap or pca"
    return positions, "laid out without early exaggeration, which drew these few points into one place"


def usable_perplexity(perplexity: float, k: int) -> float:
    """The perplexity that k neighbors allow: at most k / 3, and for very few up to 2, so that no two points pair
    off.
    """
    return min(perplexity, max(min(2.0, k / 2), k / 3))


def _optimize(
    affinities: "PerplexityBasedNN", start: Floats, seed: int, exaggeration: float, progress: Progress
) -> Floats:
    """Gradient descent from `start`, with affinities exaggerated in the first steps: (n, 2 or 3)."""
    with IMPORTING:
        from openTSNE import TSNEEmbedding
    begun = start.astype(np.float64) * (SPREAD / max(float(start[:, 0].std()), 1e-9))
    method = "fft" if len(start) >= GRID and start.shape[1] == 2 else "bh"
    # by one thread: with more of them sums come in another order, and the same seed would give another map
    embedding = TSNEEmbedding(begun, affinities, negative_gradient_method=method, n_jobs=1, random_state=seed)
    done = 0

    def report(iteration: int, error: float, positions: Doubles) -> bool:
        progress("lay out", done + iteration, EARLY + LATE)
        return False

    watched = {"inplace": True, "callbacks": [report], "callbacks_every_iters": 1, "propagate_exception": True}
    embedding.optimize(n_iter=EARLY, exaggeration=exaggeration, momentum=0.5, **watched)
    done = EARLY
    embedding.optimize(n_iter=LATE, exaggeration=1, momentum=0.8, **watched)
    progress("lay out", EARLY + LATE, EARLY + LATE)
    return np.asarray(embedding, np.float32)


def _is_collapsed(positions: Floats, rows: Ints, distances: Floats) -> bool:
    """Whether many points lie on the place of a neighbor whose vector differs from theirs."""
    place = max(COLLAPSED * float(positions.std()), MIN_SPREAD)
    sharing = np.zeros(len(rows), bool)
    for neighbors, away in zip(rows.T, distances.T, strict=True):  # (n,) each: the first neighbors, the second …
        apart = np.linalg.norm(positions - positions[neighbors], axis=1)
        sharing |= (away > MIN_DISTANCE) & (apart < place)
    return float(sharing.mean()) > MAX_COLLAPSED
