"""The output head, which turns a hidden state into logits, verified against the model's own forward pass."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from polysema.core.errors import UserError
from polysema.core.inside.architectures import kind_of
from polysema.core.model.load import LanguageModel

PROBE_TOKENS = 4
PROBE_SLACK = 1e-3  # of the largest logit
HALF_PROBE_SLACK = 0.05  # in float16 and bfloat16
_CHECKED: "WeakSet[Any]" = WeakSet()  # models whose head gives what the model itself answers


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """The names of what turns a hidden state into a score for every token: perhaps a transform (a linear map, an
    activation, a norm), then the table of output embeddings. An activation without a name is GELU.
    """

    unembed: str
    dense: str = ""
    activation: str = ""
    norm: str = ""


_LM_HEAD = HeadPlan("lm_head")
_BERT_HEAD = HeadPlan(
    "cls.predictions.decoder",
    "cls.predictions.transform.dense",
    "cls.predictions.transform.transform_act_fn",
    "cls.predictions.transform.LayerNorm",
)
_ROBERTA_HEAD = HeadPlan("lm_head.decoder", "lm_head.dense", "", "lm_head.layer_norm")
HEADS = {
    "bert": _BERT_HEAD,
    "camembert": _ROBERTA_HEAD,
    "mpnet": _ROBERTA_HEAD,
    "roberta": _ROBERTA_HEAD,
    "xlm-roberta": _ROBERTA_HEAD,
    "modernbert": HeadPlan("decoder", "head.dense", "head.act", "head.norm"),
    "distilbert": HeadPlan("vocab_projector", "vocab_transform", "activation", "vocab_layer_norm"),
}


@dataclass(frozen=True, slots=True)
class OutputHead:
    """What turns a hidden state (after the final norm, if there is one) into a score for every token of the vocabulary.

    `scale` is T5's (dim ** -0.5 where it ties its tables), `bias` BART's and Marian's final bias.
    """

    unembed: Any
    dense: Any = None
    activation: "Callable[[Any], Any] | None" = None
    norm: Any = None
    scale: float = 1.0
    bias: Any = None

    def logits(self, states: Any) -> Any:
        """(n, dim) to (n, vocabulary)."""
        if self.dense is not None:
            states = self.dense(states)
            states = self.activation(states) if self.activation is not None else states
            states = self.norm(states)
        scores = self.unembed(states * self.scale)
        return scores if self.bias is None else scores + self.bias


def find_head(model: LanguageModel) -> OutputHead | None:
    """The head that scores every token, None where the folder holds none, or this stack has none (an encoder's beside
    a decoder).
    """
    if model.stack == "encoder":
        return None
    whole = model.whole
    names = HEADS.get(kind_of(model), _LM_HEAD)
    try:
        unembed = whole.get_submodule(names.unembed)
        dense = whole.get_submodule(names.dense) if names.dense else None
        activation = _activation(whole, names.activation) if names.dense else None
        norm = whole.get_submodule(names.norm) if names.norm else None
    except AttributeError:
        return None
    bias = getattr(whole, "final_logits_bias", None)
    return OutputHead(unembed, dense, activation, norm, _scale(model), bias[0] if bias is not None else None)


def _scale(model: LanguageModel) -> float:
    """What a state is multiplied by before the table: dim ** -0.5 in T5 and UMT5 where they say so, never in MT5."""
    config, kind = model.whole.config, kind_of(model)
    # older versions of transformers go by the tie in T5 too
    ties = getattr(config, "tie_word_embeddings", False)
    scaled = getattr(config, "scale_decoder_outputs", ties) if kind == "t5" else kind == "umt5" and ties
    return float(config.d_model) ** -0.5 if scaled else 1.0


def _activation(whole: Any, name: str) -> Callable[[Any], Any]:
    if not name:
        from torch.nn.functional import gelu

        return gelu
    found: Any = whole
    for step in name.split("."):
        found = getattr(found, step)
    return found


def require_head(model: LanguageModel) -> OutputHead:
    """The head, checked; raises `UserError` for a model without one."""
    head = checked_head(model)
    if head is None:
        which = f"the encoder of {model.name}" if model.stack == "encoder" else model.name
        raise UserError(
            f"{which} has no head that scores words, so it has no next word and no logits; the lens can show the "
            "nearest "
            "static vectors instead (kind static)"
        )
    return head


def checked_head(model: LanguageModel) -> OutputHead | None:
    """As `find_head`, verified once against a plain forward pass of the whole model.

    Raises `UserError` for a model that makes its logits otherwise than the head says: with a scale, a cap, or a part
    that isn't known here.
    """
    head = find_head(model)
    if head is None or model.whole in _CHECKED:
        return head
    ours, own = _probed(model, head)
    slack = PROBE_SLACK if model.dtype == "float32" else HALF_PROBE_SLACK
    apart = float((ours - own).abs().max())
    if not apart <= slack * float(own.abs().max()):
        raise UserError(
            f"{model.name} makes its logits otherwise than its head says (they differ by up to {apart:.3g}), so "
            "what its "
            "states say can't be told; the lens can show the nearest static vectors instead (kind static)"
        )
    _CHECKED.add(model.whole)
    return head


def _probed(model: LanguageModel, head: OutputHead) -> tuple[Any, Any]:
    """The logits of a few tokens, by the head and by the model: (n_tokens, vocabulary) each."""
    import torch

    # a copy around the same weights: what transformers hooks into it to gather states is nowhere else
    shared: dict[int, Any] = {id(one): one for one in (*model.whole.parameters(), *model.whole.buffers())}
    whole = copy.deepcopy(model.whole, shared)
    for module in whole.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
        # the mark that transformers gathers states already: without its hooks it must install them anew
        module.__dict__.pop("_output_capturing_hooks_installed", None)
    ids = torch.arange(min(PROBE_TOKENS, len(model.input_table)), device=model.whole.device)[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if model.reads_two:
        given["decoder_input_ids"] = ids
    with torch.inference_mode():
        answer = whole(**given, output_hidden_states=True, return_dict=True)
        states = answer.decoder_hidden_states if model.reads_two else answer.hidden_states
        return head.logits(states[-1][0]).float(), answer.logits[0].float()
