"""What a model writes, whole or step by step, what it fills a gap with, and which sentence follows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, format_sse_event

from polysema.app.explorer.serialization import to_json
from polysema.app.service import encoding as form
from polysema.app.service.dependencies import ServiceState, StateDep
from polysema.app.service.routes.inside import check_read_tokens
from polysema.app.service.routes.interventions import check_passes
from polysema.app.service.schemas.generation import (
    FilledResponse,
    FillMaskRequest,
    GeneratedResponse,
    GenerateRequest,
    NextSentenceRequest,
    NextSentenceResponse,
)
from polysema.app.service.schemas.response_model import Responses
from polysema.app.service.schemas.response_model import json as answers
from polysema.core.errors import UserError
from polysema.core.inside.generation_results import GeneratedText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polysema.core.inside.generation_results import GenerationStep

    Steps = Iterator[GenerationStep | GeneratedText]

router = APIRouter(prefix="/v1", tags=["inside"])
EVENTS = "text/event-stream"
CANDIDATE_NUMBERS = 48  # four bytes each: what one takes in memory until the answer is written


def _or_events(found: Responses) -> Responses:
    """An answer that also comes step by step."""
    found[200]["content"] = {EVENTS: {"schema": {"type": "string"}}}
    return found


@router.post("/generate", responses=_or_events(answers(GeneratedResponse)))
async def generate(body: GenerateRequest, state: StateDep, request: Request) -> Response:
    """What a decoder writes after a text, or an encoder-decoder for it, token by token, and how sure it is of each.

    The same tokens as `transformers` writes: greedy, drawn by a seed, or by beam search. With `Accept:
    text/event-stream` each step is an event as soon as it is there.
    """
    wanted = form.wanted(request, (form.JSON, EVENTS))
    state.names.check(body.model)

    def begin() -> Steps:
        from polysema.core.inside.next_token import kept_numbers

        handle = state.explorer.model(body.model).generation
        model = handle.on_torch()
        count = check_read_tokens(state, model, [body.text], None)
        check_passes(state, count + body.max_new_tokens * body.num_beams)
        candidates = body.max_new_tokens * body.k * body.num_beams
        state.limits.check_numbers(CANDIDATE_NUMBERS * candidates, "these candidates")
        if body.num_beams > 1:
            kept = kept_numbers(model, count + body.max_new_tokens, body.num_beams)
            state.limits.check_numbers(kept, "the keys and values of these beams")
        looks = body.cross_attention and wanted == EVENTS
        return handle.stream(body.text, body.max_new_tokens, body.k, body.options, looks)

    if wanted == EVENTS:
        steps = await state.work(begin)
        return EventSourceResponse(_events(state, steps), headers={"Cache-Control": "no-cache"})
    return await state.work(lambda: form.answer(_last(begin())))


def _last(steps: Steps) -> GeneratedText:
    *_, found = steps
    assert isinstance(found, GeneratedText)
    return found


async def _events(state: ServiceState, steps: Steps) -> AsyncIterator[bytes]:
    """Each step as an event, each worked on in its turn among other requests; nothing is worked on for nobody."""
    try:
        while (found := await state.gate.run(lambda: next(steps, None), True)) is not None:
            name = "end" if isinstance(found, GeneratedText) else "step"
            yield format_sse_event(data_str=json.dumps(to_json(found)), event=name)
    except UserError as error:
        content = {"error": {"code": error.code, "message": str(error)}}
        yield format_sse_event(data_str=json.dumps(content), event="error")


@router.post("/fill-mask", responses=answers(FilledResponse))
async def fill_mask(request: FillMaskRequest, state: StateDep) -> Response:
    """The words that a masked encoder would put into the gaps of a text, and the static neighbors of the best."""
    state.names.check(request.model)
    if request.space:
        state.names.check_space(request.space)

    def ask() -> Response:
        handle = state.explorer.model(request.model).generation
        count = check_read_tokens(state, handle.on_torch(), [request.text], None)
        state.limits.check_k(request.k)
        check_passes(state, 2 * request.k * count * request.max_pieces)
        return form.answer(handle.fill(request.text, request.k, request.max_pieces, request.space))

    return await state.work(ask)


@router.post("/next-sentence", responses=answers(NextSentenceResponse))
async def next_sentence(request: NextSentenceRequest, state: StateDep) -> Response:
    """How probable a model finds it that one sentence follows another, by its next-sentence head."""
    state.names.check(request.model)

    def ask() -> Response:
        handle = state.explorer.model(request.model).generation
        check_read_tokens(state, handle.on_torch(), [request.first, request.second], None)
        return form.answer(handle.next_sentence(request.first, request.second))

    return await state.work(ask)
