"""Inside a model: who looks at whom, what its states say, what each part adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.explorer.inside_options import AttentionOptions
from polysema.app.explorer.serialization import to_json
from polysema.app.service import encoding as form
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import ServiceState, StateDep
from polysema.app.service.schemas.inside import (
    AttentionRequest,
    AttentionResponse,
    AttributionRequest,
    AttributionResponse,
    CheckRequest,
    CheckResponse,
    HeadRankingResponse,
    LensRequest,
    LensResponse,
    RankHeadsRequest,
)
from polysema.app.service.schemas.response_model import forms as in_forms
from polysema.app.service.schemas.response_model import json as answers
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.results.inside import AttentionAnswer
    from polysema.core.model.load import LanguageModel

router = APIRouter(prefix="/v1", tags=["inside"], route_class=CheckedRoute)


@router.post("/attention", responses=in_forms(AttentionResponse))
async def attention(body: AttentionRequest, state: StateDep, request: Request) -> Response:
    """Who looks at whom: the weights of one head or of all, at some layers, self or cross, by words or tokens.

    A text that is longer than the model's window is processed in windows. As an Arrow stream there is a row for
    each window, layer, head and row, with the list of its weights; the rest is in its metadata.
    """
    wanted = form.wanted(request)
    state.names.check(body.model)

    def ask() -> Response:
        from polysema.core.inside.architectures import check_head

        how = AttentionOptions(body.target, body.stack, body.cross, body.unit, body.special)
        model = state.explorer.model(body.model).internals.on_torch(how.stack)
        check_read_tokens(state, model, [body.text], body.target)
        head = None if body.head is None else check_head(model, body.head)
        if head is not None and (body.layers is None or len(body.layers) != 1):
            raise UserError("one head is of one layer: give the layer it is in")
        # a pass makes the weights of all heads of a layer, whether one is wanted or each
        found = state.explorer.model(body.model).attention(body.text, body.layers, how, state.settings.max_numbers)
        made = found if head is None else found.of_head(head)
        return _arrow(made) if wanted == form.ARROW else form.answer(made, kind=wanted)

    return await state.work(ask)


def _arrow(found: AttentionAnswer) -> Response:
    tables = []
    for part in found.windows:
        n_rows, n_columns = part.weights.shape[2:]
        layer, head, row = (
            axis.ravel() for axis in np.meshgrid(part.layers, part.heads, np.arange(n_rows), indexing="ij")
        )
        starts = np.arange(0, part.weights.size + 1, n_columns, dtype=np.int32)
        weights = pa.ListArray.from_arrays(pa.array(starts), pa.array(part.weights.ravel()))
        columns = {"window": np.full(len(row), part.window), "layer": layer, "head": head, "row": row}
        tables.append(
            pa.table({**{name: pa.array(one, pa.int32()) for name, one in columns.items()}, "weights": weights})
        )
    beside = [to_json(replace(part, weights=part.weights[:0]), without=("weights",)) for part in found.windows]
    heads = list(found.windows[0].heads)
    return form.arrow(pa.concat_tables(tables), {"model": found.model, "heads": heads, "windows": beside})


@router.post("/find-heads", responses=answers(HeadRankingResponse))
async def find_heads(request: RankHeadsRequest, state: StateDep) -> Response:
    """The heads in which the first word of each pair looks most at the second, over all the texts."""
    state.names.check(request.model)
    state.limits.check_many(len(request.texts), "texts")

    def ask() -> Response:
        how = AttentionOptions(request.target, request.stack, request.cross, request.unit, request.special)
        check_read_tokens(
            state, state.explorer.model(request.model).internals.on_torch(how.stack), request.texts, request.target
        )
        pairs = [(a, b) for a, b in request.pairs]
        found = state.explorer.model(request.model).rank_heads(pairs, request.texts, request.layers, how)
        return form.answer(replace(found, scores=found.scores[: request.k]))

    return await state.work(ask)


@router.post("/lens", responses=in_forms(LensResponse, arrow=False))
async def lens(body: LensRequest, state: StateDep, request: Request) -> Response:
    """What the model would say if it stopped at a layer: of every token of a text, or of one (`at`)."""
    wanted = form.wanted(request, (form.JSON, form.BASE64))
    state.names.check(body.model)

    def ask() -> Response:
        from polysema.core.inside.lens import LensView, place_among

        how = AttentionOptions(body.target, body.stack)
        model = state.explorer.model(body.model).internals.on_torch(how.stack)
        n_tokens = check_read_tokens(state, model, [body.text], body.target)
        steps = (len(body.layers) if body.layers else model.n_layers + 1) * len(body.points)
        state.limits.check_numbers(steps * (n_tokens + 2) * (2 * body.k + 2 * len(body.words) + 1), "this lens")
        decisive = body.at if body.forms_at is None else body.forms_at
        view = LensView(tuple(body.points), body.k, body.kind, decisive)
        found = state.explorer.model(body.model).lens(body.text, body.layers, body.words, view, how)
        if body.at is not None:
            found = found.at_token(place_among(model, found, body.at))
        return form.answer(found, kind=wanted)

    return await state.work(ask)


@router.post("/attribution", responses=answers(AttributionResponse))
@router.post("/contributions", responses=answers(AttributionResponse), deprecated=True)
async def attribution(request: AttributionRequest, state: StateDep) -> Response:
    """What each head, each MLP, the embedding and each bias adds to the logit of a word: the parts add up to it."""
    state.names.check(request.model)

    def ask() -> Response:
        how = AttentionOptions(request.target, request.stack)
        model = state.explorer.model(request.model).internals.on_torch(how.stack)
        count = check_read_tokens(state, model, [request.text], request.target)
        parts = 2 * model.n_layers * model.dim  # of each token what attention and MLP add at every layer
        state.limits.check_numbers(count * parts, "the states that are taken apart")
        found = state.explorer.model(request.model).attribution(
            request.text, request.word, request.against, request.at, how
        )
        return form.answer(found)

    return await state.work(ask)


@router.post("/check", responses=answers(CheckResponse))
async def check(request: CheckRequest, state: StateDep) -> Response:
    """What is seen inside a model, tested against plain transformers: once for its content, and `anew` on request."""
    state.names.check(request.model)
    return await state.work(lambda: form.answer(state.explorer.model(request.model).internals.check(request.anew)))


def check_read_tokens(state: ServiceState, model: LanguageModel, texts: Sequence[str], target: str | None) -> int:
    """How many tokens are read; raises `UserError` for more than a request may have."""
    count = state.limits.check_tokens(model, texts)
    if target is not None and model.reads_two:
        most = state.settings.max_tokens
        count = sum(len(of) for of in model.encode_targets([target]))
        if count > most:
            raise UserError(f"a request may have {most:,} tokens in all; got {count:,}")
    return count
