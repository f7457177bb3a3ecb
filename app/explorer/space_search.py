"""Search in a space: the indexes that stand behind it, and their hits as rows with names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.index_builds import build_turn
from polysema.app.explorer.index_cache import kept_index
from polysema.app.explorer.options import SearchOptions, first_rows
from polysema.app.explorer.results import Neighbor
from polysema.app.explorer.text_limits import check_texts_read
from polysema.core.space.hits import Hits
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Space
from polysema.indexes.base import Index, Mask
from polysema.indexes.exact import ExactIndex
from polysema.indexes.faiss_index import FaissIndex
from polysema.indexes.filters import parse as parse_filter
from polysema.indexes.index_spec import IndexSpec

MAX_INDEXES = 4
MAX_CONDITIONS = 4  # whose rows are remembered: many words may be looked up under one


def condition_table(space: Space) -> pa.Table:
    """What a condition on the rows of a space is about: its columns, and `word` where the words stand beside them."""
    table = space.columns if space.columns is not None else pa.table({"word": space.keys.array})
    if "word" not in table.column_names:  # a file whose words are called otherwise, or stand beside it
        table = table.append_column("word", space.keys.array)
    return table


class SpaceSearch:
    """Holds the indexes of one space, each built when it is first needed."""

    def __init__(self, space: Space):
        self.space = space
        self._exact = SingleFlightCache(2)  # of the whole space, and of the first rows that were used last
        self._faiss = SingleFlightCache(MAX_INDEXES)
        self._passing = SingleFlightCache(MAX_CONDITIONS)

    def exact(self, n_rows: int | None = None) -> ExactIndex:
        """The exact cosine index of the space, or of its first rows alone."""
        first = None if n_rows is None or n_rows >= len(self.space.vectors) else n_rows
        return self._exact.get(first, partial(ExactIndex, self.space.vectors[:first], Metric.COSINE))

    def uses_index(self, options: SearchOptions) -> bool:
        """Whether an index that may miss some of the nearest answers."""
        return bool(options.index)

    def search(self, queries: Floats, k: int, options: SearchOptions, left_out: Sequence[int] = ()) -> Hits:
        """The k best rows for each query, (n_queries, k), those of `left_out` not among them, as the options say."""
        index: Index = self.exact()
        if options.index:
            index = self._approximate(IndexSpec.parse(options.index))
        return index.search(queries, k, left_out, where=self.mask(options), recall=options.recall)

    def _approximate(self, spec: IndexSpec) -> FaissIndex:
        """The index by a recipe: at hand, else read or built, one at a time; raises `BusyError`, `UserError`."""
        from polysema.indexes.faiss_index import FaissIndex

        there = self._faiss.peek(spec)
        if isinstance(there, FaissIndex):
            return there
        with build_turn():
            return self._faiss.get(spec, lambda: kept_index(self.space.vectors, spec))

    def mask(self, options: SearchOptions) -> Mask | None:
        """Which rows may be answers (n,); None where all may."""
        space, mask = self.space, None
        if options.where:
            mask = self._passing.get(options.where, lambda: self._rows_that_pass(options.where))
        if (first := first_rows(options.restrict_vocab, len(space))) < len(space):
            within = np.arange(len(space)) < first
            mask = within if mask is None else mask & within
        return mask

    def _rows_that_pass(self, where: str) -> Mask:
        mask = parse_filter(where).mask_of(condition_table(self.space))
        mask.flags.writeable = False  # it is remembered
        return mask

    def named(self, hits: Hits, query: int = 0) -> tuple[Neighbor, ...]:
        """The hits of one query, best first, with their names, and of occurrences their texts."""
        space, there = self.space, hits.rows[query] >= 0  # a search that found fewer ends in empty places
        rows, scores = hits.rows[query][there], hits.scores[query][there].tolist()
        texts = [""] * len(rows)
        if space.columns is not None and "text" in space.columns.column_names:
            texts = space.columns.column("text").take(pa.array(rows)).to_pylist()
            check_texts_read(texts)
        ranks = range(1, len(rows) + 1)
        return tuple(map(Neighbor, ranks, space.keys.take(rows), scores, rows.tolist(), texts))

    def named_each(self, found: Sequence[Hits]) -> list[tuple[Neighbor, ...]]:
        """The hits of several searches of one query, with their names: as `named`, in one look-up."""
        widths = [hits.rows.shape[1] for hits in found]
        rows, scores = (np.concatenate([getattr(hits, name) for hits in found], axis=1) for name in ("rows", "scores"))
        every, ends = self.named(Hits(rows, scores)), np.cumsum(widths).tolist()
        return [
            tuple(replace(one, rank=rank) for rank, one in enumerate(every[end - width : end], 1))
            for width, end in zip(widths, ends, strict=True)
        ]

    def caches(self) -> tuple[SingleFlightCache, ...]:
        """What is counted."""
        return self._exact, self._faiss
