"""FAISS's kinds of index behind the same interface as the exact search, with the recall that each was measured to
have.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.errors import IncompatibleError, UnreadableError, UserError
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import Metric
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index, QueryOptions, SearchResult
from polysema.indexes.best_rows import passed
from polysema.indexes.exact import ExactIndex
from polysema.indexes.faiss_building import BuildOptions, add_rows, held_out_rows, train
from polysema.indexes.faiss_measurement import Costs, FaissMeasurement
from polysema.indexes.faiss_objects import (
    IN_CELLS,
    check_index,
    empty_index,
    faiss_message,
    faiss_threads,
    read_index,
    thread_count,
)
from polysema.indexes.faiss_searcher import FaissSearcher
from polysema.indexes.index_spec import IndexSpec, choose
from polysema.indexes.recall import RecallCurve, Setting, described
from polysema.indexes.scoring import MARGIN, best_among, rescored
from polysema.indexes.setting_choice import SettingChoice
from polysema.indexes.streamed import exact_index

MAX_FILTERED_NEIGHBORS = 4_096  # neighbors looked at under a filter, at most


class FaissIndex(Index):
    """An index of FAISS over vectors that are kept as they are, not copied, to score what it finds exactly.

    Searching changes nothing, so that any number of threads may. `curve`, empty for a flat index, is what was measured.

    Args:
        vectors: (n, dim) finite float32.
        metric: `cosine`, `inner_product` or `euclidean`.
        recipe: The kind of index and its parameters (`IndexSpec.parse("hnsw:M=16")`); a flat one where None.
        building: Seed, threads and rows set aside of the recall measurement.
        progress: Is called with (stage, rows done, n) after each block of rows; what it raises ends the building.

    Raises:
        PolysemaError: There is no vector, one holds NaN or Inf, or there is no such metric.
        IncompatibleError: The vectors are not (n, dim).

    Example:
        >>> index = FaissIndex([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> index
        FaissIndex(3 x 2, cosine, flat)
        >>> index.search([[1.0, 0.1]], k=1).rows.tolist()
        [[0]]
    """

    def __init__(
        self,
        vectors: Floats,
        metric: "Metric | str" = Metric.COSINE,
        recipe: IndexSpec | None = None,
        *,
        building: BuildOptions | None = None,
        progress: Progress = no_progress,
    ):
        self.recipe = recipe or IndexSpec()
        self.reason = ""
        self.building = building or BuildOptions()
        self._content: mmap | None = None  # of the file, which FAISS's object points into
        self._progress = progress
        super().__init__(vectors, metric)

    def __repr__(self) -> str:
        return f"FaissIndex({self.n:,} x {self.dim}, {self.metric.value}, {self.recipe})"

    @property
    def curve(self) -> RecallCurve:
        """What each setting was measured to find; empty for a flat index."""
        return self._settings.curve

    @curve.setter
    def curve(self, curve: RecallCurve) -> None:
        self._settings = SettingChoice(self.recipe, curve)

    # Building

    def _build(self, vectors: Floats) -> None:
        self._hold(vectors)
        if self.recipe.kind == "auto":
            self.recipe, self.reason = choose(self.n, self.dim, metric=self.metric)
        self.recipe = self.recipe.fitted(self.n, self.dim)
        rng = np.random.default_rng(self.building.seed)
        held_rows = held_out_rows(vectors, self.recipe, self.metric, self.building.held_out, rng)
        self._of_faiss = thread_count(self.building.threads, self.n * self.dim)
        with faiss_threads(self._of_faiss):
            made = empty_index(self.recipe, self.dim, self.metric, self.building.seed)
            self._searcher = FaissSearcher(made, self.recipe, self.metric, vectors, held_rows)
            train(self._searcher, rng, self._progress)
            add_rows(self._searcher, self._progress)
            self.curve, self.costs = FaissMeasurement(self._searcher, rng).run()
            if len(held_rows):
                made.add(self._searcher.prepared(vectors[held_rows]))
        self._progress("index", self.n, self.n)

    def _hold(self, vectors: Floats) -> None:
        self._vectors = vectors
        self._exact: ExactIndex | None = None
        self._making = threading.Lock()

    # Searching

    def _search(self, queries: Floats, k: int, ask: QueryOptions) -> SearchResult:
        # for one query FAISS's threads would only be started and waited for
        with faiss_threads(1 if len(queries) == 1 else self._of_faiss):
            if self.recipe.kind == "flat":
                if ask.where is not None:
                    return self._exactly(queries, k, ask, ask.how)
                best = self._searcher.search(queries, k, Setting(), rescore=ask.rescore)
                return SearchResult(*best, 1.0, "flat: exact")
            setting, expected, how = self._settings.choose(k, ask.recall)
            if setting is None:
                return self._exactly(queries, k, ask, how)
            if ask.where is not None:
                return self._filtered(queries, k, ask, ask.recall or expected)
            setting = setting.deeper(k / 100)
            rows, scores = self._searcher.search(queries, k, setting, rescore=ask.rescore)
            short = np.flatnonzero(rows[:, -1] < 0)
            if len(short):  # the cells looked into hold fewer than k
                rows[short], scores[short], *_ = self._exactly(queries[short], k, ask, "")
            return SearchResult(rows, scores, expected, described(self.recipe.kind, setting))

    def _exactly(self, queries: Floats, k: int, ask: QueryOptions, how: str) -> SearchResult:
        if ask.where is not None and ask.passing * (24 + len(queries)) < self.n * (8 + len(queries)):
            rows = np.flatnonzero(ask.where)
            return SearchResult(*best_among(self._vectors, rows, queries, k, self.metric), 1.0, how)
        with self._making:
            if self._exact is None:
                self._exact = exact_index(self._vectors, self.metric)
        return self._exact._search(queries, k, ask)._replace(how=how)

    def _filtered(self, queries: Floats, k: int, ask: QueryOptions, wanted: float | None) -> SearchResult:
        """The way that costs least, as measured: the graph or the cells a good deal deeper, a scan of all codes of the
        rows that pass, or the exact search among them.

        Going deeper is right however the filter and the vectors hang together: it looks into a ball around the query
        expected to contain twice as many passing rows as requested; one with too few falls back to the exact search.
        """
        assert ask.where is not None
        n_queries, exact = len(queries), ask.passing * (self.costs.row + len(queries) * self.costs.product)
        depth = int(2 * k * self.n / ask.passing) + MARGIN
        point = self._settings.cheapest(wanted, 100) if wanted is not None else None
        if point is None or not self.costs.row:
            return self._exactly(queries, k, ask, ask.how)
        setting = point.setting.deeper(depth / 100)
        if self.recipe.kind not in IN_CELLS:  # 100 neighbors were measured with a list of at least as many
            setting = Setting(ef_search=max(setting.ef_search, depth))
        ball = self.curve.seconds(setting, n_queries)
        if self.recipe.kind in IN_CELLS:
            ball += n_queries * self._searcher.candidates(k, setting) * self.costs.row
        scan = n_queries * (self.n * self.costs.scan + ask.passing * self.costs.scan_passing)
        if not self.costs.scan_passing or self.costs.scan_recall < (wanted or 0):
            scan = float("inf")
        if min(exact, scan) < ball or depth > MAX_FILTERED_NEIGHBORS:
            if scan < exact:
                rows, scores = self._searcher.scan(queries, k, self._searcher.selector(ask.where), ask.rescore)
                how = f"{self.recipe.kind}, all cells, under the filter"
                return SearchResult(rows, scores, self.costs.scan_recall, how)
            return self._exactly(queries, k, ask, ask.how)
        rows, scores, short = self._ball(queries, k, depth, setting, ask)
        if len(short):
            some = np.flatnonzero(ask.where)
            rows[short], scores[short] = best_among(self._vectors, some, queries[short], k, self.metric)
        return SearchResult(rows, scores, point.at(100), f"{self.recipe.kind}, {setting}, under the filter")

    def _ball(
        self, queries: Floats, k: int, depth: int, setting: Setting, ask: QueryOptions
    ) -> tuple[Ints, Floats, Ints]:
        """The k best that pass of what lies around each query, and the queries around which there are too few.

        They are searched without the filter: under FAISS's selector a graph would take in rows from further away.
        """
        assert ask.where is not None
        rows, scores = self._searcher.found(queries, self._searcher.candidates(depth, setting), setting)
        if not self._searcher.rescores(ask.rescore):
            return passed(rows, scores, ask.where, k)
        some = self._searcher.candidates(k, setting)
        rows, _, _ = passed(rows, scores, ask.where, some)
        short = np.flatnonzero((rows >= 0).sum(axis=1) < k)
        return *rescored(self._vectors, rows, queries, self.metric, k), short

    # On disk

    def write(self, path: "str | Path | Callable[[bytes], object]") -> None:
        """Write FAISS's bytes; `card` is what has to be kept beside them.

        Args:
            path: A file, or a function that takes them piece by piece.

        Raises:
            PolysemaError: They can't be written.
        """
        import faiss

        try:
            # FAISS's own annotations don't know its Python writers
            to = faiss.PyCallbackIOWriter(path) if callable(path) else str(path)  # type: ignore[attr-defined,unused-ignore]
            faiss.write_index(self._searcher.faiss, to)
        except RuntimeError as error:
            raise UserError(f"{path} can't be written: {faiss_message(error)}") from None

    def card(self) -> dict[str, Any]:
        """What `read` needs beside the file.

        Returns:
            Plain JSON types.
        """
        return {
            "format": 1,
            "metric": self.metric.value,
            "n": self.n,
            "dim": self.dim,
            "recipe": self.recipe.to_json(),
            "reason": self.reason,
            "seed": self.building.seed,
            "held_out": self._searcher.held_out.tolist(),
            "curve": self.curve.to_json(),
            "costs": asdict(self.costs),
        }

    @classmethod
    def read(
        cls,
        path: "str | Path",
        vectors: Floats,
        metric: "Metric | str",
        card: Mapping[str, Any],
        mapped: "bool | mmap" = True,
        threads: int | None = None,
    ) -> "FaissIndex":
        """An index that `write` wrote, over the same vectors.

        The bytes are FAISS's to read: check them against a checksum first.

        Args:
            path: The file.
            vectors: (n, dim), those that it was built over.
            metric: The metric that it was built for.
            card: What `card` gave.
            mapped: Whether the file is mapped, so that it is not read before it is needed; or its mapped content.
            threads: Of FAISS, None for all.

        Returns:
            The index.

        Raises:
            NotFoundError: There is no such file.
            UnreadableError: FAISS refuses it.
            IncompatibleError: The file or the vectors are not those of the card.
        """
        index = cls.__new__(cls)
        index.metric = Metric.parse(metric)
        try:
            index.recipe, index.reason = IndexSpec.from_json(card["recipe"]), str(card["reason"])
            index.building = BuildOptions(int(card["seed"]), 0, threads)
            index.n, index.dim = int(card["n"]), int(card["dim"])
            index.curve, index.costs = RecallCurve.from_json(card["curve"]), Costs(**card["costs"])
            held_rows = np.array(card["held_out"], np.int64)
            if card["format"] != 1 or card["metric"] != index.metric.value or held_rows.ndim != 1:
                raise IncompatibleError(
                    f"the card of {path} is of format {card['format']} and for {card['metric']}; expected 1 and "
                    f"{index.metric.value}"
                )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UnreadableError(f"the card of the index {path} is not one: {error!r}") from None
        index._progress = no_progress
        if vectors.dtype != np.float32 or vectors.shape != (index.n, index.dim):
            raise IncompatibleError(
                f"the index {path} is of ({index.n}, {index.dim}) float32 vectors; got {vectors.dtype} of shape "
                f"{vectors.shape}"
            )
        index._hold(vectors)
        index._of_faiss = thread_count(threads, index.n * index.dim)
        index._searcher = FaissSearcher(read_index(path, mapped), index.recipe, index.metric, vectors, held_rows)
        index._content = mapped if isinstance(mapped, mmap) else None
        check_index(index._searcher.faiss, index, path)
        return index
