"""Kinds of index against each other, raw FAISS and other stores: contextual vectors of real text, 384 wide, cosine.

    python benchmarks/indexes.py [rounds] [--full] [--rows 100000] [--only hnsw,pq-fastscan]

100,000 rows, or with --full 1,000,000. Peers that are installed take part (hnswlib, usearch, chromadb, lancedb,
qdrant-client: none of them is needed otherwise), each measured at its cheapest setting whose recall@10 is at least
0.95.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.space.metric import unit
from polysema.indexes import ExactIndex, FaissIndex, IndexSpec, choose
from polysema.indexes.recall import recalls

sys.path.insert(0, str(Path(__file__).parent))
from index_data import contextual

KINDS = ("flat", "hnsw:M=16", "hnsw", "hnsw-sq8:M=16", "ivf", "ivf-sq8", "ivf-pq", "pq-fastscan")
WANTED = 0.95
N_RECALL_QUERIES = 256  # queries whose recall is measured
SHARES = (0.001, 0.01, 0.1, 0.5)
BUDGET = 1.0  # seconds that one way may take in one round
Way = Callable[[np.ndarray], Any]  # (n_queries, dim) to rows


def resident() -> int:
    """Bytes of this process's own memory, mapped files apart; what was freed is given back first."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) << 10


def recall(rows: np.ndarray, vectors: np.ndarray, queries: np.ndarray, best: np.ndarray) -> float:
    scores = np.stack([unit(vectors[some]) @ q for some, q in zip(rows, queries, strict=True)])
    return float(recalls(-np.sort(-scores, axis=1), best, 10).mean())


class Bench:
    def __init__(self, n: int):
        mapped, self.words, queries = contextual(n)
        self.vectors, self.queries = np.ascontiguousarray(mapped), unit(queries)
        self.n, self.dim = self.vectors.shape
        self.exact = ExactIndex(self.vectors)
        self.best = self.exact.search(self.queries[:N_RECALL_QUERIES], 10).scores
        self.ways: dict[str, Way] = {}
        self.rows: dict[str, list[str]] = {}

    def recall(self, way: Way) -> float:
        found = np.stack([way(query[None])[0] for query in self.queries[:N_RECALL_QUERIES]])
        return recall(found, self.vectors, self.queries[:N_RECALL_QUERIES], self.best)

    def add(self, name: str, way: Way, built: float, size: int, current: int) -> None:
        self.ways[name] = way
        raw = self.vectors.nbytes
        self.rows[name] = [
            f"{self.recall(way):.3f}",
            f"{size / raw:.2f}" if size else "-",
            f"{current / raw:.2f}",
            f"{built:.0f}",
        ]
        print(f"  built {name}: {built:.1f} s", flush=True)

    def table(self, rounds: int) -> dict[str, list[float]]:
        rates = in_turn({name: lambda q, way=way: way(q) for name, way in self.ways.items()}, self.queries, rounds)
        print(
            f"\n{self.n:,} x {self.dim}: recall@10, queries a second one by one, memory over the vectors', "
            "seconds to build"
        )
        print(f"  {'':46} recall      q/s  index  process  build")
        for name, (hit, size, current, built) in self.rows.items():
            print(f"  {name:46} {hit:>6} {statistics.median(rates[name]):>8,.0f} {size:>6} {current:>8} {built:>6}")
        return rates


def in_turn(ways: dict[str, Way], queries: np.ndarray, rounds: int) -> dict[str, list[float]]:
    """Queries a second of each way, one by one, each round all in turn."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started, done = time.perf_counter(), 0
            while done < 100 and time.perf_counter() - started < BUDGET:
                way(queries[(number * 100 + done) % len(queries)][None])
                done += 1
            if number:
                rates[name].append(done / (time.perf_counter() - started))
    return rates


# Ours, and raw FAISS


def ours(bench: Bench, kinds: list[str]) -> dict[str, FaissIndex]:
    current: dict[str, FaissIndex] = {}
    bench.add("exact (NumPy and 8-bit codes)", lambda q: bench.exact.search(q, 10).rows, 0, 0, 0)
    for kind in kinds:
        before, started = resident(), time.perf_counter()
        index = FaissIndex(bench.vectors, recipe=IndexSpec.parse(kind))
        took = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as folder:
            index.write(Path(folder) / "index.faiss")
            size = (Path(folder) / "index.faiss").stat().st_size
        how = index.search(bench.queries[:1], 10, recall=WANTED).how
        bench.add(
            f"polysema {how}",
            lambda q, index=index: index.search(q, 10, recall=WANTED).rows,
            took,
            size,
            resident() - before,
        )
        current[kind] = index
    return current


def overhead(bench: Bench, index: FaissIndex, rounds: int) -> None:
    """What our search costs over FAISS's own with the same index, setting and number of results."""
    point = index.curve.cheapest(WANTED)
    if point is None:
        return
    batch, codes = bench.queries[:256], index._searcher.rescores(True)

    def raw(q: np.ndarray) -> Any:
        return index._searcher.faiss.search(q, 10, params=index._searcher.parameters(point.setting, 10, None))

    def searched(q: np.ndarray) -> Any:
        return index.search(q, 10, recall=WANTED, rescore=False)

    def exactly(q: np.ndarray) -> Any:
        return index.search(q, 10, recall=WANTED)

    ways = {"raw": raw, "ours": searched, "anew": exactly} if codes else {"raw": raw, "ours": exactly}
    times: dict[tuple[str, int], list[float]] = {(name, n): [] for name in ways for n in (256, 1)}
    for number in range(4 * rounds):
        for name, way in ways.items():
            times[name, 256].append(timed(lambda way=way: way(batch)))
        # which goes first changes, since the second finds the rows in the cache
        for place, query in enumerate(batch[:64]):
            order = list(ways.items()) if (place + number) % 2 else list(ways.items())[::-1]
            for name, way in order:
                times[name, 1].append(timed(lambda way=way, query=query: way(query[None])))

    def more(name: str) -> str:
        share = statistics.median(b / a for a, b in zip(times["raw", 256], times[name, 256], strict=True)) - 1
        single = 1000 * statistics.median(b - a for a, b in zip(times["raw", 1], times[name, 1], strict=True))
        return f"{share:+.1%} a batch of 256, {single:+.3f} ms a single query"

    print(
        f"  {index.recipe.kind}, {point.setting}: {more('ours')}"
        + (f"; with exact scores {more('anew')}" if codes else "")
    )


def filtered(bench: Bench, index: FaissIndex, rounds: int) -> None:
    """Searches under a filter against filtering the exact answer; random rows, and rows that hang together."""
    rng = np.random.default_rng(5)
    factor = 1 / np.linalg.norm(bench.vectors, axis=1)
    number = {word: place for place, word in enumerate(sorted(set(bench.words)))}
    places = np.array([number[word] for word in bench.words])
    for title in ("random rows", "words of the alphabet's end"):
        for share in SHARES:
            mask = rng.random(bench.n) < share if title == "random rows" else places >= np.quantile(places, 1 - share)

            def plain(query: np.ndarray, mask: np.ndarray = mask) -> np.ndarray:
                scores = (bench.vectors @ query[0]) * factor
                scores[~mask] = -np.inf
                some = np.argpartition(-scores, 10)[:10]
                return some[np.argsort(-scores[some])][None]

            def search(query: np.ndarray, mask: np.ndarray = mask) -> np.ndarray:
                return index.search(query, 10, where=mask, recall=WANTED).rows

            requested = bench.queries[:24]
            best = np.stack([unit(bench.vectors[plain(q[None])[0]]) @ q for q in requested])
            hit = recall(np.concatenate([search(q[None]) for q in requested]), bench.vectors, requested, best)
            times: list[tuple[float, float]] = []
            for q in list(requested) * rounds:
                a, b = timed(lambda q=q, s=search: s(q[None])), timed(lambda q=q, p=plain: p(q[None]))
                times.append((a, b))
            ratio = statistics.median(b / a for a, b in times)
            took = 1000 * statistics.median(a for a, _ in times)
            how = index.search(requested[:1], 10, where=mask, recall=WANTED).how
            print(
                f"  {index.recipe.kind:12} {title:28} {mask.mean():7.2%}: recall {hit:.3f}, {ratio:6.1f} times "
                f"as fast, {took:7.2f} ms ({how})"
            )


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# Others


def reaching(bench: Bench, make: Callable[[int], Way]) -> tuple[Way, int]:
    for ef in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512):
        way = make(ef)
        if bench.recall(way) >= WANTED:
            break
    return way, ef


def hnswlib(bench: Bench) -> None:
    import hnswlib as lib

    before, started = resident(), time.perf_counter()
    index = lib.Index("cosine", bench.dim)
    index.init_index(bench.n, ef_construction=120, M=16)  # 2 * M links at the lowest level, as many as FAISS's M = 16
    index.add_items(bench.vectors)
    took, current = time.perf_counter() - started, resident() - before

    def make(ef: int) -> Way:
        def way(query: np.ndarray) -> Any:
            return index.knn_query(query, 10, num_threads=1)[0].astype(np.int64)

        index.set_ef(ef)
        return way

    way, ef = reaching(bench, make)
    with tempfile.TemporaryDirectory() as folder:
        index.save_index(f"{folder}/index")
        bench.add(f"hnswlib, M 16, ef {ef}", way, took, Path(folder, "index").stat().st_size, current)


def usearch(bench: Bench) -> None:
    from usearch.index import Index

    for dtype in ("f32", "i8"):
        before, started = resident(), time.perf_counter()
        index = Index(ndim=bench.dim, metric="cos", dtype=dtype, connectivity=16, expansion_add=120)
        index.add(np.arange(bench.n), bench.vectors)
        took, current = time.perf_counter() - started, resident() - before

        def make(ef: int, index: Any = index) -> Way:
            index.expansion_search = ef
            return lambda query: index.search(query[0], 10).keys.astype(np.int64)[None]

        way, ef = reaching(bench, make)
        with tempfile.TemporaryDirectory() as folder:
            index.save(f"{folder}/index")
            bench.add(
                f"usearch {dtype}, connectivity 16, ef {ef}", way, took, Path(folder, "index").stat().st_size, current
            )


def chromadb(bench: Bench) -> None:
    import chromadb as db

    before, started = resident(), time.perf_counter()
    client = db.EphemeralClient(db.Settings(anonymized_telemetry=False))
    collection = client.create_collection("bench", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    for start in range(0, bench.n, 5_000):
        rows = range(start, min(start + 5_000, bench.n))
        collection.add(ids=list(map(str, rows)), embeddings=bench.vectors[rows.start : rows.stop])

    def way(query: np.ndarray) -> Any:
        return np.array([list(map(int, collection.query(query_embeddings=query, n_results=10, include=[])["ids"][0]))])

    bench.add("chromadb, its defaults", way, time.perf_counter() - started, 0, resident() - before)


def lancedb(bench: Bench) -> None:
    os.environ["RUST_LOG"] = "error"
    import lancedb as db
    import pyarrow as pa

    before, started = resident(), time.perf_counter()
    folder = tempfile.mkdtemp()
    flat = pa.FixedSizeListArray.from_arrays(pa.array(bench.vectors.ravel()), bench.dim)
    table = db.connect(folder).create_table("bench", pa.table({"id": np.arange(bench.n), "vector": flat}))

    def way(query: np.ndarray) -> Any:
        found = table.search(query[0]).distance_type("cosine").select(["id"]).limit(10).to_arrow()
        return found.column("id").to_numpy()[None]

    bench.add("lancedb, exact", way, time.perf_counter() - started, 0, resident() - before)


def qdrant_client(bench: Bench) -> None:
    from qdrant_client import QdrantClient, models

    before, started = resident(), time.perf_counter()
    client = QdrantClient(":memory:")
    client.create_collection("bench", models.VectorParams(size=bench.dim, distance=models.Distance.COSINE))
    client.upload_collection("bench", bench.vectors, ids=range(bench.n))

    def way(query: np.ndarray) -> Any:
        return np.array([[point.id for point in client.query_points("bench", query[0].tolist(), limit=10).points]])

    bench.add("qdrant-client local, exact", way, time.perf_counter() - started, 0, resident() - before)


PEERS: dict[str, Callable[[Bench], None]] = {
    "hnswlib": hnswlib,
    "usearch": usearch,
    "lancedb": lancedb,
    "chromadb": chromadb,
    "qdrant_client": qdrant_client,
}


def run(rounds: int, rows: int = 100_000, only: str = "") -> None:
    warnings.filterwarnings("ignore", category=UserWarning, module="qdrant_client")
    bench = Bench(rows)
    chosen = [name for name in only.split(",") if name]
    current = ours(bench, [kind for kind in KINDS if not chosen or kind.partition(":")[0] in chosen])
    for name, peer in PEERS.items():
        if chosen and name not in chosen:
            continue
        if importlib.util.find_spec(name):
            peer(bench)
        else:
            print(f"  {name} is not installed: left out")
    rates = bench.table(rounds)
    mine = max(
        (name for name in rates if name.startswith("polysema")),
        key=lambda name: statistics.median(rates[name]),
        default=None,
    )
    for name, theirs in rates.items():
        if mine and not name.startswith("polysema"):
            ratio = statistics.median(a / b for a, b in zip(rates[mine], theirs, strict=True))
            print(f"  {mine}: {ratio:.2f} times {name}")
    print(f"auto: {choose(bench.n, bench.dim)[1]}")
    approximate = [index for kind, index in current.items() if kind != "flat"]
    print("over raw FAISS with the same index:")
    for index in approximate:
        overhead(bench, index, rounds)
    print("under a filter, against filtering the exact answer:")
    for index in approximate:
        if index.recipe.kind in ("hnsw", "ivf-sq8", "pq-fastscan") and index.recipe.M != 16:
            filtered(bench, index, rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    run(given.rounds, given.rows or (1_000_000 if given.full else 100_000), given.only)
