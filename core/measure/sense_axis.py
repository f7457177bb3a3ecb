"""The axis between two groups of occurrences: the difference of their means, and whether it tells others apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polysema.core.errors import UserError
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats

MIN_OCCURRENCES = 2  # of each group: one is left out, and one is left
SHUFFLES = 200
Doubles = npt.NDArray[np.float64]
Members = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SenseAxis:
    """Where n occurrences lie between two groups: -1 is the mean of the first, 1 that of the second.

    Every occurrence of the two groups was left out of the means that it is measured by, so an axis that only fits what
    it was made of separates nothing here. `values` (n,) are the places, `accuracy` is the share of the two groups on
    its own side of 0, averaged over the groups; `shuffled` is the mean of that over labels at random, and `p_value` the
    share of such labels that separate as well.
    """

    ends: tuple[str, str]
    values: Floats
    accuracy: float
    shuffled: float
    p_value: float
    counts: tuple[int, int]


def sense_axis(
    vectors: Floats, labels: Sequence[str], ends: tuple[str, str], shuffles: int = SHUFFLES, seed: int = 0
) -> SenseAxis:
    """Project occurrences (n, dim), as unit vectors, on the difference of the means of two groups.

    Args:
        vectors: (n, dim)
        labels: The group of each; those of other groups are projected on the axis of all.
        ends: The two groups.
        shuffles: How often the labels of the two are shuffled, to see what chance separates.
        seed: Of the shuffles.

    Raises:
        UserError: The ends are the same, or a group has fewer than two occurrences.
    """
    names = np.asarray(labels, object)
    first, second = (names == end for end in ends)
    if ends[0] == ends[1]:
        raise UserError(f"an axis has two different ends; got {ends[0]!r} twice")
    for end, members in zip(ends, (first, second), strict=True):
        if members.sum() < MIN_OCCURRENCES:
            there = ", ".join(sorted({str(name) for name in labels if name})) or "none"
            raise UserError(
                f"an end of an axis has at least {MIN_OCCURRENCES} occurrences, since one is left out; {end!r} has "
                f"{int(members.sum())} (the groups: {there})"
            )
    directions = unit(np.ascontiguousarray(vectors, np.float32)).astype(np.float64)
    gram = directions @ directions.T  # (n, n)
    values = _places(gram, first[:, None], second[:, None])[:, 0]
    accuracy = float(_accuracy(values[:, None], first[:, None], second[:, None])[0])
    both = np.flatnonzero(first | second)
    generator = np.random.default_rng(seed)
    few = gram[np.ix_(both, both)]
    order = np.stack([generator.permutation(first[both]) for _ in range(shuffles)], axis=1)  # (members, shuffles)
    by_chance = _accuracy(_places(few, order, ~order), order, ~order)
    as_good = float((1 + (by_chance >= accuracy - 1e-12).sum()) / (1 + shuffles))
    counts = int(first.sum()), int(second.sum())
    return SenseAxis(ends, values.astype(np.float32), accuracy, float(by_chance.mean()), as_good, counts)


def _places(gram: Doubles, first: Members, second: Members) -> Doubles:
    """Where each row lies between two groups (n, columns), itself left out of the means; of several pairs of groups at
    once, a column each. Only the dot products of the rows (n, n) are needed.
    """
    own = np.diag(gram)[:, None]
    to, lengths = [], []  # each row's dot product with a mean, that mean's squared length
    for group in (first, second):
        members = group.astype(np.float64)
        n = members.sum(axis=0)
        sums = gram @ members  # of each row with the sum of the group
        whole = np.einsum("ij,ij->j", members, sums)  # the squared length of the sum
        left = n - members  # without the row itself
        to.append((sums - members * own) / left)
        lengths.append((whole - 2 * members * sums + members * own) / left**2)
    one, two = first.astype(np.float64), second.astype(np.float64)
    with_one, with_two = gram @ one, gram @ two
    # the two means' dot product, without what the row itself adds to it
    cross = np.einsum("ij,ij->j", one, with_two) - one * with_two - two * with_one
    cross = cross / ((one.sum(axis=0) - one) * (two.sum(axis=0) - two))
    width = lengths[0] + lengths[1] - 2 * cross  # the squared distance of the means
    ahead = (to[1] - to[0]) - (lengths[1] - lengths[0]) / 2
    found: Doubles = np.divide(2 * ahead, width, out=np.zeros_like(width), where=width > 1e-12)
    return found


def _accuracy(values: Doubles, first: Members, second: Members) -> Doubles:
    """The share of each group on its own side, averaged over the two, (columns,); a row at 0 is right by half."""
    right = (values < 0) + (values == 0) / 2
    low = (right * first).sum(axis=0) / first.sum(axis=0)
    high = ((1 - right) * second).sum(axis=0) / second.sum(axis=0)
    mean: Doubles = (low + high) / 2
    return mean
