"""Which modules of a model return attention weights: found in one short pass, whatever the architecture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import kind_of
from polysema.core.inside.hooks import HookedRun, ModuleOutput, Twin, Unit, twin_of
from polysema.core.inside.part_plans import CROSS, SELF
from polysema.core.model.load import LanguageModel

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

N_READ, N_SOURCE = 2, 3  # tokens of the pass that looks for them; two numbers tell self- from cross-attention


@dataclass(frozen=True, slots=True)
class AttentionModules:
    """`names` of the modules in a stack, by layer (from 1) and kind. `requested`: they return their weights only when
    the whole pass requests them.
    """

    names: dict[tuple[int, str], str]
    requested: bool

    def module(self, twin: Twin, layer: int, kind: str) -> "Module":
        """The module of a twin that returns the weights."""
        return twin.parts.stack.get_submodule(self.names[layer, kind])

    def tap(self, twin: Twin, layer: int, kind: str, take: "Callable[[Tensor], None]") -> None:
        """Give the weights (n_heads, n_queries, n_keys) of an attention to `take`, as a pass meets it."""
        twin.requested = twin.requested or self.requested

        def hook(out: ModuleOutput) -> "ModuleOutput | None":
            place = weights_place(out)
            assert place is not None
            take(out[place][0])
            # what is requested is gathered by the model as well: there it would be kept for all layers
            return (*out[:place], None, *out[place + 1 :]) if self.requested else None

        twin.on_output(self.module(twin, layer, kind), hook)


_FOUND: "WeakKeyDictionary[Any, AttentionModules]" = WeakKeyDictionary()  # by stack


def find_attentions(model: LanguageModel) -> AttentionModules:
    """The attentions of a model's stack; raises `UserError` for a model of which some layer returns no weights."""
    known = _FOUND.get(model.module)
    if known is None:
        known = _probed(model, False) or _probed(model, True)
        if known is None:
            raise UserError(
                f"{model.name} is a {kind_of(model)} model whose layers return no attention weights, so there are none "
                "to show; hidden states and the lens need none"
            )
        _FOUND[model.module] = known
    return known


def weights_place(out: ModuleOutput) -> int | None:
    """Where among what a module returns the weights are: the last tensor (n, n_heads, n_queries, n_keys)."""
    if not isinstance(out, tuple):
        return None
    places = [place for place, one in enumerate(out) if getattr(one, "ndim", 0) == 4]
    return places[-1] if places else None


def _probed(model: LanguageModel, requested: bool) -> AttentionModules | None:
    names: dict[tuple[int, str], str] = {}
    with twin_of(model) as twin:
        twin.requested = requested
        of = {id(module): name for name, module in twin.parts.stack.named_modules()}

        def keep(layer: int, module: "Module") -> Callable[[ModuleOutput], None]:
            def take(out: ModuleOutput) -> None:
                place = weights_place(out)
                if place is None or out[place].shape[1:3] != (model.n_heads, N_READ):
                    return
                kind = CROSS if out[place].shape[3] == N_SOURCE else SELF
                names.setdefault((layer, kind), of[id(module)])  # the innermost module returns first

            return take

        for layer, block in enumerate(twin.parts.blocks, 1):
            for module in block.modules():
                twin.on_output(module, keep(layer, module))
        twin.run(_reading(model))
    wanted = (SELF, CROSS) if model.reads_two else (SELF,)
    whole = all((layer, kind) in names for layer in range(1, model.n_layers + 1) for kind in wanted)
    return AttentionModules(names, requested) if whole else None


def _reading(model: LanguageModel) -> HookedRun:
    def of(n_tokens: int, source: HookedRun | None = None) -> HookedRun:
        ids = tuple(min(token + 1, len(model.input_table) - 1) for token in range(n_tokens))
        return HookedRun("", ids, tuple(Unit(str(i)) for i in ids), np.ones(n_tokens, bool), source=source)

    return of(N_READ, of(N_SOURCE) if model.reads_two else None)
