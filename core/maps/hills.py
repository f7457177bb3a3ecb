"""The hills of the density of points, each with how far it stands out, so that they can be joined."""

from dataclasses import dataclass

import numpy as np

from polysema.core.import_lock import IMPORTING
from polysema.core.space.space import Floats, Ints

CELLS = {2: 192, 3: 48}  # of the grid along the longest axis, by dimensions
TAIL = 0.005  # of the points at each end of an axis lie beyond the grid's own extent, and count at its edge
MIN_SMOOTHING, MAX_SMOOTHING = 1.0, 3.0  # cells; the fewer points, the smoother


@dataclass(frozen=True, slots=True, eq=False)
class Hills:
    """Hills of a density: `of_point` (n,) the hill of each point, -1 for none.

    `saddles` (m, 2) are the pairs of hills that meet, each at the highest place that joins what lies on its two sides,
    and `ratio` (m,) how high that place is, of the lower top of the two, from the highest on.
    """

    of_point: Ints
    saddles: Ints
    ratio: Floats
    count: int

    def joined(self, saddle: float, least: int, island: int) -> Ints:
        """The group of each point, (n,), when hills are joined whose saddle is at least so high, of the lower top.

        Those of fewer than `least` points are joined too. A point is in none, -1, where its hill was in none, or where
        a hill that meets no other has fewer than `island` points.
        """
        inside = self.of_point >= 0
        group = list(range(self.count))
        sizes = np.bincount(self.of_point[inside], minlength=self.count)
        for small in (False, True):
            for (a, b), ratio in zip(self.saddles.tolist(), self.ratio.tolist(), strict=True):
                one, other = root_of(group, a), root_of(group, b)
                if one == other or (ratio < saddle and not (small and min(sizes[one], sizes[other]) < least)):
                    continue
                group[other] = one
                sizes[one] += sizes[other]
        roots = np.array([root_of(group, hill) for hill in range(self.count)], np.int64)
        kept = np.where(sizes[roots] >= island, roots, -1)
        found = np.full(len(self.of_point), -1, np.int64)
        found[inside] = kept[self.of_point[inside]]
        return found


def hills_of(positions: Floats, left_out: float) -> Hills:
    """The hills of points (n, 2 or 3); the share of them where it is least dense is in none."""
    with IMPORTING:
        from scipy.ndimage import gaussian_filter
    n, dim = positions.shape
    cells = _cells(positions)
    shape = tuple(int(cells[:, axis].max()) + 1 for axis in range(dim))
    flat = np.ravel_multi_index(tuple(cells.T), shape)
    counts = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float32)
    smoothing = float(np.clip(24 / np.sqrt(np.sqrt(n)) / 1.6, MIN_SMOOTHING, MAX_SMOOTHING))
    density = gaussian_filter(counts, smoothing, mode="constant").ravel()
    floor = float(np.quantile(density[flat], left_out))
    hill, saddles, ratio, count = _climb(density, shape, max(floor, 1e-12))
    return Hills(hill[flat], saddles, ratio, count)


def _cells(positions: Floats) -> Ints:
    """The cell of each point on a grid (n, 2 or 3), as many along each axis as its extent has of the longest."""
    dim = positions.shape[1]
    low, high = np.quantile(positions, [TAIL, 1 - TAIL], axis=0)
    span = float((high - low).max()) or 1.0
    most = np.maximum(1, np.ceil((high - low) / span * CELLS[dim])).astype(np.int64)
    found: Ints = np.clip(((positions - low) / span * CELLS[dim]).astype(np.int64) + 1, 0, most + 1)
    return found


def _climb(density: Floats, shape: tuple[int, ...], floor: float) -> tuple[Ints, Ints, Floats, int]:
    """The hill of each cell (-1 below the floor), the pairs of hills that meet, how high their saddles are, how many
    hills there are: cells are taken from the highest on, and join the hill of their highest neighbor.
    """
    padded = tuple(side + 2 for side in shape)
    grid = np.zeros(padded, np.float32)
    inner = tuple(slice(1, -1) for _ in shape)
    grid[inner] = density.reshape(shape)
    flat = grid.ravel()
    center = int(np.ravel_multi_index([1] * len(shape), padded))
    offsets: Ints = np.asarray(np.ravel_multi_index(1 + _neighborhood(len(shape)), padded)) - center
    hill = np.full(flat.size, -1, np.int64)
    tops: list[float] = []
    root: list[int] = []
    pairs: list[tuple[int, int]] = []
    ratio: list[float] = []
    above = np.flatnonzero(flat >= floor)
    cells: list[int] = above[np.argsort(-flat[above], kind="stable")].tolist()
    for cell in cells:
        around = cell + offsets[np.argsort(-flat[cell + offsets], kind="stable")]
        met = [number for number in hill[around].tolist() if number >= 0]
        if not met:
            hill[cell] = len(tops)
            root.append(len(tops))
            tops.append(float(flat[cell]))
            continue
        first = met[0]
        hill[cell] = first
        for other in met[1:]:
            one, two = root_of(root, first), root_of(root, other)
            if one != two:
                root[two] = one
                pairs.append((first, other))
                ratio.append(float(flat[cell]) / min(tops[first], tops[other]))
    order = np.argsort(-np.array(ratio, np.float32), kind="stable")
    saddles = np.array(pairs, np.int64).reshape(-1, 2)[order]
    return hill.reshape(padded)[inner].ravel(), saddles, np.array(ratio, np.float32)[order], len(tops)


def root_of(root: list[int], hill: int) -> int:
    """The hill that a hill has been joined to by now."""
    while root[hill] != hill:
        root[hill] = root[root[hill]]
        hill = root[hill]
    return hill


def _neighborhood(dim: int) -> Ints:
    """The steps to a cell's neighbors, diagonal ones too: (dim, 3^dim - 1)."""
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * dim, indexing="ij")).reshape(dim, -1)
    return steps[:, steps.any(axis=0)]
