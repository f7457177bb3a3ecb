"""OpenAI's protocol: `POST /v1/embeddings` and `GET /v1/models`."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from polysema.app.explorer.results.spaces import model_card, model_cards
from polysema.app.service.bodies import CheckedRoute
from polysema.app.service.dependencies import StateDep
from polysema.app.service.embeddings import EmbeddingBatch, EmbeddingInput, EmbeddingModel
from polysema.app.service.encoding import JSON, answer, dump, encoded, joined
from polysema.app.service.schemas.openai import EmbeddingsRequest, EmbeddingsResponse, ModelResponse, ModelsResponse
from polysema.app.service.schemas.response_model import json as answers
from polysema.core.errors import NotFoundError, UserError
from polysema.core.model.catalog import folder_of, split_layer
from polysema.core.model.model_folder import is_static_embedding
from polysema.core.model.recipe import SentenceOptions
from polysema.core.space.space import Family

router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=CheckedRoute)
MAX_INLINE_VECTORS = 64  # vectors whose answer is written at once
_START = b'{"object":"list","data":['


@router.post("/embeddings", responses=answers(EmbeddingsResponse))
async def embeddings(body: EmbeddingsRequest, state: StateDep, request: Request) -> Response:
    """A vector for each input, as OpenAI answers: the model's own sentence pooling, else the mean of its last layer.

    A name such as minilm-l6@3 takes the mean of the tokens at that layer. `dimensions` keeps the first numbers of each
    vector, scaled to length 1; `prompt`, or the folder's of a `prompt_name`, stands before each text.
    """
    inputs = _inputs(body.input)
    state.limits.check_inputs(inputs, body.model, body.token_ids)
    name, _ = split_layer(body.model)
    row = next((row for row in state.names.rows() if row.name == name), None)
    if row is None or (row.family is Family.STATIC and not is_static_embedding(folder_of(row))):
        names = ", ".join(row.name for row in state.names.rows() if row.family is not Family.STATIC)
        raise NotFoundError(f"there is no model {body.model!r:.80} here; there are: {names}")
    options = SentenceOptions(body.prompt, body.prompt_name, body.dimensions)
    if options.has_prompt and any(isinstance(one, tuple) for one in inputs):
        raise UserError("a prompt stands before texts: with token ids put its ids before the others")
    made = await state.embed(EmbeddingModel(body.model, options), inputs)
    packed = body.encoding_format == "base64"
    parts = joined(_parts(made, body.model, packed))
    if len(inputs) <= MAX_INLINE_VECTORS:
        return Response(b"".join(parts), media_type=JSON)
    return StreamingResponse(parts, media_type=JSON)


def _parts(made: EmbeddingBatch, model: str, packed: bool) -> Iterator[bytes]:
    # row by row: a long answer that is written in one go would keep every other request waiting
    for index, line in enumerate(made.vectors):
        numbers = dump(encoded(line) if packed else line.tolist())
        yield b'%b{"object":"embedding","index":%d,"embedding":%b}' % (b"," if index else _START, index, numbers)
    usage = {"prompt_tokens": made.tokens, "total_tokens": made.tokens}
    yield b'],"model":%b,"usage":%b}' % (dump(model), dump(usage))


def _inputs(given: str | list[str] | list[int] | list[list[int]]) -> list[EmbeddingInput]:
    if isinstance(given, str):
        return [given]
    if isinstance(given[0], int):
        return [tuple(given)]
    return [one if isinstance(one, str) else tuple(one) for one in given]


@router.get("/models", responses=answers(ModelsResponse))
async def models(state: StateDep) -> Response:
    """What has a name, and whether it is here."""
    return answer(model_cards(state.names.rows()))


@router.get("/models/{name}", responses=answers(ModelResponse))
async def model(name: str, state: StateDep) -> Response:
    """One of them."""
    row = next((row for row in state.names.rows() if row.name == name), None)
    if row is None:
        raise NotFoundError(
            f"there is no model {name!r:.80} here; there are: {', '.join(r.name for r in state.names.rows())}"
        )
    return answer(model_card(row))
