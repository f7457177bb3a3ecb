"""Rows that FAISS finds by its codes, scored exactly where its codes lose something."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.space.metric import Metric, unit
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Mask
from polysema.indexes.index_spec import IndexSpec
from polysema.indexes.recall import Setting, setting_of
from polysema.indexes.scoring import rescored

if TYPE_CHECKING:
    from faiss import IDSelector, Index, SearchParameters

OVERFETCH_FACTOR = 6  # candidates per requested row with 8-bit codes, which lose little
EXACT_CODES = ("flat", "hnsw", "ivf")  # their scores need no second look


@dataclass(slots=True, eq=False)
class FaissSearcher:
    """FAISS's object over vectors (n, dim): `held_out`: the rows added last, ascending."""

    faiss: "Index"
    recipe: IndexSpec
    metric: Metric
    vectors: Floats
    held_out: Ints
    n: int = field(init=False)
    row_of: Ints = field(init=False)  # (n + 1,) the row of each of FAISS's numbers, -1 of -1
    _graph_parameters: "dict[int, SearchParameters]" = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.n = len(self.vectors)
        added = np.delete(np.arange(self.n), self.held_out)  # the rows of the sample were added last
        self.row_of = np.concatenate([added, self.held_out, [-1]]).astype(np.int32 if self.n < 2**31 else np.int64)

    def prepared(self, rows: Floats) -> Floats:
        """Rows as FAISS takes them: of length 1 for the cosine."""
        return unit(rows) if self.metric is Metric.COSINE else np.ascontiguousarray(rows)

    def scan(self, queries: Floats, k: int, chosen: "IDSelector | None", rescore: bool = True) -> tuple[Ints, Floats]:
        """The k best of all cells, by their codes."""
        setting = Setting(nprobe=self.recipe.nlist, k_factor=setting_of(self.recipe).k_factor)
        return self.search(queries, k, setting, chosen, rescore)

    def search(
        self, queries: Floats, k: int, setting: Setting, chosen: "IDSelector | None" = None, rescore: bool = True
    ) -> tuple[Ints, Floats]:
        """What is found at a setting, (n_queries, k), scored exactly where FAISS's codes aren't."""
        if not self.rescores(rescore):
            return self.found(queries, k, setting, chosen)
        rows, _ = self.found(queries, self.candidates(k, setting), setting, chosen)
        return rescored(self.vectors, rows, queries, self.metric, k)

    def rescores(self, rescore: bool) -> bool:
        """Whether what FAISS finds is scored again: its codes lose something, or its way to the distance does."""
        kind = self.recipe.kind
        return rescore and (kind not in EXACT_CODES or (kind == "flat" and self.metric is Metric.EUCLIDEAN))

    def candidates(self, k: int, setting: Setting) -> int:
        """How many rows are requested from FAISS to find k by their codes."""
        return k * setting.k_factor if self.recipe.kind == "ivf-pq" else k + max(OVERFETCH_FACTOR, k // 8)

    def found(
        self, queries: Floats, k: int, setting: Setting, chosen: "IDSelector | None" = None
    ) -> tuple[Ints, Floats]:
        """Rows and scores as FAISS has them, (n_queries, k or the rows there are)."""
        k = min(k, self.faiss.ntotal)
        distances, ids = self.faiss.search(queries, k, params=self.parameters(setting, k, chosen))
        rows = self._rows(ids)
        scores = -np.sqrt(np.maximum(distances, 0)) if self.metric is Metric.EUCLIDEAN else distances
        if rows.min() < 0:
            scores = np.where(rows < 0, np.float32(-np.inf), scores)
        return rows, scores

    def parameters(self, setting: Setting, k: int, chosen: "IDSelector | None") -> "SearchParameters | None":
        """The search's own parameters: they are passed with each call, the index itself is never set to them."""
        import faiss

        choice = {} if chosen is None else {"sel": chosen}
        kind, f = self.recipe.kind, faiss  # type: Any, Any
        made: SearchParameters | None
        if kind == "flat":
            made = f.SearchParameters(**choice) if choice else None
            return made
        if kind in ("hnsw", "hnsw-sq8"):  # fewer than k candidates would come back as -1
            depth = max(setting.ef_search, k)
            if choice:
                made = f.SearchParametersHNSW(efSearch=depth, **choice)
                return made
            if depth not in self._graph_parameters:
                self._graph_parameters = {**self._graph_parameters, depth: f.SearchParametersHNSW(efSearch=depth)}
            return self._graph_parameters[depth]
        nprobe = min(setting.nprobe, self.recipe.nlist)
        if kind == "ivf-pq":
            made = f.IVFPQSearchParameters(nprobe=nprobe, **choice)
        else:
            made = f.SearchParametersIVF(nprobe=nprobe, **choice)
        if kind == "pq-fastscan":
            made = f.IndexRefineSearchParameters(k_factor=float(setting.k_factor), base_index_params=made)
        return made

    def _rows(self, ids: Ints) -> Ints:
        """FAISS's numbers as rows: the rows of the sample were added last, the others in their order."""
        if not len(self.held_out):
            return ids
        return self.row_of[ids].astype(np.int64)

    def selector(self, mask: Mask) -> "IDSelector":
        """FAISS's selector of the rows where a mask (n,) is true."""
        import faiss

        numbered = np.concatenate([np.delete(mask, self.held_out), mask[self.held_out]])
        f: Any = faiss
        chosen: IDSelector = f.IDSelectorBitmap(np.packbits(numbered, bitorder="little"))
        return chosen
