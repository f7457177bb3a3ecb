"""Maps against umap-learn's own default in the same process: time, and trustworthiness at 15 neighbors.

    python benchmarks/maps.py [--all] [--rounds 1]

The quick form lays out 10,000 static vectors of GloVe, 50 wide; `--all` 50,000 x 50, 50,000 contextual vectors of
MiniLM, 384 wide, and 200,000 x 50 too (minutes to half an hour). Both start from unit vectors, compile before they are
timed, and have umap-learn's numbers: n_neighbors 15, min_dist 0.1, 500 epochs up to 10,000 points, else 200. Ours has
a seed and the same map by any number of threads; umap-learn's default has no seed and every thread (with a seed it has
one, and takes longer).
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from polysema.app.explorer import Explorer
from polysema.core.maps.distortion import distortion
from polysema.core.maps.projection import project
from polysema.core.space.metric import unit
from polysema.indexes.knn_graph import neighbors_of_all

sys.path.insert(0, str(Path(__file__).parent))


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds by the clock and of the processor, and the result."""
    start, used = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - start, time.process_time() - used, result


def against_umap_learn(title: str, vectors: np.ndarray, rounds: int) -> None:
    from umap import UMAP

    def ours() -> tuple[np.ndarray, float]:
        searched, _, knn = timed(lambda: neighbors_of_all(vectors, 14))
        return project(vectors, "umap", precomputed_knn=knn).positions, searched

    few = vectors[:: max(1, len(vectors) // 5_000)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        project(few[:500], "umap")
        UMAP(n_epochs=3).fit(few)
        pairs = [(timed(ours), timed(lambda: UMAP().fit_transform(vectors))) for _ in range(rounds)]
    first, _, plane = timed(lambda: project(vectors, "pca").positions)
    clock = statistics.median(theirs[0] / mine[0] for mine, theirs in pairs)
    work = statistics.median(theirs[1] / mine[1] for mine, theirs in pairs)
    (mine, busy, (positions, searched)), (theirs, their_busy, others) = pairs[-1]
    a, b, c = (distortion(vectors, p, 15) for p in (positions, others, plane))
    print(
        f"UMAP of {title}: {clock:.1f} times as fast as umap-learn's default ({mine:.1f} s against {theirs:.1f} "
        f"s, {searched:.1f} of them"
        f" for the neighbors), {work:.1f} times in processor time ({busy:.1f} s against {their_busy:.1f} s)"
    )
    print(
        f"  trustworthiness {a.trustworthiness:.3f} against {b.trustworthiness:.3f}, neighbors kept "
        f"{a.preservation:.3f} against {b.preservation:.3f};"
        f" PCA, the first picture: {first:.2f} s, {c.trustworthiness:.3f}",
        flush=True,
    )


def run(rounds: int, everything: bool = False) -> None:
    glove = Explorer().space("glove-6b-50d").space.vectors

    def static(n: int) -> np.ndarray:
        return unit(np.ascontiguousarray(glove[:n]))

    against_umap_learn("10,000 x 50", static(10_000), rounds)
    if not everything:
        return
    against_umap_learn("50,000 x 50", static(50_000), rounds)
    import index_data

    contextual, _, _ = index_data.contextual(100_000)
    against_umap_learn("50,000 x 384", unit(np.ascontiguousarray(contextual[:50_000])), rounds)
    against_umap_learn("200,000 x 50", static(200_000), rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the large sizes too")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    run(given.rounds, given.all)
