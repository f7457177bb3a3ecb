"""Exact search in NumPy: the slow, obvious twin that every other index is held against."""

import numpy as np

from polysema.core.space.metric import Metric, norms, unit
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index

ROWS = 32768  # rows of vectors scored at a time for a batch: (QUERIES, ROWS) floats stay within the cache's reach
QUERIES = 64


class ExactIndex(Index):
    """Every row is compared. Holds the vectors as they are (mapped ones stay mapped) and n norms beside them."""

    def _build(self, vectors: Floats) -> None:
        self._vectors = vectors
        length = norms(vectors) if self.metric is not Metric.INNER_PRODUCT else np.empty(0, np.float32)
        self._norms = np.where(length > 0, length, np.float32(1)) if self.metric is Metric.COSINE else length

    def _scores(self, queries: Floats, start: int, stop: int) -> Floats:
        """(n_queries, stop - start), higher is better."""
        scores: Floats = queries @ self._vectors[start:stop].T
        if self.metric is Metric.COSINE:
            scores /= self._norms[start:stop]
        elif self.metric is Metric.EUCLIDEAN:
            # |q - v|^2 = |q|^2 - 2 q.v + |v|^2, where cancelling costs the digits of near pairs: those are done again
            squares = norms(queries)[:, None] ** 2 - 2 * scores + self._norms[start:stop] ** 2
            scores = -np.sqrt(np.maximum(squares, 0))
        return scores

    def ranks(self, query: Floats, rows: Ints) -> tuple[Ints, Floats]:
        """Where each of `rows` (m,) stands among all rows for one query (dim,): ranks from 1, and scores, both (m,)."""
        queries = unit(query[None]) if self.metric is Metric.COSINE else query[None]
        scores = self._scores(queries, 0, self.n)[0]
        return np.array([1 + np.count_nonzero(scores > scores[row]) for row in rows], np.int64), scores[rows]

    def _search(self, queries: Floats, k: int) -> tuple[Ints, Floats]:
        rows = np.empty((len(queries), k), np.int64)
        scores = np.empty((len(queries), k), np.float32)
        for first in range(0, len(queries), QUERIES):
            batch = queries[first : first + QUERIES]
            rows[first : first + QUERIES], scores[first : first + QUERIES] = self._batch(batch, k)
        if self.metric is Metric.EUCLIDEAN:
            for query, found, score in zip(queries, rows, scores, strict=True):
                score[:] = -norms(self._vectors[found] - query)
        return rows, scores

    def _batch(self, queries: Floats, k: int) -> tuple[Ints, Floats]:
        step = self.n if len(queries) == 1 else ROWS
        best_rows = np.empty((len(queries), 0), np.int64)
        best_scores = np.empty((len(queries), 0), np.float32)
        for start in range(0, self.n, step):
            stop = min(start + step, self.n)
            scores = self._scores(queries, start, stop)
            rows = np.broadcast_to(np.arange(start, stop), scores.shape)
            rows, scores = _best(rows, scores, k)
            best_rows, best_scores = _best(
                np.concatenate([best_rows, rows], axis=1), np.concatenate([best_scores, scores], axis=1), k
            )
        return best_rows, best_scores


def _best(rows: Ints, scores: Floats, k: int) -> tuple[Ints, Floats]:
    """The k best of each query, in row order among equals: also where the k-th score is shared."""
    if scores.shape[1] <= k:
        return rows, scores
    kth = np.partition(scores, scores.shape[1] - k, axis=1)[:, -k]
    chosen_rows = np.empty((len(scores), k), np.int64)
    chosen_scores = np.empty((len(scores), k), np.float32)
    for query, least in enumerate(kth):
        above = np.flatnonzero(scores[query] > least)
        level = np.flatnonzero(scores[query] == least)[: k - len(above)]
        chosen = np.concatenate([above, level])
        chosen_rows[query] = rows[query][chosen]
        chosen_scores[query] = scores[query][chosen]
    return chosen_rows, chosen_scores
