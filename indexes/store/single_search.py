"""One query of a space that is one segment with a graph: found by the shortest way, with the answer of every other."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.space.space import Floats, Ints
from polysema.indexes.store.matches import Matches
from polysema.indexes.store.segment_search import is_small

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.indexes.collection_files import CollectionFiles
    from polysema.indexes.faiss_single import SingleQuery
    from polysema.indexes.store.view import CollectionView

MAX_WAYS = 64  # numbers of answers and recalls whose way is remembered for a version
FIELDS = frozenset(one.name for one in fields(Matches))


@dataclass(frozen=True, slots=True, eq=False)
class SingleSearch:
    """How one query of a version is searched for: all that is the same for each of them."""

    view: CollectionView
    space: str
    query: SingleQuery
    recall: float | None
    starts: memoryview
    data: memoryview
    places: Ints

    def search(self, given: npt.ArrayLike) -> Matches | None:
        """What is found for one query (1, dim); None for what isn't one, or isn't searched for so."""
        queries = np.asarray(given)
        if queries.shape != (1, self.query.dim) or queries.dtype.kind not in "fiu":
            return None
        found = self.query.search(np.ascontiguousarray(queries, np.float32))
        return None if found is None else SingleMatches(self, *found)

    def ids(self, listed: list[int]) -> list[str]:
        """The ids of some rows."""
        starts, data = self.starts, self.data
        return [str(data[starts[row] : starts[row + 1]], "utf-8") for row in listed]


class SingleMatches(Matches):
    """What was found for one query; its fields are made when they are looked at: the ids alone, or all."""

    __slots__ = ("_found",)
    _found: tuple[SingleSearch, Floats, Ints]

    def __init__(self, way: SingleSearch, scores: Floats, numbers: Ints):
        object.__setattr__(self, "_found", (way, scores, numbers))

    def __getattr__(self, name: str) -> object:
        if name not in FIELDS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        way, distances, numbers = self._found
        rows, scores, listed = way.query.read(distances, numbers)
        ids = [way.ids(listed)]
        if name == "ids":
            object.__setattr__(self, "ids", ids)
            return ids
        super().__init__(ids, scores, way.space, way.recall, way.view, way.places.copy(), rows)
        return getattr(self, name)


def search_alone(
    files: CollectionFiles, queries: npt.ArrayLike, k: int, space: str | None, recall: float | None
) -> Matches | None:
    """What is found for one query where that goes by the shortest way; None where it doesn't, or something is to be
    told.
    """
    view = files.read_view()
    if view is None:
        return None
    try:
        way = single_search(view, k, space, recall)
        return None if way is None else way.search(queries)
    except OSError:  # the way of every query tells it
        return None


def single_search(view: CollectionView, k: int, space: str | None, recall: float | None) -> SingleSearch | None:
    """How one query is searched for in a version; None where it takes more than one graph of rows that are all there.

    It is remembered with the version: what is checked here is the same for every query.
    """
    if type(k) is not int or k < 1 or not (recall is None or (type(recall) is float and 0 < recall <= 1)):
        return None  # also True, which is 1 as a key
    key = (k, space, recall)
    try:
        return view.single_searches[key]
    except (KeyError, TypeError):  # a wrong name of a space may be anything
        pass
    made = _made(view, k, space, recall)
    if len(view.single_searches) < MAX_WAYS:
        view.single_searches[key] = made
    return made


def _made(view: CollectionView, k: int, space: str | None, recall: float | None) -> SingleSearch | None:
    from polysema.indexes.faiss_index import FaissIndex
    from polysema.indexes.faiss_single import SingleQuery

    names = list(view.manifest.spaces)
    name = names[0] if space is None and len(names) == 1 else space
    segments = view.segments.get(name or "", ())
    if name is None or len(segments) != 1:
        return None
    (segment,) = segments
    if segment.dead is not None or is_small(segment, view.limits) or not segment.n_live:
        return None
    k = min(k, segment.n_live)
    index = segment.stored.index()
    query = SingleQuery.of(index, k, recall) if isinstance(index, FaissIndex) else None
    if query is None:
        return None
    n = segment.n_live
    expected = None if query.recall is None else query.recall * n / n  # as several segments are weighed
    starts, data = segment.stored.table.keys.text
    return SingleSearch(view, name, query, expected, starts.data, data, np.zeros((1, k), np.int64))
