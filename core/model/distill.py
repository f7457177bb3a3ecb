"""A static table distilled from contexts: each word's mean hidden state over a corpus (Bommasani, Davis and Cardie
2020).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from polysema.core.errors import UserError
from polysema.core.model.contextual import EmbeddingOptions, embed_stream
from polysema.core.model.first_position import first_outliers, left_out_note
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.tokens import Occurrence, occurrences_of
from polysema.core.model.unknown import UnknownWord, unknown_notes
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family, Keys, Origin, Space


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How a static table is made of a corpus: of which `layer`, with words in `lower` case (Bank and bank are one),
    without words that occur less than `min_count` times, and of no more than the first `max_contexts` occurrences of a
    word (None: all).
    """

    layer: int = -1
    lower: bool = True
    min_count: int = 1
    max_contexts: int | None = None


class WordMeans:
    """The sums of the vectors of each word's occurrences, and what is to be said of them. It grows with the words."""

    def __init__(self, options: TableOptions, words: Sequence[str] | None):
        self.counts: Counter[str] = Counter()
        self.unknown: dict[str, UnknownWord] = {}  # the first occurrence of each
        self.n_first = 0  # occurrences left out because they stand first
        self._options = options
        self._wanted = None if words is None else {self._cased(word) for word in words}
        self._read: Counter[str] = Counter()
        self._sums: dict[str, npt.NDArray[np.float64]] = {}

    def choose(self, batch: Sequence[str], first: int) -> list[Occurrence]:
        """The occurrences of a batch of texts that are wanted, whose first text has the number `first`."""
        most, kept = self._options.max_contexts, []
        for occurrence in occurrences_of(batch, first):
            word = self._cased(occurrence.word)
            if (self._wanted is None or word in self._wanted) and (most is None or self._read[word] < most):
                self._read[word] += 1
                kept.append(occurrence)
        return kept

    def add(self, part: HiddenBatch) -> None:
        """Take the vectors of some texts in."""
        for occurrence, vector in zip(part.occurrences, part.vectors[0].astype(np.float64), strict=True):
            word = self._cased(occurrence.word)
            if word in self._sums:
                self._sums[word] += vector
            else:
                self._sums[word] = vector
            self.counts[word] += 1
        for one in part.unknown:
            self.unknown.setdefault(self._cased(one.occurrence.word), one)

    def space(self, origin: Origin) -> Space:
        """The means (n_words, dim), the frequent words first; raises `UserError` when no word is left."""
        least, counts = self._options.min_count, self.counts
        kept = sorted((word for word in self._sums if counts[word] >= least), key=lambda word: (-counts[word], word))
        if not kept:
            raise UserError(
                f"no word is left for a table: {len(self._sums):,} words were found, none of them {least:,} times"
            )
        vectors = np.stack([self._sums[word] / counts[word] for word in kept]).astype(np.float32)
        columns = pa.table({"count": pa.array([counts[word] for word in kept], pa.int64())})
        return Space(Keys(kept), vectors, origin, columns)

    def _cased(self, word: str) -> str:
        return word.lower() if self._options.lower else word


def distill(
    model: LanguageModel,
    texts: Iterable[str],
    words: Sequence[str] | None = None,
    options: TableOptions | None = None,
    progress: Progress = no_progress,
    stream: Callable[..., Iterator[HiddenBatch]] = embed_stream,
) -> Space:
    """Every word's mean over its occurrences in `texts`, (n_words, dim), the frequent first; column `count`.

    `words` are the only ones wanted. A decoder's first position is left out where it is an outlier. Memory grows with
    the words, not with the texts. Raises `UserError` when no word is left. `progress` hears how many texts are read,
    of how many nobody knows (0). `stream` computes the states, as `embed_stream` does.
    """
    how = options or TableOptions()
    (layer,) = model.check_layers([how.layer])
    means, texts_read = WordMeans(how, words), 0
    for part in stream(model, texts, [layer], EmbeddingOptions("mean"), means.choose):
        if layer in first_outliers(model).alike:
            means.n_first += len(part.first)
            part = part.without_first()
        means.add(part)
        texts_read += part.n_texts
        progress("read texts", texts_read, 0)
    return means.space(_origin(model, layer, means, how.min_count))


def _origin(model: LanguageModel, layer: int, means: WordMeans, least: int) -> Origin:
    """The card of the table, with what was left out of it and what the tokenizer doesn't know."""
    left_out = (left_out_note([layer], means.n_first),) if means.n_first else ()
    unknown = [one for word, one in means.unknown.items() if means.counts[word] >= least]
    return replace(
        model.origin(None, f"mean over contexts at layer {layer}, mean of sub-words"),
        family=Family.STATIC,
        notes=(f"distilled from {means.counts.total():,} occurrences in a corpus", *left_out),
    ).with_notes(*unknown_notes(model.tokenizer, model.name, unknown))
