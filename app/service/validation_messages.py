"""What is wrong with a request, in the words of its own fields: where it stands, what may stand there, what was
given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pydantic_core import ErrorDetails

from polysema.app.service.schemas.fields import NAME, SPACE
from polysema.core.display import clip_text

NOTHING = object()  # in the place of what isn't there
MAX_SHOWN = 60  # characters of what was given
# what a field may be, by the error that says it isn't
TYPES = {
    "string_type": "a string",
    "string_sub_type": "a string",
    "string_unicode": "a string of valid Unicode",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "none_required": "null",
}
NAMES = {
    NAME: "a name of letters, digits, `.`, `_` and `-`, perhaps with a layer (minilm-l6@6)",
    SPACE: "a name of letters, digits, `.`, `_` and `-`, perhaps with a layer (minilm-l6@6) or a collection's space "
    "(mine/SPACE)",
}
Path = tuple[int | str, ...]


class Mistake(NamedTuple):
    """One line, and the field that it is about (None: the whole body)."""

    message: str
    field: str | None


class _Error(NamedTuple):
    """An error of pydantic's at the place of the request (`path`); `branch` is the kind of a union that was tried."""

    path: Path
    branch: Path
    details: ErrorDetails

    @property
    def is_type(self) -> bool:
        return self.details["type"] in TYPES


def mistake_of(errors: Sequence[ErrorDetails], request: object, fields: Sequence[str] = ()) -> Mistake:
    """The first mistake in a request (its body, or its parameters), of those that pydantic found; `fields` are those
    that a body may have.

    A value that may be of several kinds is tried as each, and every one has an error: told is the one of the kind that
    fits best, the others' names for its own schemas are not.
    """
    found = [_located(one, request) for one in errors]
    first = found[0]
    alike = [one for one in found if first.branch and one.path[: len(first.path)] == first.path[: len(one.path)]]
    best = _best(alike) if len(alike) > 1 else [first]
    return Mistake(_sentence(best, fields), _written(best[0].path) or None)


def _located(error: ErrorDetails, request: object) -> _Error:
    """The parts of an error's place that are fields and numbers of the request; the others are names of schemas."""
    path: list[int | str] = []
    branch: list[int | str] = []
    value = request
    for number, part in enumerate(error["loc"]):
        inner = _within(value, part)
        if inner is not NOTHING:
            value = inner
        elif number < len(error["loc"]) - 1 or error["type"] != "missing":
            branch.append(part)
            continue
        path.append(part)
    return _Error(tuple(path), tuple(branch), error)


def _within(value: object, part: int | str) -> object:
    """The item or field of that name, `NOTHING` where there is none."""
    if isinstance(value, list):
        return value[part] if isinstance(part, int) and part < len(value) else NOTHING
    return value.get(part, NOTHING) if isinstance(value, dict) else NOTHING


def _best(errors: Sequence[_Error]) -> list[_Error]:
    """Those of the kind of value that fits best: it went deepest, was of the right type, or had the fewest errors;
    where kinds fit equally well, of all of them.
    """
    deepest = max(len(one.path) for one in errors)
    errors = [one for one in errors if len(one.path) == deepest]
    fitting = [one for one in errors if not one.is_type]
    if fitting:
        return fitting[:1]
    counts = Counter(one.branch[:1] for one in errors)
    errors = [one for one in errors if counts[one.branch[:1]] == min(counts.values())]
    return [one for one in errors if one.path == errors[0].path]


def _sentence(errors: Sequence[_Error], fields: Sequence[str]) -> str:
    first = errors[0]
    kind, context = first.details["type"], first.details.get("ctx", {})
    place = _written(first.path) or "the body"
    if kind == "union_tag_invalid":
        return f"{_tag(context)}: should be one of {context['expected_tags']}; got {context['tag']!r:.80}"
    if kind == "union_tag_not_found":
        return f"{_tag(context)}: this field is required"
    if kind == "missing":
        return f"{place}: this field is required"
    if kind == "extra_forbidden":
        allowed = f"there are {', '.join(fields)}" if fields and len(first.path) == 1 else first.details["msg"]
        return f"{place}: unknown field; {allowed}"
    if kind == "string_pattern_mismatch" and context["pattern"] in NAMES:
        return f"{place}: should be {NAMES[context['pattern']]}; got {_given(first.details['input'])}"
    if kind in ("too_short", "too_long"):
        what = "at least" if kind == "too_short" else "at most"
        limit = context["min_length" if kind == "too_short" else "max_length"]
        got = f"{context['actual_length']}" if context.get("actual_length") is not None else "more"
        items = "item" if limit == 1 else "items"
        return f"{place}: should have {what} {limit} {items}; got {'an empty list' if got == '0' else got}"
    if first.is_type:
        types = list(dict.fromkeys(TYPES[one.details["type"]] for one in errors))
        return f"{place}: should be {_listed(types)}; got {_given(first.details['input'])}"
    return f"{place}: {_plain(first.details['msg'])}; got {_given(first.details['input'])}"


def _plain(message: str) -> str:
    for start in ("Input should", "String should", "List should", "Value should"):
        if message.startswith(start):
            return "should" + message.removeprefix(start)
    return message[:400]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _tag(context: dict[str, object]) -> str:
    return str(context["discriminator"]).strip("'")


def _given(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (list, tuple, dict)):
        name = "object" if isinstance(value, dict) else "list"
        return f"{'an' if name == 'object' or not value else 'a'} {'' if value else 'empty '}{name}"
    if isinstance(value, int) and abs(value) >= 10**MAX_SHOWN:
        return "an integer of very many digits"  # writing it out takes longer than reading it
    shown = repr(value) if isinstance(value, str) else str(value)
    return clip_text(shown, MAX_SHOWN)


def _written(path: Path) -> str:
    """A place as a program writes it, `input[1]`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")[:200]
