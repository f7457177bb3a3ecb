"""The page Map: a space laid out in two or three dimensions, with what it keeps of the neighborhoods."""

import streamlit as st

from polysema.app.dashboard import own_points, permalink, space_picker, widgets
from polysema.app.dashboard.components.scatter import PlotMarks, PlotOptions, PlotStart, Selection, scatter
from polysema.app.dashboard.components.scatter.selection import read_view, write_view
from polysema.app.dashboard.map.cloud import cloud, colors
from polysema.app.dashboard.map.controls import (
    IN_SPACE,
    MAP_NOTES,
    ON_MAP,
    TITLES,
    MapQuestion,
    badge,
    controls,
    laid_out,
    number_of,
    options_of,
)
from polysema.app.dashboard.map.inspector import around, example, find_box, inspector, selection_table
from polysema.app.explorer.results import SpaceMap
from polysema.core.maps.options import MapOptions
from polysema.core.space.space import Space


def restore(name: str) -> None:
    """Take up what the link holds; forget what belongs to another space."""
    state = st.session_state
    if "map_of" in state and state["map_of"] != name:
        for key in ("map_focus", "map_chosen", "map_placed", "map_wrong", "map_clicked", "map_sought", "map_view"):
            state.pop(key, None)
    state["map_of"] = name
    current = permalink.restore("map")
    if not current:
        return
    state["map_chosen"] = permalink.unpack(current.get("chosen"))
    written = current.get("placed")
    state["map_placed"] = (
        [text for text in written if isinstance(text, str)][: own_points.MAX_POINTS]
        if isinstance(written, list)
        else []
    )
    state["map_view"] = str(current.get("view") or "")
    focus = current.get("focus")
    if type(focus) is int and focus >= 0:
        state["map_focus"], state["map_restored"] = focus, True
    else:
        state.pop("map_focus", None)


def python_of(query: MapQuestion) -> str:
    """The lines that make the same map."""
    start = MapOptions()
    message = ", ".join(
        f"{name}={getattr(query.options, name)!r}"
        for name in ("n_components", "n_neighbors", "min_dist", "perplexity", "seed")
        if getattr(query.options, name) != getattr(start, name)
    )
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
    return st.segmented_control(
        "Neighbors",
        [IN_SPACE, ON_MAP],
        default=IN_SPACE,
        required=True,
        key="mnear",
        bind="query-params",
        help="The nearest by cosine among all rows of the space, or those that lie nearest on the picture.",
    )


def keep(selected: Selection, focus: int) -> None:
    """Keep the selection and the camera; a click on another point moves the focus and runs the page again."""
    state = st.session_state
    state["map_chosen"] = list(selected.rows)
    state["map_view"] = write_view(selected.view)
    if selected.clicked is not None and selected.clicked != state.get("map_clicked"):
        state["map_clicked"] = selected.clicked
        if selected.clicked != focus:
            state["map_focus"] = selected.clicked
            st.rerun()
    state["map_clicked"] = selected.clicked
    permalink.keep(
        "map",
        {
            "focus": state.get("map_focus"),
            "chosen": permalink.pack(selected.rows),
            "view": state["map_view"],
            "placed": list(own_points.written()),
        },
        views=("chosen", "view"),
    )


def page() -> None:
    """The page."""
    widgets.title(
        "Map",
        "A whole space in one picture: what is near on it is often near in the space, and the list beside it says "
        "where it isn't.",
    )
    name, many, method, three = controls()
    if name is None:
        return
    options = options_of(method, three)
    restore(name)
    space = space_picker.opened(name)
    if space is None:
        return
    query = MapQuestion(name, widgets.explorer().stamp(name), number_of(many, space), method, options)
    if query.stamp is not None:
        space_picker.follow(name, query.stamp)
    with st.container():  # there in every run, so that what stands below keeps its place when the progress goes
        found, whole = laid_out(query, space)
    if found is not None:
        show_map(query, space, found, whole)


def show_map(query: MapQuestion, space: Space, found: SpaceMap, whole: bool) -> None:
    """The map with its controls, the neighbors of the point in focus, and the selection."""
    name = query.name
    state = st.session_state
    own = own_points.placed(query.key, space, found, whole)
    n = len(found.space)
    one, two = st.columns([3, 2], vertical_alignment="bottom")
    with one:
        hits = find_box(space, n)
    with two:
        how, names, by = colors(found, query, whole)
    focus = state.get("map_focus")
    if not isinstance(focus, int) or not 0 <= focus < n + len(own):
        focus = example(found.space, n)
    badge(found, whole)
    left, right = st.columns([7, 5], gap="medium")
    with right:
        switch = neighbor_switch()
        near = around(query, space, found, focus, own, whole)
    listed = () if near is None else near.in_space if switch == IN_SPACE else near.on_map
    shown = [other.row for other in listed if other.row < n]
    with left:
        selected = scatter(
            cloud((*query.key, whole, by, how.categories, tuple(one.text for one in own)), found, how, own),
            key="map_plot",
            alt=f"Map of {n:,} rows of {name} by {TITLES[found.map.method]}, colored by {by}",
            marks=PlotMarks(
                links=[(focus, other) for other in shown],
                label_rows=[focus, *shown, *range(n, n + len(own)), *names],
                highlight=list(dict.fromkeys([focus, *hits[:199]])),
            ),
            start=PlotStart(
                [row for row in state.get("map_chosen", []) if row < n + len(own)],
                read_view(state.get("map_view", ""), found.map.positions.shape[1]),
            ),
            options=PlotOptions(height=560),
        )
        st.caption(
            "Lines lead to the neighbors in the list. Distances on the picture are rough; the list is of the space."
        )
    keep(selected, focus)
    with right:
        if near is not None:
            inspector(space, found, focus, own, near, switch or IN_SPACE)
    with left:
        own_points.form(space)
    selection_table(found, own, selected, name)
    widgets.python_lines(
        python_of(query),
        f"{TITLES[query.method]}: {MAP_NOTES[query.method]}. By the cosine, seed {query.options.seed}, the first "
        f"{n:,} of {len(space):,} rows. "
        f"{widgets.plain(space.origin.card())}.",
    )


page()
