"""What stands behind `POST /v1/embeddings`: texts or token ids to one vector each, several requests together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from polysema.core.errors import UserError
from polysema.core.model.catalog import split_layer
from polysema.core.model.recipe import MODULES_FILE, SentenceOptions
from polysema.core.model.tokens import EncodedText

if TYPE_CHECKING:
    from polysema.app.explorer import Explorer
    from polysema.app.service.engine_preparation import EnginePreparation
    from polysema.core.model.load import LanguageModel
    from polysema.core.model.sentences import SentencePlan
    from polysema.core.space.space import Floats

EmbeddingInput = str | tuple[int, ...] | EncodedText
InputT = TypeVar("InputT", bound=EmbeddingInput)
SLICE_TOKENS = 32_768  # tokens that go through a model together: what their states take bounds the memory


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingBatch:
    """The vectors of one request, (n_inputs, dim), and the tokens that were read for them."""

    vectors: Floats
    tokens: int


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """What makes the vectors of a request: requests of the same one go through the model together.

    `name` may have a layer behind it, as in `minilm-l6@3`.
    """

    name: str
    options: SentenceOptions


@dataclass(frozen=True, slots=True)
class Limits:
    """The most tokens of a request, and of one of its inputs."""

    tokens: int
    input_tokens: int


def model_and_layers(name: str, layers: Sequence[int] | None) -> tuple[str, tuple[int, ...]]:
    """A model's name and the layers of a request: those that it gives, that behind the name, or the last."""
    bare, layer = split_layer(name)
    if layer is not None and layers is not None:
        raise UserError(f"a layer stands behind the model's name or in a field of its own, not both; got {name:.80}")
    if layers is not None:
        return bare, tuple(layers)
    return bare, (-1 if layer is None else layer,)


def pooling_of(model: LanguageModel, options: SentenceOptions) -> str:
    """The pooling of a model's sentence vectors: its own where its folder has one or a prompt is given, else the
    mean.
    """
    own = model.path is not None and (model.path / MODULES_FILE).is_file()
    return "own" if own or options.has_prompt else "mean"


def embed_requests(
    explorer: Explorer,
    model: EmbeddingModel,
    requests: Sequence[Sequence[EmbeddingInput]],
    limits: Limits,
    engines: EnginePreparation | None = None,
) -> list[EmbeddingBatch | UserError]:
    """For each request its vectors, or what is wrong with it; all go through the model together, on the engine that
    `engines` have for it.
    """
    from polysema.core.model.sentences import embed_encoded

    if explorer.model(split_layer(model.name)[0]).is_static:
        return [_static_batch(explorer, model, inputs, limits) for inputs in requests]
    plan = _plan(explorer, model, engines, sum(map(len, requests)))
    answers: list[EmbeddingBatch | UserError] = []
    encoded: list[EncodedText] = []
    places: list[tuple[int, int, int, int]] = []
    for read in _read(plan, requests, limits):
        if isinstance(read, UserError):
            answers.append(read)
            continue
        places.append((len(answers), len(encoded), len(encoded) + len(read), sum(map(n_tokens, read))))
        answers.append(UserError(""))
        encoded += read
    if encoded:
        parts = [embed_encoded(plan, part).vectors[0] for part in slices(encoded, len(encoded))]
        vectors = np.concatenate(parts)
        for place, start, stop, count in places:
            answers[place] = EmbeddingBatch(vectors[start:stop], count)
    return answers


def _static_batch(
    explorer: Explorer, model: EmbeddingModel, inputs: Sequence[EmbeddingInput], limits: Limits
) -> EmbeddingBatch | UserError:
    """The vectors of a request by a table of tokens, or what is wrong with it."""
    from polysema.app.explorer.static_texts import StaticTextExplorer

    name, layer = split_layer(model.name)
    handle = explorer.model(name)
    assert isinstance(handle, StaticTextExplorer)
    try:
        if any(not isinstance(one, str) for one in inputs):
            raise UserError(f"{name} is a static space: it reads texts, not token ids")
        texts = [str(one) for one in inputs]
        tokens = sum(map(handle.table.count_tokens, texts))
        if tokens > limits.tokens:
            raise UserError(f"a request may have {limits.tokens:,} tokens in all; got {tokens:,}")
        made = handle.embed(texts, None if layer is None else (layer,), "sentences", options=model.options)
    except UserError as error:
        return error
    return EmbeddingBatch(made.vectors, tokens)


def read_inputs(
    explorer: Explorer, model: EmbeddingModel, inputs: Sequence[EmbeddingInput], limits: Limits
) -> list[EmbeddingInput]:
    """The tokens of a request's inputs, or the texts themselves where a table reads them; raises `UserError` for more
    than it may have, and for an input without any.
    """
    if explorer.model(split_layer(model.name)[0]).is_static:
        return list(inputs)
    (read,) = _read(_plan(explorer, model), [inputs], limits)
    if isinstance(read, UserError):
        raise read
    return list(read)


def slices(encoded: Sequence[InputT], most: int) -> list[Sequence[InputT]]:
    """Texts in their order, at most `most` and `SLICE_TOKENS` tokens at a time (a longer text alone)."""
    found: list[Sequence[InputT]] = []
    start, tokens = 0, 0
    for number, one in enumerate(encoded):
        count = n_tokens(one)
        if number > start and (number - start == most or tokens + count > SLICE_TOKENS):
            found.append(encoded[start:number])
            start, tokens = number, 0
        tokens += count
    return [*found, encoded[start:]]


def n_tokens(read: EmbeddingInput) -> int:
    """The tokens that the model reads for a text: those of every window; of a text as it is at most its characters."""
    return sum(map(len, read.windows)) if isinstance(read, EncodedText) else len(read)


def _plan(
    explorer: Explorer, chosen: EmbeddingModel, engines: EnginePreparation | None = None, n_texts: int = 0
) -> SentencePlan:
    """The model's own recipe, else the mean; at a layer that is named always the mean, so that layers compare."""
    from polysema.core.model.sentences import plan_sentences

    name, layer = split_layer(chosen.name)
    model = explorer.model(name).model
    if engines is not None:
        model = engines.model(name, model, n_texts)
    if layer is not None:
        return plan_sentences(model, (layer,), "mean", chosen.options)
    return plan_sentences(model, (-1,), pooling_of(model, chosen.options), chosen.options)


def _read(
    plan: SentencePlan, requests: Sequence[Sequence[EmbeddingInput]], limits: Limits
) -> Iterator[list[EncodedText] | UserError]:
    """The tokens of each request's inputs, or what is wrong with it; the texts of all are read in one call."""
    texts = iter(plan.encode([one for inputs in requests for one in inputs if isinstance(one, str)]))
    for inputs in requests:
        # every text is taken from the iterator, whatever comes of the request
        given = [next(texts) if isinstance(one, str) else one for one in inputs]
        try:
            read = [plan.model.encode_ids(one) if isinstance(one, tuple) else one for one in given]
            _check(read, limits)
        except UserError as error:
            yield error
        else:
            yield read


def _check(read: Sequence[EncodedText], limits: Limits) -> None:
    counts = [n_tokens(one) for one in read]
    for number, count in enumerate(counts):
        if count > limits.input_tokens:
            raise UserError(
                f"input {number} has {count:,} tokens; an input of a request may have {limits.input_tokens:,} tokens"
            )
        if not len(read[number]):
            raise UserError(f"input {number} has no token, so it has no vector")
    if sum(counts) > limits.tokens:
        raise UserError(f"a request may have {limits.tokens:,} tokens in all; got {sum(counts):,}")
