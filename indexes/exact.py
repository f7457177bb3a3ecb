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
        # for the cosine 1 over each length (0 for a zero vector), for the Euclidean distance the lengths
        self._norms = length
        if self.metric is Metric.COSINE:
            self._norms = np.divide(1, length, out=np.zeros_like(length), where=length > 0)

    def _scores(self, queries: Floats, start: int, stop: int) -> Floats:
        """(n_queries, stop - start), higher is better."""
        scores: Floats = queries @ self._vectors[start:stop].T
        if self.metric is Metric.COSINE:
            scores *= self._norms[start:stop]
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
            scores = self._scores(queries, start, min(start + step, self.n))
            places = _best(scores, k)
            best_rows = np.concatenate([best_rows, places + start], axis=1)
            best_scores = np.concatenate([best_scores, np.take_along_axis(scores, places, axis=1)], axis=1)
            if start:
                places = _best(best_scores, k)
                best_rows = np.take_along_axis(best_rows, places, axis=1)
                best_scores = np.take_along_axis(best_scores, places, axis=1)
        return best_rows, best_scores


def _best(scores: Floats, k: int) -> Ints:
    """Places of the k best of each line of (n_queries, n), ascending; among equals the first ones."""
    if scores.shape[1] <= k:
        return np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    best = np.empty((len(scores), k), np.int64)
    for query, line in enumerate(scores):
        candidates = _candidates(line, k)
        values = line[candidates]
        least = np.partition(values, len(values) - k)[-k]
        above = candidates[values > least]
        level = candidates[values == least][: k - len(above)]
        best[query] = np.sort(np.concatenate([above, level]))
    return best


BLOCK = 64


def _candidates(line: Floats, k: int) -> Ints:
    """Places in ascending order among which the k best of `line` (n,) are, all that share the k-th score included.

    The k best blocks hold k scores at least as high as the least of their maxima: a block whose maximum is lower holds
    none of the k best. One pass finds the maxima, and the rest is looked at only where it matters.
    """
    n_blocks = len(line) // BLOCK
    if n_blocks <= 4 * k:
        return np.arange(len(line))
    whole = line[: n_blocks * BLOCK].reshape(n_blocks, BLOCK)
    maxima = whole.max(axis=1)
    blocks = np.flatnonzero(maxima >= np.partition(maxima, n_blocks - k)[-k])
    inside = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
    return np.concatenate([inside, np.arange(n_blocks * BLOCK, len(line))])
