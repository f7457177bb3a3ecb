"""From sub-words to words: the vectors of a word's tokens made into one."""

from collections.abc import Callable

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.space import Floats, Ints


def _first(tokens: Floats, starts: Ints, sizes: Ints) -> Floats:
    return tokens[starts]


def _last(tokens: Floats, starts: Ints, sizes: Ints) -> Floats:
    found: Floats = tokens[starts + sizes - 1]
    return found


def _mean(tokens: Floats, starts: Ints, sizes: Ints) -> Floats:
    sums: Floats = np.add.reduceat(tokens, starts, axis=0)
    sums /= sizes.astype(np.float32)[:, None]
    return sums


def _max(tokens: Floats, starts: Ints, sizes: Ints) -> Floats:
    return np.maximum.reduceat(tokens, starts, axis=0)


POOLINGS: dict[str, Callable[[Floats, Ints, Ints], Floats]] = {
    "first": _first,
    "last": _last,
    "mean": _mean,
    "max": _max,
}


def check_pooling(name: str) -> str:
    """The name back; raises `UserError` when there is no such pooling."""
    if name not in POOLINGS:
        raise UserError(f"pooling {name!r} does not exist; choose one of {', '.join(POOLINGS)}")
    return name


def pool(state: Floats, places: Ints, sizes: Ints, pooling: str = "mean") -> Floats:
    """The words' vectors, (n_words, dim), from those of all tokens, `state` (n_tokens, dim).

    `places` are the tokens of one word after the other, `sizes` how many each word has: at least one.
    """
    tokens = state[places]
    if len(places) == len(sizes):  # every word is one token: nothing to pool
        return tokens
    return POOLINGS[check_pooling(pooling)](tokens, np.cumsum(sizes) - sizes, sizes)
