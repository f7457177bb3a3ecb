"""Answers as JSON, to the last digit: the one function of the command line, the service and its client.

A dataclass is an object of its fields, in their order. Where a field stands otherwise in JSON its metadata say how, see
`json_form`. What goes over HTTP comes back as the same value, see `json_reading`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any, ParamSpec, TypeAlias, cast, get_type_hints

import numpy as np

from polysema.core.space.space import Origin

METADATA_KEY = "json"
PLAIN_TYPES = frozenset((str, int, bool, type(None)))
SCORE_NAMES = ("cosine", "score")
ArrayForm = Callable[[np.ndarray[Any, Any]], object]
JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
P = ParamSpec("P")
JSON_TYPES: tuple[type, ...] = (bool, int, float, str, dict, list, tuple)  # and their subclasses


@dataclass(frozen=True, slots=True)
class JsonForm:
    """How a field stands in JSON. Without one it has its own name and is always there.

    `name` is what JSON calls it (a `score` is called as the answer around it says, else `cosine`). One that is
    `omitted` is left out where it has its default; an `optional` one may be left out on request. `ranked` rows get
    their `rank`, from 1. `keyed` rows, (key, value), become an object. A `flat` array is a bare base64 text where
    arrays are packed. Numbers that may be NaN are `null`.
    """

    name: str = ""
    score: bool = False
    omitted: bool = False
    optional: bool = False
    ranked: bool = False
    keyed: tuple[str, str] | None = None
    flat: bool = False
    null: bool = False


PLAIN_FORM = JsonForm()


@dataclass(slots=True)
class TreeForm:
    """How a tree of JSON types is made: `arrays` says what becomes of an array; a list of more than `most` items
    becomes a `LongList` (None: every list is whole). `n_parts` counts what isn't made yet: long lists, large arrays.
    """

    arrays: ArrayForm
    most: int | None = None
    n_parts: int = 0

    def long_list(self, items: Sequence[object], score: str) -> LongList:
        """A list of which the items are made later."""
        self.n_parts += 1
        return LongList(items, self, score)


@dataclass(frozen=True, slots=True)
class LongList:
    """A list of which a block of items at a time becomes JSON types: all of them would take many times the memory."""

    items: Sequence[object]
    tree: TreeForm
    score: str
    ranked: bool = False

    def blocks(self) -> Iterator[tuple[list[Any], bool]]:
        """The items, some hundreds at a time, and whether one of them has parts that aren't made yet."""
        step = self.tree.most or len(self.items)
        for start in range(0, len(self.items), step):
            before = self.tree.n_parts
            found: list[Any] = [_encoded(item, self.tree, self.score) for item in self.items[start : start + step]]
            yield _ranked(found, start) if self.ranked else found, self.tree.n_parts > before


def in_metadata(make: Callable[P, JsonForm]) -> Callable[P, dict[str, JsonForm]]:
    """The same forms, as the metadata of a dataclass's field.

    Example:
        >>> from dataclasses import field
        >>> limit: float = field(metadata=json_form(name="cosine"))
    """

    def metadata(*args: P.args, **kwargs: P.kwargs) -> dict[str, JsonForm]:
        return {METADATA_KEY: make(*args, **kwargs)}

    return metadata


json_form = in_metadata(JsonForm)


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field of a dataclass, what JSON calls it and how it stands there."""

    attribute: str
    name: str
    form: JsonForm
    default: object


@lru_cache(maxsize=512)
def plan_of(kind: type) -> tuple[FieldPlan, ...]:
    """The fields of a dataclass or named tuple as JSON has them."""
    if not is_dataclass(kind):
        names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
        return tuple(FieldPlan(name, name, PLAIN_FORM, MISSING) for name in names)
    return tuple(_plan(one) for one in fields(kind))


def _plan(one: Field[Any]) -> FieldPlan:
    form = one.metadata.get(METADATA_KEY, PLAIN_FORM)
    return FieldPlan(one.name, form.name or one.name, form, one.default)


def properties_of(kind: type) -> tuple[str, ...]:
    """The properties of a dataclass that stand in its JSON beside its fields: its `json_properties`."""
    found: tuple[str, ...] = getattr(kind, "json_properties", ())
    return found


def to_json(value: object, packed: bool = False, without: Collection[str] = ()) -> JsonValue:
    """A value as JSON types: NaN and Inf are null, what JSON has no word for (moments, bytes) a text.

    Args:
        value: An answer (a dataclass), or numbers, texts, arrays, lists and dictionaries of them.
        packed: Whether an array is `{"shape": [...], "base64": ...}`, its numbers little-endian (float32, int64 or
            bool), row after row; else it is lists in lists.
        without: The optional fields of the answer that are left out.

    Returns:
        Dictionaries, lists, texts, numbers, booleans and None, as `json.dumps` takes them.
    """
    return cast("JsonValue", json_tree(value, TreeForm(packed_array if packed else _lists), without))


def json_object(value: object, without: Collection[str] = ()) -> dict[str, JsonValue]:
    """As `to_json`, of an answer or a dictionary."""
    found = to_json(value, without=without)
    if not isinstance(found, dict):
        raise TypeError(f"{type(value).__name__} is no object in JSON")
    return found


def json_tree(value: object, tree: TreeForm, without: Collection[str] = ()) -> object:
    """As `to_json`, with arrays as the form gives them, which may be as they are, and long lists in blocks."""
    if without:
        return _object(value, tree, "cosine", without)
    return _encoded(value, tree, "cosine")


def _encoded(value: object, tree: TreeForm, score: str) -> object:
    if type(value) is float:
        return value if math.isfinite(value) else None
    kind = type(value)
    if kind in PLAIN_TYPES:
        return value
    if type(value) is tuple or type(value) is list:
        if tree.most is not None and len(value) > tree.most:
            return tree.long_list(value, score)
        return [_encoded(item, tree, score) for item in value]
    if type(value) is dict:
        return {
            str(key): item if type(item) in PLAIN_TYPES else _encoded(item, tree, score) for key, item in value.items()
        }
    if type(value) is Origin:
        card = _card(value)
        return {**card, "versions": dict(card["versions"]), "notes": list(card["notes"])}
    if is_dataclass(kind):
        return _object(value, tree, score)
    return _encoded_rarely(value, tree, score)


def _encoded_rarely(value: object, tree: TreeForm, score: str) -> object:
    if isinstance(value, np.ndarray):
        return tree.arrays(value)
    if isinstance(value, np.generic):
        return _encoded(value.item(), tree, score)
    if isinstance(value, Enum):
        return _encoded(value.value, tree, score)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _object(value, tree, score)
    for base in JSON_TYPES:
        if isinstance(value, base):
            return _encoded(base(value), tree, score)
    if isinstance(value, Sequence) and not isinstance(value, bytes):  # one that makes its items when they are needed
        return _encoded(list(value), tree, score) if tree.most is None else tree.long_list(value, score)
    return str(value)


def _object(value: object, tree: TreeForm, score: str, without: Collection[str] = ()) -> dict[str, object]:
    kind: type = type(value)
    score = getattr(value, "score_name", score)
    found: dict[str, object] = {}
    for plan in plan_of(kind):
        if without and plan.attribute in without:
            continue
        item, form = getattr(value, plan.attribute), plan.form
        if form is PLAIN_FORM:
            found[plan.name] = item if type(item) in PLAIN_TYPES else _encoded(item, tree, score)
        elif form.score:
            found[score] = _encoded(item, tree, score)
        elif not (form.omitted and (item is plan.default or item == plan.default)):
            found[plan.name] = _formed(item, form, tree, score)
    for name in properties_of(kind):
        found[name] = _encoded(getattr(value, name), tree, score)
    return found


def _formed(item: object, form: JsonForm, tree: TreeForm, score: str) -> object:
    if form.keyed is not None:
        key, of = form.keyed
        assert isinstance(item, Iterable)
        return {getattr(one, key): _encoded(getattr(one, of), tree, getattr(one, "score_name", score)) for one in item}
    if form.flat and tree.arrays is packed_array:
        return base64.b64encode(np.ascontiguousarray(item, "<f4").tobytes()).decode()
    found = _encoded(item, tree, score)
    if not form.ranked:
        return found
    if isinstance(found, LongList):
        return replace(found, ranked=True)
    assert isinstance(found, list)
    return _ranked(found, 0)


def _ranked(rows: Iterable[dict[str, Any]], before: int) -> list[dict[str, Any]]:
    return [{"rank": rank, **row} for rank, row in enumerate(rows, before + 1)]


@lru_cache(maxsize=256)
def _card(origin: Origin) -> dict[str, Any]:
    return origin.to_json()


def _lists(array: np.ndarray[Any, Any]) -> object:
    found = array.tolist()
    return to_json(found) if array.dtype.kind == "f" and not np.isfinite(array).all() else found


def packed_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An array as its shape and the base64 of its numbers, little-endian (float32, int64 or bool), row after row."""
    kind = {"f": "<f4", "b": "|b1"}.get(array.dtype.kind, "<i8")
    data = np.ascontiguousarray(array, kind).tobytes()
    return {"shape": list(array.shape), "base64": base64.b64encode(data).decode()}


@lru_cache(maxsize=512)
def hints_of(kind: type) -> dict[str, Any]:
    """The types of the fields of a dataclass or named tuple."""
    return get_type_hints(kind)
