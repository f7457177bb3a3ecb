"""The page Map: the condition that points must pass, as text that can be edited and in charts that are brushed."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard.components.charts import brushed_bars, charts
from polysema.app.dashboard.map.controls import MapQuestion
from polysema.app.explorer.column_charts import brushed
from polysema.app.explorer.results import SpaceMap
from polysema.app.explorer.space_search import condition_table
from polysema.core.errors import UserError
from polysema.indexes.filters import parse

KEY, STATE_KEY, BOX_KEY, CHARTS_KEY = "mwhere", "map_where", "map_where_box", "map_charts"
MAX_CHARTS = 4  # at first


@dataclass(frozen=True, slots=True, eq=False)
class MapCondition:
    """A condition as text, and which rows of the map pass it (n,); None without one."""

    text: str
    mask: NDArray[np.bool_] | None

    def passing(self, n_more: int) -> NDArray[np.int64] | None:
        """The rows that pass, and so many points more at the end, which always do."""
        if self.mask is None:
            return None
        return np.flatnonzero(np.concatenate([self.mask, np.ones(n_more, np.bool_)])).astype(np.int64)


def written() -> str:
    """The condition that is in force, as it was written."""
    state = st.session_state
    if STATE_KEY not in state or permalink.returning():
        state[STATE_KEY] = str(st.query_params.get(KEY) or "")
    return " ".join(str(state[STATE_KEY] or "").split())


def write(text: str) -> None:
    """Put another condition in force, also in the address."""
    st.session_state[STATE_KEY] = text
    permalink.put(KEY, text)


def kept_condition(found: SpaceMap, query: MapQuestion) -> MapCondition:
    """The condition, while its box isn't shown; a line with a button that takes it off."""
    text = written()
    if not text:
        return MapCondition("", None)
    made = _checked(text, found)
    if made.mask is not None:
        _tell(made, len(found.space))
    return made


def condition_box(found: SpaceMap, query: MapQuestion) -> MapCondition:
    """The box with the condition; what is wrong with it is shown, and then all points pass."""
    take_brush(found)
    st.session_state[BOX_KEY] = written()
    st.text_input(
        "Condition",
        key=BOX_KEY,
        on_change=lambda: write(st.session_state[BOX_KEY]),
        max_chars=widgets.MAX_WORDS,
        placeholder=example_of(found),
        help="Only points that pass are in color: columns compared by =, !=, <, >, in (…), between, contains, like, "
        "matches, starts with, is null; and, or, not. icontains and ilike don't mind capitals. It is `--where` in the "
        "shell.",
    )
    text = written()
    if not text:
        return MapCondition("", None)
    made = _checked(text, found)
    if made.mask is not None:
        _tell(made, len(found.space))
    return made


def column_panel(found: SpaceMap, where: str) -> None:
    """The charts of the columns that are chosen, each counted for what the condition says of the others."""
    maps = widgets.explorer().maps
    names = [chart.column for chart in maps.columns(found).charts]
    if not names:
        widgets.remark("No column of this space has few values or numbers that a chart could show.")
        return
    chosen = st.multiselect(
        "Charts of",
        names,
        default=names[:MAX_CHARTS],
        key="mcharts",
        help="Drag across a histogram or click bars: only points that pass stay in color; the condition says which.",
    )
    charts(maps.columns(found, chosen or [], where).charts, CHARTS_KEY)


def take_brush(found: SpaceMap) -> None:
    """What was brushed in a chart becomes part of the condition; before the box is drawn."""
    brush = brushed_bars(CHARTS_KEY)
    if brush is None:
        return
    column, bars = brush
    try:
        (chart,) = widgets.explorer().maps.columns(found, [column]).charts
        write(brushed(written(), chart, bars))
    except (UserError, ValueError):
        write("")  # a condition that can't be read, or a column that is gone


def example_of(found: SpaceMap) -> str:
    """A condition that fits this map."""
    table = condition_table(found.space)
    names = table.column_names
    if "sense" in names:
        return "word = 'bank' and sense is not null"
    if "text" in names:
        return "text icontains 'river'"
    return "word like 'un%' or word ends with 'ing'"


def _checked(text: str, found: SpaceMap) -> MapCondition:
    try:
        return MapCondition(text, parse(text).mask_of(condition_table(found.space)))
    except UserError as error:
        widgets.problem(error)
        return MapCondition("", None)


def _tell(made: MapCondition, n: int) -> None:
    assert made.mask is not None
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        widgets.remark(f"{int(made.mask.sum()):,} of {n:,} points pass: {widgets.plain(made.text)}")
        st.button("Take it off", key="mwhere_off", on_click=_take_off, help="Show all points in color again.")


def _take_off() -> None:
    write("")
