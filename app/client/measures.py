"""`RemoteMeasures`: what spaces and models of the service score on benchmarks, as `explorer.measures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from polysema.app.client.maps import space_fields
from polysema.app.client.space import RemoteSpace
from polysema.app.client.transport import Transport
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE
from polysema.app.explorer.results import SenseReport
from polysema.app.explorer.results.measures import AnalogyReport, SimilarityReport
from polysema.app.explorer.serialization import from_json
from polysema.core.errors import list_of
from polysema.core.measure.analogies import VOCABULARY, Category, Protocol
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.core.measure.similarity import RatedPair


class RemoteMeasures:
    """Benchmarks are jobs of the service: the questions or ratings are sent along, and a job is waited for."""

    def __init__(self, transport: Transport):
        self._transport = transport

    def analogies(
        self,
        categories: Sequence[Category],
        space: str | RemoteSpace = DEFAULT_SPACE,
        methods: Sequence[str] = ("3cosadd",),
        protocol: Protocol | None = None,
        progress: Progress = no_progress,
    ) -> AnalogyReport:
        """How many analogy questions a space answers: see `MeasureExplorer.analogies`.

        Args:
            categories: Of `polysema.core.measure.analogies.read_analogies`.
            space: The space, or its name.
            methods: Each is measured.
            protocol: The vocabulary, the case, whether the words of a question may be answers, 3CosMul's epsilon.
            progress: Told of each category.

        Returns:
            For each method a row for each category, for each group of them, and for all.
        """
        how = asdict(protocol or Protocol())
        del how["method"]
        query = {**space_fields(space), **how, "methods": list_of(methods, "methods")}
        found: AnalogyReport = from_json(
            AnalogyReport,
            self._transport.done("analogies", progress, categories=[asdict(one) for one in categories], **query),
        )
        return found

    def similarity(
        self,
        sets: Mapping[str, Sequence[RatedPair]],
        space: str | RemoteSpace = DEFAULT_SPACE,
        lower: bool = True,
        vocabulary: int | None = VOCABULARY,
    ) -> SimilarityReport:
        """How well cosines agree with people's ratings: see `MeasureExplorer.similarity`.

        Args:
            sets: Names, and the pairs of `polysema.core.measure.similarity.read_pairs`.
            space: The space, or its name.
            lower: Whether the words are put in lower case.
            vocabulary: Only the first so many words of the space; None: all.

        Returns:
            A row for each set, and the words that are missing.
        """
        rated = {name: [asdict(pair) for pair in pairs] for name, pairs in sets.items()}
        query = {**space_fields(space), "lower": lower, "vocabulary": vocabulary}
        found: SimilarityReport = from_json(SimilarityReport, self._transport.done("similarities", sets=rated, **query))
        return found

    def senses(self, models: Sequence[str] = (DEFAULT_MODEL,), progress: Progress = no_progress) -> SenseReport:
        """Leave-one-out sense accuracy of the nearest neighbor: each model's static vectors and every layer.

        Args:
            models: Their names.
            progress: Told of each stage; what it raises cancels the work.

        Returns:
            A row for each model and layer, beside what the most frequent sense alone would reach.
        """
        found: SenseReport = from_json(
            SenseReport, self._transport.done("senses", progress, models=list_of(models, "models"))
        )
        return found
