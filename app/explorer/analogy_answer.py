"""An analogy: its target, the best words by the method, and the evidence beside them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import AnalogyOptions, SearchOptions, first_rows
from polysema.app.explorer.results import AnalogyAnswer, Evidence, InputRank, MethodAnswer
from polysema.app.explorer.word_lookup import noted
from polysema.core.errors import UserError
from polysema.core.space.analogy import (
    OF_A_SUM,
    OF_PAIRS,
    AnalogyTarget,
    Scoring,
    scoring_of_pairs,
    target,
    three_cos_mul,
)
from polysema.core.space.expression import Term, parse
from polysema.indexes.base import check_k

if TYPE_CHECKING:
    from polysema.app.explorer.space_search import SpaceSearch
    from polysema.app.explorer.word_lookup import WordLookup
    from polysema.core.space.lookup import WordMatch
    from polysema.core.space.space import Floats, Ints, Space
    from polysema.indexes.exact import ExactIndex

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

    def scoring(self, method: str, wanted: AnalogyTarget, pairs: Sequence[tuple[WordMatch, WordMatch]]) -> Scoring:
        """How a method scores words; raises `UserError` where the question isn't of its form."""
        if method in OF_PAIRS:
            if len(wanted.found) != 1:
                raise UserError(f"{method} asks about one word, and example pairs say how; got {wanted.expression}")
            return scoring_of_pairs(self.space, method, pairs, wanted.found[0])
        if self.options.pairs and method == self.method:
            raise UserError(f"{method} takes no example pairs; {' and '.join(OF_PAIRS)} do")
        if method == "3cosmul":
            return three_cos_mul(wanted, self.options.epsilon)
        return OF_A_SUM[method](wanted)


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """The scores (n,) of the rows that were gone through, those that are left out, and those that a condition bars."""

    index: ExactIndex
    scores: Floats
    left_out: Ints
    barred: Ints


def answer_analogy(query: AnalogyQuestion, expression: str, k: int) -> AnalogyAnswer:
    """The k best words for an expression, the words of the question left out."""
    options, method = query.options, query.method
    resolve = query.lookup.resolver(options.policy)
    wanted = target(query.space, parse(expression), resolve)
    pairs = [(resolve(Term(1.0, a)), resolve(Term(1.0, b))) for a, b in options.pairs]
    known = [pair for pair in pairs if pair[0].known and pair[1].known]
    scoring = query.scoring(method, wanted, known)
    out = wanted.left_out + [int(row) for pair in known for found in pair for row in found.rows]
    check_k(k)
    index = query.search.exact(first_rows(options.restrict_vocab, len(query.space)))
    barred = _barred(query, index.n)
    left_out = np.union1d(np.array([row for row in out if row < index.n], np.int64), barred)
    scores = index.scores(scoring) if options.evidence or len(barred) else None
    how = SearchOptions(options.where, options.index, options.recall, options.restrict_vocab)
    indexed = query.search.uses_index(how)
    through = query.search.search(scoring.queries, k, how, out) if indexed and scoring.linear else None
    if through is not None:
        rows = through.rows[0][through.rows[0] >= 0]
        found, search, recall = query.search.exact().rescore(rows, k, scoring), through.how, through.recall
    else:
        search, recall = (
            ("exact" if not indexed else f"exact: no index answers {method}, which is no one cosine"),
            1.0,
        )
        if scores is None:
            found = index.search_scored(scoring, k, left_out)
        else:
            found = index.best(scores, k, left_out, scoring)
    best = query.search.named(found)
    if not options.evidence:
        scores = None
    own = scoring.combine(scoring.queries @ np.stack([f.vector for f in wanted.found]).T)
    inputs = tuple(
        InputRank(match.word, weight, None if scores is None else _rank(scores, match), float(score), match.how)
        for match, weight, score in zip(wanted.found, wanted.weights, own, strict=True)
    )
    evidence = None if scores is None else _evidence(query, wanted, scoring, _Scan(index, scores, left_out, barred))
    return AnalogyAnswer(
        str(wanted.expression),
        best,
        inputs,
        wanted.vector,
        np.stack([f.vector for f in wanted.found]),
        noted(query.space, [*wanted.found, *(found for pair in known for found in pair)]),
        method,
        options.policy.describe(),
        evidence,
        tuple(f"{a.word}:{b.word}" for a, b in known),
        tuple(a.query + ":" + b.query for a, b in pairs if (a, b) not in known),
        search,
        recall,
    )


def _barred(query: AnalogyQuestion, n_rows: int) -> Ints:
    """The rows, of the first so many, that a condition on the columns keeps from being answers."""
    if not query.options.where:
        return np.empty(0, np.int64)
    passing = query.search.mask(SearchOptions(query.options.where))
    assert passing is not None
    return np.flatnonzero(~passing[:n_rows])


def _evidence(query: AnalogyQuestion, wanted: AnalogyTarget, scoring: Scoring, scan: _Scan) -> Evidence:
    index, scores, left_out = scan.index, scan.scores, scan.left_out
    few = min(N_BESIDE, index.n - len(left_out))
    if not few:
        return Evidence((), ())
    others = []
    for name in METHODS_BESIDE:
        if name != scoring.method:
            with suppress(UserError):  # the sum is not of the form a* - a + b
                others.append(query.scoring(name, wanted, ()))
    best = [index.best(scores, few, scan.barred, scoring), *index.best_by_each(others, few, left_out)]
    kept, *beside = query.search.named_each(best)
    return Evidence(kept, tuple(MethodAnswer(one.method, near) for one, near in zip(others, beside, strict=True)))


def _rank(scores: Floats, found: WordMatch) -> int | None:
    """Where the best row of a word stands among all, from 1; None for an occurrence, which has no row, and for a word
    that was not searched.
    """
    rows = found.rows[found.rows < len(scores)]
    return 1 + int(np.count_nonzero(scores > scores[rows].max())) if len(rows) else None
