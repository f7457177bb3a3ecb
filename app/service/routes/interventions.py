"""Inside a model, changed: a direction added, heads taken out; what flows up to a layer, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.explorer.inside_options import AttentionOptions, given, text_for
from polysema.app.explorer.results.inside import AttentionAnswer, FamiliesAnswer, SweepAnswer, head_table
from polysema.app.service import encoding as form
from polysema.app.service.dependencies import ServiceState, StateDep
from polysema.app.service.routes.inside import check_read_tokens
from polysema.app.service.schemas.inside import AttentionResponse
from polysema.app.service.schemas.interventions import (
    AblateRequest,
    ChangedResponse,
    DirectionChoice,
    FamiliesRequest,
    FamiliesResponse,
    GeneratedResponse,
    GenerateRequest,
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

if TYPE_CHECKING:
    from polysema.core.inside.directions import Direction
    from polysema.core.model.load import LanguageModel

router = APIRouter(prefix="/v1", tags=["inside"])


@router.post("/rollout", responses=in_forms(AttentionResponse, arrow=False))
async def rollout(body: RolloutRequest, state: StateDep, request: Request) -> Response:
    """What flows from word to word up to a layer (Abnar and Zuidema 2020): as attention with one layer and one head."""
    wanted = form.wanted(request, (form.JSON, form.BASE64))
    state.known(body.model)

    def ask() -> Response:
        from polysema.core.inside.attention import rollout as run

        how = AttentionOptions(body.target, body.stack, False, body.unit, body.special)
        model = state.explorer.model(body.model).internals.on_torch(how.stack)
        count = check_read_tokens(state, model, [body.text], body.target)
        window = min(count, model.window)
        state.check_numbers(model.n_heads * window * count, "the attention that this goes through")
        query, source = given(model, body.text, body.target)
        found = run(model, query, body.layer, source, how.view(model))
        return form.answer(AttentionAnswer.of(body.model, found), kind=wanted)

    return await state.work(ask)


@router.post("/steer", responses=answers(ChangedResponse))
async def steer(request: SteerRequest, state: StateDep) -> Response:
    """What a model says before and after a direction is added to its hidden states at a layer."""
    state.known(request.model)

    def ask() -> Response:
        from polysema.core.inside.steering import ALL_POSITIONS, Statement, Steer
        from polysema.core.inside.steering import steer as run

        model = state.explorer.model(request.model).internals.on_torch()
        _check_statement(state, model, request, (*request.toward, *request.away))
        middle = model.n_layers // 2 if request.layer is None else request.layer
        (direction,) = _directions(model, request, model.check_layers([middle]))
        query, source = given(model, request.text, request.target)
        how = Steer(request.strength, ALL_POSITIONS if request.at is None else request.at)
        say = Statement(request.k, tuple(request.words), request.max_new_tokens)
        return form.answer(run(model, query, direction, how, say, source))

    return await state.work(ask)


@router.post("/sweep", responses=answers(SweepResponse))
async def sweep(request: SweepRequest, state: StateDep) -> Response:
    """The next word for each of several strengths of a direction at each of several layers."""
    state.known(request.model)

    def ask() -> Response:
        from polysema.core.inside.steering import Statement
        from polysema.core.inside.steering import sweep as run

        model = state.explorer.model(request.model).internals.on_torch()
        layers = model.check_layers(request.layers or range(model.n_layers + 1))
        count = check_read_tokens(state, model, [request.text, *request.toward, *request.away], request.target)
        _check_passes(state, 2 * count * len(layers) * len(request.strengths))
        query, source = given(model, request.text, request.target)
        directions = _directions(model, request, layers)
        rows = run(model, query, directions, request.strengths, Statement(1, tuple(request.words), 0), source)
        return form.answer(SweepAnswer(rows))

    return await state.work(ask)


@router.post("/ablate", responses=answers(ChangedResponse))
async def ablate(request: AblateRequest, state: StateDep) -> Response:
    """What a model says before and after heads or MLPs are set to zero, or to their mean."""
    state.known(request.model)

    def ask() -> Response:
        from polysema.core.inside.ablation import Ablation
        from polysema.core.inside.ablation import ablate as run
        from polysema.core.inside.steering import Statement

        model = state.explorer.model(request.model).internals.on_torch()
        _check_statement(state, model, request, request.over)
        kind = "cross" if request.cross else "self"
        cuts = [Ablation(layer, head, kind) for layer, head in request.heads]
        cuts += [Ablation(layer, None, "mlp") for layer in request.mlps]
        query, source = given(model, request.text, request.target)
        say = Statement(request.k, tuple(request.words), request.max_new_tokens)
        return form.answer(run(model, query, cuts, request.how, say, source, request.over))

    return await state.work(ask)


@router.post("/head-outputs", responses=answers(HeadOutputsResponse))
async def head_outputs(request: HeadOutputsRequest, state: StateDep) -> Response:
    """What each head writes where a word stands: how long, in which sub-space, and the head most like it."""
    state.known(request.model)
    state.check_many(len(request.texts), "texts")

    def ask() -> Response:
        from polysema.core.inside.head_outputs import head_outputs as run
        from polysema.core.inside.hooks import one_reading

        model = state.explorer.model(request.model).internals.on_torch(request.stack)
        check_read_tokens(state, model, request.texts, request.target)
        rows = len(request.texts) * len(request.layers or range(model.n_layers)) * model.n_heads
        state.check_numbers(rows * (model.dim + rows), "what the heads write, and their cosines,")
        both = [given(model, text, request.target) for text in request.texts]
        written, sources = request.texts, None
        if model.reads_two:
            written, sources = [one_reading(model, query, source).text for query, source in both], request.texts
        kind = "cross" if request.cross else "self"
        words = [request.word] * len(written)
        space = run(model, written, words, request.layers, sources, kind)
        return form.answer(head_table(model, request.word, space, kind))

    return await state.work(ask)


@router.post("/compare-families", responses=answers(FamiliesResponse))
async def compare_families(request: FamiliesRequest, state: StateDep) -> Response:
    """One sentence's way through models of several families: who looks at whom, where it ends, what is written."""
    for name in request.models:
        state.known(name)

    def ask() -> Response:
        from polysema.core.inside.families import compare_families

        models = [state.explorer.model(name).internals.on_torch() for name in request.models]
        texts = [text_for(model, request.text) for model in models]
        for model, text in zip(models, texts, strict=True):
            count = check_read_tokens(state, model, [text], None)
            _check_passes(state, count * (model.n_layers + 2))
            state.check_numbers(count * count * model.n_heads * model.n_layers, "the attention of this sentence")
        return form.answer(FamiliesAnswer(compare_families(models, texts)))

    return await state.work(ask)


@router.post("/generate", responses=answers(GeneratedResponse))
async def generate(request: GenerateRequest, state: StateDep) -> Response:
    """What a decoder writes after a text, or an encoder-decoder for it, token by token, and how sure it is of each."""
    state.known(request.model)

    def ask() -> Response:
        from polysema.core.inside.generation import write

        model = state.explorer.model(request.model).internals.on_torch()
        count = check_read_tokens(state, model, [request.text], None)
        _check_passes(state, count + request.max_new_tokens)
        state.check_numbers(request.max_new_tokens * request.k, "these candidates")
        return form.answer(write(model, request.text, request.max_new_tokens, request.k))

    return await state.work(ask)


def _directions(model: LanguageModel, request: DirectionChoice, layers: Sequence[int]) -> list[Direction]:
    from polysema.core.inside.directions import concepts, expression_direction

    texts = bool(request.toward), bool(request.away)
    if request.expression is not None and not any(texts):
        return [expression_direction(model, request.expression, layer) for layer in layers]
    if request.expression is not None or not all(texts):
        raise UserError("give toward and away texts, or an expression, and not both")
    return list(concepts(model, request.toward, request.away, layers).values())


def _check_statement(
    state: ServiceState, model: LanguageModel, request: StatementRequest, others: Sequence[str]
) -> None:
    """Raise `UserError` for what would take too many passes: one for each token that is written, before and after."""
    count = check_read_tokens(state, model, [request.text, *others], request.target)
    new = request.max_new_tokens
    _check_passes(state, 2 * (count + new * (count + new)))


def _check_passes(state: ServiceState, count: int) -> None:
    """Raise `UserError` for more tokens than all passes of a request may have together."""
    most = 64 * state.settings.max_tokens
    if count > most:
        raise UserError(
            f"that is {count:,} tokens in all passes through the model; a request may have {most:,}: ask for "
            "fewer layers, strengths or new tokens, or a shorter text"
        )
