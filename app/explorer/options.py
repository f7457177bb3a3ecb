"""Defaults, limits, and the options of queries."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from polysema.core.errors import UserError, check_list
from polysema.core.progress import Progress
from polysema.core.space.analogy import (
    EPSILON,
)
from polysema.core.space.lookup import Policy

if TYPE_CHECKING:
    from polysema.app.explorer.word_space import WordSpace
    from polysema.core.model.load import LoadOptions
    from polysema.core.space.space import Space

DEFAULT_SPACE = "glove-6b-50d"
DEFAULT_MODEL = "minilm-l6"
MAX_TEXTS = 64
MAX_CLUSTERED = 2000  # texts whose occurrences of a word are clustered
MAX_STEPS = 1000
OCCURRENCE_FORM = re.compile(r'\sin\s*"')
MAX_TEXT = 20_000
BASELINE_TEXTS = 200
MAP_LAYERS = 13  # a model with more layers keeps this many of the corpus, evenly spaced


class MatchedArguments(TypedDict, total=False):
    """What `MapExplorer.matched` takes by name alone: spaces between the two, and what is told of each stage."""

    through: "Sequence[str | Space | WordSpace]"
    progress: Progress


@dataclass(frozen=True, slots=True)
class AnalogyOptions:
    """Options of an analogy: its example `pairs` (3CosAvg, LRCos), the look-up `policy`, whether the `evidence` is
    gathered (the inputs' ranks and the other methods' answers: some passes more), 3CosMul's `epsilon`, and, with
    `restrict_vocab`, that only the first so many words of the space are answers (gensim's; files stand by frequency).
    `where`, `index` and `recall` are those of `SearchOptions`.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    policy: Policy = field(default_factory=Policy)
    evidence: bool = True
    epsilon: float = EPSILON
    restrict_vocab: int | None = None
    where: str = ""
    index: str = ""
    recall: float | None = None

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How neighbors are looked for: only rows that a filter lets pass (`where`, over the space's columns, or over
    `word` alone where it has none), by an index of a recipe such as `hnsw:M=16` (else exactly), to a `recall`, and
    among the first `restrict_vocab` words of the space alone (gensim's; files stand by frequency).
    """

    where: str = ""
    index: str = ""
    recall: float | None = None
    restrict_vocab: int | None = None


@dataclass(frozen=True, slots=True)
class OccurrenceOptions(SearchOptions):
    """How the occurrences nearest to a word in a text are looked for: of its `nth` one, as `SearchOptions` say."""

    nth: int = 1


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is loaded: see `polysema.load_model`. A `device` of None is the explorer's own."""

    device: str | None = None
    engine: str = "auto"
    compute: str = "float32"
    final_norm: str = "after"
    stack: str = "encoder"
    bos: bool = False
    patient: bool = False

    def named(self, progress: Progress) -> "LoadOptions":
        """What `load_model` takes by name alone."""
        return {
            "final_norm": self.final_norm,
            "stack": self.stack,
            "patient": self.patient,
            "bos": self.bos,
            "progress": progress,
        }


COLLECTION_LIMIT = "limit is of files of vectors and models: a collection's rows stand in no order of frequency"


def first_rows(restrict_vocab: int | None, n_rows: int) -> int:
    """How many rows of a space may be answers; raises `UserError` for a `restrict_vocab` below 1."""
    if restrict_vocab is not None and restrict_vocab < 1:
        raise UserError(
            f"restrict_vocab is how many words from the first on are searched, at least 1; got {restrict_vocab}"
        )
    return n_rows if restrict_vocab is None else min(restrict_vocab, n_rows)


def listed_texts(queries: object) -> list[str] | None:
    """Queries that are texts; None for vectors. Raises `TypeError` for one string where a list is meant."""
    check_list(queries, "queries")
    if not isinstance(queries, (list, tuple)) or not queries or not all(isinstance(one, str) for one in queries):
        return None
    return list(queries)


def check_epsilon(epsilon: float) -> float:
    """3CosMul's epsilon back; raises `UserError` outside of its range."""
    if not 0 < epsilon <= 1:
        raise UserError(f"epsilon is above 0 and at most 1; got {epsilon}")
    return epsilon


def parse_pair(text: str) -> tuple[str, str]:
    """The two words of an example pair, `man:woman`; raises `UserError`."""
    first, sign, second = text.partition(":")
    if not sign or not first.strip() or not second.strip():
        raise UserError(f"an example pair is written man:woman; got {text[:60]!r}")
    return first.strip(), second.strip()


def check_texts(texts: Sequence[str], least: int, most: int = MAX_TEXTS) -> None:
    """Raise `UserError` for too few or too many texts, for an empty one, and for one that is too long."""
    check_list(texts, "texts")
    if not least <= len(texts) <= most:
        raise UserError(f"give {least} to {most:,} texts; got {len(texts):,}")
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise UserError(f"text {number} is empty; write a sentence with the word in it")
        if len(text) > MAX_TEXT:
            raise UserError(
                f"text {number} has {len(text):,} characters; at most {MAX_TEXT:,} are read here (export takes more)"
            )
