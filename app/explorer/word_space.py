"""`WordSpace`: a space and its queries about words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from polysema.app.explorer import relations
from polysema.app.explorer.analogy_answer import AnalogyQuestion, answer_analogy
from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.options import OCCURRENCE_FORM, AnalogyOptions, SearchOptions
from polysema.app.explorer.results import NeighborAnswer
from polysema.app.explorer.space_search import SpaceSearch
from polysema.app.explorer.word_lookup import WordLookup
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import list_of
from polysema.core.measure.anisotropy import random_pair_cosine
from polysema.core.space.analogy import by_cosine, check_method
from polysema.core.space.expression import Term, parse
from polysema.core.space.lookup import Policy
from polysema.core.space.transform import Transform, fit, view
from polysema.core.space.transform import without as take_out
from polysema.indexes.base import check_k, checked

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.results import (
        AnalogyAnswer,
        AssociationAnswer,
        AxisAnswer,
        CloserAnswer,
        Neighbor,
        OddAnswer,
        SimilarityAnswer,
        TravelAnswer,
    )
    from polysema.core.space.space import Floats, Origin, Space
    from polysema.indexes.exact import ExactIndex

MAX_VIEWS = 2


@checked_arguments
class WordSpace:
    """A space with its indexes and its queries about words: `explorer.space("glove-6b-50d")`.

    It has a length, holds words (`"bank" in words`), gives their vectors (`words["bank"]`) and is gone through word by
    word, as its `space` is. Safe to share between threads.
    """

    def __init__(
        self, explorer: Explorer, space: Space, transform: Transform | None = None, search: SpaceSearch | None = None
    ):
        self.space = space
        self.lookup = WordLookup(explorer, space, transform)
        self.search = search or SpaceSearch(space)
        self._explorer, self._transform = explorer, transform
        self._views, self._baseline = SingleFlightCache(MAX_VIEWS), SingleFlightCache(1)

    @property
    def origin(self) -> Origin:
        """The provenance card of the vectors."""
        return self.space.origin

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self.space.dim

    @property
    def index(self) -> ExactIndex:
        """The exact cosine index of all rows."""
        return self.search.exact()

    @property
    def baseline(self) -> float:
        """Mean cosine of random pairs of rows, beside which a cosine means something; nan for a single row.

        Where the rows are words in texts, the two of a pair are of different texts.
        """

        def make() -> float:
            space = self.space
            apart = space.columns is not None and "text_id" in space.columns.column_names
            return random_pair_cosine(space.vectors, space.column("text_id") if apart else np.arange(len(space)))

        return self._baseline.get("random pairs", make)

    def __len__(self) -> int:
        return len(self.space)

    def __iter__(self) -> Iterator[str]:
        return iter(self.space)

    def __contains__(self, word: object) -> bool:
        return word in self.space

    @overload
    def __getitem__(self, word: str) -> Floats: ...
    @overload
    def __getitem__(self, word: list[str]) -> Floats: ...
    def __getitem__(self, word: str | list[str]) -> Floats:
        return self.space[word]

    def __repr__(self) -> str:
        return f"Word{self.space!r}"

    @overload
    def neighbors(
        self, word: str | Term, k: int = 10, policy: Policy | None = None, search: SearchOptions | None = None
    ) -> NeighborAnswer: ...
    @overload
    def neighbors(
        self, word: list[str], k: int = 10, policy: Policy | None = None, search: SearchOptions | None = None
    ) -> list[NeighborAnswer]: ...
    def neighbors(
        self,
        word: str | Term | list[str],
        k: int = 10,
        policy: Policy | None = None,
        search: SearchOptions | None = None,
    ) -> NeighborAnswer | list[NeighborAnswer]:
        """The k words nearest to a word by cosine, the word itself left out; all others where they are fewer than k.

        Args:
            word: A word, or an occurrence, `bank in "They sat on the river bank"`, where the space is of that model and
                layer; or a list of them.
            k: How many, at least 1.
            policy: How the word is looked up where it isn't there as it is written.
            search: A filter, an index and its recall, or only the first words; None: exactly, among all.

        Returns:
            The neighbors, best first; higher is nearer, equals by row. Of a list, an answer for each.

        Raises:
            UnknownWordError: for a word that isn't in the space.

        Example:
            `polysema.Explorer().space("glove-6b-50d").neighbors("bank", k=3).neighbors[0].key` is `"banks"`.
        """
        if isinstance(word, list):
            return [self._neighbors(one, k, policy or Policy(), search or SearchOptions()) for one in word]
        return self._neighbors(word, k, policy or Policy(), search or SearchOptions())

    def _neighbors(self, word: str | Term, k: int, policy: Policy, search: SearchOptions) -> NeighborAnswer:
        if isinstance(word, Term):
            term, word = word, str(word)
        else:
            term = parse(word).terms[0] if OCCURRENCE_FORM.search(word) else Term(1.0, word)
        found = self.lookup.resolver(policy)(term)
        if not found.known:
            raise self.space.unknown(term.word)
        origin = self.origin.with_notes(*found.notes)
        check_k(k)
        if plain := search == SearchOptions() and not self.search.uses_index(search):
            hits = self.index.search_scored(by_cosine("neighbors", found.vector), k, found.rows)
        else:
            hits = self.search.search(found.vector[None], k, search, found.rows.tolist())
        how = ("exact", 1.0) if plain else (hits.how, hits.recall)
        return NeighborAnswer(word, found.word, self.search.named(hits), origin, found.how, policy.describe(), *how)

    def nearest(
        self, vectors: npt.ArrayLike, k: int = 10, search: SearchOptions | None = None
    ) -> tuple[tuple[Neighbor, ...], ...]:
        """The k rows nearest to each vector by cosine; fewer where fewer pass the filter.

        Args:
            vectors: (n_queries, dim) numbers.
            k: How many for each.
            search: As for `neighbors`.

        Returns:
            For each vector its neighbors, best first.
        """
        queries = checked(vectors, self.dim, "vectors")
        if not len(self):
            return ((),) * len(queries)
        hits = self.search.search(queries, k, search or SearchOptions())
        return tuple(self.search.named(hits, query) for query in range(len(queries)))

    def analogy(
        self, expression: str, k: int = 10, method: str = "3cosadd", options: AnalogyOptions | None = None
    ) -> AnalogyAnswer:
        """The k best words for a sum of words, `queen - king + man`, or, for 3CosAvg and LRCos, for a word and example pairs.

        The words of the question are left out; the evidence says where they would have stood, what the best would have
        been with them, and what other methods and the baselines answer.

        Args:
            expression: The sum; a term may be an occurrence in a text.
            k: How many answers.
            method: 3cosadd, 3cosmul, pairdirection, 3cosavg, lrcos, only-b or ignore-a.
            options: Example pairs, look-up, evidence, 3CosMul's epsilon, and what may be an answer.

        Returns:
            The answers, the words of the question, and the evidence.

        Raises:
            UnknownWordError: for a word that isn't in the space.
            UserError: for a method that doesn't exist, or an expression that isn't of its form.

        Example:
            `explorer.space("glove-6b-50d").analogy("queen - king + man").neighbors[0].key` is `"woman"`.
        """
        query = AnalogyQuestion(self.space, self.lookup, self.search, check_method(method), options or AnalogyOptions())
        return answer_analogy(query, expression, k)

    def similarity(
        self, first: str | Sequence[str], second: str | Sequence[str], policy: Policy | None = None
    ) -> SimilarityAnswer:
        """Cosine of two words, or of the mean vectors of two lists of words (gensim's n_similarity).

        For two single words of the space, `rank` is where the second stands among the first's neighbors.

        Args:
            first: A word, or a list of words.
            second: Another.
            policy: How the words are looked up.

        Returns:
            The cosine, -1 to 1, and the rank.
        """
        return relations.similarity(self, _listed(first), _listed(second), policy)

    def closer_than(
        self, word: str, other: str, policy: Policy | None = None, search: SearchOptions | None = None
    ) -> CloserAnswer:
        """Every word that is nearer to `word` than `other` is, nearest first."""
        return relations.closer_than(self, word, other, policy, search)

    def odd_one_out(self, words: Sequence[str], policy: Policy | None = None) -> OddAnswer:
        """The word that fits the others least: its cosine with the mean of all is the lowest (gensim's doesnt_match)."""
        return relations.odd_word(self, words, policy)

    def project(self, words: str | Sequence[str], axes: Sequence[str], policy: Policy | None = None) -> AxisAnswer:
        """The place of words on named axes, each `poor -> rich`: the cosine of each word with each axis."""
        return relations.axis_places(self, _listed(words), axes, policy)

    def association(
        self,
        first: Sequence[str],
        second: Sequence[str],
        toward: Sequence[str],
        away: Sequence[str],
        policy: Policy | None = None,
    ) -> AssociationAnswer:
        """How much more the words of `first` than those of `second` lean to `toward` rather than `away` (WEAT)."""
        return relations.association(self, (first, second, toward, away), policy)

    def travel(
        self,
        word: str,
        axis: str,
        steps: int = 8,
        reach: float = 1.5,
        k: int = 3,
        search: SearchOptions | None = None,
    ) -> TravelAnswer:
        """The neighbors met on the way when a word's unit vector moves along an axis `poor -> rich`, in equal steps.

        At the last of `steps` it has moved by `reach` times the axis's unit vector. The word itself is left out.
        """
        return relations.travel(self, word, axis, steps, reach, k, search or SearchOptions())

    def view(self, transform: str = "raw", without: Sequence[str] = ()) -> WordSpace:
        """The space centered, without its top components or whitened, and without directions.

        Args:
            transform: raw, centered, all-but-the-top (or all-but-the-top:3) or whitened. All rows are read for it.
            without: Directions that are taken out, each written `poor -> rich`.

        Returns:
            Another space, whose origin says how it was changed; itself where nothing changes.
        """
        removed = tuple(list_of(without, "the directions removed"))
        if transform.partition(":")[0] == "raw" and not removed:
            return self
        return self._views.get((transform, removed), lambda: self._changed(transform, removed))

    def _changed(self, transform: str, removed: tuple[str, ...]) -> WordSpace:
        shown = self
        if transform.partition(":")[0] != "raw":
            shown = shown._after(fit(shown.space, transform))
        if removed:
            axes = np.stack([shown.lookup.direction(axis) for axis in removed])
            what = f"without {' and '.join(' '.join(axis.split()) for axis in removed)}"
            shown = shown._after(take_out(axes, what))
        return shown

    def _after(self, change: Transform) -> WordSpace:
        done = change if self._transform is None else self._transform.then(change)
        return self._explorer.hold(view(self.space, change), done)


def _listed(words: str | Sequence[str]) -> Sequence[str]:
    return [words] if isinstance(words, str) else words
