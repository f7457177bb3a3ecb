"""Where things are in a model: a small table of architectures, and the parts that it finds.

What stands between two layers is the same everywhere: sub-layers (attention, cross-attention, MLP) that read the
residual stream and add to it, with a norm before each (GPT-2, Llama, T5, ModernBERT) or after each (BERT, BART,
Marian: the Transformer of 2017). Only the names differ, and the names are this table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from polysema.core.errors import UnavailableError, UserError
from polysema.core.model.engine import TorchEngine
from polysema.core.model.load import LanguageModel

SELF, CROSS, MLP = "self", "cross", "mlp"


@dataclass(frozen=True, slots=True)
class Part:
    """The names of one sub-layer in a block: its last linear map (`out`), the `norm` beside it, and for attention the
    module that returns the weights (`core`).
    """

    kind: str
    out: str
    norm: str
    core: str = ""


@dataclass(frozen=True, slots=True)
class PartsPlan:
    """The names of one stack: its blocks, their sub-layers in order, and the norm that ends the stack.

    `post_norm` says that a norm follows each sub-layer; `asks` that attention returns its weights only on request.
    """

    blocks: str
    parts: tuple[Part, ...]
    final_norm: str = ""
    post_norm: bool = False
    asks: bool = False


_BERT = PartsPlan(
    "encoder.layer",
    (
        Part(SELF, "attention.output.dense", "attention.output.LayerNorm", "attention.self"),
        Part(MLP, "output.dense", "output.LayerNorm"),
    ),
    post_norm=True,
)
_MPNET = PartsPlan(
    "encoder.layer",
    (
        Part(SELF, "attention.attn.o", "attention.LayerNorm", "attention.attn"),
        Part(MLP, "output.dense", "output.LayerNorm"),
    ),
    post_norm=True,
    asks=True,
)
_DISTILBERT = PartsPlan(
    "transformer.layer",
    (Part(SELF, "attention.out_lin", "sa_layer_norm", "attention"), Part(MLP, "ffn.lin2", "output_layer_norm")),
    post_norm=True,
)
_MODERNBERT = PartsPlan(
    "layers", (Part(SELF, "attn.Wo", "attn_norm", "attn"), Part(MLP, "mlp.Wo", "mlp_norm")), "final_norm"
)
_GPT2 = PartsPlan("h", (Part(SELF, "attn.c_proj", "ln_1", "attn"), Part(MLP, "mlp.c_proj", "ln_2")), "ln_f")
_LLAMA = PartsPlan(
    "layers",
    (
        Part(SELF, "self_attn.o_proj", "input_layernorm", "self_attn"),
        Part(MLP, "mlp.down_proj", "post_attention_layernorm"),
    ),
    "norm",
)
_T5_SELF = Part(SELF, "layer.0.SelfAttention.o", "layer.0.layer_norm", "layer.0.SelfAttention")
_T5_CROSS = Part(CROSS, "layer.1.EncDecAttention.o", "layer.1.layer_norm", "layer.1.EncDecAttention")
_BART_SELF = Part(SELF, "self_attn.out_proj", "self_attn_layer_norm", "self_attn")
_BART_CROSS = Part(CROSS, "encoder_attn.out_proj", "encoder_attn_layer_norm", "encoder_attn")
_BART_MLP = Part(MLP, "fc2", "final_layer_norm")


def _t5_mlp(place: int) -> Part:
    return Part(MLP, f"layer.{place}.DenseReluDense.wo", f"layer.{place}.layer_norm")


_T5 = {
    "encoder": PartsPlan("block", (_T5_SELF, _t5_mlp(1)), "final_layer_norm"),
    "decoder": PartsPlan("block", (_T5_SELF, _T5_CROSS, _t5_mlp(2)), "final_layer_norm"),
}
_BART = {
    "encoder": PartsPlan("layers", (_BART_SELF, _BART_MLP), post_norm=True),
    "decoder": PartsPlan("layers", (_BART_SELF, _BART_CROSS, _BART_MLP), post_norm=True),
}

# by transformers' `model_type`; of an encoder-decoder one plan for each stack
PLANS: dict[str, PartsPlan | dict[str, PartsPlan]] = {
    "bart": _BART,
    "bert": _BERT,
    "camembert": _BERT,
    "distilbert": _DISTILBERT,
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "marian": _BART,
    "mistral": _LLAMA,
    "modernbert": _MODERNBERT,
    "mpnet": _MPNET,
    "mt5": _T5,
    "qwen2": _LLAMA,
    "roberta": _BERT,
    "t5": _T5,
    "umt5": _T5,
    "xlm-roberta": _BERT,
}


@dataclass(frozen=True, slots=True)
class SubLayer:
    """The modules of one sub-layer; see `Part`. `n_heads` and `n_key_heads` are 0 for an MLP."""

    kind: str
    out: Any
    norm: Any
    core: Any = None
    n_heads: int = 0
    n_key_heads: int = 0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The modules of one stack. `blocks[l - 1]` makes layer l of the stack's `sublayers[l - 1]`."""

    stack: Any
    blocks: tuple[Any, ...]
    sublayers: tuple[tuple[SubLayer, ...], ...]
    final_norm: Any
    post_norm: bool
    asks: bool

    def attention(self, layer: int, kind: str) -> SubLayer:
        """The attention of that kind in a layer counted from 1."""
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
    return str(model.whole.config.get_text_config().model_type)


def plan_of(model: LanguageModel) -> PartsPlan:
    """The names of the model's stack; raises `UserError` for an architecture that isn't in the table."""
    plan = PLANS.get(kind_of(model))
    if isinstance(plan, dict):
        plan = plan.get(model.stack)
    if plan is None:
        raise UserError(
            f"{model.name} is a {kind_of(model)} model, whose parts are not known here; known are "
            f"{', '.join(sorted(PLANS))}"
        )
    return plan


def anatomy(model: LanguageModel, stack: Any = None) -> Anatomy:
    """The parts of a model's stack (of `stack`, a twin of it). Raises `UserError` for an architecture not in the
    table.
    """
    plan = plan_of(model)
    stack = model.module if stack is None else stack
    config = model.whole.config.get_text_config()
    heads = model.n_heads
    groups = getattr(config, "num_key_value_heads", None) if model.stack == "" else None
    try:
        blocks = tuple(stack.get_submodule(plan.blocks))
        sublayers = tuple(
            tuple(
                SubLayer(
                    part.kind,
                    block.get_submodule(part.out),
                    block.get_submodule(part.norm),
                    block.get_submodule(part.core) if part.core else None,
                    heads if part.core else 0,
                    (groups or heads) if part.core else 0,
                )
                for part in plan.parts
            )
            for block in blocks
        )
        final = stack.get_submodule(plan.final_norm) if plan.final_norm else None
    except AttributeError as error:
        raise UserError(
            f"{model.name} says that it is a {kind_of(model)} model but is built otherwise ({error}); its parts "
            "are not known here"
        ) from None
    return Anatomy(stack, blocks, sublayers, final, plan.post_norm, plan.asks)


def check_layers(model: LanguageModel, layers: Sequence[int] | None) -> tuple[int, ...]:
    """Layers with attention, counted from 1 (all when None), negative ones from the end; raises `UserError`
    otherwise.
    """
    if layers is None:
        return tuple(range(1, model.n_layers + 1))
    checked = []
    for layer in layers:
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
    if not 1 <= head <= model.n_heads:
        raise UserError(f"{model.name} has heads 1 to {model.n_heads} in each layer; got {head}")
    return head
