"""From the input table to the first block: the norm there, and the projection where the table has another width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import find_blocks, shares_layers
from polysema.core.inside.decomposition import FrozenLayer
from polysema.core.model.static import static_vector
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from polysema.core.inside.hooks import Twin
    from polysema.core.model.load import LanguageModel

NORM, PROJECTION = "embedding norm", "embedding projection"


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap:
    """A projection as a norm's twin: what becomes of vectors, and the bias that is added."""

    weight: "Tensor"
    bias: "Tensor | None"

    @classmethod
    def of(cls, module: "Module") -> "LinearMap":
        """The map of a linear module, in float64."""
        bias = getattr(module, "bias", None)
        weight = module.get_parameter("weight").detach().double()
        return cls(weight, None if bias is None else bias.detach().double())

    def scaled(self, vectors: "Tensor") -> "Tensor":
        """What becomes of vectors (n, width) without the bias."""
        return vectors @ self.weight.T


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingStep:
    """One step on the way: what goes in (width,), and what is done to it."""

    name: str
    before: "Tensor"
    map: "FrozenLayer | LinearMap"


class EmbeddingPath:
    """Hooks on the norm and the projection between the embeddings and the first block, where a model has them."""

    def __init__(self, twin: "Twin"):
        self._seen: list[tuple[Module, Tensor, Tensor]] = []
        outside = _outside(twin.parts.stack, twin.parts.blocks)
        self._projection = _projection(twin.model, outside)
        for module in outside:
            if "norm" in type(module).__name__.lower() or module is self._projection:
                twin.handles.append(module.register_forward_hook(self._note))

    def _note(self, module: "Module", args: "tuple[Tensor, ...]", out: "Tensor") -> None:
        if args and getattr(out, "ndim", 0) == 3 and getattr(args[0], "ndim", 0) == 3:
            self._seen.append((module, args[0][0].detach(), out[0].detach()))

    def steps(self, position: int, embedded: "Tensor") -> list[EmbeddingStep]:
        """What happens at a position before the first block, in order; found backward, by what each step returns."""
        found: list[EmbeddingStep] = []
        state, left = embedded, list(self._seen)
        while True:
            place = next((n for n, (_, _, after) in enumerate(left) if _is_at(after, position, state)), None)
            if place is None:
                return found[::-1]
            module, before, _ = left.pop(place)
            state = before[position].double()
            if module is self._projection:
                found.append(EmbeddingStep(PROJECTION, state, LinearMap.of(module)))
            else:
                found.append(EmbeddingStep(NORM, state, FrozenLayer.at(module, state)))


def _is_at(after: "Tensor", position: int, state: "Tensor") -> bool:
    return after.shape[-1] == len(state) and bool((after[position].double() == state).all())


def _outside(stack: "Module", blocks: "Sequence[Module]") -> "list[Module]":
    inside = {id(module) for block in blocks for module in block.modules()}
    return [module for module in stack.modules() if id(module) not in inside]


def _projection(model: "LanguageModel", outside: "Sequence[Module]") -> "Module | None":
    """The one linear map from the width of the input table to that of the states, where they differ (ALBERT, ELECTRA,
    OPT).
    """
    import torch

    width = model.input_table.shape[1]
    maps = [
        module
        for module in outside
        if isinstance(module, torch.nn.Linear) and (module.in_features, module.out_features) == (width, model.dim)
    ]
    return maps[0] if len(maps) == 1 and width != model.dim else None


def state_vector(model: "LanguageModel", word: str) -> Floats:
    """A word's static vector in the width of the hidden states, (dim,): where the input table is narrower, as the
    model's own projection takes it, without its bias. Raises `UserError` where there is no such projection.
    """
    vector, _ = static_vector(model, word)
    if len(vector) == model.dim:
        return vector
    blocks = () if shares_layers(model) else find_blocks(model, model.module)  # the shared layers are no such map
    projection = _projection(model, _outside(model.module, blocks))
    if projection is None:
        raise UserError(
            f"the static vectors of {model.name} have {len(vector)} dimensions, its hidden states {model.dim}, and no "
            "linear map leads from the ones to the others: one can't be taken from the other"
        )
    weight = projection.get_parameter("weight").detach().float().cpu().numpy()
    found: Floats = (weight.astype(np.float64) @ vector.astype(np.float64)).astype(np.float32)
    return found
