"""What a requested word stands for in a space: one policy, reported with every answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np
import pyarrow.compute as pc

from polysema.core.errors import UserError
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints, Space
from polysema.core.space.spelling import difference, fold, spelling_note


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


class UnknownPolicy(Enum):
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
    unknown: UnknownPolicy = UnknownPolicy.REFUSE

    @classmethod
    def of(
        cls,
        case: "str | Case" = "fallback",
        phrases: "str | Phrases" = "join",
        unknown: "str | UnknownPolicy" = "refuse",
    ) -> "Policy":
        """The policy of these names."""
        return cls(
            choose(Case, case, "case"), choose(Phrases, phrases, "phrases"), choose(UnknownPolicy, unknown, "unknown")
        )

    def describe(self) -> str:
        """The policy on one line."""
        return f"case {self.case.value}, phrases {self.phrases.value}, unknown words {self.unknown.value}"


@dataclass(frozen=True, slots=True, eq=False)
class WordMatch:
    """What a word stands for: the `rows` it is made of, its `vector` (dim,) of length 1, and `how` it was found.

    `notes` are what an answer has to say of it. `rows` is empty and `how` is "left out" for a word that the policy
    skips.
    """

    query: str
    word: str
    rows: Ints
    vector: Floats
    how: str
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether it stands for anything."""
        return self.how != LEFT_OUT_NOTE


LEFT_OUT_NOTE = "left out: not in the space"
SPELLING_NOTE = "written otherwise"


def look_up(space: Space, word: str, policy: Policy) -> WordMatch:
    """What a word stands for under a policy.

    Where it is not there as it is written, the same text written otherwise is taken (composed or decomposed, another
    apostrophe, hyphen or space, signs that don't show), and a note says so. In a contextual space, where a word has a
    row for each occurrence, it is the mean of their unit vectors. Raises `UnknownWordError` with the nearest spellings
    unless the policy skips words that aren't there.
    """
    row, how = _find(space, word, policy.case)
    if row < 0 and policy.phrases is not Phrases.EXACT and len(parts := word.split()) > 1:
        row, how = _joined(space, parts, policy.case)
        if row < 0 and policy.phrases is Phrases.MEAN and (mean := _mean_of_parts(space, word, policy.case)):
            return mean
    made = space.subwords(word) if row < 0 and space.subwords is not None else None
    if made is not None:
        made_note = (f"{word!r} is not among the words of {space.name}: its vector is made of its n-grams",)
        return WordMatch(word, word, np.empty(0, np.int64), unit(made[None])[0], "made of its n-grams", made_note)
    if row < 0:
        if policy.unknown is UnknownPolicy.SKIP:
            return WordMatch(word, word, np.empty(0, np.int64), np.zeros(space.dim, np.float32), LEFT_OUT_NOTE)
        raise space.unknown(word)
    name = space.keys[row]
    notes: tuple[str, ...] = ()
    if SPELLING_NOTE in how:
        notes = (f"{word!r} was looked up as {name!r} ({how.replace(f'{SPELLING_NOTE}: ', '')})",)
    if space.origin.layer is None:
        return WordMatch(word, name, np.array([row]), unit(np.asarray(space.vectors[row])[None])[0], how, notes)
    rows = space.keys.all_rows(name)
    if len(rows) > 1:
        how = f"mean of its {len(rows):,} occurrences"
    return WordMatch(word, name, rows, _mean(space, rows), how, notes)


def look_up_each(space: Space, words: Sequence[str], policy: Policy) -> list[WordMatch]:
    """What each of several words stands for, as `look_up` has it; those that are there as written in one go."""
    if policy.case is Case.LOWER or space.origin.layer is not None:
        return [look_up(space, word, policy) for word in words]
    return [
        WordMatch(word, word, np.array([row]), unit(np.asarray(space.vectors[row])[None])[0], "as written")
        if row >= 0
        else look_up(space, word, policy)
        for word, row in zip(words, space.keys.rows(words).tolist(), strict=True)
    ]


def _joined(space: Space, parts: Sequence[str], case: Case) -> tuple[int, str]:
    """The row of a phrase that is one entry, its words joined by a sign, and how it was found; -1 where none is."""
    for joint in ("_", "-", ""):
        row, how = _find(space, joint.join(parts), case)
        if row >= 0:
            return row, "joined" if SPELLING_NOTE not in how else f"joined, {how}"
    return -1, ""


def _mean_of_parts(space: Space, phrase: str, case: Case) -> WordMatch | None:
    """The mean of a phrase's words, None where one of them is not there."""
    parts = phrase.split()
    rows = np.array([_find(space, part, case)[0] for part in parts], np.int64)
    if not (rows >= 0).all():
        return None
    names = space.keys.take(rows)
    notes = tuple(filter(None, map(spelling_note, parts, names)))
    return WordMatch(phrase, phrase, rows, _mean(space, rows), f"mean of {', '.join(names)}", notes)


def _mean(space: Space, rows: Ints) -> Floats:
    """The direction of the mean of rows' unit vectors: (dim,)."""
    mean = unit(np.asarray(space.vectors[rows])).mean(axis=0)
    direction: Floats = unit(mean[None])[0]
    return direction


def _find(space: Space, word: str, case: Case) -> tuple[int, str]:
    """The row of a word and how it was found, -1 when it isn't there."""
    row, how = _find_spelled(space, word, case)
    return (row, how) if row >= 0 else _find_otherwise(space, word, case)


def _find_spelled(space: Space, word: str, case: Case) -> tuple[int, str]:
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


def _find_otherwise(space: Space, word: str, case: Case) -> tuple[int, str]:
    """The first row that is the same text written otherwise. ß is ss where case doesn't count."""
    spellings = {Case.EXACT: (word,), Case.LOWER: (word.lower(),)}.get(case, (word, word.lower()))
    for spelling in dict.fromkeys(spellings):
        row = space.keys.row_otherwise(spelling, case is Case.IGNORE, letters=case is not Case.EXACT)
        if row >= 0:
            return row, f"{SPELLING_NOTE}: {difference(spelling, space.keys[row])}"
    if case is Case.IGNORE and (form := fold(word).lower()) != word.lower():
        return int(pc.index(pc.utf8_lower(space.keys.array), form).as_py()), SPELLING_NOTE
    return -1, ""
