"""One query of a graph at a time: the answer of `FaissIndex.search` without what many queries or a filter need.

A walk through a graph leaves nothing else in the processor's caches, so that each function of NumPy, however small its
array, takes ten times its time after it: as few as can be are called here, and short lists are Python's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from operator import gt
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints
from polysema.indexes.faiss_searcher import FaissSearcher

if TYPE_CHECKING:
    from polysema.indexes.faiss_index import FaissIndex

GRAPH_KIND = "hnsw"  # FAISS uses one thread for one query of it, and its scores need no second look


@dataclass(frozen=True, slots=True, eq=False)
class SingleQuery:
    """The search for one query's `k` best at a setting, whose answers have the `recall` that was measured."""

    searcher: FaissSearcher
    k: int
    recall: float | None
    parameters: Any
    metric: Metric
    dim: int
    swig_ptr: Any
    numbered: Ints | None

    @classmethod
    def of(cls, index: FaissIndex, k: int, recall: float | None) -> SingleQuery | None:
        """That of an index for k rows and a recall; None where a query isn't searched by a graph alone."""
        from faiss import swig_ptr

        searcher, settings = index._searcher, index._settings
        if searcher.recipe.kind != GRAPH_KIND or not 0 < k <= searcher.faiss.ntotal:
            return None
        setting, expected, _ = settings.choose(k, recall)
        if setting is None:
            return None
        parameters = searcher.parameters(setting.deeper(k / 100), k, None)
        numbered = searcher.row_of.astype(np.int64) if len(searcher.held_out) else None
        dim = int(searcher.vectors.shape[1])
        return cls(searcher, k, expected, parameters, searcher.metric, dim, swig_ptr, numbered)

    def search(self, query: Floats) -> tuple[Floats, Ints] | None:
        """Distances and numbers as FAISS has them, (1, k) each, of a query (1, dim), for `read`; None for a query with
        fewer answers, or of which something is to be said.
        """
        squares = np.einsum("qd,qd->q", query, query).item()
        if not squares < inf:  # NaN, Inf, or numbers whose squares are no float32
            return None
        if self.metric is Metric.COSINE:
            if not squares:
                return None
            query = query / sqrt(squares)  # as float32, which the root of a float64 is rounded to
        scores, ids = np.empty((1, self.k), np.float32), np.empty((1, self.k), np.int64)
        pointer = self.swig_ptr
        index: Any = self.searcher.faiss
        index.search_c(1, pointer(query), self.k, pointer(scores), pointer(ids), self.parameters)
        return None if ids.item(-1) < 0 else (scores, ids)

    def read(self, scores: Floats, ids: Ints) -> tuple[Ints, Floats, list[int]]:
        """The rows and scores of what `search` found, (1, k) each, and the rows as a list."""
        if self.numbered is not None:
            ids = self.numbered.take(ids)
        if self.metric is Metric.EUCLIDEAN:
            scores = -np.sqrt(np.maximum(scores, 0))
        (best,) = scores.tolist()
        if not all(map(gt, best, best[1:])):
            order = np.lexsort((ids[0], -scores[0]))
            ids, scores = ids[:, order], scores[:, order]
        return ids, scores, ids.tolist()[0]
