"""An analogy: its target, the best words by the method, and the evidence beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import AnalogyOptions, SearchOptions, first_rows
from polysema.app.explorer.results import AnalogyAnswer, Evidence, InputRank, MethodAnswer
from polysema.app.explorer.word_lookup import look_up_terms, noted
from polysema.core.errors import UserError
from polysema.core.space.analogy import (
    METHODS,
    OF_PAIRS,
    AnalogyTarget,
    Scoring,
    check_method,
    scoring_of_pairs,
    scorings_of_sum,
    target,
)
from polysema.core.space.expression import Term, parse
from polysema.indexes.base import check_k

if TYPE_CHECKING:
    from polysema.app.explorer.results import Neighbor
    from polysema.app.explorer.space_search import SpaceSearch
    from polysema.app.explorer.word_lookup import WordLookup
    from polysema.core.space.hits import Hits
    from polysema.core.space.lookup import WordMatch
    from polysema.core.space.space import Floats, Ints, Space

METHODS_BESIDE = ("3cosadd", "3cosmul", "pairdirection", "only-b", "ignore-a")
N_BESIDE = 3  # answers of each other method


@dataclass(frozen=True, slots=True)
class AnalogyQuestion:
    """The query of an analogy on a space, with what finds words and rows there."""

    space: Space
    lookup: WordLookup
    search: SpaceSearch
    method: str
    options: AnalogyOptions

    @property
    def search_options(self) -> SearchOptions:
        """How an index is searched for the answers."""
        how = self.options
        return SearchOptions(how.where, how.index, how.recall, how.restrict_vocab)


def scoring_of_pair_question(
    query: AnalogyQuestion, method: str, wanted: AnalogyTarget, pairs: Sequence[tuple[WordMatch, WordMatch]]
) -> Scoring:
    """How a method that learns from example pairs scores words; raises `UserError` for a sum of several words."""
    if len(wanted.found) != 1:
        raise UserError(f"{method} asks about one word, and example pairs say how; got {wanted.expression}")
    return scoring_of_pairs(query.space, method, pairs, wanted.found[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """What was found: the best rows and, with evidence, the best with the words of the question and those by each of
    the methods beside, all in `each`; `how` and with which `recall`; the scores (n,) of all rows, where known.
    """

    each: list[Hits]
    how: str
    recall: float | None
    scores: Floats | None


def answer_analogy(query: AnalogyQuestion, expression: str, k: int) -> AnalogyAnswer:
    """The k best words for an expression, the words of the question left out."""
    options = query.options
    method = query.method if query.method in METHODS else check_method(query.method)
    parsed, k = parse(expression), check_k(k)
    wanted = target(query.space, parsed, look_up_terms(query.lookup, parsed.terms, options.policy))
    pairs = _pairs(query) if options.pairs else []
    known = [pair for pair in pairs if pair[0].known and pair[1].known] if pairs else []
    others = [one for one in METHODS_BESIDE if one != method] if options.evidence else []
    if method in OF_PAIRS:
        scoring = scoring_of_pair_question(query, method, wanted, known)
        beside = scorings_of_sum(None, others, wanted, options.epsilon)
    elif options.pairs:
        raise UserError(f"{method} takes no example pairs; {' and '.join(OF_PAIRS)} do")
    else:
        scoring, *beside = scorings_of_sum(method, others, wanted, options.epsilon)
    words = [*wanted.found, *(found for pair in known for found in pair)]
    vectors = np.stack([f.vector for f in wanted.found])
    hits = _search(query, scoring, beside, words, k)
    near, *named = query.search.named_each(hits.each)
    own = scoring.queries @ vectors.T
    inputs = _input_ranks(wanted, own[0] if scoring.linear else scoring.combine(own), hits.scores)
    evidence = _evidence(beside, named) if options.evidence else None
    return AnalogyAnswer(
        str(wanted.expression),
        near,
        inputs,
        wanted.vector,
        vectors,
        noted(query.space, words),
        method,
        options.policy.describe(),
        evidence,
        tuple(f"{a.word}:{b.word}" for a, b in known) if known else (),
        tuple(a.query + ":" + b.query for a, b in pairs if (a, b) not in known) if pairs else (),
        hits.how,
        hits.recall,
    )


def _pairs(query: AnalogyQuestion) -> list[tuple[WordMatch, WordMatch]]:
    """What the example pairs stand for."""
    terms = [Term(1.0, word) for pair in query.options.pairs for word in pair]
    found = look_up_terms(query.lookup, terms, query.options.policy)
    return list(zip(found[::2], found[1::2], strict=True))


def _search(
    query: AnalogyQuestion, scoring: Scoring, beside: Sequence[Scoring], words: Sequence[WordMatch], k: int
) -> _Hits:
    """The best rows that are none of these words'; with evidence also the best with them, and those by the methods
    beside.
    """
    options, how = query.options, query.search_options
    out = [int(row) for found in words for row in found.rows]
    indexed = query.search.uses_index(how)
    index = query.search.exact(
        None if options.restrict_vocab is None else first_rows(options.restrict_vocab, len(query.space))
    )
    barred = _barred(query, index.n) if options.where else np.empty(0, np.int64)
    rows_out = np.array(out, np.int64)
    left_out = np.union1d(rows_out[rows_out < index.n], barred)
    scores = index.scores(scoring) if options.evidence or len(barred) else None
    recall: float | None = 1.0
    search = "exact" if not indexed else f"exact: no index answers {scoring.method}, which is no one cosine"
    through = query.search.search(scoring.queries, k, how, out) if indexed and scoring.linear else None
    if through is not None:
        rows = through.rows[0][through.rows[0] >= 0]
        found, search, recall = query.search.exact().rescore(rows, k, scoring), through.how, through.recall
    elif scores is None:
        found = index.search_scored(scoring, k, left_out)
    else:
        found = index.best(scores, k, left_out, scoring)
    few = min(N_BESIDE, index.n - len(left_out))
    if not options.evidence or scores is None or not few:
        return _Hits([found], search, recall, scores if options.evidence else None)
    with_inputs = index.best(scores, few, barred, scoring)
    return _Hits([found, with_inputs, *index.best_by_each(beside, few, left_out)], search, recall, scores)


def _barred(query: AnalogyQuestion, n_rows: int) -> Ints:
    """The rows, of the first so many, that a condition on the columns keeps from being answers."""
    if not query.options.where:
        return np.empty(0, np.int64)
    passing = query.search.mask(SearchOptions(query.options.where))
    assert passing is not None
    return np.flatnonzero(~passing[:n_rows])


def _input_ranks(wanted: AnalogyTarget, own: Floats, scores: Floats | None) -> tuple[InputRank, ...]:
    """The words of the question with their own scores (words,), and where they stand among those of all rows (n,)."""
    return tuple(
        [
            InputRank(match.word, weight, _rank(scores, match), float(score), match.how)
            for match, weight, score in zip(wanted.found, wanted.weights, own, strict=True)
        ]
    )


def _evidence(beside: Sequence[Scoring], named: Sequence[tuple[Neighbor, ...]]) -> Evidence:
    """The best with the words of the question, which come first, and those by each method beside; none where no row is
    left.
    """
    if not named:
        return Evidence((), ())
    with_inputs, *others = named
    return Evidence(
        with_inputs, tuple(MethodAnswer(one.method, rows) for one, rows in zip(beside, others, strict=True))
    )


def _rank(scores: Floats | None, found: WordMatch) -> int | None:
    """Where the best row of a word stands among all, from 1; None for an occurrence, which has no row, for a word that
    was not searched, and where the scores of all rows are not known.
    """
    if scores is None:
        return None
    rows = found.rows[found.rows < len(scores)]
    return 1 + int(np.count_nonzero(scores > scores[rows].max())) if len(rows) else None
