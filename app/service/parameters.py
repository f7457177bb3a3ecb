"""What a route accepts, from its signature: the parameters of its query and the fields of its body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.types import Scope


def parameters_of(scope: Scope) -> dict[str, bool]:
    """The query parameters that a request's route knows, and whether each may stand several times."""
    route = scope.get("route")
    dependant = getattr(route, "dependant", None)
    found: dict[str, bool] = {}
    for one in dependant.query_params if dependant is not None else ():
        kind = one.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= {name: _repeats(field.annotation) for name, field in fields_by_name(kind).items()}
        else:
            found[one.alias] = _repeats(kind)
    return found


def fields_of(scope: Scope, body: object) -> list[str]:
    """The fields that a body may have at its top; of several kinds of bodies those of the kind that this one names."""
    field = getattr(scope.get("route"), "body_field", None)
    models = list(_models(field.field_info.annotation)) if field is not None else []
    if len(models) > 1 and isinstance(body, dict):
        models = [one for one in models if body.get("kind") in get_args(one.model_fields["kind"].annotation)]
    return list(fields_by_name(models[0])) if len(models) == 1 else []


def fields_by_name(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The fields of a model by the names that they are given by."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _repeats(kind: object) -> bool:
    return get_origin(kind) is list or any(_repeats(one) for one in get_args(kind))


def _models(kind: object) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for one in get_args(kind):
        yield from _models(one)
