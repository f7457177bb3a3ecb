"""What is selected in a scatter plot, and how it is read from the browser's state, which can hold anything."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from polysema.app.dashboard.components.point_columns import MAX_SELECTED_ROWS
from polysema.app.dashboard.components.points import PublishedCloud

__all__ = [
    "MAX_SELECTED_ROWS",
    "NO_SELECTION",
    "By",
    "Region",
    "Selection",
    "View",
    "read_view",
    "rows_inside",
    "write_view",
]
MAX_CORNERS = 256
"""Most corners of a region."""
CHUNK_ROWS = 100_000
"""Points that are tested against a region at once."""
By = Literal["click", "lasso", "box", "legend", "key", "python", ""]
View = tuple[float, ...]
"""Where the camera is: `(x, y, zoom)` in 2-D, `(x, y, z, zoom, yaw, pitch)` in 3-D. The place in the middle is in the
units of the positions, zoom 1 shows all points, angles are in radians."""
VIEW_LENGTHS = {2: 3, 3: 6}


@dataclass(frozen=True, slots=True)
class Region:
    """A lasso or a box on the picture in which it was drawn.

    Attributes:
        corners: Of a polygon in clip coordinates: -1 to 1 from left to right and from bottom to top of the plot.
        matrix: 4x4, column by column: from world to clip coordinates.
        center: Of the world in the units of the positions, one number for each axis.
        scale: World units for one unit of the positions.
        near: Smallest distance from the camera, in world units; 0 in 2-D.
        category: Only its points were meant; -1 for all.
    """

    corners: tuple[tuple[float, float], ...]
    matrix: tuple[float, ...]
    center: tuple[float, ...]
    scale: float
    near: float
    category: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected in a plot, and where its camera is.

    Attributes:
        rows: All selected rows in ascending order, however many; empty when none.
        count: How many they are.
        by: How they were selected: "click", "lasso", "box", "legend", "key" (Enter on a point that was stepped to),
            "python" (from the argument `selected`), or "" for no selection. Undo brings the former word back.
        clicked: The one row that was clicked, tapped or entered: a page may take it as the wish to search for it.
        view: The camera as the argument `view` takes it back, or None while it shows all points.
        region: The lasso or the box when there is one and it was drawn on these very points; none in a group.
        at: When the browser selected, by its clock: the same number is the same act, which a page takes once.
    """

    rows: tuple[int, ...]
    count: int
    by: By = ""
    clicked: int | None = None
    view: View | None = None
    region: Region | None = None
    at: float = field(default=0.0, compare=False)


NO_SELECTION = Selection(rows=(), count=0)


def write_view(view: View | None) -> str:
    """A view as a short text for a link, empty for none."""
    return "" if view is None else "_".join(f"{number:.7g}" for number in view)


def read_view(text: str, dim: int = 2) -> View | None:
    """The view that a link holds, or None when the text is no view of a plot with `dim` axes."""
    try:
        return camera_of([float(part) for part in text.split("_")], dim)
    except ValueError:
        return None


def rows_inside(cloud: PublishedCloud, region: Region, chunk_rows: int = CHUNK_ROWS) -> NDArray[np.int64]:
    """Rows of the points inside a region, ascending; `chunk_rows` are looked at together.

    The same operations on the same numbers in the same order as `rowsInside` in region.js, so that both find the very
    same rows: world coordinates are rounded to float32, all else is float64; even-odd rule.
    """
    center, matrix = np.asarray(region.center), region.matrix
    corners = np.asarray(region.corners)
    found = []
    for start in range(0, cloud.count, chunk_rows):
        part = cloud.positions[start : start + chunk_rows].astype(np.float64)
        world = np.zeros((len(part), 3))
        world[:, : cloud.dim] = ((part - center) * region.scale).astype(np.float32)
        x, y, z = world.T
        with np.errstate(all="ignore"):
            w = matrix[3] * x + matrix[7] * y + matrix[11] * z + matrix[15]
            across = (matrix[0] * x + matrix[4] * y + matrix[8] * z + matrix[12]) / w
            up = (matrix[1] * x + matrix[5] * y + matrix[9] * z + matrix[13]) / w
        near = w > region.near
        (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
        within = near & (across >= left) & (across <= right) & (up >= low) & (up <= high)
        if region.category >= 0:
            within &= cloud.category[start : start + chunk_rows] == region.category
        rows = np.flatnonzero(within)
        found.append(start + rows[_inside_polygon(across[rows], up[rows], corners)])
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _inside_polygon(x: NDArray[np.float64], y: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which places `(n,)` lie in a polygon `(c, 2)`. An edge looks only at the places at its own height."""
    order = np.argsort(y, kind="stable")
    x, y = x[order], y[order]
    within = np.zeros(len(x), np.bool_)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        start, end = np.searchsorted(y, [min(ay, by), max(ay, by)], side="left")
        if start < end:
            within[start:end] ^= x[start:end] < ((bx - ax) * (y[start:end] - ay)) / (by - ay) + ax
    unsorted = np.empty_like(within)
    unsorted[order] = within
    return unsorted


def checked_view(view: Sequence[float] | None, dim: int) -> list[float] | None:
    """The argument `view` as a list, or None for one of another kind of plot: a link may hold that."""
    if view is None:
        return None
    found = camera_of([float(number) for number in view], dim)
    return None if found is None else list(found)


def camera_of(value: object, dim: int) -> View | None:
    """A camera for so many axes, or None when the value is none."""
    try:
        view = finite_numbers(value, VIEW_LENGTHS[dim])
    except (ValueError, OverflowError):
        return None
    return view if view[dim] > 0 else None


def finite_numbers(value: object, length: int) -> tuple[float, ...]:
    """So many finite numbers. ValueError for anything else."""
    if not isinstance(value, list | tuple) or len(value) != length:
        raise ValueError("numbers")
    if any(type(number) not in (int, float) or not math.isfinite(number) or abs(number) > 1e30 for number in value):
        raise ValueError("numbers")
    return tuple(float(number) for number in value)
