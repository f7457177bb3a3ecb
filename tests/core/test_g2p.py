"""The encoder-decoder that ships: its split is honest, its figures are those of its card, both stacks load."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.inside.attention import AttentionView, attention
from polysema.core.inside.attribution import contributions
from polysema.core.inside.lens import lens
from polysema.core.model.catalog import entry, folder_of, models_here
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.load import LanguageModel, load_model, on_torch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("train_g2p", ROOT / "benchmarks" / "train_g2p.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load_model("g2p-t5", "cpu", "torch", stack="decoder")


def test_no_word_is_on_both_sides_nor_its_plural_or_possessive(script: Any) -> None:
    known, unseen = script.split()
    assert (len(known), len(unseen)) == (118_445, 6_481)
    stems = [{word.replace("'", "").rstrip("s") for word, _ in side} for side in (known, unseen)]
    assert not stems[0] & stems[1]
    words = {word for word, _ in known}
    assert not [word for word, _ in unseen if word in words or f"{word}s" in words or f"{word}'s" in words]


def test_the_error_rates_of_the_card_hold(script: Any) -> None:
    _, unseen = script.split()
    phoneme, word = script.error_rates(unseen[::32])
    card = (ROOT / "core" / "data" / "g2p-t5" / "README.md").read_text()
    message = [float(rate) for rate in re.findall(r"(?:phoneme|word) error rate \| ([\d.]+) %", card)]
    # 203 of 6,481 words: two standard errors of a share of 0.37 are 0.07
    assert [phoneme, word] == [pytest.approx(message[0], abs=2.5), pytest.approx(message[1], abs=7)]


def test_it_comes_with_the_package_and_is_small(model: LanguageModel) -> None:
    row = entry("g2p-t5")
    folder = folder_of(row)
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    for member in row.members:
        import hashlib

        assert hashlib.sha256((folder / Path(member.path).name).read_bytes()).hexdigest() == member.sha256
    assert (model.n_layers, model.n_heads, model.dim, model.window) == (2, 4, 128, 64)
    assert on_torch(model, "encoder").n_layers == 3
    assert "g2p-t5" not in models_here()  # it reads letters
    assert "g2p-t5" in models_here(("texts", "letters"))


def test_letters_and_capitals_are_read_and_sounds_written(model: LanguageModel) -> None:
    assert model.generate(["phone", "Paris", "PARIS", "elephant"]) == [
        "F OW N",
        "P EH R IH S",
        "P EH R IH S",
        "IH L EH F AH N T",
    ]
    (encoded,) = model.encode(["Paris"])
    assert encoded.offsets.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]
    (sounds,) = model.encode(["F OW N"])
    assert sounds.offsets.tolist() == [[0, 1], [2, 4], [5, 6]]


def test_both_stacks_are_those_of_transformers(model: LanguageModel) -> None:
    from transformers import T5ForConditionalGeneration

    plain = T5ForConditionalGeneration.from_pretrained(model.path, dtype=torch.float32).eval()
    source = torch.tensor([model.encode(["phone"])[0].windows[0]])
    target = torch.tensor([model.decoder_input(model.encode(["F OW N"])[0]).windows[0]])
    with torch.inference_mode():
        answer = plain(input_ids=source, decoder_input_ids=target, output_hidden_states=True)
    decoder = embed(model, ["F OW N"], sources=["phone"], options=EmbeddingOptions(unit="tokens")).vectors
    expected = torch.stack(answer.decoder_hidden_states)[:, 0, 1:].numpy()
    np.testing.assert_allclose(decoder, expected, atol=1e-4, rtol=1e-4)
    encoder = embed(on_torch(model, "encoder"), ["phone"], options=EmbeddingOptions(unit="tokens")).vectors
    np.testing.assert_allclose(
        encoder, torch.stack(answer.encoder_hidden_states)[:, 0, :-1].numpy(), atol=1e-4, rtol=1e-4
    )
    seen = lens(model, "F OW N", [-1], ["F"], "phone")
    np.testing.assert_allclose(seen.scores[0], answer.logits[0].softmax(-1).topk(5, -1).values.numpy(), atol=1e-4)
    parts = contributions(model, "F OW N", "OW", None, "phone", 1)
    assert parts.total == pytest.approx(float(answer.logits[0, 1, parts.target.id]), rel=1e-3)


@pytest.mark.parametrize("word", ["phone", "graph", "elephant", "photograph"])
def test_an_f_looks_at_ph(word: str, model: LanguageModel) -> None:
    (found,) = attention(model, None, None, word, AttentionView("cross", "tokens"))
    sound = [unit.name for unit in found.rows].index("F")
    at = word.index("ph")
    mean = found.weights.mean((0, 1))[sound]
    assert mean[at] + mean[at + 1] > 0.5
    assert int(mean.argmax()) in (at, at + 1)
