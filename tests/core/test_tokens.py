import pytest

from polysema.core.errors import UserError
from polysema.core.model.engine import plan_batches
from polysema.core.model.tokens import Occurrence, Span, encode, find_word, occurrence_at, occurrences_of, words_of


def test_words_are_found_in_any_script() -> None:
    text = "Don't stop: e\u0301te\u0301, 日本語, שלום x_1 😀!"
    assert [text[s.start : s.end] for s in words_of(text)] == [
        "Don't",
        "stop",
        "e\u0301te\u0301",
        "日本語",
        "שלום",
        "x_1",
    ]
    assert words_of(" \t…") == []
    assert [(o.text, o.word) for o in occurrences_of(["a b", "", "c"], first=5)] == [(5, "a"), (5, "b"), (7, "c")]


def test_a_word_is_found_whole_in_any_case() -> None:
    text = "Banks lend; the Bank of the river bank."
    assert find_word(text, "bank") == Span(16, 20)
    assert find_word(text, "bank", 2) == Span(34, 38)
    with pytest.raises(UserError, match="'bank' stands 2 times, not 3, in"):
        find_word(text, "bank", 3)
    with pytest.raises(UserError, match="'swan' is not a word of 'Banks lend"):
        find_word(text, "swan")
    with pytest.raises(UserError, match="a word is needed"):
        find_word(text, " ")


@pytest.mark.parametrize("lengths", [[], [5], [3, 9, 1, 9, 2, 40, 7]])
def test_every_item_is_in_one_batch_within_the_budget(lengths: list[int]) -> None:
    batches = plan_batches(lengths, 18)
    assert sorted(item for batch in batches for item in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= 18


def test_batches_are_filled() -> None:
    assert plan_batches([2, 2, 2, 6, 6, 6], 12) == [[0, 1, 2], [3, 4], [5]]


@pytest.mark.parametrize("causal", [False, True])
def test_a_long_text_is_cut_into_windows_where_each_token_has_most_context(minilm, causal: bool) -> None:  # type: ignore[no-untyped-def]
    text = " ".join(["river", "bank", "swan"] * 9)  # 27 words, a token each
    (one,) = encode(minilm.tokenizer, [text], 64, causal)
    (many,) = encode(minilm.tokenizer, [text], 12, causal)  # 10 of the text's own tokens a window, 5 overlap
    assert len(one.windows) == 1
    assert one.offsets.tolist() == many.offsets.tolist()
    assert len(many) == 27
    assert [len(w) for w in many.windows] == [12, 12, 12, 12, 9]
    ids = [many.windows[w][p] for w, p in many.takes.tolist()]
    assert ids == list(one.windows[0][1:-1])
    windows = many.takes[:, 0].tolist()
    # encoder: changes over in the middle of the overlap; decoder: stays until the window ends
    assert windows[:13] == ([0] * 10 + [1] * 3 if causal else [0] * 8 + [1] * 5)


def test_a_place_is_named_by_word_or_by_characters() -> None:
    text = "the bank of the river bank"
    assert occurrence_at(text, 3, "Bank", 2) == Occurrence(3, "bank", Span(22, 26))
    assert occurrence_at(text, span=Span(16, 26)) == Occurrence(0, "river bank", Span(16, 26))
    family, accent = "a 👨‍👩‍👧 b", "cafe\u0301s"
    assert occurrence_at(family, span=Span(2, 7)).word == "👨‍👩‍👧"
    for given, span, message in (
        (text, Span(20, 40), "characters 20 to 40 are not within text 0, which has 26"),
        (text, Span(4, 4), "characters 4 to 4 are not within"),
        (text, Span(-3, 4), "characters -3 to 4 are not within"),
        (family, Span(2, 4), "character 4 of text 0 is inside"),
        (accent, Span(4, 6), "character 4 of text 0 is inside"),
    ):
        with pytest.raises(UserError, match=message):
            occurrence_at(given, span=span)
    for both in ({}, {"word": "bank", "span": Span(0, 3)}):
        with pytest.raises(UserError, match="say which word, or which characters"):
            occurrence_at(text, **both)


UNICODE = [
    "é e\u0301 naïve",
    "日本語のテキスト",
    "שלום עולם",
    "a😀b 👩🏽‍🚀 c",
    "ﬁne ½ ①",
    "x\u200by zero\u00adwidth",
    "İstanbul ﷺ",
]


@pytest.mark.parametrize("text", UNICODE)
def test_offsets_are_of_the_text_as_given(text: str, minilm, tiny) -> None:  # type: ignore[no-untyped-def]
    """Whatever the tokenizer's normalization does, a token's characters are those of the text."""
    from polysema.core.model.load import load_model

    for model in (minilm, *(load_model(str(tiny[kind]), "cpu", "torch") for kind in ("gpt2", "t5"))):
        (encoded,) = model.encode([text])
        plain = model.tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
        expected = [
            o
            for o, id_ in zip(plain["offset_mapping"], plain["input_ids"], strict=True)
            if id_ not in model.tokenizer.all_special_ids or id_ == model.tokenizer.unk_token_id
        ]
        assert encoded.offsets.tolist() == [list(o) for o in expected]
        assert ((encoded.offsets >= 0) & (encoded.offsets <= len(text))).all()
        for occurrence in occurrences_of([text]):
            for token in encoded.tokens_of([occurrence.span])[0].tolist():
                start, end = encoded.offsets[token]
                assert start < occurrence.span.end
                assert end > occurrence.span.start
