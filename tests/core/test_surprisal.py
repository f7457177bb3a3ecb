"""Log-probabilities equal the cross entropy of a plain forward pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.errors import UserError
from polysema.core.inside.hooks import read
from polysema.core.inside.lens_scores import CHUNK_ROWS
from polysema.core.inside.surprisal import MASKED, NEXT_TOKEN, WITHIN_WORD, SurprisalOptions, surprisal
from polysema.core.model.load import LanguageModel, load_model
from tests.families import save_family

Open = Callable[..., LanguageModel]
TEXT = "the white swan in the blue water"
TWO = ("t5", "marian")


@pytest.fixture(scope="module")
def opened(headed: dict[str, Path]) -> Open:
    def load(kind: str, **more: Any) -> LanguageModel:
        stack = "decoder" if kind in TWO else "encoder"
        return load_model(str(headed[kind]), "cpu", "torch", stack=stack, **more)

    return load


def plain(model: LanguageModel, ids: Any, **more: Any) -> Any:
    with torch.no_grad():
        return model.whole(torch.tensor(ids), **more)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_decoder_scores_all_but_the_first(kind: str, opened: Open) -> None:
    model = opened(kind)
    found = surprisal(model, TEXT)
    (reading,) = read(model, TEXT)
    ids = torch.tensor([reading.ids])
    loss = plain(model, [reading.ids], labels=ids).loss
    assert (found.method, found.n_scored) == (NEXT_TOKEN, len(reading) - 1)
    assert np.isnan(found.tokens[0].log_probability)
    assert found.log_probability == pytest.approx(-float(loss) * found.n_scored, rel=1e-5)
    assert found.perplexity == pytest.approx(float(loss.exp()), rel=1e-5)
    logits = plain(model, [reading.ids]).logits[0]
    each = -torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:], reduction="none")
    np.testing.assert_allclose([row.log_probability for row in found.tokens[1:]], each.numpy(), atol=1e-5)
    np.testing.assert_allclose([row.surprisal for row in found.tokens[1:]], -each.numpy() / np.log(2), atol=1e-5)
    probabilities = logits[:-1].softmax(-1)
    for place, row in enumerate(found.tokens[1:]):
        own = probabilities[place]
        assert row.rank == int((own > own[reading.ids[place + 1]]).sum()) + 1
        assert row.best_probability == pytest.approx(float(own.max()), abs=1e-6)
        assert row.entropy == pytest.approx(float(-(own * own.clamp_min(1e-30).log2()).sum()), abs=1e-4)
    assert "".join(row.name for row in found.tokens).replace(" ", "") == TEXT.replace(" ", "")


def test_a_long_text_is_scored_window_by_window(opened: Open) -> None:
    model = opened("gpt2")
    text = " ".join(["bank", "river", "swan"] * 20)
    found = surprisal(model, text)
    (encoded,) = model.encode([text])
    assert found.windows == len(encoded.windows) > 1
    assert found.n_scored == len(found.tokens) - 1 == len(encoded) - 1
    for token, (window, place) in enumerate(encoded.takes.tolist()):
        if token:
            logits = plain(model, [encoded.windows[window]]).logits[0, place - 1]
            expected = float(logits.log_softmax(-1)[encoded.windows[window][place]])
            assert found.tokens[token].log_probability == pytest.approx(expected, abs=1e-4)


def test_more_tokens_than_are_scored_together_are_scored_the_same(tmp_path: Path) -> None:
    model = load_model(str(save_family("bloom", tmp_path / "bloom")), "cpu", "torch")  # it has no table of positions
    text = " ".join(["bank", "river", "swan"] * 25)
    (reading,) = read(model, text)
    assert len(reading) > CHUNK_ROWS
    found = surprisal(model, text)
    ids = torch.tensor(reading.ids[1:])
    expected = plain(model, [reading.ids]).logits[0, :-1].log_softmax(-1).gather(-1, ids[:, None])[:, 0]
    np.testing.assert_allclose([row.log_probability for row in found.tokens[1:]], expected.numpy(), atol=1e-4)


def test_a_token_before_the_text_has_the_first_one_scored(headed: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    from transformers import AutoTokenizer

    folder = shutil.copytree(headed["gpt2"], tmp_path / "gpt2")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.bos_token = "<|endoftext|>"
    tokenizer.save_pretrained(folder)
    model = load_model(str(folder), "cpu", "torch", bos=True)
    found = surprisal(model, TEXT)
    assert found.n_scored == len(found.tokens)
    ids = (model.tokenizer.bos_token_id, *model.tokenizer(TEXT)["input_ids"])
    logits = plain(model, [ids]).logits[0, 0]
    assert found.tokens[0].log_probability == pytest.approx(float(logits.log_softmax(-1)[ids[1]]), abs=1e-5)


@pytest.mark.parametrize("kind", ["bert-mlm", "distilbert-mlm"])
@pytest.mark.parametrize("method", [MASKED, WITHIN_WORD])
def test_pseudo_log_likelihood_masks_one_token_after_the_other(kind: str, method: str, opened: Open) -> None:
    model = opened(kind)
    text = "running swans, played the bank"
    found = surprisal(model, text, options=SurprisalOptions(method))
    encoding = model.tokenizer(text)
    ids, words = encoding["input_ids"], encoding.word_ids()
    expected = []
    for place, word in enumerate(words):
        if word is None:
            continue
        masked = list(ids)
        masked[place] = model.tokenizer.mask_token_id
        if method == WITHIN_WORD:
            for later in range(place + 1, len(ids)):
                if words[later] == word:
                    masked[later] = model.tokenizer.mask_token_id
        logits = plain(model, [masked]).logits[0, place]
        expected.append(float(logits.log_softmax(-1)[ids[place]]))
    np.testing.assert_allclose([row.log_probability for row in found.tokens], expected, atol=1e-5)
    assert (found.method, found.n_scored) == (method, len(expected))
    assert found.log_probability == pytest.approx(sum(expected), abs=1e-4)


def test_the_two_ways_to_mask_differ_where_words_are_in_pieces(opened: Open) -> None:
    model = opened("bert-mlm")
    whole, pieces = (
        surprisal(model, "running the swans", options=SurprisalOptions(method)) for method in ("auto", WITHIN_WORD)
    )
    apart = [abs(a.surprisal - b.surprisal) for a, b in zip(whole.tokens, pieces.tokens, strict=True)]
    assert [row.name for row in whole.tokens] == ["run", "n", "ing", "the", "swan", "s"]
    assert min(apart[0], apart[1], apart[4]) > 1e-4  # the last piece of a word is masked alone either way
    assert max(apart[2], apart[3], apart[5]) < 1e-6


def test_batches_of_masked_rows_change_nothing(opened: Open) -> None:
    model = opened("bert-mlm")
    whole = surprisal(model, TEXT)
    told: list[tuple[str, int, int]] = []
    one = surprisal(model, TEXT, None, SurprisalOptions(batch_tokens=1), lambda *step: told.append(step))
    np.testing.assert_allclose([r.surprisal for r in whole.tokens], [r.surprisal for r in one.tokens], atol=1e-5)
    assert told == [("mask", n + 1, len(one.tokens)) for n in range(len(one.tokens))]


@pytest.mark.parametrize("kind", TWO)
def test_a_decoder_beside_an_encoder_scores_its_target(kind: str, opened: Open) -> None:
    model = opened(kind)
    found = surprisal(model, "the river bank", "the white swan")
    ids = model.tokenizer("the white swan", return_tensors="pt")["input_ids"]
    labels = model.tokenizer(text_target="the river bank", return_tensors="pt")["input_ids"]
    read_there = torch.cat([torch.tensor([[model.start_token]]), labels[:, :-1]], dim=1)
    with torch.no_grad():
        logits = model.whole(input_ids=ids, decoder_input_ids=read_there).logits[0]
    each = -torch.nn.functional.cross_entropy(logits, labels[0], reduction="none")
    np.testing.assert_allclose([row.log_probability for row in found.tokens], each.numpy(), atol=1e-5)
    assert (found.n_scored, found.source) == (labels.shape[1], "the white swan")
    assert (found.tokens[-1].name, found.tokens[-1].span) == ("</s>", None)
    assert found.tokens[0].span is not None
    written = surprisal(model, None, "the white swan")
    assert written.text == model.generate(["the white swan"])[0]


def test_the_surprisal_of_a_word_is_the_sum_of_its_tokens(opened: Open) -> None:
    model = opened("bert-mlm")
    tokens = surprisal(model, "running the swans")
    words = surprisal(model, "running the swans", options=SurprisalOptions(unit="words"))
    assert [row.name for row in words.tokens] == ["running", "the", "swans"]
    each = [row.surprisal for row in tokens.tokens]
    sums = [sum(each[:3]), each[3], sum(each[4:])]
    assert [row.surprisal for row in words.tokens] == pytest.approx(sums)
    assert words.log_probability == pytest.approx(tokens.log_probability)
    assert (words.bits_per_token, words.n_scored) == (pytest.approx(tokens.bits_per_token), 6)


@pytest.mark.parametrize(
    ("kind", "text", "options", "message"),
    [
        ("gpt2", "", {}, "nothing to read"),
        ("gpt2", "the", {}, "the text is one token: give a longer text"),
        ("gpt2", TEXT, {"method": "masked"}, "predicts what comes next and masks nothing"),
        ("gpt2", TEXT, {"method": "magic"}, "choose one of auto, masked, masked-within-word"),
        ("gpt2", TEXT, {"unit": "letters"}, "choose one of words, tokens"),
        ("gpt2", TEXT, {"source": "x"}, "reads one text"),
        ("bert", TEXT, {}, "has no head that scores words"),
        ("t5", "the", {}, "none was given"),
    ],
)
def test_what_is_refused(kind: str, text: str, options: dict[str, str], message: str, opened: Open) -> None:
    given = SurprisalOptions(**{name: value for name, value in options.items() if name != "source"})
    with pytest.raises(UserError, match=message):
        surprisal(opened(kind), text, options.get("source"), given)


def test_a_masked_model_needs_a_mask_and_a_text_of_some_length(headed: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    from transformers import AutoTokenizer

    folder = shutil.copytree(headed["bert-mlm"], tmp_path / "bert")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.mask_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match="has no mask token, so no token can be predicted in its place"):
        surprisal(load_model(str(folder), "cpu", "torch"), TEXT)
    with pytest.raises(UserError, match=r"once for each of its 7 tokens, 63 tokens together, .* at most 50 are read"):
        surprisal(load_model(str(headed["bert-mlm"]), "cpu", "torch"), TEXT, options=SurprisalOptions(max_tokens=50))
