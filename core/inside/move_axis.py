"""The axis that a move is projected on: from one end to another, between two sets of texts, or the move itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.argument_types import checked_fields
from polysema.core.errors import UserError
from polysema.core.inside.directions import expression_direction
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.space.axes import axis_ends

if TYPE_CHECKING:
    from polysema.core.model.load import LanguageModel
    from polysema.core.space.space import Floats

MOVE_ITSELF = "the move itself"


@checked_fields
@dataclass(frozen=True, slots=True)
class AxisChoice:
    """Which axis: its two ends (`"money -> river"`, each a word, a sum of words or an occurrence such as
    `bank in "the river bank"`), or texts of the one end (`toward`) and of the other (`away`); none: the move itself.
    """

    ends: str | None = None
    toward: tuple[str, ...] = ()
    away: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ends is not None and (self.toward or self.away):
            raise UserError('an axis is two ends ("money -> river"), or two sets of texts (toward and away), not both')
        if bool(self.toward) != bool(self.away):
            raise UserError("an axis between two sets of texts needs both of them: toward and away")


def axis_vector(model: "LanguageModel", choice: AxisChoice, layer: int) -> "tuple[str, Floats | None]":
    """What an axis is called and its vector (dim,) in the hidden states of a layer; None for the move itself."""
    if choice.toward:
        name = f"from the mean of {_texts(choice.away)} to that of {_texts(choice.toward)}"
        vector = _mean_state(model, choice.toward, layer) - _mean_state(model, choice.away, layer)
    elif choice.ends is not None:
        start, end = axis_ends(choice.ends)
        name = f"{start} -> {end}"
        vector = _end(model, end, layer) - _end(model, start, layer)
    else:
        return MOVE_ITSELF, None
    if not float(np.abs(vector).max()) > 0:
        raise UserError(f"the two ends of the axis ({name}) are the same at layer {layer}, so there is no way between")
    return name, vector


def _texts(texts: Sequence[str]) -> str:
    return f"{len(texts)} text{'s' * (len(texts) > 1)}"


def _end(model: "LanguageModel", expression: str, layer: int) -> "Floats":
    return expression_direction(model, expression, layer).vector


def _mean_state(model: "LanguageModel", texts: Sequence[str], layer: int) -> "Floats":
    """The mean over texts of the mean state of their tokens; of a causal model without the very first one, which is an
    outlier in all of them. Of two stacks the texts are sources, and the states those of what is written.
    """
    sources = list(texts) if model.reads_two else None
    read = model.generate(list(texts)) if model.reads_two else list(texts)
    hidden = embed(model, read, [layer], EmbeddingOptions(unit="tokens"), sources=sources)
    owner = np.array([one.text for one in hidden.occurrences])
    means = []
    for number in range(len(read)):
        own = np.flatnonzero(owner == number)
        own = own[1:] if model.causal and len(own) > 1 else own
        if not len(own):
            raise UserError(f"there is nothing to read in {read[number][:60]!r}, a text of the axis")
        means.append(hidden.vectors[0, own].mean(axis=0, dtype=np.float64))
    mean: Floats = np.mean(means, axis=0)
    return mean
