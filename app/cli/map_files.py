"""The files that a map is written to: its positions as a table or an array, and a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polysema.core.maps.options import axis_names

if TYPE_CHECKING:
    from polysema.app.explorer.results import SpaceMap
    from polysema.core.maps.regions import Regions

MAX_PICTURE_POINTS = 20_000  # points of a picture: more of them hide each other, and the file grows by 50 bytes each
PICTURE_PIXELS = 900


def write_positions(found: SpaceMap, areas: Regions | None, path: Path, form: str) -> None:
    """Write where the points of a map lie: `form` is .csv, .parquet or .npy, which holds the positions alone."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if form == ".npy":
        with path.open("wb") as file:
            np.save(file, found.map.positions, allow_pickle=False)
        return
    names = ["name", *axis_names(found.map.positions.shape[1]), "kept"]
    kept = pa.array(found.kept, mask=np.isnan(found.kept))
    columns = [found.space.keys.array, *(pa.array(axis) for axis in found.map.positions.T.copy()), kept]
    if areas is not None:
        names.append("area")
        columns.append(
            pa.array([areas.names[area] if area >= 0 else None for area in areas.assigned.tolist()], pa.string())
        )
    if found.space.columns is not None:
        for name in found.space.columns.column_names:
            column = found.space.columns.column(name)
            if name in names or pa.types.is_nested(column.type):
                continue
            names.append(name)
            columns.append(column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column)
    table = pa.table(columns, names=names)
    if form == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path)


def drawing_of(found: SpaceMap) -> str:
    """The points of a map as an SVG picture of 900 x 900, by its first two dimensions.

    They are darker where they kept more of their neighbors; of more than 20,000 points as many are drawn, evenly
    spaced.
    """
    import numpy as np

    n = len(found.space)
    rows = (
        np.arange(n) if n <= MAX_PICTURE_POINTS else np.linspace(0, n - 1, MAX_PICTURE_POINTS).round().astype(np.int64)
    )
    xy = found.map.positions[rows, :2].astype(np.float64)
    low, size = xy.min(axis=0), float(np.ptp(xy, axis=0).max()) or 1.0
    xy = 20 + (xy - low) / size * (PICTURE_PIXELS - 40)
    radius = max(1.0, min(4.0, 120 / np.sqrt(len(rows))))
    share = np.nan_to_num(found.kept[rows], nan=1.0)
    points = [
        f'<circle cx="{x:.1f}" cy="{PICTURE_PIXELS - y:.1f}" r="{radius:.1f}" fill-opacity="{0.25 + 0.65 * s:.2f}"/>'
        for (x, y), s in zip(xy.tolist(), share.tolist(), strict=True)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {PICTURE_PIXELS} {PICTURE_PIXELS}" '
        f'width="{PICTURE_PIXELS}" height="{PICTURE_PIXELS}">'
    )
    return "\n".join(
        [head, '<rect width="100%" height="100%" fill="#fff"/>', '<g fill="#0072b2">', *points, "</g>", "</svg>", ""]
    )
