"""How contextual the vectors of each layer are (Ethayarajh 2019): beside the cosine of any two words, what is left.

Anisotropy is the mean cosine of words taken at random: the baseline that the other measures are adjusted by. A word's
self-similarity is the mean cosine of its vectors in different contexts (1: not contextual at all), a text's
intra-similarity that of its words with their mean, and the maximum explainable variance the share of a word's vectors
that one static vector could stand for at best.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.errors import UserError
from polysema.core.measure.anisotropy import random_pair_cosine
from polysema.core.measure.senses import groups
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.tokens import Occurrence
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats

MIN_CONTEXTS = 5  # texts in which a word stands whose self-similarity counts, as in the paper
MAX_CONTEXTS = 100  # occurrences of a word that are compared; of more these are drawn


@dataclass(frozen=True, slots=True)
class LayerContextuality:
    """The measures of one layer, raw, and adjusted by what vectors taken at random have.

    `explained` is the maximum explainable variance of the words, `explained_baseline` that of as many vectors of words
    taken at random.
    """

    layer: int
    anisotropy: float
    self_similarity: float
    intra_similarity: float
    explained: float
    explained_baseline: float

    @property
    def adjusted_self_similarity(self) -> float:
        """Self-similarity less anisotropy."""
        return self.self_similarity - self.anisotropy

    @property
    def adjusted_intra_similarity(self) -> float:
        """Intra-similarity less anisotropy."""
        return self.intra_similarity - self.anisotropy

    @property
    def adjusted_explained(self) -> float:
        """Maximum explainable variance less that of words taken at random."""
        return self.explained - self.explained_baseline


@dataclass(frozen=True, slots=True)
class Contextuality:
    """The measures of each layer, over `n_words` words that stand in enough texts, of `n_occurrences` in `n_texts`."""

    layers: tuple[LayerContextuality, ...]
    n_texts: int
    n_words: int
    n_occurrences: int


def contextuality(
    hidden: HiddenBatch, with_first: bool = True, min_contexts: int = MIN_CONTEXTS, seed: int = 0
) -> Contextuality:
    """Measure how contextual the layers of embedded texts are.

    Args:
        hidden: Every word of some texts, as `embed` returns them.
        with_first: Whether the first word of each text counts, which is an outlier in GPT-like models.
        min_contexts: In how many texts a word stands whose self-similarity counts.
        seed: Decides which vectors are drawn.

    Returns:
        The measures of each layer, in the order of `hidden.layers`.

    Raises:
        UserError: No word stands in so many texts.
    """
    first = _first_words(hidden.occurrences)
    kept = [row for row in range(len(hidden.occurrences)) if with_first or row not in first]
    texts = np.array([hidden.occurrences[row].text for row in kept])
    by_word = groups([hidden.occurrences[row].word.casefold() for row in kept])
    rng = np.random.default_rng(seed)
    words = [
        np.sort(rng.permutation(rows)[:MAX_CONTEXTS])
        for rows in by_word.values()
        if len(np.unique(texts[rows])) >= min_contexts
    ]
    if not words:
        raise UserError(
            f"no word stands in {min_contexts} of the {len(set(texts.tolist())):,} texts: give more texts, or a lower "
            "--min-contexts"
        )
    drawn = [rng.choice(len(kept), len(rows), replace=False) for rows in words]
    of_texts = list(groups(texts.tolist()).values())
    layers = []
    for place, layer in enumerate(hidden.layers):
        vectors = hidden.vectors[place, kept]
        layers.append(
            LayerContextuality(
                layer,
                random_pair_cosine(vectors, texts, seed),
                _mean([_self_similarity(vectors[rows]) for rows in words]),
                _mean([_intra_similarity(vectors[rows]) for rows in of_texts if len(rows) > 1]),
                _mean([explained_variance(vectors[rows]) for rows in words]),
                _mean([explained_variance(vectors[rows]) for rows in drawn]),
            )
        )
    return Contextuality(tuple(layers), len(set(texts.tolist())), len(words), len(kept))


def _first_words(occurrences: Sequence[Occurrence]) -> set[int]:
    """The rows of the first word of each text."""
    first: dict[int, int] = {}
    for row, one in enumerate(occurrences):
        if one.text not in first or one.span.start < occurrences[first[one.text]].span.start:
            first[one.text] = row
    return set(first.values())


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _self_similarity(vectors: Floats) -> float:
    """The mean cosine of different rows: of unit vectors |sum|^2 is n and twice the sum of the pairs."""
    directions = unit(vectors).astype(np.float64)
    n = len(directions)
    return float((np.square(directions.sum(0)).sum() - n) / (n * (n - 1)))


def _intra_similarity(vectors: Floats) -> float:
    """The mean cosine of rows (n, dim) with their mean."""
    return float((unit(vectors) @ unit(vectors.mean(0, keepdims=True))[0]).mean())


def explained_variance(vectors: Floats) -> float:
    """The share of the variance of rows (n, dim) along their first principal component; 1 where they don't vary."""
    centered = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    squares = np.square(np.linalg.svd(centered, compute_uv=False))
    total = float(squares.sum())
    return float(squares[0]) / total if total > 1e-12 else 1.0
