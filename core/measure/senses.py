"""A corpus of words in their senses, and how well a space tells the senses apart."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import TypeVar

import numpy as np

from polysema.core.errors import UserError
from polysema.core.model.tokens import Occurrence, Span
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Sense:
    """One annotated occurrence: `word` as the corpus lists it, its sense, and where it stands in text `text_id`."""

    word: str
    sense: str
    text_id: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SenseCorpus:
    """The sentences, each once, and the annotated occurrences in them. `sha256` is that of the file."""

    texts: tuple[str, ...]
    senses: tuple[Sense, ...]
    sha256: str

    @property
    def words(self) -> tuple[str, ...]:
        """The annotated words, in alphabetical order."""
        return tuple(sorted({sense.word for sense in self.senses}))

    def of(self, word: str) -> tuple[Sense, ...]:
        """The occurrences of one word; raises `UserError` naming the words when it isn't annotated."""
        found = tuple(sense for sense in self.senses if sense.word == word.lower())
        if not found:
            raise UserError(f"the corpus of senses has no {word!r}; it has: {', '.join(self.words)}")
        return found

    def only(self, words: Sequence[str]) -> "SenseCorpus":
        """The part about these words: their occurrences and the texts that hold them; raises `UserError` as `of`."""
        senses = [sense for word in words for sense in self.of(word)]
        numbers = {old: new for new, old in enumerate(sorted({sense.text_id for sense in senses}))}
        senses = [replace(sense, text_id=numbers[sense.text_id]) for sense in senses]
        return replace(self, texts=tuple(self.texts[old] for old in numbers), senses=tuple(senses))

    def occurrences(self) -> list[Occurrence]:
        """The annotated occurrences as the model's functions take them, row for row as `senses`."""
        return [
            Occurrence(s.text_id, self.texts[s.text_id][s.start : s.end], Span(s.start, s.end)) for s in self.senses
        ]


@lru_cache(maxsize=1)
def load_senses() -> SenseCorpus:
    """The corpus that ships with the package: `core/data/senses.jsonl`, a line an annotated occurrence."""
    raw = resources.files("polysema.core.data").joinpath("senses.jsonl").read_bytes()
    numbers: dict[str, int] = {}
    senses = []
    for line in raw.decode("utf-8").splitlines():
        row = json.loads(line)
        text_id = numbers.setdefault(row["text"], len(numbers))
        senses.append(Sense(row["word"], row["sense"], text_id, row["start"], row["end"]))
    return SenseCorpus(tuple(numbers), tuple(senses), hashlib.sha256(raw).hexdigest())


def nearest_sense_accuracy(words: Sequence[str], senses: Sequence[str], vectors: Floats) -> float:
    """The share of occurrences whose nearest other occurrence of the same word, by cosine, has the same sense.

    Leave-one-out over `vectors` (n, dim). Where several are equally near, as with a static vector, which is the same
    for all, each counts for its share: what choosing one of them at random gives on average.
    """
    names = np.asarray(senses)
    right = 0.0
    for rows in groups(words).values():
        directions = unit(np.ascontiguousarray(vectors[rows]))
        similar = directions @ directions.T  # (occurrences, occurrences)
        np.fill_diagonal(similar, -np.inf)
        nearest = similar >= similar.max(axis=1, keepdims=True) - 1e-6
        same = names[rows][:, None] == names[rows][None, :]
        if len(rows) > 1:
            right += float(((nearest & same).sum(axis=1) / nearest.sum(axis=1)).sum())
    return right / len(words)


def most_frequent_sense(words: Sequence[str], senses: Sequence[str]) -> float:
    """The accuracy of always answering a word's most frequent sense: what no static vector can beat."""
    counts = [Counter(senses[row] for row in rows) for rows in groups(words).values()]
    return sum(max(count.values()) for count in counts) / len(words)


def groups(items: Sequence[_Item]) -> dict[_Item, list[int]]:
    """The rows of each different item, in their order."""
    found: dict[_Item, list[int]] = {}
    for row, item in enumerate(items):
        found.setdefault(item, []).append(row)
    return found
