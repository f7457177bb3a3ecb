"""The explained move: its parts are the way from the static vector to the hidden state, whatever is projected on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polysema.core.errors import UserError
from polysema.core.inside.explained_move import MoveOptions, explain_move
from polysema.core.inside.move_axis import AxisChoice, axis_vector
from polysema.core.inside.move_controls import ShuffleChoice, shuffled_texts
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.static import static_vector
from polysema.core.model.tokens import occurrence_at
from tests.families import save_family

RIVER = "The bank of the river is muddy."
TOWARD_RIVER = MoveOptions(axis=AxisChoice("money -> river"))


@pytest.fixture(scope="module")
def minilm() -> LanguageModel:
    return load_model("minilm-l6", "cpu", "torch")


@pytest.mark.parametrize("layer", [0, 3, 6])
def test_the_parts_of_a_real_model_add_up_to_its_move(minilm: LanguageModel, layer: int) -> None:
    found = explain_move(minilm, RIVER, "bank", layer, options=TOWARD_RIVER)
    axis = static_vector(minilm, "river")[0] - static_vector(minilm, "money")[0]
    axis = axis / np.linalg.norm(axis)
    hidden = embed(minilm, [RIVER], [layer], occurrences=[occurrence_at(RIVER, 0, "bank")]).vectors[0, 0]
    static = static_vector(minilm, "bank")[0]
    assert found.moved == pytest.approx(float((hidden - static) @ axis), abs=1e-4)
    assert found.length == pytest.approx(float(np.linalg.norm(hidden - static)), rel=1e-4)
    assert found.total == pytest.approx(found.moved, abs=1e-4)
    assert found.difference < 1e-4
    assert found.layers[-1].reached == pytest.approx(found.moved, abs=1e-4)
    assert sum(part.kind == "head" for part in found.parts) == 12 * layer
    assert {part.kind for part in found.parts} == {"embedding", "norm", "bias"} | ({"head", "mlp"} if layer else set())


def test_what_the_words_give_is_what_the_heads_wrote(minilm: LanguageModel) -> None:
    found = explain_move(minilm, RIVER, "bank", options=TOWARD_RIVER)
    heads = [part for part in found.parts if part.kind == "head"]
    assert found.by_source.shape == (72, len(found.sources))
    np.testing.assert_allclose(found.by_source.sum(1), [head.value for head in heads], atol=1e-5)
    by_word = {source.name: source.value for source in found.sources}
    assert max(by_word, key=by_word.__getitem__) == "river"
    assert by_word["river"] > 0.2
    assert next(s for s in found.sources if s.name == "river").head == "layer 6 head 8"


def test_the_controls_stand_beside_the_move(minilm: LanguageModel) -> None:
    found = explain_move(minilm, RIVER, "bank", options=TOWARD_RIVER)
    random, shuffled = found.controls
    assert (random.name, random.n, shuffled.name, shuffled.n) == ("random axis", 200, "shuffled text", 5)
    assert random.spread == pytest.approx(found.length / np.sqrt(384), rel=0.15)  # what chance gives in 384 dimensions
    assert sorted(shuffled.text) == sorted(RIVER)
    assert shuffled.text != RIVER
    assert explain_move(minilm, RIVER, "bank", options=TOWARD_RIVER).controls == found.controls
    alone = explain_move(minilm, "bank", "bank", options=MoveOptions(shuffles=0))
    assert [control.name for control in alone.controls] == ["random axis"]


def test_shuffling_keeps_the_occurrence_that_is_meant() -> None:
    texts = shuffled_texts("A bank, not the bank.", ShuffleChoice("bank", 2, 1, 0, 6))
    assert texts
    assert all(sorted(text.lower()) == sorted("a bank, not the bank.") for text, _ in texts)
    assert {nth for _, nth in texts} == {1, 2}


def test_without_an_axis_it_is_the_move_itself(minilm: LanguageModel) -> None:
    found = explain_move(minilm, RIVER, "bank")
    assert found.axis == "the move itself"
    assert found.moved == pytest.approx(found.length, rel=1e-6)
    assert found.cosine == pytest.approx(1)


def test_a_word_of_several_tokens_is_their_mean(minilm: LanguageModel) -> None:
    text = "A gringotts vault by the river."
    found = explain_move(minilm, text, "gringotts", options=TOWARD_RIVER)
    hidden = embed(minilm, [text], [-1], occurrences=[occurrence_at(text, 0, "gringotts")]).vectors[0, 0]
    length = np.linalg.norm(hidden - static_vector(minilm, "gringotts")[0])
    assert found.length == pytest.approx(float(length), rel=1e-4)
    assert found.total == pytest.approx(found.moved, abs=1e-4)


@pytest.mark.parametrize(
    ("stack", "text", "word", "source"), [("encoder", RIVER, "bank", None), ("decoder", None, "rive", RIVER)]
)
def test_the_parts_of_the_translator_add_up(stack: str, text: str | None, word: str, source: str | None) -> None:
    model = load_model("marian-en-fr", "cpu", "torch", stack=stack)
    found = explain_move(model, text, word, -1, source)
    assert found.total == pytest.approx(found.moved, abs=1e-4 * found.length)
    assert {s.kind for s in found.sources} == ({"self", "cross"} if source else {"self"})
    after = [s.value for s in found.sources if s.kind == "self" and s.name in ("rivière", "est")]
    assert after == ([0.0, 0.0] if source else [])  # a decoder doesn't see what comes later


@pytest.mark.parametrize("name", ["albert", "electra"])
def test_a_table_narrower_than_the_states_is_projected(tmp_path: Path, name: str) -> None:
    model = load_model(str(save_family(name, tmp_path)), "cpu", "torch")
    text = "the white swan in the blue water"
    found = explain_move(model, text, "swan", options=MoveOptions(axis=AxisChoice("water -> white")))
    whole, linear = model.module, "encoder.embedding_hidden_mapping_in" if name == "albert" else "embeddings_project"
    weight = whole.get_submodule(linear).weight.detach().numpy()
    static, start, end = (weight @ static_vector(model, word)[0] for word in ("swan", "water", "white"))
    axis = (end - start) / np.linalg.norm(end - start)
    hidden = embed(model, [text], [-1], occurrences=[occurrence_at(text, 0, "swan")]).vectors[0, 0]
    assert (static.shape, static_vector(model, "swan")[0].shape) == ((16,), (8,))
    assert found.start == pytest.approx(float(static @ axis), abs=1e-5)
    assert found.moved == pytest.approx(float((hidden - static) @ axis), abs=1e-5)
    assert found.total == pytest.approx(found.moved, abs=1e-4)
    assert [part.name for part in found.parts if part.name.startswith("embedding projection")] == [
        "embedding projection bias"
    ]


def test_an_axis_is_between_two_sets_of_texts(minilm: LanguageModel) -> None:
    toward, away = ("They sat by the water.", "A boat on the stream."), ("He paid in cash.",)
    name, vector = axis_vector(minilm, AxisChoice(toward=toward, away=away), 6)
    states = [
        embed(minilm, [text], [6], EmbeddingOptions(unit="tokens")).vectors[0].mean(0) for text in (*toward, *away)
    ]
    np.testing.assert_allclose(vector, (states[0] + states[1]) / 2 - states[2], atol=1e-5)
    assert name == "from the mean of 1 text to that of 2 texts"
    found = explain_move(minilm, RIVER, "bank", options=MoveOptions(axis=AxisChoice(toward=toward, away=away)))
    money = "The bank pays cash to his clients."
    other = explain_move(minilm, money, "bank", options=MoveOptions(axis=AxisChoice(toward=toward, away=away)))
    assert found.moved > other.moved + 1


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        (lambda: AxisChoice("money"), "two ends"),
        (lambda: AxisChoice("money -> money"), "the same"),
        (lambda: AxisChoice("a -> b", toward=("c",), away=("d",)), "not both"),
        (lambda: AxisChoice(toward=("c",)), "both of them"),
    ],
)
def test_an_axis_that_is_none_is_told(minilm: LanguageModel, axis: Callable[[], AxisChoice], said: str) -> None:
    with pytest.raises(UserError, match=said):
        explain_move(minilm, RIVER, "bank", options=MoveOptions(axis=axis()))


def test_what_can_not_be_explained_is_told(minilm: LanguageModel) -> None:
    with pytest.raises(UserError, match="512"):
        explain_move(minilm, "bank " * 510 + RIVER, "river")
    with pytest.raises(UserError, match="'boat' is not a word"):
        explain_move(minilm, RIVER, "boat")
    with pytest.raises(UserError, match="100 shuffled"):
        MoveOptions(shuffles=101)
