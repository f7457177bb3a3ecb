"""Any word of any texts: counted, found, own sentences judged by it, its groups on an axis."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import StateDep
from polysema.app.service.schemas.contexts import (
    SenseAxisRequest,
    SenseAxisResponse,
    VerdictsRequest,
    VerdictsResponse,
    WordCountsRequest,
    WordCountsResponse,
    WordOccurrencesRequest,
    WordOccurrencesResponse,
)
from polysema.app.service.schemas.response_model import json as answers
from polysema.app.service.text_source import texts_of

router = APIRouter(prefix="/v1/contexts", tags=["texts"], route_class=CheckedRoute)


@router.post("/words", responses=answers(WordCountsResponse))
async def words(request: WordCountsRequest, state: StateDep) -> Response:
    """The most frequent words of a space's texts that begin with a prefix, with their counts."""

    def ask() -> Response:
        return form.answer(state.space(request.space).contexts.words(request.prefix, request.k))

    return await state.work(ask)


@router.post("/occurrences", responses=answers(WordOccurrencesResponse))
async def occurrences(request: WordOccurrencesRequest, state: StateDep) -> Response:
    """The rows of a space in which a word stands, with their texts, ids and vectors."""

    def ask() -> Response:
        space = state.space(request.space)
        state.limits.check_numbers(request.k * space.dim, "these vectors")
        return form.answer(space.contexts.occurrences(request.word, request.k, request.label))

    return await state.work(ask)


@router.post("/verdicts", responses=answers(VerdictsResponse))
async def verdicts(request: VerdictsRequest, state: StateDep) -> Response:
    """What own sentences are like: the occurrences nearest to each, and the label of most of them."""
    state.names.check(request.model)

    def ask() -> Response:
        handle = state.explorer.model(request.model)
        state.limits.check_tokens(handle.model, request.sentences)
        texts = texts_of(state, request)
        return form.answer(
            handle.senses.contexts.verdicts(
                request.word, request.sentences, request.layer, request.k, request.by, texts
            )
        )

    return await state.work(ask)


@router.post("/axis", responses=answers(SenseAxisResponse))
async def axis(request: SenseAxisRequest, state: StateDep) -> Response:
    """Where the occurrences of a word lie between two of its groups, each left out of what it is measured by."""
    state.names.check(request.model)

    def ask() -> Response:
        contexts = state.explorer.model(request.model).senses.contexts
        texts = texts_of(state, request)
        ends = None if request.ends is None else (request.ends[0], request.ends[1])
        return form.answer(contexts.axis(request.word, ends, request.layer, request.by, texts))

    return await state.work(ask)
