"""Rows that a request brings into a collection: read, checked and written."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pyarrow as pa
from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError
from pydantic_core import from_json

from polysema.app.explorer.results.collection import RowsAdded, RowsReplaced
from polysema.app.export.options import exported_names
from polysema.app.service import encoding as form
from polysema.app.service.arrow_bodies import read_table
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.errors import MistakeError, RefusedError
from polysema.app.service.schemas.collection import RowsRequest
from polysema.app.service.validation_messages import mistake_of
from polysema.core.errors import UserError
from polysema.core.space.space import Floats, Origin
from polysema.indexes.store.columns import table_of

ArrowRows: TypeAlias = tuple[list[str], Floats, pa.Table | None, str | None]  # ids, vectors, columns, space


def read_rows(request: Request, body: bytes, space: str | None) -> RowsRequest | ArrowRows:
    """The rows of a body, as JSON or as an Arrow stream; raises `UserError` for what is neither."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == form.ARROW:
        return (*read_table(body, request.app.state.polysema.settings.max_parsed), space)
    if kind != form.JSON:
        raise RefusedError("unsupported", f"rows come as {form.JSON} or {form.ARROW}; got {kind[:80] or 'no type'}")
    try:
        rows = RowsRequest.model_validate_json(body)
    except ValidationError as error:
        raise _mistake_in(body, error) from None
    except ValueError as error:
        raise UserError(f"the body is no JSON: {str(error)[:200]}") from None
    if rows.space is None:
        rows.space = space
    return rows


def _mistake_in(body: bytes, error: ValidationError) -> UserError:
    errors = error.errors(include_url=False)
    if errors[0]["type"] == "json_invalid":
        why = errors[0]["msg"][:200]
        if "hex escape" in why or "surrogate" in why:
            why += " (half of a surrogate pair is no text)"
        return UserError(f"the body is no JSON: {why}")
    return MistakeError(*mistake_of(errors, from_json(body), list(RowsRequest.model_fields)))


def columns_of_texts(given: dict[str, Any] | None, n_texts: int) -> dict[str, pa.ChunkedArray]:
    """The columns that go along with texts, under the names that they have in a collection of embedded rows.

    Raises `UserError` for a column that has not a value for each text, or values of several types.
    """
    if not given:
        return {}
    wrong = next((name for name, values in given.items() if len(values) != n_texts), None)
    if wrong is not None:
        raise UserError(f"the column {wrong!r} has {len(given[wrong]):,} values for {n_texts:,} texts")
    names = exported_names(list(given))
    table = table_of({names[name]: values for name, values in given.items()})
    return dict(zip(table.column_names, table.columns, strict=True))


def put_rows(name: str, given: RowsRequest | ArrowRows, state: ServiceState, replaces: bool) -> Response:
    """Write rows into a collection, and answer how many."""
    current = state.shelf.get(name)
    origin = None
    if isinstance(given, RowsRequest):
        dim = given.dim
        if dim is None and isinstance(given.vectors, str) and current.view().manifest.spaces:
            dim = current.view().card(given.space).dim
        ids, matrix, columns, space = given.ids, form.matrix(given.vectors, dim), given.columns, given.space
        origin = origin_of(given.origin)
    else:
        ids, matrix, columns, space = given
    put = current.upsert if replaces else current.add
    count = put(ids, matrix, columns, space, origin)
    answer_of = RowsReplaced if replaces else RowsAdded
    return form.answer(answer_of(count, len(current), current.view().manifest.version))


def origin_of(card: dict[str, Any] | None) -> Origin | None:
    """The provenance card that a request gives; raises `UserError` for what is none."""
    if card is None:
        return None
    try:
        made = Origin.from_json(card)
        # what is written into a collection must be plain, of the right kinds and come back the same
        same = Origin.from_json(json.loads(json.dumps(made.to_json()))) == made and isinstance(made.source, str)
    except (TypeError, ValueError, AttributeError, KeyError):
        same = False
    if not same or not all(isinstance(getattr(made, one), kind) for one, kind in _KINDS.items()):
        raise UserError("origin is a provenance card, as GET /v1/spaces/NAME and /v1/collections/NAME give it")
    return made


_KINDS: dict[str, Any] = {
    "source": str,
    "weights_sha256": str,
    "revision": str,
    "layer": (int, type(None)),
    "pooling": str,
    "transform": str,
    "normalized": bool,
    "dtype": str,
    "engine": str,
    "stack": str,
    "final_norm": str,
    "windows": str,
    "prompt": str,
    "beginning": str,
}
