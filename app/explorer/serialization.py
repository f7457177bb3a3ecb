"""Answers as JSON and back, to the last digit: the one function of the command line, the service and its client.

A dataclass is an object of its fields, in their order. Where a field stands otherwise in JSON its metadata say how, see
`json_form`. What goes over HTTP comes back as the same value.
"""

from __future__ import annotations

import base64
import binascii
import math
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from polysema.core.space.space import Origin

METADATA_KEY = "json"
PLAIN_TYPES = frozenset((str, int, bool, type(None)))
SCORE_NAMES = ("cosine", "score")
ArrayForm = Callable[[np.ndarray[Any, Any]], Any]
JSON_TYPES: tuple[Any, ...] = (bool, int, float, str, dict, list, tuple)  # and their subclasses


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

    def long_list(self, items: Sequence[Any], score: str) -> LongList:
        """A list of which the items are made later."""
        self.n_parts += 1
        return LongList(items, self, score)


@dataclass(frozen=True, slots=True)
class LongList:
    """A list of which a block of items at a time becomes JSON types: all of them would take many times the memory."""

    items: Sequence[Any]
    tree: TreeForm
    score: str
    ranked: bool = False

    def blocks(self) -> Iterator[tuple[list[Any], bool]]:
        """The items, some hundreds at a time, and whether one of them has parts that aren't made yet."""
        step = self.tree.most or len(self.items)
        for start in range(0, len(self.items), step):
            before = self.tree.n_parts
            found = [_encoded(item, self.tree, self.score) for item in self.items[start : start + step]]
            yield _ranked(found, start) if self.ranked else found, self.tree.n_parts > before


def json_form(**form: Any) -> dict[str, JsonForm]:
    """The metadata of a dataclass's field, see `JsonForm`.

    Example:
        >>> from dataclasses import field
        >>> limit: float = field(metadata=json_form(name="cosine"))
    """
    return {METADATA_KEY: JsonForm(**form)}


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field of a dataclass, what JSON calls it and how it stands there."""

    attribute: str
    name: str
    form: JsonForm
    default: Any


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


def to_json(value: Any, packed: bool = False, without: Collection[str] = ()) -> Any:
    """A value as JSON types: NaN and Inf are null, what JSON has no word for (moments, bytes) a text.

    Args:
        value: An answer (a dataclass), or numbers, texts, arrays, lists and dictionaries of them.
        packed: Whether an array is `{"shape": [...], "base64": ...}`, its numbers little-endian (float32, int64 or
            bool), row after row; else it is lists in lists.
        without: The optional fields of the answer that are left out.

    Returns:
        Dictionaries, lists, texts, numbers, booleans and None, as `json.dumps` takes them.
    """
    return json_tree(value, TreeForm(packed_array if packed else _lists), without)


def json_tree(value: Any, tree: TreeForm, without: Collection[str] = ()) -> Any:
    """As `to_json`, with arrays as the form gives them, which may be as they are, and long lists in blocks."""
    if without:
        return _object(value, tree, "cosine", without)
    return _encoded(value, tree, "cosine")


def _encoded(value: Any, tree: TreeForm, score: str) -> Any:
    kind = type(value)
    if kind in PLAIN_TYPES:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is tuple or kind is list:
        if tree.most is not None and len(value) > tree.most:
            return tree.long_list(value, score)
        return [_encoded(item, tree, score) for item in value]
    if kind is dict:
        return {
            str(key): item if type(item) in PLAIN_TYPES else _encoded(item, tree, score) for key, item in value.items()
        }
    if kind is Origin:
        card = _card(value)
        return {**card, "versions": dict(card["versions"]), "notes": list(card["notes"])}
    if is_dataclass(kind):
        return _object(value, tree, score)
    return _encoded_rarely(value, tree, score)


def _encoded_rarely(value: Any, tree: TreeForm, score: str) -> Any:
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


def _object(value: Any, tree: TreeForm, score: str, without: Collection[str] = ()) -> dict[str, Any]:
    kind: type = type(value)
    score = getattr(value, "score_name", score)
    found: dict[str, Any] = {}
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


def _formed(item: Any, form: JsonForm, tree: TreeForm, score: str) -> Any:
    if form.keyed is not None:
        key, of = form.keyed
        return {getattr(one, key): _encoded(getattr(one, of), tree, getattr(one, "score_name", score)) for one in item}
    if form.flat and tree.arrays is packed_array:
        return base64.b64encode(np.ascontiguousarray(item, "<f4").tobytes()).decode()
    found = _encoded(item, tree, score)
    if not form.ranked:
        return found
    return replace(found, ranked=True) if isinstance(found, LongList) else _ranked(found, 0)


def _ranked(rows: list[dict[str, Any]], before: int) -> list[dict[str, Any]]:
    return [{"rank": rank, **row} for rank, row in enumerate(rows, before + 1)]


@lru_cache(maxsize=256)
def _card(origin: Origin) -> dict[str, Any]:
    return origin.to_json()


def _lists(array: np.ndarray[Any, Any]) -> Any:
    found = array.tolist()
    return to_json(found) if array.dtype.kind == "f" and not np.isfinite(array).all() else found


def packed_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An array as its shape and the base64 of its numbers, little-endian (float32, int64 or bool), row after row."""
    kind = {"f": "<f4", "b": "|b1"}.get(array.dtype.kind, "<i8")
    data = np.ascontiguousarray(array, kind).tobytes()
    return {"shape": list(array.shape), "base64": base64.b64encode(data).decode()}


def from_json(kind: Any, given: Any) -> Any:
    """The inverse of `to_json` for a value whose type is `kind`; what is missing takes its default.

    Raises:
        ValueError, TypeError or KeyError: for what is no such value.
    """
    if kind is Origin:
        return Origin.from_json(given)
    if isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "_fields")):
        return _from_object(kind, given)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        inner = next(one for one in args if one is not type(None))
        return None if given is None else from_json(inner, given)
    if origin is np.ndarray:
        return array_of(get_args(args[1])[0], given)
    if origin is tuple:
        if args[1:] == (Ellipsis,):
            return tuple(from_json(args[0], one) for one in given)
        return tuple(from_json(of, one) for of, one in zip(args, given, strict=True))
    if origin is dict:
        return {from_json(args[0], key): from_json(args[1], item) for key, item in given.items()}
    if kind is float:
        return math.nan if given is None else float(given)
    return kind(given) if kind in (int, str) or (isinstance(kind, type) and issubclass(kind, Enum)) else given


def _from_object(kind: type, given: dict[str, Any]) -> Any:
    hints, found = hints_of(kind), {}
    for plan in plan_of(kind):
        hint, form = hints[plan.attribute], plan.form
        names = SCORE_NAMES if form.score else (plan.name,)
        name = next((one for one in names if one in given), None)
        if name is None:
            continue
        if form.keyed is not None:
            (row, *_), (key, of) = get_args(hint), form.keyed
            rows = ({key: one, of: value} for one, value in given[name].items())
            found[plan.attribute] = tuple(from_json(row, one) for one in rows)
        else:
            found[plan.attribute] = from_json(hint, given[name])
    return kind(**found)


def array_of(kind: Any, given: Any) -> np.ndarray[Any, Any]:
    """An array of numbers of a kind, from lists or from the base64 that `to_json` makes."""
    dtype: np.dtype[Any] = np.dtype(kind)
    if not isinstance(given, dict):
        return np.array(given, dtype)  # null is NaN
    stored = {"f": "<f4", "b": "|b1"}.get(dtype.kind, "<i8")
    try:
        data = base64.b64decode(given["base64"], validate=True)
    except binascii.Error:
        raise ValueError("an array's numbers are no base64") from None
    return np.frombuffer(data, stored).astype(dtype).reshape(given["shape"])


@lru_cache(maxsize=512)
def hints_of(kind: type) -> dict[str, Any]:
    """The types of the fields of a dataclass or named tuple."""
    return get_type_hints(kind)
