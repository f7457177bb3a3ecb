"""How alike any two vectors of a layer are (Ethayarajh 2019): the baseline beside which a cosine means something."""

import numpy as np

from polysema.core.space.metric import unit
from polysema.core.space.space import Floats

RANDOM_PAIRS = 20_000
NUMBERS_TOGETHER = 500_000  # of the vectors of pairs that are in memory at a time


def random_pair_cosine(vectors: Floats, texts: "np.typing.ArrayLike", seed: int = 0) -> float:
    """Mean cosine of random pairs of rows that come from different texts.

    `vectors` is (n, dim), `texts` (n,) numbers the text of each row; 20,000 pairs are drawn with a fixed seed.
    Returns nan when all rows come from one text, and where there are none.
    """
    if not len(vectors):
        return float("nan")
    numbers = np.asarray(texts)
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, len(vectors), (2, RANDOM_PAIRS))
    apart = numbers[a] != numbers[b]
    if not apart.any():
        return float("nan")
    pairs, cosines = np.stack([a[apart], b[apart]]), np.empty(int(apart.sum()), np.float32)
    step = max(1, NUMBERS_TOGETHER // max(1, vectors.shape[1]))
    for start in range(0, len(cosines), step):
        some = pairs[:, start : start + step]
        first, second = (unit(np.asarray(vectors[rows])) for rows in some)  # of a mapped space only what is drawn
        cosines[start : start + step] = np.einsum("ij,ij->i", first, second)
    return float(cosines.mean())
