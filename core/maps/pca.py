"""Planes to draw vectors on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats

BLOCK_ROWS = 65_536  # rows whose covariance is summed at a time


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """The plane, or space of c dimensions, of the first principal components.

    `mean` (dim,), `axes` (c, dim), and `explained` (c,), each axis's share of the variance.
    """

    mean: Floats
    axes: Floats
    explained: Floats

    def project(self, vectors: Floats) -> Floats:
        """(n, dim) -> (n, c). Differences of vectors keep their parallels, so a parallelogram stays one."""
        flat: Floats = ((vectors - self.mean) @ self.axes.T).astype(np.float32)
        return flat


def principal_plane(vectors: Floats, n_components: int = 2, progress: Progress = no_progress) -> Plane:
    """The plane on which the rows of (n, dim), n >= 1, spread most. Each axis points to its largest entry's side.

    What `progress` (rows done, and of how many) raises ends the work.
    """
    mean = _mean(vectors, progress)
    spread, axes = (
        _by_covariance(vectors, mean, progress) if len(vectors) > 4 * vectors.shape[1] else _by_svd(vectors, mean)
    )
    total = float(spread.sum()) or 1.0
    axes = (
        axes[:n_components]
        * np.sign(axes[np.arange(n := min(n_components, len(axes))), np.abs(axes[:n]).argmax(axis=1)])[:, None]
    )
    explained = np.zeros(n_components)
    explained[:n] = spread[:n] / total
    if n < n_components:
        axes = np.vstack([axes, np.zeros((n_components - n, vectors.shape[1]))])
    return Plane(mean.astype(np.float32), axes.astype(np.float32), explained.astype(np.float32))


def _by_svd(vectors: Floats, mean: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    _, spread, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    return spread**2, axes


def _mean(vectors: Floats, progress: Progress) -> npt.NDArray[np.float64]:
    total = np.zeros(vectors.shape[1])
    for start in range(0, len(vectors), BLOCK_ROWS):
        if start:  # few rows are done before anybody could look
            progress("lay out", start, 2 * len(vectors))
        total += vectors[start : start + BLOCK_ROWS].sum(axis=0, dtype=np.float64)
    return total / len(vectors)


def _by_covariance(
    vectors: Floats, mean: npt.NDArray[np.float64], progress: Progress
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The same from the (dim, dim) covariance: for many rows in a small part of the time."""
    center = mean.astype(np.float32)
    total = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, len(vectors), BLOCK_ROWS):
        if start:
            progress("lay out", len(vectors) + start, 2 * len(vectors))
        block = vectors[start : start + BLOCK_ROWS] - center
        total += block.T @ block
    spread, axes = np.linalg.eigh(total)
    return np.maximum(spread[::-1], 0), np.ascontiguousarray(axes[:, ::-1].T)
