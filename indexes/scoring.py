"""Exact scores of chosen rows, and the exact search among them."""

from typing import Any

import numpy as np

from polysema.core.space.metric import Metric, norms
from polysema.core.space.space import Floats, Ints

BLOCK_ROWS = 4 << 20  # numbers gathered at a time: they stay within the cache's reach
GATHERED_NUMBERS = 4 << 20  # of rows that are gathered to be scored together
MARGIN = 8  # extra rows that are rescored, in case rounding swapped two of them


def factors(vectors: Floats, metric: Metric) -> Floats:
    """What a score needs beside a product, (n,): 1 over each length (0 for a zero vector) for the cosine, else the
    lengths.
    """
    length = norms(vectors)
    if metric is not Metric.COSINE:
        return length
    return np.divide(1, length, out=np.zeros_like(length), where=length > 0)


def scores_of(vectors: Floats, rows: Ints, queries: Floats, metric: Metric) -> Floats:
    """The score of each query's own rows: vectors (n, dim), rows (n_queries, m) -> (n_queries, m); -inf for row -1.

    For the cosine the queries have length 1; a zero row has the cosine 0.
    """
    if len(rows) > 1:
        return _scores_in_place(vectors, rows, queries, metric)
    taken, query = vectors[rows[0]], queries[0]  # (m, dim)
    if metric is Metric.EUCLIDEAN:
        taken = taken - query
        scores = -np.sqrt(np.einsum("md,md->m", taken, taken))
    else:
        scores = np.einsum("md,d->m", taken, query)
        if metric is Metric.COSINE:
            scores = _over(scores, np.sqrt(np.einsum("md,md->m", taken, taken)))
    scores = scores[None]
    if rows.min(initial=0) < 0:
        scores[rows < 0] = -np.inf
    found: Floats = scores
    return found


def _scores_in_place(vectors: Floats, rows: Ints, queries: Floats, metric: Metric) -> Floats:
    """As `scores_of`, by FAISS, which gathers nothing and shares the queries among its threads."""
    import faiss

    f: Any = faiss
    rows = np.ascontiguousarray(rows, np.int64)
    if getattr(vectors, "streams", False):  # of what is never whole in memory the rows are gathered
        step = max(1, GATHERED_NUMBERS // (rows.shape[1] * vectors.shape[1]))
        if len(rows) > step:
            parts = [slice(at, at + step) for at in range(0, len(rows), step)]
            return np.concatenate([_scores_in_place(vectors, rows[p], queries[p], metric) for p in parts])
        missing = rows < 0
        wanted, rows = np.unique(np.maximum(rows, 0), return_inverse=True)
        rows = np.where(missing, -1, rows.reshape(missing.shape)).astype(np.int64)
        vectors = vectors[wanted]
    (n_queries, m), dim, at = rows.shape, vectors.shape[1], f.swig_ptr
    vectors, queries = np.ascontiguousarray(vectors), np.ascontiguousarray(queries)
    scores = np.empty(rows.shape, np.float32)
    if metric is Metric.EUCLIDEAN:
        f.fvec_L2sqr_by_idx(at(scores), at(queries), at(vectors), at(rows), dim, n_queries, m)
        return -np.sqrt(scores)
    f.fvec_inner_products_by_idx(at(scores), at(queries), at(vectors), at(rows), dim, n_queries, m)
    if metric is Metric.COSINE:
        squares, zeros = np.empty(rows.shape, np.float32), np.zeros_like(queries)
        f.fvec_L2sqr_by_idx(at(squares), at(zeros), at(vectors), at(rows), dim, n_queries, m)
        squares[rows < 0] = 1
        scores = _over(scores, np.sqrt(squares))
    return scores


def _over(products: Floats, lengths: Floats) -> Floats:
    """Products over lengths; 0 for a zero row."""
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)


def rescored(vectors: Floats, rows: Ints, queries: Floats, metric: Metric, k: int) -> tuple[Ints, Floats]:
    """The k best of each query's own rows (n_queries, m) by their exact scores, best first, equal ones by row."""
    scores = scores_of(vectors, rows, queries, metric)
    order = np.lexsort((rows[0], -scores[0]))[None] if len(rows) == 1 else np.lexsort((rows, -scores))
    order = order[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def best_among(vectors: Floats, rows: Ints, queries: Floats, k: int, metric: Metric) -> tuple[Ints, Floats]:
    """The k best of `rows` (m,), ascending, for every query: (n_queries, min(k, m)) rows and exact scores, best
    first.
    """
    n_queries, most = len(queries), min(k + MARGIN, len(rows))
    step = max(256, (BLOCK_ROWS // 8 if n_queries == 1 else BLOCK_ROWS) // vectors.shape[1])
    best = np.full((n_queries, most), -1, np.int64)
    current = np.full((n_queries, most), -np.inf, np.float32)
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        together = some[-1] - some[0] + 1 == len(some)
        block = vectors[some[0] : some[-1] + 1] if together else vectors[some]
        scores = _products(block, queries, metric)  # (n_queries, step)
        for query in np.flatnonzero(scores.max(axis=1) > current[:, -1]):
            places = np.flatnonzero(scores[query] > current[query, -1])
            if len(places) > most:
                places = places[np.argpartition(-scores[query, places], most - 1)[:most]]
            merged = np.concatenate([current[query], scores[query, places]])
            order = np.argsort(-merged, kind="stable")[:most]
            best[query] = np.concatenate([best[query], some[places]])[order]
            current[query] = merged[order]
    return rescored(vectors, best, queries, metric, min(k, len(rows)))


def _products(block: Floats, queries: Floats, metric: Metric) -> Floats:
    """Scores that sort as the metric's do, rounding apart: block (m, dim), queries (q, dim) -> (q, m)."""
    # one query is bound by memory, not by arithmetic: BLAS's threads would only wait for each other
    products: Floats = np.einsum("md,d->m", block, queries[0])[None] if len(queries) == 1 else queries @ block.T
    if metric is Metric.INNER_PRODUCT:
        return products
    squares = np.einsum("md,md->m", block, block)
    if metric is Metric.EUCLIDEAN:
        found: Floats = 2 * products - squares
        return found
    return _over(products, np.sqrt(squares))
