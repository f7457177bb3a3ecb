"""A static table distilled from contexts: each word's mean hidden state over a corpus (Bommasani, Davis and Cardie
2020).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError
from polysema.core.model.contextual import EmbeddingOptions, embed_stream
from polysema.core.model.first_position import first_outliers, left_out_note
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.tokens import Occurrence, occurrences_of
from polysema.core.model.unknown import UnknownWord, unknown_notes
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family, Floats, Keys, Space


def distil(
    model: LanguageModel,
    texts: Iterable[str],
    layer: int = -1,
    pooling: str = "mean",
    words: Sequence[str] | None = None,
    lower: bool = True,
    at_least: int = 1,
    most: int | None = None,
    progress: Progress = no_progress,
) -> Space:
    """Every word's mean over its occurrences in `texts`, (n_words, dim), the frequent first; column `count`.

    `words` are the only ones wanted; `lower` takes Bank and bank as one; words that occur less than `at_least` times
    are left out, and so is a decoder's first position where it is an outlier; no more than the `most` first
    occurrences of a word are read. Memory grows with the words, not with the texts. Raises `UserError` when no word is
    left. `progress` hears how many texts are read, of how many nobody
    knows (0).
    """
    (chosen,) = model.check_layers([layer])
    wanted = None if words is None else {word.lower() if lower else word for word in words}
    read: Counter[str] = Counter()

    def name(occurrence: Occurrence) -> str:
        return occurrence.word.lower() if lower else occurrence.word

    def choose(batch: Sequence[str], first: int) -> list[Occurrence]:
        kept = []
        for occurrence in occurrences_of(batch, first):
            word = name(occurrence)
            if (wanted is None or word in wanted) and (most is None or read[word] < most):
                read[word] += 1
                kept.append(occurrence)
        return kept

    sums: dict[str, Floats] = {}
    counts: Counter[str] = Counter()
    texts_read = n_first = 0
    unknown: dict[str, UnknownWord] = {}  # the first occurrence of each
    for part in embed_stream(model, texts, [chosen], EmbeddingOptions(pooling), choose):
        if chosen in first_outliers(model).alike:
            n_first += len(part.first)
            part = part.without_first()
        for occurrence, vector in zip(part.occurrences, part.vectors[0].astype(np.float64), strict=True):
            word = name(occurrence)
            if word in sums:
                sums[word] += vector
            else:
                sums[word] = vector
            counts[word] += 1
        for one in part.unknown:
            unknown.setdefault(name(one.occurrence), one)
        texts_read += part.n_texts
        progress("read texts", texts_read, 0)
    kept = sorted((word for word in sums if counts[word] >= at_least), key=lambda word: (-counts[word], word))
    if not kept:
        raise UserError(f"no word is left for a table: {len(sums):,} words were found, none of them {at_least:,} times")
    vectors = np.stack([sums[word] / counts[word] for word in kept]).astype(np.float32)
    origin = replace(
        model.origin(None, f"mean over contexts at layer {chosen}, {pooling} of sub-words"),
        family=Family.STATIC,
        notes=(f"distilled from {counts.total():,} occurrences in a corpus", *_left_out(chosen, n_first)),
    ).with_notes(
        *unknown_notes(model.tokenizer, model.name, [one for word, one in unknown.items() if counts[word] >= at_least])
    )
    return Space(
        Keys(kept), vectors, origin, pa.table({"count": pa.array([counts[word] for word in kept], pa.int64())})
    )


def _left_out(chosen: int, n_first: int) -> tuple[str, ...]:
    return (left_out_note([chosen], n_first),) if n_first else ()
