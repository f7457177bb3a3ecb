"""UMAP's graph of weighted neighborhoods, and a start that is smoothed by it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from polysema.core.import_lock import IMPORTING
from polysema.core.maps.compiled_steps import run_step
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.positions import align
from polysema.core.progress import Progress, no_progress
from polysema.core.space.array_types import Doubles, Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Graph: TypeAlias = "csr_array[np.float32, tuple[int, int]]"  # (n, n), the weight of each edge
SMOOTHED, SMOOTHING = 2_048, 60  # points from which on the start is smoothed by the graph, and in how many steps


def smoothed_start(start: Floats, graph: Graph, progress: Progress = no_progress) -> Floats:
    """A start drawn towards the leading eigenvectors of the graph's random walk, which umap-learn starts from.

    Some steps of subspace iteration from the principal plane: a small part of an eigensolver's time, and no trouble
    with graphs of several components.
    """
    degree = np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-9)
    x: npt.NDArray[np.floating] = start.astype(np.float64)
    for step in range(SMOOTHING):
        if step % 10 == 0:
            progress("lay out", 0, 1)  # nothing is laid out yet, but it may be ended
        x = (x + (graph @ x) / degree[:, None]) / 2
        x -= np.average(x, axis=0, weights=degree)
        spread = (x * degree[:, None]).T @ x / degree.sum()
        low = np.linalg.cholesky(spread + 1e-12 * np.eye(x.shape[1]))
        x = np.linalg.solve(low, x.T).T
    return align(x.astype(np.float32), start)


@dataclass(frozen=True, slots=True, eq=False)
class _Memberships:
    """The distances (n, k) of each point's neighbors, of which their weights are computed."""

    distances: Floats

    def run(self, _: Progress) -> Floats:
        """The weights, (n, k)."""
        with IMPORTING:
            from polysema.core.maps import umap_kernel as kernel
        n = len(self.distances)
        sigmas, rhos = np.empty(n), np.empty(n)
        weights = np.empty(self.distances.shape, np.float32)
        # a point's weights depend on its own neighbors alone; the floor is for points that equal all of theirs
        kernel.memberships(self.distances, sigmas, rhos, weights, 1e-6)
        return weights


def membership_weights(knn: Neighbors) -> Floats:
    """How far each neighbor belongs to a point's neighborhood: (n, k) weights in (0, 1]."""
    return run_step(_Memberships(np.ascontiguousarray(knn.distances, np.float32)))


def fuzzy_union(knn: Neighbors) -> Graph:
    """The fuzzy union of every point's neighborhood: a symmetric (n, n) CSR array of weights in (0, 1]."""
    with IMPORTING:
        from scipy.sparse import csr_array
    n, k = knn.rows.shape
    one_way = csr_array((membership_weights(knn).ravel(), knn.rows.ravel(), np.arange(0, n * k + 1, k)), (n, n))
    other_way = one_way.T.tocsr()
    graph = (one_way + other_way - one_way.multiply(other_way)).tocsr()
    graph.eliminate_zeros()
    graph.sort_indices()
    found: Graph = graph
    return found


def shared_neighbors(a: Graph, b: Graph) -> Doubles:
    """For each point the share of its neighbors in two graphs that it has in both (Jaccard): (n,)."""
    here, there = a.copy(), b.copy()
    here.data, there.data = np.ones_like(a.data), np.ones_like(b.data)
    both: Floats = np.asarray(here.multiply(there).sum(axis=1)).ravel()
    return both / np.maximum(np.diff(a.indptr) + np.diff(b.indptr) - both, 1)
