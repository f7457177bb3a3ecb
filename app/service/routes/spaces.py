"""Spaces that have a name, their neighbors and analogies."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from polysema.app.explorer import AnalogyOptions, SearchOptions, WordSpace, query_vectors
from polysema.app.explorer.neighbor_answer import answer_neighbors_of_each
from polysema.app.explorer.options import parse_pair
from polysema.app.explorer.results import NeighborAnswers
from polysema.app.explorer.results.spaces import SpaceInfo, model_cards, space_names
from polysema.app.explorer.results.words import VECTOR_FIELDS
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import ServiceState, StateDep
from polysema.app.service.encoding import answer, matrix
from polysema.app.service.schemas.fields import Axis, LookupChoice, Rows, SearchFields, SpaceView
from polysema.app.service.schemas.response_model import json
from polysema.app.service.schemas.words import (
    AnalogyFields,
    AnalogyQuery,
    AnalogyRequest,
    AnalogyResponse,
    NeighborAnswersResponse,
    NeighborsQuery,
    NeighborsRequest,
    NeighborsResponse,
    SpaceResponse,
    SpacesResponse,
)
from polysema.core.errors import UserError
from polysema.core.space.expression import Term, parse
from polysema.core.space.lookup import Policy

router = APIRouter(prefix="/v1", tags=["spaces"], route_class=CheckedRoute)


@router.get("/spaces", responses=json(SpacesResponse))
async def spaces(state: StateDep) -> Response:
    """The static spaces that have a name, and the collections; a model's name with a layer, `minilm-l6@6`, is one of
    occurrences, and `mine/SPACE` one space of a collection.
    """
    return answer(space_names(model_cards(state.names.rows()).data, state.shelf.names()))


@router.get("/spaces/{name}", responses=json(SpaceResponse))
async def space(
    name: str,
    state: StateDep,
    transform: Annotated[str, Query(max_length=40)] = "raw",
    without: Annotated[list[Axis] | None, Query(max_length=8)] = None,
    limit: Annotated[Rows | None, Query()] = None,
) -> Response:
    """A space's size and its provenance card; also of a collection, and of a space seen centered, whitened, or without
    axes, or of its first words alone.
    """
    # the name of a path is checked by what is there, not by the pattern of bodies
    wanted = SpaceView.model_construct(space=name, transform=transform, without=without or [], limit=limit)

    def ask() -> Response:
        opened = state.view(wanted, "not_found")
        columns = opened.space.columns.column_names if opened.space.columns is not None else []
        return answer(SpaceInfo(name, len(opened), opened.dim, tuple(columns), opened.origin))

    return await state.work(ask)


@router.get("/neighbors", responses=json(NeighborsResponse))
async def neighbors(request: Annotated[NeighborsQuery, Query()], state: StateDep) -> Response:
    """The words nearest to a word by cosine, with the options that `POST` takes."""
    state.limits.check_k(request.k)

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [request.word])
        return answer(current.neighbors(request.word, request.k, policy, search_options(request)))

    return await state.work(ask)


@router.post("/neighbors", responses=json(NeighborAnswersResponse))
async def neighbors_of(request: NeighborsRequest, state: StateDep) -> Response:
    """The rows nearest to each of several words, occurrences, texts or vectors, also under a condition on columns."""
    given = [request.words, request.occurrences, request.texts, request.vectors]
    if sum(one is not None for one in given) != 1:
        raise UserError("give one of words, occurrences, texts and vectors: what the rows should be near to")
    state.limits.check_k(request.k)
    for what, one in zip(("words", "occurrences", "texts", "vectors"), given, strict=True):
        if isinstance(one, list):
            state.limits.check_many(len(one), what)

    def ask() -> Response:
        opened, policy = seen(state, request)
        search = search_options(request)
        if request.words is not None or request.occurrences is not None:
            state.check_terms(opened, request.words or ())
            terms: list[str | Term] = list(request.words or ())
            if request.occurrences is not None:
                state.check_model(opened)
                terms = [query_vectors.occurrence(one.word, one.text, one.nth) for one in request.occurrences]
            found = tuple(answer_neighbors_of_each(opened, terms, request.k, policy, search))
            return answer(NeighborAnswers.of(found, opened.origin, policy.describe()))
        if request.texts is not None:
            if opened.origin.layer is not None or opened.origin.pooling == "input embeddings":
                state.check_model(opened)
            if opened.origin.layer is not None:
                state.limits.check_tokens(state.explorer.model(opened.origin.source).model, request.texts)
            return answer(opened.nearest(request.texts, request.k, search))
        vectors = matrix(request.vectors or [], opened.dim)
        state.limits.check_many(len(vectors), "vectors")
        return answer(opened.nearest(vectors, request.k, search))

    return await state.work(ask)


@router.get("/analogy", responses=json(AnalogyResponse))
async def analogy(request: Annotated[AnalogyQuery, Query()], state: StateDep) -> Response:
    """The words nearest to a sum of words, such as `queen - king + man`, with their evidence and the options that
    `POST` takes.
    """
    return await _analogy(request, tuple(parse_pair(text) for text in request.pairs), state)


@router.post("/analogy", responses=json(AnalogyResponse))
async def analogy_by(request: AnalogyRequest, state: StateDep) -> Response:
    """The same by any method, with example pairs, in a space that is seen centered, whitened or without directions."""
    return await _analogy(request, tuple((a, b) for a, b in request.pairs), state)


async def _analogy(request: AnalogyFields, pairs: tuple[tuple[str, str], ...], state: ServiceState) -> Response:
    state.limits.check_k(request.k)

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [request.expression, *(word for pair in pairs for word in pair)])
        if request.evidence or request.method == "3cosmul":
            n_words = len(parse(request.expression).terms)
            state.limits.check_compared(n_words * len(current), f"a sum of {n_words:,} words, over all rows,")
        how = search_options(request)
        options = AnalogyOptions(
            pairs, policy, request.evidence, request.epsilon, how.restrict_vocab, how.where, how.index, how.recall
        )
        found = current.analogy(request.expression, request.k, request.method, options)
        return answer(found, without=() if request.vectors else VECTOR_FIELDS)

    return await state.work(ask)


def search_options(request: SearchFields) -> SearchOptions:
    """How rows are to be searched."""
    return SearchOptions(request.where or "", request.index, request.recall, request.restrict_vocab)


def seen(state: ServiceState, request: LookupChoice) -> tuple[WordSpace, Policy]:
    """The space as it is to be seen, and the policy."""
    policy = Policy.of(request.case, request.phrases, request.unknown)
    return view(state, request), policy


def view(state: ServiceState, request: SpaceView) -> WordSpace:
    """The space as it is to be seen."""
    return state.view(request)
