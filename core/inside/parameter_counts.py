"""How wide a model is at every place, and how many parameters each part has: counted in the loaded weights."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polysema.core.inside.architectures import CROSS, MLP, SELF, Anatomy, SubLayer, anatomy, require_plan
from polysema.core.inside.attention_modules import find_attentions
from polysema.core.inside.decomposition import out_matrix
from polysema.core.model.load import LanguageModel, on_torch
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from torch.nn import Module

NORM, POSITIONS, TABLE, HEAD, REST = "norm", "positions", "table", "head", "rest"


@dataclass(frozen=True, slots=True)
class StackWidths:
    """One stack: `n_layers` blocks in series, in each `n_heads` heads of `head_dim` side by side, which read the keys
    of `n_key_heads`, and an MLP that is `mlp_dim` wide inside. `parameters` counts those of all blocks by kind of part.
    """

    name: str
    n_layers: int
    n_heads: int
    n_key_heads: int
    head_dim: int
    mlp_dim: int
    cross: bool
    parameters: dict[str, int]


@dataclass(frozen=True, slots=True)
class Widths:
    """A model: the `dim` of every hidden state, a table of `vocabulary` rows, its stacks, and all its parameters by
    part.

    What several parts share (a tied head is the table itself) is counted once. `parameters` add up to `total`.
    """

    model: str
    dim: int
    vocabulary: int
    window: int
    stacks: tuple[StackWidths, ...]
    parameters: dict[str, int]
    total: int


def widths(model: LanguageModel) -> Widths:
    """The widths and the parameters of a model with all its stacks. Raises `UserError` for an unknown architecture."""
    two = model.family is Family.ENCODER_DECODER
    sides = ("encoder", "decoder") if two else ("",)
    seen: set[int] = set()
    table = model.input_table
    owner = model.module.get_input_embeddings().weight
    counted = {TABLE: owner.numel()}
    seen.add(id(owner))
    stacks = []
    for side in sides:
        loaded = on_torch(model, side)
        require_plan(loaded)
        parts = anatomy(loaded)
        own = _blocks(loaded, parts, seen)
        block = parts.sublayers[0]
        attention = next(part for part in block if part.kind == SELF)
        feed = next(part for part in block if part.kind == MLP)
        stacks.append(
            StackWidths(
                side or {Family.ENCODER: "encoder", Family.DECODER: "decoder"}[model.family],
                len(parts.blocks),
                attention.n_heads,
                attention.n_key_heads,
                out_matrix(attention).shape[0] // attention.n_heads,
                _mlp_dim(loaded, feed),
                any(part.kind == CROSS for part in block),
                own,
            )
        )
        for kind, number in own.items():
            counted[kind] = counted.get(kind, 0) + number
    for name, parameter in model.whole.named_parameters():
        if id(parameter) in seen:
            continue
        seen.add(id(parameter))
        kind = (
            NORM
            if "norm" in name.lower()
            else POSITIONS
            if "position" in name or name.startswith("wpe") or ".wpe." in name
            else HEAD
            if "head" in name or "predictions" in name
            else REST
        )
        counted[kind] = counted.get(kind, 0) + parameter.numel()
    total = sum({id(p): p.numel() for p in model.whole.parameters()}.values())
    return Widths(
        model.name,
        model.dim,
        int(table.shape[0]),
        model.window,
        tuple(stacks),
        {kind: number for kind, number in counted.items() if number},
        total,
    )


def _blocks(model: LanguageModel, parts: Anatomy, seen: set[int]) -> dict[str, int]:
    """Parameters of all blocks: an attention's are those of the module that returns its weights and of the map it
    writes with, what is neither that nor a norm is the MLP's.
    """
    counted = {SELF: 0, CROSS: 0, MLP: 0, NORM: 0}
    names = find_attentions(model).names
    for layer, (block, sublayers) in enumerate(zip(parts.blocks, parts.sublayers, strict=True), 1):
        owners: list[tuple[Module, str]] = [
            (norm, NORM)
            for part in sublayers
            for norm in (part.norm, part.after)
            if norm is not None and _is_norm(norm)
        ]
        for part in sublayers:
            if part.kind != MLP:
                owners += [(parts.stack.get_submodule(names[layer, part.kind]), part.kind), (part.out, part.kind)]
        for module, kind in [*owners, (block, MLP)]:
            for parameter in module.parameters():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    counted[kind] += parameter.numel()
    return {kind: number for kind, number in counted.items() if number}


def _is_norm(module: "Module") -> bool:
    """Whether it is one: where no norm reads the stream, the attention or the MLP itself stands in its place."""
    return len(list(module.children())) == 0


def _mlp_dim(model: LanguageModel, feed: SubLayer) -> int:
    """The width inside the MLP; of a mixture of experts that of each."""
    if hasattr(feed.out, "weight"):
        return int(out_matrix(feed).shape[0])
    return int(model.whole.config.get_text_config().intermediate_size)
