"""The page Compare: the maps of the two spaces, side by side or one after the other."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from polysema.app.dashboard import permalink, point_colors, trail, widgets
from polysema.app.dashboard.compare.controls import OVERLAP_VIEW
from polysema.app.dashboard.components.point_store import publish
from polysema.app.dashboard.components.points import Points, PublishedCloud
from polysema.app.dashboard.components.scatter import (
    PlotMarks,
    PlotOptions,
    PlotStart,
    Selection,
    read_view,
    scatter,
    write_view,
)
from polysema.app.dashboard.decorators import cached_resource, fragment
from polysema.app.explorer.results import MatchedMaps, MatchedSide
from polysema.core.space.label_search import labels_of
from polysema.core.space.space import Space

SECONDS_A_STEP = 1.4  # seconds for a step
# where the link says what a plot's camera sees
VIEWS = {"compare_a": "aview", "compare_b": "bview", "compare_steps": "sview"}


def color(found: MatchedMaps) -> tuple[point_colors.PointColors, str]:
    """What the points are colored by."""
    columns = point_colors.choices(found.a.space)
    by = st.selectbox(
        "Color",
        [OVERLAP_VIEW, *columns],
        key="ccolor",
        bind="query-params",
        help="The share of a row's neighbors that stayed from A to B, or a column of the space.",
    )
    if by in columns and found.a.space.columns is not None:
        return point_colors.by_column(found.a.space.columns.column(by)), by
    return point_colors.PointColors(
        ("points",), np.zeros(len(found), np.int64), found.overlap, f"share of {found.k} neighbors that stayed"
    ), OVERLAP_VIEW


@cached_resource(32)
def cloud(key: tuple[object, ...], _side: MatchedSide, _first: Space, _how: point_colors.PointColors) -> PublishedCloud:
    """One side's points under that key, named as in the first space, so that all sides' points are the same."""
    details, marks = point_colors.sentences_of(_first)
    return publish(
        Points(
            positions=_side.positions,
            labels=labels_of(_first).to_pylist(),
            categories=_how.categories,
            category=_how.category,
            details=details,
            marks=marks,
            values=_how.values,
            value_name=_how.value_name,
        )
    )


@dataclass(frozen=True, slots=True)
class ColoredMaps:
    """The maps of the spaces as the page draws them: their points' colors, and the row that is looked at."""

    found: MatchedMaps
    key: tuple[object, ...]
    colors: point_colors.PointColors
    colored_by: str
    focus: int

    def near(self, at: int) -> list[int]:
        """The neighbors of the row in one space."""
        rows: list[int] = self.found.sides[at].neighbors.rows[self.focus, : self.found.k].tolist()
        return rows


def plot(maps: ColoredMaps, at: int, name: str) -> Selection:
    """The map of one side; lines lead from what is looked at to its neighbors there."""
    found, side, near = maps.found, maps.found.sides[at], maps.near(at)
    selected = scatter(
        cloud((*maps.key, at, maps.colored_by), side, found.a.space, maps.colors),
        key=name,
        alt=f"Map of {len(found):,} rows in {side.name}, colored by {maps.colored_by}",
        marks=PlotMarks(
            links=[(maps.focus, other) for other in near], label_rows=[maps.focus, *near], highlight=[maps.focus]
        ),
        start=PlotStart(
            [row for row in st.session_state.get("compare_chosen", []) if row < len(found)],
            read_view(st.query_params.get(VIEWS[name], "")),
        ),
        options=PlotOptions(height=430, group="compare" if name != "compare_steps" else ""),
    )
    permalink.put(VIEWS[name], write_view(selected.view))
    return selected


def side_by_side(maps: ColoredMaps) -> Selection:
    """Both maps; what is selected or hovered in one is in the other."""
    selected, sides = Selection((), 0), maps.found.sides
    for column, at, name in zip(
        st.columns(2, gap="medium"), (0, len(sides) - 1), ("compare_a", "compare_b"), strict=True
    ):
        side = sides[at]
        with column:
            st.markdown(
                f"**{'A' if at == 0 else 'B'}: {widgets.plain(side.name)}** · {float(side.kept.mean()):.0%} of "
                "the neighbors kept on the map"
            )
            selected = plot(maps, at, name)
    return selected


def step_by_step(maps: ColoredMaps) -> None:
    """One map on which the points travel from side to side."""
    names = [side.name for side in maps.found.sides]
    state = st.session_state

    @fragment(SECONDS_A_STEP if state.get("compare_playing") else None)
    def steps() -> None:
        if state.get("compare_playing"):
            at = (
                names.index(state["cstep"]) + 1
                if state.get("cstep") in names and not state.pop("compare_start", False)
                else 0
            )
            if at < len(names):
                state["cstep"] = names[at]
            else:
                state["compare_playing"] = False
                st.rerun()
        slider, button = st.columns([6, 1], vertical_alignment="bottom")
        if state.get("cstep") not in names:
            state.pop("cstep", None)
        step = slider.select_slider(
            "Step",
            names,
            key="cstep",
            bind="query-params",
            help="The same points in each space, on one plane: they glide to where they lie there.",
        )
        if button.button(
            "Stop" if state.get("compare_playing") else "Play", help="Go through all steps, one after the other."
        ):
            state["compare_playing"] = not state.get("compare_playing")
            state["compare_start"] = bool(state["compare_playing"])
            st.rerun()
        take(plot(maps, names.index(step), "compare_steps"), maps.focus)

    steps()


def take(selected: Selection, focus: int) -> None:
    """Keep what is selected; a click changes what is looked at."""
    state = st.session_state
    state["compare_chosen"] = list(selected.rows)
    fresh = selected.clicked is not None and selected.clicked != state.get("compare_clicked")
    state["compare_clicked"] = selected.clicked
    if fresh and selected.clicked != focus:
        trail.walk("compare", {"compare_focus": selected.clicked})
        st.rerun()
