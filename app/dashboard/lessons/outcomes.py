"""What a lesson says about the figures of its measurement: which option came out, whether the claim holds, in words."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polysema.app.dashboard import widgets
from polysema.app.dashboard.lessons.lesson import LessonFigures, LessonInput, LessonResult, Verdict
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.progress import Progress

Figure = str | float
_TERM = re.compile(r"\s*([a-z]\w*)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*")
_PLACE = re.compile(r"\{(\w+)(?::(\+?\.\d[f%]|,))?\}")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True)
class Term:
    """A comparison of a figure with a number, a word, or another figure."""

    figure: str
    sign: str
    other: str

    def holds(self, values: Mapping[str, Figure]) -> bool:
        """Whether it is so; two words are compared as words, numbers as numbers."""
        one, other = values[self.figure], values.get(self.other, self.other)
        if isinstance(one, str):
            return COMPARISONS[self.sign](one.strip().lower(), str(other).strip().strip("'\"").lower())
        return COMPARISONS[self.sign](one, float(other))


@dataclass(frozen=True, slots=True)
class Condition:
    """Comparisons that hold together, such as `cosine >= 0.5 and first == river`; none: always."""

    terms: tuple[Term, ...]

    @classmethod
    def read(cls, text: object, figures: Sequence[str]) -> "Condition":
        """The condition of a text; raises `UserError` for what is none."""
        if not isinstance(text, str):
            raise UserError(f"a condition is a text between quotes, such as 'probability > 0.5'; got {text!r}")
        terms = []
        for part in text.split(" and ") if text.strip() else []:
            found = _TERM.fullmatch(part)
            if found is None:
                raise UserError(f"a condition is written FIGURE < NUMBER (or ==, !=, <=, >, >=); got {part[:60]!r}")
            figure, sign, other = found.groups()
            if figure not in figures:
                raise UserError(f"the measurement gives no figure {figure!r}; it gives {', '.join(figures)}")
            if sign not in ("==", "!=") and other not in figures and not _is_number(other):
                raise UserError(f"{sign} compares with a number or a figure of the measurement; got {other[:60]!r}")
            terms.append(Term(figure, sign, other))
        return cls(tuple(terms))

    def holds(self, values: Mapping[str, Figure]) -> bool:
        """Whether all of it is so."""
        try:
            return all(term.holds(values) for term in self.terms)
        except ValueError:  # a number against a word
            return False


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Outcomes:
    """When each option came out (the first whose condition holds, else the last), when the claim holds or does so in
    part, and what is said, with {figures} in it.
    """

    options: tuple[Condition, ...]
    works: Condition
    partly: Condition | None
    said: str

    @classmethod
    def read(cls, head: Mapping[str, Any], said: str, figures: Sequence[str], n_options: int) -> "Outcomes":
        """Those of a lesson's file; raises `UserError` for what is missing or names no figure."""
        given = head.get("outcomes")
        if not isinstance(given, list) or len(given) != n_options:
            n = len(given) if isinstance(given, list) else 0
            raise UserError(
                f"outcomes are a list of conditions, one for each of the {n_options} options (the last may be empty); "
                f"got {n}"
            )
        if "works" not in head:
            raise UserError("it lacks works: the condition under which its claim holds")
        if not said:
            raise UserError("it lacks the section ## Measured, what is said about the figures")
        for name, _ in _PLACE.findall(said):
            if name not in figures:
                raise UserError(f"“Measured” has {{{name}}}; the figures are {', '.join(figures)}")
        rest = re.search(r"\{[^}]*\}?", _PLACE.sub("", said))
        if rest is not None:
            raise UserError(
                f"“Measured” has {rest[0][:40]}; a figure is written {{name}}, {{name:.2f}}, {{name:.0%}} or {{name:,}}"
            )
        partly = Condition.read(head["partly"], figures) if "partly" in head else None
        options = tuple(Condition.read(one, figures) for one in given)
        return cls(options, Condition.read(head["works"], figures), partly, said)

    def judged(
        self, measure: Callable[[Explorer, LessonInput, Progress], LessonFigures]
    ) -> Callable[[Explorer, LessonInput, Progress], LessonResult]:
        """The measurement with what is said about it."""

        def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
            return self.result(measure(explorer, query, progress))

        return check

    def result(self, found: LessonFigures) -> LessonResult:
        """What the figures say."""
        values = found.values
        last = len(self.options) - 1
        option = next((place for place, one in enumerate(self.options) if one.holds(values)), last)
        partly = self.partly is not None and self.partly.holds(values)
        verdict = Verdict.WORKS if self.works.holds(values) else Verdict.PARTLY if partly else Verdict.FAILS
        said = _PLACE.sub(lambda place: written(values[place[1]], place[2] or ""), self.said)
        return LessonResult(verdict, said, option, found.rows, found.python, found.details, found.chart, found.notes)


def written(value: Figure, form: str) -> str:
    """A figure for a sentence: a word as it is, a number in its form (`.2f`, `.0%`, `,`)."""
    if isinstance(value, str):
        return widgets.plain(value)
    if not math.isfinite(value):
        return "–"
    return (
        format(value, ",.0f" if form == "," else form)
        if form
        else f"{value:,.0f}"
        if float(value).is_integer()
        else f"{value:.3g}"
    )
