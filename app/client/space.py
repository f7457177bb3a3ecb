"""`RemoteSpace`: a space of the service and its queries about words, as `explorer.space(name)` is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from polysema.app.client.contexts import RemoteWords
from polysema.app.client.lookup import lookup_fields
from polysema.app.client.relations import RemoteRelations
from polysema.app.client.transport import Transport, part, sent
from polysema.app.explorer.json_reading import from_json
from polysema.app.explorer.options import COLLECTION_LIMIT, listed_texts
from polysema.app.explorer.results import (
    AnalogyAnswer,
    AssociationAnswer,
    AxisAnswer,
    BaselineAnswer,
    CloserAnswer,
    NeighborAnswer,
    NeighborAnswers,
    OddAnswer,
    SimilarityAnswer,
    TravelAnswer,
)
from polysema.app.explorer.results.spaces import SpaceInfo
from polysema.core.errors import NotFoundError, UserError, list_of
from polysema.core.space.expression import Term
from polysema.core.space.space import Floats, Origin

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.app.explorer import AnalogyOptions, SearchOptions
    from polysema.core.space.lookup import Policy

T = TypeVar("T")


class RemoteLookup:
    """Resolves words and axes of a space of the service to vectors."""

    def __init__(self, space: RemoteSpace, transport: Transport):
        self._space, self._transport = space, transport

    def vector(self, expression: str, policy: Policy | None = None) -> Floats:
        """Where a sum of words leads, `king - man + woman`: (dim,) float32."""
        return self.noted_vector(expression, policy)[0]

    def noted_vector(self, expression: str, policy: Policy | None = None) -> tuple[Floats, Origin]:
        """What `vector` returns, and the card of the space with what is to be said of the words."""
        query = {**self._space.request, **lookup_fields(policy), "expression": expression}
        found = self._transport.ask_rows("POST", "/v1/vector", query)
        return found.vectors[0], found.origin

    def direction(self, axis: str, policy: Policy | None = None) -> Floats:
        """The unit vector of an axis `poor -> rich`: (dim,) float32."""
        return self.noted_direction(axis, policy)[0]

    def noted_direction(self, axis: str, policy: Policy | None = None) -> tuple[Floats, Origin]:
        """What `direction` returns, and the card of the space with what is to be said of the words."""
        query = {**self._space.request, **lookup_fields(policy), "axis": axis}
        found = self._transport.ask_rows("POST", "/v1/direction", query)
        return found.vectors[0], found.origin


class RemoteSpace:
    """A space of the service, also centered, whitened or without axes: its size and card; its rows stay there.

    `lookup` gives the vectors of words. The verbs are those of `WordSpace`, with the same answers.
    """

    def __init__(
        self,
        transport: Transport,
        name: str,
        transform: str = "raw",
        removed: Sequence[str] = (),
        limit: int | None = None,
    ):
        self.name, self.transform, self.removed, self.limit = name, transform, tuple(removed), limit
        self.lookup = RemoteLookup(self, transport)
        self.relations = RemoteRelations(transport, self.request)
        self._transport = transport

    def __len__(self) -> int:
        return self.info.rows

    def __repr__(self) -> str:
        return f"RemoteSpace({self.name}{'' if self.transform == 'raw' else ', ' + self.transform})"

    @cached_property
    def info(self) -> SpaceInfo:
        """Its size, columns and provenance card."""
        collection, slash, space = self.name.partition("/")
        if self.limit is not None and self.limit < 1:
            raise UserError(f"limit is how many words of the space are opened, at least 1; got {self.limit}")
        if slash and self.limit is not None:
            raise UserError(COLLECTION_LIMIT)
        if not slash:
            params = {name: value for name, value in self.request.items() if name != "space"}
            found: SpaceInfo = from_json(
                SpaceInfo, self._transport.ask("GET", f"/v1/spaces/{part(self.name)}", params=params)
            )
            return found
        info = self._transport.ask("GET", f"/v1/collections/{part(collection)}")
        if space not in info["spaces"]:
            raise NotFoundError(f"{collection} has no space {space!r:.80}; it has {', '.join(info['spaces'])}")
        card = info["spaces"][space]
        origin = Origin.from_json(card["origin"]) if card["origin"] else Origin("vectors of your own")
        return SpaceInfo(self.name, card["rows"], card["dim"], tuple(info["columns"]), origin)

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self.info.dim

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns beside the rows."""
        return self.info.columns

    @property
    def origin(self) -> Origin:
        """The provenance card of the vectors."""
        return self.info.origin

    @cached_property
    def baseline(self) -> float:
        """Mean cosine of random pairs of rows; nan for a single row."""
        found: float = self._ask(BaselineAnswer, "/v1/baseline").baseline
        return found

    @property
    def contexts(self) -> RemoteWords:
        """The words in its texts; raises `UserError` for the first words of a space, of which HTTP has none."""
        if self.limit is not None:
            raise UserError(f"over HTTP words in contexts are those of a whole space: open {self.name} without a limit")
        return RemoteWords(self._transport, self.name)

    @property
    def request(self) -> dict[str, Any]:
        """As requests name it."""
        first = {} if self.limit is None else {"limit": self.limit}
        return {"space": self.name, "transform": self.transform, "without": list(self.removed), **first}

    def _ask(self, kind: type[T], path: str, /, **query: object) -> T:
        return self._transport.ask_for(kind, path, {**self.request, **query})

    def view(self, transform: str = "raw", without: Sequence[str] = ()) -> RemoteSpace:
        """See `WordSpace.view`; over HTTP transform and removed directions are given together."""
        if transform == "raw" and not without:
            return self
        if self.transform != "raw" or self.removed:
            raise UserError("a space is seen in one way over HTTP: give transform and removed directions together")
        return opened(RemoteSpace(self._transport, self.name, transform, without, self.limit))

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
        """See `WordSpace.neighbors`: an answer, or, of a list of words, an answer for each."""
        query: dict[str, Any] = {**lookup_fields(policy), **search_fields(search), "k": k}
        if isinstance(word, Term) and word.context is not None:
            if word.context.layer is not None:
                raise UserError("over HTTP an occurrence is at the layer of its space; leave out its own")
            query["occurrences"] = [{"word": word.word, "text": word.context.text, "nth": word.context.nth}]
        else:
            query["words"] = word if isinstance(word, list) else [word.word if isinstance(word, Term) else word]
        found: list[NeighborAnswer] = list(self._ask(NeighborAnswers, "/v1/neighbors", **query).each())
        if isinstance(word, list):
            return found
        one = found[0]
        return NeighborAnswer(
            str(word), one.word, one.neighbors, one.origin, one.how, one.policy, one.search, one.recall
        )

    def nearest(
        self, queries: npt.ArrayLike | Sequence[str], k: int = 10, search: SearchOptions | None = None
    ) -> NeighborAnswers:
        """See `WordSpace.nearest`."""
        texts = listed_texts(queries)
        query = {"vectors": sent(queries)} if texts is None else {"texts": texts}
        found: NeighborAnswers = self._ask(NeighborAnswers, "/v1/neighbors", **query, **search_fields(search), k=k)
        return found

    def analogy(
        self, expression: str, k: int = 10, method: str = "3cosadd", options: AnalogyOptions | None = None
    ) -> AnalogyAnswer:
        """See `WordSpace.analogy`."""
        query: dict[str, Any] = {"expression": expression, "k": k, "method": method, "vectors": True}
        if options is not None:
            query |= {
                "pairs": [list(pair) for pair in options.pairs],
                "evidence": options.evidence,
                "epsilon": options.epsilon,
                **lookup_fields(options.policy),
                **search_fields(options),
            }
        found: AnalogyAnswer = self._ask(AnalogyAnswer, "/v1/analogy", **query)
        return found

    def similarity(
        self, first: str | Sequence[str], second: str | Sequence[str], policy: Policy | None = None
    ) -> SimilarityAnswer:
        """See `WordSpace.similarity`."""
        words = {"first": _listed(first), "second": _listed(second)}
        found: SimilarityAnswer = self._ask(SimilarityAnswer, "/v1/similarity", **lookup_fields(policy), **words)
        return found

    def closer_than(
        self, word: str, other: str, policy: Policy | None = None, search: SearchOptions | None = None
    ) -> CloserAnswer:
        """See `WordSpace.closer_than`."""
        query = {**lookup_fields(policy), **search_fields(search), "word": word, "other": other}
        found: CloserAnswer = self._ask(CloserAnswer, "/v1/closer", **query)
        return found

    def odd_one_out(self, words: Sequence[str], policy: Policy | None = None) -> OddAnswer:
        """See `WordSpace.odd_one_out`."""
        found: OddAnswer = self._ask(
            OddAnswer, "/v1/odd-one-out", **lookup_fields(policy), words=list_of(words, "words")
        )
        return found

    def project(self, words: str | Sequence[str], axes: Sequence[str], policy: Policy | None = None) -> AxisAnswer:
        """See `WordSpace.project`."""
        query = {"words": _listed(words), "axes": list_of(axes, "axes")}
        found: AxisAnswer = self._ask(AxisAnswer, "/v1/project", **lookup_fields(policy), **query)
        return found

    def association(
        self,
        first: Sequence[str],
        second: Sequence[str],
        toward: Sequence[str],
        away: Sequence[str],
        policy: Policy | None = None,
    ) -> AssociationAnswer:
        """See `WordSpace.association`."""
        given = {"first": first, "second": second, "toward": toward, "away": away}
        lists = {name: list_of(words, "words") for name, words in given.items()}
        found: AssociationAnswer = self._ask(AssociationAnswer, "/v1/association", **lookup_fields(policy), **lists)
        return found

    def travel(
        self,
        word: str,
        axis: str,
        steps: int = 8,
        reach: float = 1.5,
        k: int = 3,
        search: SearchOptions | None = None,
    ) -> TravelAnswer:
        """See `WordSpace.travel`."""
        query = {"word": word, "axis": axis, "steps": steps, "reach": reach, "k": k, **search_fields(search)}
        found: TravelAnswer = self._ask(TravelAnswer, "/v1/travel", **query)
        return found


def first_words(space: RemoteSpace, limit: int) -> RemoteSpace:
    """The first words of a space; raises `UserError` for one that is seen otherwise already."""
    if space.transform != "raw" or space.removed:
        raise UserError("over HTTP a limit comes before a view: open the space with its limit, and then see it so")
    return opened(RemoteSpace(space._transport, space.name, limit=limit))


def opened(space: RemoteSpace) -> RemoteSpace:
    """The same space, once the service has said that it is there; raises its error."""
    _ = space.info
    return space


def _listed(words: str | Sequence[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(list_of(words, "words"))


def search_fields(search: SearchOptions | AnalogyOptions | None) -> dict[str, Any]:
    """How rows are searched, as requests have it."""
    if search is None:
        return {}
    return {
        "where": search.where or None,
        "index": search.index,
        "recall": search.recall,
        "restrict_vocab": search.restrict_vocab,
    }
