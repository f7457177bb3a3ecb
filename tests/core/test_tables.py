"""Static tables made from a model: of its input embeddings, and of contexts."""

import numpy as np
import pytest

from polysema.core.errors import UserError
from polysema.core.model.contextual import embed
from polysema.core.model.distill import TableOptions, distill
from polysema.core.model.load import LanguageModel
from polysema.core.model.static import word_table
from polysema.core.space import Family

TEXTS = ["The bank of the river.", "A Bank keeps money; the bank lends it.", "", "Swans glide."]


def test_words_of_one_token_have_its_row_and_others_the_mean(minilm: LanguageModel) -> None:
    space = word_table(minilm, ["bank", "unbankable"])
    table = minilm.input_table.numpy()
    ids = minilm.tokenizer("unbankable", add_special_tokens=False)["input_ids"]
    assert len(ids) > 1
    np.testing.assert_array_equal(space.vector("bank"), table[minilm.tokenizer.convert_tokens_to_ids("bank")])
    np.testing.assert_allclose(space.vector("unbankable"), table[ids].mean(axis=0), atol=1e-7)
    assert space.column("tokens") == [1, len(ids)]
    assert (space.origin.family, space.origin.layer) == (Family.STATIC, None)
    for words, message in (
        ([], "at least one word"),
        (["a", "a"], "named twice: 'a'"),
        (["a", " "], "makes no token of ' '"),
    ):
        with pytest.raises(UserError, match=message):
            word_table(minilm, words)


def test_a_distilled_vector_is_the_mean_over_a_words_contexts(minilm: LanguageModel) -> None:
    space = distill(minilm, iter(TEXTS), options=TableOptions(3))
    hidden = embed(minilm, TEXTS, [3])
    assert space.keys[0] == "bank"
    assert space.column("count")[0] == 3
    rows = [place for place, o in enumerate(hidden.occurrences) if o.word.lower() == "bank"]
    np.testing.assert_allclose(space.vector("bank"), hidden.vectors[0, rows].mean(axis=0), atol=1e-5)
    assert "mean over contexts at layer 3" in space.origin.pooling
    assert set(distill(minilm, TEXTS, options=TableOptions(lower=False)).keys) == {o.word for o in hidden.occurrences}
    assert list(distill(minilm, TEXTS, ["bank", "swans", "gold"]).keys) == ["bank", "swans"]
    assert list(distill(minilm, TEXTS, options=TableOptions(min_count=3)).keys) == ["bank", "the"]
    first = distill(minilm, TEXTS, ["bank"], TableOptions(3, max_contexts=1))
    np.testing.assert_allclose(first.vector("bank"), hidden.vectors[0, rows[0]], atol=1e-5)
    with pytest.raises(UserError, match="no word is left for a table: 11 words were found, none of them 7 times"):
        distill(minilm, TEXTS, options=TableOptions(min_count=7))
    with pytest.raises(UserError, match="layers 0"):
        distill(minilm, TEXTS, options=TableOptions(9))
