"""One query of a graph at a time: the answer of `FaissIndex.search` without what many queries or a filter need."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
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
        """That of an index for k rows and a recall; None where a query isn't answered by a graph alone."""
        from faiss import swig_ptr

        searcher, settings = index._searcher, index._settings
        if searcher.recipe.kind != GRAPH_KIND or not 0 < k <= searcher.faiss.ntotal:
            return None
        setting, expected, _ = settings.choose(k, recall)
        if setting is None:
            return None
        parameters = searcher.parameters(setting.deeper(k / 100), k, None)
        numbered = searcher.row_of if len(searcher.held_out) else None
        dim = int(searcher.vectors.shape[1])
        return cls(searcher, k, expected, parameters, searcher.metric, dim, swig_ptr, numbered)

    def search(self, query: Floats) -> tuple[Ints, Floats] | None:
        """Rows and scores, (1, k) each, of a query (1, dim); None for one that has something to be said of, or fewer
        answers.
        """
        if self.metric is Metric.COSINE:
            length = np.sqrt(np.einsum("qd,qd->q", query, query))
            if not 0 < length[0] < inf:  # zeros, NaN, Inf, or numbers whose squares are no float32
                return None
            query = query / length[:, None]
        elif not np.isfinite(query).all():
            return None
        scores, ids = np.empty((1, self.k), np.float32), np.empty((1, self.k), np.int64)
        pointer = self.swig_ptr
        self.searcher.faiss.search_c(1, pointer(query), self.k, pointer(scores), pointer(ids), self.parameters)
        if ids[0, -1] < 0:
            return None
        rows = ids if self.numbered is None else self.numbered[ids].astype(np.int64)
        if self.metric is Metric.EUCLIDEAN:
            scores = -np.sqrt(np.maximum(scores, 0))
        if not (scores[0, 1:] < scores[0, :-1]).all():
            order = np.lexsort((rows[0], -scores[0]))
            rows, scores = rows[:, order], scores[:, order]
        return rows, scores
