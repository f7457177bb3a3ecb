"""The verbs that gensim's KeyedVectors has."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import StateDep
from polysema.app.service.routes.spaces import seen
from polysema.app.service.schemas.relations import (
    DistancesRequest,
    DistancesResponse,
    MeanVectorRequest,
    MeanVectorResponse,
    MostSimilarRequest,
    MostSimilarResponse,
    MoversDistanceRequest,
    MoversDistanceResponse,
    RelativeSimilarityRequest,
    RelativeSimilarityResponse,
)
from polysema.app.service.schemas.response_model import json as answers

router = APIRouter(prefix="/v1", tags=["words"], route_class=CheckedRoute)


@router.post("/distances", responses=answers(DistancesResponse))
async def distances(request: DistancesRequest, state: StateDep) -> Response:
    """The cosine distance of a word to others, in their order, or to every word of the space."""
    state.limits.check_many(len(request.others), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [request.word, *request.others])
        state.limits.check_numbers(len(request.others) or len(current), "these distances")
        return form.answer(current.relations.distances(request.word, request.others, policy))

    return await state.work(ask)


@router.post("/most-similar-to-given", responses=answers(MostSimilarResponse))
async def most_similar_to_given(request: MostSimilarRequest, state: StateDep) -> Response:
    """The given words by their cosine with a word, the most similar first."""
    state.limits.check_many(len(request.others), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [request.word, *request.others])
        return form.answer(current.relations.most_similar_to_given(request.word, request.others, policy))

    return await state.work(ask)


@router.post("/relative-cosine-similarity", responses=answers(RelativeSimilarityResponse))
async def relative_cosine_similarity(request: RelativeSimilarityRequest, state: StateDep) -> Response:
    """The cosine of two words over the sum of the cosines of the first one's k nearest."""
    state.limits.check_k(request.k)

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [request.first, request.second])
        found = current.relations.relative_cosine_similarity(request.first, request.second, request.k, policy)
        return form.answer(found)

    return await state.work(ask)


@router.post("/word-movers-distance", responses=answers(MoversDistanceResponse))
async def word_movers_distance(request: MoversDistanceRequest, state: StateDep) -> Response:
    """The least mean distance that the words of one text move to become those of another (Kusner et al. 2015)."""
    state.limits.check_many(len(request.first) + len(request.second), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [*request.first, *request.second])
        return form.answer(current.relations.word_movers_distance(request.first, request.second, policy))

    return await state.work(ask)


@router.post("/mean-vector", responses=answers(MeanVectorResponse))
async def mean_vector(request: MeanVectorRequest, state: StateDep) -> Response:
    """The weighted mean of words' vectors."""
    state.limits.check_many(len(request.words), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, request.words)
        found = current.relations.mean_vector(request.words, request.weights, request.normalize, policy)
        return form.answer(found)

    return await state.work(ask)
