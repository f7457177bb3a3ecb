"""What spaces and models score on benchmarks."""

from dataclasses import dataclass, field
from typing import ClassVar

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.serialization import json_form
from polysema.core.measure.int8 import LayerDifference
from polysema.core.space.space import Origin


@dataclass(frozen=True, slots=True)
class AnalogyScore:
    """A category, a group of them or the total (the last row of a method): `accuracy` in per cent of the `evaluated`
    questions, whose words are all in the vocabulary; NaN where there is none.
    """

    category: str
    method: str
    questions: int
    evaluated: int
    correct: int
    accuracy: float


@dataclass(frozen=True, slots=True, repr=False)
class AnalogyReport(AnswerTable[AnalogyScore]):
    """How many analogy questions a space answers; `protocol` says in a line how they were put.

    `category_means` are for each method the mean accuracy of its categories in per cent, each of equal weight: the
    figure that is published for BATS. Categories without an evaluated question don't count.
    """

    ROWS: ClassVar[str] = "rows"

    protocol: str
    origin: Origin
    rows: tuple[AnalogyScore, ...]
    category_means: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimilarityScore:
    """A set of rated pairs: correlations x 100 of cosines and ratings over the pairs that were `used`."""

    name: str = field(metadata=json_form(name="set"))
    pairs: int
    used: int
    spearman: float
    pearson: float
    n_missing: int = field(metadata=json_form(name="missing words"))


@dataclass(frozen=True, slots=True, repr=False)
class SimilarityReport(AnswerTable[SimilarityScore]):
    """How well cosines agree with people's ratings; `missing` are for each set the words that the space lacks."""

    ROWS: ClassVar[str] = "rows"

    protocol: str
    origin: Origin
    rows: tuple[SimilarityScore, ...]
    missing: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, repr=False)
class Int8Report(AnswerTable[LayerDifference]):
    """What the engine onnx-int8 costs a model, layer by layer: the cosine to float32, and both sense accuracies."""

    ROWS: ClassVar[str] = "rows"

    model: str
    rows: tuple[LayerDifference, ...]
