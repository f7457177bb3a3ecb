"""The interface of every index: it checks, converts and normalizes; a kind of index fills one hole."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from polysema.core.argument_types import checked_arguments
from polysema.core.display import HtmlRepr
from polysema.core.errors import IncompatibleError, UserError
from polysema.core.space.hits import Hits
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints
from polysema.indexes.index_spec import check_recall


def checked(vectors: "np.typing.ArrayLike", dim: int | None, what: str) -> Floats:
    """(n, dim) contiguous float32; raises `IncompatibleError` on another width, `UserError` on NaN or Inf."""
    array = of_width(vectors, dim, what)
    for start in range(0, len(array), 65536):
        block = array[start : start + 65536]
        if not np.isfinite(block).all():
            row = start + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise UserError(f"{what} must be finite numbers; row {row} holds NaN or Inf")
    return array


def of_width(vectors: "np.typing.ArrayLike", dim: int | None, what: str) -> Floats:
    """(n, dim) contiguous float32; raises `IncompatibleError` on another width."""
    array = np.asarray(vectors)
    if array.ndim != 2 or (dim is not None and array.shape[1] != dim):
        wanted = f"(n, {dim})" if dim is not None else "(n, dim)"
        raise IncompatibleError(f"{what} must have the shape {wanted}; got {array.shape}")
    return np.ascontiguousarray(array, np.float32)


def check_k(k: int) -> int:
    """k back; raises `UserError` for a number of answers below 1. Where there are fewer rows than k, all are the
    answer.
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise UserError(f"k must be 1 or more; got {k!r:.40}")
    return int(k)


Mask: TypeAlias = npt.NDArray[np.bool_]
MASK_FROM_ROWS = 1_000  # rows left out from which on they are a mask, not so many more neighbors to ask for


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """What a search may find (`where`, of whose rows `passing` are true) and how well."""

    where: Mask | None = None
    passing: int = 0
    recall: float | None = None
    rescore: bool = True

    @property
    def how(self) -> str:
        """How a filtered answer is found exactly."""
        return f"exact among the {self.passing:,} rows that pass"


class SearchResult(NamedTuple):
    """Rows and scores, (n_queries, k), with the recall to expect of them and how they were found."""

    rows: Ints
    scores: Floats
    recall: float | None = 1.0
    how: str = "exact"


@checked_arguments
class Index(HtmlRepr, ABC):
    """Finds the nearest rows of `vectors`, (n, dim), for batches of queries, (n_queries, dim)."""

    def __init__(self, vectors: Floats, metric: "Metric | str" = Metric.COSINE):
        self.metric = Metric.parse(metric)
        vectors = checked(vectors, None, "vectors")
        if len(vectors) == 0:
            raise UserError("an index needs at least one vector; got none")
        self.n, self.dim = int(vectors.shape[0]), int(vectors.shape[1])
        self._build(vectors)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.n:,} x {self.dim}, {self.metric.value})"

    @abstractmethod
    def _build(self, vectors: Floats) -> None:
        """Take the vectors in, as given: a kind that needs them normalized for the cosine does so here."""

    @abstractmethod
    def _search(self, queries: Floats, k: int, ask: QueryOptions) -> SearchResult:
        """The k best rows for each query, best first; for the cosine the queries have length 1.

        Where `ask.where` is given, only rows where it is true, which are at least k; row -1 with score -inf where fewer
        than k were found.
        """

    def search(
        self,
        queries: Floats,
        k: int = 10,
        exclude: Iterable[int] = (),
        *,
        where: "Mask | None" = None,
        recall: float | None = None,
        rescore: bool = True,
    ) -> Hits:
        """The k best rows for each query; all that are left where those are fewer than k.

        Args:
            queries: (n_queries, dim)
            k: How many rows for each query, 1 or more.
            exclude: Rows, from 0, that are not to be found.
            where: (n,) bool, which rows may be found: where fewer than k may, the answer ends in row -1 with score
                -inf.
            recall: The recall@10 to reach, as it was measured; 1.0 for the exact answer. An exact index needs none.
            rescore: False for an approximate index's own scores, those of its codes.

        Returns:
            Rows and scores, (n_queries, k) each.

        Raises:
            PolysemaError: k is below 1, a query holds NaN or Inf, or is all zeros, which has no direction for the
                cosine.
            IncompatibleError: The queries are of another width, or the mask of another length.
        """
        queries = checked(queries, self.dim, "queries")
        check_recall(recall)
        left_out = {int(row) for row in exclude if 0 <= row < self.n}
        k = min(check_k(k), self.n - len(left_out))
        if self.metric is Metric.COSINE:
            lengths = np.sqrt(np.einsum("qd,qd->q", queries, queries))
            if not lengths.all():
                raise UserError(f"query {int(np.argmin(lengths))} is all zeros: it has no direction, so no cosine")
            queries = queries / lengths[:, None]
        if len(queries) == 0 or k == 0:
            return Hits(np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32), 1.0)
        if where is not None or len(left_out) > MASK_FROM_ROWS:
            return self._where(queries, k, self._mask(where, left_out), recall, rescore)
        found = self._search(queries, k + len(left_out), QueryOptions(None, 0, recall, rescore))
        if len(queries) == 1:
            rows, scores = _one(found.rows[0], found.scores[0], left_out, k)
        else:
            rows, scores = in_order(found.rows, found.scores)
            if left_out:
                rows, scores = _without(rows, scores, np.array(sorted(left_out), np.int64), k)
        return Hits(rows, scores, found.recall, found.how)

    def _mask(self, where: "Mask | None", left_out: set[int]) -> Mask:
        if where is None:
            mask = np.ones(self.n, np.bool_)
        else:
            mask = np.asarray(where)
            if mask.dtype != np.bool_ or mask.shape != (self.n,):
                raise IncompatibleError(
                    f"where must say true or false for each of the {self.n:,} rows; got {mask.dtype} of shape "
                    f"{mask.shape}"
                )
        if left_out:
            mask = mask.copy()
            mask[list(left_out)] = False
        return mask

    def _where(self, queries: Floats, k: int, mask: Mask, recall: float | None, rescore: bool) -> Hits:
        passing = int(np.count_nonzero(mask))
        rows = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        if not passing:
            return Hits(rows, scores, 1.0, "no row passes")
        most = min(k, passing)
        everything = (
            QueryOptions(None, 0, recall, rescore)
            if passing == self.n
            else QueryOptions(mask, passing, recall, rescore)
        )
        found = self._search(queries, most, everything)
        rows[:, :most], scores[:, :most] = in_order(found.rows, found.scores)
        return Hits(rows, scores, found.recall, found.how)


def _one(rows: Ints, scores: Floats, left_out: set[int], k: int) -> tuple[Ints, Floats]:
    """As `in_order` and `_without` for one query, in a fraction of their time."""
    if not (scores[1:] < scores[:-1]).all():
        order = np.lexsort((rows, -scores))
        rows, scores = rows[order], scores[order]
    if left_out:
        kept = [place for place, row in enumerate(rows.tolist()) if row not in left_out][:k]
        rows, scores = rows[kept], scores[kept]
        if len(kept) < k:
            rows = np.concatenate([rows, np.full(k - len(kept), -1, np.int64)])
            scores = np.concatenate([scores, np.full(k - len(kept), -np.inf, np.float32)])
    return rows[None], scores[None]


def in_order(rows: Ints, scores: Floats) -> tuple[Ints, Floats]:
    """Best first, equal scores by row."""
    level = (scores[:, 1:] == scores[:, :-1]) & (rows[:, 1:] > rows[:, :-1])
    if (level | (scores[:, 1:] < scores[:, :-1])).all():
        return rows, scores
    order = np.lexsort((rows, -scores))
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _without(rows: Ints, scores: Floats, left_out: Ints, k: int) -> tuple[Ints, Floats]:
    """The first k of each query that are not left out; -1 and -inf where there are fewer."""
    out = np.isin(rows, left_out)
    order = np.argsort(out, axis=1, kind="stable")[:, :k]  # the kept ones first, in their order
    dropped = np.take_along_axis(out, order, axis=1)
    kept_rows = np.where(dropped, -1, np.take_along_axis(rows, order, axis=1))
    kept_scores = np.where(dropped, np.float32(-np.inf), np.take_along_axis(scores, order, axis=1))
    return kept_rows.astype(np.int64), kept_scores.astype(np.float32)
