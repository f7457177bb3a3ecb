"""FAISS's kinds of index behind the same interface as the exact search."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.metric import Metric, unit
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index

Kind = Literal["flat", "hnsw", "ivf"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which FAISS index, with the field's names for its parameters.

    `M` links a node and `ef_construction`, `ef_search` list lengths (HNSW); `nlist` cells, 0 for 4*sqrt(n), and
    `nprobe` of them looked into (IVF).
    """

    kind: Kind = "flat"
    M: int = 32
    ef_construction: int = 120
    ef_search: int = 64
    nlist: int = 0
    nprobe: int = 16

    def __post_init__(self) -> None:
        if self.kind not in ("flat", "hnsw", "ivf"):
            raise UserError(f"index kind {self.kind!r} does not exist; choose flat, hnsw or ivf")
        for name, least in (("M", 2), ("ef_construction", 1), ("ef_search", 1), ("nlist", 0), ("nprobe", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} must be at least {least}; got {getattr(self, name)}")


class FaissIndex(Index):
    """An index of FAISS. The metric is always passed on: FAISS would take L2 for every kind."""

    def __init__(self, vectors: Floats, metric: "Metric | str" = Metric.COSINE, recipe: Recipe | None = None):
        self.recipe = recipe or Recipe()
        super().__init__(vectors, metric)

    def _build(self, vectors: Floats) -> None:
        import faiss

        measure = faiss.METRIC_L2 if self.metric is Metric.EUCLIDEAN else faiss.METRIC_INNER_PRODUCT
        if self.metric is Metric.COSINE:
            vectors = unit(vectors)
        self._faiss: Any = _empty(faiss, self.recipe, self.dim, self.n, measure)
        if not self._faiss.is_trained:
            self._faiss.train(vectors)
        self._faiss.add(vectors)

    def _search(self, queries: Floats, k: int) -> tuple[Ints, Floats]:
        import faiss

        parameters = None
        if self.recipe.kind == "hnsw":  # fewer than k candidates would come back as -1
            parameters = faiss.SearchParametersHNSW(  # type: ignore[attr-defined,unused-ignore]
                efSearch=max(self.recipe.ef_search, k)
            )
        distances, rows = self._faiss.search(queries, k, params=parameters)
        scores = -np.sqrt(np.maximum(distances, 0)) if self.metric is Metric.EUCLIDEAN else distances
        scores = np.where(rows < 0, np.float32(-np.inf), scores)
        return rows.astype(np.int64), scores.astype(np.float32)


def _empty(faiss: Any, recipe: Recipe, dim: int, n: int, measure: int) -> Any:
    if recipe.kind == "flat":
        return faiss.IndexFlat(dim, measure)
    if recipe.kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, recipe.M, measure)
        index.hnsw.efConstruction = recipe.ef_construction
        return index
    nlist = min(recipe.nlist or int(4 * np.sqrt(n)), n)
    # the quantizer is handed over by the index's own factory, so that it is not freed while FAISS holds it
    index = faiss.index_factory(dim, f"IVF{nlist},Flat", measure)
    index.nprobe = min(recipe.nprobe, nlist)
    index.cp.min_points_per_centroid = 1  # no warning on standard output for small spaces
    return index
