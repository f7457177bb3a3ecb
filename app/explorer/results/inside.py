"""Answers about what goes on inside a model: those of `core.inside`, beside the query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from polysema.core.inside.attention import Attention
from polysema.core.inside.families import FamilyRun
from polysema.core.inside.head_outputs import head_subspace
from polysema.core.inside.lens import Lens
from polysema.core.inside.steering import SweepRow
from polysema.core.model.load import LanguageModel
from polysema.core.space.metric import unit
from polysema.core.space.space import Space


@dataclass(frozen=True, slots=True, eq=False)
class AttentionWindow(Attention):
    """The attention of a text, or of a window of it; `heads` (from 1) are those that `weights` and `folded` are of."""

    heads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AttentionAnswer:
    """Who looks at whom in a text, as a model sees it: an answer for each window of the text."""

    model: str
    windows: tuple[AttentionWindow, ...]

    @classmethod
    def of(cls, model: str, parts: Sequence[Attention], head: int | None = None) -> AttentionAnswer:
        """The attention of all heads, or of the one that is named."""
        return cls(model, tuple(_window(part, head) for part in parts))


def _window(part: Attention, head: int | None) -> AttentionWindow:
    values = {one.name: getattr(part, one.name) for one in fields(part)}
    if head is None:
        return AttentionWindow(**values, heads=tuple(range(1, part.weights.shape[1] + 1)))
    chosen = slice(head - 1, head)
    values |= {"weights": part.weights[:, chosen], "folded": part.folded[:, chosen]}
    return AttentionWindow(**values, heads=(head,))


@dataclass(frozen=True, slots=True, eq=False)
class LensAnswer(Lens):
    """What the states of a text say; `place` is the number of the token where they do, None for all of them."""

    model: str = ""
    place: int | None = None

    @classmethod
    def of(cls, model: str, found: Lens, place: int | None = None) -> LensAnswer:
        """The lens of all tokens, or at one of them."""
        values = {one.name: getattr(found, one.name) for one in fields(found)}
        made = cls(**values, model=model, place=place)
        if place is None:
            return made
        at = slice(place, place + 1)
        best = found.best[:, at]
        return replace(
            made,
            tokens=found.tokens[at],
            best=best,
            scores=found.scores[:, at],
            entropy=found.entropy[:, at],
            ranks=found.ranks[:, at],
            followed=found.followed[:, at],
            names={int(number): found.names[int(number)] for number in np.unique(best)},
        )


@dataclass(frozen=True, slots=True)
class SweepAnswer:
    """The next word for every layer and every strength of a direction."""

    rows: tuple[SweepRow, ...]


@dataclass(frozen=True, slots=True)
class HeadOutput:
    """What one head (from 1) writes at a word of a text (from 0): its `length`, and the head most like it by cosine.

    It reads the keys of `key_head` through `width` numbers, and writes into a sub-space of `rank` dimensions.
    """

    text: int
    layer: int
    head: int
    key_head: int
    width: int
    rank: int
    length: float
    most_like: str
    cosine: float


@dataclass(frozen=True, slots=True)
class HeadOutputs:
    """What each head writes where a word stands in some texts."""

    model: str
    word: str
    heads: tuple[HeadOutput, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FamiliesAnswer:
    """One sentence's way through models of several families."""

    runs: tuple[FamilyRun, ...]


def head_table(model: LanguageModel, word: str, space: Space, kind: str) -> HeadOutputs:
    """The heads of a space of `head_outputs`, each with its sub-space and the head most like it."""
    vectors = unit(space.vectors)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    rows = []
    places = zip(space.column("text_id"), space.column("layer"), space.column("head"), strict=True)
    for row, (text_id, layer, head) in enumerate(places):
        area, near = head_subspace(model, layer, head, kind), int(cosines[row].argmax())
        length = float(np.linalg.norm(space.vectors[row]))
        alike = (space.keys[near], float(cosines[row, near]))
        rows.append(HeadOutput(text_id, layer, head, area.key_head, area.width, area.rank, length, *alike))
    return HeadOutputs(model.name, word, tuple(rows))
