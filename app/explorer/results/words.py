"""Answers about the words of a space: neighbors, analogies, relations."""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.serialization import json_form
from polysema.core.display import Record
from polysema.core.space.space import Floats, Origin

# 3CosMul multiplies and LRCos weighs: theirs are no cosines
METHODS_WITHOUT_COSINE = ("3cosmul", "lrcos")
VECTOR_FIELDS = ("target", "input_vectors")  # of an analogy: left out unless requested


class WordCosine(NamedTuple):
    """A word and a cosine."""

    word: str
    cosine: float


class WordCosines(NamedTuple):
    """A word and its cosine with each of several axes."""

    word: str
    cosines: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A row that was found: `score` is its cosine (or the method's score), `rank` counts from 1.

    `text` is where it stands, for an occurrence in a contextual space.
    """

    rank: int
    key: str = field(metadata=json_form(name="word"))
    score: float = field(metadata=json_form(score=True))
    row: int
    text: str = field(default="", metadata=json_form(omitted=True))


@dataclass(frozen=True, slots=True, repr=False)
class NeighborAnswer(AnswerTable[Neighbor]):
    """The nearest words of a word; `word` is its name in the space, `how` it was found, by which `policy`.

    `search` says how the neighbors were looked for, and `recall` which share of the nearest is expected among them.
    """

    ROWS: ClassVar[str] = "neighbors"

    query: str
    word: str
    neighbors: tuple[Neighbor, ...]
    origin: Origin
    how: str
    policy: str
    search: str = "exact"
    recall: float | None = 1.0


@dataclass(frozen=True, slots=True, repr=False)
class QueryNeighbors(AnswerTable[Neighbor]):
    """The nearest rows of one of several questions; of a word also what it stands for."""

    ROWS: ClassVar[str] = "neighbors"

    neighbors: tuple[Neighbor, ...]
    query: str = field(default="", metadata=json_form(omitted=True))
    word: str = field(default="", metadata=json_form(omitted=True))
    how: str = field(default="", metadata=json_form(omitted=True))
    search: str = field(default="", metadata=json_form(omitted=True))
    recall: float | None = field(default=float("nan"), metadata=json_form(omitted=True))


@dataclass(frozen=True, slots=True, repr=False)
class NeighborAnswers(AnswerTable[QueryNeighbors]):
    """An answer for each of several questions, in their order; what they have in common stands beside them."""

    ROWS: ClassVar[str] = "answers"

    origin: Origin
    policy: str
    answers: tuple[QueryNeighbors, ...]

    @classmethod
    def of(cls, answers: tuple[NeighborAnswer, ...], origin: Origin, policy: str) -> "NeighborAnswers":
        """The answers about words of a space, whose notes go to its card."""
        notes = (note for one in answers for note in one.origin.notes)
        rows = tuple(QueryNeighbors(a.neighbors, a.query, a.word, a.how, a.search, a.recall) for a in answers)
        return cls(origin.with_notes(*notes), policy, rows)

    def each(self) -> tuple[NeighborAnswer, ...]:
        """The answers one by one, each with the card and the policy."""
        return tuple(
            NeighborAnswer(a.query, a.word, a.neighbors, self.origin, a.how, self.policy, a.search, a.recall)
            for a in self.answers
        )


@dataclass(frozen=True, slots=True)
class InputRank:
    """A word of the question, `how` it was found, and where it would have stood had it not been left out.

    `rank` is None for an occurrence in a text, which is no row of the space, and where no evidence was requested.
    """

    word: str
    weight: float
    rank: int | None
    score: float = field(metadata=json_form(score=True))
    how: str


@dataclass(frozen=True, slots=True, repr=False)
class MethodAnswer(AnswerTable[Neighbor]):
    """What another method, or a baseline, answers to the same question."""

    ROWS: ClassVar[str] = "neighbors"

    score_name: ClassVar[str] = "score"  # so that all methods stand in one table

    method: str
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer is worth: the best when the words of the question are not left out, and other methods' answers."""

    with_inputs: tuple[Neighbor, ...]
    beside: tuple[MethodAnswer, ...] = field(metadata=json_form(keyed=("method", "neighbors")))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AnalogyAnswer(AnswerTable[Neighbor]):
    """The answer to an expression. `target` (dim,) is the weighted sum of the unit vectors `input_vectors` (terms,
    dim).

    `inputs` are the words it was made of, which are left out of `neighbors`; `pairs` the examples that were used, and
    `pairs_left_out` those with an unknown word. `search` and `recall` are as in `NeighborAnswer`.
    """

    ROWS: ClassVar[str] = "neighbors"

    expression: str
    neighbors: tuple[Neighbor, ...]
    inputs: tuple[InputRank, ...] = field(metadata=json_form(name="left_out"))
    target: Floats = field(metadata=json_form(optional=True))
    input_vectors: Floats = field(metadata=json_form(optional=True))
    origin: Origin
    method: str
    policy: str
    evidence: Evidence | None = None
    pairs: tuple[str, ...] = ()
    pairs_left_out: tuple[str, ...] = ()
    search: str = "exact"
    recall: float | None = 1.0

    @property
    def score_name(self) -> str:
        """What the scores of the method are called: `cosine` where they are (PairDirection's: of two offsets), else
        `score`.
        """
        return "score" if self.method in METHODS_WITHOUT_COSINE else "cosine"


@dataclass(frozen=True, slots=True, repr=False)
class SimilarityAnswer(AnswerTable[dict[str, object]]):
    """Cosine of two words or of the means of two lists; `rank` is the second's among the first's neighbors."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    cosine: float
    rank: int | None
    origin: Origin


@dataclass(frozen=True, slots=True, repr=False)
class CloserAnswer(AnswerTable[WordCosine]):
    """The `words` that are nearer to `word` than `other` is, whose cosine is `limit`, nearest first.

    There are `n_words` in all, of which `words` may be the first.
    """

    ROWS: ClassVar[str] = "words"

    word: str
    other: str
    limit: float = field(metadata=json_form(name="cosine"))
    words: tuple[WordCosine, ...] = field(metadata=json_form(name="closer", ranked=True))
    origin: Origin
    n_words: int = field(metadata=json_form(name="count"))
    search: str = "exact"


@dataclass(frozen=True, slots=True, repr=False)
class OddAnswer(AnswerTable[WordCosine]):
    """Words with their cosine to the mean of all, the odd one first."""

    ROWS: ClassVar[str] = "words"

    json_properties: ClassVar[tuple[str, ...]] = ("odd",)

    words: tuple[WordCosine, ...]
    origin: Origin

    @property
    def odd(self) -> str:
        """The word that fits the others least."""
        return self.words[0].word


@dataclass(frozen=True, slots=True, repr=False)
class AxisAnswer(AnswerTable[WordCosines]):
    """Words with their cosine to each of the `axes`."""

    ROWS: ClassVar[str] = "words"

    axes: tuple[str, ...]
    words: tuple[WordCosines, ...]
    origin: Origin

    def _record(self, row: WordCosines) -> Record:
        word, cosines = row
        return {"word": word} | dict(zip(self.axes, cosines, strict=True))


@dataclass(frozen=True, slots=True)
class TravelStep:
    """A point on the way: how far along the axis it is, its cosine with the word, and its nearest words."""

    at: float
    cosine: float
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TravelAnswer(AnswerTable[TravelStep]):
    """A word's way along an axis; `points` (steps + 1, dim) are the vectors.

    `search` and `recall` are as in `NeighborAnswer`.
    """

    ROWS: ClassVar[str] = "steps"

    word: str
    axis: str
    steps: tuple[TravelStep, ...]
    points: Floats
    origin: Origin
    search: str = "exact"
    recall: float | None = 1.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AssociationAnswer(AnswerTable[dict[str, object]]):
    """How much more the words of the `first` list than those of the `second` lean to some words than to others (WEAT).

    A word's lean (n,) is its mean cosine with the ones less that with the others; the `effect` is the difference of the
    two lists' means in standard deviations, from -2 to 2; `p` the share of `n_partitions` of the words that differ at
    least as much.
    """

    first: Floats
    second: Floats
    effect: float
    p: float
    n_partitions: int
    origin: Origin

    @property
    def notes(self) -> tuple[str, ...]:
        """Which words were found written otherwise, and what else is to be known of the space."""
        return self.origin.notes


@dataclass(frozen=True, slots=True, repr=False)
class BaselineAnswer(AnswerTable[dict[str, object]]):
    """The mean cosine of random pairs of a space's rows, NaN where there is a single one."""

    baseline: float
    origin: Origin
