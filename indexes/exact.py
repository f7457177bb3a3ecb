"""Exact search: every row is compared, by NumPy or, for an index that is queried often, through 8-bit codes."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.space.analogy import Scoring, by_cosine
from polysema.core.space.hits import Hits
from polysema.core.space.metric import Metric, norms
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index, QueryOptions, SearchResult, check_k, in_order
from polysema.indexes.best_rows import best_rows, passed
from polysema.indexes.int8_candidates import CodeOptions, default_codes
from polysema.indexes.mapped_pages import row_blocks
from polysema.indexes.scoring import MARGIN, best_among, factors, rescored

if TYPE_CHECKING:
    from polysema.indexes.int8_codes import Codes

# rows of vectors scored at a time for a batch: (QUERY_BLOCK, BLOCK_ROWS) floats stay within the cache's reach
BLOCK_ROWS = 32768
QUERY_BLOCK = 64


class ExactIndex(Index):
    """Every row is compared. Holds the vectors as they are (mapped ones stay mapped) and n norms beside them.

    Example:
        >>> index = ExactIndex([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> index
        ExactIndex(3 x 2, cosine)
        >>> index.search([[1.0, 0.1]], k=2, exclude=[0]).rows.tolist()
        [[1, 2]]
    """

    def __init__(self, vectors: Floats, metric: "Metric | str" = Metric.COSINE, *, codes: CodeOptions | None = None):
        """Hold vectors, and what their metric needs beside them.

        Args:
            vectors: (n, dim) finite float32.
            metric: `cosine`, `inner_product` or `euclidean`.
            codes: When the search goes by way of 8-bit codes.

        Raises:
            PolysemaError: There is no vector, one holds NaN or Inf, or there is no such metric.
            IncompatibleError: The vectors are not (n, dim).
        """
        self._when_coded = codes or default_codes()
        super().__init__(vectors, metric)

    def _build(self, vectors: Floats) -> None:
        self._vectors, self._asked, self._misses = vectors, 0, 0
        self._making = threading.Lock()
        self._codes: Codes | None = None
        self._norms = (
            factors(vectors, self.metric) if self.metric is not Metric.INNER_PRODUCT else np.empty(0, np.float32)
        )

    def _blocks(self, n_queries: int) -> Iterator[tuple[int, Floats]]:
        """The vectors that are scored at a time, each time with the first row."""
        if n_queries == 1 and not self._when_coded.spare:
            return iter([(0, self._vectors)])
        return row_blocks(self._vectors, self.n if n_queries == 1 else BLOCK_ROWS, self._when_coded.spare)

    def _every_score(self, queries: Floats) -> Floats:
        """The scores of all rows for a few queries, (n_queries, n)."""
        out = np.empty((len(queries), self.n), np.float32)
        for start, block in self._blocks(1):  # one product: BLAS's threads wait for each other in each of several
            scores = self._scores(block, queries, start)
            if len(block) == self.n:
                return scores
            out[:, start : start + len(block)] = scores
        return out

    def _scores(self, block: Floats, queries: Floats, start: int) -> Floats:
        """(n_queries, len(block)) of the rows from `start` on, higher is better."""
        if len(queries) == 1:  # a matrix-vector product, which NumPy does not see in a product with one row
            scores: Floats = (block @ queries[0])[None]
        else:
            scores = queries @ block.T
        if self.metric is Metric.COSINE:
            scores *= self._norms[start : start + len(block)]
        elif self.metric is Metric.EUCLIDEAN:
            # |q - v|^2 = |q|^2 - 2 q.v + |v|^2, where cancelling costs the digits of near pairs: those are done again
            squares = norms(queries)[:, None] ** 2 - 2 * scores + self._norms[start : start + len(block)] ** 2
            scores = -np.sqrt(np.maximum(squares, 0))
        return scores

    def cosines(self, queries: Floats) -> Floats:
        """Cosine of every row with each query. Only for the cosine.

        Args:
            queries: (m, dim) of length 1.

        Returns:
            (m, n)
        """
        return self._every_score(queries)

    def search_scored(self, scoring: Scoring, k: int, exclude: Iterable[int] = ()) -> Hits:
        """The k best rows by a score that is made of several cosines; all that are left where those are fewer.

        Args:
            scoring: The queries and how their cosines become a score.
            k: How many rows, 1 or more.
            exclude: Rows, from 0, that are not to be found.

        Returns:
            Rows and scores, (1, k) each.
        """
        left_out = np.unique(np.fromiter(exclude, np.int64))
        if not (k := min(check_k(k), self.n - len(left_out))):
            return Hits(np.empty((1, 0), np.int64), np.empty((1, 0), np.float32))
        self._asked += 1
        rows = self._candidates(scoring, k + len(left_out)) if scoring.linear or scoring.is_mul else None
        if rows is None:
            return self.best(self._all_scores(scoring), k, left_out, scoring)
        return self.rescore(rows[~np.isin(rows, left_out)], k, scoring)

    @property
    def _is_compiled(self) -> bool:
        """Whether compiled loops are worth loading."""
        return self._asked > self._when_coded.after and self.n * self.dim >= self._when_coded.min_numbers

    def _candidates(self, scoring: Scoring, k: int) -> Ints | None:
        """The rows among which the k best by a linear score or by 3CosMul are; None where the full pass is as good.

        Codes are made when the index is queried often, and dropped where they prune too little: vectors whose
        numbers differ much need more than 8 bits.
        """
        if not self._is_compiled or self._misses >= self._when_coded.max_misses:
            return None
        with self._making:
            if self._codes is None:
                from polysema.indexes.int8_codes import Codes

                cosine = self.metric is Metric.COSINE
                lengths = self._norms_of(np.arange(self.n), self._vectors) if cosine else np.ones(self.n, np.float32)
                self._codes = Codes(self._vectors, lengths)
            codes = self._codes
        linear, queries = scoring.linear, scoring.queries
        rows = codes.best(queries[0], k) if linear else codes.best_mul(queries, scoring.epsilon, k)
        if len(rows) <= self.n // 16:
            return rows
        with self._making:
            self._misses += 1
            if self._misses >= self._when_coded.max_misses:
                self._codes = None
        return None

    def _norms_of(self, rows: Ints, vectors: Floats) -> Floats:
        """The norms of some rows, whose vectors are at hand."""
        return self._norms[rows]

    def rescore(self, rows: Ints, k: int, scoring: Scoring) -> Hits:
        """The k best of some rows alone, with the scores that a search gives them.

        Args:
            rows: Rows, from 0, (m,).
            k: How many of them.
            scoring: The queries and how their cosines become a score.

        Returns:
            The rows, best first, (1, k).
        """
        return self._rescored([rows], k, [scoring])[0]

    def _rescored(self, rows: Sequence[Ints] | Ints, k: int, scorings: Sequence[Scoring]) -> list[Hits]:
        """As `rescore`, of some rows by each of several scores."""
        cosines = []
        for some, scoring in zip(rows, scorings, strict=True):
            vectors = self._vectors[some]
            if self.metric is Metric.COSINE:
                vectors = vectors * self._norms_of(some, vectors)[:, None]
            cosines.append(np.einsum("md,nd->mn", scoring.queries, vectors))  # (queries, rows)
        scores = [
            (c[0] if s.linear else s.combine(c)).astype(np.float32) for c, s in zip(cosines, scorings, strict=True)
        ]
        return [_first(some, values, k) for some, values in zip(rows, scores, strict=True)]

    def best(self, scores: Floats, k: int, left_out: Ints, scoring: Scoring | None = None) -> Hits:
        """The k best of scores that were computed before.

        Args:
            scores: (n,), as `scores` gives them.
            k: How many rows, 1 or more.
            left_out: (m,) rows, from 0, that are not to be found.
            scoring: With it the scores of the best are computed anew, so that they don't depend on the way they were
                found.

        Returns:
            Rows and scores, (1, k) each, best first.
        """
        if len(left_out) == self.n:
            return Hits(np.empty((1, 0), np.int64), np.empty((1, 0), np.float32))
        kept = scores[left_out]
        scores[left_out] = -np.inf
        rows = best_rows(scores[None], min(self.n - len(left_out), k + (MARGIN if scoring else 0)))[0]
        values = scores[rows]
        scores[left_out] = kept
        return self.rescore(rows, k, scoring) if scoring is not None else _first(rows, values, k)

    def best_by_each(self, scorings: Sequence[Scoring], k: int, left_out: Ints) -> list[Hits]:
        """The k best rows by each of several scores.

        Args:
            scorings: The queries of each, and how their cosines become a score.
            k: How many rows.
            left_out: Rows, from 0, that are not to be found.

        Returns:
            For each score its rows and scores, (1, k).
        """
        if len(left_out) == self.n or not scorings:
            return [Hits(np.empty((1, 0), np.int64), np.empty((1, 0), np.float32)) for _ in scorings]
        lines = [self.scores(scoring) for scoring in scorings]
        for line in lines:
            line[left_out] = -np.inf
        return self._rescored(best_rows(lines, min(self.n - len(left_out), k + MARGIN)), k, scorings)

    def scores(self, scoring: Scoring) -> Floats:
        """The score of every row.

        Args:
            scoring: The queries and how their cosines become a score.

        Returns:
            (n,)
        """
        self._asked += 1
        return self._all_scores(scoring)

    def _all_scores(self, scoring: Scoring) -> Floats:
        if scoring.is_mul and self._is_compiled:
            from polysema.indexes.int8_codes import three_cos_mul

            return three_cos_mul(self._vectors, self._norms, scoring.queries, scoring.epsilon)
        cosines = self.cosines(scoring.queries)
        return cosines[0] if scoring.linear else scoring.combine(cosines)

    def _search(self, queries: Floats, k: int, ask: QueryOptions) -> SearchResult:
        if ask.where is None:
            return SearchResult(*self._all(queries, k))
        if ask.passing * (24 + len(queries)) < self.n * (self._pass_cost(len(queries)) + len(queries)):
            rows = np.flatnonzero(ask.where)
            return SearchResult(*best_among(self._vectors, rows, queries, k, self.metric), 1.0, ask.how)
        if len(queries) == 1 and self._codes is None:
            scores = np.where(ask.where, self._every_score(queries), np.float32(-np.inf))
            near = best_rows(scores, min(ask.passing, k + MARGIN))
            return SearchResult(*rescored(self._vectors, near, queries, self.metric, k), 1.0, ask.how)
        more = min(self.n, 2 * k * self.n // ask.passing + 16)
        rows, scores = in_order(*self._all(queries, more))
        rows, scores, short = passed(rows, scores, ask.where, k)
        if len(short):
            some = np.flatnonzero(ask.where)
            rows[short], scores[short] = best_among(self._vectors, some, queries[short], k, self.metric)
        return SearchResult(rows, scores, 1.0, ask.how)

    def _pass_cost(self, n_queries: int) -> float:
        """What reading every row costs, in products of a row with one query; gathering it costs three times as much."""
        return 2.5 if n_queries == 1 and self._codes is not None else 8

    def _all(self, queries: Floats, k: int) -> tuple[Ints, Floats]:
        if len(queries) == 1 and self.metric is not Metric.EUCLIDEAN:
            self._asked += 1
            scoring = by_cosine("one query", queries[0])
            candidates = self._candidates(scoring, k)
            if candidates is None:
                candidates = best_rows(self._every_score(queries), min(self.n, k + MARGIN))[0]
            hits = self.rescore(candidates, k, scoring)
            return hits.rows, hits.scores
        rows = np.empty((len(queries), k), np.int64)
        scores = np.empty((len(queries), k), np.float32)
        for first in range(0, len(queries), QUERY_BLOCK):
            batch = queries[first : first + QUERY_BLOCK]
            rows[first : first + QUERY_BLOCK], scores[first : first + QUERY_BLOCK] = self._batch(batch, k)
        if self.metric is Metric.EUCLIDEAN:
            for query, found, score in zip(queries, rows, scores, strict=True):
                score[:] = -norms(self._vectors[found] - query)
        return rows, scores

    def _batch(self, queries: Floats, k: int) -> tuple[Ints, Floats]:
        rows, best = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        for start, block in self._blocks(len(queries)):
            scores = self._scores(block, queries, start)
            places = best_rows(scores, k)
            rows = np.concatenate([rows, places + start], axis=1)
            best = np.concatenate([best, np.take_along_axis(scores, places, axis=1)], axis=1)
            if start:
                places = best_rows(best, k)
                rows, best = np.take_along_axis(rows, places, axis=1), np.take_along_axis(best, places, axis=1)
        return rows, best


def _first(rows: Ints, values: Floats, k: int) -> Hits:
    """The k best of some rows, best first, equals by row: (1, k)."""
    order = np.lexsort((rows, -values))[:k]
    return Hits(rows[order][None].astype(np.int64), values[order][None])
