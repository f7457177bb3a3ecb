"""How words of a space stand to each other: nearness, the odd one, axes, associations, and the way along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import MAX_STEPS, SearchOptions
from polysema.app.explorer.results import (
    AssociationAnswer,
    AxisAnswer,
    CloserAnswer,
    OddAnswer,
    SimilarityAnswer,
    TravelAnswer,
    TravelStep,
    WordCosine,
    WordCosines,
)
from polysema.app.explorer.word_lookup import noted
from polysema.core.errors import UserError, list_of
from polysema.core.measure.bias import weat
from polysema.core.space.axes import mean_vector, odd_one_out
from polysema.core.space.metric import cosine
from polysema.core.space.transform import project
from polysema.indexes.base import check_k

if TYPE_CHECKING:
    from polysema.app.explorer.word_space import WordSpace
    from polysema.core.space.lookup import Policy


def similarity(
    words: WordSpace, first: Sequence[str], second: Sequence[str], policy: Policy | None
) -> SimilarityAnswer:
    """Cosine of two words, or of the mean vectors of two lists of words."""
    space, lookup = words.space, words.lookup
    a, b = lookup.matches(first, policy), lookup.matches(second, policy)
    if not a or not b:
        raise UserError(f"each side needs a word of {space.name}; got {', '.join((*first, *second))!r}")
    value = cosine(mean_vector(space, a), mean_vector(space, b))
    rank = None
    if len(a) == len(b) == 1 and len(a[0].rows) == len(b[0].rows) == 1:
        rank = len(closer_than(words, first[0], second[0], policy).words) + 1
    return SimilarityAnswer(tuple(f.word for f in a), tuple(f.word for f in b), value, rank, noted(space, [*a, *b]))


def closer_than(
    words: WordSpace, word: str, other: str, policy: Policy | None, search: SearchOptions | None = None
) -> CloserAnswer:
    """Every word that is nearer to `word` than `other` is, nearest first."""
    space = words.space
    found = words.lookup.matches([word, other], policy)
    if len(found) < 2 or not len(found[1].rows):
        raise space.unknown(other)
    scores = words.index.cosines(found[0].vector[None])[0]
    limit = float(scores[found[1].rows[0]])
    mask = None if search is None else words.search.mask(search)
    near = np.flatnonzero(scores > limit if mask is None else (scores > limit) & mask)
    near = near[~np.isin(near, np.concatenate([found[0].rows, found[1].rows]))]
    near = near[np.lexsort((near, -scores[near]))]
    nearer = tuple(map(WordCosine, space.keys.take(near), map(float, scores[near])))
    how = (
        "exact: an index finds the k nearest, not all that are nearer than a word"
        if words.search.uses_index(search or SearchOptions())
        else "exact"
    )
    return CloserAnswer(found[0].word, found[1].word, limit, nearer, noted(space, found), len(nearer), how)


def odd_word(words: WordSpace, given: Sequence[str], policy: Policy | None) -> OddAnswer:
    """The word that fits the others least: its cosine with the mean of all is the lowest."""
    space = words.space
    found = words.lookup.matches(given, policy)
    if len(found) < 2:
        raise UserError(f"give at least two words of {space.name}; got {', '.join(given)!r}")
    order, scores = odd_one_out(np.stack([f.vector for f in found]))
    ordered = tuple(WordCosine(found[place].word, float(scores[place])) for place in order)
    return OddAnswer(ordered, noted(space, found))


def axis_places(words: WordSpace, given: Sequence[str], axes: Sequence[str], policy: Policy | None) -> AxisAnswer:
    """The place of words on named axes: the cosine of each word with each axis."""
    space, axes = words.space, list_of(axes, "axes")
    if not axes:
        raise UserError('give at least one axis, such as "poor -> rich"')
    found = words.lookup.matches(given, policy)
    if not found:
        raise UserError(f"none of these words is in {space.name}: {', '.join(given)}")
    directions = [words.lookup.axis(axis, policy) for axis in axes]
    places = project(np.stack([f.vector for f in found]), [direction for direction, _ in directions])
    rows = tuple(WordCosines(f.word, tuple(map(float, row))) for f, row in zip(found, places, strict=True))
    return AxisAnswer(tuple(axes), rows, noted(space, [*found, *(f for _, ends in directions for f in ends)]))


def association(words: WordSpace, given: Sequence[Sequence[str]], policy: Policy | None) -> AssociationAnswer:
    """How much more the first words than the second lean to the third rather than to the fourth (WEAT)."""
    lists = [words.lookup.matches(each, policy) for each in given]
    for each, found in zip(given, lists, strict=True):
        if len(found) < 2:
            raise UserError(
                f"a list needs at least two words of {words.space.name}; of {', '.join(each)!r} it has {len(found)}"
            )
    one, two, near, far = (np.stack([f.vector for f in found]) for found in lists)
    made = weat(one, two, near, far)
    origin = noted(words.space, [each for found in lists for each in found])
    return AssociationAnswer(made.first, made.second, made.effect, made.p, made.n_partitions, origin)


@dataclass(frozen=True, slots=True)
class Journey:
    """The way of a word's unit vector along an axis: as far as `reach` times the axis, in equal steps."""

    word: str
    axis: str
    steps: int
    reach: float


def travel(words: WordSpace, way: Journey, k: int, search: SearchOptions) -> TravelAnswer:
    """The neighbors met on the way."""
    steps, reach = way.steps, way.reach
    if not 1 <= steps <= MAX_STEPS or not 0 < abs(reach) <= 100:
        raise UserError(f"steps go from 1 to {MAX_STEPS} and the reach from 0 to 100; got {steps} and {reach}")
    (found,) = words.lookup.matches([way.word])
    check_k(k)
    direction, ends = words.lookup.axis(way.axis)
    shares = np.linspace(0, reach, steps + 1, dtype=np.float32)
    points = found.vector + shares[:, None] * direction  # (steps + 1, dim)
    hits = words.search.search(points, k, search, found.rows.tolist())
    stops = tuple(
        TravelStep(float(share), float(cosine(point, found.vector)), words.search.named(hits, step))
        for step, (share, point) in enumerate(zip(shares, points, strict=True))
    )
    how = (hits.how, hits.recall) if search != SearchOptions() or words.search.uses_index(search) else ("exact", 1.0)
    return TravelAnswer(found.word, way.axis, stops, points, noted(words.space, [found, *ends]), *how)
