"""Answers of the verbs that gensim's KeyedVectors has: distances, the nearest of given words, the mean vector."""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.results.words import WordCosine
from polysema.app.explorer.serialization import json_form
from polysema.core.space.space import Floats, Origin


class WordDistance(NamedTuple):
    """A word and its cosine distance, 0 to 2."""

    word: str
    distance: float


@dataclass(frozen=True, slots=True, repr=False)
class DistancesAnswer(AnswerTable[WordDistance]):
    """Cosine distances (1 less the cosine) of a word to others, in the order in which those were given."""

    ROWS: ClassVar[str] = "words"

    word: str
    words: tuple[WordDistance, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, repr=False)
class MostSimilarAnswer(AnswerTable[WordCosine]):
    """Given words by their cosine with a word, the most similar one first."""

    ROWS: ClassVar[str] = "words"
    json_properties: ClassVar[tuple[str, ...]] = ("best",)

    word: str
    words: tuple[WordCosine, ...] = field(metadata=json_form(ranked=True))
    origin: Origin

    @property
    def best(self) -> str:
        """The most similar of the given words."""
        return self.words[0].word


@dataclass(frozen=True, slots=True, repr=False)
class RelativeSimilarityAnswer(AnswerTable[dict[str, object]]):
    """The cosine of two words over the sum of the cosines of the first one's k nearest (Leeuwenberg et al. 2016).

    Above 1/k the two are more similar than the first and its neighbors are on average.
    """

    first: str
    second: str
    relative: float
    cosine: float
    k: int
    origin: Origin


@dataclass(frozen=True, slots=True, repr=False)
class MoversDistanceAnswer(AnswerTable[dict[str, object]]):
    """The Word Mover's Distance of two texts, by the words that are known; `left_out` are the others."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    distance: float
    left_out: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MeanVectorAnswer(AnswerTable[dict[str, object]]):
    """The weighted mean `vector` (dim,) of words; `left_out` are those that aren't there."""

    words: tuple[str, ...]
    weights: tuple[float, ...]
    vector: Floats
    left_out: tuple[str, ...]
    origin: Origin
