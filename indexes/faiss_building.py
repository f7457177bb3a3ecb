"""How an index of FAISS is built: rows set aside, training, and the rows added block by block."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from polysema.core.errors import UserError
from polysema.core.progress import Progress
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints
from polysema.indexes.faiss_objects import IN_CELLS, TRAINED_ROWS_A_CELL
from polysema.indexes.faiss_searcher import FaissSearcher
from polysema.indexes.index_spec import IndexSpec
from polysema.indexes.recall import distinct_rows

BLOCK_ROWS = 16_384  # rows normalized and added at a time
GRAPH_BLOCK_ROWS = 2_048  # to a graph, which takes a second for them: between two blocks the building can be stopped
MIN_TRAINED_ROWS = 20_000
GRAPH_KINDS = ("hnsw", "hnsw-sq8")
HOLD_OUT_FROM_ROWS = 100  # with fewer rows none are set aside to measure the recall


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How an index is built and searched: `seed` of everything drawn at random, rows `held_out` to measure the recall,
    `threads` of FAISS, None for all. HNSW is the same from run to run with one thread only: several race for links.
    """

    seed: int = 0
    held_out: int = 256
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise UserError(f"threads must be from 1 to 1024; got {self.threads}")
        if self.held_out < 0:
            raise UserError(f"held_out must be 0 or more rows; got {self.held_out}")


def held_out_rows(vectors: Floats, recipe: IndexSpec, metric: Metric, wanted: int, rng: np.random.Generator) -> Ints:
    """The rows that are left out until the recall is measured, ascending."""
    n = len(vectors)
    if recipe.kind == "flat" or n < HOLD_OUT_FROM_ROWS:
        return np.empty(0, np.int64)
    return distinct_rows(vectors, min(wanted, n // 10), metric, rng)


def train(searcher: FaissSearcher, rng: np.random.Generator, progress: Progress) -> None:
    """Train the cells and codes of an index that has any, on rows that are not set aside.

    `progress` hears of each round of the k-means that makes the cells; what it raises ends the training.
    """
    if searcher.faiss.is_trained:
        return
    recipe = searcher.recipe
    wanted = max(MIN_TRAINED_ROWS, TRAINED_ROWS_A_CELL.get(recipe.kind, 0) * recipe.nlist)
    rest = np.delete(np.arange(searcher.n), searcher.held_out)
    sample = rest if len(rest) <= wanted else np.sort(rng.choice(rest, wanted, replace=False))
    least = max(2**recipe.nbits, recipe.nlist)
    if len(sample) < least:  # FAISS wants a row for each centroid
        sample = np.resize(sample, least)
    rows = searcher.prepared(searcher.vectors[sample])
    if recipe.kind in IN_CELLS:
        _train_cells(searcher, rows, progress)
    progress("train the codes", 0, 1)
    searcher.faiss.train(rows)  # whose cells are there: their codes alone


def _train_cells(searcher: FaissSearcher, rows: Floats, progress: Progress) -> None:
    """The means of the cells by FAISS's k-means, a round at a time, each from the means of the one before: its own
    training can't be ended.
    """
    import faiss

    f: Any = faiss
    cells = f.downcast_index(f.extract_index_ivf(searcher.faiss))
    quantizer, rounds = f.downcast_index(cells.quantizer), cells.cp.niter
    centers = np.empty(0, np.float32)
    for number in range(rounds):
        progress("train the cells", number, rounds)
        cells.cp.niter = 1
        clustering = f.Clustering(cells.d, cells.nlist, cells.cp)
        f.copy_array_to_vector(centers, clustering.centroids)
        quantizer.reset()
        clustering.train(rows, quantizer)
        centers = f.vector_to_array(clustering.centroids)
    cells.cp.niter = rounds
    quantizer.is_trained = True


def add_rows(searcher: FaissSearcher, progress: Progress) -> None:
    """Add all rows but those that are set aside."""
    n, held_rows = searcher.n, searcher.held_out
    progress("index", 0, n)
    step = GRAPH_BLOCK_ROWS if n > BLOCK_ROWS and searcher.recipe.kind in GRAPH_KINDS else BLOCK_ROWS
    for start in range(0, n, step):
        block = searcher.vectors[start : start + step]
        inside = held_rows[(held_rows >= start) & (held_rows < start + step)]
        if len(inside):
            block = np.delete(block, inside - start, axis=0)
        if len(block):
            searcher.faiss.add(searcher.prepared(block))
        progress("index", min(start + step, n), n)
