"""Measures of models on a user's own labels: senses, contextuality, word in context, linear probes; layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.corpus import open_corpus
from polysema.core.errors import UserError, list_of
from polysema.core.measure.annotations import read_annotations, read_context_pairs
from polysema.core.measure.contextuality import MIN_CONTEXTS, Contextuality, contextuality
from polysema.core.measure.probing import ProbeScore, probe
from polysema.core.measure.senses import most_frequent_sense, nearest_sense_accuracy
from polysema.core.measure.word_in_context import threshold_accuracy
from polysema.core.model.contextual import embed
from polysema.core.model.tokens import Occurrence, Span
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import unit

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.core.space.space import Floats

MAX_NUMBERS = 200_000_000  # that all layers' vectors may have together: 800 MB


@dataclass(frozen=True, slots=True)
class ContextualityReport:
    """How contextual the layers of a model are, with the first word of each text and without."""

    model: str
    with_first: Contextuality
    without_first: Contextuality


@dataclass(frozen=True, slots=True)
class LayerAccuracy:
    """The accuracy of a layer of a model; a `layer` of None is its static vectors."""

    model: str
    layer: int | None
    accuracy: float


@dataclass(frozen=True, slots=True)
class LabelReport:
    """Accuracies over `rows` labelled rows, beside that of the most frequent answer alone."""

    rows: tuple[LayerAccuracy, ...]
    n_rows: int
    most_frequent: float


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a linear probe reaches at each layer of a model."""

    model: str
    layers: tuple[ProbeScore, ...]
    n_rows: int


def measure_contextuality(
    explorer: Explorer,
    path: Path | str,
    models: Sequence[str],
    limit: int = 1000,
    min_contexts: int = MIN_CONTEXTS,
    progress: Progress = no_progress,
) -> tuple[ContextualityReport, ...]:
    """How contextual each layer of each model is, over the first `limit` texts of a file (Ethayarajh 2019)."""
    texts = list(islice((text for text in open_corpus(path) if text.strip()), limit))
    found = []
    for name in list_of(models, "models"):
        progress(f"embed with {name}", 0, 0)
        model = explorer.model(name).model
        n_words = sum(text.count(" ") + 1 for text in texts)
        _check_room(n_words * (model.n_layers + 1) * model.dim, "texts (--limit)")
        hidden = embed(model, texts)
        found.append(
            ContextualityReport(
                name,
                contextuality(hidden, True, min_contexts),
                contextuality(hidden, False, min_contexts),
            )
        )
    return tuple(found)


def measure_own_senses(
    explorer: Explorer,
    path: Path | str,
    models: Sequence[str],
    label: str | None = None,
    progress: Progress = no_progress,
) -> LabelReport:
    """How often a word's nearest other occurrence in a file of annotated words has its sense, at each layer."""
    given = read_annotations(path, label)
    rows = []
    for name in list_of(models, "models"):
        layers, vectors = _vectors(explorer, name, given.texts, given.occurrences, progress)
        rows += [
            LayerAccuracy(name, layer, nearest_sense_accuracy(given.words, given.labels, found))
            for layer, found in zip(layers, vectors, strict=True)
        ]
    return LabelReport(tuple(rows), len(given.words), most_frequent_sense(given.words, given.labels))


def measure_word_in_context(
    explorer: Explorer, path: Path | str, models: Sequence[str], progress: Progress = no_progress
) -> LabelReport:
    """How often a threshold on the cosine of a word's vectors in two texts says whether it means the same there.

    A static vector, the same in both, has the accuracy of the more frequent answer: the row whose layer is None.
    """
    pairs = read_context_pairs(path)
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
        layers, vectors = _vectors(explorer, name, texts, occurrences, progress)
        for layer, found in zip(layers, vectors, strict=True):
            directions = unit(found)
            cosines = np.einsum("ij,ij->i", directions[::2], directions[1::2])
            rows.append(LayerAccuracy(name, layer, threshold_accuracy(cosines, same)))
    frequent = max(sum(same), len(same) - sum(same)) / len(same)
    return LabelReport(tuple(rows), len(pairs), frequent)


def measure_probe(
    explorer: Explorer,
    path: Path | str,
    models: Sequence[str],
    label: str | None = None,
    progress: Progress = no_progress,
) -> tuple[ProbeReport, ...]:
    """How well labels of words in texts are read off each layer by a linear probe, beside a control task."""
    given = read_annotations(path, label)
    texts = [one.text for one in given.occurrences]
    found = []
    for name in list_of(models, "models"):
        layers, vectors = _vectors(explorer, name, given.texts, given.occurrences, progress)
        scores = []
        for layer, rows in zip(layers, vectors, strict=True):
            progress(f"probe {name}", layer, len(layers))
            scores.append(probe(rows, given.labels, given.words, texts, layer))
        found.append(ProbeReport(name, tuple(scores), len(given.words)))
    return tuple(found)


def _vectors(
    explorer: Explorer, name: str, texts: Sequence[str], occurrences: Sequence[Occurrence], progress: Progress
) -> tuple[tuple[int, ...], Floats]:
    """The vectors of occurrences at every layer, (n_layers, n, dim), in the order given."""
    progress(f"embed with {name}", 0, 0)
    model = explorer.model(name).model
    _check_room(len(occurrences) * (model.n_layers + 1) * model.dim, "rows")
    hidden = embed(model, texts, occurrences=occurrences)
    order = {(one.text, one.span): place for place, one in enumerate(hidden.occurrences)}
    missing = [one for one in occurrences if (one.text, one.span) not in order]
    if missing:
        text = texts[missing[0].text][:60]
        raise UserError(f"the tokenizer of {name} makes no token of {missing[0].word!r} in {text!r}")
    return hidden.layers, hidden.vectors[:, [order[one.text, one.span] for one in occurrences]]


def _check_room(numbers: int, what: str) -> None:
    if numbers > MAX_NUMBERS:
        raise UserError(f"the vectors of all layers would take {numbers * 4 / 1e9:.1f} GB: give fewer {what}")
