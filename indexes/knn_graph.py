"""The nearest others of every vector at once, which is what maps are made of. (n queries are not n single searches.)"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np

from polysema.core.environment import cores
from polysema.core.errors import UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.pca import principal_plane
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index, checked

EXACT_ROWS = 12_000  # up to so many vectors every pair is compared
ROWS_A_CELL = 100  # vectors in a cell, on average
N_PROBES = 10  # cells that are searched for each vector
# Wider vectors are searched in their first principal components, in more cells, for more candidates, which are then
# compared whole: at 50,000 x 384 as many neighbors are found in half the time
WIDE, NARROW, NARROW_PROBES, MORE = 160, 128, 14, 10
SAMPLE, ROUNDS = 30, 2  # members of each cell that the k-means sees, on average, and its rounds: any partition will do
BLOCK, PART = 4_096, 256  # rows searched, and rows compared by one thread, at a time


def neighbors_of_all(
    vectors: Floats,
    k: int,
    index: Index | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    exact_rows: int = EXACT_ROWS,
) -> Neighbors:
    """The k nearest others of each of (n, dim) vectors by cosine, nearest first, themselves left out.

    By `index`, an index of these vectors by cosine, where there is one. Else exactly for up to `exact_rows` of them;
    beyond,
    among the 10 nearest (of wide vectors 14) of n / 100 cells of a k-means (FAISS's IVF). What `progress` raises ends
    the work. Raises `UserError` for a k that is too large.
    """
    n = len(vectors)
    if not 1 <= k < n:
        raise UserError(f"each of {n:,} vectors has from 1 to {n - 1:,} neighbors; got {k:,}")
    if index is not None:
        return _by_index(vectors, k, index, progress)
    directions = unit(checked(vectors, None, "vectors"))
    return _by_pairs(directions, k, progress) if n <= exact_rows else _by_cells(directions, k, seed, progress)


def _gathered(n: int, k: int, progress: Progress, search: Callable[[int, int], tuple[Ints, Floats]]) -> Neighbors:
    """The k nearest others of n rows, block by block: `search` gives candidates of the rows between two, and their
    cosines.
    """
    rows, scores = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for start in range(0, n, BLOCK):
        progress("find neighbors", start, n)
        end = min(start + BLOCK, n)
        rows[start:end], scores[start:end] = _others(*search(start, end), np.arange(start, end), k)
    progress("find neighbors", n, n)
    return Neighbors(rows, np.maximum(1 - scores, 0))


def _by_index(vectors: Floats, k: int, index: Index, progress: Progress) -> Neighbors:
    n = len(vectors)
    zero = np.zeros(n, np.bool_)

    def search(start: int, end: int) -> tuple[Ints, Floats]:
        queries = np.asarray(vectors[start:end], np.float32)
        zero[start:end] = ~queries.any(axis=1)
        found = index.search(np.where(zero[start:end, None], np.float32(1), queries), k + 1)
        return found.rows, found.scores

    found = _gathered(n, k, progress, search)
    found.distances[zero] = 1  # a zero vector has no direction, and the cosine 0 with anything
    return found


def _by_pairs(directions: Floats, k: int, progress: Progress) -> Neighbors:
    import faiss

    f: Any = faiss
    n = len(directions)
    wanted = min(n, k + 1 + MORE)  # of equal cosines the earlier rows are wanted, and FAISS takes any

    def search(start: int, end: int) -> tuple[Ints, Floats]:
        _, found = f.knn(directions[start:end], directions, wanted, metric=f.METRIC_INNER_PRODUCT)
        return found, _compared(directions, start, found)

    return _gathered(n, k, progress, search)


def _by_cells(directions: Floats, k: int, seed: int, progress: Progress) -> Neighbors:
    n, wide = len(directions), directions.shape[1] > WIDE
    wanted = min(n, k + 1 + max(MORE, k // 2) if wide else k + 1)
    candidates = cell_candidates(directions, wanted, seed, lambda: progress("find neighbors", 0, n))

    def search(start: int, end: int) -> tuple[Ints, Floats]:
        found, squares = candidates(start, end)
        return found, _compared(directions, start, found) if wide else np.asarray(1 - squares / 2, np.float32)

    return _gathered(n, k, progress, search)


def cell_candidates(
    vectors: Floats, wanted: int, seed: int, check: Callable[[], object]
) -> Callable[[int, int], tuple[Ints, Floats]]:
    """A search for the `wanted` nearest of the rows between two, by their squared Euclidean distance, themselves too.

    It looks into the nearest cells of a k-means; of wide vectors into those of their first principal components, by
    whose distance they are nearest then. `check` is called at every block.
    """
    import faiss

    f: Any = faiss
    n, wide = len(vectors), vectors.shape[1] > WIDE
    searched = _narrowed(vectors, check) if wide else vectors
    dim, cells = searched.shape[1], n // ROWS_A_CELL
    quantizer = f.IndexFlatL2(dim)
    quantizer.add(_centers(f, searched, cells, seed, check))
    index = f.IndexIVFFlat(quantizer, dim, cells, f.METRIC_L2)
    index.is_trained = True
    for start in range(0, n, BLOCK):
        check()
        index.add(searched[start : start + BLOCK])
    index.nprobe = min(NARROW_PROBES if wide else N_PROBES, cells)

    def search(start: int, end: int) -> tuple[Ints, Floats]:
        block = searched[start:end]
        distances, found = index.search(block, wanted)
        short = (found < 0).any(axis=1)
        if short.any():  # too few in their cells: as many more cells as it takes
            every = f.SearchParametersIVF(nprobe=cells)
            distances[short], found[short] = index.search(block[short], wanted, params=every)
        return found, distances

    return search


def _narrowed(directions: Floats, check: Callable[[], object]) -> Floats:
    """Their first principal components, of a sample: (n, NARROW). `check` is called at every block."""
    plane = principal_plane(directions[:: max(1, len(directions) // BLOCK)], NARROW)
    narrow = np.empty((len(directions), NARROW), np.float32)
    for start in range(0, len(directions), BLOCK):
        check()
        narrow[start : start + BLOCK] = plane.project(directions[start : start + BLOCK])
    return narrow


def _compared(directions: Floats, start: int, found: Ints) -> Floats:
    """The cosine of each row from `start` on with each of its candidates `found` (m, c)."""

    def part(low: int) -> Floats:
        candidates = found[low : low + PART]
        mine = directions[start + low : start + low + len(candidates), :, None]
        answer: Floats = np.matmul(directions[candidates], mine)[:, :, 0]
        return answer

    with ThreadPoolExecutor(cores()) as pool:
        return np.concatenate(list(pool.map(part, range(0, len(found), PART))))


def _centers(f: ModuleType, directions: Floats, cells: int, seed: int, check: Callable[[], object]) -> Floats:
    """The means (cells, dim) of a k-means, roughly: all that this needs is a partition, so few rounds over few members.

    FAISS's own training can't be ended; this one calls `check` at every block.
    """
    with IMPORTING:
        from scipy.sparse import csr_array
    rng = np.random.default_rng(seed)
    members = directions[np.sort(rng.choice(len(directions), min(len(directions), SAMPLE * cells), replace=False))]
    centers = members[np.sort(rng.choice(len(members), cells, replace=False))]
    for _ in range(ROUNDS):
        quantizer, cell = f.IndexFlatL2(directions.shape[1]), np.empty(len(members), np.int64)
        quantizer.add(centers)
        for start in range(0, len(members), BLOCK):
            check()
            cell[start : start + BLOCK] = quantizer.search(members[start : start + BLOCK], 1)[1][:, 0]
        sums = (
            csr_array((np.ones(len(members), np.float32), (cell, np.arange(len(members)))), (cells, len(members)))
            @ members
        )
        count = np.bincount(cell, minlength=cells)[:, None]
        centers = np.where(count > 0, sums / np.maximum(count, 1), centers).astype(np.float32)  # an empty cell stays
    return centers


def _others(rows: Ints, scores: Floats, own: Ints, k: int) -> tuple[Ints, Floats]:
    """The k best of each row's hits that are not the row itself, best first, equal scores by row."""
    scores = np.where(rows == own[:, None], -np.inf, scores).astype(np.float32)
    order = np.lexsort((rows, -scores))[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)
