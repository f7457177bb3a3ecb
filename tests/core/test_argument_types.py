from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import pytest

from polysema.core.argument_types import checked_arguments, checked_function, parse_annotation
from polysema.core.inside.explained_move import MoveOptions
from polysema.core.inside.generation_results import DecodingOptions
from polysema.core.inside.move_axis import AxisChoice


@checked_arguments
class Verbs:
    def ask(
        self, word: "str | Verbs", texts: Sequence[str] = (), n: int = 1, layers: Sequence[int] | None = None
    ) -> str:
        return f"{word} {len(texts)} {n} {layers}"

    @classmethod
    def open(cls, path: "Path | str", reach: float = 1.0) -> str:
        return f"{cls.__name__} {path} {reach}"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"word": None}, r"word must be a string or a Verbs; got None, of type NoneType"),
        ({"word": ["a"]}, r"word must be a string or a Verbs; got \['a'\], of type list"),
        ({"word": "a", "texts": "one"}, r"texts are a list; got the one string 'one': write \['one'\]"),
        ({"word": "a", "texts": ["b", 3]}, "texts must be a list of strings; number 2 is 3, of type int"),
        ({"word": "a", "texts": None}, "texts must be a list of strings; got None"),
        ({"word": "a", "n": "5"}, "n must be a whole number; got '5', of type str"),
        ({"word": "a", "n": 2.5}, "n must be a whole number; got 2.5, of type float"),
        ({"word": "a", "layers": "6"}, "layers must be a list of whole numbers or None; got '6'"),
        ({"word": "a", "layers": 6}, "layers must be a list of whole numbers or None; got 6"),
        ({"word": "a", "layers": [1.5]}, "layers must be a list of whole numbers; number 1 is 1.5"),
    ],
)
def test_a_wrong_type_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Verbs().ask(**given)  # type: ignore[arg-type]


def test_what_fits_passes() -> None:
    verbs = Verbs()
    assert verbs.ask("a", ["b"], np.int64(3), range(2)) == "a 1 3 range(0, 2)"
    assert verbs.ask(verbs, texts=("b",), layers=[1]).endswith("1 1 [1]")
    assert (Verbs.open("x", 2), Verbs.open(Path("x"), np.float32(0.5))) == ("Verbs x 2", "Verbs x 0.5")
    with pytest.raises(TypeError, match="path must be a path or a string; got 3"):
        Verbs.open(3)  # type: ignore[arg-type]


def test_annotations_that_say_little_are_not_checked() -> None:
    assert parse_annotation("npt.ArrayLike") is None
    assert checked_function(lambda vectors: vectors)(3) == 3
    kind = parse_annotation("Sequence[tuple[str, str]] | None")
    assert (kind.names, kind.described) == (("Sequence", "None"), "a list of tuple[str, str] or None")  # type: ignore[union-attr]


class Keywords(TypedDict, total=False):
    texts: "Sequence[str]"
    n: int


@checked_function
def count(word: str, **more: "Unpack[Keywords]") -> int:
    return len(more.get("texts", ())) + more.get("n", 0)


def test_keywords_of_a_dictionary_of_types_are_checked_as_any_other() -> None:
    assert (count("a"), count("a", texts=["b"], n=3), count(word="a", n=1)) == (0, 4, 1)
    with pytest.raises(TypeError, match=r"texts are a list; got the one string 'one'"):
        count("a", texts="one")
    with pytest.raises(TypeError, match="n must be a whole number; got '3'"):
        count("a", n="3")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"count\(\) got an unexpected keyword argument 'nope'"):
        count("a", nope=1)  # type: ignore[call-arg]


def test_options_name_a_field_of_a_wrong_type() -> None:
    with pytest.raises(TypeError, match="temperature must be a number or None; got 'hot', of type str"):
        DecodingOptions(temperature="hot")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="num_beams must be a whole number; got 2.5, of type float"):
        DecodingOptions(num_beams=2.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="toward must be .*; got 'one text', of type str"):
        AxisChoice(toward="one text", away=("another",))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="axis must be .*; got None"):
        MoveOptions(axis=None)  # type: ignore[arg-type]
    assert DecodingOptions(prefix=[3, 4]).prefix == (3, 4)  # type: ignore[arg-type]
    assert hash(AxisChoice(toward=["a"], away=["b"])) == hash(AxisChoice(toward=("a",), away=("b",)))  # type: ignore[arg-type]
    assert replace(MoveOptions(2), seed=3) == MoveOptions(2, seed=3)
