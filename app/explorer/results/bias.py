"""What is measured of the bias in vectors."""

from dataclasses import dataclass
from typing import ClassVar

from polysema.app.explorer.answer_table import AnswerTable


@dataclass(frozen=True, slots=True)
class BiasScore:
    """A test in a space, or at a `layer` of a model: None for vectors of words alone.

    WEAT: `effect` in standard deviations, -2 to 2, and its `p` of `n_partitions`, which is `exact` where those are all
    there are. RIPA: the means of the first and the second words, in the unit of the vectors.
    """

    test: str
    source: str
    layer: int | None
    effect: float
    p: float
    n_partitions: int
    exact: bool
    ripa_first: float
    ripa_second: float


@dataclass(frozen=True, slots=True, repr=False)
class BiasReport(AnswerTable[BiasScore]):
    """How much more the first words of tests than the second lean to some words than to others."""

    ROWS: ClassVar[str] = "rows"

    protocol: str
    rows: tuple[BiasScore, ...]
    notes: tuple[str, ...] = ()
