"""A plot with all its points and several ways to color them, for a file of its own or a notebook.

`scatter/whole_plot.js` is the other side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polysema.app.dashboard.components.plot_options import PlotMarks, PlotOptions
from polysema.app.dashboard.components.plot_payload import _behavior, _payload
from polysema.app.dashboard.components.points import Points, PublishedCloud, check


@dataclass(frozen=True, slots=True, eq=False)
class WholePlot:
    """What a browser needs to draw a plot without a server.

    Attributes:
        file: What the plot is, in plain values: shared `data`, the `layout` of `columns`, the `colorings`.
        columns: The numeric columns one after the other, little-endian: positions first.
        texts: `labels`, `details` and `marks`, a row each; the latter two may be None.
    """

    file: dict[str, Any]
    columns: bytes
    texts: dict[str, Any]


def whole_plot(
    colorings: Sequence[tuple[str, Points]],
    *,
    alt: str,
    marks: PlotMarks,
    options: PlotOptions,
) -> WholePlot:
    """The same points in one or more colorings.

    Args:
        colorings: A name and the points each; they differ in categories and values only.
        alt: Says in words what the plot shows.
        marks: What is drawn beside the points.
        options: How the plot behaves.

    Returns:
        The plot.

    Raises:
        ValueError: The arguments don't fit each other.
    """
    clouds = [(name, check(points)) for name, points in colorings]
    first = clouds[0][1]
    data = _payload(first, marks, key="map", alt=alt, height=options.height, inline=False)
    data = {name: value for name, value in data.items() if name not in ("texts", "layout", "hasDetails")}
    data |= _behavior(options) | {
        "command": 0,
        "selected": {"rows": []},
        "view": None,
        "attempt": 0,
        "maxRows": first.count,
    }
    layout, body = _joined(clouds)
    described = [
        {
            "name": name,
            "version": cloud.version,
            "categories": list(cloud.categories),
            "valueName": cloud.value_name,
            "category": f"{place} category",
            "value": f"{place} value" if cloud.column("value") is not None else None,
        }
        for place, (name, cloud) in enumerate(clouds)
    ]
    texts = {
        "labels": first.labels.to_pylist(),
        "details": None if first.details is None else first.details.to_pylist(),
        "marks": None if first.marks is None else first.marks.tolist(),
    }
    return WholePlot({"data": data, "layout": layout, "colorings": described}, body, texts)


def _joined(clouds: Sequence[tuple[str, PublishedCloud]]) -> tuple[list[list[str | int]], bytes]:
    """The layout and the bytes of all columns: the positions once, the rest of each coloring under its number."""
    parts: dict[str, list[tuple[str, bytes, int]]] = {"f4": [], "u2": [], "u1": []}
    for place, (_, cloud) in enumerate(clouds):
        for column, kind, body, length in _own_columns(cloud, with_positions=place == 0):
            parts[kind].append((column if column == "position" else f"{place} {column}", body, length))
    # the wide ones first, so that each begins at a multiple of its width
    found = [(column, kind, length, body) for kind, part in parts.items() for column, body, length in part]
    return [[column, kind, length] for column, kind, length, _ in found], b"".join(body for *_, body in found)


def _own_columns(cloud: PublishedCloud, with_positions: bool) -> list[tuple[str, str, bytes, int]]:
    """Name, kind, bytes and length of the columns of a cloud that a coloring has for itself."""
    found = []
    for name, kind, length in cloud.layout:
        if name == "shape" or (name == "position" and not with_positions):
            continue
        values = cloud.column(name)
        assert values is not None
        found.append((name, kind, np.ascontiguousarray(values).tobytes(), length))
    return found
