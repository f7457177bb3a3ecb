"""`RemoteMeasures`: what spaces and models of the service score on benchmarks, as `explorer.measures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from polysema.app.client.maps import space_fields
from polysema.app.client.space import RemoteSpace
from polysema.app.client.transport import Transport
from polysema.app.explorer.bias_measure import BiasOptions
from polysema.app.explorer.json_reading import from_json
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE
from polysema.app.explorer.results import SenseReport
from polysema.app.explorer.results.bias import BiasReport
from polysema.app.explorer.results.measures import AnalogyReport, SimilarityReport
from polysema.app.explorer.results.model_measures import ContextualityReport, LabelReport, ProbeReport
from polysema.core.errors import list_of
from polysema.core.measure.analogies import VOCABULARY, Category, Protocol
from polysema.core.measure.annotations import Annotations
from polysema.core.measure.bias_lists import BiasLists
from polysema.core.measure.contextuality import MIN_CONTEXTS
from polysema.core.measure.word_in_context import ContextPair
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.core.measure.similarity import RatedPair


Report = TypeVar("Report")


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

    def contextuality(
        self,
        texts: Sequence[str],
        models: Sequence[str] = (DEFAULT_MODEL,),
        min_contexts: int = MIN_CONTEXTS,
        progress: Progress = no_progress,
    ) -> ContextualityReport:
        """How contextual each layer of each model is: see `MeasureExplorer.contextuality`.

        Args:
            texts: The texts.
            models: Their names.
            min_contexts: In how many texts a word stands whose self-similarity counts.
            progress: Told of each model.

        Returns:
            Two rows for each layer, with the first words and without.
        """
        query = {"texts": list_of(texts, "texts"), "models": list_of(models, "models"), "min_contexts": min_contexts}
        return self._report(ContextualityReport, "contextuality", progress, query)

    def annotated_senses(
        self, given: Annotations, models: Sequence[str] = (DEFAULT_MODEL,), progress: Progress = no_progress
    ) -> LabelReport:
        """How often the nearest other occurrence has a word's sense: see `MeasureExplorer.annotated_senses`.

        Args:
            given: Of `polysema.core.measure.annotations.read_annotations`.
            models: Their names.
            progress: Told of each model.

        Returns:
            A row for each layer.
        """
        return self._report(LabelReport, "annotated_senses", progress, _labels(given, models))

    def word_in_context(
        self, pairs: Sequence[ContextPair], models: Sequence[str] = (DEFAULT_MODEL,), progress: Progress = no_progress
    ) -> LabelReport:
        """How often a word's cosine in two texts says whether it means the same: see `MeasureExplorer`.

        Args:
            pairs: Of `polysema.core.measure.annotations.read_context_pairs`.
            models: Their names.
            progress: Told of each model.

        Returns:
            A row for each layer, and one for a static vector.
        """
        query = {"pairs": [asdict(one) for one in pairs], "models": list_of(models, "models")}
        return self._report(LabelReport, "word_in_context", progress, query)

    def probe(
        self, given: Annotations, models: Sequence[str] = (DEFAULT_MODEL,), progress: Progress = no_progress
    ) -> ProbeReport:
        """How well labels are read off each layer by a linear probe: see `MeasureExplorer.probe`.

        Args:
            given: Of `polysema.core.measure.annotations.read_annotations`.
            models: Their names.
            progress: Told of each layer.

        Returns:
            A row for each layer.
        """
        return self._report(ProbeReport, "probe", progress, _labels(given, models))

    def bias(
        self,
        tests: Sequence[BiasLists],
        spaces: Sequence[str] = (DEFAULT_SPACE,),
        models: Sequence[str] = (),
        options: BiasOptions | None = None,
        progress: Progress = no_progress,
    ) -> BiasReport:
        """How words lean to attributes, WEAT and RIPA: see `MeasureExplorer.bias`.

        Args:
            tests: Of `polysema.core.measure.bias_lists.read_bias_lists`.
            spaces: Names of static spaces.
            models: Names of models, of which every layer is measured.
            options: Whether words or whole sentences are compared in a model, and in which templates.
            progress: Told of each model.

        Returns:
            A row for each test in each space, and for each test at each layer of each model.
        """
        query = {
            "tests": [asdict(one) for one in tests],
            "spaces": list_of(spaces, "spaces"),
            "models": list_of(models, "models"),
            **asdict(options or BiasOptions()),
        }
        return self._report(BiasReport, "bias", progress, query)

    def _report(self, kind: type[Report], job: str, progress: Progress, query: Mapping[str, object]) -> Report:
        found: Report = from_json(kind, self._transport.done(job, progress, **query))
        return found


def _labels(given: Annotations, models: Sequence[str]) -> dict[str, object]:
    return {"rows": [asdict(one) for one in given.rows()], "models": list_of(models, "models")}
