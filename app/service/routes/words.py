"""Words among words: how near two are, what lies between, which is odd, and where they stand on axes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.explorer.answer_json import neighbor_rows
from polysema.app.explorer.serialization import plain
from polysema.app.service import encoding as form
from polysema.app.service.dependencies import StateDep
from polysema.app.service.routes.spaces import seen, view
from polysema.app.service.schemas.requests import (
    AssociationRequest,
    BaselineRequest,
    CloserRequest,
    DirectionRequest,
    OccurrencesRequest,
    OddOneOutRequest,
    ProjectRequest,
    SimilarityRequest,
    TravelRequest,
    VectorRequest,
)
from polysema.app.service.schemas.responses import (
    AssociationResponse,
    BaselineResponse,
    CloserResponse,
    OccurrencesResponse,
    OddOneOutResponse,
    PackedRows,
    ProjectResponse,
    RowsResponse,
    SimilarityResponse,
    TravelResponse,
)
from polysema.app.service.schemas.responses import forms as in_forms
from polysema.app.service.schemas.responses import json as answers

router = APIRouter(prefix="/v1", tags=["words"])


@router.post("/similarity", responses=answers(SimilarityResponse))
async def similarity(request: SimilarityRequest, state: StateDep) -> Response:
    """The cosine of two words, or of the means of two lists of words; of two words also the rank."""
    state.check_many(len(request.first) + len(request.second), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [*request.first, *request.second])
        found = state.explorer.similarity(request.first, request.second, current, policy)
        return form.answer(
            {
                "first": found.first,
                "second": found.second,
                "cosine": found.cosine,
                "rank": found.rank,
                "origin": found.origin.to_json(),
            }
        )

    return await state.work(ask)


@router.post("/closer", responses=answers(CloserResponse))
async def closer(request: CloserRequest, state: StateDep) -> Response:
    """Every word that is nearer to a word than another is, nearest first; or the k nearest of them."""

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [request.word, request.other])
        found = state.explorer.closer_than(request.word, request.other, current, policy)
        shown = found.words if request.k is None else found.words[: request.k]
        state.check_numbers(len(shown), "the words between these two")
        near = [{"rank": rank, "word": word, "cosine": cosine} for rank, (word, cosine) in enumerate(shown, 1)]
        return form.answer(
            {
                "word": found.word,
                "other": found.other,
                "cosine": found.limit,
                "count": len(found.words),
                "closer": near,
                "origin": found.origin.to_json(),
            }
        )

    return await state.work(ask)


@router.post("/odd-one-out", responses=answers(OddOneOutResponse))
async def odd_one_out(request: OddOneOutRequest, state: StateDep) -> Response:
    """The words by their cosine with the mean of all: the one that fits least is first."""
    state.check_many(len(request.words), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, request.words)
        found = state.explorer.odd_one_out(request.words, current, policy)
        words = [{"word": word, "cosine": cosine} for word, cosine in found.words]
        return form.answer({"odd": found.words[0][0], "words": words, "origin": found.origin.to_json()})

    return await state.work(ask)


@router.post("/project", responses=answers(ProjectResponse))
async def project(request: ProjectRequest, state: StateDep) -> Response:
    """Where words stand on named axes, each `poor -> rich`: the cosine of each word with each axis."""
    state.check_many(len(request.words), "words")

    def ask() -> Response:
        current, policy = seen(state, request)
        state.check_terms(current, [*request.words, *request.axes])
        found = state.explorer.project(request.words, request.axes, current, policy)
        words = [{"word": word, "cosines": places} for word, places in found.words]
        return form.answer({"axes": found.axes, "words": words, "origin": found.origin.to_json()})

    return await state.work(ask)


@router.post("/direction", responses=in_forms(RowsResponse, PackedRows))
async def direction(body: DirectionRequest, state: StateDep, request: Request) -> Response:
    """The unit vector of an axis `poor -> rich`."""
    wanted = form.wanted(request)

    def ask() -> Response:
        import pyarrow as pa

        current, policy = seen(state, body)
        state.check_terms(current, [body.axis])
        found, origin = state.explorer.noted_direction(body.axis, current, policy)
        return form.rows_answer(wanted, pa.table({"axis": [body.axis]}), found[None], {"origin": origin.to_json()})

    return await state.work(ask)


@router.post("/vector", responses=in_forms(RowsResponse, PackedRows))
async def vector(body: VectorRequest, state: StateDep, request: Request) -> Response:
    """Where a sum of words leads, `king - man + woman`, or the vector of an occurrence, `bank in "the bank of a
    river"`.
    """
    wanted = form.wanted(request)

    def ask() -> Response:
        import pyarrow as pa

        current, policy = seen(state, body)
        state.check_terms(current, [body.expression])
        found, origin = state.explorer.noted_vector(body.expression, current, policy)
        table = pa.table({"expression": [body.expression]})
        return form.rows_answer(wanted, table, found[None], {"origin": origin.to_json()})

    return await state.work(ask)


@router.post("/baseline", responses=answers(BaselineResponse))
async def baseline(request: BaselineRequest, state: StateDep) -> Response:
    """The mean cosine of random pairs of a space's rows, beside which a cosine means something; null for a single
    row.
    """

    def ask() -> Response:
        space = view(state, request)
        return form.answer({"baseline": state.explorer.baseline(space), "origin": space.origin.to_json()})

    return await state.work(ask)


@router.post("/association", responses=answers(AssociationResponse))
async def association(request: AssociationRequest, state: StateDep) -> Response:
    """How much more the first words than the second lean to some words rather than to others (WEAT, Caliskan et al.
    2017).
    """
    words = [*request.first, *request.second, *request.toward, *request.away]
    state.check_many(len(words), "words")

    def ask() -> Response:
        space, policy = seen(state, request)
        state.check_terms(space, words)
        found = state.explorer.association(request.first, request.second, request.toward, request.away, space, policy)
        value = plain(found)
        return form.answer(value | {"origin": space.origin.with_notes(*value.pop("notes")).to_json()})

    return await state.work(ask)


@router.post("/travel", responses=answers(TravelResponse))
async def travel(request: TravelRequest, state: StateDep) -> Response:
    """The neighbors met on the way when a word moves along an axis, in equal steps."""
    state.check_k(request.k)

    def ask() -> Response:
        space = view(state, request)
        state.check_terms(space, [request.word, request.axis])
        state.check_numbers((request.steps + 1) * (space.dim + request.k), "this way")
        found = state.explorer.travel(request.word, request.axis, space, request.steps, request.reach, request.k)
        steps: list[dict[str, Any]] = [
            {"at": step.at, "cosine": step.cosine, "neighbors": neighbor_rows(step.neighbors)} for step in found.steps
        ]
        return form.answer(
            {
                "word": found.word,
                "axis": found.axis,
                "steps": steps,
                "points": found.points.tolist(),
                "origin": found.origin.to_json(),
            }
        )

    return await state.work(ask)


@router.post("/occurrences", responses=answers(OccurrencesResponse))
async def occurrences(request: OccurrencesRequest, state: StateDep) -> Response:
    """The occurrences in the corpus of senses nearest to a word in a text, beside the layer's baseline and the static
    answer.
    """
    state.known(request.model)
    state.check_k(request.k)

    def ask() -> Response:
        state.check_tokens(state.explorer.model(request.model), [request.text])
        found = state.explorer.occurrence_neighbors(
            request.word, request.text, request.model, request.layer, request.k, request.nth
        )
        value = {
            "word": found.word,
            "text": found.text,
            "start": found.start,
            "end": found.end,
            "baseline": found.baseline,
            "split": found.split,
            "origin": found.origin.to_json(),
        }
        return form.answer(value | {"hits": [asdict(hit) for hit in found.hits], "static": neighbor_rows(found.static)})

    return await state.work(ask)
