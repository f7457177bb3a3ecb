"""What rows cost on Milvus: seconds to load and to build, bytes in memory and on disk, seconds a query.

`python benchmarks/scale.py --rows 1000000 --dim 64` starts a server of the package `milvus` in a temporary folder and
prints one line for each kind of index; docs/guides/scale.md compares them with its formulas.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from polysema.indexes.collection import Collection

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.engines.milvus_server import MilvusServer, unpack

BATCH = 20_000


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--kinds", default="none,ivf-sq8,hnsw")
    given = options.parse_args()
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(1_000, given.dim)).astype(np.float32)
    cache = Path(__file__).parent.parent / ".cache" / "tests"
    with tempfile.TemporaryDirectory() as folder:
        server = MilvusServer(Path(folder), unpack(cache))
        server.start()
        assert server.process is not None
        try:
            made = Collection.create(f"milvus://{server.uri}/scale")
            empty, started = resident_bytes(server.process.pid), time.perf_counter()
            for first in range(0, given.rows, BATCH):
                n = min(BATCH, given.rows - first)
                vectors = centers[rng.integers(0, 1_000, n)] + rng.normal(size=(n, given.dim)).astype(np.float32)
                made.upsert([f"{row}" for row in range(first, first + n)], vectors, {"layer": [6] * n})
            print(f"load: {given.rows / (time.perf_counter() - started):,.0f} rows a second", flush=True)
            queries = centers[:64] + rng.normal(size=(64, given.dim)).astype(np.float32)
            for kind in given.kinds.split(","):
                started = time.perf_counter()
                reason = made.compact(index=kind)
                built = time.perf_counter() - started
                started = time.perf_counter()
                found = made.search(queries, 10, recall=None if kind == "none" else 0.95)
                batch = time.perf_counter() - started
                memory = resident_bytes(server.process.pid)
                print(
                    f"{kind}: {reason}; {built:.0f} s to build and measure; {memory / 1e6:,.0f} MB of memory "
                    f"({(memory - empty) / given.rows:.0f} bytes a row), {disk_bytes(Path(folder)) / given.rows:.0f} "
                    f"bytes a row on disk; 64 queries in {batch:.2f} s at a recall of {found.recall}",
                    flush=True,
                )
        finally:
            server.kill()


if __name__ == "__main__":
    main()
