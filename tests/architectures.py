"""More architectures of transformers, each seeded and small enough to build in a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tiny_tokenizers import byte_level, unigram, wordpiece

N_HIDDEN = 16
SMALL = {
    "hidden_size": N_HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
T5_LIKE = {"d_model": N_HIDDEN, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4}


def _opt(transformers: Any, n: int, **more: Any) -> Any:
    config = {name: value for name, value in SMALL.items() if name != "intermediate_size"}
    config |= {"ffn_dim": 32, "word_embed_proj_dim": N_HIDDEN, "vocab_size": n, "pad_token_id": 0} | more
    return transformers.OPTForCausalLM(transformers.OPTConfig(**config))


def _bert(transformers: Any, n: int, kind: str) -> Any:
    return getattr(transformers, f"Bert{kind}")(transformers.BertConfig(**SMALL, vocab_size=n))


def _t5_like(transformers: Any, n: int, name: str, **more: Any) -> Any:
    config = getattr(transformers, f"{name}Config")(**T5_LIKE, vocab_size=n, decoder_start_token_id=0, **more)
    return getattr(transformers, f"{name}ForConditionalGeneration")(config)


BUILDERS: dict[str, tuple[Callable[[], Any], Callable[[Any, int], Any]]] = {
    "opt": (byte_level, _opt),
    "opt-post-norm": (byte_level, lambda t, n: _opt(t, n, do_layer_norm_before=False)),
    "phi": (byte_level, lambda t, n: t.PhiForCausalLM(t.PhiConfig(**SMALL, vocab_size=n))),
    "mpt": (
        byte_level,
        lambda t, n: t.MptForCausalLM(t.MptConfig(d_model=N_HIDDEN, n_heads=4, n_layers=2, vocab_size=n)),
    ),
    "xlm-roberta-xl": (
        byte_level,
        lambda t, n: t.XLMRobertaXLModel(t.XLMRobertaXLConfig(**SMALL, vocab_size=n, pad_token_id=0)),
    ),
    "bert-pretraining": (wordpiece, lambda t, n: _bert(t, n, "ForPreTraining")),
    "bert-next-sentence": (wordpiece, lambda t, n: _bert(t, n, "ForNextSentencePrediction")),
    "electra-pretraining": (
        wordpiece,
        lambda t, n: t.ElectraForPreTraining(t.ElectraConfig(**SMALL, vocab_size=n, embedding_size=N_HIDDEN)),
    ),
    "gpt2-two-heads": (
        byte_level,
        lambda t, n: t.GPT2DoubleHeadsModel(
            t.GPT2Config(n_embd=N_HIDDEN, n_layer=2, n_head=4, vocab_size=n, n_positions=32, num_labels=1)
        ),
    ),
    "mt5": (unigram, lambda t, n: _t5_like(t, n, "MT5")),
    "mt5-tied": (unigram, lambda t, n: _t5_like(t, n, "MT5", tie_word_embeddings=True)),
    "umt5": (unigram, lambda t, n: _t5_like(t, n, "UMT5")),
    "umt5-tied": (unigram, lambda t, n: _t5_like(t, n, "UMT5", tie_word_embeddings=True)),
    "t5": (unigram, lambda t, n: _t5_like(t, n, "T5", tie_word_embeddings=True)),
}


def build_architecture(kind: str, folder: Path) -> Path:
    """The model of that name in `BUILDERS`, with weights far from zero, saved as transformers saves."""
    import torch
    import transformers

    torch.manual_seed(11)
    make_tokenizer, make_model = BUILDERS[kind]
    tokenizer = make_tokenizer()
    model = make_model(transformers, len(tokenizer))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0 if parameter.ndim > 1 else 0.3, 0.4)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
