"""Positions of a map centered, scaled and turned onto others."""

from dataclasses import replace

import numpy as np

from polysema.core.errors import IncompatibleError
from polysema.core.maps.pca import Plane, principal_plane
from polysema.core.progress import Progress
from polysema.core.space.space import Floats


def principal_positions(directions: Floats, n_components: int, progress: Progress) -> tuple[Floats, Plane]:
    """The positions of unit vectors on their principal plane, and the plane, scaled as maps are."""
    plane = principal_plane(directions, n_components, progress)
    size = rms_radius(plane.project(directions))
    plane = replace(plane, axes=plane.axes / np.float32(size))
    return plane.project(directions), plane


def checked_start(init: Floats, n: int, n_components: int) -> Floats:
    """Given positions as float32; raises `IncompatibleError` for another shape, NaN or Inf."""
    start = np.asarray(init, np.float32)
    if start.shape != (n, n_components) or not np.isfinite(start).all():
        raise IncompatibleError(f"init must be ({n}, {n_components}) finite positions; got the shape {start.shape}")
    return start


def rms_radius(positions: Floats) -> float:
    """The root mean square distance from the center; 1 where all points are one."""
    centered = positions - positions.mean(axis=0)
    return float(np.sqrt((centered**2).sum(axis=1).mean())) or 1.0


def scaled_to_unit(positions: Floats) -> Floats:
    """Centered, with a root mean square distance of 1 from the center."""
    found: Floats = ((positions - positions.mean(axis=0)) / np.float32(rms_radius(positions))).astype(np.float32)
    return found


def rotation_onto(positions: Floats, onto: Floats) -> Floats:
    """The rotation or reflection (c, c) that brings positions nearest to others (orthogonal Procrustes)."""
    left, _, right = np.linalg.svd((positions - positions.mean(axis=0)).T @ (onto - onto.mean(axis=0)))
    turn: Floats = left @ right
    return turn


def align(positions: Floats, onto: Floats) -> Floats:
    """`positions` (n, c) turned and mirrored, not stretched, to lie as near as can be to `onto` (orthogonal
    Procrustes).
    """
    found: Floats = ((positions - positions.mean(axis=0)) @ rotation_onto(positions, onto)).astype(np.float32)
    return found
