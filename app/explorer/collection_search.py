"""Search in a collection's space: through the index that was built of it, else block by block, never read whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import SearchOptions, first_rows
from polysema.app.explorer.space_search import SpaceSearch
from polysema.core.errors import UserError
from polysema.core.space.metric import Metric
from polysema.indexes.filters import parse as parse_filter
from polysema.indexes.index_spec import IndexSpec
from polysema.indexes.store.segmented_index import own_index
from polysema.indexes.streamed import StreamedIndex, exact_index

if TYPE_CHECKING:
    from polysema.core.space.hits import Hits
    from polysema.core.space.space import Floats
    from polysema.indexes.base import Mask
    from polysema.indexes.exact import ExactIndex
    from polysema.indexes.store.space_rows import SpaceRows

MAX_BUILD_BYTES = 512 << 20  # vectors of a collection of which another index than its own is built in memory


class CollectionSearch(SpaceSearch):
    """Searches a collection's space: by its own index where one was built, exactly at a recall of 1."""

    def __init__(self, rows: SpaceRows):
        super().__init__(rows.space())
        self._rows = rows
        self.max_build_bytes = MAX_BUILD_BYTES
        self._own = own_index(rows) if rows.card.metric is Metric.COSINE else None  # every verb compares by cosine

    def exact(self, n_rows: int | None = None) -> ExactIndex:
        """The exact cosine index of the space, or of its first rows alone."""
        n = len(self.space)
        first = n if n_rows is None else min(n_rows, n)
        if first == n:
            return self._exact.get(None, lambda: exact_index(self._vectors, Metric.COSINE, self._rows.resident_bytes))
        return self._exact.get(first, lambda: StreamedIndex(self._vectors, Metric.COSINE, first))

    def uses_index(self, options: SearchOptions) -> bool:
        """Whether an index that may miss some of the nearest answers: the collection's own where none is named."""
        if options.index:
            return IndexSpec.parse(options.index).kind != "flat"
        return self._own is not None and (options.recall is None or options.recall < 1)

    def search(self, queries: Floats, k: int, options: SearchOptions, left_out: Sequence[int] = ()) -> Hits:
        """The k best rows for each query, (n_queries, k), those of `left_out` not among them, as the options say.

        An `index` that the collection doesn't have is built in memory; raises `UserError` where it is too large for it.
        """
        if not self.uses_index(options):
            return self.exact().search(queries, k, left_out, where=self.mask(options), recall=options.recall)
        if self._own is not None and (not options.index or self._own.is_of(IndexSpec.parse(options.index))):
            return self._own.search(queries, k, left_out, where=self.mask(options), recall=options.recall)
        if self._rows.vectors.nbytes > self.max_build_bytes:
            there = f"; its own is {' and '.join(dict.fromkeys(map(str, self._own.specs)))}" if self._own else ""
            raise UserError(
                f"{self.space.name} holds {len(self.space):,} x {self.space.dim}, too many to build an index "
                f"of in memory{there}: leave the index out, or build it in the collection with `polysema collection "
                f"compact FOLDER --index {options.index}`"
            )
        return super().search(queries, k, options, left_out)

    def mask(self, options: SearchOptions) -> Mask | None:
        """Which rows may be answers (n,); None where all may."""
        mask = self._rows.mask(parse_filter(options.where)) if options.where else None
        if (first := first_rows(options.restrict_vocab, len(self.space))) < len(self.space):
            within = np.arange(len(self.space)) < first
            mask = within if mask is None else mask & within
        return mask

    @property
    def _vectors(self) -> Floats:
        return self.space.vectors
