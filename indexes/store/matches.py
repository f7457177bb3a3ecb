"""What is searched for in a collection, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from polysema.core.display import HtmlRepr
from polysema.core.space.space import Floats, Ints
from polysema.indexes.filters import Filter

if TYPE_CHECKING:
    from polysema.indexes.engines.protocol import MatchedRows


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Matches(HtmlRepr):
    """What a search of a collection found, best first.

    `ids` has a list for each query, of k ids or as many as there are or passed the condition; `scores` (n_queries, k or
    all rows) float32 are higher-is-better, -inf where fewer passed. `recall` is the share of the true best that is
    expected here (1.0 for an exact answer), as it was measured when the index was built; None where it never was.
    `view` is the version that was searched; `segments` and `rows` (n_queries, k) say where in it each hit is, -1 for
    none.
    """

    ids: list[list[str]]
    scores: Floats
    space: str
    recall: float | None
    view: "MatchedRows"
    segments: Ints
    rows: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        recall = "not measured" if self.recall is None else f"{self.recall:.3f}"
        n_queries, k = self.rows.shape
        return f"Matches({n_queries:,} x {k:,}, {self.space}, version {self.version}, recall {recall})"

    @property
    def version(self) -> int:
        """The version of the collection that was searched."""
        return self.view.manifest.version

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Every hit: query (from 0), rank (from 1), score, id, and its columns (all, or those named)."""
        query, rank = np.nonzero(self.rows >= 0)
        found = self.view.table(self.space, self.segments[query, rank], self.rows[query, rank], columns)
        own = {"query": query, "rank": rank + 1, "score": self.scores[query, rank]}
        arrays = [pa.array(values) for values in own.values()]
        return pa.table([*arrays, *found.columns], names=[*own, *found.column_names])

    def part(self, query: int, start: int, stop: int) -> "Matches":
        """What was found for one query alone, from one place to before another."""
        ids, places = [self.ids[query][start:stop]], slice(start, stop)
        lines = (array[query : query + 1, places] for array in (self.segments, self.rows))
        return Matches(ids, self.scores[query : query + 1, places], self.space, self.recall, self.view, *lines)

    def vectors(self) -> Floats:
        """The vector of each hit, (n_queries, k, dim); zeros where there are fewer than k."""
        there = self.rows >= 0
        if not there.any():
            return np.zeros((*self.rows.shape, 0), np.float32)
        out = np.zeros((*self.rows.shape, self.view.card(self.space).dim), np.float32)
        out[there] = self.view.vectors(self.space, self.segments[there], self.rows[there])
        return out


@dataclass(frozen=True, slots=True)
class Search:
    """How a search is done: the `space`, the best `k`, a condition `where` (see `filters`), the least `recall` that is
    wanted of an approximate index (None: as its recipe says), or `exact`."""

    k: int = 10
    space: str | None = None
    where: "str | Filter | None" = None
    recall: float | None = None
    exact: bool = False
