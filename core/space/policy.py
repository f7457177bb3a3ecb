"""What a word that was asked for stands for in a space: one policy, reported with every answer."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np
import pyarrow.compute as pc

from polysema.core.errors import UserError
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints, Space


class Case(Enum):
    """Which spelling of a word counts."""

    EXACT = "exact"
    LOWER = "lower"
    FALLBACK = "fallback"  # as written, else in lower case
    IGNORE = "ignore"  # the first row, so the most frequent word, that differs in case alone


class Phrases(Enum):
    """What a phrase of several words stands for when the space doesn't hold it as it is written."""

    EXACT = "exact"
    JOIN = "join"  # new_york, new-york, newyork
    MEAN = "mean"  # joined, else the mean of its words' unit vectors


class Unknown(Enum):
    """What happens to a word that isn't there."""

    REFUSE = "refuse"
    SKIP = "skip"


_Choice = TypeVar("_Choice", bound=Enum)


def choose(kind: type[_Choice], name: "str | _Choice", what: str) -> _Choice:
    """The choice of that name; raises `UserError` naming those that exist."""
    if isinstance(name, kind):
        return name
    try:
        return kind(name)
    except ValueError:
        raise UserError(f"{what} {name!r} does not exist; choose one of {', '.join(c.value for c in kind)}") from None


@dataclass(frozen=True, slots=True)
class Policy:
    """How words are looked up: their case, phrases, and words that aren't there."""

    case: Case = Case.FALLBACK
    phrases: Phrases = Phrases.JOIN
    unknown: Unknown = Unknown.REFUSE

    @classmethod
    def of(
        cls, case: "str | Case" = "fallback", phrases: "str | Phrases" = "join", unknown: "str | Unknown" = "refuse"
    ) -> "Policy":
        """The policy of these names."""
        return cls(choose(Case, case, "case"), choose(Phrases, phrases, "phrases"), choose(Unknown, unknown, "unknown"))

    def describe(self) -> str:
        """The policy on one line."""
        return f"case {self.case.value}, phrases {self.phrases.value}, unknown words {self.unknown.value}"


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a word stands for: the `rows` it is made of, its `vector` (dim,) of length 1, and `how` it was found.

    `rows` is empty and `how` is "left out" for a word that the policy skips.
    """

    asked: str
    word: str
    rows: Ints
    vector: Floats
    how: str

    @property
    def known(self) -> bool:
        """Whether it stands for anything."""
        return self.how != LEFT_OUT


LEFT_OUT = "left out: not in the space"


def look_up(space: Space, word: str, policy: Policy) -> Found:
    """What a word stands for under a policy.

    In a contextual space, where a word has a row for each occurrence, it is the mean of their unit vectors. Raises
    `UnknownWordError` with the nearest spellings unless the policy skips words that aren't there.
    """
    row, how = _find(space, word, policy.case)
    if row < 0 and policy.phrases is not Phrases.EXACT and len(parts := word.split()) > 1:
        for joint in ("_", "-", ""):
            row, how = _find(space, joint.join(parts), policy.case)
            if row >= 0:
                how = "joined"
                break
        if row < 0 and policy.phrases is Phrases.MEAN:
            rows = np.array([_find(space, part, policy.case)[0] for part in parts], np.int64)
            if (rows >= 0).all():
                mean = unit(np.asarray(space.vectors[rows])).mean(axis=0)
                return Found(word, word, rows, unit(mean[None])[0], f"mean of {', '.join(space.keys.take(rows))}")
    if row < 0:
        if policy.unknown is Unknown.SKIP:
            return Found(word, word, np.empty(0, np.int64), np.zeros(space.dim, np.float32), LEFT_OUT)
        raise space.unknown(word)
    name = space.keys[row]
    if space.origin.layer is None:
        return Found(word, name, np.array([row]), unit(np.asarray(space.vectors[row])[None])[0], how)
    rows = space.keys.all_rows(name)
    mean = unit(np.asarray(space.vectors[rows])).mean(axis=0)
    return Found(word, name, rows, unit(mean[None])[0], f"mean of its {len(rows):,} occurrences")


def _find(space: Space, word: str, case: Case) -> tuple[int, str]:
    """The row of a word and how it was found, -1 when it isn't there."""
    if case is not Case.LOWER and (row := space.keys.row(word)) >= 0:
        return row, "as written"
    if case is Case.EXACT:
        return -1, ""
    if (row := space.keys.row(word.lower())) >= 0 and case is not Case.IGNORE:
        return row, "as written" if word == word.lower() else "in lower case"
    if case is Case.IGNORE:
        folded = pc.index(pc.utf8_lower(space.keys.array), word.lower()).as_py()
        return int(folded), "whatever its case"
    return row, "in lower case"
