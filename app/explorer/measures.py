"""`MeasureExplorer`: what spaces and models score on benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from polysema.app.explorer.bias_measure import BiasOptions, measure_bias
from polysema.app.explorer.model_measures import (
    measure_annotated_senses,
    measure_contextuality,
    measure_probe,
    measure_word_in_context,
)
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE, ModelOptions, check_epsilon
from polysema.app.explorer.results import SenseReport
from polysema.app.explorer.results.bias import BiasReport
from polysema.app.explorer.results.measures import (
    AnalogyReport,
    AnalogyScore,
    Int8Report,
    SimilarityReport,
    SimilarityScore,
)
from polysema.app.explorer.results.model_measures import ContextualityReport, LabelReport, ProbeReport
from polysema.app.explorer.sense_report import sense_report
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import list_of
from polysema.core.measure.analogies import VOCABULARY, Category, Protocol, mean_accuracy, measure_analogies
from polysema.core.measure.annotations import Annotations
from polysema.core.measure.bias_lists import BiasLists
from polysema.core.measure.contextuality import MIN_CONTEXTS
from polysema.core.measure.similarity import RatedPair, measure_similarity
from polysema.core.measure.word_in_context import ContextPair
from polysema.core.progress import Progress, no_progress
from polysema.core.space.analogy import check_method

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.model_explorer import ModelExplorer
    from polysema.app.explorer.word_space import WordSpace
    from polysema.core.space.space import Space


@checked_arguments
class MeasureExplorer:
    """What spaces and models score on benchmarks: `explorer.measures`.

    Example:
        `explorer.measures.similarity({"SimLex": read_pairs("SimLex-999.txt")}).rows[0].spearman` is a correlation.
    """

    def __init__(self, explorer: Explorer):
        self._explorer = explorer

    def analogies(
        self,
        categories: Sequence[Category],
        space: str | Space | WordSpace = DEFAULT_SPACE,
        methods: Sequence[str] = ("3cosadd",),
        protocol: Protocol | None = None,
        progress: Progress = no_progress,
    ) -> AnalogyReport:
        """How many analogy questions a space answers.

        Args:
            categories: Of `polysema.core.measure.analogies.read_analogies`.
            space: The space, or its name.
            methods: Each is measured; a method that is named twice is measured once.
            protocol: The vocabulary, the case, whether the words of a question may be answers, 3CosMul's epsilon.
            progress: Told of each category.

        Returns:
            For each method a row for each category, for each group of them, and for all.

        Raises:
            PolysemaError: There is no such method, or no question has all of its words in the vocabulary.
        """
        how = protocol or Protocol()
        check_epsilon(how.epsilon)
        chosen = tuple(dict.fromkeys(check_method(method) for method in list_of(methods, "methods")))
        current, rows = self._explorer.space(space).space, list[AnalogyScore]()
        means = dict[str, float]()
        for method in chosen:
            scores = measure_analogies(current, categories, replace(how, method=method), progress)
            means[method] = percentage(mean_accuracy(scores[: len(categories)]))
            rows += [
                AnalogyScore(s.category, s.method, s.questions, s.evaluated, s.correct, percentage(s.accuracy))
                for s in scores
            ]
        case = "in lower case" if how.lower else "as written"
        line = (
            f"{vocabulary_line(current, how.vocabulary)}; questions {case}; words of a question "
            f"{'left out of' if how.exclude else 'kept in'} its answers; questions with an unknown word "
            "dropped; accuracy in per cent" + (f"; epsilon {how.epsilon:g}" if "3cosmul" in chosen else "")
        )
        return AnalogyReport(line, current.origin, tuple(rows), means)

    def similarity(
        self,
        sets: Mapping[str, Sequence[RatedPair]],
        space: str | Space | WordSpace = DEFAULT_SPACE,
        lower: bool = True,
        vocabulary: int | None = VOCABULARY,
    ) -> SimilarityReport:
        """How well cosines agree with people's ratings of pairs of words.

        Args:
            sets: Names, and the pairs of `polysema.core.measure.similarity.read_pairs`.
            space: The space, or its name.
            lower: Whether the words are put in lower case.
            vocabulary: Only the first so many words of the space; None: all.

        Returns:
            A row for each set, and the words that are missing.

        Raises:
            PolysemaError: Fewer than two pairs of a set are known.
        """
        current = self._explorer.space(space).space
        found = [measure_similarity(current, list(pairs), name, lower, vocabulary) for name, pairs in sets.items()]
        rows = (
            SimilarityScore(
                one.name, one.pairs, one.used, percentage(one.spearman), percentage(one.pearson), len(one.missing)
            )
            for one in found
        )
        case = "in lower case" if lower else "as written"
        line = (
            f"{vocabulary_line(current, vocabulary)}; words {case}; pairs with an unknown word dropped; "
            "correlations x 100"
        )
        return SimilarityReport(line, current.origin, tuple(rows), {one.name: one.missing for one in found})

    def senses(self, models: Sequence[str] = (DEFAULT_MODEL,), progress: Progress = no_progress) -> SenseReport:
        """Leave-one-out sense accuracy of the nearest neighbor: each model's static vectors and every layer.

        Args:
            models: Their names.
            progress: Told of each stage; what it raises ends the work.

        Returns:
            A row for each model and layer, beside what the most frequent sense alone would reach.
        """
        return sense_report(self._explorer, models, progress)

    def contextuality(
        self,
        texts: Sequence[str],
        models: Sequence[str] = (DEFAULT_MODEL,),
        min_contexts: int = MIN_CONTEXTS,
        progress: Progress = no_progress,
        on: str = "",
    ) -> ContextualityReport:
        """How contextual each layer of each model is, with the first word of each text and without (Ethayarajh 2019).

        Args:
            texts: The texts, all read at once.
            models: Their names.
            min_contexts: In how many texts a word stands whose self-similarity counts.
            progress: Told of each model.
            on: Who computes the states, such as `local:4` or `ray`; empty: this process. The numbers are the same.

        Returns:
            Two rows for each layer.

        Raises:
            UserError: No word stands in so many texts, or all vectors would need more memory than is used here.
        """
        return measure_contextuality(self._explorer, list_of(texts, "texts"), models, min_contexts, progress, on)

    def annotated_senses(
        self,
        given: Annotations,
        models: Sequence[str] = (DEFAULT_MODEL,),
        progress: Progress = no_progress,
        on: str = "",
    ) -> LabelReport:
        """How often a word's nearest other occurrence among one's own annotated words has its sense (leave-one-out).

        Args:
            given: Of `polysema.core.measure.annotations.read_annotations`, or `annotations_of` rows.
            models: Their names.
            progress: Told of each model.
            on: Who computes the states, such as `local:4` or `ray`; empty: this process. The numbers are the same.

        Returns:
            A row for each layer, beside what the most frequent sense alone would reach.
        """
        return measure_annotated_senses(self._explorer, given, models, progress, on)

    def word_in_context(
        self,
        pairs: Sequence[ContextPair],
        models: Sequence[str] = (DEFAULT_MODEL,),
        progress: Progress = no_progress,
        on: str = "",
    ) -> LabelReport:
        """How often a threshold on the cosine of a word's vectors in two texts says whether it means the same (WiC).

        Args:
            pairs: Of `polysema.core.measure.annotations.read_context_pairs`; at least five.
            models: Their names.
            progress: Told of each model.
            on: Who computes the states, such as `local:4` or `ray`; empty: this process. The numbers are the same.

        Returns:
            A row for each layer, and one whose layer is None for a static vector, the same in both texts.
        """
        return measure_word_in_context(self._explorer, pairs, models, progress, on)

    def probe(
        self,
        given: Annotations,
        models: Sequence[str] = (DEFAULT_MODEL,),
        progress: Progress = no_progress,
        on: str = "",
    ) -> ProbeReport:
        """How well labels of words in texts are read off each layer by a linear probe, beside a control task.

        Args:
            given: Of `polysema.core.measure.annotations.read_annotations`, or `annotations_of` rows.
            models: Their names.
            progress: Told of each layer.
            on: Who computes the states, such as `local:4` or `ray`; empty: this process. The numbers are the same.

        Returns:
            A row for each layer: accuracy, that of the control task, and the selectivity (Hewitt and Liang 2019).
        """
        return measure_probe(self._explorer, given, models, progress, on)

    def bias(
        self,
        tests: Sequence[BiasLists],
        spaces: Sequence[str] = (DEFAULT_SPACE,),
        models: Sequence[str] = (),
        options: BiasOptions | None = None,
        progress: Progress = no_progress,
    ) -> BiasReport:
        """How some words lean to some attributes rather than to others: WEAT and RIPA, in spaces and layers of models.

        Args:
            tests: Of `polysema.core.measure.bias_lists.read_bias_lists`.
            spaces: Names of static spaces.
            models: Names of models, of which every layer is measured.
            options: Whether words or whole sentences are compared in a model, and in which templates.
            progress: Told of each model.

        Returns:
            A row for each test in each space, and for each test at each layer of each model.

        Example:
            `explorer.measures.bias(read_bias_lists("flowers.txt")).rows[0].effect` is in standard deviations.
        """
        return measure_bias(self._explorer, tests, spaces, models, options or BiasOptions(), progress)

    def int8(self, model: str | ModelExplorer = DEFAULT_MODEL, progress: Progress = no_progress) -> Int8Report:
        """What the engine onnx-int8 costs a model: the cosine to float32 and the sense accuracy, layer by layer.

        Args:
            model: A name, which is loaded on that engine, or a model that runs on it.
            progress: Told of each of the two passes.

        Returns:
            A row for each layer; measured once for a model, and kept.
        """
        from polysema.core.measure.int8 import int8_difference

        if isinstance(model, str):
            model = self._explorer.model(model, ModelOptions(device="cpu", engine="onnx-int8", patient=True))
        return Int8Report(model.name, tuple(int8_difference(model.model, progress)))


def vocabulary_line(space: Space, vocabulary: int | None) -> str:
    """The card of a space, and how many of its words are in the vocabulary."""
    rows = len(space)
    return f"{space.origin.card()}; the first {min(vocabulary or rows, rows):,} of {rows:,} words"


def percentage(share: float) -> float:
    """A share in per cent, with two digits behind the point; NaN stays."""
    return share if share != share else round(100 * share, 2)
