"""The nearest words of a word or an occurrence, and the nearest rows of vectors and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.app.explorer.options import OCCURRENCE_FORM, SearchOptions, listed_texts
from polysema.app.explorer.results import NeighborAnswer, NeighborAnswers, QueryNeighbors
from polysema.core.space.analogy import by_cosine
from polysema.core.space.expression import Term, parse
from polysema.core.space.lookup import Policy
from polysema.indexes.base import check_k, checked

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.word_space import WordSpace


def answer_neighbors(
    words: WordSpace, word: str | Term, k: int, policy: Policy, search: SearchOptions
) -> NeighborAnswer:
    """The k words nearest to a word by cosine, the word itself left out."""
    if isinstance(word, Term):
        term, word = word, str(word)
    else:
        term = parse(word).terms[0] if OCCURRENCE_FORM.search(word) else Term(1.0, word)
    found = words.lookup.resolver(policy)(term)
    if not found.known:
        raise words.space.unknown(term.word)
    origin = words.origin.with_notes(*found.notes)
    check_k(k)
    if plain := search == SearchOptions() and not words.search.uses_index(search):
        hits = words.index.search_scored(by_cosine("neighbors", found.vector), k, found.rows)
    else:
        hits = words.search.search(found.vector[None], k, search, found.rows.tolist())
    how = ("exact", 1.0) if plain else (hits.how, hits.recall)
    near = words.search.named(hits)
    return NeighborAnswer(word, found.word, near, origin, found.how, policy.describe(), *how)


def answer_nearest(
    words: WordSpace, explorer: Explorer, queries: npt.ArrayLike | Sequence[str], k: int, search: SearchOptions
) -> NeighborAnswers:
    """The k rows nearest to each of several vectors (n_queries, dim), or texts, which the space's model embeds."""
    texts = listed_texts(queries)
    if texts is None:
        vectors = checked(queries, words.dim, "vectors")
    else:
        from polysema.app.explorer.query_vectors import text_vectors

        vectors = text_vectors(explorer, texts, words)
    labels, policy = texts or [""] * len(vectors), Policy().describe()
    if not len(words):
        return NeighborAnswers(
            words.origin, policy, tuple(QueryNeighbors((), one, search="exact", recall=1.0) for one in labels)
        )
    hits = words.search.search(vectors, k, search)
    found = (words.search.named(hits, query) for query in range(len(vectors)))
    rows = (
        QueryNeighbors(near, one, search=hits.how, recall=hits.recall) for near, one in zip(found, labels, strict=True)
    )
    return NeighborAnswers(words.origin, policy, tuple(rows))
