"""Jobs that measure a space on benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from polysema.app.explorer.results.measures import AnalogyReport, SimilarityReport
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.schemas.measures import AnalogiesRequest, SimilaritiesRequest
from polysema.core.measure.analogies import Category, Pair, Protocol
from polysema.core.measure.similarity import RatedPair
from polysema.core.progress import Progress
from polysema.core.space.analogy import check_method

AnalogyWork: TypeAlias = Callable[[Progress], AnalogyReport]
SimilarityWork: TypeAlias = Callable[[Progress], SimilarityReport]


def analogy_work(request: AnalogiesRequest, state: ServiceState) -> AnalogyWork:
    """Questions asked of a space."""
    state.check_space(request.space)
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
        seen = state.view(request.space, request.transform, request.without, progress=progress)
        return state.explorer.measures.analogies(categories, seen, request.methods, how, progress)

    return work


def similarity_work(request: SimilaritiesRequest, state: ServiceState) -> SimilarityWork:
    """Cosines of a space compared with people's ratings."""
    state.check_space(request.space)
    sets = {
        name: [RatedPair(pair.first, pair.second, pair.rating) for pair in pairs]
        for name, pairs in request.sets.items()
    }

    def work(progress: Progress) -> SimilarityReport:
        seen = state.view(request.space, request.transform, request.without, progress=progress)
        return state.explorer.measures.similarity(sets, seen, request.lower, request.vocabulary)

    return work
