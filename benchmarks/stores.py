"""A collection of contextual vectors: what it costs over its own index, to open, to add to, and to filter.

    python benchmarks/stores.py [rounds] [--full] [--kind ivf-sq8]

100,000 x 384, or with --full 1,000,000 x 384.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from polysema.core.space.metric import unit
from polysema.indexes.collection import Collection
from polysema.indexes.faiss_index import FaissIndex
from polysema.indexes.recall import setting_of

sys.path.insert(0, str(Path(__file__).parent))
from index_data import contextual

SHARES = (0.001, 0.01, 0.1, 0.5)
BATCH = 256
ADDED = 10_000
OPEN = """
import sys, time
import numpy as np
import pyarrow.compute
from polysema.indexes.collection import Collection
from polysema.indexes import faiss_index
import faiss
query = np.load(sys.argv[2])
start = time.perf_counter()
found = Collection(sys.argv[1]).search(query, 10)
print(time.perf_counter() - start)
"""


def median(work: Callable[[int], object], times: int) -> float:
    """Seconds of one call, the median of several."""
    taken = []
    for number in range(times):
        start = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def overhead(c: Collection, queries: np.ndarray, rounds: int) -> None:
    """Against FAISS itself, with the collection's own index at the same setting."""
    (segment,) = c.view().segments["vectors"]
    index = segment.stored.index()
    if not isinstance(index, FaissIndex):
        print("  no index to compare with: the exact search")
        return
    raw, setting, normal = index._searcher.faiss, setting_of(index.recipe), unit(queries)
    settings = index._searcher.parameters(setting, 10, None)
    singles, batches = [], []
    for _ in range(rounds):
        ours = median(lambda i: c.search(queries[i : i + 1], 10), 200)
        theirs = median(lambda i: raw.search(normal[i : i + 1], 10, params=settings), 200)
        singles.append(ours - theirs)
        many = median(lambda i: c.search(queries[:BATCH], 10), 5)
        batches.append(many / median(lambda i: raw.search(normal[:BATCH], 10, params=settings), 5))
    print(
        f"  over raw FAISS ({index.recipe}): {1e6 * statistics.median(singles):.0f} microseconds a single query, "
        f"{statistics.median(batches):.2f} times its time a batch of {BATCH}"
    )


def filtered(c: Collection, queries: np.ndarray, rounds: int) -> None:
    """A condition that so many rows pass, against the exact answer over all rows from which those that pass are
    kept.
    """
    view = c.view()
    (segment,) = view.segments["vectors"]
    normal = unit(np.asarray(segment.stored.vectors))
    for share in SHARES:
        where = f"draw < {share}"
        (mask,) = view.masks("vectors", where)

        def exact(i: int, mask: np.ndarray = mask) -> object:
            scores = np.where(mask, normal @ queries[i], -np.inf)
            return np.argpartition(-scores, 10)[:10]

        ratios = []
        for _ in range(rounds):
            ours = median(lambda i: c.search(queries[i : i + 1], 10, where), 20)  # noqa: B023
            ratios.append(median(exact, 20) / ours)
        found = c.search(queries[:50], 10, where)
        truth = -np.sort(-(unit(queries[:50]) @ normal[mask].T), axis=1)[:, :10]
        recall = float((found.scores >= truth[:, -1:] - 1e-5).mean())
        print(
            f"  {share:.1%} pass: {statistics.median(ratios):.1f} times as fast as filtering the exact answer, "
            f"recall@10 {recall:.3f} (expected {found.recall:.3f})"
        )


def main(rounds: int, n: int, kind: str) -> None:
    vectors, words, queries = contextual(n)
    queries = np.ascontiguousarray(queries)
    folder = Path(tempfile.mkdtemp(prefix="polysema-bench-", dir=Path.cwd()))
    try:
        c = Collection.create(folder / "c")
        draw = np.random.default_rng(1).random(n)
        start = time.perf_counter()
        for at in range(0, n, 100_000):
            part = slice(at, at + 100_000)
            ids = [f"{row}" for row in range(at, min(at + 100_000, n))]
            c.add(ids, vectors[part], {"word": words[part], "draw": draw[part]})
        added = time.perf_counter() - start
        start = time.perf_counter()
        c.compact(index=kind)
        print(
            f"a collection of {n:,} x {vectors.shape[1]}: added in {added:.1f} s ({n / added:,.0f} rows a second), "
            f"compacted and indexed ({kind}) in {time.perf_counter() - start:.0f} s"
        )
        c.history.collect(1)
        np.save(folder / "query.npy", queries[:1])
        opened = [
            float(
                subprocess.run(
                    [sys.executable, "-c", OPEN, folder / "c", folder / "query.npy"],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            for _ in range(rounds)
        ]
        print(f"  opened and first query in a new process: {statistics.median(opened):.2f} s")
        overhead(c, queries, rounds)
        filtered(c, queries, rounds)
        new = np.random.default_rng(2).normal(size=(ADDED, vectors.shape[1])).astype(np.float32)
        start = time.perf_counter()
        c.add([f"new{row}" for row in range(ADDED)], new, {"word": ["new"] * ADDED, "draw": [0.0] * ADDED})
        assert c.search(new[-1:], 1).ids == [[f"new{ADDED - 1}"]]
        print(f"  {ADDED:,} rows added and found: {time.perf_counter() - start:.2f} s")
        one = median(lambda i: c.upsert([f"one{i}"], new[i : i + 1]), 30)
        start = time.perf_counter()
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: c.upsert([f"t{i}"], new[i : i + 1]), range(200)))
        print(
            f"  one row: {1000 * one:.0f} ms; from 16 threads {200 / (time.perf_counter() - start):.0f} rows a second"
        )
    finally:
        shutil.rmtree(folder)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="1,000,000 rows instead of 100,000")
    parser.add_argument("--kind", default="ivf-sq8", help="the index")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    main(given.rounds, 1_000_000 if given.full else 100_000, given.kind)
