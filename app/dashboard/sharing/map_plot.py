"""A map as a plot that comes whole: its areas, and every column that can color it."""

import numpy as np

from polysema.app.dashboard import point_colors
from polysema.app.dashboard.components.plot_options import AreaLabels, PlotMarks, PlotOptions, PlotSearchBox
from polysema.app.dashboard.components.points import Points
from polysema.app.dashboard.components.whole_plot import WholePlot, whole_plot
from polysema.app.dashboard.point_colors import PointColors
from polysema.app.explorer.results import SpaceMap
from polysema.core.errors import UserError
from polysema.core.maps.regions import Regions
from polysema.core.space.label_search import titles_of

MAX_COLORINGS = 24
MAX_NAMED_POINTS = 24


def map_plot(found: SpaceMap, areas: Regions | None, color: str = "", height: int = 560) -> WholePlot:
    """The map with its areas, in all its colors.

    Args:
        found: The map.
        areas: Its areas, as `Explorer.maps.areas` finds them; None leaves them out.
        color: What it is colored by at first: a column, or another of `colorings_of`; empty for the areas, or the first
            column.
        height: Of the plot in pixels, at least.

    Returns:
        The plot; its colorings have the chosen one first.

    Raises:
        UserError: There is no such column.
    """
    space = found.space
    named = colorings_of(found, areas)
    if color and color not in [point_colors.AREAS, *(name for name, _ in named)]:  # a map may have no areas
        raise UserError(f"color must be one of {', '.join(name for name, _ in named)}, not {color!r}")
    named.sort(key=lambda one: one[0] != color)
    details, marks = point_colors.sentences_of(space)
    labels = titles_of(space).to_pylist()
    points = [
        (
            name,
            Points(
                found.map.positions,
                labels,
                colors.categories,
                colors.category,
                details=details,
                marks=marks,
                values=colors.values,
                value_name=colors.value_name,
            ),
        )
        for name, colors in named[:MAX_COLORINGS]
    ]
    n = len(space)
    return whole_plot(
        points,
        alt=f"Map of {n:,} rows of {space.name} by {found.map.method}",
        marks=PlotMarks(
            areas=area_labels(areas),
            label_rows=() if areas is not None and len(areas.names) else range(min(n, MAX_NAMED_POINTS)),
        ),
        options=PlotOptions(height=height, search=PlotSearchBox("Find a word or text")),
    )


def colorings_of(found: SpaceMap, areas: Regions | None) -> list[tuple[str, PointColors]]:
    """What the points can be colored by: areas, columns, order, and the neighbors that the map kept."""
    space = found.space
    made: list[tuple[str, PointColors]] = []
    if areas is not None and len(areas.names):
        made.append((point_colors.AREAS, point_colors.by_areas(areas)))
    made += [(name, point_colors.by_choice(space, name)) for name in point_colors.choices(space)]
    made.append((point_colors.ORDER, point_colors.by_order(len(space))))
    if np.isfinite(found.kept).all():
        k = found.distortion.k if found.distortion is not None else 10
        made.append((point_colors.KEPT, point_colors.by_kept(found.kept, k)))
    return made


def area_labels(areas: Regions | None) -> AreaLabels | None:
    """The names of the areas of each level, for the plot."""
    if areas is None:
        return None
    return AreaLabels(
        [place for level in areas.levels for place in level.centers.tolist()],
        [number for number, level in enumerate(areas.levels) for _ in level.names],
        [name for level in areas.levels for name in level.names],
    )
