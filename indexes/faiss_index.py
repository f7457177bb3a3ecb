"""FAISS's kinds of index behind the same interface as the exact search, with the recall that each was measured to
have.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.errors import IncompatibleError, NotFoundError, UnreadableError, UserError
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import Metric, unit
from polysema.core.space.space import Floats, Ints
from polysema.indexes.base import Index, Mask, QueryOptions, SearchResult
from polysema.indexes.exact import ExactIndex, describe_search, passed
from polysema.indexes.index_spec import IndexSpec, choose
from polysema.indexes.recall import RecallCurve, RecallPoint, Setting, distinct_rows, ladder, recalls, setting_of
from polysema.indexes.scoring import MARGIN, best_among, rescored

BLOCK_ROWS = 16_384  # rows normalized and added at a time
TRAINED_ROWS_A_CELL = {
    "ivf": 64,
    "ivf-sq8": 64,
    "ivf-pq": 64,
    "pq-fastscan": 64,
}  # rows a cell that cells are trained on, at most
MIN_TRAINED_ROWS = 20_000
HOLD_OUT_FROM_ROWS = 100  # with fewer rows none are set aside to measure the recall
SINGLE_QUERIES = 32  # queries run one by one at each setting
MAX_TIMED_SECONDS = 0.1  # seconds after which no more of them are
SUFFICIENT_RECALL = 0.9995  # recall from which on looking further is not measured
MAX_FILTERED_NEIGHBORS = 4_096  # neighbors looked at under a filter, at most
SCAN_SHARES = (0.02, 0.2)  # shares of the rows that pass when the scan under a filter is timed
GAIN = 0.002  # of recall; where a larger k_factor brings less, none larger is measured for as many cells
OF_HUNDRED = 96  # queries whose 100 neighbors are looked at
OVERFETCH_FACTOR = 6  # candidates per requested row with 8-bit codes, which lose little
COSTED = 4_096  # rows gathered to see what that costs
ALONE = 2_000_000  # numbers (rows x width) below which one thread does all
EXACT_CODES = ("flat", "hnsw", "ivf")  # their scores need no second look
IN_CELLS = ("ivf", "ivf-sq8", "ivf-pq", "pq-fastscan")
CLASSES = {
    "flat": ("IndexFlat", "IndexFlatIP", "IndexFlatL2"),
    "hnsw": ("IndexHNSWFlat",),
    "hnsw-sq8": ("IndexHNSWSQ",),
    "ivf": ("IndexIVFFlat",),
    "ivf-sq8": ("IndexIVFScalarQuantizer",),
    "ivf-pq": ("IndexIVFPQ",),
    "pq-fastscan": ("IndexRefine",),
}


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How an index is built and searched: `seed` of everything drawn at random, rows `held_out` to measure the recall,
    `threads` of FAISS, None for all. HNSW is the same from run to run with one thread only: several race for links.
    """

    seed: int = 0
    held_out: int = 256
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise UserError(f"threads must be from 1 to 1024; got {self.threads}")
        if self.held_out < 0:
            raise UserError(f"held_out must be 0 or more rows; got {self.held_out}")


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured seconds: of gathering and scoring a row for one query, of scoring it for one more, and of a scan of all
    codes under a filter, for each row and for each row that passes (with the recall that it had).
    """

    row: float = 0.0
    product: float = 0.0
    scan: float = 0.0
    scan_passing: float = 0.0
    scan_recall: float = 0.0


class FaissIndex(Index):
    """An index of FAISS over vectors that are kept as they are, not copied, to score what it finds exactly.

    Searching changes nothing, so that any number of threads may. `curve` is what it was measured to find, empty for a
    flat index.

    Args:
        vectors: (n, dim) finite float32.
        metric: `cosine`, `inner_product` or `euclidean`.
        recipe: The kind of index and its parameters (`IndexSpec.parse("hnsw:M=16")`); a flat one where None.
        building: Seed, threads and rows held out to measure the recall.
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
        self._progress = progress
        super().__init__(vectors, metric)

    def __repr__(self) -> str:
        return f"FaissIndex({self.n:,} x {self.dim}, {self.metric.value}, {self.recipe})"

    # Building

    def _build(self, vectors: Floats) -> None:
        self._hold(vectors)
        if self.recipe.kind == "auto":
            self.recipe, self.reason = choose(self.n, self.dim, metric=self.metric)
        self.recipe = self.recipe.fitted(self.n, self.dim)
        rng = np.random.default_rng(self.building.seed)
        self._held = self._held_out(rng)
        self._before = self._held - np.arange(len(self._held))  # indexed rows before each row of the sample
        self._of_faiss = _threads_of(self.building.threads, self.n * self.dim)
        with _threads(self._of_faiss):
            self._faiss: Any = _empty(self.recipe, self.dim, self.metric, self.building.seed)
            self._train(rng)
            self._add()
            self.curve, self.costs = self._measured(rng)
            if len(self._held):
                self._faiss.add(self._prepared(self._vectors[self._held]))
        self._progress("index", self.n, self.n)

    def _hold(self, vectors: Floats) -> None:
        self._vectors = vectors
        self._exact: ExactIndex | None = None
        # what was looked up in the curve: the same whichever thread did so first
        self._points_of: dict[tuple[float, bool], RecallPoint | None] = {}
        self._own_of: dict[bool, tuple[Setting, float | None, str]] = {}
        self._making = threading.Lock()

    def _held_out(self, rng: np.random.Generator) -> Ints:
        """The rows that are left out until the recall is measured, ascending."""
        if self.recipe.kind == "flat" or self.n < HOLD_OUT_FROM_ROWS:
            return np.empty(0, np.int64)
        return distinct_rows(self._vectors, min(self.building.held_out, self.n // 10), self.metric, rng)

    def _prepared(self, rows: Floats) -> Floats:
        return unit(rows) if self.metric is Metric.COSINE else np.ascontiguousarray(rows)

    def _train(self, rng: np.random.Generator) -> None:
        if self._faiss.is_trained:
            return
        wanted = max(MIN_TRAINED_ROWS, TRAINED_ROWS_A_CELL.get(self.recipe.kind, 0) * self.recipe.nlist)
        rest = np.delete(np.arange(self.n), self._held)
        sample = rest if len(rest) <= wanted else np.sort(rng.choice(rest, wanted, replace=False))
        least = max(2**self.recipe.nbits, self.recipe.nlist)
        if len(sample) < least:  # FAISS wants a row for each centroid
            sample = np.resize(sample, least)
        self._faiss.train(self._prepared(self._vectors[sample]))

    def _add(self) -> None:
        self._progress("index", 0, self.n)
        for start in range(0, self.n, BLOCK_ROWS):
            block = self._vectors[start : start + BLOCK_ROWS]
            inside = self._held[(self._held >= start) & (self._held < start + BLOCK_ROWS)]
            if len(inside):
                block = np.delete(block, inside - start, axis=0)
            if len(block):
                self._faiss.add(self._prepared(block))
            self._progress("index", min(start + BLOCK_ROWS, self.n), self.n)

    # Measuring

    def _measured(self, rng: np.random.Generator) -> tuple[RecallCurve, Costs]:
        """The recall of the sample's rows as queries; only the other rows are in the index now."""
        if not len(self._held):
            return RecallCurve(0, ()), Costs()
        queries = np.asarray(self._vectors[self._held])
        if self.metric is Metric.COSINE:
            queries = unit(queries)
            queries = queries[queries.any(axis=1)]
            if not len(queries):
                return RecallCurve(0, ()), Costs()
        rest = np.delete(np.arange(self.n), self._held)
        started = time.perf_counter()
        _, best = best_among(self._vectors, rest, queries, 100, self.metric)
        product = (time.perf_counter() - started) / len(rest) / len(queries)
        points = list(self._points(queries, best))
        return RecallCurve(len(queries), tuple(points)), self._costs(queries, rest, product, rng)

    def _points(self, queries: Floats, best: Floats) -> Iterator[RecallPoint]:
        own, few = setting_of(self.recipe), queries[:OF_HUNDRED]
        enough: list[Setting] = []
        last: RecallPoint | None = None
        settled = -1
        for setting in ladder(self.recipe):
            skipped = any(done.within(setting) for done in enough) or setting.nprobe == settled
            if skipped and setting != own:
                continue
            started = time.perf_counter()
            ten = self._ask(queries, min(10, best.shape[1]), setting)
            batch = len(queries) / (time.perf_counter() - started)
            hundred = self._ask(few, best.shape[1], setting)
            each = recalls(ten[1], best, 10)
            point = RecallPoint(
                setting,
                float(each.mean()),
                float(each.std() / len(each) ** 0.5),
                float(recalls(hundred[1], best[: len(few)], 100).mean()),
                self._single(queries, setting),
                batch,
            )
            if min(point.recall, point.recall_100) >= SUFFICIENT_RECALL:
                enough.append(setting)
            same_cells = last is not None and 0 < last.setting.nprobe == setting.nprobe
            if same_cells and last is not None and point.at(100) < last.at(100) + GAIN:
                settled = setting.nprobe
            last = point
            yield point

    def _single(self, queries: Floats, setting: Setting) -> float:
        """Queries a second, one by one."""
        k = min(10, self.n - len(self._held))
        with _threads(1):
            return 1 / _timed(lambda query: self._ask(query, k, setting), queries[:SINGLE_QUERIES])

    def _costs(self, queries: Floats, rest: Ints, product: float, rng: np.random.Generator) -> Costs:
        k = min(10, len(rest))
        some = np.sort(rng.choice(rest, min(COSTED, len(rest)), replace=False))
        each = _timed(lambda query: best_among(self._vectors, some, query, k, self.metric), queries[:3])
        row = each / len(some)
        if self.recipe.kind not in IN_CELLS:
            return Costs(row, product)
        requested, found = queries[:24], 0.0
        times: list[float] = []
        passing: list[int] = []
        for share in SCAN_SHARES:
            mask = np.zeros(self.n, np.bool_)
            mask[rest] = rng.random(len(rest)) < share
            passing.append(int(mask.sum()))
            if passing[-1] < k:
                return Costs(row, product)
            chosen = self._selector(mask)
            with _threads(1):
                times.append(_timed(partial(self._scan, k=k, chosen=chosen), requested))
            _, best = best_among(self._vectors, np.flatnonzero(mask), requested, k, self.metric)
            found = float(recalls(self._scan(requested, k, chosen)[1], best, k).mean())
        slope = max(0.0, (times[1] - times[0]) / max(1, passing[1] - passing[0]))
        return Costs(row, product, max(0.0, times[0] - slope * passing[0]) / self.n, slope, found)

    # Searching

    def _search(self, queries: Floats, k: int, ask: QueryOptions) -> SearchResult:
        # for one query FAISS's threads would only be started and waited for
        with _threads(1 if len(queries) == 1 else self._of_faiss):
            if self.recipe.kind == "flat":
                if ask.where is not None:
                    return self._exactly(queries, k, ask, describe_search(ask))
                return SearchResult(*self._ask(queries, k, Setting(), rescore=ask.rescore), 1.0, "flat: exact")
            setting, expected, how = self._chosen(k, ask.recall)
            if setting is None:
                return self._exactly(queries, k, ask, how)
            if ask.where is not None:
                return self._filtered(queries, k, ask, ask.recall or expected)
            setting = setting.deeper(k / 100)
            rows, scores = self._ask(queries, k, setting, rescore=ask.rescore)
            short = np.flatnonzero(rows[:, -1] < 0)
            if len(short):  # the cells looked into hold fewer than k
                rows[short], scores[short], *_ = self._exactly(queries[short], k, ask, "")
            return SearchResult(rows, scores, expected, f"{self.recipe.kind}, {setting}")

    def _chosen(self, k: int, recall: float | None) -> tuple[Setting | None, float | None, str]:
        """The setting for a recall, None for the exact search; the recall to expect; and why it is exact."""
        if recall is None:
            return self._own(k)
        if recall >= 1:
            return None, 1.0, "exact, as requested"
        point = self._cheapest(recall, k)
        if point is None:
            most = max((p.at(k) for p in self.curve.points), default=None)
            reached = "its recall was not measured" if most is None else f"the best setting reached {most:.3f}"
            return None, 1.0, f"exact: {self.recipe.kind} can't promise a recall of {recall:g} ({reached})"
        return point.setting, point.at(k), ""

    def _cheapest(self, recall: float, k: int) -> RecallPoint | None:
        """The curve's cheapest point, looked for once."""
        key = (recall, k <= 10)
        if key not in self._points_of:
            self._points_of[key] = self.curve.cheapest(recall, k)
        return self._points_of[key]

    def _own(self, k: int) -> tuple[Setting, float | None, str]:
        """The recipe's own setting."""
        key = k <= 10
        if key not in self._own_of:
            setting = setting_of(self.recipe)
            self._own_of[key] = setting, self.curve.expected(setting, k), ""
        return self._own_of[key]

    def _exactly(self, queries: Floats, k: int, ask: QueryOptions, how: str) -> SearchResult:
        if ask.where is not None and ask.passing * (24 + len(queries)) < self.n * (8 + len(queries)):
            rows = np.flatnonzero(ask.where)
            return SearchResult(*best_among(self._vectors, rows, queries, k, self.metric), 1.0, how)
        with self._making:
            if self._exact is None:
                self._exact = ExactIndex(self._vectors, self.metric)
        return self._exact._search(queries, k, ask)._replace(how=how)

    def _filtered(self, queries: Floats, k: int, ask: QueryOptions, wanted: float | None) -> SearchResult:
        """The way that costs least, as measured: the graph or the cells a good deal deeper, a scan of all codes of the
        rows that pass, or the exact search among them.

        Going deeper is right however the filter and the vectors hang together: it looks into a ball around the query
        expected to contain twice as many passing rows as requested. A query whose ball contains too few
        falls back to the exact search.
        """
        assert ask.where is not None
        n_queries, exact = len(queries), ask.passing * (self.costs.row + len(queries) * self.costs.product)
        depth = int(2 * k * self.n / ask.passing) + MARGIN
        point = self._cheapest(wanted, 100) if wanted is not None else None
        if point is None or not self.costs.row:
            return self._exactly(queries, k, ask, describe_search(ask))
        setting = point.setting.deeper(depth / 100)
        if self.recipe.kind not in IN_CELLS:  # 100 neighbors were measured with a list of at least as many
            setting = Setting(ef_search=max(setting.ef_search, depth))
        ball = self.curve.seconds(setting, n_queries)
        if self.recipe.kind in IN_CELLS:
            ball += n_queries * self._more(k, setting) * self.costs.row
        scan = n_queries * (self.n * self.costs.scan + ask.passing * self.costs.scan_passing)
        if not self.costs.scan_passing or self.costs.scan_recall < (wanted or 0):
            scan = float("inf")
        if min(exact, scan) < ball or depth > MAX_FILTERED_NEIGHBORS:
            if scan < exact:
                rows, scores = self._scan(queries, k, self._selector(ask.where), ask.rescore)
                return SearchResult(
                    rows, scores, self.costs.scan_recall, f"{self.recipe.kind}, all cells, under the filter"
                )
            return self._exactly(queries, k, ask, describe_search(ask))
        rows, scores, short = self._ball(queries, k, depth, setting, ask)
        if len(short):
            some = np.flatnonzero(ask.where)
            rows[short], scores[short] = best_among(self._vectors, some, queries[short], k, self.metric)
        return SearchResult(rows, scores, point.at(100), f"{self.recipe.kind}, {setting}, under the filter")

    def _ball(
        self, queries: Floats, k: int, depth: int, setting: Setting, ask: QueryOptions
    ) -> tuple[Ints, Floats, Ints]:
        """The k best that pass of what lies around each query, and the queries around which there are too few.

        The surroundings are searched without the filter. Under FAISS's selector a graph would take in passing rows from
        beyond what it searched well, and cells those of the cells looked into, near or not.
        """
        assert ask.where is not None
        rows, scores = self._found(queries, self._more(depth, setting), setting)
        if not self._anew(ask.rescore):
            return passed(rows, scores, ask.where, k)
        some = self._more(k, setting)
        rows, _, _ = passed(rows, scores, ask.where, some)
        short = np.flatnonzero((rows >= 0).sum(axis=1) < k)
        return *rescored(self._vectors, rows, queries, self.metric, k), short

    def _scan(self, queries: Floats, k: int, chosen: Any, rescore: bool = True) -> tuple[Ints, Floats]:
        setting = Setting(nprobe=self.recipe.nlist, k_factor=setting_of(self.recipe).k_factor)
        return self._ask(queries, k, setting, chosen, rescore)

    def _ask(
        self, queries: Floats, k: int, setting: Setting, chosen: Any = None, rescore: bool = True
    ) -> tuple[Ints, Floats]:
        """What is found at a setting, (n_queries, k), scored exactly where FAISS's codes aren't."""
        if not self._anew(rescore):
            return self._found(queries, k, setting, chosen)
        rows, _ = self._found(queries, self._more(k, setting), setting, chosen)
        return rescored(self._vectors, rows, queries, self.metric, k)

    def _anew(self, rescore: bool) -> bool:
        """Whether what FAISS finds is scored again: its codes lose something, or its way to the distance does."""
        kind = self.recipe.kind
        return rescore and (kind not in EXACT_CODES or (kind == "flat" and self.metric is Metric.EUCLIDEAN))

    def _more(self, k: int, setting: Setting) -> int:
        """How many rows are requested from FAISS to find k by their codes."""
        return k * setting.k_factor if self.recipe.kind == "ivf-pq" else k + max(OVERFETCH_FACTOR, k // 8)

    def _found(self, queries: Floats, k: int, setting: Setting, chosen: Any = None) -> tuple[Ints, Floats]:
        """Rows and scores as FAISS has them, (n_queries, k or the rows there are)."""
        k = min(k, self._faiss.ntotal)
        distances, ids = self._faiss.search(queries, k, params=self._parameters(setting, k, chosen))
        rows = self._rows(ids)
        scores = -np.sqrt(np.maximum(distances, 0)) if self.metric is Metric.EUCLIDEAN else distances
        if rows.min() < 0:
            scores = np.where(rows < 0, np.float32(-np.inf), scores)
        return rows, scores

    def _parameters(self, setting: Setting, k: int, chosen: Any) -> Any:
        """The search's own parameters: they are passed with each call, the index itself is never set to them."""
        import faiss

        choice = {} if chosen is None else {"sel": chosen}
        kind, f = self.recipe.kind, faiss  # type: Any, Any
        if kind == "flat":
            return f.SearchParameters(**choice) if choice else None
        if kind in ("hnsw", "hnsw-sq8"):  # fewer than k candidates would come back as -1
            return f.SearchParametersHNSW(efSearch=max(setting.ef_search, k), **choice)
        nprobe = min(setting.nprobe, self.recipe.nlist)
        if kind == "ivf-pq":
            return f.IVFPQSearchParameters(nprobe=nprobe, **choice)
        cells = f.SearchParametersIVF(nprobe=nprobe, **choice)
        if kind == "pq-fastscan":
            return f.IndexRefineSearchParameters(k_factor=float(setting.k_factor), base_index_params=cells)
        return cells

    def _rows(self, ids: Ints) -> Ints:
        """FAISS's numbers as rows: the rows of the sample were added last, the others in their order."""
        if not len(self._held):
            return ids
        before = self.n - len(self._held)
        rows = ids + np.searchsorted(self._before, ids, side="right")
        if ids.max(initial=0) >= before:
            last = ids >= before
            rows[last] = self._held[ids[last] - before]
        if ids.min(initial=0) < 0:
            rows[ids < 0] = -1
        return rows

    def _selector(self, mask: Mask) -> Any:
        import faiss

        numbered = np.concatenate([np.delete(mask, self._held), mask[self._held]])
        f: Any = faiss
        return f.IDSelectorBitmap(np.packbits(numbered, bitorder="little"))

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
            faiss.write_index(self._faiss, to)
        except RuntimeError as error:
            raise UserError(f"{path} can't be written: {_reason(error)}") from None

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
            "held_out": self._held.tolist(),
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
        mapped: bool = True,
        threads: int | None = None,
    ) -> "FaissIndex":
        """An index that `write` wrote, over the same vectors. The bytes are FAISS's to read: check them against a checksum first.

        Args:
            path: The file.
            vectors: (n, dim), those that it was built over.
            metric: The metric that it was built for.
            card: What `card` gave.
            mapped: Whether the file is mapped, so that it is not read before it is needed.
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
            index._held = np.array(card["held_out"], np.int64)
            if card["format"] != 1 or card["metric"] != index.metric.value or index._held.ndim != 1:
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
        index._before = index._held - np.arange(len(index._held))
        index._of_faiss = _threads_of(threads, index.n * index.dim)
        index._faiss = _read(path, mapped)
        _check(index._faiss, index, path)
        return index


def _timed(work: Callable[[Floats], object], queries: Floats) -> float:
    """The median of the seconds for one query, over these or as many as there is time for."""
    times: list[float] = []
    for query in queries:
        started = time.perf_counter()
        work(query[None])
        times.append(time.perf_counter() - started)
        if sum(times) > MAX_TIMED_SECONDS:
            break
    return float(np.median(times))


def _reason(error: Exception) -> str:
    """FAISS's own words, without where they stand in its source."""
    return " ".join(str(error).rpartition("Error: ")[2].split())[:200]


def _threads_of(wanted: int | None, numbers: int) -> int | None:
    """So little is done sooner by one thread than by several that wait for each other."""
    return 1 if wanted is None and numbers < ALONE else wanted


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """FAISS's threads for what this thread asks of it: OpenMP keeps the number for each thread that calls."""
    if count is None:
        yield
        return
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _measure(metric: Metric) -> int:
    import faiss

    # FAISS would take L2 for every kind
    return int(faiss.METRIC_L2 if metric is Metric.EUCLIDEAN else faiss.METRIC_INNER_PRODUCT)


def _empty(recipe: IndexSpec, dim: int, metric: Metric, seed: int) -> Any:
    import faiss

    f: Any = faiss
    measure = _measure(metric)
    if recipe.kind == "flat":
        return f.IndexFlat(dim, measure)
    if recipe.kind in ("hnsw", "hnsw-sq8"):
        if recipe.kind == "hnsw":
            index = f.IndexHNSWFlat(dim, recipe.M, measure)
        else:
            index = f.IndexHNSWSQ(dim, f.ScalarQuantizer.QT_8bit, recipe.M, measure)
        index.hnsw.efConstruction = recipe.ef_construction
        index.hnsw.rng = f.RandomGenerator(12345 + seed)
        return index
    codes = {
        "ivf": "Flat",
        "ivf-sq8": "SQ8",
        "ivf-pq": f"PQ{recipe.m}x{recipe.nbits}np",  # no polysemous codes: they take seconds and nothing here asks them
        "pq-fastscan": f"PQ{recipe.m}x4fs,Refine(SQ8)",
    }[recipe.kind]
    # the quantizer is handed over by the index's own factory, so that it is not freed while FAISS holds it
    index = f.index_factory(dim, f"IVF{recipe.nlist},{codes}", measure)
    cells = f.downcast_index(f.extract_index_ivf(index))
    trained = [cells.cp] + ([cells.pq.cp] if hasattr(cells, "pq") else [])
    for clustering in trained:
        clustering.seed = 1234 + seed
        clustering.min_points_per_centroid = 1  # no warning on standard output for small spaces
    cells.cp.max_points_per_centroid = TRAINED_ROWS_A_CELL[recipe.kind]
    if recipe.kind == "ivf-pq":
        cells.use_precomputed_table = -1  # tables for every cell can take more memory than the codes
    return index


def _read(path: "str | Path", mapped: bool) -> Any:
    import faiss

    if not Path(path).is_file():
        raise NotFoundError(f"there is no index file {path}")
    flags = faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE | (faiss.IO_FLAG_MMAP_IFC if mapped else 0)
    try:
        return faiss.read_index(str(path), flags)
    except (RuntimeError, MemoryError) as error:
        raise UnreadableError(f"{path} can't be read as a FAISS index: {_reason(error)}") from None


def _check(found: Any, index: FaissIndex, path: "str | Path") -> None:
    import faiss

    f: Any = faiss
    recipe = index.recipe
    expected = {
        "rows": index.n,
        "width": index.dim,
        "metric": _measure(index.metric),
        "kind": recipe.kind,
        "trained": True,
    }
    kind = type(found).__name__
    there = {
        "rows": found.ntotal,
        "width": found.d,
        "metric": found.metric_type,
        "kind": recipe.kind if kind in CLASSES[recipe.kind] else kind,
        "trained": found.is_trained,
    }
    if there["kind"] == recipe.kind and recipe.kind in IN_CELLS:
        cells = f.try_extract_index_ivf(found)
        expected |= {"nlist": recipe.nlist, "rows in cells": index.n}
        there |= {"nlist": cells.nlist if cells else 0, "rows in cells": cells.ntotal if cells else 0}
    if there["kind"] == recipe.kind and recipe.kind in ("hnsw", "hnsw-sq8"):
        expected["M"], there["M"] = recipe.M, found.hnsw.nb_neighbors(1)
    for name, value in expected.items():
        if there[name] != value:
            raise IncompatibleError(f"the index {path} is not that of its card: {name} {there[name]}, expected {value}")
