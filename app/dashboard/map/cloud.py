"""The page Map: the points as they are drawn, and their colors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from polysema.app.dashboard import point_colors, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.components.point_store import publish
from polysema.app.dashboard.components.points import Points, PublishedCloud
from polysema.app.dashboard.components.scatter import AreaLabels
from polysema.app.dashboard.decorators import cached_resource
from polysema.app.dashboard.map.controls import MAP_NEIGHBORS, MapQuestion
from polysema.app.dashboard.map.inspector import MAX_NAMED
from polysema.app.dashboard.own_points import PlacedPoint
from polysema.app.dashboard.sharing.map_plot import area_labels
from polysema.app.explorer.results import SpaceMap
from polysema.core.maps import regions
from polysema.core.space.label_search import titles_of


@dataclass(frozen=True, slots=True, eq=False)
class MapColors:
    """How the points are colored and by what, which of them bear names, and the areas where they are known."""

    how: point_colors.PointColors
    by: str
    named: list[int]
    areas: regions.Regions | None

    @property
    def labels(self) -> AreaLabels | None:
        """The names of the areas of each level, for the plot."""
        return area_labels(self.areas)


def colors(found: SpaceMap, query: MapQuestion, whole: bool) -> MapColors:
    """How the points are colored, which of them bear names, and the areas."""
    n = len(found.space)
    columns = point_colors.choices(found.space)
    names = [point_colors.AREAS, point_colors.ORDER, point_colors.KEPT, *columns]
    by = st.container(width=170).selectbox(
        "Color",
        names,
        key="mcolor",
        bind="query-params",
        help="Areas: where points lie densely (HDBSCAN on the map), named by their most typical. Order: files of "
        "vectors list frequent "
        "words first. Neighbors kept: how far to trust the map at each point. Or a column of the space.",
    )
    grouped: regions.Regions | None = None
    if whole:
        grouped = work.answer(
            ("areas", *query.key), lambda progress: widgets.explorer().maps.areas(found, progress=progress)
        )
    named = [] if grouped is not None and len(grouped.names) else list(range(min(n, MAX_NAMED)))
    return MapColors(_how(by, found, grouped, whole), by, named, grouped)


def _how(by: str, found: SpaceMap, grouped: regions.Regions | None, whole: bool) -> point_colors.PointColors:
    n = len(found.space)
    if by == point_colors.AREAS and grouped is not None and len(grouped.names):
        return point_colors.by_areas(grouped)
    if by == point_colors.ORDER:
        return point_colors.by_order(n)
    if by == point_colors.KEPT and whole:
        return point_colors.by_kept(found.kept, MAP_NEIGHBORS)
    if by in point_colors.choices(found.space) and found.space.columns is not None:
        return point_colors.by_choice(found.space, by)
    return point_colors.plain(n)


@cached_resource(16)
def cloud(
    key: tuple[object, ...], _found: SpaceMap, _how: point_colors.PointColors, _placed: Sequence[PlacedPoint]
) -> PublishedCloud:
    """The points under that key, checked and ready for browsers; the user's own come last."""
    more, n = len(_placed), len(_found.space)
    details, marks = point_colors.sentences_of(_found.space)
    category = _how.category
    categories = list(_how.categories)
    values = _how.values
    if more:
        category = np.concatenate([category, np.full(more, len(categories))])
        categories.append("placed by you")
        details = None if details is None else [*details, *[""] * more]
        marks = None if marks is None else [*marks, *[(0, 0)] * more]
        values = None if values is None else np.concatenate([values, np.full(more, np.median(values))])
    return publish(
        Points(
            positions=np.concatenate([_found.map.positions, *[one.position[None] for one in _placed]]),
            labels=[*titles_of(_found.space).to_pylist(), *[one.text for one in _placed]],
            categories=categories,
            category=category,
            details=details,
            marks=marks,
            values=values,
            value_name=_how.value_name,
            shapes=np.concatenate([np.zeros(n, np.int64), np.ones(more, np.int64)]) if more else None,
        )
    )


def names_of(own: Sequence[PlacedPoint]) -> tuple[str, ...]:
    """What was written for the user's own points."""
    return tuple(one.text for one in own)
