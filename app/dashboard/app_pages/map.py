"""Map: any space, up to 400,000 points, with what the picture keeps of it; what is near is read from the space
itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, cast

import numpy as np
import pyarrow as pa
import streamlit as st

from polysema.app.dashboard import downloads, own_points, permalink, point_colors, space_picker, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.components.points import Points, PublishedCloud, publish
from polysema.app.dashboard.components.scatter import Selection, scatter
from polysema.app.dashboard.components.scatter.selection import read_view, write_view
from polysema.app.dashboard.own_points import PlacedPoint
from polysema.app.explorer.map_neighbors import MapNeighbor, PointNeighbors
from polysema.app.explorer.results import SpaceMap
from polysema.core.errors import UserError
from polysema.core.maps import regions
from polysema.core.maps.projection import METHODS, MapOptions
from polysema.core.measure.senses import load_senses
from polysema.core.space.expression import Term
from polysema.core.space.label_search import labels_of, spot
from polysema.core.space.space import Floats, Space

MAX_POINTS = 400_000
SIZES = {"1k": 1_000, "10k": 10_000, "50k": 50_000, "100k": 100_000, "400k": MAX_POINTS, "all": MAX_POINTS}
MAP_NEIGHBORS = 10  # neighbors in the lists and in the measure
MAX_NAMED = 24  # points that bear their names
IN_SPACE, ON_MAP = "in the space", "on the map"
TITLES = {name: method.title for name, method in METHODS.items() if name != "umap-learn"}  # the same map, slower
MAP_NOTES = {
    "pca": "the two (or three) directions in which the points differ most; straight, so far stays far, but much is "
    "hidden",
    "umap": "keeps neighborhoods; how far two groups lie apart means little",
    "densmap": "UMAP that also keeps how dense a place is",
    "tsne": "keeps the nearest neighbors; sizes and distances of groups mean little",
}


@dataclass(frozen=True, slots=True)
class MapQuestion:
    """What is to be laid out, and how."""

    name: str
    stamp: object
    n: int
    method: str
    options: MapOptions

    @property
    def key(self) -> tuple[object, ...]:
        """Under which the map is kept."""
        return ("space map", self.name, self.stamp, self.n, self.method, self.options)


# What is asked


def controls() -> tuple[str | None, str, str, bool]:
    """The space (None while its model is loaded), how many points, the method, and whether in three dimensions."""
    # controls of two pages that share a key would share their values: `space` in a link is taken as ours
    if (query := st.query_params.get("space")) is not None:
        labels = {space_picker.source_label(name): name for name in space_picker.sources()}
        named = labels.get(query, query if query in labels.values() else None)
        st.query_params.pop("space")
        st.query_params["ms"] = query if named is None else space_picker.source_label(named)
        if named is not None:
            st.session_state["ms"] = named  # for the control, which reads the address before the page runs
    first, second, third, fourth = st.columns([4, 2, 4, 2])
    with first:
        source = space_picker.pick_source(
            "Space",
            "glove-6b-50d",
            "ms",
            "Vectors of words, a collection, or every word of the corpus of senses at a layer of a model.",
        )
    many = second.selectbox(
        "Points",
        list(SIZES),
        index=1,
        key="mn",
        bind="query-params",
        help=f"How many of the first rows are shown; all of them up to {MAX_POINTS:,}.",
    )
    title = third.segmented_control(
        "Method",
        list(TITLES.values()),
        default=TITLES["umap"],
        required=True,
        key="mm",
        bind="query-params",
        help=". ".join(f"{TITLES[name]}: {message}" for name, message in MAP_NOTES.items()) + ".",
    )
    method = next((name for name, shown in TITLES.items() if shown == title), "umap")
    dimensions = fourth.segmented_control(
        "Dimensions",
        ["2D", "3D"],
        default="2D",
        required=True,
        key="mdim",
        bind="query-params",
        help="A plane, or a space to turn.",
    )
    layers = space_picker.layers_of([source])
    return (
        space_picker.pick_layer(source, layers[source], "mlayer") if layers else None,
        many,
        method,
        dimensions == "3D",
    )


def options_of(method: str, three: bool) -> MapOptions:
    """The method's options, under the field's names; only those that it takes decide which map it is."""
    chosen: dict[str, Any] = {"n_components": 3 if three else 2}
    with st.expander("Options of the method"):
        one, two, last = st.columns(3)
        if method in ("umap", "densmap"):
            chosen["n_neighbors"] = int(
                one.number_input(
                    "n_neighbors",
                    2,
                    200,
                    15,
                    key="nn",
                    bind="query-params",
                    help="How many neighbors hold a point, itself counted: few show the fine grain, many the whole.",
                )
            )
            chosen["min_dist"] = float(
                two.number_input(
                    "min_dist",
                    0.0,
                    1.0,
                    0.1,
                    0.05,
                    key="mindist",
                    bind="query-params",
                    help="How close two points may come on the map.",
                )
            )
        if method == "tsne":
            chosen["perplexity"] = float(
                one.number_input(
                    "perplexity",
                    1.0,
                    200.0,
                    30.0,
                    1.0,
                    key="perplexity",
                    bind="query-params",
                    help="About how many neighbors a point looks at.",
                )
            )
        if method != "pca":
            chosen["seed"] = int(
                last.number_input(
                    "seed", 0, 2**32 - 1, 0, key="mseed", bind="query-params", help="The same seed gives the same map."
                )
            )
        st.caption(
            f"{TITLES[method]}: {MAP_NOTES[method]}. The metric is the cosine. The map starts from the principal plane."
        )
    return MapOptions(**chosen)


def number_of(many: str, space: Space) -> int:
    """How many rows are shown; says so where they are not as many as asked for, or not all."""
    wanted, n = SIZES[many], len(space)
    if n > MAX_POINTS and wanted == MAX_POINTS:
        st.caption(f"{n:,} rows are in this space; the first {MAX_POINTS:,} are shown.")
    elif wanted > n and many != "all":
        all_rows = "is 1 row in this space, and it is" if n == 1 else f"are {n:,} rows in this space: all of them are"
        st.caption(f"There {all_rows} shown.")
    return min(wanted, n)


# The map


def laid_out(query: MapQuestion, space: Space) -> tuple[SpaceMap | None, bool]:
    """The map, or the first two principal components until it is there, and whether it is the map."""
    explorer = widgets.explorer()
    found = work.answer(
        query.key,
        lambda progress: explorer.map(space, query.method, query.options, query.n, MAP_NEIGHBORS, progress),
    )
    if found is not None:
        return cast(SpaceMap, found), True
    plane = MapOptions(n_components=query.options.n_components)
    first = widgets.jobs().start(
        ("first picture", query.name, query.stamp, query.n, plane),
        lambda progress: explorer.map(space, "pca", plane, query.n, 0, progress),
    )
    first.wait(3)
    if first.pending or first.failure is not None:
        return None, False  # of what can't be mapped at all the map's own work has told why
    st.caption(f"Shown here: the first {'three' if plane.n_components == 3 else 'two'} principal components.")
    return cast(SpaceMap, first.result()), False


def badge(found: SpaceMap, whole: bool) -> None:
    """How far the picture can be trusted; of the first picture (not `whole`) that isn't measured."""
    widgets.notes(found.map, found.space)
    message = found.distortion
    if message is None and not whole:
        return
    if message is None:
        st.caption("Too few points to measure how many neighbors the picture keeps.")
        return
    measured = "all points" if len(message.rows) == len(found.space) else f"{len(message.rows):,} points"
    st.markdown(
        f"**Neighbors kept {message.preservation:.0%}** (by chance {message.by_chance:.1%}) · **trustworthiness "
        f"{message.trustworthiness:.3f}** "
        f"· measured on {measured}",
        help=f"Of each point's {message.k} nearest in the space, the share that are among its {message.k} nearest on "
        "the map. "
        "Trustworthiness is 1 when no point is near on the map that is far in the space (Venna and Kaski 2001). "
        "A flat picture of many dimensions can't keep all: read the lists beside it, which are of the space itself.",
    )


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


def _areas(progress: Any, positions: Floats, vectors: Floats, labels: pa.Array) -> regions.Regions:
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


# What is looked at


def find_box(space: Space, n: int) -> list[int]:
    """The search box: the rows that it found on the map; the first becomes what is looked at."""
    with st.form("find", border=False):
        box, run = st.columns([5, 1], vertical_alignment="bottom")
        text = box.text_input(
            "Find",
            "",
            key="find",
            bind="query-params",
            max_chars=200,
            placeholder="a word on the map",
            help="Marks the points of that name, or with it in their text, and moves the map to them.",
        )
        run.form_submit_button("Find", type="primary", width="stretch")
    text = (text or "").strip()
    if not text:
        st.session_state.pop("map_sought", None)
        return []
    try:
        found = spot(space, text)
    except UserError as error:
        widgets.problem(error, "find")
        return []
    rows = [int(row) for row in found.rows if row < n]
    if not rows and not found.exactly and not found.in_text:
        widgets.problem(space.unknown(text), "find")
        return []
    if not rows:
        st.info(
            f"{widgets.plain(text)} is row {int(found.rows[0]) + 1:,} of this space, and the map shows the first "
            f"{n:,}. Show more points, or "
            "place it below."
        )
        return []
    if found.in_text:
        st.caption(
            f"{found.total:,} text{'s hold' if found.total > 1 else ' holds'} it"
            + (f"; the first {len(rows)} on the map are marked." if found.total > len(rows) else ".")
        )
    elif not found.exactly:
        st.caption(f"No row has this name; {found.total:,} have it in theirs.")
    elif found.total > 1:
        st.caption(
            f"{found.total:,} rows have this name"
            + (f"; the first {len(rows)} on the map are marked." if found.total > len(rows) else ".")
        )
    sought = (text, len(space))
    if st.session_state.get("map_sought") != sought:
        st.session_state["map_sought"] = sought
        if not st.session_state.pop("map_restored", False):
            st.session_state["map_focus"] = rows[0]
    return rows


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
        ("around", message, *query.key, whole), lambda progress: widgets.explorer().around(found, space, at, k)
    )
    return answers


def inspector(
    space: Space, found: SpaceMap, focus: int, own: Sequence[PlacedPoint], near: PointNeighbors, by: str
) -> None:
    """What is looked at, its neighbors in the space or on the map, and where to go on with it."""
    n = len(found.space)
    labels = labels_of(found.space)
    name = labels[focus].as_py() if focus < n else own[focus - n].text
    row = found.space.columns.slice(focus, 1).to_pylist()[0] if focus < n and found.space.columns is not None else {}
    text = str(row.get("text") or "")
    if text:
        st.html(
            f'<p class="ps-text">{widgets.marked(text, *point_colors.mark(text, row.get("start"), row.get("end")))}</p>'
        )
    st.markdown(f"**{widgets.plain(name)}**" + (f" · row {focus + 1:,}" if focus < n else " · placed by you"))
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
    st.caption(widgets.plain(kept + more))
    listed = near.in_space if by == IN_SPACE else near.on_map
    baseline = widgets.explorer().baseline(space)
    notes = [_note(one, by) for one in listed]
    if point_colors.has_text(space) and space.columns is not None:
        rows = space.columns.select([c for c in ("text", "start", "end", "sense") if c in space.columns.column_names])
        taken = rows.take(pa.array([one.row for one in listed])).to_pylist()
        widgets.sentences(
            [
                (
                    str(line["text"] or ""),
                    *point_colors.mark(str(line["text"] or ""), line.get("start"), line.get("end")),
                    f"cosine {one.cosine:.3f}"
                    + (f' · <span class="ps-tag">{escape(str(line["sense"]))}</span>' if line.get("sense") else "")
                    + (f" · {escape(note)}" if note else ""),
                )
                for one, line, note in zip(listed, taken, notes, strict=True)
            ]
        )
        st.caption(f"Two rows taken at random have cosine {baseline:.3f}: read the numbers beside that.")
    else:
        widgets.bars([(one.key, one.cosine) for one in listed], baseline=baseline, notes=notes)
        st.caption(widgets.beside(baseline))
    downloads.numbers(
        lambda: [
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
        ],
        "map-neighbors",
        "Neighbors (CSV)",
    )
    if focus < n:
        go_on(space, name, row)


def _note(one: MapNeighbor, by: str) -> str:
    if by == IN_SPACE:
        return "not among the points shown" if one.on_map is None else f"rank {one.on_map:,} on the map"
    return ("⚠ far in the space: " if one.far else "") + f"rank {one.in_space:,} in the space"


def go_on(space: Space, name: str, row: dict[str, Any]) -> None:
    """The same row as the question of another page."""
    source = st.session_state.get("ms", "")
    columns = st.columns(2)
    if not source.endswith(space_picker.HIDDEN_SPACES):
        requested = {
            "Neighbors": ("neighbors", {"w": name, "ns": widgets.space_label(source), "mode": "A word"}),
            "Analogies": ("analogies", {"q": str(Term(1.0, name)), "space": widgets.space_label(source)}),
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


# What is selected


def selection_table(found: SpaceMap, own: Sequence[PlacedPoint], selected: Selection, source: str) -> None:
    """Every selected row with all that is known of it; all rows where none is selected."""
    n = len(found.space)
    rows = np.array(selected.rows, np.int64) if selected.count else np.arange(n + len(own))
    st.markdown(
        f"**{selected.count:,} of {n + len(own):,} points selected**"
        if selected.count
        else f"**{n + len(own):,} points**: click one, or draw a lasso or a box, to see only some"
    )
    made = table_of(found, own, rows)
    st.dataframe(
        made, height=320, hide_index=True, lazy=len(rows) > 5_000 or None, alt="The selected points", key="map_table"
    )
    downloads.columns(
        lambda: made,
        f"map-{source}-selected" if selected.count else f"map-{source}",
        "Selected points (CSV)" if selected.count else "All points (CSV)",
        "Every column and coordinate of these rows.",
    )


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


# State


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
        "from polysema.app.explorer import Explorer\nfrom polysema.core.maps.projection import MapOptions\n\n"
        f"explorer = Explorer()\nfound = explorer.map({query.name!r}, method={query.method!r}, "
        f"options=MapOptions({message}), n={query.n})\n"
        "positions, kept = found.map.positions, found.kept  # (n, 2 or 3), and (n,): the share of its neighbors "
        "that each kept\n"
        f"near = explorer.around(found, {query.name!r}, 0)  # of the first row: near.in_space, near.on_map"
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
    explorer = widgets.explorer()
    query = MapQuestion(name, explorer.stamp(name), number_of(many, space), method, options)
    if query.stamp is not None:
        space_picker.follow(name, query.stamp)
    with st.container():  # there in every run, so that what stands below keeps its place when the progress goes
        found, whole = laid_out(query, space)
    if found is None:
        return
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
        switch = st.segmented_control(
            "Neighbors",
            [IN_SPACE, ON_MAP],
            default=IN_SPACE,
            required=True,
            key="mnear",
            bind="query-params",
            help="The nearest by cosine among all rows of the space, or those that lie nearest on the picture.",
        )
        near = around(query, space, found, focus, own, whole)
    listed = () if near is None else near.in_space if switch == IN_SPACE else near.on_map
    shown = [other.row for other in listed if other.row < n]
    with left:
        selected = scatter(
            cloud((*query.key, whole, by, how.categories, tuple(one.text for one in own)), found, how, own),
            key="map_plot",
            alt=f"Map of {n:,} rows of {name} by {TITLES[found.map.method]}, colored by {by}",
            links=[(focus, other) for other in shown],
            label_rows=[focus, *shown, *range(n, n + len(own)), *names],
            highlight=list(dict.fromkeys([focus, *hits[:199]])),
            selected=[row for row in state.get("map_chosen", []) if row < n + len(own)],
            view=read_view(state.get("map_view", ""), found.map.positions.shape[1]),
            height=560,
        )
        st.caption(
            "Lines lead to the neighbors in the list. Distances on the picture are rough; the list is of the space."
        )
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
