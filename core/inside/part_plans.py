"""The table of parts: for each architecture, what its sub-layers and the transform of its head are called.

Attention weights, hidden states, the final norm and the head's answer are found without it. What needs a row here is
what changes or counts single parts: attribution, ablation, the state between two sub-layers. What stands between two
layers is the same everywhere: sub-layers (attention, cross-attention, MLP) that read the residual stream and add to it,
with a norm before each (GPT-2, Llama, T5), after each sum (BERT, BART: the Transformer of 2017), or on what is added
(OLMo 2; Gemma 2 has one before as well). docs/guides/families.md tells how to add a row.
"""

from dataclasses import dataclass

SELF, CROSS, MLP = "self", "cross", "mlp"


@dataclass(frozen=True, slots=True)
class Part:
    """The names of one sub-layer in a block.

    `out` is its last linear map (of a mixture of experts the module that returns their sum), `norm` the norm beside it,
    or where none reads the stream the module that does, and `after` a norm on what is added.
    """

    kind: str
    out: str
    norm: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """The names of a head's transform: a linear map, an activation (GELU without a name) and a norm before the table of
    output embeddings, which is found without a name.
    """

    dense: str
    activation: str
    norm: str


@dataclass(frozen=True, slots=True)
class PartsPlan:
    """The sub-layers of a block, in order.

    `post_norm` says that a norm follows each sum, `parallel` that all sub-layers read the block's own input. Where the
    config's `flag` is false the block is built as `otherwise` says.
    """

    parts: tuple[Part, ...]
    post_norm: bool = False
    parallel: bool = False
    head: HeadPlan | None = None
    flag: str = ""
    otherwise: "PartsPlan | None" = None


_BERT_HEAD = HeadPlan(
    "cls.predictions.transform.dense",
    "cls.predictions.transform.transform_act_fn",
    "cls.predictions.transform.LayerNorm",
)
_ROBERTA_HEAD = HeadPlan("lm_head.dense", "", "lm_head.layer_norm")
_BERT_PARTS = (
    Part(SELF, "attention.output.dense", "attention.output.LayerNorm"),
    Part(MLP, "output.dense", "output.LayerNorm"),
)
_BERT = PartsPlan(_BERT_PARTS, post_norm=True, head=_BERT_HEAD)
_ROBERTA = PartsPlan(_BERT_PARTS, post_norm=True, head=_ROBERTA_HEAD)
_ELECTRA = PartsPlan(
    _BERT_PARTS,
    post_norm=True,
    head=HeadPlan("generator_predictions.dense", "generator_predictions.activation", "generator_predictions.LayerNorm"),
)
_ALBERT = PartsPlan(
    (
        Part(SELF, "albert_layers.0.attention.dense", "albert_layers.0.attention.LayerNorm"),
        Part(MLP, "albert_layers.0.ffn_output", "albert_layers.0.full_layer_layer_norm"),
    ),
    post_norm=True,
    head=HeadPlan("predictions.dense", "predictions.activation", "predictions.LayerNorm"),
)
_MPNET = PartsPlan(
    (Part(SELF, "attention.attn.o", "attention.LayerNorm"), Part(MLP, "output.dense", "output.LayerNorm")),
    post_norm=True,
    head=_ROBERTA_HEAD,
)
_DISTILBERT = PartsPlan(
    (Part(SELF, "attention.out_lin", "sa_layer_norm"), Part(MLP, "ffn.lin2", "output_layer_norm")),
    post_norm=True,
    head=HeadPlan("vocab_transform", "activation", "vocab_layer_norm"),
)
_MODERNBERT = PartsPlan(
    (Part(SELF, "attn.Wo", "attn_norm"), Part(MLP, "mlp.Wo", "mlp_norm")),
    head=HeadPlan("head.dense", "head.act", "head.norm"),
)
_GPT2 = PartsPlan((Part(SELF, "attn.c_proj", "ln_1"), Part(MLP, "mlp.c_proj", "ln_2")))
_GPT_NEO = PartsPlan((Part(SELF, "attn.attention.out_proj", "ln_1"), Part(MLP, "mlp.c_proj", "ln_2")))
_GPT_NEOX_PARTS = (
    Part(SELF, "attention.dense", "input_layernorm"),
    Part(MLP, "mlp.dense_4h_to_h", "post_attention_layernorm"),
)
_GPT_NEOX = PartsPlan(
    _GPT_NEOX_PARTS, parallel=True, flag="use_parallel_residual", otherwise=PartsPlan(_GPT_NEOX_PARTS)
)
_BLOOM = PartsPlan(
    (
        Part(SELF, "self_attention.dense", "input_layernorm"),
        Part(MLP, "mlp.dense_4h_to_h", "post_attention_layernorm"),
    )
)
_OPT_PARTS = (Part(SELF, "self_attn.out_proj", "self_attn_layer_norm"), Part(MLP, "fc2", "final_layer_norm"))
_OPT = PartsPlan(_OPT_PARTS, flag="do_layer_norm_before", otherwise=PartsPlan(_OPT_PARTS, post_norm=True))
_PHI = PartsPlan(
    (Part(SELF, "self_attn.dense", "input_layernorm"), Part(MLP, "mlp.fc2", "input_layernorm")), parallel=True
)
_LLAMA_SELF = Part(SELF, "self_attn.o_proj", "input_layernorm")
_LLAMA = PartsPlan((_LLAMA_SELF, Part(MLP, "mlp.down_proj", "post_attention_layernorm")))
_EXPERTS = PartsPlan((_LLAMA_SELF, Part(MLP, "mlp", "post_attention_layernorm")))
_OLMO2 = PartsPlan(
    (
        Part(SELF, "self_attn.o_proj", "self_attn", "post_attention_layernorm"),
        Part(MLP, "mlp.down_proj", "mlp", "post_feedforward_layernorm"),
    )
)
_GEMMA_MLP = Part(MLP, "mlp.down_proj", "pre_feedforward_layernorm", "post_feedforward_layernorm")
_GEMMA2 = PartsPlan((Part(SELF, "self_attn.o_proj", "input_layernorm", "post_attention_layernorm"), _GEMMA_MLP))
_T5GEMMA_SELF = Part(SELF, "self_attn.o_proj", "pre_self_attn_layernorm", "post_self_attn_layernorm")
_T5GEMMA_CROSS = Part(CROSS, "cross_attn.o_proj", "pre_cross_attn_layernorm", "post_cross_attn_layernorm")
_T5GEMMA = {
    "encoder": PartsPlan((_T5GEMMA_SELF, _GEMMA_MLP)),
    "decoder": PartsPlan((_T5GEMMA_SELF, _T5GEMMA_CROSS, _GEMMA_MLP)),
}
_T5_SELF = Part(SELF, "layer.0.SelfAttention.o", "layer.0.layer_norm")
_T5_CROSS = Part(CROSS, "layer.1.EncDecAttention.o", "layer.1.layer_norm")
_T5 = {
    "encoder": PartsPlan((_T5_SELF, Part(MLP, "layer.1.DenseReluDense.wo", "layer.1.layer_norm"))),
    "decoder": PartsPlan((_T5_SELF, _T5_CROSS, Part(MLP, "layer.2.DenseReluDense.wo", "layer.2.layer_norm"))),
}
_BART_SELF = Part(SELF, "self_attn.out_proj", "self_attn_layer_norm")
_BART_CROSS = Part(CROSS, "encoder_attn.out_proj", "encoder_attn_layer_norm")
_BART_MLP = Part(MLP, "fc2", "final_layer_norm")
_BART = {
    "encoder": PartsPlan((_BART_SELF, _BART_MLP), post_norm=True),
    "decoder": PartsPlan((_BART_SELF, _BART_CROSS, _BART_MLP), post_norm=True),
}
_MBART = {
    "encoder": PartsPlan((_BART_SELF, _BART_MLP)),
    "decoder": PartsPlan((_BART_SELF, _BART_CROSS, _BART_MLP)),
}

# by transformers' `model_type`; of an encoder-decoder one plan for each stack
PLANS: dict[str, PartsPlan | dict[str, PartsPlan]] = {
    "albert": _ALBERT,
    "bart": _BART,
    "bert": _BERT,
    "bloom": _BLOOM,
    "camembert": _ROBERTA,
    "deberta": _BERT,
    "deberta-v2": _BERT,
    "distilbert": _DISTILBERT,
    "electra": _ELECTRA,
    "eurobert": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA2,
    "gpt2": _GPT2,
    "gpt_neo": _GPT_NEO,
    "gpt_neox": _GPT_NEOX,
    "gpt_oss": _EXPERTS,
    "llama": _LLAMA,
    "m2m_100": _MBART,
    "marian": _BART,
    "mbart": _MBART,
    "mistral": _LLAMA,
    "mixtral": _EXPERTS,
    "modernbert": _MODERNBERT,
    "mpnet": _MPNET,
    "mt5": _T5,
    "olmo2": _OLMO2,
    "opt": _OPT,
    "pegasus": _MBART,
    "phi": _PHI,
    "phi3": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "roberta": _ROBERTA,
    "smollm3": _LLAMA,
    "t5": _T5,
    "t5gemma": _T5GEMMA,
    "umt5": _T5,
    "xlm-roberta": _ROBERTA,
}
