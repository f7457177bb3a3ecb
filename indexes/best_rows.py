"""The best places of lines of scores, and those of them that pass a filter."""

from collections.abc import Sequence

import numpy as np

from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Mask

LINE_BLOCK = 64


def best_rows(scores: Floats | Sequence[Floats], k: int) -> Ints:
    """Places of the k best of each line of (n_queries, n), or of a list of one line or more, ascending; among equals
    the first ones.
    """
    n = scores.shape[1] if isinstance(scores, np.ndarray) else len(scores[0])
    if n <= k:
        return np.broadcast_to(np.arange(n), (len(scores), n))
    best = np.empty((len(scores), k), np.int64)
    for query, line in enumerate(scores):
        candidates = _candidates(line, k)
        values = line[candidates]
        least = np.partition(values, len(values) - k)[-k]
        above = candidates[values > least]
        level = candidates[values == least][: k - len(above)]
        best[query] = np.sort(np.concatenate([above, level]))
    return best


def _candidates(line: Floats, k: int) -> Ints:
    """Places in ascending order among which the k best of `line` (n,) are, all that share the k-th score included.

    The k best blocks hold k scores at least as high as the least of their maxima: a block whose maximum is lower holds
    none of the k best. One pass finds the maxima, and the rest is looked at only where it matters. Block b is every
    n_blocks-th place from b on, so that the maxima are those of whole lines, which is several times as fast.
    """
    n_blocks = len(line) // LINE_BLOCK
    if n_blocks <= 4 * k:
        return np.arange(len(line))
    maxima = line[: n_blocks * LINE_BLOCK].reshape(LINE_BLOCK, n_blocks).max(axis=0)
    blocks = np.flatnonzero(maxima >= np.partition(maxima, n_blocks - k)[-k])
    inside = (np.arange(LINE_BLOCK)[:, None] * n_blocks + blocks).ravel()
    return np.concatenate([inside, np.arange(n_blocks * LINE_BLOCK, len(line))])


def passed(rows: Ints, scores: Floats, where: Mask, k: int) -> tuple[Ints, Floats, Ints]:
    """The first k of each query's rows (n_queries, more) that pass, and the queries for which there are fewer than
    k.
    """
    out = ~where[rows] | (rows < 0)
    order = np.argsort(out, axis=1, kind="stable")[:, :k]  # those that pass first, in their order
    dropped = np.take_along_axis(out, order, axis=1)
    rows = np.where(dropped, -1, np.take_along_axis(rows, order, axis=1))
    scores = np.where(dropped, np.float32(-np.inf), np.take_along_axis(scores, order, axis=1))
    return rows, scores, np.flatnonzero((~out).sum(axis=1) < k)
