"""Analogies by vector arithmetic (3CosAdd; Mikolov et al. 2013, Levy and Goldberg 2014).

This module makes the *target vector* and names the rows to leave out; whoever holds an index looks it up.
"""

from dataclasses import dataclass

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.expression import Expression
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints, Space


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Where an expression points: `vector` (dim,), and the words it was made of.

    `rows` are the rows of the input words, `words` their names in the space, `weights` what each entered with.
    """

    expression: Expression
    vector: Floats
    rows: Ints
    words: tuple[str, ...]
    weights: tuple[float, ...]


def target(space: Space, expression: Expression) -> Target:
    """The sum of the words' unit vectors, weighted: 3CosAdd's b - a + c for `b - a + c`.

    Raises `UnknownWordError` for a word that the space doesn't hold, and `UserError` when the sum is zero.
    """
    rows = np.array([space.resolve(term.word) for term in expression.terms], np.int64)
    weights = np.array([term.weight for term in expression.terms], np.float32)
    vector = weights @ unit(np.asarray(space.vectors[rows]))  # (terms,) @ (terms, dim) -> (dim,)
    if not np.linalg.norm(vector) > 1e-6:
        raise UserError(f"{expression} adds up to nothing: the words cancel out, so there is no direction to look in")
    return Target(expression, vector, rows, tuple(space.keys.take(rows)), tuple(float(w) for w in weights))
