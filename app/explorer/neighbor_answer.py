"""The nearest words of a word, or of an occurrence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polysema.app.explorer.options import OCCURRENCE_FORM, SearchOptions
from polysema.app.explorer.results import NeighborAnswer
from polysema.core.space.analogy import by_cosine
from polysema.core.space.expression import Term, parse
from polysema.indexes.base import check_k

if TYPE_CHECKING:
    from polysema.app.explorer.word_space import WordSpace
    from polysema.core.space.lookup import Policy


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
