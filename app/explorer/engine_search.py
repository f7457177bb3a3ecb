"""Search in a collection on another engine: its own index finds among all rows, of which a sample is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.app.explorer.space_search import SpaceSearch
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.options import SearchOptions
    from polysema.core.space.hits import Hits
    from polysema.core.space.space import Floats
    from polysema.indexes.engines.milvus.sampled_space import SampledRows


class EngineSearch(SpaceSearch):
    """Searches a space where it lives; what works on vectors themselves (maps, graphs) has the sample."""

    def __init__(self, rows: SampledRows):
        super().__init__(rows.space())
        self._rows = rows

    def uses_index(self, options: SearchOptions) -> bool:
        """Whether the engine searches: it compares as the verbs do, by cosine."""
        return self._rows.by_cosine

    def search(self, queries: Floats, k: int, options: SearchOptions, left_out: Sequence[int] = ()) -> Hits:
        """The k best of all rows for each query, (n_queries, k), those of `left_out` not among them."""
        if not self._rows.by_cosine:
            return super().search(queries, k, options, left_out)
        if options.index or options.restrict_vocab is not None:
            raise UserError(
                f"{self._rows.collection.root} is searched by the index that it has there: leave the index and the "
                "first rows out, or build another with `polysema collection compact`"
            )
        return self._rows.search(queries, k, options.where or None, options.recall, left_out)


def engine_search(address: str) -> EngineSearch:
    """The search in the space at an address, `milvus://host:19530/name` or, where there are several, `…/name/space`."""
    from polysema.indexes.engines.address import parse_address
    from polysema.indexes.engines.milvus.collection import MilvusCollection
    from polysema.indexes.engines.milvus.sampled_space import SampledRows

    found = parse_address(address)
    return EngineSearch(SampledRows(MilvusCollection(found), found.space))
