"""From sub-words to words: the vectors of a word's tokens made into one."""

from collections.abc import Callable, Sequence

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.space import Floats, Ints


def _first(tokens: Floats, starts: Ints, ends: Ints) -> Floats:
    return tokens[:, starts]


def _last(tokens: Floats, starts: Ints, ends: Ints) -> Floats:
    return tokens[:, ends - 1]


def _mean(tokens: Floats, starts: Ints, ends: Ints) -> Floats:
    sums = np.add.reduceat(tokens, starts, axis=1)
    return (sums / (ends - starts).astype(np.float32)[:, None]).astype(np.float32, copy=False)


def _max(tokens: Floats, starts: Ints, ends: Ints) -> Floats:
    return np.maximum.reduceat(tokens, starts, axis=1)


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


def pool(hidden: Floats, groups: Sequence[Sequence[int]], pooling: str = "mean") -> Floats:
    """The words' vectors, (n_layers, n_words, dim), from those of all tokens, `hidden` (n_layers, n_tokens, dim).

    `groups` lists each word's token rows, in their order; none of the lists is empty.
    """
    if not groups:
        return np.empty((hidden.shape[0], 0, hidden.shape[2]), np.float32)
    sizes = np.array([len(group) for group in groups], np.int64)
    if not (sizes > 0).all():
        raise ValueError("every word needs at least one token")
    flat = np.concatenate([np.asarray(group, np.int64) for group in groups])
    ends = np.cumsum(sizes)
    if len(flat) == len(sizes):  # every word is one token: nothing to pool
        return hidden[:, flat]
    return POOLINGS[check_pooling(pooling)](hidden[:, flat], ends - sizes, ends)
