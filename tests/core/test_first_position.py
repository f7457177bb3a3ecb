"""The first word of a text in a decoder: measured, reported, and left out of means and baselines."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.core.errors import UserError
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.distill import TableOptions, distill
from polysema.core.model.first_position import Outliers, first_ends, first_outliers, span_of_layers
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.sentences import embed_sentences

TEXTS = ["the river bank", "white swan of the water", "bank"]


@pytest.fixture(scope="module")
def sink(tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A GPT-2 whose first position is many times as long as the others, as trained decoders make it."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny["gpt2"], tmp_path_factory.mktemp("sink") / "gpt2"))
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("wpe.weight"))
    tensors[name][0] *= 200
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return load_model(str(folder), "cpu", "torch")


def test_it_is_measured(sink: LanguageModel, tiny: dict[str, Path]) -> None:
    assert first_outliers(sink) == Outliers((0, 1, 2), (0, 1)) or first_outliers(sink).alike[:2] == (0, 1)
    for kind in ("gpt2", "llama"):
        assert first_outliers(load_model(str(tiny[kind]), "cpu", "torch")) == Outliers()
    assert first_outliers(load_model(str(tiny["bert"]), "cpu", "torch")) == Outliers()
    assert span_of_layers([2, 3, 4, 9, 12, 13]) == "layers 2 to 4, 9, 12 to 13"
    assert span_of_layers([15]) == "layer 15"


def test_words_that_stand_first_are_told(sink: LanguageModel) -> None:
    found = embed(sink, TEXTS, [0, 1])
    assert [found.occurrences[row].word for row in found.first] == ["the", "white", "bank"]
    assert "'the', 'white', 'bank' stand first in a text: at layers 0 to 1 of this decoder" in found.origin.notes[0]
    later = found.without_first()
    assert [o.word for o in later.occurrences] == ["river", "bank", "swan", "of", "the", "water"]
    np.testing.assert_array_equal(later.vectors, found.vectors[:, [1, 2, 4, 5, 6, 7]])
    assert "3 occurrences first in a text left out" in later.origin.notes[0]
    tokens = embed(sink, TEXTS, [0], options=EmbeddingOptions(unit="tokens"))
    assert [tokens.occurrences[row].span.start for row in tokens.first] == [0, 0, 0]
    assert embed(sink, [" , the bank"], [0]).first == ()  # a comma stands first, which is no word
    assert first_ends(sink, ["", "the bank"])[0] == 0


def test_a_mean_of_a_text_leaves_it_out(sink: LanguageModel) -> None:
    tokens = embed(sink, TEXTS[:1], [0, 1], options=EmbeddingOptions(unit="tokens")).vectors
    found = embed_sentences(sink, TEXTS, [0, 1])
    np.testing.assert_allclose(found.vectors[:, 0], tokens[:, 1:].mean(axis=1), atol=1e-5)
    assert "the mean leaves out the first token at layers 0 to 1" in found.origin.notes[0]
    last = embed_sentences(sink, TEXTS[:1], [0, 1], "last").vectors[:, 0]
    np.testing.assert_allclose(last, tokens[:, -1], atol=1e-5)
    one = embed_sentences(sink, ["a"], [0]).vectors[0, 0]  # a text of one token has no other
    np.testing.assert_allclose(
        one, embed(sink, ["a"], [0], options=EmbeddingOptions(unit="tokens")).vectors[0, 0], atol=1e-5
    )


def test_a_table_of_contexts_leaves_it_out(sink: LanguageModel) -> None:
    table = distill(sink, TEXTS, options=TableOptions(1))
    assert dict(zip(table.keys, table.column("count"), strict=True)) == {
        "bank": 1,
        "of": 1,
        "river": 1,
        "swan": 1,
        "the": 1,
        "water": 1,
    }
    assert any("3 occurrences first in a text left out" in note for note in table.origin.notes)


def test_a_begin_of_text_token_may_stand_before(tiny: dict[str, Path], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = Path(shutil.copytree(tiny["gpt2"], tmp_path / "gpt2"))
    with pytest.raises(UserError, match="has no begin-of-text token"):
        load_model(str(folder), "cpu", "torch", bos=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.bos_token = "<|endoftext|>"
    tokenizer.save_pretrained(folder)
    plain, model = (load_model(str(folder), "cpu", "torch", bos=bos) for bos in (False, True))
    found = embed(model, TEXTS[:1], options=EmbeddingOptions(unit="tokens"))
    assert (found.origin.beginning, plain.origin(None, "mean").beginning) == ("<|endoftext|>", "")
    ids = [0, *plain.encode(TEXTS[:1])[0].ids()]
    with torch.inference_mode():
        expected = model.module(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
    np.testing.assert_allclose(found.vectors, torch.cat(expected)[:, 1:].numpy(), atol=1e-5)
    long = embed(model, ["the river bank " * 12], [1])
    assert long.split == (0,)  # each window begins with it
    with pytest.raises(UserError, match="don't belong together.*behind <|endoftext|>"):
        found.origin.require_same(plain.origin(None, "single tokens"))
    with pytest.raises(UserError, match="is an encoder"):
        load_model(str(tiny["bert"]), "cpu", "torch", bos=True)


def test_the_shell_tells_it(sink: LanguageModel) -> None:
    done = CliRunner().invoke(cli, ["embed", *TEXTS[:1], "-m", str(sink.path), "--layers", "1", "--engine", "torch"])
    assert done.exit_code == 0
    assert "'the' stands first in a text: at layer 1 of this decoder" in done.stderr
