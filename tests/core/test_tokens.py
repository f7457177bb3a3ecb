import pytest

from polysema.core.errors import UserError
from polysema.core.model.engine import plan_batches
from polysema.core.model.tokens import Span, encode, find_word, occurrences_of, words_of


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
