"""Answers about what goes on inside a model: those of `core.inside`, beside the query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.inside_options import opened, text_for
from polysema.core.display import Record
from polysema.core.inside.attention import Attention
from polysema.core.inside.explained_move import ExplainedMove, MovePart
from polysema.core.inside.families import FamilyRun, family_run
from polysema.core.inside.family_card import FamilyCard, family_card
from polysema.core.inside.head_outputs import head_subspace
from polysema.core.inside.lens import Lens
from polysema.core.inside.proof import IdentityCheck, Proof
from polysema.core.inside.steering import SweepRow
from polysema.core.model.load import LanguageModel
from polysema.core.space.metric import unit
from polysema.core.space.space import Space


@dataclass(frozen=True, slots=True, eq=False)
class AttentionWindow(Attention):
    """The attention of a text, or of a window of it; `heads` (from 1) are those that `weights` and `folded` are of."""

    heads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AttentionAnswer(AnswerTable[AttentionWindow]):
    """Who looks at whom in a text, as a model sees it: an answer for each window of the text."""

    ROWS: ClassVar[str] = "windows"

    model: str
    windows: tuple[AttentionWindow, ...]

    @classmethod
    def of(cls, model: str, parts: Sequence[Attention]) -> AttentionAnswer:
        """The attention of all heads, as `core.inside` gives it for each window."""
        return cls(model, tuple(_window(part) for part in parts))

    def of_head(self, head: int) -> AttentionAnswer:
        """The attention of one head alone.

        Args:
            head: From 1.

        Returns:
            The same windows, of that head.

        Raises:
            PolysemaError: There is no such head.
        """
        for one in self.windows:
            one.of(one.layers[0], head)
        chosen = slice(head - 1, head)
        windows = (
            replace(one, weights=one.weights[:, chosen], folded=one.folded[:, chosen], heads=(head,))
            for one in self.windows
        )
        return replace(self, windows=tuple(windows))

    def _record(self, row: AttentionWindow) -> Record:
        return {"window": row.window, "text": row.text, "layers": row.layers, "heads": len(row.heads)}


def _window(part: Attention) -> AttentionWindow:
    values = {one.name: getattr(part, one.name) for one in fields(part)}
    return AttentionWindow(**values, heads=tuple(range(1, part.weights.shape[1] + 1)))


@dataclass(frozen=True, slots=True, eq=False)
class LensAnswer(Lens):
    """What the states of a text say; `place` is the number of the token where they do, None for all of them."""

    model: str = ""
    place: int | None = None

    @classmethod
    def of(cls, model: str, found: Lens) -> LensAnswer:
        """The lens of all tokens, as `core.inside` gives it."""
        return cls(**{one.name: getattr(found, one.name) for one in fields(found)}, model=model)

    def at_token(self, place: int) -> LensAnswer:
        """The lens at one token alone.

        Args:
            place: Its number, from 0.

        Returns:
            The same steps, at that token.
        """
        at = slice(place, place + 1)
        best = self.best[:, at]
        return replace(
            self,
            place=place,
            tokens=self.tokens[at],
            best=best,
            scores=self.scores[:, at],
            entropy=self.entropy[:, at],
            ranks=self.ranks[:, at],
            followed=self.followed[:, at],
            names={int(number): self.names[int(number)] for number in np.unique(best)},
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MoveAnswer(AnswerTable[MovePart], ExplainedMove):
    """The way of a word from its static vector to its hidden state: a row for each part that moved it."""

    ROWS: ClassVar[str] = "parts"

    @classmethod
    def of(cls, found: ExplainedMove) -> MoveAnswer:
        """The move, as `core.inside` explains it."""
        return cls(**{one.name: getattr(found, one.name) for one in fields(found)})

    def largest(self, n: int, kinds: Sequence[str] = ()) -> tuple[MovePart, ...]:
        """The parts that moved the word most, to either end of the axis.

        Args:
            n: How many.
            kinds: Of these kinds alone, such as head; none: of all.

        Returns:
            The parts, largest first.
        """
        chosen = [part for part in self.parts if not kinds or part.kind in kinds]
        return tuple(sorted(chosen, key=lambda part: -abs(part.value))[:n])

    def _record(self, row: MovePart) -> Record:
        mover = {"by": row.mover, "gave": row.mover_value} if row.mover else {"by": "", "gave": ""}
        return {"part": row.name, "kind": row.kind, "adds": row.value, "length": row.length, **mover}


def _identity(one: IdentityCheck) -> dict[str, object]:
    meant = f"{one.meaning}{': ' * bool(one.note)}{one.note}"
    return {
        "identity": one.identity,
        "holds": "yes" if one.holds else "no" if one.applies else "-",
        "difference": "" if one.difference is None else f"{one.difference:.2g}",
        "at most": f"{one.tolerance:g}" if one.applies else "",
        "what": meant if one.applies else f"doesn't apply: {one.note}",
    }


@dataclass(frozen=True, slots=True, repr=False)
class CheckAnswer(AnswerTable[Proof]):
    """The identities that a model is tested for, against plain transformers: a proof for each of its stacks."""

    ROWS: ClassVar[str] = "proofs"
    json_properties: ClassVar[tuple[str, ...]] = ("holds",)

    model: str
    proofs: tuple[Proof, ...]

    @property
    def holds(self) -> bool:
        """Whether every identity holds that applies."""
        return all(proof.holds for proof in self.proofs)

    @property
    def verdict(self) -> str:
        """What the model is, and whether it holds, in one line."""
        first = self.proofs[0]
        verdict = "all that apply hold" if self.holds else "what fails is refused"
        return f"{first.model} ({first.architecture}, {first.dtype}): {verdict}"

    def identities(self) -> list[dict[str, object]]:
        """A row for each identity of each stack, in words.

        Returns:
            `identity`, `holds`, `difference`, `at most` and `what`; of an encoder-decoder the `stack` before them.
        """
        return [
            {**({"stack": proof.stack} if proof.stack else {}), **_identity(one)}
            for proof in self.proofs
            for one in proof.checks
        ]

    def _record(self, row: Proof) -> Record:
        failing = [one.identity for one in row.checks if one.applies and not one.holds]
        return {"stack": row.stack, "architecture": row.architecture, "holds": row.holds, "fails": ", ".join(failing)}


@dataclass(frozen=True, slots=True, repr=False)
class SweepAnswer(AnswerTable[SweepRow]):
    """The next word for every layer and every strength of a direction."""

    ROWS: ClassVar[str] = "rows"

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


@dataclass(frozen=True, slots=True, repr=False)
class HeadOutputs(AnswerTable[HeadOutput]):
    """What each head writes where a word stands in some texts."""

    ROWS: ClassVar[str] = "heads"

    model: str
    word: str
    heads: tuple[HeadOutput, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FamiliesAnswer(AnswerTable[FamilyRun]):
    """One sentence's way through models of several families, with a card of figures for each where they were wanted."""

    ROWS: ClassVar[str] = "runs"

    runs: tuple[FamilyRun, ...]
    cards: tuple[FamilyCard, ...] = ()

    @classmethod
    def of(cls, models: Sequence[LanguageModel], text: str, figures: bool) -> FamiliesAnswer:
        """Of models, each given what it reads of a text; the cards are measured where `figures` are wanted."""
        given = [(stack, text_for(stack, text)) for stack in map(opened, models)]
        runs = tuple(family_run(stack, own) for stack, own in given)
        return cls(runs, tuple(family_card(stack, own) for stack, own in given) if figures else ())

    def _record(self, row: FamilyRun) -> Record:
        return {"model": row.model, "family": row.family.value, "reads": row.text, "ends in": row.ends}


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
