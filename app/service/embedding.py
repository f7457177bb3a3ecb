"""What stands behind `POST /v1/embeddings`: texts or token ids to one vector each, several requests together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer import Explorer
    from polysema.core.model.load import LanguageModel
    from polysema.core.model.tokens import Encoded
    from polysema.core.space.space import Floats

Input = str | tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The vectors of one request, (n_inputs, dim), and the tokens that were read for them."""

    vectors: Floats
    tokens: int


def pooling_of(model: LanguageModel) -> str:
    """The pooling of a model's sentence vectors: its own where its folder has one, else the mean."""
    return "own" if model.path is not None and (model.path / "modules.json").is_file() else "mean"


def embed_requests(
    explorer: Explorer, name: str, requests: Sequence[Sequence[Input]], max_tokens: int
) -> list[Embedded | UserError]:
    """For each request its vectors, or what is wrong with it; one forward pass for all of them."""
    from polysema.core.model.sentences import embed_encoded, sentence_model

    model = explorer.model(name)
    pooling = pooling_of(model)
    reader = sentence_model(model, pooling)
    answers: list[Embedded | UserError] = []
    encoded: list[Encoded] = []
    places: list[tuple[int, int, int, int]] = []
    texts = iter(reader.encode([one for inputs in requests for one in inputs if isinstance(one, str)]))
    for inputs in requests:
        # every text is taken from the iterator, whatever comes of the request
        try_of = [next(texts) if isinstance(one, str) else one for one in inputs]
        try:
            mine = [reader.encode_ids(one) if isinstance(one, tuple) else one for one in try_of]
        except UserError as error:
            answers.append(error)
            continue
        count = sum(len(window) for of in mine for window in of.windows)
        if count > max_tokens:
            answers.append(UserError(f"a request may have {max_tokens:,} tokens in all; got {count:,}"))
            continue
        empty = next((number for number, of in enumerate(mine) if not len(of)), None)
        if empty is not None:
            answers.append(UserError(f"input {empty} has no token, so it has no vector"))
            continue
        places.append((len(answers), len(encoded), len(encoded) + len(mine), count))
        answers.append(UserError(""))
        encoded += mine
    if encoded:
        vectors = embed_encoded(reader, encoded, (-1,), pooling).vectors[0]
        for place, start, stop, count in places:
            answers[place] = Embedded(vectors[start:stop], count)
    return answers
