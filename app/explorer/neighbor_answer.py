"""The nearest words of a word or an occurrence, and the nearest rows of vectors and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import OCCURRENCE_FORM, SearchOptions, listed_texts
from polysema.app.explorer.results import NeighborAnswer, NeighborAnswers, QueryNeighbors
from polysema.core.space.analogy import by_cosine
from polysema.core.space.expression import Term, parse
from polysema.core.space.hits import Hits
from polysema.core.space.lookup import Policy, WordMatch
from polysema.indexes.base import check_k, checked
from polysema.indexes.exact_batch import search_each

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.word_space import WordSpace


def answer_neighbors(
    words: WordSpace, word: str | Term, k: int, policy: Policy, search: SearchOptions
) -> NeighborAnswer:
    """The k words nearest to a word by cosine, the word itself left out."""
    query, found = _looked_up(words, word, policy)
    check_k(k)
    if plain := _is_plain(words, search):
        hits = words.index.search_scored(by_cosine("neighbors", found.vector), k, found.rows)
    else:
        hits = words.search.search(found.vector[None], k, search, found.rows.tolist())
    return _answer(words, query, found, policy, hits, plain)


def answer_neighbors_of_each(
    words: WordSpace, given: Sequence[str | Term], k: int, policy: Policy, search: SearchOptions
) -> list[NeighborAnswer]:
    """As `answer_neighbors` for each of several words, which are searched for together where all rows are compared."""
    if not given or not _is_plain(words, search):
        return [answer_neighbors(words, one, k, policy, search) for one in given]
    queries = [_looked_up(words, one, policy) for one in given]
    vectors = np.stack([found.vector for _, found in queries])
    each = search_each(words.index, vectors, k, [np.unique(found.rows) for _, found in queries])
    return [_answer(words, *query, policy, hits, True) for query, hits in zip(queries, each, strict=True)]


def _is_plain(words: WordSpace, search: SearchOptions) -> bool:
    """Whether every row is compared."""
    return search == SearchOptions() and not words.search.uses_index(search)


def _looked_up(words: WordSpace, word: str | Term, policy: Policy) -> tuple[str, WordMatch]:
    """A question as it was given, and what it stands for; raises `UnknownWordError`."""
    if isinstance(word, Term):
        term, word = word, str(word)
    else:
        term = parse(word).terms[0] if OCCURRENCE_FORM.search(word) else Term(1.0, word)
    found = words.lookup.resolver(policy)(term)
    if not found.known:
        raise words.space.unknown(term.word)
    return word, found


def _answer(words: WordSpace, query: str, found: WordMatch, policy: Policy, hits: Hits, plain: bool) -> NeighborAnswer:
    how = ("exact", 1.0) if plain else (hits.how, hits.recall)
    origin = words.origin.with_notes(*found.notes)
    return NeighborAnswer(query, found.word, words.search.named(hits), origin, found.how, policy.describe(), *how)


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
