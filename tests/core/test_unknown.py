"""Words that a tokenizer doesn't know are reported wherever their vectors are."""

import json
from pathlib import Path

import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.app.export.options import ExportInput, ExportOptions, ExportSource
from polysema.app.export.run import export
from polysema.core.files.formats import read_export
from polysema.core.model.contextual import EmbeddingOptions, embed, embed_stream
from polysema.core.model.distill import TableOptions, distill
from polysema.core.model.load import LanguageModel
from polysema.core.model.sentences import embed_sentences
from polysema.core.model.static import word_table
from polysema.core.model.tokens import Occurrence, Span, words_of
from polysema.core.model.unknown import unknown_id
from tests.tiny_tokenizers import byte_level, wordpiece

LONG = "a" * 120


@pytest.mark.parametrize("text", ["แมว", "𝐛𝐨𝐥𝐝", "１２３", LONG, "bank🏦"])
def test_a_word_that_is_the_unknown_token_is_told(minilm: LanguageModel, text: str) -> None:
    hidden = embed(minilm, [f"the {text} was"], [0])
    (word,) = words_of(text)
    assert [one.occurrence for one in hidden.unknown] == [
        Occurrence(0, text[: word.end], Span(4, 4 + word.end)),
    ]
    shown = text[: word.end] if len(text) < 100 else "a" * 39 + "…"
    assert hidden.origin.notes == (
        f"the tokenizer of minilm-l6 doesn't know {shown!r}: what is read there is [UNK], the same for every "
        "unknown word",
    )
    (stream,) = embed_stream(minilm, [f"the {text} was"], [0])
    assert stream.unknown == hidden.unknown


def test_a_word_that_is_unknown_in_part_is_told(minilm: LanguageModel) -> None:
    text = "x-ดี y"
    hidden = embed(minilm, [text], [0], occurrences=[Occurrence(0, "x-ดี", Span(0, 4))])
    assert [(one.n_unknown, one.n_tokens) for one in hidden.unknown] == [(1, 3)]
    assert hidden.origin.notes == ("the tokenizer of minilm-l6 doesn't know a part of 'x-ดี', which it reads as [UNK]",)


def test_known_words_have_no_note(minilm: LanguageModel) -> None:
    hidden = embed(minilm, ["Zürich's banks, café"], [0])
    assert (hidden.unknown, hidden.origin.notes) == ((), ())
    assert embed_sentences(minilm, ["the bank"]).origin.notes == ()


def test_many_unknown_words_are_named_once_and_counted(minilm: LanguageModel) -> None:
    texts = ["𝐚 𝐛 𝐜 𝐝 𝐞 𝐟 𝐠", "𝐚 𝐚"]
    hidden = embed(minilm, texts, [0])
    assert len(hidden.unknown) == 9
    (note,) = hidden.origin.notes
    assert "'𝐚', '𝐛', '𝐜', '𝐝', '𝐞' and 2 more: " in note


def test_unknown_tokens_and_texts_are_told(minilm: LanguageModel) -> None:
    tokens = embed(minilm, ["the แมว หมา"], [0], options=EmbeddingOptions(unit="tokens"))
    assert tokens.origin.notes == (
        "2 of the tokens are [UNK]: the tokenizer of minilm-l6 doesn't know what stands there",
    )
    sentences = embed_sentences(minilm, ["the bank", "แมว", "a 🦄"])
    assert sentences.unknown == (1, 2)
    assert "every word of 2 texts (2, 3); " in sentences.origin.notes[0]


def test_unknown_words_of_tables_are_told(minilm: LanguageModel) -> None:
    assert "'แมว'" in word_table(minilm, ["bank", "แมว"]).origin.notes[0]
    assert word_table(minilm, ["bank"]).origin.notes == ()
    notes = distill(minilm, ["the bank แมว", "the bank"], options=TableOptions(0)).origin.notes
    assert len(notes) == 2
    assert "'แมว'" in notes[1]
    assert len(distill(minilm, ["the bank แมว", "the bank"], options=TableOptions(0, min_count=2)).origin.notes) == 1


@pytest.mark.parametrize(
    ("unit", "unknown", "unseen"), [("words", 2, 1), ("tokens", 3, 0), ("sentences", 2, 1)]
)  # the emoji is a token, but no word
def test_exports_count_them(minilm: LanguageModel, tmp_path: Path, unit: str, unknown: int, unseen: int) -> None:
    texts = ["the แมว bank", "หมา 🦄", "the bank", "\u0301"]  # a mark alone, of which no token is made
    manifest = export(
        ExportInput(texts, ExportSource("t", "0", 4)), tmp_path / "e", minilm, [0, 1], ExportOptions(unit)
    )
    assert (manifest["unknown"], manifest["unseen"], manifest["split"]) == (unknown, unseen, 0)
    assert json.loads((tmp_path / "e" / "manifest.json").read_text())["unknown"] == unknown
    assert f"doesn't know {unknown} of the" in read_export(tmp_path / "e", 1).origin.notes[0]


def test_answers_say_it(explorer: Explorer) -> None:
    note = "the tokenizer of minilm-l6 doesn't know 'แมว'"
    assert explorer.model().compare("แมว", ["แมว ดี", "x แมว y"], layers=[0]).origin.notes[0].startswith(note)
    assert explorer.model().embed(["แมว"], layers=[0]).origin.notes[0].startswith(note)
    assert explorer.model().occurrences("แมว", "a แมว", layer=0, k=2).origin.notes[0].startswith(note)
    near = explorer.space("minilm-l6@0").neighbors('แมว in "a แมว"', 2)
    assert near.origin.notes[0].startswith(note)
    assert explorer.space("minilm-l6@0").space.origin.notes == ()  # of the answer, not of the space


def test_a_word_written_otherwise_is_told(explorer: Explorer) -> None:
    assert explorer.model().compare("don't", ["I don’t", "I don't"], layers=[0]).origin.notes == (
        "\"don't\" was looked up as 'don’t' (another apostrophe)",
    )
    assert explorer.model().occurrences("new york", "in new\nyork", layer=0, k=2).origin.notes == (
        "'new york' was looked up as 'new\\nyork' (other spaces)",
    )


def test_a_tokenizer_that_writes_everything_has_no_unknown_token() -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    assert unknown_id(wordpiece()) == 1
    assert unknown_id(byte_level()) is None
    with_end = PreTrainedTokenizerFast(tokenizer_object=byte_level().backend_tokenizer, unk_token="<|endoftext|>")  # type: ignore[attr-defined]
    assert unknown_id(with_end) is None  # as GPT-2's
    unigram = Tokenizer(models.Unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("a", -1.0)], unk_id=2))
    assert unknown_id(PreTrainedTokenizerFast(tokenizer_object=unigram, unk_token="<unk>")) == 2
    assert np.array(unigram.encode("ab").ids).tolist() == [3, 2]
