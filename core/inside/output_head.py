"""The output head, which turns a hidden state into logits: the model's own code, whatever it does."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from polysema.core.errors import UserError
from polysema.core.inside.architectures import find_plan, kind_of
from polysema.core.inside.hooks import forget_hooks
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers.utils import ModelOutput


@dataclass(frozen=True, slots=True)
class OutputHead:
    """The head behind a stack (after the final norm, if there is one).

    `answer` is the model's own code. The rest is what the table says that it consists of, and is only what attribution
    goes by: perhaps a transform (`dense`, `activation`, `norm`), a `scale`, the table `unembed` with a final `bias`
    (BART, Marian), and a `cap` on the logits (Gemma 2).
    """

    answer: "Callable[[Tensor], Tensor]"
    unembed: "Module"
    dense: "Module | None" = None
    activation: "Callable[[Tensor], Tensor] | None" = None
    norm: "Module | None" = None
    scale: float = 1.0
    bias: "Tensor | None" = None
    cap: float = 0.0

    def logits(self, states: "Tensor") -> "Tensor":
        """(n, dim) to (n, vocabulary)."""
        return self.answer(states)


def find_head(model: LanguageModel) -> OutputHead | None:
    """The head that scores every token, None where the folder holds none, or this stack has none (an encoder's beside
    a decoder).
    """
    if model.stack == "encoder":
        return None
    whole = model.whole
    unembed = whole.get_output_embeddings()
    if unembed is None:
        return None
    plan = find_plan(model)
    bias = getattr(whole, "final_logits_bias", None)
    config = whole.config.get_text_config()
    transform: dict[str, Any] = {}
    if plan is not None and plan.head is not None:
        try:
            transform = {
                "dense": whole.get_submodule(plan.head.dense),
                "activation": _activation(whole, plan.head.activation),
                "norm": whole.get_submodule(plan.head.norm),
            }
        except AttributeError:  # another head: its parts don't add up then, which is told
            transform = {}
    return OutputHead(
        _own_answer(whole),
        unembed,
        **transform,
        scale=_scale(model),
        bias=bias[0] if bias is not None else None,
        cap=float(getattr(config, "final_logit_softcapping", None) or 0.0),
    )


def _own_answer(whole: "Module") -> "Callable[[Tensor], Tensor]":
    """The model's own way from hidden states to logits: itself, with the states given in place of its stacks."""
    from transformers import PreTrainedModel
    from transformers.modeling_outputs import BaseModelOutput

    supplied: dict[str, Tensor] = {}
    memo: dict[int, object] = {id(tensor): tensor for tensor in (*whole.parameters(), *whole.buffers())}
    for stack in whole.children():
        if isinstance(stack, PreTrainedModel):
            memo[id(stack)] = _stand_in(stack, supplied)
    twin = copy.deepcopy(whole, memo)
    for module in twin.modules():
        forget_hooks(module)

    def answer(states: "Tensor") -> "Tensor":
        import torch

        supplied["states"] = states[None]  # (1, n, dim)
        ids = torch.zeros(1, len(states), dtype=torch.long, device=states.device)
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if getattr(whole.config, "is_encoder_decoder", False):
            given |= {"decoder_input_ids": ids, "encoder_outputs": BaseModelOutput(last_hidden_state=states[None])}
        with torch.inference_mode():
            return logits_of(twin(**given, return_dict=True))[0]

    return answer


def logits_of(answer: "ModelOutput") -> "Tensor":
    """The scores of every token among what a whole model returns, (n, n_tokens, vocabulary)."""
    found: Tensor = answer.logits if getattr(answer, "logits", None) is not None else answer.prediction_logits
    return found


def _stand_in(stack: "Module", supplied: "dict[str, Tensor]") -> "Module":
    """A module in place of a stack, that returns the given states and has whatever else the stack has."""
    from torch.nn import Module
    from transformers import PreTrainedModel

    class _Answer(tuple):  # type: ignore[type-arg]
        """What a stack returns: its states, and None for everything else that a head may look for."""

        def __getattr__(self, name: str) -> object:
            if name.startswith("__"):
                raise AttributeError(name)
            return self[0] if name == "last_hidden_state" else None

    class _StandIn(Module):
        def __getattr__(self, name: str) -> "Tensor | Module":
            found = getattr(stack, name)
            return _stand_in(found, supplied) if isinstance(found, PreTrainedModel) else found

        def forward(self, *_args: object, **_given: object) -> _Answer:
            return _Answer((supplied["states"], supplied["states"][:, 0]))

    return _StandIn()


def _scale(model: LanguageModel) -> float:
    """What a state is multiplied by before the table: dim ** -0.5 in T5 and UMT5 where they say so, never in MT5."""
    config, kind = model.whole.config, kind_of(model)
    # older versions of transformers go by the tie in T5 too
    ties = getattr(config, "tie_word_embeddings", False)
    scaled = getattr(config, "scale_decoder_outputs", ties) if kind == "t5" else kind == "umt5" and ties
    return float(config.d_model) ** -0.5 if scaled else 1.0


def _activation(whole: "Module", name: str) -> "Callable[[Tensor], Tensor]":
    if not name:
        from torch.nn.functional import gelu

        return gelu
    found: Any = whole
    for step in name.split("."):
        found = getattr(found, step)
    return cast("Callable[[Tensor], Tensor]", found)


def require_head(model: LanguageModel) -> OutputHead:
    """The head; raises `UserError` for a model without one."""
    head = find_head(model)
    if head is None:
        which = f"the encoder of {model.name}" if model.stack == "encoder" else model.name
        raise UserError(
            f"{which} has no head that scores words, so it has no next word and no logits{head_class_note(model)}; the "
            "lens can show the nearest static vectors instead (kind static)"
        )
    return head


def head_class_note(model: LanguageModel) -> str:
    """Which class of transformers would have the head, as a half-sentence; empty where none is known."""
    from transformers.models.auto import modeling_auto as auto

    if model.stack == "encoder":
        return ""
    names = {
        Family.ENCODER: auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        Family.DECODER: auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        Family.ENCODER_DECODER: auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    }.get(model.family, {})
    name = names.get(model.whole.config.model_type)
    name = name[0] if isinstance(name, (list, tuple)) else name
    return f": its folder holds a {type(model.whole).__name__}, a {name} would have one" if name else ""
