"""What an index of FAISS was measured to find, and the seconds that its ways of searching take."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from polysema.core.space.metric import Metric, unit
from polysema.core.space.space import Floats, Ints
from polysema.indexes.faiss_objects import IN_CELLS, faiss_threads
from polysema.indexes.faiss_searcher import FaissSearcher
from polysema.indexes.recall import RecallCurve, RecallPoint, Setting, ladder, recalls, setting_of
from polysema.indexes.scoring import best_among

SINGLE_QUERIES = 32  # queries run one by one at each setting
MAX_TIMED_SECONDS = 0.1  # seconds after which no more of them are
SUFFICIENT_RECALL = 0.9995  # recall from which on looking further is not measured
SCAN_SHARES = (0.02, 0.2)  # shares of the rows that pass when the scan under a filter is timed
GAIN = 0.002  # of recall; where a larger k_factor brings less, none larger is measured for as many cells
OF_HUNDRED = 96  # queries whose 100 neighbors are looked at
COSTED = 4_096  # rows gathered to see what that costs


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


@dataclass(frozen=True, slots=True)
class FaissMeasurement:
    """A measurement while the rows that were set aside are not yet in the index."""

    searcher: FaissSearcher
    rng: np.random.Generator

    def run(self) -> tuple[RecallCurve, Costs]:
        """The recall of the sample's rows as queries; only the other rows are in the index now."""
        if not len(self.searcher.held_out):
            return RecallCurve(0, ()), Costs()
        queries = np.asarray(self.searcher.vectors[self.searcher.held_out])
        if self.searcher.metric is Metric.COSINE:
            queries = unit(queries)
            queries = queries[queries.any(axis=1)]
            if not len(queries):
                return RecallCurve(0, ()), Costs()
        rest = np.delete(np.arange(self.searcher.n), self.searcher.held_out)
        started = time.perf_counter()
        _, best = best_among(self.searcher.vectors, rest, queries, 100, self.searcher.metric)
        product = (time.perf_counter() - started) / len(rest) / len(queries)
        points = list(self._points(queries, best))
        return RecallCurve(len(queries), tuple(points)), self._costs(queries, rest, product)

    def _points(self, queries: Floats, best: Floats) -> Iterator[RecallPoint]:
        own, few = setting_of(self.searcher.recipe), queries[:OF_HUNDRED]
        enough: list[Setting] = []
        last: RecallPoint | None = None
        settled = -1
        for setting in ladder(self.searcher.recipe):
            skipped = any(done.within(setting) for done in enough) or setting.nprobe == settled
            if skipped and setting != own:
                continue
            started = time.perf_counter()
            ten = self.searcher.search(queries, min(10, best.shape[1]), setting)
            batch = len(queries) / (time.perf_counter() - started)
            hundred = self.searcher.search(few, best.shape[1], setting)
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
        k = min(10, self.searcher.n - len(self.searcher.held_out))
        with faiss_threads(1):
            return 1 / _timed(lambda query: self.searcher.search(query, k, setting), queries[:SINGLE_QUERIES])

    def _costs(self, queries: Floats, rest: Ints, product: float) -> Costs:
        k = min(10, len(rest))
        some = np.sort(self.rng.choice(rest, min(COSTED, len(rest)), replace=False))
        each = _timed(
            lambda query: best_among(self.searcher.vectors, some, query, k, self.searcher.metric), queries[:3]
        )
        row = each / len(some)
        if self.searcher.recipe.kind not in IN_CELLS:
            return Costs(row, product)
        requested, found = queries[:24], 0.0
        times: list[float] = []
        passing: list[int] = []
        for share in SCAN_SHARES:
            mask = np.zeros(self.searcher.n, np.bool_)
            mask[rest] = self.rng.random(len(rest)) < share
            passing.append(int(mask.sum()))
            if passing[-1] < k:
                return Costs(row, product)
            chosen = self.searcher.selector(mask)
            with faiss_threads(1):
                times.append(_timed(partial(self.searcher.scan, k=k, chosen=chosen), requested))
            _, best = best_among(self.searcher.vectors, np.flatnonzero(mask), requested, k, self.searcher.metric)
            found = float(recalls(self.searcher.scan(requested, k, chosen)[1], best, k).mean())
        slope = max(0.0, (times[1] - times[0]) / max(1, passing[1] - passing[0]))
        return Costs(row, product, max(0.0, times[0] - slope * passing[0]) / self.searcher.n, slope, found)


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
