"""The models that ship in 8 bits: a translator, a BERT and a GPT. Their figures are those of their cards."""

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.errors import UnreadableError
from polysema.core.model.catalog import entry, folder_of, locate
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.quantized import dequantize_rows, quantize_rows

ROOT = Path(__file__).parents[2]
HELD_OUT = json.loads((Path(__file__).parent / "held_out_en_fr.json").read_text(encoding="utf-8"))


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figure(model: str, row: str) -> float:
    """A number of a model's card."""
    found = re.search(rf"\| {re.escape(row)} \| ([\d.]+)", (ROOT / "core" / "data" / model / "README.md").read_text())
    assert found is not None
    return float(found[1])


@pytest.fixture(scope="module")
def translator() -> LanguageModel:
    return load_model("marian-en-fr", "cpu", "torch", stack="decoder")


def test_rows_come_back_within_half_a_step() -> None:
    weights = {
        "matrix": np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32),
        "bias": np.ones(7, np.float32),
    }
    weights["matrix"][3] = 0
    stored = quantize_rows(weights)
    assert stored["matrix"].dtype == np.int8
    back = dequantize_rows(stored)
    assert (np.abs(back["matrix"] - weights["matrix"]) <= stored["matrix.scale"] / 2 + 1e-7).all()
    assert (back["matrix"][3] == 0).all()
    assert (back["bias"] == 1).all()
    assert all((quantize_rows(back)[name] == stored[name]).all() for name in ("matrix", "bias"))


@pytest.mark.parametrize("name", ["marian-en-fr", "bert-tiny-en", "gpt-tiny-en"])
def test_they_come_with_the_package_and_are_small(name: str) -> None:
    row = entry(name)
    folder = folder_of(row)
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000
    for member in row.members:
        assert hashlib.sha256((folder / Path(member.path).name).read_bytes()).hexdigest() == member.sha256


def test_its_parameters_are_those_of_the_card(translator: LanguageModel) -> None:
    counted = {name: one.numel() for name, one in translator.whole.named_parameters()}
    card = (ROOT / "core" / "data" / "marian-en-fr" / "README.md").read_text()
    trained = sum(number for name, number in counted.items() if "embed_positions" not in name)
    assert f"{trained:,} weights ({sum(counted.values()):,} parameters with the sines" in card


def test_weights_of_the_package_are_asked_for_by_name() -> None:
    with pytest.raises(UnreadableError, match=r"model\.int8\.safetensors are weights as they ship .*: give the name"):
        load_model(str(ROOT / "core" / "data" / "bert-tiny-en"), "cpu", "torch")


def test_the_two_banks_have_two_words(translator: LanguageModel) -> None:
    river, money = translator.generate(["The bank of the river is muddy.", "The bank lends money."])
    assert "rive" in river
    assert "banque" not in river
    assert money == "La banque prête de l'argent."


def test_transformers_writes_the_same_tokens(translator: LanguageModel) -> None:
    from transformers import AutoTokenizer, MarianMTModel

    folder = locate("marian-en-fr").path
    model, tokenizer = MarianMTModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    texts = [english for english, _ in HELD_OUT[:5]]
    theirs = []
    for text in texts:
        ids = torch.tensor([tokenizer(text).input_ids])
        theirs.append(tokenizer.decode(model.generate(ids, num_beams=1, do_sample=False)[0], skip_special_tokens=True))
    assert translator.generate(texts) == theirs


def test_the_scores_of_the_card_come_out_again() -> None:
    import sacrebleu
    from transformers import AutoTokenizer, MarianMTModel

    folder = locate("marian-en-fr").path
    model, tokenizer = MarianMTModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    given = tokenizer([english for english, _ in HELD_OUT], return_tensors="pt", padding=True, padding_side="right")
    with torch.inference_mode():
        made = model.generate(given.input_ids, attention_mask=given.attention_mask, num_beams=1, do_sample=False)
    most = max(len(translations) for _, translations in HELD_OUT)
    references = [[t[i] if i < len(t) else None for _, t in HELD_OUT] for i in range(most)]
    written = tokenizer.batch_decode(made, skip_special_tokens=True)
    assert sacrebleu.corpus_bleu(written, references).score == pytest.approx(
        figure("marian-en-fr", "BLEU of the first 200, greedy"), abs=0.5
    )
    assert sacrebleu.corpus_chrf(written, references).score == pytest.approx(
        figure("marian-en-fr", "chrF of the first 200, greedy"), abs=0.5
    )


def test_hidden_pieces_are_filled_as_the_card_says() -> None:
    from tokenizers import Tokenizer
    from transformers import BertForMaskedLM

    folder = locate("bert-tiny-en").path
    assert folder is not None
    module = trainer("train_fill_mask")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = [one.ids[: module.MAX_TOKENS] for one in tokenizer.encode_batch([english for english, _ in HELD_OUT])]
    ids = torch.zeros(len(rows), module.MAX_TOKENS, dtype=torch.long)
    for row, of in enumerate(rows):
        ids[row, : len(of)] = torch.tensor(of)
    found = module.scores_of(BertForMaskedLM.from_pretrained(folder), ids, module.Pieces(8000, 2, 3, 4))
    assert found["accuracy"] == pytest.approx(
        figure("bert-tiny-en", "accuracy on the first 200 sentences") / 100, abs=0.005
    )
    assert found["perplexity"] == pytest.approx(
        figure("bert-tiny-en", "perplexity on the first 200 sentences"), rel=0.02
    )


def test_what_is_written_on_is_as_probable_as_the_card_says() -> None:
    from tokenizers import Tokenizer
    from transformers import GPT2LMHeadModel

    folder = locate("gpt-tiny-en").path
    assert folder is not None
    module = trainer("train_decoder")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = module.encoded_sentences(tokenizer, [english for english, _ in HELD_OUT])
    given = (torch.from_numpy(rows.ids).long(), torch.from_numpy(rows.lengths).long())
    assert module.perplexity_of(GPT2LMHeadModel.from_pretrained(folder), *given) == pytest.approx(
        figure("gpt-tiny-en", "perplexity on the first 200 sentences"), rel=0.02
    )


def trainer(name: str) -> Any:
    """A script of a training, which imports those beside it."""
    import sys

    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return script(name)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_no_held_out_sentence_is_among_our_own_pairs() -> None:
    module = script("train_translator")
    ours = {module.sentence_key(english) for english, _ in module.read_own_pairs()}
    assert len(ours) > 200
    assert not ours & {module.sentence_key(english) for english, _ in HELD_OUT}
    shown = {"The bank of the river is muddy.", "The bank lends money."}
    assert not ours & {module.sentence_key(one) for one in shown}
