"""A concordance sorted by meaning: occurrences of a word in an order in which neighbors mean alike."""

import numpy as np

from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

MAX_ORDERED_ROWS = 400  # rows whose leaves are ordered at best; the time grows with their square and more


def order_by_meaning(vectors: Floats) -> Ints:
    """An order of rows (n, dim) in which those that are alike stand together: the leaves of a tree, (n,).

    The tree is that of average linkage by the cosine distance; up to 400 rows its leaves are turned so that neighbors
    are as alike as may be (Bar-Joseph et al. 2001). It begins at the end at which row 0 stands.
    """
    n = len(vectors)
    if n < 3:
        return np.arange(n)
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    directions = unit(np.ascontiguousarray(vectors, np.float32)).astype(np.float64)
    distances = np.clip(1 - directions @ directions.T, 0, 2)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average", optimal_ordering=n <= MAX_ORDERED_ROWS)
    order: Ints = leaves_list(tree).astype(np.int64)
    return order if np.flatnonzero(order == 0)[0] < n / 2 else order[::-1].copy()
