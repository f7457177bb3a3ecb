"""What is wrong with the `input` of `/v1/embeddings`, in the words of OpenAI's own service: programs look for them."""

from __future__ import annotations

from collections.abc import Sequence

from polysema.app.service.validation_messages import Mistake

_KINDS = "a string, array of strings, array of integers, or array of integer arrays"


def input_mistake(body: object) -> Mistake | None:
    """The first mistake in the `input` of a request; None where it is not that which is wrong."""
    if not isinstance(body, dict):
        return None
    missing = next((name for name in ("model", "input") if name not in body), None)
    if missing is not None:
        return Mistake(f"Missing required parameter: '{missing}'.", missing)
    given = body["input"]
    if not isinstance(given, (str, list)):
        return _wrong_type("input", f"one of {_KINDS}", given)
    if not given:
        return _empty("input", given)
    return None if isinstance(given, str) else _item_mistake(given)


def _item_mistake(given: Sequence[object]) -> Mistake | None:
    kind = type(given[0])
    if kind not in (str, int, list):
        return _wrong_type("input[0]", "one of a string, integer, or array of integers", given[0])
    expected = {str: "a string", int: "an integer", list: "an array of integers"}[kind]
    for number, one in enumerate(given):
        if type(one) is not kind:
            return _wrong_type(f"input[{number}]", expected, one)
        if isinstance(one, (str, list)) and not one:
            return _empty(f"input[{number}]", one)
    return None


def _empty(name: str, given: object) -> Mistake:
    noun, article = ("string", "a") if isinstance(given, str) else ("array", "an")
    text = f"Expected {article} {noun} with minimum length 1, but got an empty {noun} instead."
    return Mistake(f"Invalid '{name}': empty {noun}. {text}", name)


def _wrong_type(name: str, expected: str, given: object) -> Mistake:
    return Mistake(f"Invalid type for '{name}': expected {expected}, but got {_kind(given)} instead.", name)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
