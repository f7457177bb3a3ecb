"""The inner loops of UMAP and densMAP. Imported only where a map is made: numba takes half a second, and its compile
some more.

What is compiled is kept on the disk (`cache=True`), so that it is waited for once an installation.
"""

import numpy as np

from polysema.core.compiled import compiled
from polysema.core.space.array_types import Doubles, Floats, Ints, RandomKeys, SmallInts

MANTISSA = 6  # bits of a squared distance's mantissa that choose the entry of a table: within 0.8 % of it
LOWEST, HIGHEST = -34, 16  # binary exponents of the squared distances that are told apart
MAX_GRADIENT = 4.0  # the most that one pull moves a point by at a learning rate of 1, along each axis

_BASE = (127 + LOWEST) << MANTISSA
_SIZE = (HIGHEST - LOWEST) << MANTISSA
_LEAST, _MOST = np.float32(2.0**LOWEST), np.float32(2.0**HIGHEST * 0.999)


def tables(a: float, b: float) -> tuple[Floats, Floats]:
    """The attraction and repulsion of two points by their squared distance, (entries,) float32 each.

    The gradient's coefficients of McInnes et al. 2018, where a and b are those of 1 / (1 + a d^2b). They are looked up
    by the leading bits of the distance: no power is computed in the loop.
    """
    steps = (np.arange(_SIZE) + 0.5) / (1 << MANTISSA)
    squared = 2.0 ** (LOWEST + np.floor(steps)) * (1 + steps % 1)
    power = a * squared**b
    attraction = -2.0 * b * power / squared / (power + 1)
    repulsion = 2.0 * b / ((0.001 + squared) * (power + 1))
    return attraction.astype(np.float32), repulsion.astype(np.float32)


@compiled(fastmath=True)
def memberships(distances: Floats, sigmas: Doubles, rhos: Doubles, weights: Floats, floor: float) -> None:
    """Fill in each row's `rhos`, `sigmas` (n,) and `weights` (n, k) from the distances to its k nearest others, rising.

    rho is the least distance above 0; sigma makes the sum of the weights exp(-(d - rho) / sigma) log2(k + 1), where
    umap-learn counts the point itself among its neighbors.
    """
    n, k = distances.shape
    target = np.log2(k + 1)
    for i in range(n):
        rho, mean = 0.0, 0.0
        for j in range(k):
            mean += distances[i, j]
            if rho == 0.0 and distances[i, j] > 0.0:
                rho = distances[i, j]
        mean /= k + 1
        low, high, sigma = 0.0, np.inf, 1.0
        for _ in range(64):
            total = 0.0
            for j in range(k):
                d = distances[i, j] - rho
                total += np.exp(-d / sigma) if d > 0 else 1.0
            if abs(total - target) < 1e-5:
                break
            if total > target:
                high = sigma
                sigma = (low + high) / 2
            else:
                low = sigma
                sigma = sigma * 2 if high > 1e300 else (low + high) / 2
        sigma = max(sigma, 1e-3 * (mean if rho > 0 else floor))
        rhos[i], sigmas[i] = rho, sigma
        for j in range(k):
            d = distances[i, j] - rho
            weights[i, j] = np.exp(-d / sigma) if d > 0 and sigma > 0 else 1.0


@compiled(fastmath=True)
def _clipped(value: np.float32) -> np.float32:
    return min(np.float32(MAX_GRADIENT), max(np.float32(-MAX_GRADIENT), value))


@compiled(fastmath=True)
def _entry(squared: np.float32) -> np.signedinteger:
    bits = np.float32(min(_MOST, max(_LEAST, squared))).view(np.int32)
    return (bits >> (23 - MANTISSA)) - _BASE


@compiled(fastmath=True)
def _row(ranges: Ints, place: int | np.int64) -> np.int64:
    size = ranges[1] - ranges[0]
    row: np.int64 = ranges[0] + place if place < size else ranges[2] + place - size
    return row


@compiled(fastmath=True)
def epoch(  # noqa: C901, PLR0913  one compiled loop: what it reads and moves are arrays that the caller made
    mine: Floats,
    others: Floats,
    moved: Ints,
    pushing: Ints,
    first: Ints,
    neighbors: SmallInts,
    every: Floats,
    due: Floats,
    keys: RandomKeys,
    attraction: Floats,
    repulsion: Floats,
    now: float,
    turn: int,
    alpha: float,
    both: bool,
    rate: int,
    b: float,
    weight: Floats,
    radii: Floats,
    phi_sums: Floats,
) -> None:
    """One epoch: points of `mine` (m, 2 or 3) move by the pulls of their neighbors and the pushes of other points.

    The neighbors are rows of `others` (n, 2 or 3), which may be the same array; with `both`, they are moved as well.
    The points moved are those of two ranges, `moved` (4,): start, end, start, end; of `pushing` (4,), ranges of
    `others`, are those who push. The edges of the i-th point moved are `first[i]` to `first[i + 1]` of `neighbors`; an
    edge is drawn once in `every` epochs, next when it is `due`, each time with `rate` random others (negative samples)
    from a sequence that only the point's key and `turn` decide.

    With `weight` (n,), else empty, densMAP's term is added: each drawn edge is also lengthened or shortened for its
    ends' radii. It is how much the objective gains as a point's log radius grows, its factor included; `radii` and
    `phi_sums` are those of `log_radii`. `every` is proportional to the inverse of an edge's weight, as the term is.
    """
    dim = mine.shape[1]
    n_moved = moved[1] - moved[0] + moved[3] - moved[2]
    n_pushing = np.uint64(pushing[1] - pushing[0] + pushing[3] - pushing[2])
    dense = len(weight) > 0
    z, dz = np.float32(0), np.float32(0)
    step = np.float32(alpha)
    for place in range(n_moved):
        if first[place] == first[place + 1]:
            continue
        i = _row(moved, place)
        x, y = mine[i, 0], mine[i, 1]
        if dim == 3:
            z = mine[i, 2]
        state = (keys[i] + np.uint64(turn)) * np.uint64(0x9E3779B97F4A7C15)
        state ^= state >> np.uint64(29)
        for e in range(first[place], first[place + 1]):
            if due[e] > now:
                continue
            due[e] += every[e]
            j = neighbors[e]
            dx, dy = x - others[j, 0], y - others[j, 1]
            if dim == 3:
                dz = z - others[j, 2]
            squared = dx * dx + dy * dy + dz * dz
            c = attraction[_entry(squared)]
            gx, gy, gz = _clipped(c * dx), _clipped(c * dy), _clipped(c * dz)
            if dense:
                phi = 1.0 + c * squared / (2.0 * b)
                shrink = 1.0 - b * (1.0 - phi)
                grow = -c / 2.0  # a b d^2(b - 1) / (1 + a d^2b)
                theirs = phi / phi_sums[j] * (shrink * np.exp(-radii[j]) + grow)
                own = phi / phi_sums[i] * (shrink * np.exp(-radii[i]) + grow)
                term = np.float32(2.0 * every[e] * (weight[j] * theirs + weight[i] * own))
                gx, gy, gz = gx + _clipped(term * dx), gy + _clipped(term * dy), gz + _clipped(term * dz)
            gx, gy, gz = step * gx, step * gy, step * gz
            x, y, z = x + gx, y + gy, z + gz
            if both:
                others[j, 0] -= gx
                others[j, 1] -= gy
                if dim == 3:
                    others[j, 2] -= gz
            for _ in range(rate):
                state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                k = _row(pushing, np.int64(((state >> np.uint64(32)) * n_pushing) >> np.uint64(32)))
                if both and k == i:
                    continue
                dx, dy = x - others[k, 0], y - others[k, 1]
                if dim == 3:
                    dz = z - others[k, 2]
                squared = dx * dx + dy * dy + dz * dz
                c = repulsion[_entry(squared)]
                x += step * _clipped(c * dx)
                y += step * _clipped(c * dy)
                if dim == 3:
                    z += step * _clipped(c * dz)
        mine[i, 0], mine[i, 1] = x, y
        if dim == 3:
            mine[i, 2] = z


@compiled(fastmath=True)
def wide_epoch(  # noqa: C901, PLR0913  one compiled loop: what it reads and moves are arrays that the caller made
    mine: Floats,
    others: Floats,
    moved: Ints,
    pushing: Ints,
    first: Ints,
    neighbors: SmallInts,
    every: Floats,
    due: Floats,
    keys: RandomKeys,
    attraction: Floats,
    repulsion: Floats,
    now: float,
    turn: int,
    alpha: float,
    both: bool,
    rate: int,
    b: float,
    weight: Floats,
    radii: Floats,
    phi_sums: Floats,
) -> None:
    """One epoch of points (m, dim) of more than three dimensions, by the arguments and steps of `epoch`."""
    dim = mine.shape[1]
    n_moved = moved[1] - moved[0] + moved[3] - moved[2]
    n_pushing = np.uint64(pushing[1] - pushing[0] + pushing[3] - pushing[2])
    dense = len(weight) > 0
    step = np.float32(alpha)
    for place in range(n_moved):
        if first[place] == first[place + 1]:
            continue
        i = _row(moved, place)
        state = (keys[i] + np.uint64(turn)) * np.uint64(0x9E3779B97F4A7C15)
        state ^= state >> np.uint64(29)
        for e in range(first[place], first[place + 1]):
            if due[e] > now:
                continue
            due[e] += every[e]
            j = neighbors[e]
            squared = np.float32(0)
            for d in range(dim):
                squared += (mine[i, d] - others[j, d]) ** 2
            c = attraction[_entry(squared)]
            term = np.float32(0)
            if dense:
                phi = 1.0 + c * squared / (2.0 * b)
                shrink = 1.0 - b * (1.0 - phi)
                grow = -c / 2.0  # a b d^2(b - 1) / (1 + a d^2b)
                theirs = phi / phi_sums[j] * (shrink * np.exp(-radii[j]) + grow)
                own = phi / phi_sums[i] * (shrink * np.exp(-radii[i]) + grow)
                term = np.float32(2.0 * every[e] * (weight[j] * theirs + weight[i] * own))
            for d in range(dim):
                apart = mine[i, d] - others[j, d]
                pull = _clipped(c * apart)
                if dense:
                    pull += _clipped(term * apart)
                pull *= step
                mine[i, d] += pull
                if both:
                    others[j, d] -= pull
            for _ in range(rate):
                state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                k = _row(pushing, np.int64(((state >> np.uint64(32)) * n_pushing) >> np.uint64(32)))
                if both and k == i:
                    continue
                squared = np.float32(0)
                for d in range(dim):
                    squared += (mine[i, d] - others[k, d]) ** 2
                c = repulsion[_entry(squared)]
                for d in range(dim):
                    mine[i, d] += step * _clipped(c * (mine[i, d] - others[k, d]))


@compiled(fastmath=True)
def log_radii(  # noqa: PLR0913  a compiled loop, which fills arrays that the caller made
    positions: Floats,
    first: Ints,
    neighbors: SmallInts,
    attraction: Floats,
    b: float,
    radii: Floats,
    phi_sums: Floats,
) -> None:
    """Fill in each point's log of its local radius on the map, `radii` (n,), and the sum of its edges' phi, `phi_sums`
    (n,).

    The radius of Narayan et al. 2021 is the mean of the squared lengths of a point's edges, weighed by
    phi = 1 / (1 + a d^2b). As in umap-learn both ends of a directed edge count it.
    """
    n, dim = positions.shape
    radii[:] = 0
    phi_sums[:] = 0
    for i in range(n):
        for e in range(first[i], first[i + 1]):
            j = neighbors[e]
            squared = np.float32(0)
            for d in range(dim):
                squared += (positions[i, d] - positions[j, d]) ** 2
            phi = 1.0 + attraction[_entry(squared)] * squared / (2.0 * b)
            radii[i] += phi * squared
            radii[j] += phi * squared
            phi_sums[i] += phi
            phi_sums[j] += phi
    for i in range(n):
        radii[i] = np.log(1e-8 + radii[i] / phi_sums[i]) if phi_sums[i] > 0 else np.log(1e-8)
