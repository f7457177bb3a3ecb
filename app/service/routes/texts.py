"""Words in texts: compared layer by layer, and embedded at any layer. Attention and the lens will stand here too."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from polysema.app.service import vectors as form
from polysema.app.service.asked import CompareAsked, EmbedAsked
from polysema.app.service.state import State, The
from polysema.core.errors import UserError
from polysema.core.model.contextual import embed, occurrence_table, word_vectors
from polysema.core.model.sentences import embed_sentences

router = APIRouter(prefix="/v1", tags=["texts"])


@router.post("/compare")
async def compare(asked: CompareAsked, state: The) -> Response:
    """A word in several texts, layer by layer, beside its static vector and the layer's random-pair baseline."""
    state.known(asked.model)

    def ask() -> Response:
        state.check_tokens(state.explorer.model(asked.model), asked.texts)
        found = state.explorer.compare(asked.word, asked.texts, asked.model, asked.layers, asked.pooling)
        return form.answer(
            {
                "word": found.word, "layers": [asdict(layer) for layer in found.layers], "pieces": found.pieces,
                "split": list(found.split), "origin": found.origin.to_json(),
            }
        )  # fmt: skip

    return await state.work(ask)


@router.post("/embed", responses=form.RESPONSES)
async def embed_texts(asked: EmbedAsked, state: The, request: Request) -> Response:
    """The vectors of words, of one word, of tokens or of whole texts, at any layers: a row for each layer and place."""
    wanted = form.wanted(request)
    state.known(asked.model)
    state.check_many(len(asked.texts), "texts")
    return await state.work(lambda: _embedded(asked, state, wanted))


def _embedded(asked: EmbedAsked, state: State, wanted: str) -> Response:
    model = state.explorer.model(asked.model)
    state.check_tokens(model, asked.texts)
    layers = model.check_layers(asked.layers)
    if asked.unit == "sentences":
        if asked.word is not None:
            raise UserError("sentences are whole texts; leave out the word, or ask for the unit words")
        made = embed_sentences(model, asked.texts, layers, asked.pooling)
        tables = [
            pa.table(
                {
                    "text_id": pa.array(range(len(asked.texts))),
                    "layer": pa.array([layer] * len(asked.texts), pa.int16()),
                }
            )
            for layer in layers
        ]
        return _answer(wanted, tables, made.vectors, made.origin.to_json(), made.split)
    if asked.word is not None:
        if asked.unit != "words":
            raise UserError("a word is asked for with the unit words")
        hidden = word_vectors(model, asked.word, asked.texts, layers, asked.pooling)
    else:
        hidden = embed(model, asked.texts, layers, asked.pooling, unit=asked.unit)
    tables = [occurrence_table(hidden.occurrences, layer) for layer in layers]
    return _answer(wanted, tables, hidden.vectors, hidden.origin.to_json(), hidden.split)


def _answer(
    wanted: str, tables: list[pa.Table], vectors: Any, origin: dict[str, Any], split: tuple[int, ...]
) -> Response:
    flat = vectors.reshape(-1, vectors.shape[-1])  # (n_layers * n, dim), layer after layer
    return form.rows_answer(wanted, pa.concat_tables(tables), flat, {"origin": origin, "split": list(split)})
