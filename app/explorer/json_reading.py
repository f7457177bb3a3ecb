"""Values of a class from JSON: the inverse of `serialization`, for the client."""

from __future__ import annotations

import base64
import binascii
import math
import types
from collections.abc import Iterable
from dataclasses import is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast, get_args, get_origin

import numpy as np

from polysema.app.explorer.serialization import SCORE_NAMES, hints_of, plan_of
from polysema.core.space.space import Origin

if TYPE_CHECKING:
    import numpy.typing as npt

T = TypeVar("T")
NUMBERS_AND_TEXTS = (str, int, float)


def from_json(kind: type[T], given: object) -> T:
    """The inverse of `to_json` for a value whose type is `kind`; what is missing takes its default.

    Raises:
        ValueError, TypeError or KeyError: for what is no such value.
    """
    return cast("T", _value(kind, given))


def _value(hint: object, given: object) -> object:
    """The value of a type, of a tuple, a dictionary or a union of types."""
    if hint in NUMBERS_AND_TEXTS:
        return _plain(hint, given)
    if hint is Origin:
        return Origin.from_json(_fields(given))
    if isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "_fields")):
        return hint(**_arguments(hint, _fields(given)))
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = next(one for one in args if one is not type(None))
        return None if given is None else _value(inner, given)
    if origin is np.ndarray:
        return array_of(get_args(args[1])[0], given)
    if origin is tuple:
        if args[1:] == (Ellipsis,):
            return tuple(_value(args[0], one) for one in _items(given))
        return tuple(_value(of, one) for of, one in zip(args, _items(given), strict=True))
    if origin is dict:
        return {_value(args[0], key): _value(args[1], item) for key, item in _fields(given).items()}
    return _plain(hint, given)


def _plain(hint: object, given: object) -> object:
    if hint is float:
        return math.nan if given is None else float(_number(given))
    if hint is int:
        return int(_number(given))
    if hint is str:
        return str(given)
    return hint(given) if isinstance(hint, type) and issubclass(hint, Enum) else given


def _number(given: object) -> int | float | str:
    if not isinstance(given, (int, float, str)):
        raise TypeError(f"a number is expected, not {type(given).__name__}")
    return given


def _fields(given: object) -> dict[str, object]:
    if not isinstance(given, dict):
        raise TypeError(f"an object is expected, not {type(given).__name__}")
    return given


def _items(given: object) -> Iterable[object]:
    if not isinstance(given, Iterable):
        raise TypeError(f"a list is expected, not {type(given).__name__}")
    return given


def _arguments(kind: type, given: dict[str, object]) -> dict[str, object]:
    """What a dataclass or named tuple is made from."""
    hints, found = hints_of(kind), dict[str, object]()
    for plan in plan_of(kind):
        hint, form = hints[plan.attribute], plan.form
        names = SCORE_NAMES if form.score else (plan.name,)
        name = next((one for one in names if one in given), None)
        if name is None:
            continue
        if form.keyed is not None:
            (row, *_), (key, of) = get_args(hint), form.keyed
            rows = ({key: one, of: value} for one, value in _fields(given[name]).items())
            found[plan.attribute] = tuple(_value(row, one) for one in rows)
        else:
            found[plan.attribute] = _value(hint, given[name])
    return found


def array_of(kind: npt.DTypeLike, given: object) -> np.ndarray[Any, Any]:
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
