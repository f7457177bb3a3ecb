"""Every public verb names an argument of a wrong type before anything runs: no model is loaded, no text is read."""

import re
from pathlib import Path

import pytest

import polysema
from polysema import Explorer, Space

SPACE = Space.from_vectors(["king", "queen"], [[1.0, 0.1], [0.8, 0.6]], "mine")
TEXT = "must be a string"
LIST = "is a list; got the one string|are a list; got the one string"
NUMBERS = "must be a list of whole numbers"


class Unused(Explorer):
    """Fails where a verb runs although its arguments are wrong."""

    def model(self, *_: object, **__: object) -> None:  # type: ignore[override]
        raise AssertionError("a model was loaded")


EXPLORER = Unused()
CASES = [
    (EXPLORER.neighbors, (None, SPACE), f"word {TEXT}"),
    (EXPLORER.neighbors, (["king"], SPACE), f"word {TEXT}"),
    (EXPLORER.neighbors, ("king", 3), f"space {TEXT}"),
    (EXPLORER.analogy, (3, SPACE), f"expression {TEXT}"),
    (EXPLORER.analogy, ("king", SPACE, 5, 3), f"method {TEXT}"),
    (EXPLORER.similarity, ("king", ["queen"], SPACE), LIST),
    (EXPLORER.similarity, (["king"], None, SPACE), "second must be a list of strings; got None"),
    (EXPLORER.similarity, (["king"], [3], SPACE), "second must be a list of strings; number 1 is 3"),
    (EXPLORER.closer_than, ("king", None, SPACE), f"other {TEXT}"),
    (EXPLORER.odd_one_out, ("king", SPACE), LIST),
    (EXPLORER.project, (["king"], "king -> queen", SPACE), LIST),
    (EXPLORER.association, ("a", ["b"], ["c"], ["d"], SPACE), LIST),
    (EXPLORER.travel, ("king", 3, SPACE), f"axis {TEXT}"),
    (EXPLORER.travel, ("king", "king -> queen", SPACE, "8"), "steps must be a whole number; got '8'"),
    (EXPLORER.travel, ("king", "king -> queen", SPACE, 8, "far"), "reach must be a number; got 'far'"),
    (EXPLORER.vector, (3, SPACE), f"expression {TEXT}"),
    (EXPLORER.direction, (None, SPACE), f"axis {TEXT}"),
    (EXPLORER.space, (3,), f"name {TEXT}"),
    (EXPLORER.view, (SPACE, 3), f"transform {TEXT}"),
    (EXPLORER.baseline, (3,), f"space {TEXT}"),
    (EXPLORER.embed, ("a text",), LIST),
    (EXPLORER.embed, (None,), "texts must be a list of strings; got None"),
    (EXPLORER.embed, (["a"], 3), f"model {TEXT}"),
    (EXPLORER.embed, (["a"], "minilm-l6", "6"), f"layers {NUMBERS}; got '6'"),
    (EXPLORER.embed, (["a"], "minilm-l6", [2.5]), f"layers {NUMBERS}; number 1 is 2.5"),
    (EXPLORER.compare, ("bank", "the bank"), LIST),
    (EXPLORER.compare, ("bank", [None]), "texts must be a list of strings; number 1 is None"),
    (EXPLORER.compare, ("bank", ["the bank"], "minilm-l6", 3), f"layers {NUMBERS} or None; got 3"),
    (EXPLORER.occurrence_neighbors, ("bank", ["the bank"]), f"text {TEXT}"),
    (EXPLORER.occurrence_neighbors, ("bank", "the bank", "minilm-l6", "x"), "layer must be a whole number"),
    (EXPLORER.word_map, (3,), f"word {TEXT}"),
    (EXPLORER.sense_clusters, (3,), f"word {TEXT}"),
    (EXPLORER.senses, ("minilm-l6",), LIST),
    (EXPLORER.attention, (["a"],), f"text {TEXT}"),
    (EXPLORER.attention, ("a", "minilm-l6", 3), f"layers {NUMBERS} or None; got 3"),
    (EXPLORER.lens, (3,), f"text {TEXT}"),
    (EXPLORER.contributions, ("a", 3), f"word {TEXT}"),
    (EXPLORER.find_heads, ([("a", "b")], "a b"), LIST),
    (EXPLORER.corpus, ("minilm-l6", "x"), "layer must be a whole number; got 'x'"),
    (SPACE.resolve, (3,), f"word {TEXT}"),
    (SPACE.column, (3,), f"name {TEXT}"),
    (polysema.load_model, (3,), f"name {TEXT}"),
    (polysema.read_vectors, (None,), "path must be a path or a string; got None"),
    (polysema.write_vectors, ("x", "y"), "space must be a Space; got 'x'"),
    (polysema.write_vectors, (SPACE, 3), "path must be a path or a string; got 3"),
]


@pytest.mark.parametrize(("verb", "given", "message"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_type_is_named_before_anything_runs(verb, given: tuple[object, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError, match=message):
        verb(*given)


def test_k_of_a_wrong_type_is_named() -> None:
    with pytest.raises(polysema.PolysemaError, match=re.escape("k must be 1 or more; got '5'")):
        EXPLORER.neighbors("king", SPACE, "5")  # type: ignore[arg-type]


def test_a_collection_names_them_too(tmp_path: Path) -> None:
    collection = polysema.Collection.create(tmp_path / "c")
    with pytest.raises(TypeError, match="ids are a list; got the one string 'a'"):
        collection.add("a", [[1.0]])
    with pytest.raises(TypeError, match="where must be a string or a Filter or None; got 3"):
        collection.search([[1.0]], where=3)  # type: ignore[arg-type]
