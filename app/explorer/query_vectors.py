"""Query vectors: a text's or an occurrence's vector in a space, computed by the model that made the space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer import Explorer, WordSpace
from polysema.core.errors import UserError
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.model_folder import is_static_embedding
from polysema.core.model.recipe import SentenceOptions
from polysema.core.progress import Progress, no_progress
from polysema.core.space.expression import Context, Term
from polysema.core.space.space import Family, Floats, Origin, Space
from polysema.indexes.engines.protocol import View

if TYPE_CHECKING:
    from polysema.core.model.static_embedding import StaticEmbedding


def text_vectors(explorer: Explorer, texts: Sequence[str], space: str | Space | WordSpace) -> Floats:
    """A vector for each text in a contextual space, (n_texts, dim): at the space's layer, the mean of its tokens, or,
    in a space of whole texts, by the space's own pooling; in the table of a static embedding model, as that makes it.

    Raises `UserError` for a space that no model made from texts.
    """
    from polysema.core.model.sentences import embed_sentences

    opened = explorer.space(space)
    table = _static_embedding(explorer, opened.origin)
    if table is not None:
        return table.encode(texts)
    if opened.origin.layer is None or opened.origin.transform != "raw":
        raise UserError(
            f"a text has a vector in a contextual space, such as minilm-l6@6; got {opened.origin.card()}: ask by a word"
        )
    pooling = opened.origin.pooling.partition(" ")[0] if opened.origin.pooling.endswith("of the text") else "mean"
    model = explorer.model(opened.origin.source).model
    made = embed_sentences(model, texts, (opened.origin.layer,), pooling, _as_made(opened.origin))
    if made.empty:
        raise UserError(f"text {made.empty[0] + 1} has no token, so it has no vector")
    found: Floats = made.vectors[0]
    return found


def _static_embedding(explorer: Explorer, origin: Origin) -> StaticEmbedding | None:
    """The static embedding model that a space is the table of, None where it is none's."""
    if origin.family is not Family.STATIC or origin.transform != "raw" or origin.pooling != "input embeddings":
        return None
    from polysema.core.model.static_embedding import open_static_embedding

    found = explorer.names.locate(origin.source)
    return open_static_embedding(found) if is_static_embedding(found.path) else None


def _as_made(origin: Origin) -> SentenceOptions:
    """What a question in the space of a card has to have as its vectors do; the prompt may be another."""
    return SentenceOptions(dimensions=origin.dimensions)


def occurrence(word: str, text: str, nth: int = 1, layer: int | None = None) -> Term:
    """The n-th `word` of a text as a term, at a layer (None: the space's)."""
    return Term(1.0, word, Context(text, layer, nth))


def load_like(origin: Origin, found: ModelLocation | None = None, progress: Progress = no_progress) -> LanguageModel:
    """The model that made the vectors of a card; `found` is where it is, where that is known."""
    return load_model(
        found or origin.source,
        stack=origin.stack or "encoder",
        final_norm=origin.final_norm or "after",
        patient=False,
        bos=bool(origin.beginning),
        progress=progress,
    )


def text_in(
    view: View,
    space: str | None,
    text: str,
    word: str | None,
    load: Callable[[Origin], LanguageModel] = load_like,
) -> Floats:
    """The vector (1, dim) of a text, or of a word in it, by the model, layer and pooling that made a collection's
    space.
    """
    from polysema.core.model.contextual import EmbeddingOptions, embed
    from polysema.core.model.sentences import embed_sentences
    from polysema.core.model.tokens import occurrence_at

    if not view.manifest.spaces and space is None:
        return np.ones((1, 1), np.float32)  # any vector: there is nothing that it could be near to
    origin = view.card(space).origin
    if origin is None or origin.layer is None:
        raise UserError(
            f"the space {view.name(space)} was not made by a model from texts; search it by an id or a vector"
        )
    model = load(origin)
    sentence = origin.pooling.endswith("of the text")
    pooling = origin.pooling.partition(" ")[0]
    if sentence and word is not None:
        raise UserError(f"the space {view.name(space)} is of whole texts; leave out the word")
    if not sentence and word is None:
        raise UserError(f"the space {view.name(space)} is of words in texts; give the word as well")
    model.origin(origin.layer, origin.pooling).require_same(origin)
    if sentence:
        of_texts: Floats = embed_sentences(model, [text], [origin.layer], pooling, _as_made(origin)).vectors[0]
        return of_texts
    place = occurrence_at(text, 0, word, 1, None)
    of_words: Floats = embed(model, [text], [origin.layer], EmbeddingOptions(pooling), [place]).vectors[0]
    return of_words
