"""One pass through a model with the lid off: what it reads, and a twin that may be hooked and changed."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from polysema.core.errors import UserError
from polysema.core.inside.architectures import (
    CROSS,
    MLP,
    SELF,
    Anatomy,
    anatomy,
    find_plan,
    require_hooks,
    require_plan,
    shares_layers,
    with_own_layers,
)
from polysema.core.inside.readings import (
    HookedRun,
    Unit,
    grouped,
    last_place,
    one_reading,
    place_in,
    positions_of,
    read,
    token_name,
)
from polysema.core.model.load import LanguageModel
from polysema.core.progress import go_on
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# what a module is given or returns: hidden states, alone or before weights, a cache and whatever else
ModuleOutput: TypeAlias = "Tensor | tuple[Any, ...]"
# looks at it, and returns what takes its place, or None
Take: TypeAlias = "Callable[[ModuleOutput], ModuleOutput | None]"

# who hooks a pass reads it too
__all__ = [
    "ATTENTION",
    "BEFORE",
    "CROSS",
    "EMBEDDING",
    "MLP",
    "POINTS",
    "SELF",
    "Anatomy",
    "HookedRun",
    "ModuleOutput",
    "Take",
    "Twin",
    "Unit",
    "Watcher",
    "anatomy",
    "as_floats",
    "check_points",
    "first_of",
    "forget_hooks",
    "grouped",
    "last_place",
    "one_reading",
    "place_in",
    "points_of",
    "positions_of",
    "read",
    "replaced",
    "rows_of",
    "states_of",
    "tap_states",
    "token_name",
    "twin_of",
    "watch",
]

EMBEDDING, BEFORE, ATTENTION = "embedding", "before", "attention"
POINTS = (BEFORE, ATTENTION, CROSS, MLP)  # where in a block the residual stream is read


@dataclass(slots=True)
class Twin:
    """A copy of a model's modules around the very same weights: what is hooked or switched here is nowhere else.

    So a call can use plain attention, which gives its weights, and change states on their way, while other threads use
    the model as it is.
    """

    model: LanguageModel
    root: Any
    parts: Anatomy
    requested: bool = False  # whether a pass requests attention weights
    handles: list[Any] = field(default_factory=list)

    def on_output(self, module: "Module", take: Take) -> None:
        """Call `take` with what a module returns; what `take` returns, unless None, takes its place."""
        self.handles.append(module.register_forward_hook(lambda _m, _inputs, out: take(out)))

    def on_input(self, module: "Module", take: Take) -> None:
        """Call `take` with the first thing that a module is given; what it returns, unless None, takes its place."""

        def hook(
            _module: "Module", args: tuple[Any, ...], given: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
            name = None if args else next(iter(given))
            changed = take(args[0] if name is None else given[name])
            if changed is None:
                return None
            return ((changed, *args[1:]), given) if name is None else (args, given | {name: changed})

        self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def run(self, reading: HookedRun) -> None:
        """One pass over what is read."""
        self.run_rows([reading.ids], reading.source)

    def run_rows(self, rows: Sequence[Sequence[int]], source: HookedRun | None = None) -> None:
        """One pass over several rows of ids, all as long, with the same source beside each."""
        import torch

        device = self.model.engine.device  # type: ignore[attr-defined]

        def tensors(of: Sequence[Sequence[int]]) -> tuple[object, object]:
            table = torch.tensor([list(ids) for ids in of], device=device)
            return table, torch.ones_like(table)

        ids, mask = tensors(rows)
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
        if source is not None:
            read, read_mask = tensors([source.ids] * len(rows))
            given = {"input_ids": read, "attention_mask": read_mask, "decoder_input_ids": ids}
            given["decoder_attention_mask"] = mask  # without it T5Gemma sees no start token that is the padding too
        if self.model.causal:
            given["use_cache"] = False
        if self.requested:
            given["output_attentions"] = True
        with torch.inference_mode():
            self.root(**given, return_dict=True)


@contextmanager
def twin_of(model: LanguageModel) -> Iterator[Twin]:
    """A twin of the model, with plain attention; its hooks are gone afterwards, however the block ends.

    Raises `UnavailableError` for an engine that can't be hooked, `UserError` for a model without blocks.
    """
    require_hooks(model)
    original = model.engine.module  # type: ignore[attr-defined]
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*original.parameters(), *original.buffers())}
    root = copy.deepcopy(original, shared)
    if shares_layers(model):
        root = with_own_layers(root)
    for module in root.modules():
        forget_hooks(module)
        if hasattr(module, "config"):
            module.config._attn_implementation = "eager"
    parts = anatomy(model, root.get_decoder() if model.reads_two else root)
    twin = Twin(model, root, parts, handles=[b.register_forward_pre_hook(lambda *_: go_on()) for b in parts.blocks])
    try:
        yield twin
    finally:
        for handle in twin.handles:
            handle.remove()


class Watcher(Protocol):
    """What looks at the passes over a text as they go by."""

    def tap(self, twin: Twin) -> None:
        """Put its hooks on the twin."""

    def begin(self, reading: HookedRun) -> None:
        """Hear of the pass that comes."""

    def end(self, reading: HookedRun) -> None:
        """Hear that it is over."""


def watch(model: LanguageModel, readings: Sequence[HookedRun], watchers: Sequence[Watcher]) -> None:
    """One pass over each of the readings, under the eyes of all watchers: so they cost no pass of their own each."""
    with twin_of(model) as twin:
        for watcher in watchers:
            watcher.tap(twin)
        for reading in readings:
            for watcher in watchers:
                watcher.begin(reading)
            twin.run(reading)
            for watcher in watchers:
                watcher.end(reading)


def forget_hooks(module: "Module") -> None:
    """Drop the hooks of a copied module: those that another thread has on the model just now, and what transformers
    gathers states with, so that it installs that anew on request.
    """
    module._forward_hooks.clear()
    module._forward_pre_hooks.clear()
    module.__dict__.pop("_output_capturing_hooks_installed", None)


def rows_of(out: ModuleOutput) -> "Tensor":
    """(n_positions, n) of what a module is given or returns for one text; OPT's last linear map has no batch."""
    states = first_of(out)
    return states[0] if states.ndim == 3 else states


def first_of(out: ModuleOutput) -> "Tensor":
    """The hidden states among what a module returns."""
    return out[0] if isinstance(out, tuple) else out


def replaced(out: ModuleOutput, states: "Tensor") -> ModuleOutput:
    """What a module returned, with other hidden states."""
    return (states, *out[1:]) if isinstance(out, tuple) else states


def points_of(model: LanguageModel) -> tuple[str, ...]:
    """Where in a block the residual stream can be read: before it and behind it in any model; behind its attentions
    where the table names them and they don't stand beside the MLP.
    """
    plan = find_plan(model)
    if plan is None or plan.parallel:
        return (BEFORE, MLP)
    return tuple(point for point in POINTS if point != CROSS or model.reads_two)


def check_points(model: LanguageModel, points: Sequence[str]) -> tuple[str, ...]:
    """The points in the order of a pass; raises `UserError` for one that isn't there."""
    there = points_of(model)
    for point in points:
        if point in (ATTENTION, CROSS) and point not in there and find_plan(model) is None:
            require_plan(model)
        if point not in there:
            raise UserError(f"a layer of {model.name} is seen at {', '.join(there)}; got {point!r}")
    if not points:
        raise UserError(f"choose at least one of the points {', '.join(there)}")
    return tuple(point for point in there if point in points)


def tap_states(
    twin: Twin, layers: Sequence[int], points: Sequence[str], take: "Callable[[int, str, Tensor], None]"
) -> None:
    """Give the residual stream (n_positions, dim) to `take` at each of `points` of each of `layers`, as a pass meets
    it.

    Layer 0 has one point, the embedding. In a block with norms behind its sub-layers a point is behind the norm.
    """

    def taker(layer: int, point: str) -> Callable[[ModuleOutput], None]:
        return lambda out: take(layer, point, rows_of(out))

    for layer in layers:
        if layer == 0:
            twin.on_input(twin.parts.blocks[0], taker(0, EMBEDDING))
            continue
        block = twin.parts.blocks[layer - 1]
        if BEFORE in points:
            twin.on_input(block, taker(layer, BEFORE))
        if MLP in points:
            twin.on_output(block, taker(layer, MLP))
        between = [name for name in (ATTENTION, CROSS) if name in points]
        parts = twin.parts.sublayers[layer - 1] if between and twin.parts.sublayers else ()
        for place, part in enumerate(parts[:-1]):
            name = ATTENTION if part.kind == SELF else part.kind
            if name not in between:
                continue
            if twin.parts.post_norm:
                twin.on_output(part.norm, taker(layer, name))
            else:
                twin.on_input(parts[place + 1].norm, taker(layer, name))


def as_floats(tensor: "Tensor") -> Floats:
    """A tensor as float32."""
    found: Floats = tensor.detach().float().cpu().numpy()
    return found


def states_of(twin: Twin, reading: HookedRun, layers: Sequence[int]) -> "dict[int, Tensor]":
    """The residual stream (n_positions, dim) behind each of `layers`, before a final norm, in one pass."""
    kept: dict[int, Tensor] = {}
    n_before = len(twin.handles)

    def take(layer: int, point: str, states: "Tensor") -> None:
        kept[layer] = states

    tap_states(twin, layers, (MLP,), take)
    try:
        twin.run(reading)
    finally:
        while len(twin.handles) > n_before:
            twin.handles.pop().remove()
    return kept
