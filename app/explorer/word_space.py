"""`WordSpace`: a space and its queries about words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, overload

from polysema.app.explorer import relations, results
from polysema.app.explorer.analogy_answer import AnalogyQuestion, answer_analogy
from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.neighbor_answer import answer_nearest, answer_neighbors, answer_neighbors_of_each
from polysema.app.explorer.options import AnalogyOptions, SearchOptions
from polysema.app.explorer.space_contexts import SpaceContexts
from polysema.app.explorer.space_search import SpaceSearch
from polysema.app.explorer.space_views import changed_view, space_baseline
from polysema.app.explorer.word_lookup import WordLookup
from polysema.app.explorer.word_relations import WordRelations
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import list_of
from polysema.core.space.expression import Term
from polysema.core.space.lookup import Policy
from polysema.core.space.transform import Transform

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.app.explorer.explorer import Explorer
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
        self.contexts = SpaceContexts(space)
        self._explorer, self._transform = explorer, transform
        self._views, self._baseline = SingleFlightCache(MAX_VIEWS), SingleFlightCache(1)

    @cached_property
    def relations(self) -> WordRelations:
        """What gensim's users rely on, by its names."""
        return WordRelations(self.space, self.lookup, self.search)

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
        """Mean cosine of random pairs of rows, beside which a cosine means something; nan for a single row."""
        return self._baseline.get("random pairs", lambda: space_baseline(self.space))

    def __len__(self) -> int:
        return len(self.space)

    def __iter__(self) -> Iterator[str]:
        return iter(self.space)

    def __contains__(self, word: object) -> bool:
        return word in self.space

    def __getitem__(self, word: str | list[str]) -> Floats:
        return self.space[word]

    def __repr__(self) -> str:
        return f"Word{self.space!r}"

    @overload
    def neighbors(
        self, word: str | Term, k: int = 10, policy: Policy | None = None, search: SearchOptions | None = None
    ) -> results.NeighborAnswer: ...
    @overload
    def neighbors(
        self, word: list[str], k: int = 10, policy: Policy | None = None, search: SearchOptions | None = None
    ) -> list[results.NeighborAnswer]: ...
    def neighbors(
        self,
        word: str | Term | list[str],
        k: int = 10,
        policy: Policy | None = None,
        search: SearchOptions | None = None,
    ) -> results.NeighborAnswer | list[results.NeighborAnswer]:
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
        how = policy or Policy(), search or SearchOptions()
        if isinstance(word, list):
            return answer_neighbors_of_each(self, word, k, *how)
        return answer_neighbors(self, word, k, *how)

    def nearest(
        self, queries: npt.ArrayLike | Sequence[str], k: int = 10, search: SearchOptions | None = None
    ) -> results.NeighborAnswers:
        """The k rows nearest to each vector or text by cosine; fewer where fewer pass the filter.

        Args:
            queries: (n_queries, dim) numbers; or a list of texts, which the model that made the space embeds.
            k: How many for each.
            search: As for `neighbors`.

        Returns:
            For each query its neighbors, best first, with how they were searched for and the recall to expect.

        Raises:
            PolysemaError: for texts in a space that no model made from texts.
        """
        return answer_nearest(self, self._explorer, queries, k, search or SearchOptions())

    def analogy(
        self, expression: str, k: int = 10, method: str = "3cosadd", options: AnalogyOptions | None = None
    ) -> results.AnalogyAnswer:
        """The k best words for a sum of words, `queen - king + man`, or, by 3CosAvg and LRCos, for a word and pairs.

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
            UserError: for a word or a method that isn't there, or an expression that isn't of the method's form.

        Example:
            `explorer.space("glove-6b-50d").analogy("queen - king + man").neighbors[0].key` is `"woman"`.
        """
        query = AnalogyQuestion(self.space, self.lookup, self.search, method, options or AnalogyOptions())
        return answer_analogy(query, expression, k)

    def similarity(
        self, first: str | Sequence[str], second: str | Sequence[str], policy: Policy | None = None
    ) -> results.SimilarityAnswer:
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
    ) -> results.CloserAnswer:
        """Every word that is nearer to a word than another is.

        Args:
            word: The word.
            other: Whose cosine with it is the limit.
            policy: How the two are looked up.
            search: As for `neighbors`.

        Returns:
            The words, nearest first.
        """
        return relations.closer_than(self, word, other, policy, search)

    def odd_one_out(self, words: Sequence[str], policy: Policy | None = None) -> results.OddAnswer:
        """The word that fits the others least, by its cosine with the mean of all (gensim's doesnt_match).

        Args:
            words: Two or more words.
            policy: How they are looked up.

        Returns:
            The words with their cosines, the odd one first.
        """
        return relations.odd_word(self, words, policy)

    def project(
        self, words: str | Sequence[str], axes: Sequence[str], policy: Policy | None = None
    ) -> results.AxisAnswer:
        """The place of words on named axes: the cosine of each word with each axis.

        Args:
            words: A word, or a list of words.
            axes: Each written `poor -> rich`.
            policy: How the words are looked up.

        Returns:
            For each word a cosine for each axis.
        """
        return relations.axis_places(self, _listed(words), axes, policy)

    def association(
        self,
        first: Sequence[str],
        second: Sequence[str],
        toward: Sequence[str],
        away: Sequence[str],
        policy: Policy | None = None,
    ) -> results.AssociationAnswer:
        """How much more some words than others lean to one side rather than to another (WEAT).

        Args:
            first: The words that may lean toward.
            second: The words that may lean away.
            toward: The words of the one side.
            away: The words of the other.
            policy: How they are looked up.

        Returns:
            The effect in standard deviations, -2 to 2, and its p.
        """
        return relations.association(self, (first, second, toward, away), policy)

    def travel(
        self,
        word: str,
        axis: str,
        steps: int = 8,
        reach: float = 1.5,
        k: int = 3,
        search: SearchOptions | None = None,
    ) -> results.TravelAnswer:
        """The neighbors met on the way when a word's unit vector moves along an axis `poor -> rich`, in equal steps.

        Args:
            word: The word, which is left out.
            axis: Written `poor -> rich`.
            steps: How many.
            reach: How far the last one is, in lengths of the axis's unit vector.
            k: How many neighbors at each.
            search: As for `neighbors`.

        Returns:
            For each step, from 0, its neighbors and its cosine with the word.
        """
        return relations.travel(self, relations.Journey(word, axis, steps, reach), k, search or SearchOptions())

    def view(self, transform: str = "raw", without: Sequence[str] = ()) -> WordSpace:
        """The space centered, without its top components or whitened, and without directions.

        Args:
            transform: raw, centered, all-but-the-top (or all-but-the-top:3) or whitened. All rows are read for it.
            without: Directions that are taken out, each written `poor -> rich`.

        Returns:
            Another space, whose origin says how it was changed; itself where nothing changes.
        """
        if not (removed := tuple(list_of(without, "the directions removed"))) and transform.partition(":")[0] == "raw":
            return self
        make = partial(changed_view, self, self._transform, transform, removed, self._explorer.hold)
        return self._views.get((transform, removed), make)


def _listed(words: str | Sequence[str]) -> Sequence[str]:
    return [words] if isinstance(words, str) else words
