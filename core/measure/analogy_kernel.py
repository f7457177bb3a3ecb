"""The best word for each of thousands of analogy questions, tile by tile, by compiled code.

The cosines of the questions' few hundred different words with a tile of some hundred words are one small product that
stays in the cache; every question is then a sum or a product of three of its lines. A score matrix of questions by
words, which is what costs time elsewhere, never exists.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from polysema.core.compiled import compiled
from polysema.core.environment import cores
from polysema.core.progress import Progress
from polysema.core.space.space import Floats, Ints

TILE = 256
ADD, MUL, PAIR, ONE, TWO = range(5)


@compiled(fastmath=True)
def _best(  # noqa: C901, PLR0913  one compiled loop: a branch for each kind of question, on tiles that stay in the cache
    kind: int,
    lines: Floats,
    over: Floats,
    base: int,
    places: Ints,
    out: Ints,
    offsets: Floats,
    best: Floats,
    where: Ints,
) -> None:
    """`lines` (words, tile) as each kind needs them, `over` what it multiplies by; `places` (q, 3) are a, a*, b."""
    width = lines.shape[1]
    score = np.empty(width, np.float32)
    for k in range(len(places)):
        a, s, b = lines[places[k, 0]], lines[places[k, 1]], lines[places[k, 2]]
        if kind == ADD:
            for j in range(width):
                score[j] = s[j] - a[j] + b[j]
        elif kind == MUL:
            o = over[places[k, 0]]
            for j in range(width):
                score[j] = s[j] * b[j] * o[j]
        elif kind == PAIR:
            o = over[places[k, 2]]
            t = offsets[k]
            for j in range(width):
                score[j] = (s[j] - a[j] - t) * o[j]
        elif kind == ONE:
            for j in range(width):
                score[j] = b[j]
        else:
            for j in range(width):
                score[j] = s[j] + b[j]
        for e in range(out.shape[1]):
            at = out[k, e] - base
            if 0 <= at < width:
                score[at] = -np.inf
        top = score[0]
        for j in range(1, width):
            top = max(top, score[j])
        if top > best[k]:
            best[k] = top
            for j in range(width):
                if score[j] == top:
                    where[k] = base + j
                    break


def best_words(
    vectors: Floats,
    questions: Ints,
    method: str,
    epsilon: float,
    exclude: bool,
    progress: Progress,
) -> Ints:
    """The best row for each question (n_questions, 3), rows of a, a*, b: (n_questions,). Of equals the first row."""
    n = len(vectors)
    rows, places = np.unique(questions, return_inverse=True)
    places = np.ascontiguousarray(places.reshape(-1, 3).astype(np.int64))
    words = _unit(vectors[rows])  # (words, dim)
    kind = {"3cosadd": ADD, "3cosmul": MUL, "pairdirection": PAIR, "only-b": ONE, "ignore-a": TWO}[method]
    out = questions if exclude else np.empty((len(questions), 0), np.int64)
    offsets = np.einsum("qd,qd->q", words[places[:, 1]] - words[places[:, 0]], words[places[:, 2]])
    starts = list(range(0, n, TILE))
    workers = max(1, min(cores(), len(starts)))
    best = np.full((workers, len(questions)), -np.inf, np.float32)
    where = np.full((workers, len(questions)), n, np.int64)
    done = [0] * workers

    def work(worker: int) -> None:
        for start in starts[worker::workers]:
            lines = words @ _unit(vectors[start : start + TILE]).T  # (words, tile)
            over = lines
            if kind == MUL:
                lines = np.maximum((1 + lines) / 2, 0)
                over = 1 / (lines + np.float32(epsilon))
            elif kind == PAIR:
                apart = 2 - 2 * lines
                over = np.where(apart > 1e-6, 1 / np.sqrt(np.maximum(apart, 1e-6)), 0).astype(np.float32)
            _best(kind, lines, over, start, places, out, offsets, best[worker], where[worker])
            done[worker] += 1
            if worker == 0:
                progress(f"ask by {method}", min(sum(done), len(starts)), len(starts))

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    progress(f"ask by {method}", len(starts), len(starts))
    # of equals the first row: the least of those that have the best score
    found: Ints = np.where(best == best.max(axis=0), where, n).min(axis=0)
    return found


def _unit(vectors: Floats) -> Floats:
    block = np.ascontiguousarray(vectors, np.float32)
    length = np.sqrt(np.einsum("nd,nd->n", block, block))
    scaled: Floats = block * np.divide(1, length, out=np.zeros_like(length), where=length > 0)[:, None]
    return scaled
