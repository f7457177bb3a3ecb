"""FAISS's own objects: made by a recipe, read from a file and checked, and its threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.errors import IncompatibleError, NotFoundError, UnreadableError
from polysema.core.space.metric import Metric
from polysema.indexes.index_spec import IndexSpec

if TYPE_CHECKING:
    from faiss import Index

    from polysema.indexes.faiss_index import FaissIndex

TRAINED_ROWS_A_CELL = {
    "ivf": 64,
    "ivf-sq8": 64,
    "ivf-pq": 64,
    "pq-fastscan": 64,
}  # rows a cell that cells are trained on, at most
IN_CELLS = ("ivf", "ivf-sq8", "ivf-pq", "pq-fastscan")
CLASSES = {
    "flat": ("IndexFlat", "IndexFlatIP", "IndexFlatL2"),
    "hnsw": ("IndexHNSWFlat",),
    "hnsw-sq8": ("IndexHNSWSQ",),
    "ivf": ("IndexIVFFlat",),
    "ivf-sq8": ("IndexIVFScalarQuantizer",),
    "ivf-pq": ("IndexIVFPQ",),
    "pq-fastscan": ("IndexRefine",),
}
ALONE = 2_000_000  # numbers (rows x width) below which one thread does all


def faiss_message(error: Exception) -> str:
    """FAISS's own words, without where they stand in its source."""
    return " ".join(str(error).rpartition("Error: ")[2].split())[:200]


def thread_count(wanted: int | None, numbers: int) -> int | None:
    """So little is done sooner by one thread than by several that wait for each other."""
    return 1 if wanted is None and numbers < ALONE else wanted


@contextmanager
def faiss_threads(count: int | None) -> Iterator[None]:
    """FAISS's threads for what this thread asks of it: OpenMP keeps the number for each thread that calls."""
    if count is None:
        yield
        return
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def faiss_metric(metric: Metric) -> int:
    """FAISS's number of a metric."""
    import faiss

    # FAISS would take L2 for every kind
    return int(faiss.METRIC_L2 if metric is Metric.EUCLIDEAN else faiss.METRIC_INNER_PRODUCT)


def empty_index(recipe: IndexSpec, dim: int, metric: Metric, seed: int) -> "Index":
    """FAISS's object by a recipe, untrained and without rows."""
    import faiss

    f: Any = faiss
    measure = faiss_metric(metric)
    index: Index
    if recipe.kind == "flat":
        index = f.IndexFlat(dim, measure)
        return index
    if recipe.kind in ("hnsw", "hnsw-sq8"):
        if recipe.kind == "hnsw":
            graph = f.IndexHNSWFlat(dim, recipe.M, measure)
        else:
            graph = f.IndexHNSWSQ(dim, f.ScalarQuantizer.QT_8bit, recipe.M, measure)
        graph.hnsw.efConstruction = recipe.ef_construction
        graph.hnsw.rng = f.RandomGenerator(12345 + seed)
        index = graph
        return index
    codes = {
        "ivf": "Flat",
        "ivf-sq8": "SQ8",
        "ivf-pq": f"PQ{recipe.m}x{recipe.nbits}np",  # no polysemous codes: they take seconds and nothing here asks them
        "pq-fastscan": f"PQ{recipe.m}x4fs,Refine(SQ8)",
    }[recipe.kind]
    # the quantizer is handed over by the index's own factory, so that it is not freed while FAISS holds it
    index = f.index_factory(dim, f"IVF{recipe.nlist},{codes}", measure)
    cells = f.downcast_index(f.extract_index_ivf(index))
    trained = [cells.cp] + ([cells.pq.cp] if hasattr(cells, "pq") else [])
    for clustering in trained:
        clustering.seed = 1234 + seed
        clustering.min_points_per_centroid = 1  # no warning on standard output for small spaces
    cells.cp.max_points_per_centroid = TRAINED_ROWS_A_CELL[recipe.kind]
    if recipe.kind == "ivf-pq":
        cells.use_precomputed_table = -1  # tables for every cell can take more memory than the codes
    return index


def read_index(path: "str | Path", mapped: "bool | mmap") -> "Index":
    """FAISS's object from a file, or from its mapped content, which must stay as long as the object; raises
    `NotFoundError` and `UnreadableError`.
    """
    import faiss

    if isinstance(mapped, mmap):
        content = np.frombuffer(mapped, np.uint8)
        f: Any = faiss
        source: Any = f.ZeroCopyIOReader(f.swig_ptr(content), content.nbytes)
    elif Path(path).is_file():
        source = str(path)
    else:
        raise NotFoundError(f"there is no index file {path}")
    flags = faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE | (faiss.IO_FLAG_MMAP_IFC if mapped is True else 0)
    try:
        return faiss.read_index(source, flags)
    except (RuntimeError, MemoryError) as error:
        raise UnreadableError(f"{path} can't be read as a FAISS index: {faiss_message(error)}") from None


def check_index(found: "Index", index: "FaissIndex", path: "str | Path") -> None:
    """Raises `IncompatibleError` where FAISS's object is not what the index's card says."""
    import faiss

    f: Any = faiss
    recipe = index.recipe
    expected = {
        "rows": index.n,
        "width": index.dim,
        "metric": faiss_metric(index.metric),
        "kind": recipe.kind,
        "trained": True,
    }
    kind = type(found).__name__
    there = {
        "rows": found.ntotal,
        "width": found.d,
        "metric": found.metric_type,
        "kind": recipe.kind if kind in CLASSES[recipe.kind] else kind,
        "trained": found.is_trained,
    }
    if there["kind"] == recipe.kind and recipe.kind in IN_CELLS:
        cells = f.try_extract_index_ivf(found)
        expected |= {"nlist": recipe.nlist, "rows in cells": index.n}
        there |= {"nlist": cells.nlist if cells else 0, "rows in cells": cells.ntotal if cells else 0}
    if there["kind"] == recipe.kind and recipe.kind in ("hnsw", "hnsw-sq8"):
        graph: Any = found
        expected["M"], there["M"] = recipe.M, graph.hnsw.nb_neighbors(1)
    for name, value in expected.items():
        if there[name] != value:
            raise IncompatibleError(f"the index {path} is not that of its card: {name} {there[name]}, expected {value}")
