"""The page Map: finding points, the neighbors of one, and the table of a selection."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st

from polysema.app.dashboard import downloads, permalink, point_colors, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.components.scatter import Selection
from polysema.app.dashboard.map.controls import IN_SPACE, MAP_NEIGHBORS, ON_MAP, MapQuestion
from polysema.app.dashboard.own_points import PlacedPoint
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import neighbors_in, trail_bar, walk
from polysema.app.explorer.map_neighbors import MapNeighbor, PointNeighbors
from polysema.app.explorer.results import SpaceMap
from polysema.core.measure.senses import load_senses
from polysema.core.space.expression import Term
from polysema.core.space.label_search import labels_of
from polysema.core.space.space import Space

MAX_EAGER_ROWS = 5_000  # of the table that the browser gets at once
MAX_NAMED = 24  # points that bear their names
POINT, FILTER, SELECTION = "Point", "Filter", "Selection"
"""What the inspector shows."""


def example(space: Space, n: int) -> int:
    """A row to look at before anything is chosen."""
    if space.columns is not None and "sense" in space.columns.column_names:
        return next((row for row, sense in enumerate(space.column("sense")[:n]) if sense), 0)
    row = space.keys.row("bank")
    return row if 0 <= row < n else 0


def around(
    query: MapQuestion, space: Space, found: SpaceMap, focus: int, own: Sequence[PlacedPoint], whole: bool
) -> PointNeighbors | None:
    """The neighbors of what is looked at."""
    n = len(found.space)
    k = min(MAP_NEIGHBORS, n - 1)
    if k < 1:
        return None
    at: Any = focus if focus < n else (own[focus - n].vector, own[focus - n].position)
    message = focus if focus < n else own[focus - n].text
    answers: PointNeighbors | None = work.answer(
        ("around", message, *query.key, whole), lambda progress: widgets.explorer().maps.around(found, space, at, k)
    )
    return answers


def inspector(
    space: Space, found: SpaceMap, focus: int, own: Sequence[PlacedPoint], near: PointNeighbors, by: str
) -> None:
    """What is looked at, its neighbors in the space or on the map, and where to go on with it."""
    n = len(found.space)
    labels = labels_of(found.space)
    name = labels[focus].as_py() if focus < n else own[focus - n].text
    trail_bar("map", name)
    row = found.space.columns.slice(focus, 1).to_pylist()[0] if focus < n and found.space.columns is not None else {}
    text = str(row.get("text") or "")
    if text:
        st.html(
            f'<p class="ps-text">{widgets.marked(text, *point_colors.mark(text, row.get("start"), row.get("end")))}</p>'
        )
    widgets.say(f"**{widgets.plain(name)}**" + (f" · row {focus + 1:,}" if focus < n else " · placed by you"))
    kept = (
        f"{near.kept:.0%} of its nearest that are shown are among its nearest on the map. "
        if not np.isnan(near.kept)
        else ""
    )
    more = "; ".join(
        f"{key} {value}"
        for key, value in row.items()
        if key not in ("text", "text_id", "start", "end", "word", "layer") and value not in (None, "")
    )
    widgets.remark(widgets.plain(kept + more))
    listed = near.in_space if by == IN_SPACE else near.on_map
    baseline = widgets.explorer().space(space).baseline
    clickable_list(
        listed_rows(space, [(one.row, one.key, one.cosine, _note(one, by)) for one in listed], n),
        "near",
        go_to,
        baseline,
    )
    widgets.remark(widgets.beside(baseline))
    downloads.numbers(lambda: _neighbor_rows(near, baseline), "map-neighbors", "Neighbors (CSV)")
    if focus < n:
        go_on(space, name, row)


def listed_rows(space: Space, found: Sequence[tuple[int, str, float, str]], n: int) -> list[ListedRow]:
    """Rows of a space (row, key, cosine, small print) for a list: to those that the map shows one goes there, to the
    word of another one on the page Neighbors.
    """
    texts: list[dict[str, Any]] = [{} for _ in found]
    if point_colors.has_text(space) and space.columns is not None:
        rows = space.columns.select([c for c in ("text", "start", "end", "sense") if c in space.columns.column_names])
        texts = rows.take(pa.array([row for row, _, _, _ in found], pa.int64())).to_pylist()
    source = str(st.session_state.get("ms", ""))
    contextual = source.endswith(choices.HIDDEN_SPACES)  # a word of a sentence is no key of the space

    def elsewhere(key: str) -> tuple[str, str] | None:
        return None if contextual else (source, key)

    listed = []
    for (row, key, cosine, note), line in zip(found, texts, strict=True):
        text = " ".join(str(line.get("text") or "").split("\n"))
        marked = point_colors.mark(text, line.get("start"), line.get("end"))
        small = " · ".join(part for part in (str(line.get("sense") or ""), note) if part)
        listed.append(ListedRow(text or key, small, cosine, row if row < n else elsewhere(key), marked))
    return listed


def go_to(row: object) -> None:
    """Look at another row; the one before stays on the trail. What the map doesn't show, (space, word), is looked at on
    the page Neighbors.
    """
    if isinstance(row, tuple):
        neighbors_in(row[0])(row[1])
    elif isinstance(row, int):
        walk("map", {"map_focus": row})
        st.session_state["map_next_panel"] = POINT


def _neighbor_rows(near: PointNeighbors, baseline: float) -> list[dict[str, object]]:
    """Both lists of neighbors as rows."""
    return [
        {
            "list": list_,
            "place": place,
            "name": one.key,
            "row": one.row + 1,
            "cosine": one.cosine,
            "rank in the space": one.in_space,
            "rank on the map": one.on_map,
            "far in the space": one.far,
            "random pair": baseline,
        }
        for list_, neighbors in ((IN_SPACE, near.in_space), (ON_MAP, near.on_map))
        for place, one in enumerate(neighbors, 1)
    ]


def _note(one: MapNeighbor, by: str) -> str:
    if by == IN_SPACE:
        return "not among the points shown" if one.on_map is None else f"rank {one.on_map:,} on the map"
    return ("⚠ far in the space: " if one.far else "") + f"rank {one.in_space:,} in the space"


def go_on(space: Space, name: str, row: dict[str, Any]) -> None:
    """The same row as the question of another page."""
    source = st.session_state.get("ms", "")
    columns = st.columns(2)
    if not source.endswith(choices.HIDDEN_SPACES):
        requested = {
            "Neighbors": ("neighbors", {"w": name, "ns": choices.space_label(source), "mode": "A word"}),
            "Analogies": ("analogies", {"q": str(Term(1.0, name)), "space": choices.space_label(source)}),
        }
    else:
        model = source[:-1]
        kept = permalink.save({"page": "neighbors", "values": {"widget:text": str(row["text"]), "widget:cw": name}})
        sentence = {"mode": "A word in a sentence", "cm": model, "cl": str(space.origin.layer)} | (
            {permalink.PARAMETER: kept} if kept else {}
        )
        requested = {"Neighbors": ("neighbors", sentence)}
        if name.lower() in load_senses().words:
            requested["Contexts"] = ("contexts", {"word": name.lower(), "model": model})
    for column, (title, (page, query)) in zip(columns, requested.items(), strict=False):
        column.page_link(
            f"app_pages/{page}.py",
            label=f"Open in {title}",
            query_params=query,
            help=f"Ask the page {title} about this row.",
        )


def selection_table(found: SpaceMap, own: Sequence[PlacedPoint], selected: Selection, source: str) -> None:
    """Every selected row with all that is known of it; all rows where none is selected."""
    n = len(found.space)
    rows = np.array(selected.rows, np.int64) if selected.count else np.arange(n + len(own))
    widgets.say(
        f"**{selected.count:,} of {n + len(own):,} points selected**"
        if selected.count
        else f"**{n + len(own):,} points**: click one, or draw a lasso or a box, to see only some"
    )
    made = table_of(found, own, rows)

    def choose() -> None:
        go_to(chosen_row(st.session_state["map_table"]["selection"]["rows"], rows))

    if len(rows) > MAX_EAGER_ROWS:  # a table whose rows come as they are scrolled to has none that can be chosen
        st.dataframe(made, height=320, hide_index=True, lazy=True, alt="The selected points", key="map_long_table")
    else:
        st.dataframe(
            made,
            height=320,
            hide_index=True,
            alt="The selected points; a row that is chosen is looked at",
            key="map_table",
            on_select=choose,
            selection_mode="single-row",
        )
    downloads.columns(
        lambda: made,
        f"map-{source}-selected" if selected.count else f"map-{source}",
        "Selected points (CSV)" if selected.count else "All points (CSV)",
        "Every column and coordinate of these rows.",
    )


def chosen_row(chosen: Sequence[int], rows: "np.typing.NDArray[np.int64]") -> int | None:
    """The row of the map that was chosen in the table of some rows; None where none is, or the table has changed."""
    return int(rows[chosen[0]]) if chosen and 0 <= chosen[0] < len(rows) else None


def table_of(found: SpaceMap, own: Sequence[PlacedPoint], rows: "np.typing.NDArray[np.int64]") -> pa.Table:
    """Row, name, columns, coordinates and what was kept, of these rows of the map."""
    n = len(found.space)
    inside = rows[rows < n]
    mine = [own[int(row) - n] for row in rows[rows >= n]]
    columns: dict[str, Any] = {"row": pa.array(inside + 1)}
    columns["name"] = labels_of(found.space).take(pa.array(inside))
    if found.space.columns is not None:
        taken = found.space.columns.take(pa.array(inside))
        columns |= {name: taken.column(name) for name in taken.column_names if name not in ("word", "row", "name")}
    positions = np.asarray(found.map.positions)[inside]
    columns |= {axis: pa.array(positions[:, place]) for place, axis in enumerate("xyz"[: positions.shape[1]])}
    if np.isfinite(found.kept).all():
        columns["neighbors kept"] = pa.array(found.kept[inside])
    made = pa.table(columns)
    if not mine:
        return made
    places = np.stack([one.position for one in mine])
    added = pa.table(
        {"name": pa.array([one.text for one in mine], pa.large_string())}
        | {axis: pa.array(places[:, place]) for place, axis in enumerate("xyz"[: places.shape[1]])}
    )
    return pa.concat_tables([made, added], promote_options="default")
