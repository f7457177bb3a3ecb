"""Many single queries of an exact index at once: the vectors are read once for some of them, not once for each."""

from collections.abc import Iterator, Sequence

from polysema.core.space.analogy import by_cosine
from polysema.core.space.hits import Hits
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import check_k
from polysema.indexes.exact import ExactIndex

MAX_SCORES = 8 << 20  # cosines that are in memory together, four bytes each


def search_each(index: ExactIndex, queries: Floats, k: int, left_out: Sequence[Ints]) -> Iterator[Hits]:
    """The answers of `index.search_scored` to each of several queries.

    Args:
        index: Of the cosine.
        queries: (n_queries, dim) of length 1.
        k: How many rows for each, 1 or more; all that are left where those are fewer.
        left_out: For each query the rows, (m,), that are not to be found.

    Yields:
        The rows and scores of each query, (1, k).
    """
    check_k(k)
    step = max(1, MAX_SCORES // index.n)
    for start in range(0, len(queries), step):
        some = slice(start, start + step)
        for scores, query, rows in zip(index.cosines(queries[some]), queries[some], left_out[some], strict=True):
            yield index.best(scores, min(k, index.n - len(rows)), rows, by_cosine("neighbors", query))
