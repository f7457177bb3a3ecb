"""`WordRelations`: the verbs of gensim's KeyedVectors, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import SearchOptions
from polysema.app.explorer.results.relations import (
    DistancesAnswer,
    MeanVectorAnswer,
    MostSimilarAnswer,
    MoversDistanceAnswer,
    RelativeSimilarityAnswer,
    WordDistance,
)
from polysema.app.explorer.results.words import WordCosine
from polysema.app.explorer.word_lookup import WordLookup, noted
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import UserError, list_of
from polysema.core.space.lookup import Case, Phrases, Policy, UnknownPolicy, WordMatch
from polysema.core.space.movers import word_movers_distance
from polysema.indexes.base import check_k

if TYPE_CHECKING:
    from polysema.app.explorer.space_search import SpaceSearch
    from polysema.core.space.space import Floats, Space

SKIPPING = Policy(Case.FALLBACK, Phrases.JOIN, UnknownPolicy.SKIP)


@checked_arguments
class WordRelations:
    """What gensim's users rely on: `explorer.space("glove-6b-50d").relations`."""

    def __init__(self, space: Space, lookup: WordLookup, search: SpaceSearch):
        self._space, self._lookup, self._search = space, lookup, search

    def distances(self, word: str, others: Sequence[str] = (), policy: Policy | None = None) -> DistancesAnswer:
        """The cosine distance of a word to others, or to every word of the space (gensim's distances).

        Args:
            word: The word.
            others: The others; none: all words of the space, the word itself among them.
            policy: How they are looked up.

        Returns:
            A distance, 0 to 2, for each in the order given.
        """
        found, rest = self._matches([word], policy)[0], self._matches(others, policy) if others else []
        if others:
            scores = np.stack([one.vector for one in rest]) @ found.vector
            names: Sequence[str] = [one.word for one in rest]
        else:
            scores = self._search.exact().cosines(found.vector[None])[0]
            names = self._space.keys
        rows = tuple(WordDistance(name, 1 - float(score)) for name, score in zip(names, scores, strict=True))
        return DistancesAnswer(found.word, rows, noted(self._space, [found, *rest]))

    def most_similar_to_given(
        self, word: str, others: Sequence[str], policy: Policy | None = None
    ) -> MostSimilarAnswer:
        """The given words by their cosine with a word (gensim's most_similar_to_given is the first, `best`).

        Args:
            word: The word.
            others: The words to choose from, at least one.
            policy: How they are looked up.

        Returns:
            The words, the most similar first; equals in the order given.
        """
        found, rest = self._matches([word], policy)[0], self._matches(others, policy)
        scores = np.stack([one.vector for one in rest]) @ found.vector
        order = np.argsort(-scores, kind="stable")
        rows = tuple(WordCosine(rest[place].word, float(scores[place])) for place in order)
        return MostSimilarAnswer(found.word, rows, noted(self._space, [found, *rest]))

    def relative_cosine_similarity(
        self, first: str, second: str, k: int = 10, policy: Policy | None = None
    ) -> RelativeSimilarityAnswer:
        """The cosine of two words over the sum of the cosines of the first one's k nearest (gensim's, by its name).

        Args:
            first: The word whose neighbors are taken.
            second: The other.
            k: How many neighbors (gensim's topn).
            policy: How the two are looked up.

        Returns:
            The quotient: above 1/k for words that are more similar than any pair, such as synonyms.
        """
        check_k(k)
        a, b = self._matches([first], policy)[0], self._matches([second], policy)[0]
        hits = self._search.search(a.vector[None], k, SearchOptions(), a.rows.tolist())
        total = sum(one.score for one in self._search.named(hits, 0))
        cosine = float(a.vector @ b.vector)
        if not total:
            raise UserError(f"{first!r} has no neighbors in {self._space.name}")
        return RelativeSimilarityAnswer(a.word, b.word, cosine / total, cosine, k, noted(self._space, [a, b]))

    def word_movers_distance(
        self, first: Sequence[str], second: Sequence[str], policy: Policy | None = None
    ) -> MoversDistanceAnswer:
        """The least mean distance that the words of one text move to become those of another (gensim's wmdistance).

        Args:
            first: The words of a text.
            second: Those of the other. Words that aren't there are left out.
            policy: How they are looked up; those that aren't there are left out by default.

        Returns:
            The distance by unit vectors, 0 to 2.

        Raises:
            UserError: A text has no known word, or more than 300 different ones.
        """
        sides, left_out = [], list[str]()
        vectors: dict[str, Floats] = {}
        found: list[WordMatch] = []
        for words in (first, second):
            there, missing = self._there(words, policy)
            left_out += missing
            found += there
            vectors |= {one.word: one.vector for one in there}
            sides.append(tuple(one.word for one in there))
        value = word_movers_distance(sides[0], sides[1], vectors)
        return MoversDistanceAnswer(sides[0], sides[1], value, tuple(left_out), noted(self._space, found))

    def mean_vector(
        self, words: Sequence[str], weights: Sequence[float] = (), normalize: bool = True, policy: Policy | None = None
    ) -> MeanVectorAnswer:
        """The weighted mean of words' vectors (gensim's get_mean_vector): their sum over that of the weights' sizes.

        Args:
            words: The words; those that aren't there are left out by default.
            weights: One for each; none: 1.
            normalize: Whether each vector is scaled to length 1 before (gensim's pre_normalize).
            policy: How they are looked up.

        Returns:
            The vector (dim,), and what was left out.
        """
        given = list_of(words, "words")
        if weights and len(weights) != len(given):
            raise UserError(f"there are {len(given)} words and {len(weights)} weights: give one for each")
        pairs = list(zip(given, weights or [1.0] * len(given), strict=True))
        there, used, left_out = list[WordMatch](), list[float](), list[str]()
        for word, weight in pairs:
            known, missing = self._there([word], policy)
            there, left_out = there + known, left_out + missing
            used += [float(weight)] * len(known)
        if not there or not any(used):
            raise UserError(f"a mean needs a word of {self._space.name} with a weight; got {', '.join(given)}")
        rows = [one.vector if normalize or len(one.rows) != 1 else self._row(one) for one in there]
        size = np.float32(np.abs(used).sum())
        mean = (np.array(used, np.float32)[:, None] * np.stack(rows)).sum(0) / size
        names = tuple(one.word for one in there)
        return MeanVectorAnswer(names, tuple(used), mean, tuple(left_out), noted(self._space, there))

    def _row(self, match: WordMatch) -> Floats:
        row: Floats = np.asarray(self._space.vectors[match.rows[0]])
        return row

    def _matches(self, words: Sequence[str], policy: Policy | None) -> list[WordMatch]:
        found = self._lookup.matches(words, policy)
        if not found:
            raise UserError(f"give a word of {self._space.name}; got {', '.join(words)!r}")
        return found

    def _there(self, words: Sequence[str], policy: Policy | None) -> tuple[list[WordMatch], list[str]]:
        """What words stand for, and those that aren't there."""
        found, missing = list[WordMatch](), list[str]()
        for word in list_of(words, "words"):
            match = self._lookup.matches([word], policy or SKIPPING)
            found, missing = found + match, missing + ([] if match else [word])
        return found, missing
