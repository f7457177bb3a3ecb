"""Bias in vectors, measured: how two lists of words lean to two lists of attributes (WEAT, Caliskan et al. 2017), and
where words lie between the two attributes (RIPA, Ethayarajh et al. 2019).
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats

MAX_PARTITIONS = 20_000  # partitions that are all looked at; of more this many are drawn


@dataclass(frozen=True, slots=True, eq=False)
class Association:
    """How much more the `first` targets than the `second` lean to the first attributes.

    A word's lean (n,) is its mean cosine with the first attributes less that with the second. `effect` is the
    difference of the two means in standard deviations of all leans, from -2 to 2; `p` the share of the equal
    partitions of the targets that differ at least as much, of `n_partitions` looked at: exact where those are all, else
    (hits + 1) / (drawn + 1), which no number of draws makes zero (Phipson and Smyth 2010). `notes`
    say which words were found written otherwise.
    """

    first: Floats
    second: Floats
    effect: float
    p: float
    n_partitions: int
    notes: tuple[str, ...] = ()


def weat(first: Floats, second: Floats, toward: Floats, away: Floats, seed: int = 0) -> Association:
    """The Word Embedding Association Test (Caliskan et al. 2017) of two targets (n, dim) and two attributes (m, dim).

    All partitions are looked at where there are at most 20,000, else as many are drawn with a seed. Raises `UserError`
    for fewer than two words in a list, and for targets that all lean alike.
    """
    lists = {"first targets": first, "second targets": second, "first attributes": toward, "second attributes": away}
    for name, vectors in lists.items():
        if len(vectors) < 2:
            raise UserError(f"each of the four lists needs at least two words; the {name} have {len(vectors)}")
    units = [unit(np.ascontiguousarray(vectors, np.float32)).astype(np.float64) for vectors in lists.values()]
    leans = np.concatenate(units[:2]) @ units[2].mean(0) - np.concatenate(units[:2]) @ units[3].mean(0)
    n = len(first)
    spread = float(leans.std(ddof=1))
    if spread < 1e-12:
        raise UserError("all target words lean alike, so there is nothing to measure; choose other words")
    effect = float(leans[:n].mean() - leans[n:].mean()) / spread
    sums, count = _sums(leans, n, seed)
    # of a partition only the sum of its first part matters: the other is what is left
    hits = int(np.count_nonzero(sums >= leans[:n].sum() - 1e-12))
    p = hits / count if count == comb(len(leans), n) else (hits + 1) / (count + 1)
    return Association(leans[:n].astype(np.float32), leans[n:].astype(np.float32), effect, p, count)


def ripa(words: Floats, toward: Floats, away: Floats) -> Floats:
    """The relational inner product association (Ethayarajh et al. 2019) of each of several words, (n,).

    It is the inner product of the word's vector as it stands, not scaled, with a unit vector: the first principal
    component of the differences of the pairs `toward[i]`, `away[i]` where the two lists are of equal length, else the
    difference of their means. It is above 0 for a word that lies nearer to the first list.

    Args:
        words: (n, dim).
        toward: (m, dim).
        away: (k, dim).

    Raises:
        UserError: The two lists don't differ.
    """
    near, far = (np.asarray(one, np.float64) for one in (toward, away))
    mean = near.mean(0) - far.mean(0)
    if len(near) == len(far):
        direction = np.linalg.svd(near - far, full_matrices=False)[2][0]
        direction = direction if direction @ mean >= 0 else -direction
    else:
        direction = mean
    length = float(np.linalg.norm(direction))
    if float(np.abs(near.mean(0) - far.mean(0)).max()) < 1e-12:
        raise UserError("the two lists of attributes have one mean, so nothing lies between them; choose other words")
    found: Floats = np.asarray(words, np.float64) @ (direction / length)
    return found


def _sums(leans: Floats, n: int, seed: int) -> tuple[Floats, int]:
    count = comb(len(leans), n)
    if count <= MAX_PARTITIONS:
        rows = np.array(list(combinations(range(len(leans)), n)), np.int64)
    else:
        count = MAX_PARTITIONS
        rows = np.random.default_rng(seed).random((MAX_PARTITIONS, len(leans))).argsort(1)[:, :n]
    found: Floats = leans[rows].sum(1)
    return found, count
