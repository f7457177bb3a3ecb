"""A word in its contexts, sorted by meaning."""

from dataclasses import dataclass, field
from typing import ClassVar

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.serialization import json_form
from polysema.core.display import Record
from polysema.core.space.space import Origin

MAX_CONTEXT = 40  # characters on each side in a table


@dataclass(frozen=True, slots=True)
class ConcordanceLine:
    """An occurrence: its text with the word at characters [start, end), and its sense where it is annotated.

    `number` is its place in the order of the texts, from 1. The `cosine` is that with the line before, or, where the
    lines are sorted by one of them, with that; NaN for the first line.
    """

    number: int
    text: str
    start: int
    end: int
    cosine: float = field(metadata=json_form(null=True))
    sense: str = field(default="", metadata=json_form(omitted=True))

    @property
    def parts(self) -> tuple[str, str, str]:
        """What stands before the word, the word, and what stands behind it."""
        return self.text[: self.start], self.text[self.start : self.end], self.text[self.end :]


@dataclass(frozen=True, slots=True, repr=False)
class Concordance(AnswerTable[ConcordanceLine]):
    """The occurrences of a word at a layer, those that mean alike beside each other, or the nearest to one first.

    `like` is the number of that one; `baseline` the mean cosine of two words at random.
    """

    ROWS: ClassVar[str] = "lines"

    word: str
    lines: tuple[ConcordanceLine, ...]
    like: int | None
    baseline: float
    origin: Origin

    def _record(self, row: ConcordanceLine) -> Record:
        before, word, behind = row.parts
        found: dict[str, object] = {
            "number": row.number,
            "before": before[-MAX_CONTEXT:].rjust(MAX_CONTEXT),
            "word": word,
        }
        return found | {"behind": behind[:MAX_CONTEXT], "cosine": row.cosine, "sense": row.sense}
