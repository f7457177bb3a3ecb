"""Words among words: how near two are, what lies between, which is odd, and where they stand on axes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.explorer.answer_json import neighbor_rows
from polysema.app.explorer.serialization import plain
from polysema.app.service import encoding as form
from polysema.app.service.dependencies import The
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
async def similarity(asked: SimilarityRequest, state: The) -> Response:
    """The cosine of two words, or of the means of two lists of words; of two words also the rank."""
    state.check_many(len(asked.first) + len(asked.second), "words")

    def ask() -> Response:
        held, policy = seen(state, asked)
        state.check_terms(held, [*asked.first, *asked.second])
        found = state.explorer.similarity(asked.first, asked.second, held, policy)
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
async def closer(asked: CloserRequest, state: The) -> Response:
    """Every word that is nearer to a word than another is, nearest first; or the k nearest of them."""

    def ask() -> Response:
        held, policy = seen(state, asked)
        state.check_terms(held, [asked.word, asked.other])
        found = state.explorer.closer_than(asked.word, asked.other, held, policy)
        shown = found.words if asked.k is None else found.words[: asked.k]
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
async def odd_one_out(asked: OddOneOutRequest, state: The) -> Response:
    """The words by their cosine with the mean of all: the one that fits least is first."""
    state.check_many(len(asked.words), "words")

    def ask() -> Response:
        held, policy = seen(state, asked)
        state.check_terms(held, asked.words)
        found = state.explorer.odd_one_out(asked.words, held, policy)
        words = [{"word": word, "cosine": cosine} for word, cosine in found.words]
        return form.answer({"odd": found.words[0][0], "words": words, "origin": found.origin.to_json()})

    return await state.work(ask)


@router.post("/project", responses=answers(ProjectResponse))
async def project(asked: ProjectRequest, state: The) -> Response:
    """Where words stand on named axes, each `poor -> rich`: the cosine of each word with each axis."""
    state.check_many(len(asked.words), "words")

    def ask() -> Response:
        held, policy = seen(state, asked)
        state.check_terms(held, [*asked.words, *asked.axes])
        found = state.explorer.project(asked.words, asked.axes, held, policy)
        words = [{"word": word, "cosines": places} for word, places in found.words]
        return form.answer({"axes": found.axes, "words": words, "origin": found.origin.to_json()})

    return await state.work(ask)


@router.post("/direction", responses=in_forms(RowsResponse, PackedRows))
async def direction(asked: DirectionRequest, state: The, request: Request) -> Response:
    """The unit vector of an axis `poor -> rich`."""
    wanted = form.wanted(request)

    def ask() -> Response:
        import pyarrow as pa

        held, policy = seen(state, asked)
        state.check_terms(held, [asked.axis])
        found, origin = state.explorer.noted_direction(asked.axis, held, policy)
        return form.rows_answer(wanted, pa.table({"axis": [asked.axis]}), found[None], {"origin": origin.to_json()})

    return await state.work(ask)


@router.post("/vector", responses=in_forms(RowsResponse, PackedRows))
async def vector(asked: VectorRequest, state: The, request: Request) -> Response:
    """Where a sum of words leads, `king - man + woman`, or the vector of an occurrence, `bank in "the bank of a river"`."""
    wanted = form.wanted(request)

    def ask() -> Response:
        import pyarrow as pa

        held, policy = seen(state, asked)
        state.check_terms(held, [asked.expression])
        found, origin = state.explorer.noted_vector(asked.expression, held, policy)
        table = pa.table({"expression": [asked.expression]})
        return form.rows_answer(wanted, table, found[None], {"origin": origin.to_json()})

    return await state.work(ask)


@router.post("/baseline", responses=answers(BaselineResponse))
async def baseline(asked: BaselineRequest, state: The) -> Response:
    """The mean cosine of random pairs of a space's rows, beside which a cosine means something; null for a single row."""

    def ask() -> Response:
        held = view(state, asked)
        return form.answer({"baseline": state.explorer.baseline(held), "origin": held.origin.to_json()})

    return await state.work(ask)


@router.post("/association", responses=answers(AssociationResponse))
async def association(asked: AssociationRequest, state: The) -> Response:
    """How much more the first words than the second lean to some words rather than to others (WEAT, Caliskan et al. 2017)."""
    words = [*asked.first, *asked.second, *asked.toward, *asked.away]
    state.check_many(len(words), "words")

    def ask() -> Response:
        held, policy = seen(state, asked)
        state.check_terms(held, words)
        found = state.explorer.association(asked.first, asked.second, asked.toward, asked.away, held, policy)
        value = plain(found)
        return form.answer(value | {"origin": held.origin.with_notes(*value.pop("notes")).to_json()})

    return await state.work(ask)


@router.post("/travel", responses=answers(TravelResponse))
async def travel(asked: TravelRequest, state: The) -> Response:
    """The neighbors met on the way when a word moves along an axis, in equal steps."""
    state.check_k(asked.k)

    def ask() -> Response:
        held = view(state, asked)
        state.check_terms(held, [asked.word, asked.axis])
        state.check_numbers((asked.steps + 1) * (held.dim + asked.k), "this way")
        found = state.explorer.travel(asked.word, asked.axis, held, asked.steps, asked.reach, asked.k)
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
async def occurrences(asked: OccurrencesRequest, state: The) -> Response:
    """The occurrences in the corpus of senses nearest to a word in a text, beside the layer's baseline and the static answer."""
    state.known(asked.model)
    state.check_k(asked.k)

    def ask() -> Response:
        state.check_tokens(state.explorer.model(asked.model), [asked.text])
        found = state.explorer.occurrence_neighbors(
            asked.word, asked.text, asked.model, asked.layer, asked.k, asked.nth
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
