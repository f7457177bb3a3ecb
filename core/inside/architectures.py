"""Where things are in a model: its blocks and attentions, found in any, and the parts that the table names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from polysema.core.argument_types import check_number
from polysema.core.errors import UnavailableError, UserError
from polysema.core.inside.part_plans import CROSS, MLP, PLANS, SELF, Part, PartsPlan
from polysema.core.model.engine import TorchEngine
from polysema.core.model.load import LanguageModel

if TYPE_CHECKING:
    from torch.nn import Module

__all__ = ["CROSS", "MLP", "SELF", "Anatomy", "SubLayer", "anatomy", "check_head", "check_layers", "kind_of"]

GUIDE = "docs/guides/families.md tells how a row is added"


@dataclass(frozen=True, slots=True)
class SubLayer:
    """The modules of one sub-layer; see `Part`. `n_heads` and `n_key_heads` are 0 for an MLP."""

    kind: str
    out: "Module"
    norm: "Module"
    after: "Module | None" = None
    n_heads: int = 0
    n_key_heads: int = 0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The modules of one stack. `blocks[l - 1]` makes layer l.

    `sublayers[l - 1]` are the parts of its block, in order; none where the architecture has no row in the table, which
    is said by `attention` and `mlp`. `post_norm` and `parallel` are as `PartsPlan` has them.
    """

    model: LanguageModel
    stack: "Module"
    blocks: "tuple[Module, ...]"
    sublayers: tuple[tuple[SubLayer, ...], ...]
    final_norm: "Module | None"
    post_norm: bool = False
    parallel: bool = False

    def attention(self, layer: int, kind: str) -> SubLayer:
        """The attention of that kind in a layer counted from 1, or the MLP; raises `UserError` where no row names
        it.
        """
        if not self.sublayers:
            require_plan(self.model)
        return next(part for part in self.sublayers[layer - 1] if part.kind == kind)


def require_hooks(model: LanguageModel) -> None:
    """Raise `UnavailableError` for an engine that runs a compiled graph: nothing inside it can be seen or changed."""
    if not isinstance(model.engine, TorchEngine):
        raise UnavailableError(
            f"the engine {model.engine.name} runs a compiled graph, and what is inside it can't be seen; load "
            f"{model.name} with the "
            'engine torch: load_model(name, engine="torch")'
        )


def kind_of(model: LanguageModel) -> str:
    """transformers' name of the architecture."""
    config = model.whole.config
    return str(config.model_type if model.stack else config.get_text_config().model_type)


def find_plan(model: LanguageModel) -> PartsPlan | None:
    """The row of the model's stack, None where the table has none."""
    plan = PLANS.get(kind_of(model))
    if isinstance(plan, dict):
        plan = plan.get(model.stack)
    if plan is not None and plan.flag and not getattr(model.whole.config, plan.flag, True):
        return plan.otherwise
    return plan


def require_plan(model: LanguageModel) -> PartsPlan:
    """The same; raises `UserError` for an architecture without a row."""
    plan = find_plan(model)
    if plan is None:
        raise UserError(
            f"{model.name} is a {kind_of(model)} model, whose parts are not known here (its attention and the lens "
            f"need no row); known are {', '.join(sorted(PLANS))}; {GUIDE}"
        )
    return plan


def n_key_heads(model: LanguageModel) -> int:
    """How many heads have keys of their own: fewer than the heads where several share one."""
    config = getattr(model.module, "config", None) or model.whole.config
    groups = getattr(config, "num_key_value_heads", None)
    return int(groups) if isinstance(groups, int) and model.n_heads % groups == 0 else model.n_heads


def find_blocks(model: LanguageModel, stack: "Module") -> "tuple[Module, ...]":
    """The blocks of a stack: the outermost list of as many modules as it has layers; raises `UserError` otherwise."""
    from torch.nn import ModuleList

    for module in stack.modules():
        if isinstance(module, ModuleList) and len(module) == model.n_layers:
            return tuple(module)
    raise UserError(
        f"{model.name} is a {kind_of(model)} model that doesn't hold its {model.n_layers} layers as blocks of one "
        "list, so there is nothing to look at between them"
    )


def anatomy(model: LanguageModel, stack: "Module | None" = None) -> Anatomy:
    """The parts of a model's stack (of `stack`, a twin of it). Raises `UserError` for one without blocks, and for one
    that is built otherwise than its row says.
    """
    stack = model.module if stack is None else stack
    if stack is model.module and shares_layers(model):
        stack = with_own_layers(stack)
    blocks = find_blocks(model, stack)
    name = _final_norm_name(model)
    final = stack.get_submodule(name) if name else None
    plan = find_plan(model)
    if plan is None:
        return Anatomy(model, stack, blocks, (), final)
    try:
        sublayers = tuple(tuple(_sublayer(model, block, part) for part in plan.parts) for block in blocks)
    except AttributeError as error:
        raise UserError(
            f"{model.name} says that it is a {kind_of(model)} model but is built otherwise ({error}); its parts "
            "are not known here"
        ) from None
    return Anatomy(model, stack, blocks, sublayers, final, plan.post_norm, plan.parallel)


_FINAL_NORMS: "WeakKeyDictionary[Any, str]" = WeakKeyDictionary()  # the name of the norm that ends a stack


def _final_norm_name(model: LanguageModel) -> str:
    from polysema.core.model.final_norm import find_final_norm

    if model.module not in _FINAL_NORMS:
        norm = find_final_norm(model.module, bool(model.stack))
        names = (name for name, module in model.module.named_modules() if module is norm)
        _FINAL_NORMS[model.module] = next(names) if norm is not None else ""
    return _FINAL_NORMS[model.module]


def _sublayer(model: LanguageModel, block: "Module", part: Part) -> SubLayer:
    heads = (0, 0) if part.kind == MLP else (model.n_heads, n_key_heads(model))
    return SubLayer(
        part.kind,
        block.get_submodule(part.out),
        block.get_submodule(part.norm),
        block.get_submodule(part.after) if part.after else None,
        *heads,
    )


def shares_layers(model: LanguageModel) -> bool:
    """Whether several layers are one and the same module, as ALBERT has it."""
    config = model.whole.config
    return 0 < getattr(config, "num_hidden_groups", model.n_layers) < model.n_layers


def with_own_layers(stack: "Module") -> "Module":
    """The stack with a module of its own for each layer, around the same weights, so that each can be hooked alone."""
    import copy

    from torch.nn import ModuleList

    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*stack.parameters(), *stack.buffers())}
    twin = copy.deepcopy(stack, shared)
    encoder: Any = twin.get_submodule("encoder")
    config: Any = twin.config
    n_layers = int(config.num_hidden_layers)
    per_group = n_layers / config.num_hidden_groups
    groups = list(encoder.albert_layer_groups)
    encoder.albert_layer_groups = ModuleList(
        copy.deepcopy(groups[int(layer / per_group)], dict(shared)) for layer in range(n_layers)
    )
    for module in twin.modules():
        own: Any = getattr(module, "config", None)
        if own is not None:
            own.num_hidden_groups = n_layers
    return twin


def check_layers(model: LanguageModel, layers: Sequence[int] | None) -> tuple[int, ...]:
    """Layers with attention, counted from 1 (all when None), negative ones from the end; raises `UserError`
    otherwise.
    """
    if layers is None:
        return tuple(range(1, model.n_layers + 1))
    checked = []
    for layer in layers:
        check_number(layer, "a layer")
        if layer == 0 or not -model.n_layers <= layer <= model.n_layers:
            raise UserError(
                f"{model.name} has attention and MLPs in the layers 1 to {model.n_layers}; got {layer}. Use -1 "
                "for the last" + (" (0 is the embeddings)" if layer == 0 else "")
            )
        checked.append(layer if layer > 0 else model.n_layers + 1 + layer)
    if not checked:
        raise UserError(f"choose at least one of the layers 1 to {model.n_layers} of {model.name}")
    if len(set(checked)) != len(checked):
        raise UserError(f"a layer is named twice: {', '.join(map(str, layers))}")
    return tuple(checked)


def check_head(model: LanguageModel, head: int) -> int:
    """A head counted from 1; raises `UserError` for one that isn't there."""
    check_number(head, "a head")
    if not 1 <= head <= model.n_heads:
        raise UserError(f"{model.name} has heads 1 to {model.n_heads} in each layer; got {head}")
    return head
