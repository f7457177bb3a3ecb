"""Speeds, each as a ratio of two things run in turn in this process: median of several rounds.

    python benchmarks/run.py [rounds]

Machines differ and are noisy: the ratios are what to read, the times beside them only say of what size they are.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from polysema.app.explorer import Explorer
from polysema.app.export import Source, export
from polysema.core.measure.senses import load_senses
from polysema.core.model.contextual import embed
from polysema.indexes import ExactIndex, FaissIndex, Recipe

sys.path.insert(0, str(Path(__file__).parent))
import static_spaces

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
        f"{title}: {statistics.median(ratios):.2f} times as fast as {other} ({low:.2f} to {high:.2f}; {mine:.2f} ms against {yours:.2f} ms)"
    )


def static() -> None:
    explorer = Explorer()
    space = explorer.space("glove-6b-50d")
    vectors = np.ascontiguousarray(space.vectors)
    index = ExactIndex(space.vectors)
    query = vectors[space.resolve("bank")][None]
    flat = FaissIndex(vectors)
    paired(
        "one neighbour query, 400,000 x 50, exact",
        lambda: index.search(query, 10),
        "the bare matrix-vector product",
        lambda: vectors @ query[0],
        4 * ROUNDS,
    )
    paired("the same", lambda: index.search(query, 10), "FAISS Flat", lambda: flat.search(query, 10), 4 * ROUNDS)
    some = np.ascontiguousarray(vectors[:100_000])
    queries = some[::2000]
    exact, hnsw = ExactIndex(some), FaissIndex(some, recipe=Recipe("hnsw"))
    best, found = exact.search(queries, 10).rows, hnsw.search(queries, 10).rows
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(best.tolist(), found.tolist(), strict=True)])
    paired(
        f"one query, 100,000 x 50, HNSW at recall@10 {recall:.3f}",
        lambda: hnsw.search(query, 10),
        "exact",
        lambda: exact.search(query, 10),
        4 * ROUNDS,
    )


def contextual() -> None:
    from transformers import pipeline

    explorer = Explorer()
    model = explorer.model("minilm-l6")
    texts = list(load_senses().texts[:192])
    hub = pipeline("feature-extraction", model=model.module, tokenizer=model.tokenizer, device="cpu")
    tokens = sum(len(e) for e in model.encode(texts))
    print(f"{len(texts)} sentences of {tokens / len(texts):.1f} tokens on average:")
    paired(
        "  word vectors of minilm-l6, last layer",
        lambda: embed(model, texts, [-1]),
        "transformers' pipeline in batches of 32 (tokens)",
        lambda: hub(texts, batch_size=32),
    )
    paired("  all seven layers", lambda: embed(model, texts), "the last layer alone", lambda: embed(model, texts, [-1]))
    source = Source("senses", "0" * 64, len(texts))

    def written() -> None:
        with tempfile.TemporaryDirectory() as folder:
            export(texts, source, folder, model, [-1])

    paired("  export to Parquet", written, "embedding without writing", lambda: embed(model, texts, [-1]))


if __name__ == "__main__":
    static()
    static_spaces.run(ROUNDS)
    contextual()
