"""Answers about the words of a collection, and about own sentences beside its occurrences."""

from dataclasses import dataclass, field
from typing import ClassVar

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.serialization import json_form
from polysema.core.space.space import Floats, Origin


@dataclass(frozen=True, slots=True)
class WordCount:
    """A word as it is most often written, and how often it stands there, in any case."""

    word: str
    count: int


@dataclass(frozen=True, slots=True, repr=False)
class WordCounts(AnswerTable[WordCount]):
    """The most frequent words of a space's texts that begin with a prefix, of `matched` such words.

    `by` is `word` where every row is a word, or `text` where the rows are whole texts, whose words are counted. Of
    `n_rows` rows; `total` words are there in all, however often.
    """

    ROWS: ClassVar[str] = "words"

    words: tuple[WordCount, ...]
    matched: int
    total: int
    n_rows: int
    by: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class WordOccurrence:
    """A row of the space (from 0, with its id) in which a word stands, at characters [start, end) of the text; `label`
    is what a chosen column says of it.
    """

    row: int
    id: str
    text: str
    start: int
    end: int
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WordOccurrences(AnswerTable[WordOccurrence]):
    """Occurrences of a word in the texts of a space, in its order: of the `found` so many, evenly spread.

    `vectors` (n, dim) are those of the rows: the word's own where every row is a word, else the text's.
    """

    ROWS: ClassVar[str] = "occurrences"

    word: str
    occurrences: tuple[WordOccurrence, ...]
    found: int
    vectors: Floats = field(metadata=json_form(flat=True))
    dim: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class NearOccurrence:
    """An occurrence near a sentence: its place among those of the word's map, from 0, and its cosine."""

    place: int
    text: str
    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class SentenceVerdict:
    """A sentence of one's own, `name`, and the occurrences of its word nearest to it: `votes` of them are `label`.

    Where as many are of another label, the nearest decides. `label` is empty where none has one.
    """

    name: str
    text: str
    start: int
    end: int
    label: str
    votes: int
    neighbors: tuple[NearOccurrence, ...]

    @property
    def sentence(self) -> str:
        """Such as: like money: 4 of 5 nearest."""
        return f"like {self.label or 'none that has a label'}: {self.votes} of {len(self.neighbors)} nearest"


@dataclass(frozen=True, slots=True, repr=False)
class VerdictsAnswer(AnswerTable[SentenceVerdict]):
    """What own sentences are like at a layer, each beside the occurrences nearest to it."""

    ROWS: ClassVar[str] = "sentences"

    word: str
    layer: int
    by: str
    sentences: tuple[SentenceVerdict, ...]
    baseline: float
    origin: Origin

    def _record(self, row: SentenceVerdict) -> dict[str, object]:
        return {"name": row.name, "verdict": row.sentence, "text": row.text}


@dataclass(frozen=True, slots=True)
class AxisPlace:
    """Where an occurrence lies on an axis: -1 is the mean of one end, 1 that of the other."""

    value: float
    label: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, repr=False)
class SenseAxisAnswer(AnswerTable[AxisPlace]):
    """Every occurrence of a word on the axis between two groups, each left out of the means that it is measured by.

    `accuracy` is the mean over the two groups of the share on its own side of 0, `shuffled` what random labels reach,
    and `p_value` the share of those that reach as much. `made_of_vectors` says that the groups are clusters of the same
    vectors, which lie apart by construction.
    """

    ROWS: ClassVar[str] = "places"

    word: str
    layer: int
    by: str
    ends: tuple[str, str]
    counts: tuple[int, int]
    accuracy: float
    shuffled: float
    p_value: float
    made_of_vectors: bool
    places: tuple[AxisPlace, ...]
    origin: Origin
