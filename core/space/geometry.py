"""Planes to draw vectors on."""

from dataclasses import dataclass

import numpy as np

from polysema.core.space.space import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """The plane of the first two principal components: `mean` (dim,), `axes` (2, dim), `explained` (2,) shares."""

    mean: Floats
    axes: Floats
    explained: Floats

    def project(self, vectors: Floats) -> Floats:
        """(n, dim) -> (n, 2). Differences of vectors keep their parallels, so a parallelogram stays one."""
        flat: Floats = ((vectors - self.mean) @ self.axes.T).astype(np.float32)
        return flat


def principal_plane(vectors: Floats) -> Plane:
    """The plane on which the rows of (n, dim), n >= 2, spread most. Each axis points to its largest entry's side."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    _, spread, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    axes, spread = axes[:2], spread**2
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    total = float(spread.sum()) or 1.0
    explained = np.zeros(2)
    explained[: len(axes)] = spread[: len(axes)] / total
    if len(axes) < 2:
        axes = np.vstack([axes, np.zeros((2 - len(axes), vectors.shape[1]))])
    return Plane(mean.astype(np.float32), axes.astype(np.float32), explained.astype(np.float32))
