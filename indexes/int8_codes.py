"""The passes over all vectors that are worth compiling. Imported only by an index that is queried often.

A single query is bound by memory: 4 bytes a number have to come from it, and little is done with each. `Codes` keeps
every row a second time in 1 byte a number, with a bound on what that loses: one pass over the codes gives each row the
interval that its score lies in, and only the rows whose interval reaches the k-th best lower end are scored exactly.
The answer is that of the full pass, from a quarter of its memory traffic.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polysema.core.compiled import compiled
from polysema.core.environment import cores
from polysema.core.space.space import Floats, Ints
from polysema.indexes.mapped_pages import release_pages

Signed: TypeAlias = npt.NDArray[np.int8]
PIECE_ROWS = 16_384  # rows that a thread takes at a time, a multiple of BLOCK
PIECE_NUMBERS = 2_000_000  # that are made codes at a time
BLOCK_ROWS = 64  # rows that share one maximum
LANE = 16  # codes of a row are padded to a multiple of this, which the compiled loop takes in whole steps
TINY = 1e-30  # the numbers of a row that is smaller are not told apart
ROUNDING = 2.0**-22  # of one product and sum in float32, twice over: the codes' pass and the exact one both round
_THREADS = min(8, cores())
_POOL = ThreadPoolExecutor(_THREADS, thread_name_prefix="scores")


def _shared(work: Callable[[int, int], None], rows: int, again: bool = False) -> None:
    """`work(start, stop)` over pieces of all rows, by every thread as it comes free.

    Pieces, not halves: another library's threads may still spin on one of the cores. With `again` this thread does
    what the others have begun and not finished too, rather than wait for one that has no core: the work must come to
    the same and what it writes must not be changed afterwards.
    """
    starts = range(0, rows, PIECE_ROWS)
    unfinished, left = set(starts), iter(starts)

    def some() -> None:
        for start in left:
            work(start, min(start + PIECE_ROWS, rows))
            unfinished.discard(start)

    others = [_POOL.submit(some) for _ in range(_THREADS - 1)]
    some()
    if again:
        for start in sorted(unfinished):
            if start in unfinished:
                work(start, min(start + PIECE_ROWS, rows))
    else:
        for other in others:
            other.result()


@compiled(fastmath=True)
def _bounds(  # noqa: PLR0913  a compiled loop, which fills arrays that the caller made
    codes: Signed, scale: Floats, error: Floats, query: Floats, tops: Floats, floors: Floats, start: int, stop: int
) -> None:
    dim = codes.shape[1]
    sums = np.empty(BLOCK_ROWS, np.float32)
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        for i in range(first, last, 2):
            a, b = np.float32(0), np.float32(0)
            k = min(i + 1, last - 1)
            for j in range(dim):
                a += np.float32(codes[i, j]) * query[j]
                b += np.float32(codes[k, j]) * query[j]
            sums[i - first], sums[k - first] = a, b
        top, floor = np.float32(-3e38), np.float32(-3e38)
        for i in range(first, last):
            score = sums[i - first] * scale[i]
            floor = max(floor, score - error[i])
            top = max(top, score + error[i])
        tops[first // BLOCK_ROWS], floors[first // BLOCK_ROWS] = top, floor


@compiled(fastmath=True)
def _three(rows: Signed | Floats, i: int, k: int, queries: Floats) -> "tuple[np.float32, ...]":
    """The products of two rows with three queries: two rows at a time keep six sums in registers."""
    a, b, c = np.float32(0), np.float32(0), np.float32(0)
    d, e, f = np.float32(0), np.float32(0), np.float32(0)
    for j in range(rows.shape[1]):
        x, y = np.float32(rows[i, j]), np.float32(rows[k, j])
        p, q, r = queries[0, j], queries[1, j], queries[2, j]
        a += x * p
        b += x * q
        c += x * r
        d += y * p
        e += y * q
        f += y * r
    return a, b, c, d, e, f


@compiled(fastmath=True)
def _mul_bounds(  # noqa: PLR0913  a compiled loop, which fills arrays that the caller made
    codes: Signed,
    scale: Floats,
    error: Floats,
    queries: Floats,
    epsilon: np.float32,
    tops: Floats,
    floors: Floats,
    start: int,
    stop: int,
) -> None:
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    sums = np.empty((3, BLOCK_ROWS), np.float32)
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        for i in range(first, last, 2):
            k = min(i + 1, last - 1)
            a, b, c, d, e, f = _three(codes, i, k, queries)
            sums[0, i - first], sums[1, i - first], sums[2, i - first] = a, b, c
            sums[0, k - first], sums[1, k - first], sums[2, k - first] = d, e, f
        top, floor = np.float32(-3e38), np.float32(-3e38)
        for i in range(first, last):
            s, h = scale[i], error[i]
            p, q, r = one + sums[0, i - first] * s, one + sums[1, i - first] * s, one + sums[2, i - first] * s
            low = max(p - h, zero) * max(q - h, zero) * half / (max(r + h, zero) + epsilon)
            high = max(p + h, zero) * max(q + h, zero) * half / (max(r - h, zero) + epsilon)
            floor = max(floor, low)
            top = max(top, high)
        tops[first // BLOCK_ROWS], floors[first // BLOCK_ROWS] = top, floor


class Codes:
    """Every row of `vectors` (n, dim), times its `factor` (n,), in 8 bits with a scale of its own.

    |q . v f - scale (q . code)| <= error |q| for every row, rounding included: `error` is the length of what the codes
    lose.
    """

    def __init__(self, vectors: Floats, factor: Floats):
        n, dim = vectors.shape
        self._codes = np.zeros((n, -(-dim // LANE) * LANE), np.int8)
        self._scale = np.empty(n, np.float32)
        self._error = np.empty(n, np.float32)
        piece = max(1, min(PIECE_ROWS, PIECE_NUMBERS // dim))
        for start in range(0, n, piece):
            block = vectors[start : start + piece]
            biggest = np.abs(block).max(axis=1)
            step = np.where(biggest > TINY, biggest, 0) / np.float32(127)
            # in steps, whose squares neither vanish nor overflow whatever the size of a row
            steps = np.divide(block, step[:, None], out=np.zeros_like(block), where=step[:, None] > 0)
            codes = np.rint(steps)
            lengths = np.sqrt(np.einsum("nd,nd->n", steps, steps))
            steps -= codes
            lost = np.sqrt(np.einsum("nd,nd->n", steps, steps))
            rows = slice(start, start + piece)
            self._codes[rows, :dim] = codes
            self._scale[rows] = step * factor[rows]
            error = step * (lost * np.float32(1.001) + np.float32(ROUNDING * dim) * lengths)
            error = np.where(step > 0, error, biggest * np.float32(np.sqrt(dim)))
            self._error[rows] = error * factor[rows]
            release_pages(block)

    def best(self, query: Floats, k: int) -> Ints:
        """The rows that can be among the k best by q . v f, ascending: (candidates,)."""
        query = self._padded(query[None])[0]
        error = self._error
        length = np.float32(np.linalg.norm(query))
        if not 0.999 < length <= 1:
            error = error * length
        return self._reaching(k, _bounds, query, error)

    def best_mul(self, queries: Floats, epsilon: float, k: int) -> Ints:
        """The rows that can be among the k best by 3CosMul with unit queries b, a*, a (3, dim), ascending:
        (candidates,).
        """
        # ((1 + p) / 2) ((1 + q) / 2) / ((1 + r) / 2 + e) = (1 + p) (1 + q) / 2 / (1 + r + 2 e)
        return self._reaching(k, _mul_bounds, self._padded(queries), self._error, np.float32(2 * epsilon))

    def _padded(self, queries: Floats) -> Floats:
        padded = np.zeros((len(queries), self._codes.shape[1]), np.float32)
        padded[:, : queries.shape[1]] = queries
        return padded

    def _reaching(self, k: int, work: Callable[..., None], queries: Floats, error: Floats, *rest: np.float32) -> Ints:
        """The rows of the blocks whose best score can reach the k-th best.

        The best lower end of k blocks is that of k rows: a block whose upper ends are all below the k-th best of them
        holds none of the k best.
        """
        n = len(error)
        tops, floors = np.empty((2, -(-n // BLOCK_ROWS)), np.float32)
        if k > len(floors):
            return np.arange(n)
        _shared(
            lambda start, stop: work(self._codes, self._scale, error, queries, *rest, tops, floors, start, stop),
            n,
            again=True,
        )
        least = np.partition(floors, len(floors) - k)[-k]
        rows = (np.flatnonzero(tops >= least)[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).ravel()
        return rows if rows[-1] < n else rows[rows < n]


@compiled(fastmath=True)
def _mul(  # noqa: PLR0913  a compiled loop, which fills an array that the caller made
    vectors: Floats, inverse: Floats, queries: Floats, epsilon: np.float32, out: Floats, start: int, stop: int
) -> None:
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    for i in range(start, stop, 2):
        k = min(i + 1, stop - 1)
        a, b, c, d, e, f = _three(vectors, i, k, queries)
        s = inverse[i]
        out[i] = max(one + a * s, zero) * max(one + b * s, zero) * half / (max(one + c * s, zero) + epsilon)
        s = inverse[k]
        out[k] = max(one + d * s, zero) * max(one + e * s, zero) * half / (max(one + f * s, zero) + epsilon)


def three_cos_mul(vectors: Floats, inverse: Floats, queries: Floats, epsilon: float) -> Floats:
    """3CosMul of every row (n, dim) with queries b, a*, a (3, dim): (n,). `inverse` (n,) is 1 over each row's
    length.
    """
    out = np.empty(len(vectors), np.float32)
    own = np.ascontiguousarray(queries, np.float32)
    _shared(lambda start, stop: _mul(vectors, inverse, own, np.float32(2 * epsilon), out, start, stop), len(vectors))
    return out
