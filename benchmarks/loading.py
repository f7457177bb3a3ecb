"""What loading costs: MiniLM and SmolLM2 measured with their proofs, and each family's smallest real size on paper.

    python benchmarks/loading.py [rounds]        each model in a process of its own, and the table
    python benchmarks/loading.py paper           the table alone, for docs/guides/families.md

On paper: the parameters are counted on a model without weights (torch's device meta), memory is theirs in float32, and
the time is what as many bytes take where this was measured.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MEASURED = ("minilm-l6", "smollm2-135m")
LOADING_RATE = 0.27e9  # bytes of float32 weights a second, their sha256 included: MiniLM and SmolLM2 on one busy core

SMALL_BERT = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
GEMMA = {"vocab_size": 256_000, "head_dim": 256}
WIDE_BART = {"d_model": 1024, "encoder_layers": 12, "decoder_layers": 12}
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {  # the model, its class, and what its config says
    "ALBERT": (
        "albert-base-v2",
        "AlbertForMaskedLM",
        {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
    ),
    "BERT": ("bert_uncased_L-2_H-128_A-2", "BertForMaskedLM", SMALL_BERT),
    "CamemBERT": (
        "camembert-base",
        "CamembertForMaskedLM",
        {"vocab_size": 32_005, "max_position_embeddings": 514, "type_vocab_size": 1},
    ),
    "DeBERTa": (
        "deberta-base",
        "DebertaForMaskedLM",
        {"vocab_size": 50_265, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0},
    ),
    "DeBERTa-v3": (
        "deberta-v3-xsmall",
        "DebertaV2ForMaskedLM",
        {
            "hidden_size": 384,
            "num_hidden_layers": 12,
            "num_attention_heads": 6,
            "intermediate_size": 1536,
            "type_vocab_size": 0,
            "relative_attention": True,
            "position_buckets": 256,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["c2p", "p2c"],
        },
    ),
    "DistilBERT": ("distilbert-base-uncased", "DistilBertForMaskedLM", {}),
    "ELECTRA": (
        "electra-small-generator",
        "ElectraForMaskedLM",
        {
            "hidden_size": 256,
            "embedding_size": 128,
            "num_hidden_layers": 12,
            "num_attention_heads": 4,
            "intermediate_size": 1024,
        },
    ),
    "EuroBERT": (
        "EuroBERT-210m",
        "EuroBertForMaskedLM",
        {
            "vocab_size": 128_256,
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "tie_word_embeddings": True,
        },
    ),
    "ModernBERT": ("ModernBERT-base", "ModernBertForMaskedLM", {}),
    "MPNet": ("mpnet-base", "MPNetForMaskedLM", {"max_position_embeddings": 514}),
    "RoBERTa": (
        "distilroberta-base",
        "RobertaForMaskedLM",
        {"num_hidden_layers": 6, "vocab_size": 50_265, "max_position_embeddings": 514, "type_vocab_size": 1},
    ),
    "XLM-RoBERTa": (
        "xlm-roberta-base",
        "XLMRobertaForMaskedLM",
        {"vocab_size": 250_002, "max_position_embeddings": 514, "type_vocab_size": 1},
    ),
    "BLOOM": (
        "bloom-560m",
        "BloomForCausalLM",
        {"vocab_size": 250_880, "hidden_size": 1024, "n_layer": 24, "n_head": 16},
    ),
    "Gemma": (
        "gemma-2b",
        "GemmaForCausalLM",
        GEMMA
        | {
            "hidden_size": 2048,
            "intermediate_size": 16_384,
            "num_hidden_layers": 18,
            "num_attention_heads": 8,
            "num_key_value_heads": 1,
        },
    ),
    "Gemma 2": (
        "gemma-2-2b",
        "Gemma2ForCausalLM",
        GEMMA
        | {
            "hidden_size": 2304,
            "intermediate_size": 9216,
            "num_hidden_layers": 26,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
        },
    ),
    "Gemma 3": (
        "gemma-3-270m",
        "Gemma3ForCausalLM",
        GEMMA
        | {
            "vocab_size": 262_144,
            "hidden_size": 640,
            "intermediate_size": 2048,
            "num_hidden_layers": 18,
            "num_attention_heads": 4,
            "num_key_value_heads": 1,
        },
    ),
    "GPT-2": ("distilgpt2", "GPT2LMHeadModel", {"n_layer": 6}),
    "GPT-Neo": (
        "gpt-neo-125m",
        "GPTNeoForCausalLM",
        {"hidden_size": 768, "num_layers": 12, "num_heads": 12, "attention_types": [[["global", "local"], 6]]},
    ),
    "GPT-NeoX (Pythia)": (
        "pythia-14m",
        "GPTNeoXForCausalLM",
        {
            "vocab_size": 50_304,
            "hidden_size": 128,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "intermediate_size": 512,
        },
    ),
    "GPT-OSS": ("gpt-oss-20b", "GptOssForCausalLM", {"num_hidden_layers": 24, "num_local_experts": 32}),
    "Llama": (
        "SmolLM2-135M",
        "LlamaForCausalLM",
        {
            "vocab_size": 49_152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "tie_word_embeddings": True,
        },
    ),
    "Mistral": ("Mistral-7B-v0.1", "MistralForCausalLM", {}),
    "Mixtral": ("Mixtral-8x7B-v0.1", "MixtralForCausalLM", {}),
    "OLMo 2": (
        "OLMo-2-0425-1B",
        "Olmo2ForCausalLM",
        {
            "vocab_size": 100_352,
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 16,
            "num_attention_heads": 16,
        },
    ),
    "OPT": ("opt-125m", "OPTForCausalLM", {}),
    "Phi-1": (
        "phi-1",
        "PhiForCausalLM",
        {
            "vocab_size": 51_200,
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 24,
            "num_attention_heads": 32,
        },
    ),
    "Phi-3": (
        "Phi-3-mini-4k-instruct",
        "Phi3ForCausalLM",
        {
            "vocab_size": 32_064,
            "hidden_size": 3072,
            "intermediate_size": 8192,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
        },
    ),
    "Qwen2": (
        "Qwen2.5-0.5B",
        "Qwen2ForCausalLM",
        {
            "vocab_size": 151_936,
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        },
    ),
    "Qwen3": (
        "Qwen3-0.6B",
        "Qwen3ForCausalLM",
        {
            "vocab_size": 151_936,
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "tie_word_embeddings": True,
        },
    ),
    "SmolLM3": (
        "SmolLM3-3B",
        "SmolLM3ForCausalLM",
        {
            "vocab_size": 128_256,
            "hidden_size": 2048,
            "intermediate_size": 11_008,
            "num_hidden_layers": 36,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
            "tie_word_embeddings": True,
        },
    ),
    "BART": (
        "bart-base",
        "BartForConditionalGeneration",
        {
            "d_model": 768,
            "encoder_layers": 6,
            "decoder_layers": 6,
            "encoder_attention_heads": 12,
            "decoder_attention_heads": 12,
            "encoder_ffn_dim": 3072,
            "decoder_ffn_dim": 3072,
        },
    ),
    "M2M100": ("m2m100_418M", "M2M100ForConditionalGeneration", WIDE_BART | {"vocab_size": 128_112}),
    "Marian": (
        "opus-mt-en-fr",
        "MarianMTModel",
        {
            "vocab_size": 59_514,
            "d_model": 512,
            "encoder_layers": 6,
            "decoder_layers": 6,
            "encoder_attention_heads": 8,
            "decoder_attention_heads": 8,
            "encoder_ffn_dim": 2048,
            "decoder_ffn_dim": 2048,
            "max_position_embeddings": 512,
        },
    ),
    "mBART": ("mbart-large-50", "MBartForConditionalGeneration", WIDE_BART | {"vocab_size": 250_054}),
    "mT5": (
        "mt5-small",
        "MT5ForConditionalGeneration",
        {
            "vocab_size": 250_112,
            "d_model": 512,
            "d_ff": 1024,
            "num_layers": 8,
            "num_heads": 6,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
        },
    ),
    "Pegasus": (
        "pegasus-xsum",
        "PegasusForConditionalGeneration",
        {"vocab_size": 96_103, "d_model": 1024, "encoder_layers": 16, "decoder_layers": 16},
    ),
    "T5": (
        "t5-efficient-tiny",
        "T5ForConditionalGeneration",
        {"d_model": 256, "d_ff": 1024, "num_layers": 4, "num_heads": 4},
    ),
    "T5 1.1": (
        "t5-v1_1-small",
        "T5ForConditionalGeneration",
        {
            "d_model": 512,
            "d_ff": 1024,
            "num_layers": 8,
            "num_heads": 6,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
        },
    ),
    "T5Gemma": (
        "t5gemma-s-s-ul2",
        "T5GemmaForConditionalGeneration",
        {
            "vocab_size": 256_000,
            "hidden_size": 512,
            "intermediate_size": 1024,
            "num_hidden_layers": 8,
            "num_attention_heads": 8,
            "num_key_value_heads": 8,
            "head_dim": 64,
        },
    ),
    "UMT5": (
        "umt5-small",
        "UMT5ForConditionalGeneration",
        {
            "vocab_size": 256_384,
            "d_model": 512,
            "d_ff": 1024,
            "num_layers": 8,
            "num_heads": 6,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
        },
    ),
}


def parameters_of(kind: str, sizes: dict[str, Any]) -> int:
    """The numbers of a model of that class, tied ones once; nothing is allocated."""
    import torch
    import transformers

    of = getattr(transformers, kind)
    config: Any = of.config_class
    if kind == "T5GemmaForConditionalGeneration":
        made = config(encoder=sizes, decoder=sizes, vocab_size=sizes["vocab_size"])
    elif kind == "Gemma3ForCausalLM":
        made = transformers.Gemma3TextConfig(**sizes)
    else:
        made = config(**sizes)
    with torch.device("meta"):
        model = of(made)
    count = sum(one.numel() for one in model.parameters())
    if sizes.get("tie_word_embeddings") is False and made.tie_word_embeddings:  # transformers 5 ties every new T5
        count += made.vocab_size * made.d_model
    return count


def paper() -> None:
    """The table of all families."""
    print("| family | smallest model | parameters | memory in float32 | loaded in |")
    print("|---|---|---|---|---|")
    for family, (name, kind, sizes) in FAMILIES.items():
        count = parameters_of(kind, sizes)
        said = f"{count / 1e6:,.1f} M" if count < 1e9 else f"{count / 1e9:,.1f} B"
        seconds = 4 * count / LOADING_RATE
        print(
            f"| {family} | `{name}` | {said} | {4 * count / 1e9:,.2f} GB | {seconds:,.{1 if seconds < 10 else 0}f} s |"
        )


def resident() -> float:
    """What this process has in memory, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def measure(name: str) -> dict[str, float]:
    """Loading in this process, whose modules are imported before; the proof, the same again, and as a new process."""
    import torch
    import transformers.models.bert.modeling_bert
    import transformers.models.llama.modeling_llama  # noqa: F401

    from polysema.core.inside import proof
    from polysema.core.model.catalog import locate
    from polysema.core.model.load import load_model

    torch.set_num_threads(1)  # several wait for each other where others compute beside
    load_model("g2p-t5", "cpu", "torch")  # what is imported and set up once for any model
    locate(name)
    before, start = resident(), time.perf_counter()
    model = load_model(name, "cpu", "torch")
    table = model.input_table.sum()  # weights that are mapped are in memory from here on
    sum(float(one.sum()) for one in model.whole.parameters())
    seconds = [time.perf_counter() - start]
    memory = resident() - before
    for forget in (False, False, True):
        if forget:
            proof._PROOFS.clear()
        start = time.perf_counter()
        proof.proof_of(model)
        seconds.append(time.perf_counter() - start)
    names = ("load", "proof", "again", "next process")
    return dict(zip(names, seconds, strict=True)) | {"memory": memory, "table": float(table)}


def main(rounds: int) -> None:
    """Each model in a process of its own, with a home of its own for its proofs."""
    import os

    for name in MEASURED:
        found = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as home:
                own = Path(os.environ.get("POLYSEMA_HOME", Path.home() / ".cache" / "polysema"))
                (Path(home) / "models").symlink_to(own / "models")
                command = [sys.executable, __file__, "measure", name]
                out = subprocess.run(
                    command, env=os.environ | {"POLYSEMA_HOME": home}, capture_output=True, text=True, check=True
                )
                found.append(json.loads(out.stdout.splitlines()[-1]))
        of = {key: statistics.median(row[key] for row in found) for key in found[0]}
        print(
            f"{name}: loaded in {of['load']:.2f} s, {of['memory']:.0f} MB; proof {of['proof']:.2f} s the first time, "
            f"{of['again'] * 1e6:.0f} µs afterwards, {of['next process'] * 1e3:.1f} ms in the next process"
        )
    paper()


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(sys.argv[2])))
    elif sys.argv[1:2] == ["paper"]:
        paper()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
