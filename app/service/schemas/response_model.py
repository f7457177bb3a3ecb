"""The models of the OpenAPI document's answers, made from the dataclasses of the answers."""

from __future__ import annotations

import math
import types
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from typing_extensions import TypeAliasType

from polysema.app.explorer.serialization import FieldPlan, JsonForm, hints_of, plan_of, properties_of, to_json
from polysema.app.service.encoding import ARROW, BASE64
from polysema.core.space.space import Origin

Responses = dict[int | str, dict[str, Any]]
Numbers = TypeAliasType("Numbers", "list[float | None] | list[Numbers]")
Flags = TypeAliasType("Flags", "list[bool] | list[Flags]")


class PackedArray(BaseModel):
    """An array as base64: little-endian float32, int64, or a byte for true and false, in the order of its shape."""

    model_config = ConfigDict(extra="forbid")
    shape: list[int]
    base64: str


EXAMPLES: dict[type, list[Any]] = {}  # of each kind of answer, as JSON


def response_model(example: object) -> type[BaseModel]:
    """The model of an answer, from one of its kind, which stands as its example in the document."""
    kind: type = type(example)
    EXAMPLES.setdefault(kind, []).append(to_json(example))
    return model_of(kind)


@lru_cache(maxsize=512)
def model_of(kind: type) -> type[BaseModel]:
    """The model of a dataclass or named tuple as `to_json` writes it: nothing in it that isn't named here."""
    hints = hints_of(kind)
    found: dict[str, Any] = {}
    for plan in plan_of(kind):
        found |= _entries(kind, plan, hints[plan.attribute])
    for name in properties_of(kind):
        found[name] = (annotation_of(hints_of(getattr(kind, name).fget)["return"]), ...)

    def show_examples(schema: dict[str, Any]) -> None:
        if kind in EXAMPLES:
            schema["examples"] = EXAMPLES[kind]

    config = ConfigDict(extra="forbid", protected_namespaces=(), json_schema_extra=show_examples)
    return create_model(kind.__name__, __config__=config, __doc__=kind.__doc__, **found)


def _entries(kind: type, plan: FieldPlan, hint: object) -> dict[str, Any]:
    """The names and annotations by which a field stands."""
    form = plan.form
    if kind is Origin and plan.attribute == "versions":
        return {"versions": (dict[str, str], ...)}
    if form.score:
        return dict.fromkeys(("cosine", "score"), (float | None, None))
    annotation = _formed(hint, form, plan.default)
    return {plan.name: (or_(annotation, None), None) if form.omitted or form.optional else (annotation, ...)}


def _formed(hint: object, form: JsonForm, default: object) -> object:
    if form.flat:
        return list[list[float]] | str
    if form.keyed is not None:
        return dict[str, annotation_of(hints_of(get_args(hint)[0])[form.keyed[1]])]  # type: ignore[misc]
    if form.ranked:
        return list[_ranked(get_args(hint)[0])]  # type: ignore[misc]
    if hint is float and (form.null or (isinstance(default, float) and math.isnan(default))):
        return float | None
    return annotation_of(hint, form.null)


@lru_cache(maxsize=64)
def _ranked(kind: type) -> type[BaseModel]:
    return create_model(f"Ranked{kind.__name__}", __base__=model_of(kind), rank=(int, ...))


def annotation_of(hint: object, null: bool = False) -> object:
    """The type of a value of that type in JSON; with `null` its numbers may be missing."""
    if isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "_fields")):
        return model_of(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Literal[tuple(one.value for one in hint)]
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return reduce(or_, (annotation_of(one, null) for one in args))
    if origin is np.ndarray:
        return (Flags if get_args(args[1])[0] is np.bool_ else Numbers) | PackedArray
    if origin is tuple and args[1:] == (Ellipsis,):
        return list[annotation_of(args[0], null)]  # type: ignore[misc]
    if origin in (tuple, list):  # of a row of several types, each
        return list[reduce(or_, (annotation_of(one, null) for one in args))]  # type: ignore[misc]
    if origin is dict:
        return dict[str, annotation_of(args[1], null)]  # type: ignore[misc]
    return float | None if hint is float and null else hint


def json(model: object, status: int = 200, what: str = "") -> Responses:
    """For a route's `responses`: its answer."""
    return {status: {"model": model, "description": what or " ".join((model.__doc__ or "").split())}}


def forms(model: type[BaseModel] | types.UnionType, arrow: bool = True, what: str = "") -> Responses:
    """For a route's `responses`: its answer as JSON, base64 or an Arrow stream, as `Accept` asks. `model` may be of a
    union.
    """
    found = json(model, what=what)
    kind: Any = model  # a union made at run time, which no type checker takes for one
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    content: dict[str, Any] = {BASE64: {"schema": schema}}
    if arrow:
        content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    found[200]["content"] = content
    return found
