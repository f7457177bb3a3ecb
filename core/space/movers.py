"""Word Mover's Distance (Kusner et al. 2015): the least cost of moving one text's words to another's."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from polysema.core.errors import UserError
from polysema.core.space.array_types import Floats
from polysema.core.space.metric import unit

Numbers: TypeAlias = npt.NDArray[np.float64]
MAX_DISTINCT_WORDS = 300  # of one text: the plan has a number for each pair


def word_movers_distance(first: Sequence[str], second: Sequence[str], vectors: dict[str, Floats]) -> float:
    """The least mean distance that the words of one text move to become those of the other.

    Every word weighs as often as it stands in its text; a move costs the Euclidean distance of the two unit vectors.

    Args:
        first: The words of a text, each in `vectors`.
        second: Those of the other.
        vectors: The vector (dim,) of each word.

    Returns:
        0 for the same words, and for unit vectors at most 2.

    Raises:
        UserError: A text has no word, or too many different ones.
    """
    weights = [Counter(words) for words in (first, second)]
    for one in weights:
        if not 1 <= len(one) <= MAX_DISTINCT_WORDS:
            raise UserError(f"each text needs 1 to {MAX_DISTINCT_WORDS} different known words; got {len(one)}")
    sides = [unit(np.stack([vectors[word] for word in one])).astype(np.float64) for one in weights]
    costs = np.linalg.norm(sides[0][:, None] - sides[1][None], axis=-1)  # (n, m)
    shares = [np.array(list(one.values()), np.float64) / sum(one.values()) for one in weights]
    return _least_cost(costs, shares[0], shares[1])


def _least_cost(costs: Numbers, sources: Numbers, targets: Numbers) -> float:
    """The cost of the best transport of sources (n,) to targets (m,): a linear program of n x m flows."""
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, kron, vstack

    n, m = costs.shape
    if 1 in (n, m):
        return float((costs * sources[:, None] * targets).sum())
    rows = kron(eye_array(n), np.ones((1, m)))
    columns = kron(np.ones((1, n)), eye_array(m))
    # one equation follows from the others
    equations = cast("Numbers", vstack([rows, columns.tocsr()[:-1]]))  # scipy's types know dense ones alone
    found = linprog(costs.ravel(), A_eq=equations, b_eq=np.concatenate([sources, targets[:-1]]), method="highs")
    if found.fun is None:
        raise UserError(f"no plan that moves the words was found: {found.message}")
    return float(found.fun)
