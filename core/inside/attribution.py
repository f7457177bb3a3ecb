"""Contributions: what each part of a model adds to a score, up to the last digit.

A hidden state is a sum: the embedding, what every head and every MLP wrote, and biases. The norms on its way are the
only thing that is not linear in it. With the scale of each norm frozen at what it is in this pass (Elhage et al. 2021,
"direct logit attribution"), a score is the sum of what the parts add to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import (
    require_hooks,
    require_plan,
)
from polysema.core.inside.decomposition import Contribution, FrozenLayer, ResidualStream
from polysema.core.inside.followed_tokens import FollowedTarget, forms_of, likelier
from polysema.core.inside.hooks import one_reading, place_in, twin_of
from polysema.core.inside.output_head import OutputHead, find_head, head_class_note, require_head
from polysema.core.inside.proof import PARTS, require_identities
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from torch import Tensor, dtype
    from torch.nn import Module

SUM_TOLERANCE = 1e-3  # of the score, or of the largest part where the score is small
HALF_SUM_TOLERANCE = 0.05  # in float16 and bfloat16, whose sums are rounded at every layer


@dataclass(frozen=True, slots=True)
class Attribution:
    """What each part adds to a score at one position: the `parts` add up to `total`, the model's own answer is `score`.

    `measure` says what the score is: the logit of a word, the difference of two words' logits, or, for a stack without
    a head, the dot product of the last hidden state with a word's static vector.
    """

    json_properties: ClassVar[tuple[str, ...]] = ("total",)

    measure: str
    parts: tuple[Contribution, ...]
    score: float
    position: int
    token: str
    target: FollowedTarget
    against: FollowedTarget | None = None

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return float(np.sum([part.value for part in self.parts]))

    @property
    def size(self) -> float:
        """The score, or the largest part where the score is small: what a difference of the sum is measured by."""
        return max(abs(self.score), *(abs(part.value) for part in self.parts))


def contributions(
    model: LanguageModel,
    text: str | None,
    word: str,
    against: str | None = None,
    source: str | None = None,
    at: "str | int | None" = None,
) -> Attribution:
    """What the embedding, each head, each MLP and each bias adds to the logit of `word` where `at` says (a word of the
    text, a token's number; by default where the next word, or the mask, is predicted).

    With `against` it is the difference of two words' logits. Scales of norms are frozen, and so is the gate of an
    activation in a head's transform (a masked encoder's): x times the ratio that it passes here. A value bias is part
    of its head's vector. Raises `UserError` for an architecture whose parts don't add up to its own answer.
    """
    forms = [forms_of(model, one) for one in (word, against) if one is not None]
    encoder = model.family is Family.ENCODER or model.stack == "encoder"
    require_hooks(model)
    require_plan(model)
    head = find_head(model) if encoder else require_head(model)
    reading = one_reading(model, text, source)
    position = place_in(model, reading, at)
    require_identities(model, PARTS)
    with twin_of(model) as twin:
        stream = ResidualStream(twin, [position])
        twin.run(reading)
        found = scored(model, head, stream, _chosen(model, head, stream, forms))
    found = replace(found, token=reading.tokens[position].name)
    if not adds_up(model, found):
        raise UserError(
            f"the parts of {model.name} add up to {found.total:.4f}, its own score is {found.score:.4f}: it is built "
            "otherwise than it says, and what its parts add can't be told"
        )
    return found


def adds_up(model: LanguageModel, found: Attribution) -> bool:
    """Whether the parts add up to the model's own score."""
    slack = SUM_TOLERANCE if model.dtype == "float32" else HALF_SUM_TOLERANCE
    return abs(found.total - found.score) <= slack * found.size


def _chosen(
    model: LanguageModel,
    head: OutputHead | None,
    stream: ResidualStream,
    forms: Sequence[tuple[FollowedTarget, ...]],
) -> list[FollowedTarget]:
    """The likelier form of each word by the last state; raises `UserError` where two words begin with the same
    token.
    """
    import torch

    said = None
    if head is not None and any(len(of) > 1 for of in forms):
        norm = stream.twin.parts.final_norm
        with torch.inference_mode():
            last = stream.last().to(_dtype(head.unembed))[None]
            said = head.logits(norm.forward(last) if norm is not None else last)[0].float()
    found = [likelier(of, said) for of in forms]
    if len(found) > 1 and found[0].id == found[1].id:
        raise UserError(
            f"{found[0].word!r} and {found[1].word!r} begin with the same token {found[0].pieces[0]!r}; choose "
            "other words"
        )
    return found


@dataclass(slots=True)
class _Parts:
    """The parts on their way to a score: their names, and their vectors (n_parts, dim) float64."""

    names: list[Contribution]
    vectors: "Tensor"

    def add(self, name: str, vector: "Tensor | None") -> None:
        """One more part, a bias, where there is one."""
        import torch

        if vector is not None:
            self.names.append(Contribution(name, "bias", 0, 0, 0.0))
            self.vectors = torch.cat([self.vectors, vector[None]])


def scored(
    model: LanguageModel, head: OutputHead | None, stream: ResidualStream, targets: Sequence[FollowedTarget]
) -> Attribution:
    """What every part adds to the score of the first of `targets`, less that of the second where there are two."""
    import torch

    names, vectors, state = stream.decomposed()
    parts = _Parts(list(names), torch.from_numpy(vectors).to(state.device))
    norm = stream.twin.parts.final_norm
    with torch.inference_mode():
        own = state  # what the head is given
        if norm is not None:
            own = norm.forward(state.to(_dtype(norm))[None])[0]
            frozen = FrozenLayer.at(norm, state)
            parts.vectors = frozen.scaled(parts.vectors)
            parts.add("final norm bias", frozen.bias)
        signs = torch.tensor([1.0, -1.0][: len(targets)], dtype=torch.float64, device=state.device)
        ids = [target.id for target in targets]
        if head is None:
            table = _static_rows(model, ids)
            values, score = parts.vectors @ (signs @ table), float(own.double() @ (signs @ table))
        else:
            values = _logit_parts(head, parts, own.double(), ids) @ signs
            score = float(head.logits(own.to(_dtype(head.unembed))[None])[0, ids].double() @ signs)
    found = values.cpu().numpy()
    lengths = np.full(len(found), np.nan)
    lengths[: len(vectors)] = np.linalg.norm(vectors, axis=1)
    pieces = tuple(
        replace(name, value=float(value), length=float(length))
        for name, value, length in zip(parts.names, found, lengths, strict=True)
    )
    return Attribution(_measure(head, targets), pieces, score, stream.positions[0], "", *targets)


def _static_rows(model: LanguageModel, ids: Sequence[int]) -> "Tensor":
    table = model.input_table
    if table.shape[1] != model.dim:
        raise UserError(
            f"the static vectors of {model.name} have {table.shape[1]} dimensions, its hidden states {model.dim}: "
            f"there is no dot product of the two, and it has no head that scores words{head_class_note(model)}"
        )
    found: Tensor = table[list(ids)].double()
    return found


def _logit_parts(head: OutputHead, parts: _Parts, own: "Tensor", ids: Sequence[int]) -> "Tensor":
    """What every part adds to each of the logits `ids`, (n_parts, n_ids); a cap on them is frozen at its ratio."""
    import torch

    if head.dense is not None:
        _through_transform(head, parts, own)
    weight: Tensor = head.unembed.get_parameter("weight")
    values = parts.vectors @ weight[list(ids)].double().T * head.scale
    biases = [bias for bias in (getattr(head.unembed, "bias", None), head.bias) if bias is not None]
    if biases:
        parts.names.append(Contribution("head bias", "bias", 0, 0, 0.0))
        values = torch.cat([values, sum(bias[list(ids)].double() for bias in biases)[None]])  # type: ignore[index]
    if head.cap:
        logits = values.sum(0)
        values = values * torch.where(logits == 0, 1.0, head.cap * torch.tanh(logits / head.cap) / logits)
    return values


def _measure(head: OutputHead | None, targets: Sequence[FollowedTarget]) -> str:
    target, *others = targets
    if head is None:
        difference = f" - static({others[0].word})" if others else ""
        return f"dot product of the last hidden state with static({target.word}){difference}"
    return f"logit of {target.pieces[0]!r}" + (f" less that of {others[0].pieces[0]!r}" if others else "")


def _through_transform(head: OutputHead, parts: _Parts, state: "Tensor") -> None:
    """The parts behind a head's transform: a linear map, an activation with its gate frozen, a norm with its scale
    frozen.
    """
    import torch

    assert head.dense is not None
    assert head.activation is not None
    assert head.norm is not None
    weight: Tensor = head.dense.get_parameter("weight").double()
    bias = getattr(head.dense, "bias", None)
    parts.vectors, state = parts.vectors @ weight.T, state @ weight.T
    if bias is not None:
        parts.add("head transform bias", bias.double())
        state = state + bias.double()
    passed = head.activation(state)
    gate = torch.where(state.abs() > 1e-12, passed / torch.where(state.abs() > 1e-12, state, 1.0), 0.5)
    frozen = FrozenLayer.at(head.norm, passed)
    parts.vectors = frozen.scaled(parts.vectors * gate)
    parts.add("head norm bias", frozen.bias)


def _dtype(module: "Module") -> "dtype":
    return next(module.parameters()).dtype
