"""Columns of a space counted for charts, and what is typical of some of its rows."""

from dataclasses import dataclass

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.results.words import Neighbor


@dataclass(frozen=True, slots=True)
class ColumnBar:
    """A value of a column, or a range of them, with how many rows have it.

    Attributes:
        label: The value, or where the range begins.
        condition: What a row passes that has it, as a filter.
        count: Of the rows that pass what is said of the other columns.
        total: Of all rows.
        chosen: Whether rows of it pass what is said of this column; true without such a condition.
    """

    label: str
    condition: str
    count: int
    total: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """How the values of a column are distributed.

    Attributes:
        column: Its name.
        kind: "number", "date", "category", "boolean", or "list", whose bars are elements: a row may be in several.
        log: Whether the ranges grow by a factor.
        bars: The ranges in their order, or the most frequent values.
        other: Rows whose value is in no bar.
        missing: Rows without a value, or with an empty list.
    """

    column: str
    kind: str
    log: bool
    bars: tuple[ColumnBar, ...]
    other: int
    missing: int


@dataclass(frozen=True, slots=True, repr=False)
class ColumnCharts(AnswerTable[ColumnChart]):
    """The columns of a space, each counted among the rows that pass what a condition says of the others.

    Attributes:
        n: Rows.
        passing: Of them, those that pass the whole condition.
        where: The condition, written out; empty for none.
        charts: A chart for each column that has one.
    """

    ROWS = "charts"

    n: int
    passing: int
    where: str
    charts: tuple[ColumnChart, ...]


@dataclass(frozen=True, slots=True)
class WordShare:
    """A word with the share of the texts that have it, among some rows and among the rest."""

    word: str
    share: float
    rest: float


@dataclass(frozen=True, slots=True)
class ValueShare:
    """A value of a column with the share of the rows that have it, among some rows and among the rest.

    Attributes:
        column: Its name.
        value: The value, or the range of numbers.
        share: Of the rows that are looked at.
        rest: Of all others.
        condition: What the rows that have it pass.
    """

    column: str
    value: str
    share: float
    rest: float
    condition: str = ""


@dataclass(frozen=True, slots=True)
class TypicalRows:
    """What sets some rows of a space apart from the rest.

    Attributes:
        n: How many rows they are.
        of: Rows of the space.
        words: Words of their texts (or names) that the rest has less often, the most telling first.
        values: Values of columns that the rest has less often.
        nearest: The rows of the whole space that are nearest to their mean, `score` the cosine.
        inside: The mean cosine of the rows to their mean.
        outside: The mean cosine of the rest to it.
    """

    n: int
    of: int
    words: tuple[WordShare, ...]
    values: tuple[ValueShare, ...]
    nearest: tuple[Neighbor, ...]
    inside: float
    outside: float
