"""Spaces that have a name, their neighbors and analogies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from polysema.app.explorer import AnalogyOptions, SearchOptions, query_vectors
from polysema.app.explorer.answer_json import analogy_json, neighbor_rows, neighbors_json
from polysema.app.explorer.options import parse_pair
from polysema.app.service.dependencies import ServiceState, The
from polysema.app.service.encoding import answer, matrix
from polysema.app.service.schemas.requests import (
    AnalogyFields,
    AnalogyQuery,
    AnalogyRequest,
    Axis,
    LookupChoice,
    NeighborsFields,
    NeighborsQuery,
    NeighborsRequest,
    SpaceView,
)
from polysema.app.service.schemas.responses import (
    AnalogyResponse,
    NeighborsResponse,
    NeighborsResponses,
    SpaceInfo,
    SpacesResponse,
    json,
)
from polysema.core.errors import UserError
from polysema.core.model.catalog import folder_of
from polysema.core.space.expression import Term
from polysema.core.space.lookup import Policy
from polysema.core.space.space import Family, Space

router = APIRouter(prefix="/v1", tags=["spaces"])


@router.get("/spaces", responses=json(SpacesResponse))
async def spaces(state: The) -> Response:
    """The static spaces that have a name; a model's name with a layer, `minilm-l6@6`, is one of occurrences. A collection is
    a space by its name as well (`mine`, or `mine/SPACE`).
    """
    rows = [
        {
            "name": row.name,
            "family": row.family.value,
            "here": folder_of(row) is not None,
            "layers": row.family is not Family.STATIC,
        }
        for row in state.served()
    ]
    return answer({"spaces": rows})


@router.get("/spaces/{name}", responses=json(SpaceInfo))
async def space(
    name: str,
    state: The,
    transform: Annotated[str, Query(max_length=40)] = "raw",
    without: Annotated[list[Axis] | None, Query(max_length=8)] = None,
) -> Response:
    """A space's size and its provenance card; also of a collection, and of a space seen centered, whitened, or without axes."""

    def ask() -> Response:
        held = state.view(name, transform, without or [], "not_found")
        columns = held.columns.column_names if held.columns is not None else []
        return answer(
            {"name": name, "rows": len(held), "dim": held.dim, "columns": columns, "origin": held.origin.to_json()}
        )

    return await state.work(ask)


@router.get("/neighbors", responses=json(NeighborsResponse))
async def neighbors(asked: Annotated[NeighborsQuery, Query()], state: The) -> Response:
    """The words nearest to a word by cosine, with the options that `POST` takes."""
    state.check_k(asked.k)

    def ask() -> Response:
        held, policy = seen(state, asked)
        state.check_terms(held, [asked.word])
        found = state.explorer.neighbors(asked.word, held, asked.k, policy, finding_of(asked))
        return answer(neighbors_json(found) | {"policy": found.policy, "origin": found.origin.to_json()})

    return await state.work(ask)


@router.post("/neighbors", responses=json(NeighborsResponses))
async def neighbors_of(asked: NeighborsRequest, state: The) -> Response:
    """The rows nearest to each of several words, occurrences, texts or vectors, also under a condition on columns."""
    given = [asked.words, asked.occurrences, asked.texts, asked.vectors]
    if sum(one is not None for one in given) != 1:
        raise UserError("give one of words, occurrences, texts and vectors: what the rows should be near to")
    state.check_k(asked.k)
    for what, one in zip(("words", "occurrences", "texts", "vectors"), given, strict=True):
        if isinstance(one, list):
            state.check_many(len(one), what)

    def ask() -> Response:
        held, policy = seen(state, asked)
        finding = finding_of(asked)
        value: dict[str, Any] = {"origin": held.origin.to_json(), "policy": policy.describe()}
        if asked.words is not None or asked.occurrences is not None:
            state.check_terms(held, asked.words or ())
            terms: list[str | Term] = list(asked.words or ())
            if asked.occurrences is not None:
                state.check_model(held)
                terms = [query_vectors.occurrence(one.word, one.text, one.nth) for one in asked.occurrences]
            found = [state.explorer.neighbors(term, held, asked.k, policy, finding) for term in terms]
            value["origin"] = held.origin.with_notes(*(note for one in found for note in one.origin.notes)).to_json()
            return answer(value | {"answers": [neighbors_json(one) for one in found]})
        if asked.texts is not None:
            if held.origin.layer is not None:
                state.check_model(held)
                state.check_tokens(state.explorer.model(held.origin.source), asked.texts)
            vectors = query_vectors.text_vectors(state.explorer, asked.texts, held)
        else:
            vectors = matrix(asked.vectors or [], held.dim)
            state.check_many(len(vectors), "vectors")
        lists = state.explorer.nearest(vectors, held, asked.k, finding)
        return answer(value | {"answers": [{"neighbors": neighbor_rows(one)} for one in lists]})

    return await state.work(ask)


@router.get("/analogy", responses=json(AnalogyResponse))
async def analogy(asked: Annotated[AnalogyQuery, Query()], state: The) -> Response:
    """The words nearest to a sum of words, such as `queen - king + man`, with their evidence and the options that `POST`
    takes.
    """
    return await _analogy(asked, tuple(parse_pair(text) for text in asked.pairs), state)


@router.post("/analogy", responses=json(AnalogyResponse))
async def analogy_by(asked: AnalogyRequest, state: The) -> Response:
    """The same by any method, with example pairs, in a space that is seen centered, whitened or without directions."""
    return await _analogy(asked, tuple((a, b) for a, b in asked.pairs), state)


async def _analogy(asked: AnalogyFields, pairs: tuple[tuple[str, str], ...], state: ServiceState) -> Response:
    state.check_k(asked.k)

    def ask() -> Response:
        held, policy = seen(state, asked)
        state.check_terms(held, [asked.expression, *(word for pair in pairs for word in pair)])
        asking = AnalogyOptions(pairs, policy, asked.evidence, asked.epsilon, asked.restrict_vocab)
        found = state.explorer.analogy(asked.expression, held, asked.k, asked.method, asking)
        vectors = {"target": found.target.tolist(), "input_vectors": found.input_vectors.tolist()}
        return answer(analogy_json(found) | (vectors if asked.vectors else {}))

    return await state.work(ask)


def finding_of(asked: NeighborsFields) -> SearchOptions:
    """How neighbors are to be looked for."""
    return SearchOptions(asked.where or "", "", asked.recall, asked.restrict_vocab)


def seen(state: ServiceState, asked: LookupChoice) -> tuple[Space, Policy]:
    """The space as it is to be seen, and the policy."""
    policy = Policy.of(asked.case, asked.phrases, asked.unknown)
    return view(state, asked), policy


def view(state: ServiceState, asked: SpaceView) -> Space:
    """The space as it is to be seen."""
    return state.view(asked.space, asked.transform, asked.without)
