"""Collections: made, filled, searched, emptied, taken back to a version, and deleted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from polysema.app.collection.column_values import write_column
from polysema.app.explorer import query_vectors
from polysema.app.explorer.collection_answers import info_of, recall_of, rows_of, search_answer, versions_of
from polysema.app.explorer.results.collection import (
    CollectionDeleted,
    CollectionNames,
    RowsDeleted,
    SnapshotDropped,
    SnapshotMade,
    VersionRestored,
)
from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.collection_rows import origin_of, put_rows, read_rows
from polysema.app.service.dependencies import ServiceState, StateDep, writes
from polysema.app.service.schemas.collection import (
    CollectionDeletedResponse,
    CollectionNamesResponse,
    CollectionResponse,
    DeleteRequest,
    RecallResponse,
    RestoreRequest,
    RestoreResponse,
    RowsAddedResponse,
    RowsDeletedResponse,
    RowsReplacedResponse,
    RowsRequest,
    SearchRequest,
    SearchResponse,
    SnapshotDroppedResponse,
    SnapshotResponse,
    SpaceRequest,
    VersionsResponse,
    WidenRequest,
    WriteColumnRequest,
)
from polysema.app.service.schemas.fields import Name
from polysema.app.service.schemas.response_model import forms as in_forms
from polysema.app.service.schemas.response_model import json as answers
from polysema.app.service.schemas.texts import RowsResponse
from polysema.core.errors import UserError
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Origin

router = APIRouter(prefix="/v1/collections", tags=["collections"], route_class=CheckedRoute)
ROWS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            form.JSON: {"schema": RowsRequest.model_json_schema(ref_template="#/components/schemas/{model}")},
            form.ARROW: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
SpaceName = Annotated[Name | None, Query()]


@router.get("", responses=answers(CollectionNamesResponse))
async def collections(state: StateDep) -> Response:
    """The collections that are there."""
    return await state.work(lambda: form.answer(CollectionNames(tuple(state.shelf.names()))))


@router.put("/{name}", dependencies=[writes], status_code=201, responses=answers(CollectionResponse, 201))
async def create(name: str, state: StateDep) -> Response:
    """Make an empty collection; 409 when the name is taken."""
    return await state.work(lambda: form.answer(info_of(name, state.shelf.create(name)), 201))


@router.get("/{name}", responses=answers(CollectionResponse))
async def info(name: str, state: StateDep) -> Response:
    """What a collection holds: its spaces with their provenance, rows, columns and version."""
    return await state.work(lambda: form.answer(info_of(name, state.shelf.get(name))))


@router.delete("/{name}", dependencies=[writes], responses=answers(CollectionDeletedResponse))
async def delete(name: str, state: StateDep) -> Response:
    """Delete a collection with all its versions."""

    def ask() -> Response:
        state.shelf.delete(name)
        return form.answer(CollectionDeleted(name))

    return await state.work(ask)


@router.put("/{name}/spaces/{space}", dependencies=[writes], responses=answers(CollectionResponse))
async def create_space(name: str, space: str, request: SpaceRequest, state: StateDep) -> Response:
    """Make an empty space in a collection; the same once more is no change."""

    def ask() -> Response:
        current = state.shelf.get(name)
        current.spaces.create(space, request.dim, request.metric, origin_of(request.origin))
        return form.answer(info_of(name, current))

    return await state.work(ask)


@router.delete("/{name}/spaces/{space}", dependencies=[writes], responses=answers(CollectionResponse))
async def drop_space(name: str, space: str, state: StateDep) -> Response:
    """Take a space and its rows out of a collection."""

    def ask() -> Response:
        current = state.shelf.get(name)
        current.spaces.drop(space)
        return form.answer(info_of(name, current))

    return await state.work(ask)


@router.post("/{name}/rows", dependencies=[writes], openapi_extra=ROWS_BODY, responses=answers(RowsAddedResponse))
async def add(name: str, request: Request, state: StateDep, space: SpaceName = None) -> Response:
    """Add rows with new ids, as JSON or as an Arrow stream (`id`, `vector`, columns): all of them, or with an error
    none.
    """
    body = await request.body()
    return await state.work(lambda: put_rows(name, read_rows(request, body, space), state, False))


@router.put("/{name}/rows", dependencies=[writes], openapi_extra=ROWS_BODY, responses=answers(RowsReplacedResponse))
async def upsert(name: str, request: Request, state: StateDep, space: SpaceName = None) -> Response:
    """Add rows, in the place of those with the same ids."""
    body = await request.body()
    return await state.work(lambda: put_rows(name, read_rows(request, body, space), state, True))


@router.get("/{name}/rows", responses=in_forms(RowsResponse))
async def get(
    name: str,
    request: Request,
    state: StateDep,
    ids: Annotated[list[str], Query(alias="id", min_length=1, max_length=1000)],
    space: SpaceName = None,
) -> Response:
    """Rows by id, with their columns and vectors."""
    wanted = form.wanted(request)

    def ask() -> Response:
        current = state.shelf.get(name)
        state.limits.check_numbers(len(ids) * current.view().card(space).dim, "these vectors")
        return form.rows_answer(wanted, rows_of(current.get(ids, space)))

    return await state.work(ask)


@router.post("/{name}/delete", dependencies=[writes], responses=answers(RowsDeletedResponse))
async def delete_rows(name: str, request: DeleteRequest, state: StateDep) -> Response:
    """Delete rows by their ids or by a condition; says how many there were."""

    def ask() -> Response:
        current = state.shelf.get(name)
        gone = current.delete(request.ids, request.space, where=request.where)
        return form.answer(RowsDeleted(gone, len(current), current.view().manifest.version))

    return await state.work(ask)


@router.post("/{name}/widen", dependencies=[writes], responses=answers(CollectionResponse))
async def widen(name: str, request: WidenRequest, state: StateDep) -> Response:
    """Give a column a type that holds its values and more, such as `double` or `string`, which takes any value as its
    text.
    """

    def ask() -> Response:
        current = state.shelf.get(name)
        current.columns.widen(request.column, request.type)
        return form.answer(info_of(name, current))

    return await state.work(ask)


@router.post("/{name}/column", dependencies=[writes], responses=answers(CollectionResponse))
async def write_values(name: str, request: WriteColumnRequest, state: StateDep) -> Response:
    """Write what a column says of some rows, in place: the column may be new, the vectors stay. One new version for
    each space that has such rows.
    """
    state.limits.check_many(len(request.values), "values")

    def ask() -> Response:
        current = state.shelf.get(name)
        write_column(current, request.column, request.values, request.space)
        return form.answer(info_of(name, current))

    return await state.work(ask)


@router.post("/{name}/search", responses=answers(SearchResponse))
async def search(name: str, request: SearchRequest, state: StateDep) -> Response:
    """The nearest rows to vectors, to rows of the collection, or to a text read by the model that made the space."""
    if sum(one is not None for one in (request.vectors, request.ids, request.text)) != 1:
        raise UserError("give one of vectors, ids and text: what the rows should be near to")
    state.limits.check_k(request.k)

    def ask() -> Response:
        current = state.shelf.get(name)
        if request.text is not None:
            queries = query_vectors.text_in(
                current.view(), request.space, request.text, request.word, lambda origin: _model(state, origin)
            )
        elif request.ids is not None:
            queries = current.get(request.ids, request.space).vectors
        else:
            view = current.view()
            known = view.manifest.spaces or request.space is not None  # an empty collection has no width yet
            queries = form.matrix(request.vectors or [], view.card(request.space).dim if known else None)
        state.limits.check_many(len(queries), "queries")
        state.limits.check_numbers(len(queries) * request.k, "these hits")
        found = current.search(
            queries, request.k, request.where, space=request.space, recall=request.recall, exact=request.exact
        )
        return form.answer(search_answer(found, request.columns))

    return await state.work(ask)


@router.get("/{name}/versions", responses=answers(VersionsResponse))
async def versions(name: str, state: StateDep) -> Response:
    """The versions that one can go back to, oldest first, and the snapshots."""

    return await state.work(lambda: form.answer(versions_of(state.shelf.get(name))))


@router.put(
    "/{name}/snapshots/{snapshot}", dependencies=[writes], status_code=201, responses=answers(SnapshotResponse, 201)
)
async def snapshot(name: str, snapshot: str, state: StateDep) -> Response:
    """Keep the current version under a name until it is dropped; 409 when the name is taken."""

    def ask() -> Response:
        return form.answer(SnapshotMade(snapshot, state.shelf.get(name).history.snapshot(snapshot)), 201)

    return await state.work(ask)


@router.delete("/{name}/snapshots/{snapshot}", dependencies=[writes], responses=answers(SnapshotDroppedResponse))
async def drop_snapshot(name: str, snapshot: str, state: StateDep) -> Response:
    """Take a snapshot's name away."""

    def ask() -> Response:
        state.shelf.get(name).history.drop_snapshot(snapshot)
        return form.answer(SnapshotDropped(snapshot))

    return await state.work(ask)


@router.post("/{name}/restore", dependencies=[writes], responses=answers(RestoreResponse))
async def restore(name: str, request: RestoreRequest, state: StateDep) -> Response:
    """Go back to a version or a snapshot; the way back is a version too."""

    def ask() -> Response:
        current = state.shelf.get(name)
        number = current.history.restore(request.version)
        return form.answer(VersionRestored(number, len(current)))

    return await state.work(ask)


@router.get("/{name}/recall", responses=answers(RecallResponse))
async def recall(name: str, state: StateDep, space: SpaceName = None) -> Response:
    """What each index of a space was measured to find, and how fast; nothing where every answer is exact."""

    return await state.work(lambda: form.answer(recall_of(state.shelf.get(name), space)))


def _model(state: ServiceState, origin: Origin) -> LanguageModel:
    """Only what is served is loaded: a collection's card may name any path."""
    state.names.check(origin.source)
    if origin.stack in ("", "encoder") and origin.final_norm in ("", "after") and not origin.beginning:
        return state.explorer.model(origin.source).model
    return query_vectors.load_like(origin, state.explorer.names.locate(origin.source))
