"""Static vectors against gensim in the same process: whole sets of analogies, single questions, files, memory."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import gensim
import numpy as np
from gensim.models import KeyedVectors

from polysema.app.explorer import AnalogyOptions, Explorer
from polysema.core.files.formats import read_vectors, write_vectors
from polysema.core.measure.analogies import Protocol, measure_analogies, read_analogies
from polysema.indexes import FaissIndex, IndexSpec

GOOGLE = Path(gensim.__file__).parent / "test" / "test_data" / "questions-words.txt"
SOME = 300  # questions run in gensim; its total time is extrapolated from them

MEMORY = """
import sys
from polysema.app.explorer import Explorer
import polysema.indexes.exact

def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

explorer = Explorer()
explorer.space("minilm-l6").space.take([0])  # what is imported on the way is not counted
before = kilobytes("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
space = explorer.space(sys.argv[1]).space
explorer.space(space).neighbors("bank")
print((kilobytes("VmHWM") - before) * 1024 / space.vectors.nbytes)
"""
AGAIN = """
import sys, time
from polysema.app.explorer import Explorer
import numpy, pyarrow.parquet
explorer = Explorer()
start = time.perf_counter()
explorer.space(sys.argv[1]).neighbors("bank")
print(time.perf_counter() - start)
"""


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(ways: dict[str, Callable[[], object]], rounds: int, each: int = 5) -> dict[str, float]:
    """Median milliseconds of each way: every round runs each of them some times in a row, and rests between, so that
    the threads of one library don't spin while the other is timed."""
    for work in ways.values():
        for _ in range(5):
            work()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            time.sleep(0.3)
            work()
            times[name] += [timed(work) for _ in range(each)]
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def same(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> str:
    words = [w for w, _ in ours] == [w for w, _ in theirs]
    apart = max(abs(a - b) for (_, a), (_, b) in zip(ours, theirs, strict=True))
    return f"the same ten: {words}, scores within {apart:.0e}"


def questions(explorer: Explorer, vectors: KeyedVectors, rounds: int) -> None:
    index, plain = explorer.space().index, AnalogyOptions(evidence=False)
    matrix = vectors.vectors
    query = matrix[0]
    hnsw = FaissIndex(matrix, recipe=IndexSpec("hnsw", ef_search=16))
    rng = np.random.default_rng(0)
    requested = rng.choice(20_000, 200, replace=False)
    best = [index.search(matrix[[row]], 11, ()).rows[0] for row in requested]
    found = hnsw.search(matrix[requested], 11).rows
    recall = np.mean([len(set(a[1:]) & set(b[1:])) / 10 for a, b in zip(best, found.tolist(), strict=True)])
    positive, negative = ["queen", "man"], ["king"]

    def named(answer):
        return [(n.key, n.score) for n in answer.neighbors]

    def by_hnsw() -> object:
        return hnsw.search(matrix[[5000]], 10, [5000])

    ways = {
        "matvec": lambda: matrix @ query,
        "neighbors": lambda: explorer.space().neighbors("bank"),
        "gensim neighbors": lambda: vectors.most_similar("bank"),
        "analogy": lambda: explorer.space().analogy("queen - king + man", options=plain),
        "gensim analogy": lambda: vectors.most_similar(positive, negative),
        "cosmul": lambda: explorer.space().analogy("queen - king + man", method="3cosmul", options=plain),
        "gensim cosmul": lambda: vectors.most_similar_cosmul(positive, negative),
        "evidence": lambda: explorer.space().analogy("queen - king + man"),
        "hnsw": by_hnsw,
    }
    print(
        same(
            named(explorer.space().analogy("queen - king + man", options=plain)),
            vectors.most_similar(positive, negative),
        )
    )
    print(
        same(
            named(explorer.space().analogy("queen - king + man", method="3cosmul", options=plain)),
            vectors.most_similar_cosmul(positive, negative),
        )
    )
    t = in_turn(ways, rounds)
    print(f"the bare matrix-vector product: {t['matvec']:.2f} ms, {matrix.nbytes / t['matvec'] / 1e6:.1f} GB/s")
    for name, of, other in (
        ("neighbors", "gensim neighbors", "most_similar"),
        ("analogy", "gensim analogy", "most_similar"),
        ("cosmul", "gensim cosmul", "most_similar_cosmul"),
    ):
        print(
            f"one question, 400,000 x 50, exact, {name}: {t[name]:.2f} ms, {t[of] / t[name]:.2f} times as fast "
            f"as gensim's {other}"
            f" ({t[of]:.2f} ms), {t[name] / t['matvec']:.2f} times the bare product's time"
        )
    print(f"  the analogy with all its evidence (five methods): {t['evidence']:.2f} ms")
    print(
        f"  HNSW at recall@10 {recall:.3f}: {t['hnsw']:.3f} ms, {t['gensim neighbors'] / t['hnsw']:.0f} times as "
        "fast as gensim's most_similar"
    )


def sets(explorer: Explorer, vectors: KeyedVectors) -> None:
    categories = read_analogies(GOOGLE)
    space = explorer.space().space
    n = sum(len(c.questions) for c in categories)
    rng = np.random.default_rng(1)
    every = [q for c in categories for q in c.questions]
    some = [tuple(word.lower() for word in every[i]) for i in rng.choice(n, SOME, replace=False)]
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "questions.txt"
        few.write_text(": some\n" + "\n".join(" ".join(q) for q in some) + "\n")
        measure_analogies(space, categories[:1], Protocol("3cosadd", None))
        measure_analogies(space, categories[:1], Protocol("3cosmul", None))
        theirs = timed(lambda: vectors.evaluate_word_analogies(str(few), restrict_vocab=400_000)) * n / SOME
    mul = timed(lambda: [vectors.most_similar_cosmul([q[1], q[2]], [q[0]], topn=1) for q in some]) * n / SOME
    for method, other, seconds in (
        ("3cosadd", "evaluate_word_analogies", theirs),
        ("3cosmul", "most_similar_cosmul", mul),
    ):
        ours = statistics.median(
            [timed(partial(measure_analogies, space, categories, Protocol(method, None))) for _ in "123"]
        )
        print(
            f"all {n:,} questions over 400,000 words, {method}: {ours:.1f} s, {seconds / ours:.0f} times as fast "
            "as gensim's"
            f" {other} ({seconds:.0f} s, scaled from {SOME} questions)"
        )


def files(explorer: Explorer) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_vectors(explorer.space().space, folder / "glove.txt")[0]
        code = (
            "import sys, time\nfrom polysema.core.files.formats import read_vectors\nt = time.perf_counter()\n"
            "read_vectors(sys.argv[1])\nprint(time.perf_counter() - t)"
        )

        def run(code: str, home: str, of: str) -> float:
            environment = {**os.environ, "POLYSEMA_HOME": str(folder / home)}
            done = subprocess.run(
                [sys.executable, "-c", code, of], capture_output=True, text=True, check=True, env=environment
            )
            return float(done.stdout)

        first = [run(code, f"home{i}", str(path)) for i in range(3)]
        again = [run(AGAIN, "home0", str(path)) for _ in range(3)]
        run(AGAIN, "home0", "glove-6b-50d")  # its first use converts it
        memory = [run(MEMORY, "home0", of) for of in (str(path), "glove-6b-50d")]
        theirs = timed(lambda: KeyedVectors.load_word2vec_format(str(path)))
        ours = statistics.median(first)
        print(
            f"GloVe as text, {path.stat().st_size / 1e6:.0f} MB, first read: {ours:.2f} s, {theirs / ours:.0f} "
            "times as fast as gensim's"
            f" load_word2vec_format ({theirs:.1f} s); opened again, to the first answer: "
            f"{statistics.median(again):.3f} s"
        )
        print(
            f"peak memory of a neighbor query: {memory[0]:.2f} times the vectors' bytes from a text, "
            f"{memory[1]:.2f} from the package"
        )
        read_vectors(path)


def run(rounds: int) -> None:
    explorer = Explorer()
    space = explorer.space().space
    vectors = KeyedVectors(space.dim)
    vectors.add_vectors(list(space.keys), np.ascontiguousarray(space.vectors))
    vectors.fill_norms()
    questions(explorer, vectors, rounds)
    sets(explorer, vectors)
    files(explorer)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
