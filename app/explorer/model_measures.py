"""Measures of models on a user's own labels: senses, contextuality, word in context, linear probes; layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.results.model_measures import (
    ContextualityReport,
    ContextualityScore,
    LabelReport,
    LayerAccuracy,
    LayerProbe,
    ProbeReport,
)
from polysema.app.export.states import states_on
from polysema.core.errors import UserError, list_of
from polysema.core.measure.annotations import Annotations
from polysema.core.measure.contextuality import Contextuality, contextuality
from polysema.core.measure.probing import probe
from polysema.core.measure.senses import most_frequent_sense, nearest_sense_accuracy
from polysema.core.measure.word_in_context import ContextPair, threshold_accuracy
from polysema.core.model.contextual import embed
from polysema.core.model.hidden_batch import HiddenBatch, joined
from polysema.core.model.tokens import Occurrence, Span
from polysema.core.progress import Progress
from polysema.core.space.metric import unit

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.core.space.space import Floats

MAX_NUMBERS = 200_000_000  # that all layers' vectors may have together: 800 MB


def measure_contextuality(
    explorer: Explorer, texts: Sequence[str], models: Sequence[str], min_contexts: int, progress: Progress, on: str = ""
) -> ContextualityReport:
    """How contextual each layer of each model is, over texts (Ethayarajh 2019)."""
    rows: list[ContextualityScore] = []
    protocol = ""
    for name in list_of(models, "models"):
        model = explorer.model(name, progress=progress).model
        progress(f"embed with {name}", 0, 0)
        n_words = sum(text.count(" ") + 1 for text in texts)
        _check_room(n_words * (model.n_layers + 1) * model.dim, "texts (--limit)")
        hidden = _embedded(explorer, name, texts, None, on)
        for first in (True, False):
            found = contextuality(hidden, first, min_contexts)
            rows += _scores(name, "with" if first else "without", found)
            counted = f"{found.n_words:,} words stand in {min_contexts} of them"
            protocol = protocol or f"{found.n_texts:,} texts, {found.n_occurrences:,} occurrences; {counted}"
    return ContextualityReport(protocol, tuple(rows))


def _scores(model: str, first_words: str, found: Contextuality) -> list[ContextualityScore]:
    return [
        ContextualityScore(
            model,
            first_words,
            one.layer,
            one.anisotropy,
            one.self_similarity,
            one.intra_similarity,
            one.explained,
            one.explained_baseline,
            one.adjusted_self_similarity,
            one.adjusted_intra_similarity,
            one.adjusted_explained,
        )
        for one in found.layers
    ]


def measure_annotated_senses(
    explorer: Explorer, given: Annotations, models: Sequence[str], progress: Progress, on: str = ""
) -> LabelReport:
    """How often a word's nearest other occurrence among annotated words has its sense, at each layer."""
    rows = []
    for name in list_of(models, "models"):
        layers, vectors = layer_vectors(explorer, name, given.texts, given.occurrences, progress, on)
        rows += [
            LayerAccuracy(name, layer, nearest_sense_accuracy(given.words, given.labels, found))
            for layer, found in zip(layers, vectors, strict=True)
        ]
    frequent = most_frequent_sense(given.words, given.labels)
    line = f"{len(given.words):,} occurrences; always the most frequent sense: {frequent:.3f}"
    return LabelReport(line, tuple(rows), len(given.words), frequent)


def measure_word_in_context(
    explorer: Explorer, pairs: Sequence[ContextPair], models: Sequence[str], progress: Progress, on: str = ""
) -> LabelReport:
    """How often a threshold on the cosine of a word's vectors in two texts says whether it means the same there.

    A static vector, the same in both, has the accuracy of the more frequent answer: the row whose layer is None.
    """
    texts = [text for pair in pairs for text in (pair.first, pair.second)]
    spans = [span for pair in pairs for span in (pair.first_span, pair.second_span)]
    occurrences = [
        Occurrence(number, text[start:end], Span(start, end))
        for number, (text, (start, end)) in enumerate(zip(texts, spans, strict=True))
    ]
    same = [pair.same for pair in pairs]
    rows = []
    for name in list_of(models, "models"):
        rows.append(LayerAccuracy(name, None, threshold_accuracy(np.ones(len(pairs)), same)))
        layers, vectors = layer_vectors(explorer, name, texts, occurrences, progress, on)
        for layer, found in zip(layers, vectors, strict=True):
            directions = unit(found)
            cosines = np.einsum("ij,ij->i", directions[::2], directions[1::2])
            rows.append(LayerAccuracy(name, layer, threshold_accuracy(cosines, same)))
    frequent = max(sum(same), len(same) - sum(same)) / len(same)
    line = f"{len(pairs):,} pairs; always the more frequent answer: {frequent:.3f}"
    return LabelReport(line, tuple(rows), len(pairs), frequent)


def measure_probe(
    explorer: Explorer, given: Annotations, models: Sequence[str], progress: Progress, on: str = ""
) -> ProbeReport:
    """How well labels of words in texts are read off each layer by a linear probe, beside a control task."""
    texts = [one.text for one in given.occurrences]
    rows, frequent = [], 0.0
    for name in list_of(models, "models"):
        layers, vectors = layer_vectors(explorer, name, given.texts, given.occurrences, progress, on)
        for layer, found in zip(layers, vectors, strict=True):
            progress(f"probe {name}", layer, len(layers))
            score = probe(found, given.labels, given.words, texts, layer)
            frequent = score.most_frequent
            rows.append(LayerProbe(name, layer, score.accuracy, score.control, score.selectivity))
    line = f"{len(given.words):,} rows; always the most frequent label: {frequent:.3f}"
    return ProbeReport(line, tuple(rows), len(given.words), frequent)


def layer_vectors(
    explorer: Explorer,
    name: str,
    texts: Sequence[str],
    occurrences: Sequence[Occurrence],
    progress: Progress,
    on: str = "",
) -> tuple[tuple[int, ...], Floats]:
    """The vectors of occurrences at every layer, (n_layers, n, dim), in the order given."""
    model = explorer.model(name, progress=progress).model
    progress(f"embed with {name}", 0, 0)
    _check_room(len(occurrences) * (model.n_layers + 1) * model.dim, "rows")
    hidden = _embedded(explorer, name, texts, occurrences, on)
    order = {(one.text, one.span): place for place, one in enumerate(hidden.occurrences)}
    missing = [one for one in occurrences if (one.text, one.span) not in order]
    if missing:
        text = texts[missing[0].text][:60]
        raise UserError(f"the tokenizer of {name} makes no token of {missing[0].word!r} in {text!r}")
    return hidden.layers, hidden.vectors[:, [order[one.text, one.span] for one in occurrences]]


def _embedded(
    explorer: Explorer, name: str, texts: Sequence[str], occurrences: Sequence[Occurrence] | None, on: str
) -> HiddenBatch:
    """The states of occurrences (None: of every word) at every layer, computed here or at a place."""
    handle = explorer.model(name)
    if not on or not texts:
        return embed(handle.model, texts, occurrences=occurrences)
    with states_on(on, handle.model, explorer.names.locate(handle.name)) as stream:
        layers = range(handle.model.n_layers + 1)
        return joined(list(stream(handle.model, texts, layers, occurrences=occurrences)))


def _check_room(numbers: int, what: str) -> None:
    if numbers > MAX_NUMBERS:
        raise UserError(f"the vectors of all layers would take {numbers * 4 / 1e9:.1f} GB: give fewer {what}")
