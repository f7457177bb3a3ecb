"""A space seen otherwise: centered, without its top components, whitened, or without a direction."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from polysema.core.errors import UserError
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Space

BLOCK_ROWS = 16_384
MAPPED_BYTES = 64 << 20
LEAST_VARIANCE = 1e-6  # of the largest: a direction without spread is left out, not blown up

NAMES = ("raw", "centered", "all-but-the-top", "whitened")
EARLIER_NAMES = {"centred": "centered"}


@dataclass(frozen=True, slots=True, eq=False)
class Transform:
    """An affine map: x -> (x - `mean`) @ `matrix`, with `mean` (dim,) and `matrix` (dim, dim); `name` goes into the
    Origin.
    """

    name: str
    mean: Floats
    matrix: Floats

    def apply(self, vectors: Floats) -> Floats:
        """(n, dim) -> (n, dim)."""
        moved = (np.asarray(vectors, np.float32) - self.mean) @ self.matrix
        return moved.astype(np.float32, copy=False)

    def then(self, other: "Transform") -> "Transform":
        """This one, and the other after it."""
        # ((x - m) M - p) P = (x - m) M P - p P, so the constant part goes last and stays exact
        return _Chain(f"{self.name}, {other.name}", self.mean, self.matrix, (self, other))


@dataclass(frozen=True, slots=True, eq=False)
class _Chain(Transform):
    parts: tuple[Transform, ...] = ()

    def apply(self, vectors: Floats) -> Floats:
        for part in self.parts:
            vectors = part.apply(vectors)
        return vectors


def moments(space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Mean (dim,) and covariance (dim, dim) of all rows in float64, read a block at a time."""
    total = np.zeros(space.dim)
    products = np.zeros((space.dim, space.dim))
    for start in range(0, len(space), BLOCK_ROWS):
        total += np.asarray(space.vectors[start : start + BLOCK_ROWS], np.float64).sum(axis=0)
    mean = total / len(space)
    for start in range(0, len(space), BLOCK_ROWS):
        apart = np.asarray(space.vectors[start : start + BLOCK_ROWS], np.float64) - mean
        products += apart.T @ apart
    return mean, products / len(space)


def fit(space: Space, name: str) -> Transform:
    """The transform of that name, fitted on all rows of the space.

    `centered` takes the mean off. `all-but-the-top` (Mu and Viswanath 2018) takes off the mean and the dim/100 first
    principal components (at least one); `all-but-the-top:3` says how many. `whitened` makes every principal component's
    variance 1 (and turns back to the old axes: ZCA). Raises `UserError` for another name.
    """
    kind, _, count = name.partition(":")
    kind = EARLIER_NAMES.get(kind, kind)
    if kind == "raw":
        return Transform("raw", np.zeros(space.dim, np.float32), np.eye(space.dim, dtype=np.float32))
    if kind not in NAMES or (count and (kind != "all-but-the-top" or not count.isdigit())):
        raise UserError(
            f"transform {name!r} does not exist; choose one of {', '.join(NAMES)} (all-but-the-top:3 for three)"
        )
    mean, covariance = moments(space)
    matrix = np.eye(space.dim)
    if kind != "centered":
        variances, axes = np.linalg.eigh(covariance)  # ascending; axes (dim, dim), a column each
        if kind == "whitened":
            wide = variances > LEAST_VARIANCE * variances[-1]
            if not wide.any() or variances[-1] <= 0:
                raise UserError(f"{space.name} can't be whitened: its vectors are all the same")
            matrix = (axes[:, wide] / np.sqrt(variances[wide])) @ axes[:, wide].T
        else:
            top = int(count) if count else max(1, round(space.dim / 100))
            if not 1 <= top < space.dim:
                raise UserError(f"all-but-the-top takes off 1 to {space.dim - 1} components here; got {top}")
            kind = f"all-but-the-top:{top}"
            matrix = matrix - axes[:, -top:] @ axes[:, -top:].T
    return Transform(kind, mean.astype(np.float32), matrix.astype(np.float32))


def without(directions: Floats, name: str) -> Transform:
    """The transform that takes directions, (m, dim), out of every vector: what is left is orthogonal to all of them.

    This is the neutralizing step of Bolukbasi et al. (2016), for every word.
    """
    directions = np.atleast_2d(np.asarray(directions, np.float64))
    basis, spread, _ = np.linalg.svd(directions.T, full_matrices=False)
    basis = basis[:, spread > 1e-6 * max(spread[0], 1e-30)]  # (dim, rank)
    if basis.shape[1] == 0 or not spread[0] > 0:
        raise UserError(f"{name}: the direction is zero, so there is nothing to take out")
    dim = directions.shape[1]
    return Transform(name, np.zeros(dim, np.float32), (np.eye(dim) - basis @ basis.T).astype(np.float32))


def view(space: Space, transform: Transform, mapped_bytes: int = MAPPED_BYTES) -> Space:
    """The space as the transform shows it; its Origin says so. One of more than `mapped_bytes` is kept in a mapped
    temporary file.
    """
    if transform.name == "raw":
        return space
    message = transform.name if space.origin.transform == "raw" else f"{space.origin.transform}, {transform.name}"
    shape = space.vectors.shape
    if space.vectors.nbytes > mapped_bytes:
        folder = Path(tempfile.mkdtemp(prefix="polysema-"))
        out = np.memmap(folder / "vectors", np.float32, "w+", shape=shape)
    else:
        folder, out = None, np.empty(shape, np.float32)  # type: ignore[assignment]
    for start in range(0, len(space), BLOCK_ROWS):
        out[start : start + BLOCK_ROWS] = transform.apply(np.asarray(space.vectors[start : start + BLOCK_ROWS]))
    made = replace(space, vectors=out, origin=replace(space.origin, transform=message))
    if folder is not None:
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def named_direction(vector: Floats, start: str, end: str) -> Floats:
    """The vector from `start` to `end` scaled to length 1, (dim,); raises `UserError` when the two ends are the same
    point.
    """
    length = float(np.linalg.norm(vector))
    if not length > 1e-6:
        raise UserError(f"{start!r} and {end!r} are the same point: there is no direction between them")
    scaled: Floats = (vector / length).astype(np.float32)
    return scaled


def project(vectors: Floats, axes: Sequence[Floats]) -> Floats:
    """Cosine of each of `vectors` (n, dim) with each of the unit `axes` (m of (dim,)): (n, m)."""
    places: Floats = unit(np.ascontiguousarray(vectors)) @ np.stack(axes).T
    return places
