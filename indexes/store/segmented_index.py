"""A collection's own index of a space: FAISS's of its segments, and the exact search among rows outside them."""

import numpy as np

from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index, QueryOptions, SearchResult
from polysema.indexes.index_spec import USED_PARAMETERS, IndexSpec
from polysema.indexes.store.matches import Search
from polysema.indexes.store.segment_search import search_segment
from polysema.indexes.store.space_rows import SpaceRows, SpaceVectors
from polysema.indexes.streamed import exact_index

QUERIES_BETWEEN = 8  # queries after which the pages of a large index are given back


class SegmentedIndex(Index):
    """Finds rows of a space, as they are numbered in `SpaceRows`, through the indexes that compactions built.

    The recall to expect is that of the segments' indexes by their rows; rows outside them are compared exactly.

    Args:
        rows: The space; at least one of its segments has an index.
    """

    def __init__(self, rows: SpaceRows):
        self.metric, self.n, self.dim = rows.card.metric, len(rows.vectors), rows.card.dim
        self._rows = rows
        self._indexed = [place for place, one in enumerate(rows.segments) if one.stored.has_index]
        outside = [place for place, one in enumerate(rows.segments) if not one.stored.has_index]
        self._outside = np.concatenate(
            [np.arange(rows.starts[place], rows.starts[place + 1]) for place in outside] or [np.empty(0, np.int64)]
        )
        self._exact = None
        if outside:
            flat = SpaceVectors([rows.segments[place] for place in outside], self.dim, rows.vectors.streams)
            self._exact = exact_index(flat, self.metric, rows.resident_bytes)  # type: ignore[arg-type]

    def _build(self, vectors: Floats) -> None:
        """Nothing is built: the segments have their indexes."""

    @property
    def specs(self) -> list[IndexSpec]:
        """The recipes of the segments' indexes."""
        cards = (self._rows.segments[place].ref.card for place in self._indexed)
        return [IndexSpec.from_json(card["recipe"]) for card in cards if card]

    def is_of(self, spec: IndexSpec) -> bool:
        """Whether it is of that kind, with the parameters that the recipe names (those that aren't the usual ones)."""
        plain = IndexSpec(spec.kind)
        named = [name for name in USED_PARAMETERS[spec.kind] if getattr(spec, name) != getattr(plain, name)]
        return spec.kind == "auto" or all(
            one.kind == spec.kind and all(getattr(one, name) == getattr(spec, name) for name in named)
            for one in self.specs
        )

    def _search(self, queries: Floats, k: int, ask: QueryOptions) -> SearchResult:
        step = QUERIES_BETWEEN if self._rows.vectors.streams else len(queries)
        parts = [self._some(queries[at : at + step], k, ask) for at in range(0, len(queries), step)]
        if len(parts) == 1:
            return parts[0]
        return SearchResult(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.scores for part in parts]),
            parts[0].recall,
            parts[0].how,
        )

    def _some(self, queries: Floats, k: int, ask: QueryOptions) -> SearchResult:
        found: list[tuple[Ints, Floats]] = []
        hows: list[str] = []
        shares: list[tuple[float | None, int]] = []
        for place in self._indexed:
            segment, start = self._rows.segments[place], int(self._rows.starts[place])
            mask = None
            if ask.where is not None:
                mask = segment.live.copy()
                mask[mask] = ask.where[start : start + segment.n_live]
            part = search_segment(place, segment, queries, Search(k, recall=ask.recall), mask)
            segment.stored.release()
            found.append((self._rows.numbered(place, part.rows), part.scores))
            hows.append(part.how)
            shares.append((part.recall, segment.n_live))
        if self._exact is not None:
            where = None if ask.where is None else ask.where[self._outside]
            hits = self._exact.search(queries, min(k, self._exact.n), where=where)
            rows = np.where(hits.rows < 0, -1, self._outside[hits.rows])
            found.append((rows, hits.scores))
            hows.append(f"exact among {self._exact.n:,} rows outside it")
            shares.append((1.0, self._exact.n))
        rows, scores = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
        order = np.lexsort((rows, -scores))[:, :k]
        rows, scores = np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)
        if (short := k - rows.shape[1]) > 0:
            rows = np.pad(rows, ((0, 0), (0, short)), constant_values=-1)
            scores = np.pad(scores, ((0, 0), (0, short)), constant_values=-np.inf)
        recall = None
        if all(share is not None for share, _ in shares):
            recall = sum((share or 0.0) * n for share, n in shares) / sum(n for _, n in shares)
        return SearchResult(rows, scores.astype(np.float32), recall, "; ".join(dict.fromkeys(hows)))


def own_index(rows: SpaceRows) -> SegmentedIndex | None:
    """The index that compactions built of a space; None where they built none."""
    return SegmentedIndex(rows) if any(one.stored.has_index for one in rows.segments) else None
