"""The scores that several cosines make, in one pass over the vectors. Imported only where they are used often."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from polysema.core.space.space import Floats

PIECE = 16_384  # rows that a thread takes at a time
_POOL = ThreadPoolExecutor(2, thread_name_prefix="scores")


@numba.njit(nogil=True, fastmath=True, cache=True)  # type: ignore[misc,unused-ignore]
def _mul(vectors: Any, inverse: Any, queries: Any, epsilon: Any, out: Any, start: Any, stop: Any) -> None:
    dim = vectors.shape[1]
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    for i in range(start, stop - 1, 2):  # two rows at a time keep six sums in registers
        a, b, c = np.float32(0), np.float32(0), np.float32(0)
        d, e, f = np.float32(0), np.float32(0), np.float32(0)
        for j in range(dim):
            x, y = vectors[i, j], vectors[i + 1, j]
            p, q, r = queries[0, j], queries[1, j], queries[2, j]
            a += x * p
            b += x * q
            c += x * r
            d += y * p
            e += y * q
            f += y * r
        s = inverse[i]
        out[i] = max(one + a * s, zero) * max(one + b * s, zero) * half / (max(one + c * s, zero) + epsilon)
        s = inverse[i + 1]
        out[i + 1] = max(one + d * s, zero) * max(one + e * s, zero) * half / (max(one + f * s, zero) + epsilon)
    if (stop - start) % 2:
        a, b, c = np.float32(0), np.float32(0), np.float32(0)
        for j in range(dim):
            x = vectors[stop - 1, j]
            a += x * queries[0, j]
            b += x * queries[1, j]
            c += x * queries[2, j]
        s = inverse[stop - 1]
        out[stop - 1] = max(one + a * s, zero) * max(one + b * s, zero) * half / (max(one + c * s, zero) + epsilon)


def three_cos_mul(
    vectors: Floats, inverse: Floats, queries: Floats, epsilon: float, out: Floats | None = None
) -> Floats:
    """3CosMul of every row (n, dim) with queries b, a*, a (3, dim): (n,). `inverse` (n,) is 1 over each row's length; `out` (n,) is filled where it is given."""
    out = np.empty(len(vectors), np.float32) if out is None else out
    # ((1 + p) / 2) ((1 + q) / 2) / ((1 + r) / 2 + e) = (1 + p) (1 + q) / 2 / (1 + r + 2 e)
    rest: Any = (vectors, inverse, np.ascontiguousarray(queries, np.float32), np.float32(2 * epsilon), out)
    work: Any = _mul
    starts = iter(range(0, len(vectors), PIECE))

    def some() -> None:
        # each takes the next piece: another library's threads may still spin on one of the cores
        for start in starts:
            work(*rest, start, min(start + PIECE, len(vectors)))

    other = _POOL.submit(some)
    some()
    other.result()
    return out
