"""Sense clusters: a word's occurrences grouped by their vectors alone, named by their contexts, compared with labels."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import regex

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.imports import IMPORTING
from polysema.core.space.geometry import principal_plane
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

WIDTH = 2  # principal components to cluster by: of 2, 3, 5 and 10, two agreed best with the senses of the corpus
TYPICAL = 10  # contexts nearest to a cluster's mean, from which its name is made
IN_NAME = 3
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}'’-]*")


@dataclass(frozen=True, slots=True)
class SenseCluster:
    """A group of occurrences: its `name`, of the words that tell its contexts from the others', its `rows`, and those
    of them that are most typical (nearest to the mean), best first.
    """

    name: str
    rows: tuple[int, ...]
    typical: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SenseClusters:
    """The clusters, largest first; `assigned` (n,) is each occurrence's cluster, -1 for none.

    `adjusted_rand` (Hubert and Arabie 1985; 0 by chance, 1 the same) and `v_measure` (Rosenberg and Hirschberg 2007) say how
    well they agree with the labels, over the occurrences that have one, those of no cluster counted as
    one more; NaN where fewer than two have one.
    """

    clusters: tuple[SenseCluster, ...]
    assigned: Ints
    adjusted_rand: float = math.nan
    v_measure: float = math.nan


def sense_clusters(
    vectors: Floats,
    texts: Sequence[str],
    word: str = "",
    labels: Sequence[str] | None = None,
    min_cluster_size: int = 3,
) -> SenseClusters:
    """Cluster a word's occurrences (n, dim) by HDBSCAN (Campello et al. 2013) of their first principal components.

    `texts` are their contexts and `labels` their senses where they are known, "" where not; neither decides what is
    grouped. Occurrences that lie in no dense region are in no cluster. Raises `UserError` for fewer than two occurrences or vectors
    that are no finite numbers, `IncompatibleError` for another number of texts or labels.
    """
    n = len(vectors)
    if vectors.ndim != 2 or len(texts) != n or (labels is not None and len(labels) != n):
        raise IncompatibleError(f"{n} vectors, {len(texts)} texts and {n if labels is None else len(labels)} labels: they must be as many")  # fmt: skip
    if n < 2 or not np.isfinite(vectors).all():
        raise UserError(f"sense clusters need two or more occurrences with finite vectors; got {n}")
    if not 2 <= min_cluster_size <= max(2, n):
        raise UserError(f"min_cluster_size must be from 2 to {max(2, n)}, the occurrences; got {min_cluster_size}")
    directions = unit(np.ascontiguousarray(vectors, np.float32))
    found = _hdbscan(directions, min_cluster_size)
    order = [c for c, _ in Counter(found[found >= 0].tolist()).most_common()]
    assigned = np.array([order.index(c) if c >= 0 else -1 for c in found.tolist()], np.int64)
    left_out = _stop_words() | {word.lower()}
    words = [Counter(set(_words(text)) - left_out) for text in texts]
    groups = [np.flatnonzero(assigned == c) for c in range(len(order))]
    typical = [_typical(directions, rows) for rows in groups]
    names = _names(words, groups, typical)
    clusters = tuple(
        SenseCluster(name, tuple(rows.tolist()), tuple(best.tolist()))
        for name, rows, best in zip(names, groups, typical, strict=True)
    )
    return SenseClusters(clusters, assigned, *_agreement(assigned, labels))


def _hdbscan(directions: Floats, min_cluster_size: int) -> Ints:
    with IMPORTING:
        from sklearn.cluster import HDBSCAN
    width = min(WIDTH, *directions.shape)
    components = principal_plane(directions, width).project(directions)
    if np.ptp(components, axis=0).max() < 1e-6:  # all the same: one group
        return np.zeros(len(directions), np.int64)
    smoothing = max(1, min(min_cluster_size, len(directions)) // 2)
    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=smoothing, copy=True)
    return np.asarray(model.fit_predict(components), np.int64)


def _typical(directions: Floats, rows: Ints) -> Ints:
    near = directions[rows] @ directions[rows].mean(axis=0)
    best: Ints = rows[np.argsort(-near, kind="stable")[:TYPICAL]]
    return best


def _stop_words() -> frozenset[str]:
    with IMPORTING:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
    return frozenset(ENGLISH_STOP_WORDS)


def _words(text: str) -> list[str]:
    return [found.lower() for found in _WORD.findall(text) if len(found) > 2]


def _names(words: Sequence[Counter[str]], groups: Sequence[Ints], typical: Sequence[Ints]) -> list[str]:
    """For each cluster the words that are more frequent in its typical contexts than in all: log odds, weighed by how
    many of its contexts have the word, so that neither a rare word nor a common one makes a name.
    """
    everywhere = sum(words, Counter())
    total, names = len(words), []
    for place, rows in enumerate(typical):
        here: Counter[str] = sum((words[row] for row in rows), Counter())
        scores = {
            w: count * math.log((count / len(rows)) / ((everywhere[w] + 1) / (total + 1))) for w, count in here.items()
        }
        ranked = sorted(scores, key=lambda w: (here[w] < 2, -scores[w], w))
        best = [w for w in ranked if scores[w] > 0][:IN_NAME]
        names.append(", ".join(best) or f"cluster {place + 1}")
    assert len(names) == len(groups)
    return [name if names.count(name) == 1 else f"{name} ({place + 1})" for place, name in enumerate(names)]


def _agreement(assigned: Ints, labels: Sequence[str] | None) -> tuple[float, float]:
    known = [row for row, label in enumerate(labels or ()) if label]
    if len(known) < 2:
        return math.nan, math.nan
    with IMPORTING:
        from sklearn.metrics import adjusted_rand_score, v_measure_score
    assert labels is not None
    names, found = [labels[row] for row in known], assigned[known]
    return float(adjusted_rand_score(names, found)), float(v_measure_score(names, found))
