"""`RemoteRelations`: the verbs of gensim's KeyedVectors in a space of the service, as `WordSpace.relations`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from polysema.app.client.lookup import lookup_fields
from polysema.app.client.transport import Transport
from polysema.app.explorer.results.relations import (
    DistancesAnswer,
    MeanVectorAnswer,
    MostSimilarAnswer,
    MoversDistanceAnswer,
    RelativeSimilarityAnswer,
)
from polysema.core.errors import list_of
from polysema.core.space.lookup import Policy

Answer = TypeVar("Answer")


class RemoteRelations:
    """Asks a service of a space; see `WordRelations`."""

    def __init__(self, transport: Transport, view: Mapping[str, object]):
        self._transport, self._view = transport, view

    def distances(self, word: str, others: Sequence[str] = (), policy: Policy | None = None) -> DistancesAnswer:
        """See `WordRelations.distances`."""
        return self._ask(DistancesAnswer, "/v1/distances", policy, {"word": word, "others": list_of(others, "words")})

    def most_similar_to_given(
        self, word: str, others: Sequence[str], policy: Policy | None = None
    ) -> MostSimilarAnswer:
        """See `WordRelations.most_similar_to_given`."""
        query = {"word": word, "others": list_of(others, "words")}
        return self._ask(MostSimilarAnswer, "/v1/most-similar-to-given", policy, query)

    def relative_cosine_similarity(
        self, first: str, second: str, k: int = 10, policy: Policy | None = None
    ) -> RelativeSimilarityAnswer:
        """See `WordRelations.relative_cosine_similarity`."""
        query = {"first": first, "second": second, "k": k}
        return self._ask(RelativeSimilarityAnswer, "/v1/relative-cosine-similarity", policy, query)

    def word_movers_distance(
        self, first: Sequence[str], second: Sequence[str], policy: Policy | None = None
    ) -> MoversDistanceAnswer:
        """See `WordRelations.word_movers_distance`."""
        query = {"first": list_of(first, "words"), "second": list_of(second, "words")}
        return self._ask(MoversDistanceAnswer, "/v1/word-movers-distance", policy, query)

    def mean_vector(
        self, words: Sequence[str], weights: Sequence[float] = (), normalize: bool = True, policy: Policy | None = None
    ) -> MeanVectorAnswer:
        """See `WordRelations.mean_vector`."""
        query = {"words": list_of(words, "words"), "weights": list(weights), "normalize": normalize}
        return self._ask(MeanVectorAnswer, "/v1/mean-vector", policy, query)

    def _ask(self, kind: type[Answer], path: str, policy: Policy | None, query: Mapping[str, object]) -> Answer:
        found: Answer = self._transport.ask_for(kind, path, {**self._view, **lookup_fields(policy), **query})
        return found
