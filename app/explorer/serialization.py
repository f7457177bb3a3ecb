"""Values as JSON and back, to the last digit: dataclasses by their fields, arrays as lists or as base64 of their bytes.

The service and its client share this, so that what goes over HTTP comes back as the same value.
"""

from __future__ import annotations

import base64
import binascii
import math
import types
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from polysema.core.space.space import Origin

T = TypeVar("T")


def plain(value: Any, packed: bool = False) -> Any:
    """JSON types: NaN and Inf are null, what JSON has no word for (moments, bytes) a text.

    With `packed` an array is `{"shape": [...], "base64": ...}`, its numbers little-endian (float32, int64 or bool), row
    after row; else lists in lists.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return _packed(value) if packed else _lists(value)
    if isinstance(value, np.generic):
        return plain(value.item(), packed)
    if isinstance(value, Origin):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name), packed) for one in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item, packed) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, packed) for item in value]
    return plain(value.value, packed) if isinstance(value, Enum) else str(value)


def _lists(array: np.ndarray[Any, Any]) -> Any:
    found = array.tolist()
    return plain(found) if array.dtype.kind == "f" and not np.isfinite(array).all() else found


def _packed(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    kind = {"f": "<f4", "b": "|b1"}.get(array.dtype.kind, "<i8")
    data = np.ascontiguousarray(array, kind).tobytes()
    return {"shape": list(array.shape), "base64": base64.b64encode(data).decode()}


def value_of(kind: Any, given: Any) -> Any:
    """The inverse of `plain` for a value whose type is `kind`; what is missing takes its default.

    Raises `ValueError`, `TypeError` or `KeyError` for what is no such value.
    """
    if kind is Origin:
        return Origin.from_json(given)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(
            **{one.name: value_of(hints[one.name], given[one.name]) for one in fields(kind) if one.name in given}
        )
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        inner = next(one for one in args if one is not type(None))
        return None if given is None else value_of(inner, given)
    if origin is np.ndarray:
        return array_of(get_args(args[1])[0], given)
    if origin is tuple:
        if args[1:] == (Ellipsis,):
            return tuple(value_of(args[0], one) for one in given)
        return tuple(value_of(of, one) for of, one in zip(args, given, strict=True))
    if origin is dict:
        return {value_of(args[0], key): value_of(args[1], item) for key, item in given.items()}
    if kind is float:
        return math.nan if given is None else float(given)
    return kind(given) if kind in (int, str) or (isinstance(kind, type) and issubclass(kind, Enum)) else given


def array_of(kind: Any, given: Any) -> np.ndarray[Any, Any]:
    """An array of numbers of a kind, from lists or from the base64 that `plain` makes."""
    dtype: np.dtype[Any] = np.dtype(kind)
    if not isinstance(given, dict):
        return np.array(given, dtype)  # null is NaN
    stored = {"f": "<f4", "b": "|b1"}.get(dtype.kind, "<i8")
    try:
        data = base64.b64decode(given["base64"], validate=True)
    except binascii.Error:
        raise ValueError("an array's numbers are no base64") from None
    return np.frombuffer(data, stored).astype(dtype).reshape(given["shape"])


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
