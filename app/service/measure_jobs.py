"""Jobs that measure spaces on benchmarks, and models on texts and labels that come along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from polysema.app.explorer.bias_measure import BiasOptions
from polysema.app.explorer.results.bias import BiasReport
from polysema.app.explorer.results.measures import AnalogyReport, SimilarityReport
from polysema.app.explorer.results.model_measures import ContextualityReport, LabelReport, ProbeReport
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.schemas.label_measures import (
    AnnotatedSensesRequest,
    BiasRequest,
    ContextualityRequest,
    LabelsRequest,
    ProbeRequest,
    WordInContextRequest,
)
from polysema.app.service.schemas.measures import AnalogiesRequest, SimilaritiesRequest
from polysema.core.measure.analogies import Category, Pair, Protocol
from polysema.core.measure.annotations import Annotations, LabeledWord, annotations_of
from polysema.core.measure.bias_lists import BiasLists
from polysema.core.measure.similarity import RatedPair
from polysema.core.measure.word_in_context import context_pair
from polysema.core.progress import Progress
from polysema.core.space.analogy import check_method

AnalogyWork: TypeAlias = Callable[[Progress], AnalogyReport]
SimilarityWork: TypeAlias = Callable[[Progress], SimilarityReport]
ContextualityWork: TypeAlias = Callable[[Progress], ContextualityReport]
LabelWork: TypeAlias = Callable[[Progress], LabelReport]
ProbeWork: TypeAlias = Callable[[Progress], ProbeReport]
BiasWork: TypeAlias = Callable[[Progress], BiasReport]


def analogy_work(request: AnalogiesRequest, state: ServiceState) -> AnalogyWork:
    """Questions to a space."""
    state.names.check_space(request.space)
    for method in request.methods:
        check_method(method)
    categories = [
        Category(
            one.name,
            one.group,
            tuple((a, b, c, d) for a, b, c, d in one.questions),
            tuple(Pair(pair.word, tuple(pair.answers)) for pair in one.pairs),
        )
        for one in request.categories
    ]
    how = Protocol(vocabulary=request.vocabulary, lower=request.lower, exclude=request.exclude, epsilon=request.epsilon)

    def work(progress: Progress) -> AnalogyReport:
        seen = state.view(request, progress=progress)
        return state.explorer.measures.analogies(categories, seen, request.methods, how, progress)

    return work


def similarity_work(request: SimilaritiesRequest, state: ServiceState) -> SimilarityWork:
    """Cosines of a space compared with people's ratings."""
    state.names.check_space(request.space)
    sets = {
        name: [RatedPair(pair.first, pair.second, pair.rating) for pair in pairs]
        for name, pairs in request.sets.items()
    }

    def work(progress: Progress) -> SimilarityReport:
        seen = state.view(request, progress=progress)
        return state.explorer.measures.similarity(sets, seen, request.lower, request.vocabulary)

    return work


def contextuality_work(request: ContextualityRequest, state: ServiceState) -> ContextualityWork:
    """How contextual the layers of models are."""
    _check_models(request.models, len(request.texts), state)
    return lambda progress: state.explorer.measures.contextuality(
        request.texts, request.models, request.min_contexts, progress
    )


def annotated_senses_work(request: AnnotatedSensesRequest, state: ServiceState) -> LabelWork:
    """Senses of words that come along."""
    given = _annotations(request, state)
    return lambda progress: state.explorer.measures.annotated_senses(given, request.models, progress)


def probe_work(request: ProbeRequest, state: ServiceState) -> ProbeWork:
    """Linear probes of labels that come along."""
    given = _annotations(request, state)
    return lambda progress: state.explorer.measures.probe(given, request.models, progress)


def word_in_context_work(request: WordInContextRequest, state: ServiceState) -> LabelWork:
    """Pairs of contexts that come along."""
    _check_models(request.models, 2 * len(request.pairs), state)
    pairs = [
        context_pair(one.word, (one.first, one.second), (one.first_span, one.second_span), one.same)
        for one in request.pairs
    ]
    return lambda progress: state.explorer.measures.word_in_context(pairs, request.models, progress)


def bias_work(request: BiasRequest, state: ServiceState) -> BiasWork:
    """Lists of words whose bias is measured."""
    tests = [
        BiasLists(one.name, tuple(one.first), tuple(one.second), tuple(one.toward), tuple(one.away))
        for one in request.tests
    ]
    words = sum(len(each) for one in tests for each in one.lists())
    _check_models(request.models, words * len(request.templates) if request.models else 0, state)
    for name in request.spaces:
        state.names.check_space(name)
    options = BiasOptions(request.unit, tuple(request.templates), request.seed)
    return lambda progress: state.explorer.measures.bias(tests, request.spaces, request.models, options, progress)


def _check_models(models: Sequence[str], n_texts: int, state: ServiceState) -> None:
    state.limits.check_job_texts(n_texts)
    for name in models:
        state.names.check(name)


def _annotations(request: LabelsRequest, state: ServiceState) -> Annotations:
    _check_models(request.models, len(request.rows), state)
    return annotations_of([LabeledWord(one.word, one.label, one.text, one.start, one.end) for one in request.rows])
