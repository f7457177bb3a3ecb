"""`ContextExplorer`: any word in the texts of any space, own sentences beside it, and the axis between two groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.context_cloud import (
    ContextCloud,
    SpaceTexts,
    annotated_cloud,
    corpus_places,
    space_cloud,
    unmarked_cloud,
)
from polysema.app.explorer.options import check_texts
from polysema.app.explorer.results.contexts import (
    AxisPlace,
    NearOccurrence,
    SenseAxisAnswer,
    SentenceVerdict,
    VerdictsAnswer,
)
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import UserError, list_of
from polysema.core.measure.sense_axis import sense_axis
from polysema.core.measure.sense_clusters import SenseClusters
from polysema.core.measure.senses import load_senses
from polysema.core.model.contextual import word_vectors
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import unit
from polysema.indexes.base import check_k

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.senses import SenseExplorer
    from polysema.core.model.load import LanguageModel
    from polysema.core.space.space import Floats

LABELS, CLUSTERS = "labels", "clusters"
DEFAULT_CLUSTER = 3  # the fewest occurrences of a cluster


@checked_arguments
class ContextExplorer:
    """A word in the contexts in which it stands, as one model reads them: `explorer.model("minilm-l6").contexts`.

    `texts` says where it is looked for: None is the corpus of senses, `SpaceTexts("mine")` the texts of a collection.
    """

    def __init__(self, explorer: Explorer, model: LanguageModel, senses: SenseExplorer):
        self._explorer, self._model, self._senses = explorer, model, senses
        self._clouds = SingleFlightCache(4)

    def cloud(self, word: str, texts: SpaceTexts | None = None, progress: Progress = no_progress) -> ContextCloud:
        """The occurrences of a word with their states at every kept layer.

        Those that stand first in a text are left out where a decoder's first states are outliers; the card says so.

        Args:
            word: Any word of the texts.
            texts: Where it is looked for.
            progress: Told of the pass.

        Returns:
            Texts, spans, labels and vectors (n_layers, n_occurrences, dim).

        Raises:
            UserError: The word stands nowhere.
        """
        layers = self._senses.layers
        if texts is not None:
            source = texts.checked()
            return self._clouds.get(
                (word.strip().casefold(), source.key(self._explorer)),
                lambda: space_cloud(self._explorer, self._model, word.strip(), source, layers, progress),
            )
        corpus = load_senses()
        if word.lower() in corpus.words:
            return annotated_cloud(self._senses.cloud(word, progress), corpus, corpus.of(word))
        key = (word.strip().casefold(), None)
        places = corpus_places(word.strip())
        return self._clouds.get(key, lambda: unmarked_cloud(self._model, word.strip(), places, layers))

    def verdicts(
        self,
        word: str,
        sentences: Sequence[str],
        layer: int = -1,
        k: int = 5,
        by: str = LABELS,
        texts: SpaceTexts | None = None,
    ) -> VerdictsAnswer:
        """What own sentences are like: the k occurrences of the word nearest to it there, and the label of most.

        Args:
            word: The word, which stands in every sentence.
            sentences: From 1 to 64; a name may stand before one, `mine | The bank is closed.`
            layer: One of the kept layers; -1 is the last.
            k: How many of the nearest decide.
            by: labels (senses, or a column's values), or clusters of the vectors at that layer.
            texts: Where the word is looked for.

        Returns:
            A verdict for each sentence.

        Raises:
            UserError: The word stands in none of the texts, or not in a sentence.
        """
        check_k(k)
        named = [named_sentence(text, number) for number, text in enumerate(list_of(sentences, "sentences"), 1)]
        names, given = [name for name, _ in named], [text for _, text in named]
        check_texts(given, least=1)
        layer = self._senses.checked_layer(layer)
        cloud, labels = self._labeled(word, layer, by, texts)
        own = word_vectors(self._model, word, given, [layer])
        scores = unit(own.vectors[0]) @ unit(np.ascontiguousarray(self._at(cloud, layer))).T  # (sentences, occurrences)
        found = []
        for number, place in enumerate(own.occurrences):
            order = np.argsort(-scores[number], kind="stable")
            itself = (given[number], place.span.start)
            same = [row for row in order.tolist() if (cloud.texts[row], cloud.spans[row][0]) != itself]
            near = tuple(
                NearOccurrence(row, cloud.texts[row], start, end, labels[row], float(scores[number, row]))
                for row in same[:k]
                for start, end in (cloud.spans[row],)
            )
            label, votes = _majority([one.label for one in near])
            span = place.span
            found.append(SentenceVerdict(names[number], given[number], span.start, span.end, label, votes, near))
        return VerdictsAnswer(
            word, layer, by, tuple(found), self._senses.baselines()[layer], self._model.origin(layer, "mean")
        )

    def axis(
        self,
        word: str,
        ends: tuple[str, str] | None = None,
        layer: int = -1,
        by: str = LABELS,
        texts: SpaceTexts | None = None,
    ) -> SenseAxisAnswer:
        """Every occurrence of a word on the axis between two of its senses, columns' values or clusters.

        Args:
            word: The word.
            ends: The two labels; None: the two most frequent.
            layer: One of the kept layers; -1 is the last.
            by: labels, or clusters of the vectors at that layer.
            texts: Where the word is looked for.

        Returns:
            Where each lies, left out of the means it is measured by, and how well the two ends are told apart.

        Raises:
            UserError: An end has fewer than two occurrences.
        """
        layer = self._senses.checked_layer(layer)
        cloud, labels = self._labeled(word, layer, by, texts)
        chosen = ends or _two_most_frequent(labels, by)
        found = sense_axis(self._at(cloud, layer), labels, chosen)
        places = tuple(
            AxisPlace(float(value), label, text, *span)
            for value, label, text, span in zip(found.values, labels, cloud.texts, cloud.spans, strict=True)
        )
        origin = self._model.origin(layer, "mean").with_notes(*cloud.origin.notes)
        return SenseAxisAnswer(
            word,
            layer,
            by,
            chosen,
            found.counts,
            found.accuracy,
            found.shuffled,
            found.p_value,
            by == CLUSTERS,
            places,
            origin,
        )

    def caches(self) -> tuple[SingleFlightCache, ...]:
        """What is counted.

        Returns:
            The caches.
        """
        return (self._clouds,)

    def _at(self, cloud: ContextCloud, layer: int) -> Floats:
        found: Floats = cloud.vectors[self._senses.layers.index(layer)]
        return found

    def _labeled(self, word: str, layer: int, by: str, texts: SpaceTexts | None) -> tuple[ContextCloud, list[str]]:
        """The occurrences, and the group of each."""
        if by not in (LABELS, CLUSTERS):
            raise UserError(f"occurrences are grouped by {LABELS} or {CLUSTERS}; got {by!r}")
        cloud = self.cloud(word, texts)
        if by == LABELS:
            return cloud, list(cloud.labels)
        least = min(DEFAULT_CLUSTER, max(2, len(cloud.texts)))
        clustered = self._senses.clusters(word, layer, least, () if texts is None else texts)
        return cloud, cluster_labels(clustered)


def cluster_labels(clustered: SenseClusters) -> list[str]:
    """The cluster of each occurrence by its number and name, as the page shows it; "" for none."""
    names = [f"{number}: {cluster.name}" for number, cluster in enumerate(clustered.clusters, 1)]
    return [names[place] if place >= 0 else "" for place in clustered.assigned.tolist()]


def named_sentence(text: str, number: int) -> tuple[str, str]:
    """The name of a sentence and the sentence, of `mine | The bank is closed.`; without a name its number is one."""
    name, bar, rest = text.partition("|")
    return (name.strip(), rest.strip()) if bar and name.strip() and rest.strip() else (str(number), text)


def _majority(labels: Sequence[str]) -> tuple[str, int]:
    """The label of most; of several such, that of the nearest. Rows without one have no say."""
    known = [label for label in labels if label]
    best = max(known, key=lambda label: (known.count(label), -known.index(label)), default="")
    return best, known.count(best) if best else 0


def _two_most_frequent(labels: Sequence[str], by: str) -> tuple[str, str]:
    known = [label for label in labels if label]
    order = sorted(set(known), key=lambda label: (-known.count(label), label))
    if len(order) < 2:
        raise UserError(
            f"an axis needs two groups, and there are {len(order)} by {by}: take "
            f"{CLUSTERS if by == LABELS else LABELS}, or name a column of labels"
        )
    return order[0], order[1]
