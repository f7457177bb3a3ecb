"""Word in context (WiC, Pilehvar and Camacho-Collados 2019): whether a word means the same in two texts, by cosine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polysema.core.errors import UserError
from polysema.core.model.tokens import find_word

N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class ContextPair:
    """A word in two texts, where it stands in each (characters), and whether it means the same in both."""

    word: str
    first: str
    second: str
    first_span: tuple[int, int]
    second_span: tuple[int, int]
    same: bool


def context_pair(
    word: str, texts: tuple[str, str], spans: tuple[Sequence[int] | None, Sequence[int] | None], same: bool
) -> ContextPair:
    """A pair whose word stands in each text at its span, or, where that is None, at its first place there.

    Raises:
        UserError: The word isn't in a text, or a span isn't of it.
    """
    places = []
    for text, span in zip(texts, spans, strict=True):
        if span is None:
            found = find_word(text, word)
            span = (found.start, found.end)
        start, end = span
        if not 0 <= start < end <= len(text):
            raise UserError(f"the characters {start}-{end} are not of {text[:60]!r}")
        places.append((start, end))
    return ContextPair(word, texts[0], texts[1], places[0], places[1], same)


def threshold_accuracy(scores: npt.ArrayLike, same: Sequence[bool], seed: int = 0) -> float:
    """The share of pairs (n,) that a threshold on their scores gets right, learned on four fifths, tried on the fifth.

    Scores that are all one, as a static vector's are, give the share of the more frequent answer, 0.5 where the answers
    are balanced. Raises `UserError` for fewer than five pairs.
    """
    values, labels = np.asarray(scores, np.float64), np.asarray(same, bool)
    if len(values) < N_FOLDS:
        raise UserError(f"at least {N_FOLDS} pairs are needed to learn a threshold; got {len(values)}")
    rng = np.random.default_rng(seed)
    fold = np.empty(len(values), np.int64)
    for answer in (True, False):  # as many of each answer in every fold, so that none of them is a hint
        rows = np.flatnonzero(labels == answer)
        fold[rows] = rng.permutation(len(rows)) % N_FOLDS
    right = 0
    for number in range(N_FOLDS):
        learned = _best_threshold(values[fold != number], labels[fold != number])
        right += int(((values[fold == number] >= learned) == labels[fold == number]).sum())
    return right / len(values)


def _best_threshold(values: npt.NDArray[np.float64], labels: npt.NDArray[np.bool_]) -> float:
    """The score from which on pairs count as the same, so that most are right."""
    levels = np.unique(values)
    between = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])
    ordered, same = np.sort(values[~labels]), np.sort(values[labels])
    right = np.searchsorted(ordered, between) + len(same) - np.searchsorted(same, between)
    return float(between[int(right.argmax())])
