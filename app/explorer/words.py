"""Questions about words: neighbors, analogies, relations."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from polysema.app.explorer.options import (
    DEFAULT_SPACE,
    MAX_STEPS,
    OCCURRENCE_FORM,
    AnalogyOptions,
    SearchOptions,
    first_rows,
)
from polysema.app.explorer.results import (
    AnalogyAnswer,
    AssociationAnswer,
    AxisAnswer,
    CloserAnswer,
    Evidence,
    InputRank,
    MethodAnswer,
    Neighbor,
    NeighborAnswer,
    OddAnswer,
    SimilarityAnswer,
    TravelAnswer,
    TravelStep,
    WordCosine,
    WordCosines,
)
from polysema.app.explorer.spaces import Spaces, noted
from polysema.core.errors import UserError, list_of
from polysema.core.measure.bias import weat
from polysema.core.space.analogy import (
    OF_A_SUM,
    OF_PAIRS,
    AnalogyTarget,
    Scoring,
    by_cosine,
    check_method,
    scoring_of_pairs,
    target,
    three_cos_mul,
)
from polysema.core.space.axes import mean_vector, odd_one_out
from polysema.core.space.expression import Term, parse
from polysema.core.space.hits import Hits
from polysema.core.space.lookup import Policy, WordMatch
from polysema.core.space.metric import Metric, cosine
from polysema.core.space.space import Floats, Ints, Space
from polysema.core.space.transform import project
from polysema.indexes.base import Index, check_k, checked
from polysema.indexes.faiss_index import FaissIndex
from polysema.indexes.filters import parse as parse_filter
from polysema.indexes.index_spec import IndexSpec


class Words(Spaces):
    """Answers questions about the words of a space."""

    def neighbors(
        self,
        word: "str | Term",
        space: "str | Space" = DEFAULT_SPACE,
        k: int = 10,
        policy: Policy | None = None,
        search: SearchOptions | None = None,
    ) -> NeighborAnswer:
        """The k words nearest to a word by cosine, the word itself left out; all others where they are fewer than k.

        `word` may be an occurrence, `bank in "They sat on the river bank"`, where the space is of that model and layer.
        """
        opened, chosen = self._held(space), policy or Policy()
        if isinstance(word, Term):
            term, word = word, str(word)
        else:
            term = parse(word).terms[0] if OCCURRENCE_FORM.search(word) else Term(1.0, word)
        found = self.look_up(opened, chosen)(term)
        if not found.known:
            raise opened.unknown(term.word)
        origin = opened.origin.with_notes(*found.notes)
        check_k(k)
        if search is None or search == SearchOptions():
            hits = self.index(opened).search_scored(by_cosine("neighbors", found.vector), k, found.rows)
            return NeighborAnswer(word, found.word, self._named(opened, hits), origin, found.how, chosen.describe())
        hits = self._find(opened, found, k, search)
        return NeighborAnswer(
            word, found.word, self._named(opened, hits), origin, found.how, chosen.describe(), hits.how, hits.recall
        )

    def _find(self, space: Space, found: WordMatch, k: int, search: SearchOptions) -> Hits:
        """The rows that pass nearest to what was found, fewer than k where fewer pass: (1, k or fewer)."""
        return _there(self._searched(space, found.vector[None], k, search, found.rows.tolist()), 0)

    def _searched(
        self, space: Space, queries: Floats, k: int, search: SearchOptions, left_out: Sequence[int] = ()
    ) -> Hits:
        index: Index = self.index(space)
        if search.index:
            recipe = IndexSpec.parse(search.index)
            index = self._indexes.get(
                ("faiss", id(space), recipe), lambda: (space, FaissIndex(space.vectors, Metric.COSINE, recipe))
            )[1]
        mask = None
        if search.where:
            table = space.columns if space.columns is not None else pa.table({"word": space.keys.array})
            if "word" not in table.column_names:  # a file whose words are called otherwise, or stand beside it
                table = table.append_column("word", space.keys.array)
            mask = parse_filter(search.where).mask_of(table)
        if (first := first_rows(search.restrict_vocab, len(space))) < len(space):
            within = np.arange(len(space)) < first
            mask = within if mask is None else mask & within
        return index.search(queries, k, left_out, where=mask, recall=search.recall)

    def nearest(
        self,
        vectors: "npt.ArrayLike",
        space: "str | Space" = DEFAULT_SPACE,
        k: int = 10,
        search: SearchOptions | None = None,
    ) -> tuple[tuple[Neighbor, ...], ...]:
        """The k rows nearest to each vector, (n_queries, dim), by cosine; fewer where fewer pass the filter."""
        opened = self._held(space)
        queries = checked(vectors, opened.dim, "vectors")
        if not len(opened):
            return ((),) * len(queries)
        hits = self._searched(opened, queries, k, search or SearchOptions())
        return tuple(self._named(opened, _there(hits, query)) for query in range(len(queries)))

    def analogy(
        self,
        expression: str,
        space: "str | Space" = DEFAULT_SPACE,
        k: int = 10,
        method: str = "3cosadd",
        options: AnalogyOptions | None = None,
    ) -> AnalogyAnswer:
        """The k best words for a sum of words, `queen - king + man`, or, for 3CosAvg and LRCos, for a word and example
        pairs. The words of the question are left out; the evidence says where they would have stood, what the best
        would have been with them, and what other methods and the baselines answer.
        """
        current, options, method = self._held(space), options or AnalogyOptions(), check_method(method)
        resolve = self.look_up(current, options.policy)
        wanted = target(current, parse(expression), resolve)
        pairs = [(resolve(Term(1.0, a)), resolve(Term(1.0, b))) for a, b in options.pairs]
        known = [pair for pair in pairs if pair[0].known and pair[1].known]
        scoring = self._scoring(current, wanted, method, known, options)
        out = wanted.left_out + [int(row) for pair in known for found in pair for row in found.rows]
        check_k(k)
        index = self.index(current, first_rows(options.restrict_vocab, len(current)))
        left_out = np.unique(np.array([row for row in out if row < index.n], np.int64))
        scores = index.scores(scoring) if options.evidence else None
        found = (
            index.search_scored(scoring, k, left_out) if scores is None else index.best(scores, k, left_out, scoring)
        )
        best = self._named(current, found)
        own = scoring.combine(scoring.queries @ np.stack([f.vector for f in wanted.found]).T)
        inputs = tuple(
            InputRank(found.word, weight, None if scores is None else _rank(scores, found), float(score), found.how)
            for found, weight, score in zip(wanted.found, wanted.weights, own, strict=True)
        )
        evidence = None if scores is None else self._evidence(current, wanted, scoring, scores, left_out, options)
        return AnalogyAnswer(
            str(wanted.expression),
            best,
            inputs,
            wanted.vector,
            np.stack([f.vector for f in wanted.found]),
            noted(current, [*wanted.found, *(found for pair in known for found in pair)]),
            method,
            options.policy.describe(),
            evidence,
            tuple(f"{a.word}:{b.word}" for a, b in known),
            tuple(a.query + ":" + b.query for a, b in pairs if (a, b) not in known),
        )

    def _scoring(
        self,
        space: Space,
        wanted: AnalogyTarget,
        method: str,
        pairs: Sequence[tuple[WordMatch, WordMatch]],
        options: AnalogyOptions,
    ) -> Scoring:
        if method in OF_PAIRS:
            if len(wanted.found) != 1:
                raise UserError(f"{method} asks about one word, and example pairs say how; got {wanted.expression}")
            return scoring_of_pairs(space, method, pairs, wanted.found[0])
        if options.pairs:
            raise UserError(f"{method} takes no example pairs; {' and '.join(OF_PAIRS)} do")
        if method == "3cosmul":
            return three_cos_mul(wanted, options.epsilon)
        return OF_A_SUM[method](wanted)

    def _evidence(
        self,
        space: Space,
        wanted: AnalogyTarget,
        scoring: Scoring,
        scores: Floats,
        left_out: Ints,
        options: AnalogyOptions,
    ) -> Evidence:
        index = self.index(space, len(scores))
        few = min(3, index.n - len(left_out))
        nothing = np.empty(0, np.int64)
        kept = self._named(space, index.best(scores, few, nothing, scoring)) if few else ()
        beside = []
        for name in ("3cosadd", "3cosmul", "pairdirection", "only-b", "ignore-a") if few else ():
            if name == scoring.method:
                continue
            try:
                other = self._scoring(space, wanted, name, (), replace(options, pairs=()))
            except UserError:  # the sum is not of the form a* - a + b
                continue
            beside.append(MethodAnswer(name, self._named(space, index.best(index.scores(other), few, left_out, other))))
        return Evidence(kept, tuple(beside))

    def _named(self, space: Space, hits: Hits) -> tuple[Neighbor, ...]:
        rows = hits.rows[0]
        texts = [""] * len(rows)
        if space.columns is not None and "text" in space.columns.column_names:
            texts = space.columns.column("text").take(pa.array(rows)).to_pylist()
        found = zip(space.keys.take(rows), hits.scores[0], rows, texts, strict=True)
        return tuple(
            Neighbor(rank, key, float(score), int(row), text) for rank, (key, score, row, text) in enumerate(found, 1)
        )

    def _nearest(self, space: "str | Space", vector: Floats, k: int, left_out: Sequence[int]) -> tuple[Neighbor, ...]:
        current = self._held(space)
        return self._named(current, self.index(current).search(vector[None], k, left_out))

    def _found(self, words: Sequence[str], space: Space, policy: Policy | None) -> list[WordMatch]:
        resolve, words = self.look_up(space, policy), list_of(words, "words")
        found = [resolve(parse(w).terms[0] if OCCURRENCE_FORM.search(w) else Term(1.0, w)) for w in words]
        return [f for f in found if f.known]

    def similarity(
        self,
        first: Sequence[str],
        second: Sequence[str],
        space: "str | Space" = DEFAULT_SPACE,
        policy: Policy | None = None,
    ) -> SimilarityAnswer:
        """Cosine of two words, or of the mean vectors of two lists of words (gensim's n_similarity).

        For two single words of the space, `rank` is where the second stands among the first's neighbors.
        """
        current = self._held(space)
        a, b = self._found(first, current, policy), self._found(second, current, policy)
        if not a or not b:
            raise UserError(f"each side needs a word of {current.origin.source}; got {', '.join((*first, *second))!r}")
        value = cosine(mean_vector(current, a), mean_vector(current, b))
        rank = None
        if len(a) == len(b) == 1 and len(a[0].rows) == len(b[0].rows) == 1:
            rank = len(self.closer_than(first[0], second[0], current, policy).words) + 1
        return SimilarityAnswer(
            tuple(f.word for f in a), tuple(f.word for f in b), value, rank, noted(current, [*a, *b])
        )

    def closer_than(
        self, word: str, other: str, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None
    ) -> CloserAnswer:
        """Every word that is nearer to `word` than `other` is, nearest first."""
        opened = self._held(space)
        found = self._found([word, other], opened, policy)
        if len(found) < 2 or not len(found[1].rows):
            raise opened.unknown(other)
        scores = self.index(opened).cosines(found[0].vector[None])[0]
        limit = float(scores[found[1].rows[0]])
        near = np.flatnonzero(scores > limit)
        near = near[~np.isin(near, np.concatenate([found[0].rows, found[1].rows]))]
        near = near[np.lexsort((near, -scores[near]))]
        words = tuple(map(WordCosine, opened.keys.take(near), map(float, scores[near])))
        return CloserAnswer(found[0].word, found[1].word, limit, words, noted(opened, found), len(words))

    def odd_one_out(
        self, words: Sequence[str], space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None
    ) -> OddAnswer:
        """The word that fits the others least: its cosine with the mean of all is the lowest (gensim's
        doesnt_match).
        """
        current = self._held(space)
        found = self._found(words, current, policy)
        if len(found) < 2:
            raise UserError(f"give at least two words of {current.origin.source}; got {', '.join(words)!r}")
        order, scores = odd_one_out(np.stack([f.vector for f in found]))
        ordered = tuple(WordCosine(found[place].word, float(scores[place])) for place in order)
        return OddAnswer(ordered, noted(current, found))

    def project(
        self,
        words: Sequence[str],
        axes: Sequence[str],
        space: "str | Space" = DEFAULT_SPACE,
        policy: Policy | None = None,
    ) -> AxisAnswer:
        """The place of words on named axes, each `poor -> rich`: the cosine of each word with each axis."""
        current, axes = self._held(space), list_of(axes, "axes")
        if not axes:
            raise UserError('give at least one axis, such as "poor -> rich"')
        found = self._found(words, current, policy)
        if not found:
            raise UserError(f"none of these words is in {current.origin.source}: {', '.join(words)}")
        directions = [self._axis(axis, current, policy) for axis in axes]
        places = project(np.stack([f.vector for f in found]), [direction for direction, _ in directions])
        rows = tuple(WordCosines(f.word, tuple(map(float, row))) for f, row in zip(found, places, strict=True))
        return AxisAnswer(tuple(axes), rows, noted(current, [*found, *(f for _, ends in directions for f in ends)]))

    def association(
        self,
        first: Sequence[str],
        second: Sequence[str],
        toward: Sequence[str],
        away: Sequence[str],
        space: "str | Space" = DEFAULT_SPACE,
        policy: Policy | None = None,
    ) -> AssociationAnswer:
        """How much more the words of `first` than those of `second` lean to `toward` rather than `away` (WEAT)."""
        current = self._held(space)
        lists = [self._found(words, current, policy) for words in (first, second, toward, away)]
        for words, found in zip((first, second, toward, away), lists, strict=True):
            if len(found) < 2:
                raise UserError(
                    f"a list needs at least two words of {current.origin.source}; of {', '.join(words)!r} it has "
                    f"{len(found)}"
                )
        one, two, near, far = (np.stack([f.vector for f in found]) for found in lists)
        made = weat(one, two, near, far)
        origin = noted(current, [each for found in lists for each in found])
        return AssociationAnswer(made.first, made.second, made.effect, made.p, made.n_partitions, origin)

    def travel(
        self, word: str, axis: str, space: "str | Space" = DEFAULT_SPACE, steps: int = 8, reach: float = 1.5, k: int = 3
    ) -> TravelAnswer:
        """The neighbors met on the way when a word's unit vector moves along an axis `poor -> rich`, in equal steps.

        At the last of `steps` it has moved by `reach` times the axis's unit vector. The word itself is left out.
        """
        current = self._held(space)
        if not 1 <= steps <= MAX_STEPS or not 0 < abs(reach) <= 100:
            raise UserError(f"steps go from 1 to {MAX_STEPS} and the reach from 0 to 100; got {steps} and {reach}")
        (found,) = self._found([word], current, None)
        check_k(k)
        way, ends = self._axis(axis, current, None)
        shares = np.linspace(0, reach, steps + 1, dtype=np.float32)
        points = found.vector + shares[:, None] * way  # (steps + 1, dim)
        hits = self.index(current).search(points, k, found.rows.tolist())
        stops = tuple(
            TravelStep(
                float(share), float(cosine(point, found.vector)), self._named(current, Hits(rows[None], scores[None]))
            )
            for share, point, rows, scores in zip(shares, points, hits.rows, hits.scores, strict=True)
        )
        return TravelAnswer(found.word, axis, stops, points, noted(current, [found, *ends]))


def _there(hits: Hits, query: int) -> Hits:
    """The hits of one query, (1, k or fewer), without the empty places of a search that found fewer."""
    there = hits.rows[query] >= 0
    return replace(hits, rows=hits.rows[query][there][None], scores=hits.scores[query][there][None])


def _rank(scores: Floats, found: WordMatch) -> int | None:
    """Where the best row of a word stands among all, from 1; None for an occurrence, which has no row, and for a word
    that was not searched.
    """
    rows = found.rows[found.rows < len(scores)]
    return 1 + int(np.count_nonzero(scores > scores[rows].max())) if len(rows) else None
