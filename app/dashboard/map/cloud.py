"""The page Map: the points as they are drawn, and their colors."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import streamlit as st

from polysema.app.dashboard import point_colors
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.components.points import Points, PublishedCloud, publish
from polysema.app.dashboard.map.controls import MAP_NEIGHBORS, MapQuestion
from polysema.app.dashboard.map.inspector import MAX_NAMED
from polysema.app.dashboard.own_points import PlacedPoint
from polysema.app.explorer.results import SpaceMap
from polysema.core.maps import regions
from polysema.core.progress import Progress
from polysema.core.space.label_search import labels_of
from polysema.core.space.space import Floats


def colors(found: SpaceMap, query: MapQuestion, whole: bool) -> tuple[point_colors.PointColors, list[int], str]:
    """How the points are colored, which of them bear names, and by what."""
    n = len(found.space)
    columns = point_colors.choices(found.space)
    shown = [point_colors.AREAS] if query.n <= regions.MAX_REGIONS else []
    names = [*shown, point_colors.ORDER, point_colors.KEPT, *columns]
    by = st.selectbox(
        "Color",
        names,
        key="mcolor",
        bind="query-params",
        help="Areas: where points lie densely (HDBSCAN on the map), named by their most typical. Order: files of "
        "vectors list frequent "
        "words first. Neighbors kept: how far to trust the map at each point. Or a column of the space.",
    )
    first = list(range(min(n, MAX_NAMED)))
    if by == point_colors.AREAS and whole:
        key = ("areas", *query.key)
        positions, vectors, labels = found.map.positions, found.space.vectors, labels_of(found.space)
        grouped: regions.Regions | None = work.answer(
            key, lambda progress: _areas(progress, positions, vectors, labels)
        )
        if grouped is not None and len(grouped.names):
            return point_colors.by_areas(grouped), grouped.typical[:MAX_NAMED].tolist(), by
        return point_colors.plain(n), first, by
    if by == point_colors.ORDER:
        return point_colors.by_order(n), first, by
    if by == point_colors.KEPT and whole:
        return point_colors.by_kept(found.kept, MAP_NEIGHBORS), first, by
    if by in columns and found.space.columns is not None:
        return point_colors.by_column(found.space.columns.column(by)), [], by
    return point_colors.plain(n), first, by


def _areas(progress: Progress, positions: Floats, vectors: Floats, labels: pa.Array) -> regions.Regions:
    progress("find the areas", 0, 1)
    return regions.areas(positions, vectors, labels.to_pylist())


@st.cache_resource(max_entries=16, show_spinner=False)
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
            labels=[*labels_of(_found.space).to_pylist(), *[one.text for one in _placed]],
            categories=categories,
            category=category,
            details=details,
            marks=marks,
            values=values,
            value_name=_how.value_name,
            shapes=np.concatenate([np.zeros(n, np.int64), np.ones(more, np.int64)]) if more else None,
        )
    )
