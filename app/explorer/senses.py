"""`SenseExplorer`: the corpus of senses as a model sees it, its baselines, and how well its layers tell senses."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.cache import SingleFlightCache, digest, keep_file
from polysema.app.explorer.concordance import ConcordanceQuestion, Labels, concordance
from polysema.app.explorer.context_cloud import SpaceTexts
from polysema.app.explorer.context_explorer import ContextExplorer
from polysema.app.explorer.options import (
    BASELINE_TEXTS,
    MAP_LAYERS,
    MAX_CLUSTERED,
    check_texts,
)
from polysema.app.explorer.own_clusters import naming_vectors, own_clusters
from polysema.app.explorer.results import SenseRow
from polysema.app.explorer.results.concordance import Concordance
from polysema.app.explorer.sense_corpus import embedded_senses, export_senses, marked
from polysema.core.argument_types import checked_arguments
from polysema.core.environment import home
from polysema.core.errors import UserError
from polysema.core.files.formats import read_export
from polysema.core.measure.anisotropy import random_pair_cosine
from polysema.core.measure.sense_clusters import SenseClusters, WordContexts, sense_clusters
from polysema.core.measure.senses import SenseCorpus, load_senses, nearest_sense_accuracy
from polysema.core.model.contextual import embed
from polysema.core.model.first_position import first_outliers, left_out_note
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.load import LanguageModel
from polysema.core.model.static import static_vector
from polysema.core.model.tokens import Occurrence, Span
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Space

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer


@checked_arguments
class SenseExplorer:
    """The corpus of senses, embedded by one model: `explorer.model("minilm-l6").senses`."""

    def __init__(self, explorer: Explorer, model: LanguageModel):
        self._explorer, self._model = explorer, model
        self._lock = threading.Lock()
        self._corpora = SingleFlightCache(8)  # the layers of a small model, which are compared side by side
        self._clouds = SingleFlightCache(8)
        self._baselines = SingleFlightCache(1)
        self.contexts = ContextExplorer(explorer, model, self)

    def baselines(self, progress: Progress = no_progress) -> tuple[float, ...]:
        """For each layer the mean cosine of random pairs of words of the corpus of senses; kept on disk.

        Where a decoder's first state of a text is an outlier, first words are left out.

        Args:
            progress: Told of the pass; what it raises ends the work.

        Returns:
            A cosine for each layer, from 0.
        """
        loaded = self._model
        alike = first_outliers(loaded).alike
        parts = ("baseline 2", alike) if alike else ("baseline 1",)
        key = digest(*parts, load_senses().sha256, loaded.weights_sha256, loaded.revision, loaded.name, BASELINE_TEXTS)
        path = home() / "baselines" / f"{key}.json"

        def make() -> tuple[float, ...]:
            try:
                return tuple(float(value) for value in json.loads(path.read_text()))
            except (OSError, ValueError, TypeError):
                pass
            progress("baseline", 0, 1)
            texts = load_senses().texts[:: max(1, len(load_senses().texts) // BASELINE_TEXTS)]
            hidden = embed(loaded, texts)
            later = hidden.without_first()
            values = tuple(
                random_pair_cosine(part.vectors[layer], [o.text for o in part.occurrences])
                for layer in hidden.layers
                for part in (later if layer in alike else hidden,)
            )
            keep_file(path, json.dumps(values))
            progress("baseline", 1, 1)
            return values

        return self._baselines.get(key, make)

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers at which the corpus of senses is kept: all, or 13 evenly spaced ones of a deep model."""
        n_layers = self._model.n_layers
        if n_layers < MAP_LAYERS:
            return tuple(range(n_layers + 1))
        return tuple(sorted({round(step * n_layers / (MAP_LAYERS - 1)) for step in range(MAP_LAYERS)}))

    def corpus(self, layer: int = -1, progress: Progress = no_progress) -> Space:
        """Every word of the corpus of senses at one layer, with the column `sense` where it is annotated.

        Where a decoder's first state of a text is an outlier, first words are left out, and a note says so. Embedded
        once, as an export in the cache folder, and read from there afterwards.

        Args:
            layer: One of `layers`; -1 is the last.
            progress: Told how many texts are done.

        Returns:
            The space; of each row the columns say the text and the place.
        """
        loaded, layers = self._model, self.layers
        layer = self.checked_layer(layer)
        senses = load_senses()
        key = digest(
            "corpus 2", senses.sha256, loaded.weights_sha256, loaded.revision, loaded.name, layers, loaded.engine.name
        )
        folder = home() / "corpora" / f"senses-{key}"

        def make() -> Space:
            with self._lock:
                export_senses(loaded, layers, folder, progress)
            return marked(loaded, read_export(folder, layer))

        return self._corpora.get((key, layer), make)

    def checked_layer(self, layer: int) -> int:
        """A layer that is kept.

        Args:
            layer: One of `layers`; -1 is the last.

        Returns:
            It, counted from 0.

        Raises:
            UserError: It is not kept.
        """
        (layer,) = self._model.check_layers([layer])
        if layer not in self.layers:
            at = ", ".join(map(str, self.layers))
            raise UserError(f"the corpus of {self._model.name} is kept at the layers {at}; got {layer}")
        return layer

    def accuracy(
        self, progress: Progress = no_progress, corpus: SenseCorpus | None = None
    ) -> tuple[tuple[SenseRow, ...], tuple[str, ...]]:
        """Leave-one-out sense accuracy of the nearest neighbor: the static vectors and every layer.

        Args:
            progress: Told how many texts are done.
            corpus: Annotated occurrences; None: those that ship with the package.

        Returns:
            A row for each layer, and notes on what was left out.
        """
        name, loaded, corpus = self._model.name, self._model, corpus or load_senses()
        words, names = [s.word for s in corpus.senses], [s.sense for s in corpus.senses]
        static = np.stack([static_vector(loaded, word)[0] for word in words])
        rows = [SenseRow(name, None, nearest_sense_accuracy(words, names, static), float("nan"))]
        hidden = embedded_senses(loaded, corpus, f"embed with {name}", progress)
        order = {(o.text, o.span): place for place, o in enumerate(hidden.occurrences)}
        places = [order[(s.text_id, Span(s.start, s.end))] for s in corpus.senses]
        baselines = self.baselines(progress)
        alike, first = first_outliers(loaded).alike, set(hidden.first)
        later = [row for row, place in enumerate(places) if place not in first]
        notes = (f"{name}: {left_out_note(alike, len(first))}",) if first else ()
        for layer, vectors in zip(hidden.layers, hidden.vectors, strict=True):
            kept = later if layer in alike else range(len(places))
            value = nearest_sense_accuracy(
                [words[row] for row in kept], [names[row] for row in kept], vectors[[places[row] for row in kept]]
            )
            rows.append(SenseRow(name, layer, value, baselines[layer]))
        return tuple(rows), notes

    def clusters(
        self,
        word: str,
        layer: int = -1,
        min_cluster_size: int = 3,
        texts: Sequence[str] | SpaceTexts = (),
        progress: Progress = no_progress,
    ) -> SenseClusters:
        """The annotated occurrences of a word, clustered by their vectors at a layer, against their senses.

        Or every occurrence in `texts` of one's own, which have no senses to agree with, or in those of a space, whose
        labels are the senses.

        Args:
            word: The word.
            layer: One of `layers`; of texts of one's own any.
            min_cluster_size: The fewest occurrences that make a cluster (HDBSCAN).
            texts: Texts of one's own, or `SpaceTexts`.
            progress: Told of the pass.

        Returns:
            The clusters, their words, and how they agree with the senses.
        """
        loaded, named = self._model, naming_vectors(self._explorer, self._model)
        if texts and not isinstance(texts, SpaceTexts):
            check_texts(texts, least=1, most=MAX_CLUSTERED)
            (layer,) = loaded.check_layers([layer])
            progress(f"read {len(texts)} texts", 0, 1)
            return own_clusters(loaded, word, texts, layer, min_cluster_size, named)
        layer = self.checked_layer(layer)
        source = texts if isinstance(texts, SpaceTexts) else None
        cloud = self.contexts.cloud(word, source, progress)
        return sense_clusters(
            cloud.vectors[self.layers.index(layer)],
            WordContexts(cloud.texts, word, cloud.labels, [start for start, _ in cloud.spans]),
            min_cluster_size,
            named,
        )

    def concordance(
        self, word: str, texts: Sequence[str] | SpaceTexts = (), layer: int = -1, like: int | None = None
    ) -> Concordance:
        """A word in its contexts, sorted by what it means there at a layer: those alike stand together.

        Args:
            word: Any word of the texts.
            texts: At most 2,000 texts of one's own, or `SpaceTexts`; none: the corpus of senses, of which any word may
                be chosen.
            layer: Any layer; -1 is the last.
            like: The number of a line, from 1, to which the nearest come first; None: neighboring lines mean alike.

        Returns:
            The lines, each with its cosine with the line before, or with the line `like`.

        Raises:
            UserError: The word stands nowhere, or there is no such line.
        """
        (layer,) = self._model.check_layers([layer])
        labels: Labels | None = None
        if isinstance(texts, SpaceTexts):
            cloud = self.contexts.cloud(word, texts)
            starts = zip(cloud.texts, (start for start, _ in cloud.spans), strict=True)
            labels, texts = dict(zip(starts, cloud.labels, strict=True)), tuple(dict.fromkeys(cloud.texts))
        return concordance(self._model, ConcordanceQuestion(word, texts, layer, like, labels), self.baselines()[layer])

    def cloud(self, word: str, progress: Progress = no_progress) -> HiddenBatch:
        """The annotated occurrences of a word at every kept layer; only the texts with the word are read.

        Those that stand first in a text are left out where a decoder's first states are outliers; the card says so.

        Args:
            word: The word.
            progress: Told of the pass.

        Returns:
            Their vectors, (n_layers, n_occurrences, dim).
        """
        loaded, corpus = self._model, load_senses()
        layers = self.layers

        def make() -> HiddenBatch:
            senses = sorted(corpus.of(word), key=lambda s: (s.text_id, s.start))
            numbers = sorted({s.text_id for s in senses})
            places = {text: place for place, text in enumerate(numbers)}
            query = [
                Occurrence(places[s.text_id], corpus.texts[s.text_id][s.start : s.end], Span(s.start, s.end))
                for s in senses
            ]
            progress(f"read {len(numbers)} sentences", 0, 1)
            hidden = embed(loaded, [corpus.texts[text] for text in numbers], layers, occurrences=query)
            later = hidden.without_first()
            return replace(later, occurrences=tuple(replace(o, text=numbers[o.text]) for o in later.occurrences))

        return self._clouds.get(word.lower(), make)

    def caches(self) -> tuple[SingleFlightCache, ...]:
        """What is counted.

        Returns:
            The caches.
        """
        return self._corpora, self._clouds, self._baselines, *self.contexts.caches()
