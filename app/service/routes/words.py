"""Words among words: how near two are, what lies between, which is odd, and where they stand on axes."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.explorer import OccurrenceOptions
from polysema.app.explorer.embedding import TextVectors
from polysema.app.explorer.results import BaselineAnswer
from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import StateDep
from polysema.app.service.routes.spaces import search_options, seen, view
from polysema.app.service.schemas.response_model import forms as in_forms
from polysema.app.service.schemas.response_model import json as answers
from polysema.app.service.schemas.texts import OccurrencesRequest, OccurrencesResponse, RowsResponse
from polysema.app.service.schemas.words import (
    AssociationRequest,
    AssociationResponse,
    BaselineRequest,
    BaselineResponse,
    CloserRequest,
    CloserResponse,
    DirectionRequest,
    OddOneOutRequest,
    OddOneOutResponse,
    ProjectRequest,
    ProjectResponse,
    SimilarityRequest,
    SimilarityResponse,
    TravelRequest,
    TravelResponse,
    VectorRequest,
)

router = APIRouter(prefix="/v1", tags=["words"], route_class=CheckedRoute)


@router.post("/similarity", responses=answers(SimilarityResponse))
async def similarity(request: SimilarityRequest, state: StateDep) -> Response:
    """The cosine of two words, or of the means of two lists of words; of two words also the rank."""
    state.limits.check_many(len(request.first) + len(request.second), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [*request.first, *request.second])
        return form.answer(current.similarity(request.first, request.second, policy))

    return await state.work(ask)


@router.post("/closer", responses=answers(CloserResponse))
async def closer(request: CloserRequest, state: StateDep) -> Response:
    """Every word that is nearer to a word than another is, nearest first; or the k nearest of them."""

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [request.word, request.other])
        found = current.closer_than(request.word, request.other, policy, search_options(request))
        if request.k is not None:
            found = replace(found, words=found.words[: request.k])
        state.limits.check_numbers(len(found.words), "the words between these two")
        return form.answer(found)

    return await state.work(ask)


@router.post("/odd-one-out", responses=answers(OddOneOutResponse))
async def odd_one_out(request: OddOneOutRequest, state: StateDep) -> Response:
    """The words by their cosine with the mean of all: the one that fits least is first."""
    state.limits.check_many(len(request.words), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, request.words)
        return form.answer(current.odd_one_out(request.words, policy))

    return await state.work(ask)


@router.post("/project", responses=answers(ProjectResponse))
async def project(request: ProjectRequest, state: StateDep) -> Response:
    """Where words stand on named axes, each `poor -> rich`: the cosine of each word with each axis."""
    state.limits.check_many(len(request.words), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [*request.words, *request.axes])
        return form.answer(current.project(request.words, request.axes, policy))

    return await state.work(ask)


@router.post("/direction", responses=in_forms(RowsResponse))
async def direction(body: DirectionRequest, state: StateDep, request: Request) -> Response:
    """The unit vector of an axis `poor -> rich`."""
    wanted = form.wanted(request)

    def ask() -> Response:
        import pyarrow as pa

        current, policy = seen(state, body)
        state.check_terms(current, [body.axis])
        found, origin = current.lookup.noted_direction(body.axis, policy)
        return form.rows_answer(wanted, TextVectors(pa.table({"axis": [body.axis]}), found[None], origin))

    return await state.work(ask)


@router.post("/vector", responses=in_forms(RowsResponse))
async def vector(body: VectorRequest, state: StateDep, request: Request) -> Response:
    """Where a sum of words leads, `king - man + woman`, or the vector of an occurrence, `bank in "the bank of a
    river"`.
    """
    wanted = form.wanted(request)

    def ask() -> Response:
        import pyarrow as pa

        current, policy = seen(state, body)
        state.check_terms(current, [body.expression])
        found, origin = current.lookup.noted_vector(body.expression, policy)
        table = pa.table({"expression": [body.expression]})
        return form.rows_answer(wanted, TextVectors(table, found[None], origin))

    return await state.work(ask)


@router.post("/baseline", responses=answers(BaselineResponse))
async def baseline(request: BaselineRequest, state: StateDep) -> Response:
    """The mean cosine of random pairs of a space's rows; null for a single row."""

    def ask() -> Response:
        space = view(state, request)
        return form.answer(BaselineAnswer(space.baseline, space.origin))

    return await state.work(ask)


@router.post("/association", responses=answers(AssociationResponse))
async def association(request: AssociationRequest, state: StateDep) -> Response:
    """How much more the first words than the second lean to some words rather than to others (WEAT, Caliskan et al.
    2017).
    """
    words = [*request.first, *request.second, *request.toward, *request.away]
    state.limits.check_many(len(words), "words")

    def ask() -> Response:
        space, policy = seen(state, request)
        state.check_terms(space, words)
        lists = (request.first, request.second, request.toward, request.away)
        return form.answer(space.association(*lists, policy))

    return await state.work(ask)


@router.post("/travel", responses=answers(TravelResponse))
async def travel(request: TravelRequest, state: StateDep) -> Response:
    """The neighbors met on the way when a word moves along an axis, in equal steps."""
    state.limits.check_k(request.k)

    def ask() -> Response:
        space = view(state, request)
        state.check_terms(space, [request.word, request.axis])
        state.limits.check_numbers((request.steps + 1) * (space.dim + request.k), "this way")
        search = search_options(request)
        found = space.travel(request.word, request.axis, request.steps, request.reach, request.k, search)
        return form.answer(found)

    return await state.work(ask)


@router.post("/occurrences", responses=answers(OccurrencesResponse))
async def occurrences(request: OccurrencesRequest, state: StateDep) -> Response:
    """The occurrences in the corpus of senses nearest to a word in a text, beside the layer's baseline and the static
    answer.
    """
    state.names.check(request.model)
    state.limits.check_k(request.k)

    def ask() -> Response:
        model = state.explorer.model(request.model)
        state.limits.check_tokens(model.model, [request.text])
        how = search_options(request)
        options = OccurrenceOptions(how.where, how.index, how.recall, how.restrict_vocab, request.nth)
        return form.answer(model.occurrences(request.word, request.text, request.layer, request.k, options))

    return await state.work(ask)
