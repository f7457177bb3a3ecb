"""The explorer's handles: a space is used like a dictionary and answers about its words, and holds what it made."""

import numpy as np
import pytest

from polysema import Explorer, Space
from polysema.app.explorer import ModelOptions
from polysema.core.errors import UnknownWordError
from polysema.core.model.load import LanguageModel


@pytest.fixture
def space() -> Space:
    vectors = np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32)
    return Space.from_vectors([f"w{number}" for number in range(40)], vectors, "mine")


def test_a_handle_is_its_space_with_verbs(space: Space) -> None:
    explorer = Explorer()
    words = explorer.space(space)
    assert (len(words), words.dim, "w3" in words, "w40" in words, list(words)[:2]) == (40, 6, True, False, ["w0", "w1"])
    assert words["w3"].tolist() == space["w3"].tolist()
    assert words[["w3", "w0"]].tolist() == space[["w3", "w0"]].tolist()
    assert words.origin is space.origin
    assert repr(words) == "WordSpace(40 x 6, mine, static)"
    assert explorer.space(space) is explorer.space(words) is words
    assert words.index is words.index


def test_words_are_answered_in_kind(space: Space) -> None:
    words = Explorer().space(space)
    one, two = words.neighbors("w1", k=2), words.neighbors("w2", k=2)
    assert words.neighbors(["w1", "w2"], k=2) == [one, two]
    assert words.similarity("w1", "w2").cosine == words.similarity(["w1"], ["w2"]).cosine
    assert words.project("w1", ["w2 -> w3"]).words == words.project(["w1"], ["w2 -> w3"]).words
    with pytest.raises(UnknownWordError, match="'w99' is not among"):
        words.neighbors(["w1", "w99"])


def test_a_view_is_a_handle_that_is_kept(space: Space) -> None:
    words = Explorer().space(space)
    centered = words.view("centered")
    assert words.view("raw") is words
    assert words.view("centered") is centered
    assert np.abs(centered.space.vectors.mean(axis=0)).max() < 1e-6
    assert centered.view(without=["w1 -> w2"]).origin.transform == "centered, without w1 -> w2"


def test_an_occurrence_is_seen_as_the_space_is(explorer: Explorer, minilm: LanguageModel) -> None:
    """A transform belongs to the space, also where the bare space of the view is used later."""
    seen = explorer.space("minilm-l6@6").view("centered")
    occurrence = 'bank in "They sat on the river bank"'
    raw = explorer.space("minilm-l6@6").lookup.vector(occurrence)
    assert np.array_equal(explorer.space(seen.space).lookup.vector(occurrence), seen.lookup.vector(occurrence))
    assert not np.allclose(seen.lookup.vector(occurrence), raw)


def test_a_model_is_loaded_as_it_is_said(explorer: Explorer, minilm: LanguageModel) -> None:
    handle = explorer.model("minilm-l6")
    assert handle is explorer.model("minilm-l6")
    assert handle.model is minilm
    assert repr(handle) == "ModelExplorer(minilm-l6, encoder, 6 layers, 384)"
    assert explorer.model("minilm-l6", ModelOptions(final_norm="before")) is not handle
    assert handle.senses.layers == tuple(range(7))
    assert "minilm-l6" in explorer.models()
    assert "minilm-l6" in explorer.spaces()


def test_what_is_closed_is_let_go() -> None:
    explorer = Explorer()
    explorer.space(Space.from_vectors(["a", "b"], [[1, 0], [0, 1]]))
    assert explorer.memory_usage()["spaces"] == 1
    explorer.close()
    assert explorer.memory_usage()["spaces"] == 0
