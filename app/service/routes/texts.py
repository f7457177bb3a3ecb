"""Words in texts: compared layer by layer, and embedded at any layer."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.explorer.results import BaselinesAnswer
from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import StateDep
from polysema.app.service.embeddings import model_and_layers
from polysema.app.service.schemas.response_model import forms as in_forms
from polysema.app.service.schemas.response_model import json as answers
from polysema.app.service.schemas.texts import (
    BaselinesResponse,
    CompareRequest,
    CompareResponse,
    ConcordanceRequest,
    ConcordanceResponse,
    EmbedRequest,
    RowsResponse,
)
from polysema.app.service.text_source import one_source, texts_of
from polysema.core.model.recipe import SentenceOptions

router = APIRouter(prefix="/v1", tags=["texts"], route_class=CheckedRoute)


@router.post("/compare", responses=answers(CompareResponse))
async def compare(request: CompareRequest, state: StateDep) -> Response:
    """A word in several texts, layer by layer, beside its static vector and the layer's random-pair baseline."""
    state.names.check(request.model)

    def ask() -> Response:
        state.limits.check_tokens(state.explorer.model(request.model).model, request.texts)
        return form.answer(
            state.explorer.model(request.model).compare(request.word, request.texts, request.layers, request.pooling)
        )

    return await state.work(ask)


@router.post("/embed", responses=in_forms(RowsResponse))
async def embed_texts(body: EmbedRequest, state: StateDep, request: Request) -> Response:
    """The vectors of words, of one word, of tokens or of whole texts, at any layers: a row for each layer and place."""
    wanted = form.wanted(request)
    name, layers = model_and_layers(state.names.check(body.model), body.layers)
    state.limits.check_many(len(body.texts), "texts")

    def ask() -> Response:
        handle = state.explorer.model(name)
        if not handle.is_static:
            count = state.limits.check_tokens(handle.model, body.texts)
            rows = len(body.texts) if body.word is not None or body.unit == "sentences" else count
            state.limits.check_numbers(rows * len(layers) * handle.model.dim, "these vectors")
        options = SentenceOptions(body.prompt, body.prompt_name, body.dimensions)
        made = handle.embed(body.texts, layers, body.unit, body.word, body.pooling, options)
        return form.rows_answer(wanted, made)

    return await state.work(ask)


@router.post("/concordance", responses=answers(ConcordanceResponse))
async def concordance(request: ConcordanceRequest, state: StateDep) -> Response:
    """A word in its contexts, sorted by what it means there at a layer: lines that mean alike stand together."""
    state.names.check(request.model)
    state.limits.check_many(len(request.texts), "texts")

    def ask() -> Response:
        handle = state.explorer.model(request.model)
        state.limits.check_tokens(handle.model, request.texts)
        texts = one_source(request.texts, texts_of(state, request))
        return form.answer(handle.senses.concordance(request.word, texts, request.layer, request.like))

    return await state.work(ask)


@router.get("/models/{name}/baselines", responses=answers(BaselinesResponse))
async def baselines(name: str, state: StateDep) -> Response:
    """For each layer of a model the mean cosine of random pairs of words, beside which similarities are read."""
    state.names.check(name, "not_found")

    def ask() -> Response:
        return form.answer(
            BaselinesAnswer(
                name, state.explorer.model(name).senses.baselines(), state.explorer.model(name).senses.layers
            )
        )

    return await state.work(ask)
