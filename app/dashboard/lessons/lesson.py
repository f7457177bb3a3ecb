"""What a lesson is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.choices import family_of, reads_letters
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.progress import Progress
from polysema.core.space.space import Family

LessonInput = Mapping[str, str]

MODEL = "model"
MAX_TEXT = 4_000  # characters of one box


class Verdict(Enum):
    """What the measurement says about the lesson's claim."""

    WORKS = "It works here"
    PARTLY = "It works in part"
    FAILS = "It does not work here"


@dataclass(frozen=True, slots=True)
class LessonField:
    """What the learner may change: a line, several lines (`lines`), or one of `choices`, which are looked up when
    shown.

    `start` is what it holds at first, `letters` the same for a model that reads the letters of one word.
    """

    key: str
    label: str
    explains: str
    start: str = ""
    letters: str = ""
    lines: bool = False
    optional: bool = False
    choices: Callable[[], Sequence[str]] | None = None

    def first(self, reads_letters: bool) -> str:
        """What it holds at first."""
        if self.choices is not None:
            return next(iter(self.choices()), "")
        return self.letters if reads_letters and self.letters else self.start


@dataclass(frozen=True, slots=True)
class LessonResult:
    """What was measured: which wording holds, what is `said` about it (Markdown, texts of the user escaped), which of
    the lesson's options came out, the `rows` of numbers, and the Python lines that give the same. `shown` is for the
    picture; `notes` are what the measured answers tell besides, such as a word that was found under another spelling.
    """

    verdict: Verdict
    said: str
    option: int
    rows: Sequence[Mapping[str, Any]]
    python: str
    details: str
    shown: Any
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LessonChart:
    """How the rows of a measurement are drawn: `bars` of `y` named by `x`, or `lines` of `y` over `x`, one for each
    value of `series`.
    """

    kind: str
    x: str
    y: str
    title: str
    series: str = ""
    log: bool = False


@dataclass(frozen=True, slots=True)
class LessonFigures:
    """What a measurement gives a lesson's file to speak about: figures by their names, the rows behind them, how they
    are drawn, and the Python lines that give the same.
    """

    values: Mapping[str, str | float]
    rows: Sequence[Mapping[str, Any]]
    python: str
    details: str
    chart: LessonChart
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NextStep:
    """A way on: a page of the dashboard, with the state that its link restores; `{word}` stands for a field's value."""

    page: str
    label: str
    parameters: Mapping[str, str]

    def query(self, chosen: LessonInput) -> dict[str, str]:
        """The parameters of the link."""
        found = {}
        for name, value in self.parameters.items():
            for key, given in chosen.items():
                value = value.replace(f"{{{key}}}", given)
            found[name] = value
        return found


@dataclass(frozen=True, slots=True)
class LetterField:
    """How a lesson asks where its first model reads the letters of one word."""

    question: str
    options: tuple[str, ...]
    task: str
    presets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson: a question with the answers to choose from, a `check` that measures, and what there is to say.

    `claim` is the sentence that the check puts to the test; `reading` says how to read the picture that `draw` makes;
    `presets` are named values of the fields to try; `traps` what could fool the learner; `sources` the papers; `wants`
    a model that it would rather use, where that isn't here, and `letters` how it then asks. Lessons stand in the order
    of their `number`.
    """

    name: str
    chapter: str
    title: str
    idea: str
    question: str
    options: tuple[str, ...]
    claim: str
    fields: tuple[LessonField, ...]
    check: Callable[[Explorer, LessonInput, Progress], LessonResult]
    draw: Callable[[LessonResult, str], None]
    reading: str
    task: str
    presets: Mapping[str, Mapping[str, str]]
    traps: tuple[str, ...]
    ways: tuple[NextStep, ...]
    sources: tuple[str, ...] = ()
    minutes: int = 3
    wants: str = ""
    letters: LetterField | None = None
    number: int = 1000

    def starts(self, model: str = "") -> dict[str, str]:
        """What its fields hold at first, for one of the models that it may use."""
        model = model or next((f.first(False) for f in self.fields if f.key == MODEL), "")
        return {f.key: model if f.key == MODEL else f.first(reads_letters(model)) for f in self.fields}


def readers() -> list[str]:
    """The models here that read texts, encoders first."""
    return sorted(choices.models(), key=lambda name: family_of(name) is not Family.ENCODER)


def every_model() -> list[str]:
    """All models here, those that read texts first."""
    return [*readers(), *(name for name in choices.models(("letters",)))]


def encoders() -> list[str]:
    """The encoders here."""
    return [name for name in choices.models() if family_of(name) is Family.ENCODER]


def writers() -> list[str]:
    """The models here that write, the one that reads letters last."""
    return [name for name in every_model() if family_of(name) is not Family.ENCODER]


def checked(lesson: Lesson, query: LessonInput) -> dict[str, str]:
    """The values of a lesson's fields without the space around them; raises `UserError` for an empty one, one that is
    too long, and a choice that isn't there.
    """
    values = {f.key: query.get(f.key, "").strip() for f in lesson.fields}
    for f in lesson.fields:
        value = values[f.key]
        if f.choices is not None and value not in f.choices():
            there = ", ".join(f.choices())
            raise UserError(
                f"“{f.label}” has the choices {there}; got {value[:60]!r}"
                if there
                else f"“{f.label}” has nothing to choose from yet: bring a model with `polysema models pull minilm-l6`"
            )
        if not value and not f.optional:
            raise UserError(f"the box “{f.label}” is empty: write something into it, such as {f.start.splitlines()[0]}")
        if len(value) > MAX_TEXT:
            raise UserError(f"the box “{f.label}” holds {len(value):,} characters; at most {MAX_TEXT:,} are read here")
    return values


def lines_of(text: str) -> list[str]:
    """The lines of a box that are not empty, each once."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def words_in(text: str) -> list[str]:
    """The words of a box, with commas, spaces or lines between them, each once."""
    return list(dict.fromkeys(word for word in text.replace(",", " ").split() if word))


def maskers() -> list[str]:
    """The encoders here that fill masked words."""
    return [name for name in choices.models(SENTENCES, (Family.ENCODER,)) if name in FILLERS]


def translators() -> list[str]:
    """The encoder-decoders here that read sentences."""
    return choices.models(SENTENCES, (Family.ENCODER_DECODER,))


def answerers() -> list[str]:
    """The models here that say a word: decoders first, then those that fill a mask."""
    return [*choices.models(("texts",), (Family.DECODER,)), *maskers()]


def sentence_writers() -> list[str]:
    """The models here that write sentences: decoders first, then the translators."""
    return [*choices.models(SENTENCES, (Family.DECODER,)), *translators()]


SENTENCES = ("texts", "sentences")
FILLERS = ("bert-tiny-en", "bert-base")
CHOICES: dict[str, Callable[[], Sequence[str]]] = {
    "spaces": choices.spaces,
    "readers": readers,
    "every_model": every_model,
    "encoders": encoders,
    "writers": writers,
    "maskers": maskers,
    "translators": translators,
    "answerers": answerers,
    "sentence_writers": sentence_writers,
}
