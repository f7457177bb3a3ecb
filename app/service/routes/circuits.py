"""How a model comes to its answer: places patched, a head step by step, what heads do, how a text surprises."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.circuit_jobs import patch_options
from polysema.app.service.dependencies import ServiceState, StateDep
from polysema.app.service.routes.inside import check_read_tokens
from polysema.app.service.schemas.circuits import (
    ExplainMoveRequest,
    ExplainMoveResponse,
    HeadComputationRequest,
    HeadComputationResponse,
    HeadStatisticsRequest,
    HeadStatisticsResponse,
    PatchRequest,
    PatchResponse,
    SurprisalRequest,
    SurprisalResponse,
)
from polysema.app.service.schemas.response_model import forms as in_forms
from polysema.app.service.schemas.response_model import json as answers
from polysema.core.errors import UserError
from polysema.core.space.space import Family

router = APIRouter(prefix="/v1", tags=["inside"], route_class=CheckedRoute)


@router.post("/patch", responses=in_forms(PatchResponse, arrow=False))
async def patch(body: PatchRequest, state: StateDep, request: Request) -> Response:
    """Activation patching: which layers and tokens (or heads) carry what makes the answers of two texts differ."""
    wanted = form.wanted(request, (form.JSON, form.BASE64))
    state.names.check(body.model)

    def ask() -> Response:
        circuits = state.explorer.model(body.model).circuits
        model, options = circuits.on_torch(), patch_options(body)
        texts = [body.clean] if body.corrupted is None else [body.clean, body.corrupted]
        count = check_read_tokens(state, model, texts, body.target)
        rows = len(body.layers) if body.layers else model.n_layers + 1
        heads = options.part.endswith("head") and body.head is None
        columns = model.n_heads if heads else len(body.words or range(count))
        draws = body.noise.samples if body.noise is not None else 1
        _check_passes(state, count * (rows * columns * draws + 2))
        pair = (body.clean, body.corrupted)
        found = circuits.patch(pair, body.answer, body.against, options, body.target)
        return form.answer(found, kind=wanted)

    return await state.work(ask)


@router.post("/head-computation", responses=in_forms(HeadComputationResponse, arrow=False))
async def head_computation(body: HeadComputationRequest, state: StateDep, request: Request) -> Response:
    """One head step by step: query, key and value, their products, scale, mask, softmax, and what it writes."""
    wanted = form.wanted(request, (form.JSON, form.BASE64))
    state.names.check(body.model)

    def ask() -> Response:
        circuits = state.explorer.model(body.model).circuits
        model = circuits.on_torch(body.stack)
        count = check_read_tokens(state, model, [body.text], body.target)
        state.limits.check_numbers(count * (5 * count + 2 * model.dim), "the steps of this head")
        found = circuits.head_computation(body.text, body.layer, body.head, body.cross, body.stack, body.target)
        return form.answer(found, kind=wanted)

    return await state.work(ask)


@router.post("/head-statistics", responses=answers(HeadStatisticsResponse))
async def head_statistics(request: HeadStatisticsRequest, state: StateDep) -> Response:
    """All heads by how much they attend to the token before, to the same token earlier, or to what followed that."""
    state.names.check(request.model)
    state.limits.check_many(len(request.texts), "texts")

    def ask() -> Response:
        circuits = state.explorer.model(request.model).circuits
        check_read_tokens(state, circuits.on_torch(request.stack), request.texts, None)
        texts, layers = request.texts, request.layers
        return form.answer(circuits.head_statistics(texts, request.by, layers, request.random, request.stack))

    return await state.work(ask)


@router.post("/surprisal", responses=answers(SurprisalResponse))
async def surprisal(request: SurprisalRequest, state: StateDep) -> Response:
    """How probable the model finds each token of a text where it stands: log-probability and surprisal in bits."""
    state.names.check(request.model)

    def ask() -> Response:
        circuits = state.explorer.model(request.model).circuits
        model = circuits.on_torch()
        count = check_read_tokens(state, model, [request.text], request.target)
        if model.family is Family.ENCODER:
            _check_passes(state, count * min(count, model.window))
        return form.answer(circuits.surprisal(request.text, request.method, request.unit, request.target))

    return await state.work(ask)


@router.post("/explain-move", responses=in_forms(ExplainMoveResponse, arrow=False))
async def explain_move(body: ExplainMoveRequest, state: StateDep, request: Request) -> Response:
    """The way of a word from its static vector to its hidden state: every head, MLP, norm and bias, on an axis."""
    wanted = form.wanted(request, (form.JSON, form.BASE64))
    state.names.check(body.model)

    def ask() -> Response:
        from polysema.app.explorer.inside_options import AttentionOptions
        from polysema.core.inside.explained_move import MoveOptions
        from polysema.core.inside.move_axis import AxisChoice

        circuits = state.explorer.model(body.model).circuits
        model = circuits.on_torch(body.stack)
        count = check_read_tokens(state, model, [body.text], body.target)
        if body.toward or body.away:
            state.limits.check_tokens(model, [*body.toward, *body.away])
        _check_passes(state, count * (body.shuffles + 2))
        state.limits.check_numbers(2 * model.n_layers * model.n_heads * count, "what every head took from every word")
        axis = AxisChoice(body.axis, tuple(body.toward), tuple(body.away))
        options = MoveOptions(body.nth, seed=body.seed, shuffles=body.shuffles)
        reads = AttentionOptions(body.target, body.stack)
        found = circuits.explain_move(body.word, body.text, axis, body.layer, options, reads)
        return form.answer(found, kind=wanted)

    return await state.work(ask)


def _check_passes(state: ServiceState, count: int) -> None:
    """Raise `UserError` for more tokens than all passes of a request may have together."""
    most = 64 * state.settings.max_tokens
    if count > most:
        raise UserError(
            f"that is {count:,} tokens in all passes through the model; a request may have {most:,}: ask for "
            "fewer layers, words or heads, or a shorter text; a patching goes as a job of the kind patch"
        )
