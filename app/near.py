"""Neighbours by vector, by text, by occurrence and under a condition: the explorer's spaces, asked in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from polysema.app.explorer import DEFAULT_SPACE, Explorer
from polysema.app.schemas import Neighbour, NeighbourAnswer
from polysema.core.errors import UserError
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.space.expression import Context, Term
from polysema.core.space.hits import Hits
from polysema.core.space.policy import Policy
from polysema.core.space.space import Floats, Origin, Space
from polysema.indexes.base import Mask, checked
from polysema.indexes.filters import parse
from polysema.indexes.store.view import View


def of_terms(
    explorer: Explorer, terms: Sequence[Term], space: str | Space = DEFAULT_SPACE, k: int = 10,
    policy: Policy | None = None, where: str | None = None,
) -> tuple[NeighbourAnswer, ...]:  # fmt: skip
    """The k nearest rows of each word or occurrence that pass the condition `where`, its own rows left out.

    Without a condition a word's answer is that of `Explorer.neighbors`. Raises what that raises.
    """
    held, chosen = (space if isinstance(space, Space) else explorer.space(space)), policy or Policy()
    mask, resolve, answers = _mask(held, where), explorer.look_up(held, chosen), []
    for term in terms:
        if mask is None and term.context is None:
            answers.append(explorer.neighbors(term.word, held, k, chosen))
            continue
        found = resolve(term)
        if not found.known:
            raise held.unknown(term.word)
        hits = explorer.index(held).search(found.vector[None], k, found.rows.tolist(), where=mask)
        answers.append(
            NeighbourAnswer(str(term), found.word, _named(held, hits, 0), held.origin, found.how, chosen.describe())
        )
    return tuple(answers)


def of_vectors(
    explorer: Explorer, vectors: npt.ArrayLike, space: str | Space = DEFAULT_SPACE, k: int = 10,
    where: str | None = None,
) -> tuple[tuple[Neighbour, ...], ...]:  # fmt: skip
    """The k nearest rows to each vector, (n_queries, dim), that pass the condition; fewer where fewer pass."""
    held = space if isinstance(space, Space) else explorer.space(space)
    queries = checked(vectors, held.dim, "vectors")
    hits = explorer.index(held).search(queries, k, where=_mask(held, where))
    return tuple(_named(held, hits, query) for query in range(len(queries)))


def text_vectors(explorer: Explorer, texts: Sequence[str], space: str | Space) -> Floats:
    """A vector for each text in a contextual space: the mean of its tokens at the space's layer, (n_texts, dim).

    Raises `UserError` for a space that no model made from texts.
    """
    from polysema.core.model.sentences import embed_sentences

    held = space if isinstance(space, Space) else explorer.space(space)
    if held.origin.layer is None or held.origin.transform != "raw":
        raise UserError(
            f"a text has a vector in a contextual space, such as minilm-l6@6; got {held.origin.card()}: ask by a word"
        )
    made = embed_sentences(explorer.model(held.origin.source), texts, (held.origin.layer,), "mean")
    if made.empty:
        raise UserError(f"text {made.empty[0] + 1} has no token, so it has no vector")
    return made.vectors[0]


def occurrence(word: str, text: str, nth: int = 1, layer: int | None = None) -> Term:
    """The n-th `word` of a text as a term, at a layer (None: the space's)."""
    return Term(1.0, word, Context(text, layer, nth))


def load_like(origin: Origin) -> LanguageModel:
    """The model that made the vectors of a card."""
    return load_model(
        origin.source, stack=origin.stack or "encoder", final_norm=origin.final_norm or "after", patient=False
    )


def text_in(
    view: View, space: str | None, text: str, word: str | None, load: Callable[[Origin], LanguageModel] = load_like
) -> Floats:
    """The vector (1, dim) of a text, or of a word in it, by the model, layer and pooling that made a collection's space."""
    from polysema.core.model.contextual import embed
    from polysema.core.model.sentences import embed_sentences
    from polysema.core.model.tokens import occurrence_at

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
        return embed_sentences(model, [text], [origin.layer], pooling).vectors[0]
    return embed(model, [text], [origin.layer], pooling, [occurrence_at(text, 0, word, 1, None)]).vectors[0]


def _mask(space: Space, where: str | None) -> Mask | None:
    if where is None:
        return None
    if space.columns is None:
        raise UserError(f"{space.origin.source} has no columns to filter by; contextual spaces have (minilm-l6@6)")
    return parse(where).mask_of(space.columns)


def _named(space: Space, hits: Hits, query: int) -> tuple[Neighbour, ...]:
    there = hits.rows[query] >= 0
    rows, scores = hits.rows[query][there], hits.scores[query][there]
    texts = [""] * len(rows)
    if space.columns is not None and "text" in space.columns.column_names:
        texts = space.columns.column("text").take(np.asarray(rows)).to_pylist()
    found = zip(space.keys.take(rows), scores, rows, texts, strict=True)
    return tuple(
        Neighbour(rank, key, float(score), int(row), text) for rank, (key, score, row, text) in enumerate(found, 1)
    )
