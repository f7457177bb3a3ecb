"""Inside a model, changed: a direction added, heads taken out; what flows up to a layer, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.explorer.inside_options import AttentionOptions, text_for
from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import ServiceState, StateDep
from polysema.app.service.routes.inside import check_read_tokens
from polysema.app.service.schemas.inside import AttentionResponse
from polysema.app.service.schemas.interventions import (
    AblateRequest,
    ChangedResponse,
    DirectionChoice,
    FamiliesRequest,
    FamiliesResponse,
    HeadOutputsRequest,
    HeadOutputsResponse,
    RolloutRequest,
    StatementRequest,
    SteerRequest,
    SweepRequest,
    SweepResponse,
)
from polysema.app.service.schemas.response_model import forms as in_forms
from polysema.app.service.schemas.response_model import json as answers
from polysema.core.errors import UserError
from polysema.core.inside.family_card import N_PASSES

if TYPE_CHECKING:
    from polysema.core.inside.steering import Statement
    from polysema.core.model.load import LanguageModel

router = APIRouter(prefix="/v1", tags=["inside"], route_class=CheckedRoute)


@router.post("/rollout", responses=in_forms(AttentionResponse, arrow=False))
async def rollout(body: RolloutRequest, state: StateDep, request: Request) -> Response:
    """What flows from word to word up to a layer (Abnar and Zuidema 2020): as attention with one layer and one head."""
    wanted = form.wanted(request, (form.JSON, form.BASE64))
    state.names.check(body.model)

    def ask() -> Response:
        how = AttentionOptions(body.target, body.stack, False, body.unit, body.special)
        internals = state.explorer.model(body.model).internals
        model = internals.on_torch(how.stack)
        count = check_read_tokens(state, model, [body.text], body.target)
        window = min(count, model.window)
        state.limits.check_numbers(model.n_heads * window * count, "the attention that this goes through")
        return form.answer(internals.rollout(body.text, body.layer, how), kind=wanted)

    return await state.work(ask)


@router.post("/steer", responses=answers(ChangedResponse))
async def steer(request: SteerRequest, state: StateDep) -> Response:
    """What a model says before and after a direction is added to its hidden states at a layer."""
    state.names.check(request.model)

    def ask() -> Response:
        from polysema.core.inside.steering import ALL_POSITIONS, Steer

        handle = state.explorer.model(request.model)
        _check_statement(state, handle.internals.on_torch(), request, (*request.toward, *request.away))
        how = Steer(request.strength, ALL_POSITIONS if request.at is None else request.at)
        toward, away = _direction_of(request)
        return form.answer(handle.steer(request.text, toward, away, request.layer, how, _statement_of(request)))

    return await state.work(ask)


@router.post("/sweep", responses=answers(SweepResponse))
async def sweep(request: SweepRequest, state: StateDep) -> Response:
    """The next word for each of several strengths of a direction at each of several layers."""
    state.names.check(request.model)

    def ask() -> Response:
        from polysema.core.inside.steering import Statement

        internals = state.explorer.model(request.model).internals
        model = internals.on_torch()
        layers = model.check_layers(request.layers or range(model.n_layers + 1))
        count = check_read_tokens(state, model, [request.text, *request.toward, *request.away], request.target)
        check_passes(state, 2 * count * len(layers) * len(request.strengths))
        toward, away = _direction_of(request)
        say = Statement(1, tuple(request.words), 0, request.target)
        return form.answer(internals.sweep(request.text, toward, away, request.strengths, layers, say))

    return await state.work(ask)


@router.post("/ablate", responses=answers(ChangedResponse))
async def ablate(request: AblateRequest, state: StateDep) -> Response:
    """What a model says before and after heads or MLPs are set to zero, or to their mean."""
    state.names.check(request.model)

    def ask() -> Response:
        from polysema.core.inside.ablation import Ablation

        handle = state.explorer.model(request.model)
        _check_statement(state, handle.internals.on_torch(), request, request.over)
        kind = "cross" if request.cross else "self"
        cuts = [Ablation(layer, head, kind) for layer, head in request.heads]
        cuts += [Ablation(layer, None, "mlp") for layer in request.mlps]
        return form.answer(handle.ablate(request.text, cuts, request.how, _statement_of(request), request.over))

    return await state.work(ask)


@router.post("/head-outputs", responses=answers(HeadOutputsResponse))
async def head_outputs(request: HeadOutputsRequest, state: StateDep) -> Response:
    """What each head writes where a word stands: how long, in which sub-space, and the head most like it."""
    state.names.check(request.model)
    state.limits.check_many(len(request.texts), "texts")

    def ask() -> Response:
        internals = state.explorer.model(request.model).internals
        model = internals.on_torch(request.stack)
        check_read_tokens(state, model, request.texts, request.target)
        rows = len(request.texts) * len(request.layers or range(model.n_layers)) * model.n_heads
        state.limits.check_numbers(rows * (model.dim + rows), "what the heads write, and their cosines,")
        how = AttentionOptions(request.target, request.stack, request.cross)
        return form.answer(internals.head_outputs(request.word, request.texts, request.layers, how))

    return await state.work(ask)


@router.post("/compare-families", responses=answers(FamiliesResponse))
async def compare_families(request: FamiliesRequest, state: StateDep) -> Response:
    """One sentence's way through models of several families: who looks at whom, where it ends, what is written.

    With `figures` parameters, memory, FLOPs and milliseconds are measured too.
    """
    for name in request.models:
        state.names.check(name)

    def ask() -> Response:
        state.explorer.room.check(request.models)
        for name in request.models:
            model = state.explorer.model(name).internals.on_torch()
            count = check_read_tokens(state, model, [text_for(model, request.text)], None)
            check_passes(state, count * (model.n_layers + 2 + (N_PASSES + 2) * request.figures))
            state.limits.check_numbers(count * count * model.n_heads * model.n_layers, "the attention of this sentence")
        return form.answer(state.explorer.compare_families(request.text, request.models, request.figures))

    return await state.work(ask)


def _direction_of(request: DirectionChoice) -> tuple[list[str] | str, list[str]]:
    """What a direction goes toward, texts or a sum of words, and what it goes away from."""
    texts = bool(request.toward), bool(request.away)
    if request.expression is not None and not any(texts):
        return request.expression, []
    if request.expression is not None or not all(texts):
        raise UserError("give toward and away texts, or an expression, and not both")
    return request.toward, request.away


def _statement_of(request: StatementRequest) -> Statement:
    from polysema.core.inside.steering import Statement

    return Statement(request.k, tuple(request.words), request.max_new_tokens, request.target)


def _check_statement(
    state: ServiceState, model: LanguageModel, request: StatementRequest, others: Sequence[str]
) -> None:
    """Raise `UserError` for what would take too many passes: one for each token that is written, before and after."""
    count = check_read_tokens(state, model, [request.text, *others], request.target)
    new = request.max_new_tokens
    check_passes(state, 2 * (count + new * (count + new)))


def check_passes(state: ServiceState, count: int) -> None:
    """Raise `UserError` for more tokens than all passes of a request may have together."""
    most = 64 * state.settings.max_tokens
    if count > most:
        raise UserError(
            f"that is {count:,} tokens in all passes through the model; a request may have {most:,}: ask for "
            "fewer layers, strengths or new tokens, or a shorter text"
        )
