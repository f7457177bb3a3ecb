"""Supervised UMAP (McInnes et al. 2018): the graph of the vectors met with what a column says of the points."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.maps.fuzzy_graph import Graph, fuzzy_union
from polysema.core.maps.neighbors import Neighbors
from polysema.core.space.array_types import Doubles, Ints

UNKNOWN_DISTANCE = 1.0  # umap-learn's: how far a point without a category is from any other
FAR_DISTANCE = 2.5  # umap-learn's, of two categories, divided by 1 - target_weight
MIN_MEMBERSHIP, MAX_ABSENT = 1e-8, 1e-4  # the weight of an edge that one of two graphs doesn't have


@dataclass(frozen=True, slots=True, eq=False)
class MapTarget:
    """What a column says of each point: `codes` (n,) of its `n_categories` categories, -1 for none, or `numbers` (n,),
    NaN for none.
    """

    name: str
    codes: Ints | None = None
    numbers: Doubles | None = None
    n_categories: int = 0

    @classmethod
    def of(cls, name: str, column: "pa.Array | pa.ChunkedArray", target_metric: str = "") -> "MapTarget":
        """A column as a target: numbers and dates as numbers (l2), all else as categories, unless one is requested.

        Raises `UserError` for lists and the like, for text as numbers, and for a column without a value.
        """
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        if pa.types.is_nested(kind):
            raise UserError(f"column {name!r} holds {kind}: a map is supervised by categories or numbers, one a row")
        if array.null_count == len(array):
            raise UserError(f"column {name!r} has no value in the {len(array):,} rows: nothing to supervise by")
        ordered = _is_number(kind) or pa.types.is_temporal(kind)
        if target_metric == "l2" and not ordered:
            raise UserError(f"column {name!r} holds {kind}, no numbers: give target_metric categorical")
        if ordered and target_metric != "categorical":
            return cls(name, numbers=_numbers(array))
        coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        codes = pc.fill_null(coded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        return cls(name, np.array(codes, np.int64), n_categories=len(np.unique(codes[codes >= 0])))

    def __len__(self) -> int:
        return len(self.codes) if self.codes is not None else len(self.numbers) if self.numbers is not None else 0

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Which points have no value: (n,)."""
        if self.codes is not None:
            return np.asarray(self.codes < 0)
        assert self.numbers is not None
        return np.isnan(self.numbers)

    @property
    def digest(self) -> str:
        """The content as one key."""
        values = self.codes if self.codes is not None else self.numbers
        assert values is not None
        return hashlib.blake2b(repr(values.dtype).encode() + values.tobytes(), digest_size=16).hexdigest()

    def note(self) -> str:
        """What the map's reader must know."""
        lacking = int(self.missing.sum())
        what = f"{self.n_categories:,} categories" if self.codes is not None else "its numbers"
        rows = f"; {lacking:,} of {len(self):,} rows have no value" if lacking else ""
        return f"supervised by {self.name} ({what}): groups of its values are partly its own making{rows}"

    def met(self, graph: Graph, weight: float, n_neighbors: int) -> Graph:
        """The graph of the vectors where the target agrees, by umap-learn's rules and numbers.

        Raises `IncompatibleError` for another number of points.
        """
        if graph.shape[0] != len(self):
            raise IncompatibleError(f"a target of {len(self):,} values for {graph.shape[0]:,} points")
        if self.codes is not None:
            return _locally_connected(_by_categories(graph, self.codes, weight))
        assert self.numbers is not None
        others = _graph_of_numbers(self.numbers, n_neighbors)
        return graph if others is None else _locally_connected(_intersection(graph, others, weight))


def target_names(schema: pa.Schema) -> list[str]:
    """The columns that may supervise a map: all but those of lists and the like."""
    return [one.name for one in schema if not pa.types.is_nested(one.type) and not pa.types.is_null(one.type)]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _numbers(array: pa.Array) -> Doubles:
    """Numbers, or the time of dates, as float64 of a spread of 1; NaN and infinite ones are missing."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    if pa.types.is_temporal(array.type):
        array = array.cast(pa.int32() if pa.types.is_time32(array.type) else pa.int64())
    values = np.array(array.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    values[~np.isfinite(values)] = np.nan
    known = values[~np.isnan(values)]
    spread = float(known.std()) if len(known) else 0.0
    return (values - known.mean()) / spread if spread > 0 else values


def _by_categories(graph: Graph, codes: Ints, weight: float) -> Graph:
    """Edges between two categories are lightened by far more than those to a point that has none."""
    far = FAR_DISTANCE / (1 - weight) if weight < 1 else 1e12
    met = graph.copy()
    here, there = codes[np.repeat(np.arange(len(codes)), np.diff(met.indptr))], codes[met.indices]
    unknown = (here < 0) | (there < 0)
    factor = np.where(unknown, np.exp(-UNKNOWN_DISTANCE), np.where(here != there, np.exp(-far), 1.0))
    met.data = (met.data * factor).astype(np.float32)
    met.eliminate_zeros()
    return met


def _graph_of_numbers(numbers: Doubles, n_neighbors: int) -> "Graph | None":
    """The fuzzy graph of the points that have a number, by their difference; None where fewer than two have one."""
    with IMPORTING:
        from scipy.sparse import csr_array
    known = np.flatnonzero(~np.isnan(numbers))
    m, n = len(known), len(numbers)
    k = min(n_neighbors - 1, m - 1)
    if k < 1:
        return None
    order = np.argsort(numbers[known], kind="stable")
    values = numbers[known][order]
    places = np.arange(m)[:, None] + np.concatenate([np.arange(-k, 0), np.arange(1, k + 1)])  # the nearest are among
    apart = np.abs(values[np.clip(places, 0, m - 1)] - values[:, None])  # the k before and the k behind
    apart[(places < 0) | (places >= m)] = np.inf
    best = np.argsort(apart, axis=1, kind="stable")[:, :k]
    rows, distances = np.empty((m, k), np.int64), np.empty((m, k), np.float32)
    rows[order] = order[np.take_along_axis(places, best, axis=1)]
    distances[order] = np.take_along_axis(apart, best, axis=1)
    graph = fuzzy_union(Neighbors(rows, distances)).tocoo()
    whole: Graph = csr_array((graph.data, (known[graph.row], known[graph.col])), (n, n))
    whole.sort_indices()
    return whole


def _intersection(graph: Graph, other: Graph, weight: float) -> Graph:
    """umap-learn's `general_simplicial_set_intersection`: the edges of both, each weight mixed of the two.

    An edge that one of the graphs doesn't have counts there as half of its lightest.
    """
    marks, others = graph.copy(), other.copy()
    marks.data, others.data = np.ones(len(graph.data), np.float32), np.full(len(other.data), 2, np.float32)
    met = (marks + others).tocsr()
    met.sort_indices()
    left_min = max(float(graph.data.min()) / 2, MIN_MEMBERSHIP)
    right_min = min(max(float(other.data.min()) / 2, MIN_MEMBERSHIP), MAX_ABSENT)
    left, right = np.full(len(met.data), left_min), np.full(len(met.data), right_min)
    # 1 marks edges of the first graph alone, 2 of the other, 3 of both
    left[met.data != 2], right[met.data != 1] = graph.data, other.data
    if weight < 0.5:
        met.data = (left * right ** (weight / (1 - weight))).astype(np.float32)
    else:
        met.data = (left ** ((1 - weight) / weight) * right).astype(np.float32)
    return met


def _locally_connected(graph: Graph) -> Graph:
    """umap-learn's `reset_local_connectivity`: every point has one neighbor of the weight 1 again."""
    largest = np.asarray(graph.max(axis=1).todense()).ravel()
    scaled = graph.copy()
    scaled.data = (graph.data / np.repeat(np.where(largest > 0, largest, 1), np.diff(graph.indptr))).astype(np.float32)
    other_way = scaled.T.tocsr()
    joined = (scaled + other_way - scaled.multiply(other_way)).tocsr()
    joined.eliminate_zeros()
    joined.sort_indices()
    return joined
