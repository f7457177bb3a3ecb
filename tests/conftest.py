"""Real weights, and models small enough to build in a test."""

import gc
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from polysema.core.environment import wait_without_spinning

ROOT = Path(__file__).parent.parent
NO_BROWSER = "Chromium is not here"
# pulled weights and derived data of the tests: never the user's own, kept from one run to the next
os.environ["POLYSEMA_HOME"] = str(ROOT / ".cache" / "tests")
os.environ["HF_HUB_OFFLINE"] = "1"
# each process of the tests, and each command that they start, would compile all modules anew
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# torch, which is imported below, reads this
wait_without_spinning()
# The collector would walk through millions of objects of torch, transformers and Streamlit again and again.
gc.set_threshold(20_000, 20, 100)
# Processes that share the cores are quicker with the threads that they can really have.
THREADS = max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, str(THREADS))
if "PYTEST_XDIST_WORKER" not in os.environ:  # made by another version, they would hide a fault
    shutil.rmtree(ROOT / ".cache" / "tests" / "vectors", ignore_errors=True)

from polysema.app.explorer import Explorer  # noqa: E402
from polysema.core.errors import UnavailableError  # noqa: E402
from polysema.core.model.catalog import entry  # noqa: E402
from polysema.core.model.load import LanguageModel, load_model  # noqa: E402
from polysema.core.model.pull import pull  # noqa: E402
from tests.scheduling import (  # noqa: E402, F401
    pytest_collection_modifyitems,
    pytest_ignore_collect,
    pytest_xdist_make_scheduler,
)
from tests.tiny_tokenizers import byte_level, unigram, wordpiece  # noqa: E402


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One loud line for the tests that no browser was there for."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(report.longrepr)]
    if skipped:
        line = f"{len(skipped)} TESTS DID NOT RUN: {NO_BROWSER}: get it with `make browser`"
        terminalreporter.write_line(line, red=True, bold=True)


@pytest.fixture(scope="session")
def explorer() -> Explorer:
    # whichever engine a process finds ready it takes: made now, every process of the tests takes the same
    load_model("minilm-l6", patient=True)
    return Explorer()


@pytest.fixture(scope="session")
def minilm(explorer: Explorer) -> LanguageModel:
    return explorer.model("minilm-l6").model


@pytest.fixture(scope="session")
def smollm_folder() -> Path:
    try:
        return pull(entry("smollm2-135m"))
    except UnavailableError as error:
        if os.environ.get("POLYSEMA_REQUIRE_SMOLLM"):
            raise
        pytest.skip(f"smollm2-135m is not here and can't be pulled: {error}")


@pytest.fixture(scope="session")
def smollm(smollm_folder: Path, explorer: Explorer) -> LanguageModel:
    return explorer.model("smollm2-135m").model


def build(kind: str, folder: Path) -> Path:
    """A seeded model of two layers, 16 wide, with a real tokenizer, saved as transformers saves."""
    import torch
    from transformers import (
        BartConfig,
        BartForConditionalGeneration,
        BertConfig,
        BertForMaskedLM,
        BertModel,
        DistilBertConfig,
        DistilBertForMaskedLM,
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        MarianConfig,
        MarianMTModel,
        MistralConfig,
        MistralForCausalLM,
        ModernBertConfig,
        ModernBertForMaskedLM,
        ModernBertModel,
        MPNetConfig,
        MPNetForMaskedLM,
        MPNetModel,
        Qwen2Config,
        Qwen2ForCausalLM,
        RobertaConfig,
        RobertaForMaskedLM,
        RobertaModel,
        T5Config,
        T5ForConditionalGeneration,
    )

    torch.manual_seed(7)
    of_pieces = {"bert", "mpnet", "modernbert", "bert-mlm", "mpnet-mlm", "modernbert-mlm", "distilbert-mlm"}
    of_words = {"t5", "t5-untied", "marian"}
    tokenizer = (wordpiece if kind in of_pieces else unigram if kind in of_words else byte_level)()
    n = len(tokenizer)  # type: ignore[arg-type]
    small = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 32,
        "vocab_size": n,
    }
    two = {
        "d_model": 16,
        "encoder_layers": 2,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "vocab_size": n,
        "max_position_embeddings": 32,
        "pad_token_id": 0,
        "decoder_start_token_id": 0,
    }
    modern = {
        "max_position_embeddings": 32,
        "pad_token_id": 0,
        "cls_token_id": 2,
        "sep_token_id": 3,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "local_attention": 8,
        "global_attn_every_n_layers": 2,
    }
    model = {
        "bert": lambda: BertModel(BertConfig(**small, max_position_embeddings=32)),
        "roberta": lambda: RobertaModel(RobertaConfig(**small, max_position_embeddings=34, pad_token_id=1)),
        "gpt2": lambda: GPT2LMHeadModel(
            GPT2Config(n_embd=16, n_layer=2, n_head=4, vocab_size=n, n_positions=32, eos_token_id=0, bos_token_id=0)
        ),
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**small, num_key_value_heads=2, max_position_embeddings=32)),
        "t5": lambda: T5ForConditionalGeneration(
            T5Config(d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4, vocab_size=n)
        ),
        "mpnet": lambda: MPNetModel(MPNetConfig(**small, max_position_embeddings=34, pad_token_id=0)),
        "modernbert": lambda: ModernBertModel(ModernBertConfig(**small, **modern)),
        "bert-mlm": lambda: BertForMaskedLM(BertConfig(**small, max_position_embeddings=32)),
        "roberta-mlm": lambda: RobertaForMaskedLM(
            RobertaConfig(**small, max_position_embeddings=34, pad_token_id=1, tie_word_embeddings=False)
        ),
        "mpnet-mlm": lambda: MPNetForMaskedLM(MPNetConfig(**small, max_position_embeddings=34, pad_token_id=0)),
        "modernbert-mlm": lambda: ModernBertForMaskedLM(ModernBertConfig(**small, **modern)),
        "distilbert-mlm": lambda: DistilBertForMaskedLM(
            DistilBertConfig(dim=16, n_layers=2, n_heads=4, hidden_dim=32, vocab_size=n, max_position_embeddings=32)
        ),
        "mistral": lambda: MistralForCausalLM(
            MistralConfig(**small, num_key_value_heads=2, max_position_embeddings=32, head_dim=8)
        ),
        "qwen2": lambda: Qwen2ForCausalLM(
            Qwen2Config(**small, num_key_value_heads=1, max_position_embeddings=32, tie_word_embeddings=True)
        ),
        "t5-untied": lambda: T5ForConditionalGeneration(
            T5Config(
                d_model=16,
                d_kv=8,
                d_ff=32,
                num_layers=3,
                num_decoder_layers=2,
                num_heads=4,
                vocab_size=n,
                feed_forward_proj="gated-gelu",
                tie_word_embeddings=False,
            )
        ),
        "bart": lambda: BartForConditionalGeneration(
            BartConfig(
                **two,
                decoder_layers=3,
                decoder_attention_heads=2,
                bos_token_id=0,
                eos_token_id=0,
                forced_eos_token_id=0,
            )
        ),
        "marian": lambda: MarianMTModel(
            MarianConfig(**two, decoder_layers=2, decoder_attention_heads=4, eos_token_id=1, forced_eos_token_id=1)
        ),
    }[kind]()
    # weights far from zero, so that layers, positions and neighbors in a batch all matter
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1 or kind not in KINDS:  # of the models with heads the biases and norms too
                parameter.normal_(0 if parameter.ndim > 1 else 0.3, 0.4)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)  # type: ignore[attr-defined]
    return folder


# those with a head, and more architectures, for what opens a model
INSIDE_KINDS = (
    "bert-mlm",
    "roberta-mlm",
    "mpnet-mlm",
    "modernbert-mlm",
    "distilbert-mlm",
    "mistral",
    "qwen2",
    "t5-untied",
)
KINDS = ("bert", "roberta", "mpnet", "modernbert", "gpt2", "llama", "t5", "bart", "marian")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    return {kind: build(kind, base / kind) for kind in KINDS}


@pytest.fixture(scope="session")
def headed(tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("headed")
    return tiny | {kind: build(kind, base / kind) for kind in INSIDE_KINDS}
