"""Forty families of transformers, each a seeded model small enough to build in a test.

Nothing heavy is imported here, and nothing of the application: these models are built on a bare machine with a GPU too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tiny_tokenizers import byte_level, unigram, wordpiece

DIM, N_LAYERS, N_HEADS, WINDOW = 16, 2, 4, 48
ENCODER, DECODER, BOTH = "encoder", "decoder", "both"

Sizes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TinyFamily:
    """One family: its class with a head and its config class in transformers, what is said of it beside the usual
    sizes, and whether it has one stack or both.
    """

    model: str
    config: str
    family: str
    sizes: Sizes = field(default_factory=dict)
    tokenizer: Callable[[], Any] = byte_level


SMALL: Sizes = {
    "hidden_size": DIM,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": N_HEADS,
    "intermediate_size": 32,
    "max_position_embeddings": WINDOW,
}
IDS: Sizes = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}
GROUPED: Sizes = SMALL | IDS | {"num_key_value_heads": 2}
WIDE: Sizes = GROUPED | {"head_dim": 8}
PARALLEL: Sizes = SMALL | IDS
BERT_LIKE: Sizes = SMALL | {"pad_token_id": 0}
# RoBERTa's positions begin behind the padding id
ROBERTA_LIKE: Sizes = SMALL | {"pad_token_id": 1, "max_position_embeddings": WINDOW + 2}
T5_LIKE: Sizes = {
    "d_model": DIM,
    "d_kv": 4,
    "d_ff": 32,
    "num_layers": N_LAYERS,
    "num_heads": N_HEADS,
    "decoder_start_token_id": 0,
}
BART_LIKE: Sizes = {
    "d_model": DIM,
    "encoder_layers": N_LAYERS,
    "decoder_layers": N_LAYERS,
    "encoder_attention_heads": N_HEADS,
    "decoder_attention_heads": N_HEADS,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": WINDOW,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "forced_eos_token_id": 1,
    "decoder_start_token_id": 0,
}
DEBERTA_LIKE: Sizes = BERT_LIKE | {
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "type_vocab_size": 0,
    "max_relative_positions": -1,
}
SLIDING: Sizes = WIDE | {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]}
MODERN: Sizes = BERT_LIKE | {
    "cls_token_id": 2,
    "sep_token_id": 3,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "local_attention": 8,
    "global_attn_every_n_layers": 2,
}


def _encoder(
    model: str, sizes: Sizes, tokenizer: Callable[[], Any] = wordpiece, head: str = "ForMaskedLM"
) -> TinyFamily:
    return TinyFamily(f"{model}{head}", f"{model}Config", ENCODER, sizes, tokenizer)


def _decoder(model: str, sizes: Sizes, head: str = "ForCausalLM") -> TinyFamily:
    return TinyFamily(f"{model}{head}", f"{model}Config", DECODER, sizes)


def _both(model: str, sizes: Sizes, head: str = "ForConditionalGeneration") -> TinyFamily:
    return TinyFamily(f"{model}{head}", f"{model}Config", BOTH, sizes, unigram)


_GPT2: Sizes = {"n_embd": DIM, "n_layer": N_LAYERS, "n_head": N_HEADS, "n_positions": WINDOW} | IDS
_GPT_NEO: Sizes = {
    "hidden_size": DIM,
    "num_layers": N_LAYERS,
    "num_heads": N_HEADS,
    "intermediate_size": 32,
    "attention_types": [[["global", "local"], 1]],
    "window_size": 4,
    "max_position_embeddings": WINDOW,
} | IDS
_OPT: Sizes = {name: size for name, size in SMALL.items() if name != "intermediate_size"} | {
    "ffn_dim": 32,
    "word_embed_proj_dim": DIM,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
_MOE: Sizes = WIDE | {"num_local_experts": 4, "num_experts_per_tok": 2}
_T5GEMMA: Sizes = WIDE | {
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention"],
    "query_pre_attn_scalar": 8,
}

FAMILIES: dict[str, TinyFamily] = {
    # encoders
    "albert": _encoder("Albert", BERT_LIKE | {"embedding_size": 8}),
    "bert": _encoder("Bert", BERT_LIKE),
    "camembert": _encoder("Camembert", ROBERTA_LIKE, byte_level),
    "deberta": _encoder("Deberta", DEBERTA_LIKE),
    "deberta-v2": _encoder(
        "DebertaV2",
        DEBERTA_LIKE | {"position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    ),
    "distilbert": _encoder(
        "DistilBert",
        {"dim": DIM, "n_layers": N_LAYERS, "n_heads": N_HEADS, "hidden_dim": 32, "max_position_embeddings": WINDOW},
    ),
    "electra": _encoder("Electra", BERT_LIKE | {"embedding_size": 8}),
    "eurobert": _encoder("EuroBert", GROUPED | {"mask_token_id": 0}, byte_level),
    "modernbert": _encoder("ModernBert", MODERN),
    "mpnet": _encoder("MPNet", BERT_LIKE | {"max_position_embeddings": WINDOW + 2}),
    "roberta": _encoder("Roberta", ROBERTA_LIKE, byte_level),
    "xlm-roberta": _encoder("XLMRoberta", ROBERTA_LIKE, byte_level),
    # decoders
    "bloom": _decoder("Bloom", {"hidden_size": DIM, "n_layer": N_LAYERS, "n_head": N_HEADS} | IDS),
    "gemma": _decoder("Gemma", WIDE),
    "gemma2": _decoder("Gemma2", SLIDING | {"query_pre_attn_scalar": 8, "final_logit_softcapping": 5.0}),
    "gemma3": TinyFamily("Gemma3ForCausalLM", "Gemma3TextConfig", DECODER, SLIDING | {"query_pre_attn_scalar": 8}),
    "gpt-neo": _decoder("GPTNeo", _GPT_NEO),
    "gpt-neox": _decoder("GPTNeoX", PARALLEL),
    "gpt-oss": _decoder("GptOss", _MOE | {"sliding_window": 4, "layer_types": SLIDING["layer_types"]}),
    "gpt2": _decoder("GPT2", _GPT2, "LMHeadModel"),
    "llama": _decoder("Llama", GROUPED),
    "mistral": _decoder("Mistral", WIDE | {"sliding_window": 4}),
    "mixtral": _decoder("Mixtral", _MOE),
    "olmo2": _decoder("Olmo2", GROUPED),
    "opt": _decoder("OPT", _OPT),
    "phi": _decoder("Phi", PARALLEL),
    "phi3": _decoder("Phi3", GROUPED),
    "qwen2": _decoder("Qwen2", GROUPED | {"tie_word_embeddings": True}),
    "qwen3": _decoder("Qwen3", WIDE),
    "smollm3": _decoder("SmolLM3", GROUPED | {"no_rope_layers": [1, 0]}),
    # encoder-decoders
    "bart": _both("Bart", BART_LIKE),
    "m2m100": _both("M2M100", BART_LIKE),
    "marian": TinyFamily("MarianMTModel", "MarianConfig", BOTH, BART_LIKE, unigram),
    "mbart": _both("MBart", BART_LIKE),
    "mt5": _both("MT5", T5_LIKE | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "pegasus": _both("Pegasus", BART_LIKE),
    "t5": _both("T5", T5_LIKE),
    "t5-v1.1": _both("T5", T5_LIKE | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "t5gemma": TinyFamily("T5GemmaForConditionalGeneration", "T5GemmaConfig", BOTH, _T5GEMMA, unigram),
    "umt5": _both("UMT5", T5_LIKE | {"feed_forward_proj": "gated-gelu"}),
}
# the same classes, built another way
VARIANTS: dict[str, TinyFamily] = {
    "gpt-neox-in-series": _decoder("GPTNeoX", PARALLEL | {"use_parallel_residual": False}),
    "opt-post-norm": _decoder("OPT", _OPT | {"do_layer_norm_before": False}),
    "t5-tied": _both("T5", T5_LIKE | {"tie_word_embeddings": True}),
    "mt5-tied": _both("MT5", T5_LIKE | {"tie_word_embeddings": True}),
    "umt5-tied": _both("UMT5", T5_LIKE | {"tie_word_embeddings": True}),
}


def _config(transformers: Any, family: TinyFamily, vocabulary: int) -> Any:
    kind = getattr(transformers, family.config)
    if family.config != "T5GemmaConfig":
        return kind(**family.sizes, vocab_size=vocabulary)
    stack = family.sizes | {"vocab_size": vocabulary}
    return kind(encoder=stack, decoder=stack, vocab_size=vocabulary, **IDS)


def tiny_family(name: str, seed: int = 11) -> tuple[Any, Any]:
    """The model of that name with weights far from zero, in memory, and its tokenizer."""
    import torch
    import transformers

    family = (FAMILIES | VARIANTS)[name]
    torch.manual_seed(seed)
    tokenizer = family.tokenizer()
    model = getattr(transformers, family.model)(_config(transformers, family, len(tokenizer)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0 if parameter.ndim > 1 else 0.3, 0.4)
    return model.eval(), tokenizer


def save_family(name: str, folder: Path, seed: int = 11) -> Path:
    """The same, saved as transformers saves it."""
    model, tokenizer = tiny_family(name, seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
