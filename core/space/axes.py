"""Words beside each other: the odd one out, the means of lists, the two ends of an axis, parallel differences."""

from collections.abc import Sequence

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.lookup import WordMatch
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints, Space


def mean_vector(space: Space, found: Sequence[WordMatch]) -> Floats:
    """The mean of words' vectors as they stand in the space (not scaled to length 1), (dim,), as gensim takes it.

    A word that is several rows, or none (an occurrence), enters with its unit vector.
    """
    rows = [np.asarray(space.vectors[f.rows[0]]) if len(f.rows) == 1 else f.vector for f in found]
    mean: Floats = np.stack(rows).mean(axis=0)
    return mean


def odd_one_out(vectors: Floats) -> tuple[Ints, Floats]:
    """Places of (n, dim) vectors from the one that fits least on, and each one's cosine with the mean of all: (n,),
    (n,).
    """
    directions = unit(np.ascontiguousarray(vectors, np.float32))
    mean = unit(directions.mean(axis=0)[None])[0]
    scores = directions @ mean
    return np.argsort(scores, kind="stable"), scores


def axis_ends(axis: str) -> tuple[str, str]:
    """The two ends of an axis written `poor -> rich`; raises `UserError` for another form."""
    parts = [part.strip() for part in axis.replace("\u2192", "->").split("->")]
    if len(parts) != 2 or not all(parts):
        raise UserError(f'an axis is written with two ends, such as "poor -> rich"; got {axis[:60]!r}')
    return parts[0], parts[1]


def parallel_share(cosine: float, vectors: Floats, n: int = 4000, seed: int = 0) -> float:
    """Which share of n pairs of differences of random rows of (n_rows, dim) is at least as parallel as `cosine` says.

    Beside it stands the cosine of `queen - king` with `woman - man`: a small share says that chance doesn't make it.
    """
    if len(vectors) < 4:
        raise UserError(f"random differences need at least 4 rows; got {len(vectors)}")
    rows = np.random.default_rng(seed).integers(0, len(vectors), (4, n))
    a, b, c, d = (unit(np.ascontiguousarray(vectors[each], np.float32)) for each in rows)
    return float((np.einsum("ij,ij->i", unit(a - b), unit(c - d)) >= cosine).mean())
