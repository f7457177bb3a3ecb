"""Every public verb names an argument of a wrong type before anything runs: no model is loaded, no text is read."""

from functools import partial
from inspect import isfunction
from pathlib import Path

import pytest

import polysema
from polysema import Explorer, Space
from polysema.app.explorer import MapExplorer, ModelExplorer
from polysema.app.explorer.internals import ModelInternals
from polysema.app.explorer.senses import SenseExplorer

SPACE = Space.from_vectors(["king", "queen"], [[1.0, 0.1], [0.8, 0.6]], "mine")
TEXT = "must be a string"
LIST = "is a list; got the one string|are a list; got the one string"
NUMBERS = "must be a list of whole numbers"


EXPLORER = Explorer()
WORDS = EXPLORER.space(SPACE)
MODEL, MAPS, SENSES, INTERNALS = (
    # no model is loaded: a wrong argument is named before `self` is looked at
    {name: partial(getattr(kind, name), None) for name, value in vars(kind).items() if isfunction(value)}
    for kind in (ModelExplorer, MapExplorer, SenseExplorer, ModelInternals)
)
CASES = [
    (WORDS.neighbors, (3,), "word must be a string"),
    (WORDS.neighbors, ("king", "5"), "k must be 1 or more; got '5'"),
    (WORDS.analogy, (3,), f"expression {TEXT}"),
    (WORDS.analogy, ("king", 5, 3), f"method {TEXT}"),
    (WORDS.similarity, (["king"], None), "second must be a string or a list of strings; got None"),
    (WORDS.similarity, (["king"], [3]), "second must be a list of strings; number 1 is 3"),
    (WORDS.closer_than, ("king", None), f"other {TEXT}"),
    (WORDS.odd_one_out, ("king",), LIST),
    (WORDS.project, (["king"], "king -> queen"), LIST),
    (WORDS.association, ("a", ["b"], ["c"], ["d"]), LIST),
    (WORDS.travel, ("king", 3), f"axis {TEXT}"),
    (WORDS.travel, ("king", "king -> queen", "8"), "steps must be a whole number; got '8'"),
    (WORDS.travel, ("king", "king -> queen", 8, "far"), "reach must be a number; got 'far'"),
    (WORDS.lookup.vector, (3,), f"expression {TEXT}"),
    (WORDS.lookup.direction, (None,), f"axis {TEXT}"),
    (WORDS.view, (3,), f"transform {TEXT}"),
    (EXPLORER.space, (3,), "name must be a string"),
    (EXPLORER.model, (3,), "name must be a string"),
    (MODEL["embed"], ("a text",), LIST),
    (MODEL["embed"], (None,), "texts must be a list of strings; got None"),
    (MODEL["embed"], (["a"], "6"), f"layers {NUMBERS} or None; got '6'"),
    (MODEL["embed"], (["a"], [2.5]), f"layers {NUMBERS}; number 1 is 2.5"),
    (MODEL["compare"], ("bank", "the bank"), LIST),
    (MODEL["compare"], ("bank", [None]), "texts must be a list of strings; number 1 is None"),
    (MODEL["compare"], ("bank", ["the bank"], 3), f"layers {NUMBERS} or None; got 3"),
    (MODEL["occurrences"], ("bank", ["the bank"]), f"text {TEXT}"),
    (MODEL["occurrences"], ("bank", "the bank", "x"), "layer must be a whole number"),
    (MODEL["attention"], (["a"],), f"text {TEXT}"),
    (MODEL["attention"], ("a", 3), f"layers {NUMBERS} or None; got 3"),
    (MODEL["lens"], (3,), f"text {TEXT}"),
    (MODEL["attribution"], ("a", 3), f"word {TEXT}"),
    (MODEL["rank_heads"], ([("a", "b")], "a b"), LIST),
    (MODEL["steer"], (3, ["a"], ["b"]), f"text {TEXT}"),
    (MODEL["generate"], (3,), f"text {TEXT}"),
    (INTERNALS["rollout"], (3,), f"text {TEXT}"),
    (MAPS["word_map"], (3,), f"word {TEXT}"),
    (SENSES["clusters"], (3,), f"word {TEXT}"),
    (SENSES["corpus"], ("x",), "layer must be a whole number; got 'x'"),
    (SPACE.resolve, (3,), f"word {TEXT}"),
    (SPACE.column, (3,), f"name {TEXT}"),
    (polysema.load_model, (3,), f"name {TEXT}"),
    (polysema.read_vectors, (None,), "path must be a path or a string; got None"),
    (polysema.write_vectors, ("x", "y"), "space must be a Space; got 'x'"),
    (polysema.write_vectors, (SPACE, 3), "path must be a path or a string; got 3"),
]


@pytest.mark.parametrize(("verb", "given", "message"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_type_is_named_before_anything_runs(verb, given: tuple[object, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((TypeError, polysema.PolysemaError), match=message):
        verb(*given)


def test_a_collection_names_them_too(tmp_path: Path) -> None:
    collection = polysema.Collection.create(tmp_path / "c")
    with pytest.raises(TypeError, match="ids are a list; got the one string 'a'"):
        collection.add("a", [[1.0]])
    with pytest.raises(TypeError, match="where must be a string or a Filter or None; got 3"):
        collection.search([[1.0]], where=3)  # type: ignore[arg-type]
