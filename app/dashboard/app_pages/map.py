"""The page Map: a space laid out in two or three dimensions, with what it keeps of the neighborhoods."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from polysema.app.dashboard import downloads, own_points, permalink, space_picker, widgets
from polysema.app.dashboard.components.scatter import (
    PlotMarks,
    PlotOptions,
    PlotSearchBox,
    PlotStart,
    Selection,
    requested,
    scatter,
)
from polysema.app.dashboard.components.scatter.selection import read_view, write_view
from polysema.app.dashboard.decorators import cached_resource
from polysema.app.dashboard.map.cloud import MapColors, cloud, colors, names_of
from polysema.app.dashboard.map.condition import column_panel, condition_box, kept_condition
from polysema.app.dashboard.map.controls import (
    IN_SPACE,
    ON_MAP,
    MapPlaces,
    MapQuestion,
    MapView,
    badge,
    controls,
    laid_out,
    number_of,
)
from polysema.app.dashboard.map.inspector import (
    FILTER,
    POINT,
    SELECTION,
    around,
    example,
    go_to,
    inspector,
    selection_table,
)
from polysema.app.dashboard.map.layout_options import MAP_NOTES, TITLES, supervised
from polysema.app.dashboard.map.meaning import answers, question, show_answers
from polysema.app.dashboard.map.requests import ACTIONS, MODES, take_up
from polysema.app.dashboard.map.selection_panel import selection_panel
from polysema.app.dashboard.map.state import hidden_rows, restore, undo_bar
from polysema.app.dashboard.own_points import PlacedPoint
from polysema.app.dashboard.sharing.map_page import map_page
from polysema.core.maps.options import changed_options
from polysema.core.space.space import Space


def python_of(query: MapQuestion) -> str:
    """The lines that make the same map."""
    message = ", ".join(f"{name}={value!r}" for name, value in changed_options(query.options).items())
    return (
        "from polysema.app.explorer import Explorer\nfrom polysema.core.maps.options import MapOptions\n\n"
        f"explorer = Explorer()\nfound = explorer.maps.map({query.name!r}, method={query.method!r}, "
        f"options=MapOptions({message}), n={query.n})\n"
        "positions, kept = found.map.positions, found.kept  # (n, 2 or 3), and (n,): the share of its neighbors "
        "that each kept\n"
        f"near = explorer.maps.around(found, {query.name!r}, 0)  # of the first row: near.in_space, near.on_map"
    )


def neighbor_switch() -> str | None:
    """Whether the list has the neighbors in the space or on the picture."""
    found: str | None = st.segmented_control(
        "Neighbors",
        [IN_SPACE, ON_MAP],
        default=IN_SPACE,
        required=True,
        key="mnear",
        bind="query-params",
        help="The nearest by cosine among all rows of the space, or those that lie nearest on the picture.",
    )
    return found


def keep(selected: Selection, focus: int) -> None:
    """Keep the selection and the camera; a click on another point moves the focus and runs the page again."""
    state = st.session_state
    state["map_chosen"] = list(selected.rows)
    state["map_view"] = write_view(selected.view)
    if selected.clicked is not None and selected.clicked != state.get("map_clicked"):
        state["map_clicked"] = selected.clicked
        if selected.clicked != focus:
            go_to(selected.clicked)
            st.rerun()
    state["map_clicked"] = selected.clicked
    permalink.put("find", str(state.get("map_find") or ""))
    permalink.keep(
        "map",
        {
            "focus": state.get("map_focus"),
            "chosen": permalink.pack(selected.rows),
            "only": permalink.pack(state.get("map_only") or []),
            "hidden": permalink.pack(state.get("map_hidden") or []),
            "question": question(),
            "view": state["map_view"],
            "placed": list(own_points.written()),
        },
        views=("chosen", "view"),
    )


def page() -> None:
    """The page."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="map_bar"):
        st.title("Map", anchor=False, width="content")
        name, many, choice, drawer = controls()
        more = st.container(
            width="content", horizontal=True, vertical_alignment="center", gap="small", key="map_bar_more"
        )
    permalink.lines()
    if name is None:
        return
    restore(name)
    if "map_find" not in st.session_state:
        st.session_state["map_find"] = st.query_params.get("find", "")
    take_up(requested("map_plot"), list(st.session_state.get("map_chosen") or []))
    space = space_picker.opened(name)
    if space is None:
        return
    explorer = widgets.explorer()
    if (stamp := explorer.stamp(name)) is not None:
        space_picker.follow(name, stamp)
    only = tuple(row for row in st.session_state.get("map_only") or () if row < len(space))
    left, right = st.columns([10, 3], gap="small")
    with right, st.container(key="map_inspector"):
        if only:
            space = some_rows(name, stamp, only, space)
        options = supervised(drawer, space, choice)
        query = MapQuestion(name, (stamp, only), number_of(many, space), choice.method, options)
        view = laid_out(query, space)
        inner = st.container()  # there in every run, so that what stands below keeps its place when the progress goes
    if view is not None:
        show_map(query, space, view, MapPlaces(more, left, inner))


@cached_resource(4)
def some_rows(name: str, stamp: object, only: tuple[int, ...], _space: Space) -> Space:
    """Some rows of a space as a space, the same object for the same question."""
    return _space.take(np.array(only, np.int64))


def show_map(query: MapQuestion, space: Space, view: MapView, places: MapPlaces) -> None:
    """The map with its controls, the neighbors of the point in focus, and the selection."""
    found, name = view.found, query.name
    own_points.take_text(space)
    own = own_points.placed(query.key, space, found, view.whole)
    n = len(found.space)
    with places.bar:
        colored = colors(found, query, view.whole)
        own_points.form(space)
    with places.inspector:
        panel = panel_switch()
        condition = condition_box(found, query) if panel == FILTER else kept_condition(found, query)
        meant = answers(query, space, condition.text)
        focus = st.session_state.get("map_focus")
        if not isinstance(focus, int) or not 0 <= focus < n + len(own):
            focus = example(found.space, n)
        near, switch = None, IN_SPACE
        if panel == POINT:
            show_answers(meant, space, n)
            switch = neighbor_switch() or IN_SPACE
            near = around(query, space, found, focus, own, view.whole)
    listed = () if near is None else near.in_space if switch == IN_SPACE else near.on_map
    shown = [other.row for other in listed if other.row < n]
    marks = PlotMarks(
        areas=colored.labels,
        links=[(focus, other) for other in shown],
        label_rows=[focus, *shown, *range(n, n + len(own)), *colored.named],
        highlight=list(dict.fromkeys([focus, *(one.row for one in meant if one.row < n)])),
        passing=condition.passing(len(own)),
        hidden=hidden_rows(n),
    )
    with places.plot:
        selected = plot(query, view, colored, own, marks)
    keep(selected, focus)
    with places.inspector:
        if near is not None:
            inspector(space, found, focus, own, near, switch)
        if panel == FILTER:
            column_panel(found, condition.text)
        if panel == SELECTION:
            selection_panel(query, space, found, selected)
        undo_bar()
        badge(found, view.whole)
    selection_table(found, own, selected, name)
    python = python_of(query)
    if view.whole:
        made = partial(map_page, found, colored.areas, color=colored.by, python=python)
        downloads.web_page(made, f"map-{name}", "Map as one page (HTML)")
    widgets.python_lines(
        python,
        "What is near on the map is often near in the space, and the list beside it says where it isn't: lines lead to "
        "the neighbors in the list, which is of the space. "
        f"{TITLES[query.method]}: {MAP_NOTES[query.method]}. By {query.options.metric}, seed {query.options.seed}, "
        f"the first {n:,} of {len(space):,} rows. "
        f"{widgets.plain(space.origin.card())}.",
    )


def plot(
    query: MapQuestion, view: MapView, colored: MapColors, own: Sequence[PlacedPoint], marks: PlotMarks
) -> Selection:
    """The points with their search box and the bar of their selection."""
    found, state = view.found, st.session_state
    n = len(found.space)
    key = (*query.key, view.whole, view.number, colored.by, colored.how.categories, names_of(own))
    return scatter(
        cloud(key, found, colored.how, own),
        key="map_plot",
        alt=f"Map of {n:,} rows of {query.name} by {TITLES[found.map.method]}, colored by {colored.by}",
        marks=marks,
        start=PlotStart(
            [row for row in state.get("map_chosen") or [] if row < n + len(own)],
            read_view(state.get("map_view", ""), found.map.positions.shape[1]),
        ),
        options=PlotOptions(
            height=360,
            fill=True,
            search=PlotSearchBox("Find a word or text", str(state.get("map_find") or ""), MODES),
            actions=ACTIONS,
        ),
    )


def panel_switch() -> str:
    """What the inspector shows; what was requested in this run or at the end of the one before comes first."""
    if (wish := st.session_state.pop("map_next_panel", None)) is not None:
        st.session_state["map_panel"] = wish
    chosen = st.segmented_control(
        "Inspector",
        [POINT, FILTER, SELECTION],
        default=POINT,
        required=True,
        key="map_panel",
        label_visibility="collapsed",
    )
    return chosen or POINT


page()
