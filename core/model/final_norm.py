"""The norm that ends a stack, where it has one: found by name, else by what it gives."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel

NORM_NAMES = ("norm", "ln_f", "final_layer_norm", "final_norm", "layer_norm")  # of most stacks
N_PROBED = 2  # tokens of the pass that looks for a norm of another name


def find_final_norm(stack: "PreTrainedModel", two_stacks: bool) -> "Module | None":
    """The module whose output is the last layer of `stack`, None where the stack ends in a block.

    A norm of another name, or one that lies deeper (OPT, Phi, ESM, XLM-RoBERTa-XL), is known by its output in one pass
    of two tokens. A stack of an encoder-decoder isn't run alone: there only names are known.
    """
    for name in NORM_NAMES:
        norm = getattr(stack, name, None)
        if norm is not None:
            found: Module = norm
            return found
    candidates = [] if two_stacks else list(_norms_outside_blocks(stack))
    return _last_norm(stack, candidates) if candidates else None


def _norms_outside_blocks(module: "Module") -> "Iterator[Module]":
    """Norms that stand neither in a block nor among the embeddings."""
    from torch.nn import ModuleList

    for name, child in module.named_children():
        if isinstance(child, ModuleList) or name.startswith("embeddings"):
            continue
        if "norm" in type(child).__name__.lower():
            yield child
        else:
            yield from _norms_outside_blocks(child)


def _last_norm(stack: "PreTrainedModel", candidates: "list[Module]") -> "Module | None":
    """The candidate whose output a pass gives back as its last hidden state."""
    import torch

    outputs: dict[int, Any] = {}

    def keep(number: int) -> "Callable[[Module, tuple[Any, ...], Any], None]":
        return lambda _module, _inputs, output: outputs.update({number: output})

    handles = [norm.register_forward_hook(keep(number)) for number, norm in enumerate(candidates)]
    try:
        ids = torch.arange(N_PROBED, device=next(stack.parameters()).device)[None]
        with torch.inference_mode():
            last = stack(input_ids=ids, attention_mask=torch.ones_like(ids), return_dict=True).last_hidden_state
    finally:
        for handle in handles:
            handle.remove()
    same = (n for n, output in outputs.items() if output.shape == last.shape and torch.equal(output, last))
    found = next(same, None)
    return None if found is None else candidates[found]
