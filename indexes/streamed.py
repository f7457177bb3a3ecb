"""Exact search among rows that are read block by block: memory stays bounded whatever their number."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from polysema.core.progress import go_on
from polysema.core.space.analogy import Scoring
from polysema.core.space.hits import Hits
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints
from polysema.indexes.best_rows import best_rows
from polysema.indexes.exact import BLOCK_ROWS, ExactIndex
from polysema.indexes.int8_candidates import CodeOptions, default_codes
from polysema.indexes.scoring import MARGIN, factors

RESIDENT_BYTES = 32 << 20  # vectors up to this size are searched where they are, as one array
CODES_BYTES = 128 << 20  # 8-bit codes (a byte a number) that a streamed index makes at most
BLOCK_BYTES = 8 << 20  # of vectors that are looked at together


class StreamedIndex(ExactIndex):
    """Every row is compared, as by `ExactIndex` and with the same answers, over vectors that are never whole in memory.

    Norms are taken when a row is first read: beside n of them, and scores, a search holds one block of vectors.

    Args:
        vectors: (n, dim) finite float32: anything that gives slices and chosen rows.
        metric: `cosine`, `inner_product` or `euclidean`.
        n: Only the first so many rows; None for all.
    """

    def __init__(self, vectors: Floats, metric: "Metric | str" = Metric.COSINE, n: int | None = None):
        self.metric = Metric.parse(metric)
        self.n, self.dim = min(len(vectors), len(vectors) if n is None else n), int(vectors.shape[1])
        coded = self.n == len(vectors) and self.n * self.dim <= CODES_BYTES
        self._when_coded = default_codes() if coded else CodeOptions(max_misses=0)
        self._vectors = vectors
        self._asked = self._misses = 0
        self._making = threading.Lock()
        self._codes = None
        self._norms = np.full(0 if self.metric is Metric.INNER_PRODUCT else self.n, np.nan, np.float32)

    def _blocks(self, n_queries: int) -> Iterator[tuple[int, Floats]]:
        step = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * self.dim)))
        for start in range(0, self.n, step):
            go_on()
            block = np.asarray(self._vectors[start : min(start + step, self.n)])
            known = self._norms[start : start + len(block)]
            if np.isnan(known).any():
                known[:] = factors(block, self.metric)
            yield start, block

    def _norms_of(self, rows: Ints, vectors: Floats) -> Floats:
        if vectors is not self._vectors:
            return factors(vectors, self.metric)
        for _ in self._blocks(1):
            pass
        return self._norms

    def _all_scores(self, scoring: Scoring) -> Floats:
        out = np.empty(self.n, np.float32)
        for start, block in self._blocks(1):
            cosines = self._scores(block, scoring.queries, start)
            out[start : start + len(block)] = cosines[0] if scoring.linear else scoring.combine(cosines)
        return out

    def best_by_each(self, scorings: Sequence[Scoring], k: int, left_out: Ints) -> list[Hits]:
        """The k best rows by each of several scores, all of them in one pass.

        Args:
            scorings: The queries of each, and how their cosines become a score.
            k: How many rows.
            left_out: Rows, from 0, that are not to be found.

        Returns:
            For each score its rows and scores, (1, k).
        """
        most, left_out = k + MARGIN, np.unique(left_out)
        found = [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in scorings]
        queries = np.concatenate([scoring.queries for scoring in scorings] or [np.empty((0, self.dim), np.float32)])
        ends = np.cumsum([len(scoring.queries) for scoring in scorings])[:-1]
        for start, block in self._blocks(1):
            barred = left_out[(left_out >= start) & (left_out < start + len(block))] - start
            every = np.split(self._scores(block, queries, start), ends)
            for place, (scoring, cosines) in enumerate(zip(scorings, every, strict=True)):
                scores = (cosines[0] if scoring.linear else scoring.combine(cosines)).astype(np.float32, copy=False)
                scores[barred] = -np.inf
                near = best_rows(scores[None], most)[0]
                rows = np.concatenate([found[place][0], near + start])
                values = np.concatenate([found[place][1], scores[near]])
                order = np.lexsort((rows, -values))[:most]
                found[place] = rows[order], values[order]
        return [
            self.rescore(np.sort(rows[values > -np.inf]), k, scoring)
            for (rows, values), scoring in zip(found, scorings, strict=True)
        ]


def exact_index(vectors: Floats, metric: Metric, resident_bytes: int = RESIDENT_BYTES) -> ExactIndex:
    """The exact search over vectors: streamed where they are not an array and too large to be one.

    Args:
        vectors: (n, dim) float32, an array or read as one is.
        metric: How rows are compared.
        resident_bytes: Vectors up to this size are searched as one array.

    Returns:
        An index with the same answers either way.
    """
    if not getattr(vectors, "streams", False):
        return ExactIndex(vectors, metric)
    if len(vectors) * vectors.shape[1] * 4 <= resident_bytes:
        return ExactIndex(np.asarray(vectors), metric)
    return StreamedIndex(vectors, metric)
