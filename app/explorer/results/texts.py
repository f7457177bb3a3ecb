"""Answers about words in texts, layer by layer."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.results.words import Neighbor
from polysema.app.explorer.serialization import json_form
from polysema.core.display import Record
from polysema.core.space.space import Floats, Origin


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """At one layer: the cosine of every two occurrences, of each to the static vector, and of random pairs.

    `pairs` has one value for each pair (i, j), i < j, in the order of the texts; `static` one for each occurrence;
    `baseline` is the mean cosine of random pairs of words of the corpus of senses.
    """

    layer: int
    pairs: tuple[float, ...]
    static: tuple[float, ...]
    baseline: float


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(AnswerTable[LayerComparison]):
    """One word in several texts, layer by layer. `pieces` counts the sub-words that the static vector is made of."""

    ROWS: ClassVar[str] = "layers"

    word: str
    texts: tuple[str, ...]
    layers: tuple[LayerComparison, ...]
    pieces: int
    split: tuple[int, ...]
    origin: Origin

    def _record(self, row: LayerComparison) -> Record:
        numbers = range(1, len(self.texts) + 1)
        pairs = [f"{i}-{j}" for i in numbers for j in numbers if i < j]
        static = [f"{i}-static" for i in numbers]
        cosines = dict(zip([*pairs, *static], (*row.pairs, *row.static), strict=True))
        return {"layer": row.layer} | cosines | {"random pairs": row.baseline}


@dataclass(frozen=True, slots=True)
class SenseRow:
    """Leave-one-out sense accuracy of the nearest neighbor in one space; `layer` is None for a static vector."""

    model: str
    layer: int | None
    accuracy: float
    baseline: float


@dataclass(frozen=True, slots=True, repr=False)
class SenseReport(AnswerTable[SenseRow]):
    """The yardstick of the corpus of senses: `most_frequent` is what no static vector can beat; `notes` say what was
    left out.
    """

    ROWS: ClassVar[str] = "rows"

    occurrences: int
    words: int
    senses: int
    most_frequent: float
    rows: tuple[SenseRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OccurrenceHit:
    """An occurrence that was found: its text with the word at characters [start, end), and its sense if annotated."""

    rank: int
    word: str
    score: float
    text: str
    start: int
    end: int
    sense: str


@dataclass(frozen=True, slots=True, repr=False)
class OccurrenceAnswer(AnswerTable[OccurrenceHit]):
    """The occurrences nearest to a word in a sentence, at one layer, beside that layer's random-pair baseline.

    `static` are the nearest rows of the model's own input table to the word's static vector; `split` says that the text
    was longer than the model's window and read in overlapping windows.
    """

    ROWS: ClassVar[str] = "hits"

    word: str
    text: str
    start: int
    end: int
    hits: tuple[OccurrenceHit, ...]
    static: tuple[Neighbor, ...]
    baseline: float
    origin: Origin
    split: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class BaselinesAnswer(AnswerTable[dict[str, object]]):
    """For each layer of a model the mean cosine of random pairs of words, and the layers at which the corpus of senses
    is kept.
    """

    model: str
    baselines: tuple[float, ...]
    corpus_layers: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RowsAnswer(AnswerTable[dict[str, Any]]):
    """Rows with their `vectors` (n, dim); `split` lists the texts that were read in overlapping windows."""

    ROWS: ClassVar[str] = "rows"

    rows: tuple[dict[str, Any], ...]
    vectors: Floats = field(metadata=json_form(flat=True))
    dim: int
    origin: Origin
    split: tuple[int, ...] = ()
