"""Gaps that are filled by words: against the model's own head, and against the pseudo-log-likelihood of the text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.core.errors import UserError
from polysema.core.inside.fill_mask import fill_mask
from polysema.core.inside.next_sentence import next_sentence
from polysema.core.inside.surprisal import SurprisalOptions, surprisal
from polysema.core.model.load import LanguageModel, load_model

MONEY = "She put her money in the [MASK]."


@pytest.fixture(scope="module")
def bert() -> LanguageModel:
    return load_model("bert-tiny-en", "cpu", "torch")


def test_the_best_word_of_a_gap_is_that_of_the_head(bert: LanguageModel) -> None:
    found = fill_mask(bert, MONEY, 8, 1)
    (gap,) = found.gaps
    ids = torch.tensor([bert.encode([MONEY])[0].windows[0]])
    logs = bert.whole(ids).logits[0, ids[0].tolist().index(bert.tokenizer.mask_token_id)].log_softmax(-1)
    number = bert.tokenizer.convert_tokens_to_ids(gap.words[0].word)
    assert gap.words[0].word in ("bank", "box", "bag", "safe", "drawer")
    assert gap.words[0].log_probability == pytest.approx(logs[number].item(), abs=1e-5)
    assert gap.words[0].text == MONEY.replace("[MASK]", gap.words[0].word)
    logs_of = [one.log_probability for one in gap.words]
    assert logs_of == sorted(logs_of, reverse=True)
    assert len(gap.words) == 8
    assert all(one.word.isalnum() for one in gap.words)


def test_a_word_of_several_pieces_is_scored_as_surprisal_scores_it(bert: LanguageModel) -> None:
    words = fill_mask(bert, MONEY, 30, 3).gaps[0].words
    several = [one for one in words if len(one.pieces) > 1]
    assert several, [one.word for one in words]
    for one in [*several[:2], words[0]]:
        rows = surprisal(bert, one.text, options=SurprisalOptions("masked-within-word", "words")).tokens
        (row,) = [row for row in rows if row.name == one.word]
        assert one.log_probability == pytest.approx(row.log_probability, abs=1e-4)


def test_every_way_to_write_a_gap_and_several_gaps(bert: LanguageModel) -> None:
    for gap in ("<mask>", "___", "_____", "[mask]"):
        assert fill_mask(bert, MONEY.replace("[MASK]", gap), 3, 1) == fill_mask(bert, MONEY, 3, 1)
    found = fill_mask(bert, "The ___ of the ___ is high.", 4, 1)
    assert len(found.gaps) == 2
    assert found.gaps[0].words[0].text.count("[MASK]") == 1
    assert found.text == "The [MASK] of the [MASK] is high."


@pytest.mark.parametrize("kind", ["bert-mlm", "roberta-mlm", "mpnet-mlm", "modernbert-mlm", "distilbert-mlm"])
def test_other_families_fill_with_words_that_their_tokenizers_know(headed: dict[str, Path], kind: str) -> None:
    model = load_model(str(headed[kind]), "cpu", "torch")
    if model.tokenizer.mask_token_id is None:
        with pytest.raises(UserError, match="has no mask token"):
            fill_mask(model, "the ___ bank")
        return
    words = fill_mask(model, "the ___ bank", 12, 2).gaps[0].words
    assert len(words) == 12
    assert {len(one.pieces) for one in words} <= {1, 2}
    for one in words[:3]:
        assert model.encode([one.text])[0].ids()[1 : 1 + len(one.pieces)] == [
            model.tokenizer.convert_tokens_to_ids(piece) for piece in one.pieces
        ]


def test_what_fills_no_gap_says_so_in_one_line(bert: LanguageModel, headed: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"there is no gap in 'no gap here': write \[MASK\], <mask> or ___ where"):
        fill_mask(bert, "no gap here")
    with pytest.raises(UserError, match="has no masked-word head, so it fills no gap: its folder holds a BertModel"):
        fill_mask(load_model(str(headed["bert"]), "cpu", "torch"), MONEY)
    with pytest.raises(UserError, match="is no masked encoder, so it fills no gap"):
        fill_mask(load_model(str(headed["gpt2"]), "cpu", "torch"), MONEY)
    for k, most, message in ((0, 1, "k starts at 1"), (1, 6, "1 to 5 pieces")):
        with pytest.raises(UserError, match=message):
            fill_mask(bert, MONEY, k, most)


def test_next_sentence_is_that_of_the_head(tmp_path: Path) -> None:
    from tokenizers import processors
    from transformers import BertConfig, BertForPreTraining

    from tests.tiny_tokenizers import wordpiece

    torch.manual_seed(3)
    tokenizer: Any = wordpiece()
    whole = BertForPreTraining(
        BertConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=32,
            vocab_size=len(tokenizer),
            max_position_embeddings=32,
        )
    ).eval()
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.normal_(0, 0.5)
    whole.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(str(tmp_path), "cpu", "torch")
    first, second = "the white swan", "the river bank was blue"
    found = next_sentence(model, first, second)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    given = tokenizer(first, text_pair=second, return_tensors="pt", return_token_type_ids=True)
    assert set(given["token_type_ids"][0].tolist()) == {0, 1}
    with torch.inference_mode():
        logits = whole(**given).seq_relationship_logits[0]
    assert found.probability == pytest.approx(float(logits.softmax(-1)[0]), abs=1e-6)
    assert next_sentence(model, second, first).probability != pytest.approx(found.probability, abs=1e-4)
    np.testing.assert_allclose([found.follows, found.random], logits.tolist(), atol=1e-5)
    with pytest.raises(UserError, match="the second sentence is empty"):
        next_sentence(model, "the swan", " ")
    with pytest.raises(UserError, match="reads 32: give shorter ones"):
        next_sentence(model, "the swan " * 20, "the bank")


def test_a_model_without_the_head_says_so(bert: LanguageModel) -> None:
    with pytest.raises(UserError, match="has no next-sentence head: its folder holds a BertForMaskedLM"):
        next_sentence(bert, "One.", "Two.")
