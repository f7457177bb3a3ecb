"""Sense clusters: a word's occurrences grouped by their vectors alone, named by their contexts, compared with
labels.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import regex

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.maps.pca import principal_plane
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

# principal components to cluster by: of 2, 3, 5 and 10 chosen on either half of the corpus (its words) and judged on
# the other, 2 both times
N_COMPONENTS = 2
N_TYPICAL = 10  # contexts nearest to a cluster's mean, from which its name is made
WORDS_IN_NAME = 3
REACH, HALF = 12, 8  # words to each side of the target that count, and after how many one counts half
MAX_NAME_COSINE = 0.9  # words of a name are less alike than this
SMOOTHING = 0.05  # of a context: how much like any word something stands anywhere
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}'’-]*")


@dataclass(frozen=True, slots=True)
class SenseCluster:
    """A group of occurrences: its `name`, of the words that tell its contexts from the others', its `rows`, and those
    of them that are most typical (nearest to the mean), best first: the first is its central context.
    """

    name: str
    rows: tuple[int, ...]
    typical: tuple[int, ...]

    @property
    def central(self) -> int:
        """The row of its most central context."""
        return self.typical[0]


@dataclass(frozen=True, slots=True)
class SenseClusters:
    """The clusters, largest first; `assigned` (n,) is each occurrence's cluster, -1 for none.

    `adjusted_rand` (Hubert and Arabie 1985; 0 by chance, 1 the same) and `v_measure` (Rosenberg and Hirschberg 2007)
    say how well they agree with the labels, over the occurrences that have one, those of no cluster counted as
    one more; NaN where fewer than two have one. `texts` (n,) are the contexts and `starts` (n,) the character at which
    the word stands in each; `without_word` counts the texts that were given and don't have it.
    """

    clusters: tuple[SenseCluster, ...]
    assigned: Ints
    adjusted_rand: float = math.nan
    v_measure: float = math.nan
    texts: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    without_word: int = 0


@dataclass(frozen=True, slots=True)
class WordContexts:
    """What is known of n occurrences of a word beside their vectors; none of it decides what is grouped.

    Attributes:
        texts: The text of each.
        word: The word, whose own forms are no part of a cluster's name.
        labels: The sense of each where it is known, "" where not.
        starts: The character at which the word stands in each text; else it is looked for.
    """

    texts: Sequence[str]
    word: str = ""
    labels: Sequence[str] | None = None
    starts: Sequence[int] | None = None

    def places(self) -> tuple[int, ...]:
        """The character at which the word stands in each text, (n,)."""
        return tuple(self.starts if self.starts is not None else [_place(text, self.word) for text in self.texts])


def sense_clusters(
    vectors: Floats,
    contexts: WordContexts,
    min_cluster_size: int = 3,
    word_vectors: Callable[[Sequence[str]], Floats] | None = None,
) -> SenseClusters:
    """Cluster a word's occurrences (n, dim) by HDBSCAN (Campello et al. 2013) of their first principal components.

    `word_vectors` gives static vectors of words: with them words of like meaning count for each other in the names.
    Occurrences that lie in no dense region are in no cluster. Raises `UserError` for fewer than two occurrences or
    vectors that are no finite numbers, `IncompatibleError` for another number of texts or labels.
    """
    n, texts, labels = len(vectors), contexts.texts, contexts.labels
    if vectors.ndim != 2 or len(texts) != n or (labels is not None and len(labels) != n):
        raise IncompatibleError(
            f"{n} vectors, {len(texts)} texts and {n if labels is None else len(labels)} labels: they must be as many"
        )
    if n < 2 or not np.isfinite(vectors).all():
        raise UserError(f"sense clusters need two or more occurrences with finite vectors; got {n}")
    if not 2 <= min_cluster_size <= max(2, n):
        raise UserError(f"min_cluster_size must be from 2 to {max(2, n)}, the occurrences; got {min_cluster_size}")
    directions = unit(np.ascontiguousarray(vectors, np.float32))
    found = _hdbscan(directions, min_cluster_size)
    order = [c for c, _ in Counter(found[found >= 0].tolist()).most_common()]
    assigned = np.array([order.index(c) if c >= 0 else -1 for c in found.tolist()], np.int64)
    groups = [np.flatnonzero(assigned == c) for c in range(len(order))]
    typical = [_typical(directions, rows) for rows in groups]
    places = contexts.places()
    around = [_around(text, start, contexts.word) for text, start in zip(texts, places, strict=True)]
    names = _names(around, typical, word_vectors)
    clusters = tuple(
        SenseCluster(name, tuple(rows.tolist()), tuple(best.tolist()))
        for name, rows, best in zip(names, groups, typical, strict=True)
    )
    return SenseClusters(clusters, assigned, *_agreement(assigned, labels), tuple(texts), places)


def _hdbscan(directions: Floats, min_cluster_size: int) -> Ints:
    with IMPORTING:
        from sklearn.cluster import HDBSCAN
    width = min(N_COMPONENTS, *directions.shape)
    components = principal_plane(directions, width).project(directions)
    if np.ptp(components, axis=0).max() < 1e-6:  # all the same: one group
        return np.zeros(len(directions), np.int64)
    smoothing = max(1, min(min_cluster_size, len(directions)) // 2)
    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=smoothing, copy=True)
    return np.asarray(model.fit_predict(components), np.int64)


def _typical(directions: Floats, rows: Ints) -> Ints:
    near = directions[rows] @ directions[rows].mean(axis=0)
    best: Ints = rows[np.argsort(-near, kind="stable")[:N_TYPICAL]]
    return best


@lru_cache(maxsize=1)
def _stop_words() -> frozenset[str]:
    with IMPORTING:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
    return frozenset(ENGLISH_STOP_WORDS)


def _place(text: str, word: str) -> int:
    found = regex.search(rf"(?<!\p{{L}}){regex.escape(word)}(?!\p{{L}})", text, regex.IGNORECASE) if word else None
    return found.start() if found else len(text) // 2


def _around(text: str, start: int, word: str) -> dict[str, float]:
    """The words near the target, each by how near it stands; not the target's own forms, and no stop words."""
    found = [(match.start(), _bare(match.group())) for match in _WORD.finditer(text)]
    middle = sum(at < start for at, _ in found)
    near: dict[str, float] = {}
    for place, (at, name) in enumerate(found):
        away = abs(place - middle)
        if away > REACH or at == start or name in _stop_words() or len(name) < 3 or _same_word(name, word.lower()):
            continue
        near[name] = max(near.get(name, 0.0), 1 / (1 + away / HALF))
    return near


def _bare(name: str) -> str:
    return name.lower().removesuffix("'s").removesuffix("’s").strip("'’-")


def _same_word(name: str, word: str) -> bool:
    """Whether a name is a form of the word, by its spelling: bank, banks, banking."""
    stem = word.removesuffix("e").removesuffix("y")
    return len(stem) > 1 and name.startswith(stem) and len(name) <= len(word) + 3


def _names(
    around: Sequence[dict[str, float]], typical: Sequence[Ints], word_vectors: Callable[[Sequence[str]], Floats] | None
) -> list[str]:
    """For each cluster the words of its typical contexts that set it apart from the others: the share of its contexts
    with such a word times the log of how many times as much that is as in the other clusters' (the weighing of
    c-TF-IDF, Grootendorst 2022, over contexts).

    With vectors a context has such a word as far as one of like meaning stands there (their cosine, means removed): a
    cluster has few contexts, and what they are about returns in other words. The numbers were chosen by reading names.
    """
    vocabulary = sorted({name for rows in typical for row in rows for name in around[row]})
    place = {name: at for at, name in enumerate(vocabulary)}
    alike = np.eye(len(vocabulary))
    if word_vectors is not None and len(vocabulary) > 1:
        vectors = np.asarray(word_vectors(vocabulary), np.float32)
        directions = unit(vectors - vectors.mean(axis=0))
        alike = np.maximum(directions @ directions.T, 0.0).astype(np.float64)
        np.fill_diagonal(alike, 1.0)
    support = []  # for each cluster (contexts, words)
    for rows in typical:
        table = np.zeros((len(rows), len(vocabulary)))
        for at, row in enumerate(rows):
            for name, weight in around[row].items():
                table[at] = np.maximum(table[at], weight * alike[place[name]])
        support.append(table)
    names = []
    for cluster, rows in enumerate(typical):
        mine = support[cluster].mean(axis=0)
        rest = [table for other, table in enumerate(support) if other != cluster]
        others = np.concatenate(rest).mean(axis=0) if rest else np.zeros_like(mine)
        score = mine * np.log((mine + SMOOTHING) / (others + SMOOTHING)) if rest else mine.copy()
        there = {name for row in rows for name in around[row]}
        score[[at for at, name in enumerate(vocabulary) if name not in there]] = -np.inf
        score[score <= 0] = -np.inf
        chosen: list[int] = []
        for at in np.argsort(-score, kind="stable").tolist():
            if len(chosen) == WORDS_IN_NAME or not np.isfinite(score[at]):
                break
            if all(
                alike[at, other] < MAX_NAME_COSINE
                and not _same_word(vocabulary[at], vocabulary[other])
                and not _same_word(vocabulary[other], vocabulary[at])
                for other in chosen
            ):
                chosen.append(at)
        names.append(", ".join(vocabulary[at] for at in chosen) or f"cluster {cluster + 1}")
    return [name if names.count(name) == 1 else f"{name} ({at + 1})" for at, name in enumerate(names)]


def _agreement(assigned: Ints, labels: Sequence[str] | None) -> tuple[float, float]:
    known = [row for row, label in enumerate(labels or ()) if label]
    if len(known) < 2:
        return math.nan, math.nan
    with IMPORTING:
        from sklearn.metrics import adjusted_rand_score, v_measure_score
    assert labels is not None
    names, found = [labels[row] for row in known], assigned[known]
    return float(adjusted_rand_score(names, found)), float(v_measure_score(names, found))
