"""Speeds, each as a ratio of two things run in turn in this process: median of several rounds.

    python benchmarks/run.py [rounds]

Machines differ and are noisy: the ratios are what to read, the times beside them only say of what size they are.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from polysema.app.explorer import Explorer
from polysema.indexes import ExactIndex, FaissIndex, IndexSpec

sys.path.insert(0, str(Path(__file__).parent))
import contextual_vectors
import maps
import service
import static_spaces

import indexes

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def paired(
    title: str, ours: Callable[[], object], other: str, theirs: Callable[[], object], rounds: int = ROUNDS
) -> None:
    """Print how many times as fast ours is: the median over the rounds of theirs / ours, each round both in turn."""
    ours()
    theirs()
    pairs = [(timed(ours), timed(theirs)) for _ in range(rounds)]
    ratios = [b / a for a, b in pairs]
    mine, yours = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    low, high = min(ratios), max(ratios)
    print(
        f"{title}: {statistics.median(ratios):.2f} times as fast as {other} ({low:.2f} to {high:.2f}; {mine:.2f} "
        f"ms against {yours:.2f} ms)"
    )


def static() -> None:
    explorer = Explorer()
    space = explorer.space("glove-6b-50d").space
    vectors = np.ascontiguousarray(space.vectors)
    index = ExactIndex(space.vectors)
    query = vectors[space.resolve("bank")][None]
    flat = FaissIndex(vectors)
    paired(
        "one neighbor query, 400,000 x 50, exact",
        lambda: index.search(query, 10),
        "the bare matrix-vector product",
        lambda: vectors @ query[0],
        4 * ROUNDS,
    )
    paired("the same", lambda: index.search(query, 10), "FAISS Flat", lambda: flat.search(query, 10), 4 * ROUNDS)
    some = np.ascontiguousarray(vectors[:100_000])
    queries = some[::2000]
    exact, hnsw = ExactIndex(some), FaissIndex(some, recipe=IndexSpec("hnsw"))
    best, found = exact.search(queries, 10).rows, hnsw.search(queries, 10).rows
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(best.tolist(), found.tolist(), strict=True)])
    paired(
        f"one query, 100,000 x 50, HNSW at recall@10 {recall:.3f}",
        lambda: hnsw.search(query, 10),
        "exact",
        lambda: exact.search(query, 10),
        4 * ROUNDS,
    )


if __name__ == "__main__":
    static()
    static_spaces.run(ROUNDS)
    contextual_vectors.run(ROUNDS, 512)
    indexes.run(ROUNDS)
    service.run()
    service.mixed(10 if ROUNDS >= 5 else 1)
    maps.run(1)
