"""The best rows of one segment, and of the small segments of a space together."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.space.hits import Hits
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index, Mask
from polysema.indexes.exact import ExactIndex
from polysema.indexes.recall import RecallCurve
from polysema.indexes.store.disk import StoreLimits
from polysema.indexes.store.manifest import SpaceCard
from polysema.indexes.store.matches import Search
from polysema.indexes.store.segment import Segment

GRAPHS = ("hnsw", "hnsw-sq8")  # indexes in which each query goes its own way


class SmallSegments:
    """The live rows of several small segments as one matrix."""

    def __init__(self, segments: "Sequence[tuple[int, Segment]]", metric: Metric):
        self.segments = segments
        self.places = np.concatenate([np.full(segment.n_live, place) for place, segment in segments])
        self.rows = np.concatenate([np.flatnonzero(segment.live) for _, segment in segments])
        vectors = np.concatenate([np.asarray(segment.stored.vectors)[segment.live] for _, segment in segments])
        self.index = ExactIndex(vectors, metric)


class SmallSegmentCache:
    """The small segments of each space of a version, put together when they are first searched."""

    def __init__(
        self, segments: "Mapping[str, Sequence[Segment]]", spaces: "Mapping[str, SpaceCard]", limits: StoreLimits
    ):
        self._segments, self._spaces, self._limits = segments, spaces, limits
        self._made: dict[str, SmallSegments | None] = {}
        self._making = threading.Lock()

    def of(self, space: str) -> SmallSegments | None:
        """Those of a space that have rows; None where it has none."""
        with self._making:
            if space not in self._made:
                small = [
                    (place, segment)
                    for place, segment in enumerate(self._segments[space])
                    if is_small(segment, self._limits) and segment.n_live
                ]
                self._made[space] = SmallSegments(small, self._spaces[space].metric) if small else None
            return self._made[space]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentMatches:
    """What was found in one place: (n_queries, up to k) each; `n` rows were looked among with that `recall`."""

    places: Ints
    rows: Ints
    scores: Floats
    recall: float | None
    n: int
    how: str = "exact"


def is_small(segment: Segment, limits: StoreLimits) -> bool:
    """Whether a segment is searched together with others."""
    return segment.ref.rows < limits.small_segment_rows and not segment.stored.has_index


def answers_alike(segments: Sequence[Segment], how: Search) -> bool:
    """Whether many queries at once have the answers, to the last digit, that each has alone: in graphs; a product of
    matrices adds in another order than one of a vector.
    """
    if how.where is not None or how.exact or (how.recall is not None and how.recall >= 1):
        return False
    for one in segments:
        if one.dead is not None or one.ref.card is None or one.ref.card["recipe"]["kind"] not in GRAPHS:
            return False
        if how.recall is not None and not _promises(one.stored.index(), how.recall, how.k):
            return False  # it is searched exactly
    return True


def _promises(index: Index, recall: float, k: int) -> bool:
    curve = getattr(index, "curve", None)
    return isinstance(curve, RecallCurve) and curve.cheapest(recall, k) is not None


def search_segment(place: int, segment: Segment, queries: Floats, how: Search, mask: Mask | None) -> SegmentMatches:
    """The best of a large segment."""
    index = segment.stored.exact() if how.exact else segment.stored.index()
    k = min(how.k, segment.n_live if mask is None else int(mask.sum()))
    if k == 0:
        empty = np.empty((len(queries), 0))
        return SegmentMatches(empty.astype(np.int64), empty.astype(np.int64), empty.astype(np.float32), 1.0, 0)
    if mask is None and segment.dead is not None:
        hits = _living(index, queries, k, segment, how.recall)
    else:
        hits = index.search(queries, k, where=mask, recall=how.recall)
    places = np.where(hits.rows < 0, -1, place)
    return SegmentMatches(places, hits.rows, hits.scores, hits.recall, segment.n_live, hits.how)


def _living(index: Index, queries: Floats, k: int, segment: Segment, recall: float | None) -> Hits:
    """The k best that aren't dead: some more are requested, which is nearly always enough; else the dead are left out
    at once.
    """
    dead = segment.dead
    assert dead is not None
    hits = index.search(queries, min(index.n, k + 8 + 2 * k * segment.ref.n_dead // index.n), recall=recall)
    there = (hits.rows >= 0) & ~dead[hits.rows]
    if int(there.sum(axis=1).min(initial=k)) < k:
        return index.search(queries, k, where=~dead, recall=recall)
    order = np.argsort(~there, axis=1, kind="stable")[:, :k]
    rows, scores = np.take_along_axis(hits.rows, order, axis=1), np.take_along_axis(hits.scores, order, axis=1)
    return Hits(rows, scores, hits.recall, hits.how)


def search_small_segments(tail: SmallSegments, queries: Floats, k: int, masks: list[Mask] | None) -> SegmentMatches:
    """The best of the small segments."""
    where = None
    if masks is not None:
        where = np.concatenate([masks[place][segment.live] for place, segment in tail.segments])
    hits = tail.index.search(queries, min(k, tail.index.n), where=where)
    there = hits.rows >= 0
    places = np.where(there, tail.places[hits.rows], -1)
    rows = np.where(there, tail.rows[hits.rows], -1)
    return SegmentMatches(places, rows, hits.scores, 1.0, tail.index.n)
