"""Compare: the same rows in two spaces, models or layers, side by side, and what changed in their neighborhoods."""

from collections.abc import Sequence
from html import escape
from typing import Any, cast

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st

from polysema.app.dashboard import downloads, permalink, point_colors, space_picker, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.components.points import Points, PublishedCloud, publish
from polysema.app.dashboard.components.scatter import Selection, read_view, scatter, write_view
from polysema.app.explorer.results import MatchedMaps, MatchedSide
from polysema.core.maps.overlap import Shift
from polysema.core.maps.projection import METHODS
from polysema.core.model.catalog import models_here
from polysema.core.space.label_search import labels_of
from polysema.core.space.space import Space

SIZES = {"500": 500, "1k": 1_000, "2k": 2_000, "5k": 5_000, "10k": 10_000}
TITLES = {METHODS[name].title: name for name in ("umap", "pca", "tsne")} | {"AlignedUMAP": "aligned-umap"}
SIDES, STEPS = "Side by side", "Step by step"
OVERLAP_VIEW = "what stayed"
EXAMPLES = {
    "a model's first and last layer": ("minilm-l6 (hidden states)", "minilm-l6 (hidden states)"),
    "GloVe and a model's input embeddings": ("glove-6b-50d", "minilm-l6 (input embeddings)"),
}
SECONDS_A_STEP = 1.4  # seconds for a step
# where the link says what a plot's camera sees
VIEWS = {"compare_a": "aview", "compare_b": "bview", "compare_steps": "sview"}


def use_example() -> None:
    """A chosen example becomes the two spaces."""
    chosen = EXAMPLES.get(st.session_state.get("compare_example") or "")
    known = {space_picker.source_label(name): name for name in space_picker.sources()}
    if chosen and all(label in known for label in chosen):
        st.session_state["a"], st.session_state["b"] = (known[label] for label in chosen)
    st.session_state["compare_example"] = None


def controls() -> tuple[str | None, str | None]:
    """The two spaces; None while a model is loaded."""
    start = f"{models_here()[0]}{space_picker.HIDDEN_SPACES}" if models_here() else ""
    start = "minilm-l6@" if "minilm-l6" in models_here() else start
    columns = st.columns(2, gap="medium")
    query = (
        ("A", "a", "The space on the left: words' vectors, or hidden states at a layer."),
        ("B", "b", "The space on the right, with the same words or the same texts in it."),
    )
    picked = []
    for column, (label, key, ask) in zip(columns, query, strict=True):
        with column:
            picked.append(space_picker.pick_source(label, start, key, ask))
    layers = space_picker.layers_of(picked)
    names = []
    for column, source, key in zip(columns, picked, ("la", "lb"), strict=True):
        with column:
            names.append(space_picker.pick_layer(source, layers[source], key, last=key == "lb") if layers else None)
    st.pills(
        "Examples",
        list(EXAMPLES),
        key="compare_example",
        on_change=use_example,
        label_visibility="collapsed",
        help="Two spaces that have rows in common.",
    )
    return names[0], names[1]


def how() -> tuple[int, str, int, str]:
    """How many rows, laid out by which method, how many neighbors are compared, and in which view."""
    first, second, third, fourth = st.columns([2, 4, 2, 4])
    many = first.selectbox(
        "Rows",
        list(SIZES),
        index=2,
        key="cn",
        bind="query-params",
        help="How many of the rows that match are shown: the first words, or occurrences spread evenly over the texts.",
    )
    title = second.segmented_control(
        "Map",
        list(TITLES),
        default="UMAP",
        required=True,
        key="cmap",
        bind="query-params",
        help="All spaces are laid out on one plane, each started from the other, so that what moves has moved.",
    )
    k = third.number_input(
        "Neighbors",
        1,
        50,
        10,
        key="ck_near",
        bind="query-params",
        help="How many nearest of each row are compared, among the rows shown.",
    )
    view = fourth.segmented_control(
        "View",
        [SIDES, STEPS],
        default=SIDES,
        required=True,
        key="cview",
        bind="query-params",
        help="Two maps with linked points, or one on which the points travel from A to B (through the layers between).",
    )
    return SIZES[many], TITLES.get(title or "", "umap"), int(k), view or SIDES


def between(a: str, b: str) -> tuple[str, ...]:
    """The layers from a to b where both are of one model."""
    (one, _, first), (other, _, last) = a.partition(space_picker.HIDDEN_SPACES), b.partition(space_picker.HIDDEN_SPACES)
    if one != other or not first or not last:
        return ()
    low, high = sorted((int(first), int(last)))
    layers = [layer for layer in widgets.explorer().corpus_layers(one) if low < layer < high]
    return tuple(
        f"{one}{space_picker.HIDDEN_SPACES}{layer}" for layer in (layers if int(first) < int(last) else layers[::-1])
    )


def matched(a: str, b: str, n: int, k: int, method: str, through: tuple[str, ...]) -> tuple[MatchedMaps | None, Any]:
    """The comparison asked for, or its principal components until it is there; and the key it is kept under."""
    explorer = widgets.explorer()
    stamps = (explorer.stamp(a), explorer.stamp(b))

    def key(by: str) -> tuple[object, ...]:
        return ("matched", a, b, stamps, n, k, by, through)

    def work_by(by: str) -> Any:
        return lambda progress: explorer.matched(a, b, n, k, by, through=through, progress=progress)

    found = work.answer(key(method), work_by(method))
    if found is not None:
        return cast(MatchedMaps, found), key(method)
    query = widgets.jobs().find(key(method))
    if method == "pca" or query is None or (not query.pending and not query.stopping):
        return None, None
    first = widgets.jobs().start(key("pca"), work_by("pca"))
    first.wait(3)
    if first.pending or first.failure is not None:
        return None, None
    st.caption("Until the map is there, the principal components are shown, on one plane.")
    return cast(MatchedMaps, first.result()), key("pca")


def example(found: MatchedMaps) -> int:
    """The row to look at before one is chosen: of those with a sense, or of all, the one that changed most."""
    columns = found.a.space.columns
    if columns is not None and "sense" in columns.column_names:
        senses = columns.column("sense").to_pylist()
        return next((int(row) for row in found.changed if senses[row]), int(found.changed[0]))
    return int(found.changed[0])


def show_notes(found: MatchedMaps) -> None:
    """How much stayed, and of which rows that is said."""
    a, b = (widgets.plain(side.name) for side in (found.a, found.b))
    st.markdown(
        f"Of a row's {found.k} nearest in **{a}**, **{float(found.overlap.mean()):.0%}** are among its {found.k} "
        f"nearest in **{b}** "
        f"(by chance {found.by_chance:.1%})",
        help="Both lists are exact, by the cosine, among the rows shown.",
    )
    st.caption(
        f"Matched by {found.by}: {found.matched:,} rows. Shown: {found.rule}. Left out, since the other has no "
        f"such row: {found.a.left_out:,} of {a}, "
        f"{found.b.left_out:,} of {b}. Two rows at random have cosine {found.a.baseline:.3f} in {a} and "
        f"{found.b.baseline:.3f} in {b}."
    )


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


@st.cache_resource(max_entries=32, show_spinner=False)
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


def plot(
    found: MatchedMaps,
    at: int,
    key: Any,
    how_: tuple[point_colors.PointColors, str],
    focus: int,
    near: Sequence[int],
    name: str,
) -> Selection:
    """The map of one side; lines lead from what is looked at to its neighbors there."""
    side = found.sides[at]
    selected = scatter(
        cloud((*key, at, how_[1]), side, found.a.space, how_[0]),
        key=name,
        alt=f"Map of {len(found):,} rows in {side.name}, colored by {how_[1]}",
        links=[(focus, other) for other in near],
        label_rows=[focus, *near],
        highlight=[focus],
        selected=[row for row in st.session_state.get("compare_chosen", []) if row < len(found)],
        view=read_view(st.query_params.get(VIEWS[name], "")),
        group="compare" if name != "compare_steps" else "",
        height=430,
    )
    permalink.put(VIEWS[name], write_view(selected.view))
    return selected


def side_by_side(found: MatchedMaps, key: Any, how_: tuple[point_colors.PointColors, str], focus: int) -> Selection:
    """Both maps; what is selected or hovered in one is in the other."""
    selected = Selection((), 0)
    for column, at, name in zip(
        st.columns(2, gap="medium"), (0, len(found.sides) - 1), ("compare_a", "compare_b"), strict=True
    ):
        side = found.sides[at]
        with column:
            st.markdown(
                f"**{'A' if at == 0 else 'B'}: {widgets.plain(side.name)}** · {float(side.kept.mean()):.0%} of "
                "the neighbors kept on the map"
            )
            near = side.neighbors.rows[focus, : found.k].tolist()
            selected = plot(found, at, key, how_, focus, near, name)
    return selected


def step_by_step(found: MatchedMaps, key: Any, how_: tuple[point_colors.PointColors, str], focus: int) -> None:
    """One map on which the points travel from side to side."""
    names = [side.name for side in found.sides]
    state = st.session_state

    @st.fragment(run_every=SECONDS_A_STEP if state.get("compare_playing") else None)
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
        at = names.index(step)
        near = found.sides[at].neighbors.rows[focus, : found.k].tolist()
        take(plot(found, at, key, how_, focus, near, "compare_steps"), focus)

    steps()


def take(selected: Selection, focus: int) -> None:
    """Keep what is selected; a click changes what is looked at."""
    state = st.session_state
    state["compare_chosen"] = list(selected.rows)
    fresh = selected.clicked is not None and selected.clicked != state.get("compare_clicked")
    state["compare_clicked"] = selected.clicked
    if fresh and selected.clicked != focus:
        state["compare_focus"] = selected.clicked
        st.rerun()


def neighbors(found: MatchedMaps, row: int) -> None:
    """The neighbors of a row in A and in B, with what was lost and gained."""
    labels = labels_of(found.a.space)
    stayed = found.stayed(row)
    lost, gained = found.lost(row), found.gained(row)
    text, start, end = _place(found.a.space, row)
    if text:
        st.html(f'<p class="ps-text">{widgets.marked(text, start, end)}</p>')
    st.markdown(
        f"**{widgets.plain(labels[row].as_py())}**: {len(stayed)} of {found.k} neighbors stayed, {len(lost)} "
        "were lost, as many gained"
    )
    in_a = sorted((*stayed, *lost), key=lambda shift: shift.rank_a)
    in_b = sorted((*stayed, *gained), key=lambda shift: shift.rank_b)
    gone, come = {shift.row for shift in lost}, {shift.row for shift in gained}
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"Nearest in A, {widgets.plain(found.a.name)}")
        notes = [
            f"− lost: rank {s.rank_b:,} in B" if s.row in gone else f"= stayed: rank {s.rank_b:,} in B" for s in in_a
        ]
        listed(found, [(s, s.cosine_a) for s in in_a], notes, found.a.baseline)
    with right:
        st.markdown(f"Nearest in B, {widgets.plain(found.b.name)}")
        notes = [
            f"+ gained: rank {s.rank_a:,} in A" if s.row in come else f"= stayed: rank {s.rank_a:,} in A" for s in in_b
        ]
        listed(found, [(s, s.cosine_b) for s in in_b], notes, found.b.baseline)
    downloads.numbers(
        lambda: [
            {
                "name": labels[s.row].as_py(),
                "row": s.row + 1,
                "change": what,
                "rank in A": s.rank_a,
                "rank in B": s.rank_b,
                "cosine in A": s.cosine_a,
                "cosine in B": s.cosine_b,
                "random pair in A": found.a.baseline,
                "random pair in B": found.b.baseline,
            }
            for what, shifts in (("stayed", stayed), ("lost", lost), ("gained", gained))
            for s in shifts
        ],
        "compare-neighbors",
        "Neighbors (CSV)",
    )


def listed(found: MatchedMaps, rows: Sequence[tuple[Shift, float]], notes: Sequence[str], baseline: float) -> None:
    """Neighbors with their cosines; where they stand in texts, the texts."""
    labels = labels_of(found.a.space)
    places = [_place(found.a.space, shift.row) for shift, _ in rows]
    if any(text for text, _, _ in places):
        widgets.sentences(
            [
                (*place, f"cosine {score:.3f} · {escape(note)}")
                for place, (_, score), note in zip(places, rows, notes, strict=True)
            ]
        )
        st.caption(f"Two rows taken at random have cosine {baseline:.3f}: read the numbers beside that.")
    else:
        widgets.bars([(labels[shift.row].as_py(), score) for shift, score in rows], baseline=baseline, notes=notes)
        st.caption(widgets.beside(baseline))


def _place(space: Space, row: int) -> tuple[str, int, int]:
    one = space.columns.slice(row, 1).to_pylist()[0] if space.columns is not None else {}
    text = str(one.get("text") or "")
    return (text, *point_colors.mark(text, one.get("start"), one.get("end")))


def table(found: MatchedMaps, chosen: Sequence[int]) -> int | None:
    """All rows, or those selected, those first that changed most or least; returns the one that is chosen in it."""
    order = st.segmented_control(
        "First",
        ["changed most", "changed least"],
        default="changed most",
        required=True,
        key="corder",
        bind="query-params",
        help="In which order the rows stand; a click on a column's head sorts by it.",
    )
    rows = found.changed if order == "changed most" else found.changed[::-1]
    if chosen:
        rows = rows[np.isin(rows, np.array(chosen))]
    made = table_of(found, rows)
    st.markdown(
        f"**{len(rows):,} rows**" + (" selected" if chosen else "; choose one to see its neighbors in both spaces")
    )
    event = st.dataframe(
        made,
        height=300,
        hide_index=True,
        lazy=False,
        on_select="rerun",
        selection_mode="single-row",
        key="compare_table",
        alt="Rows and how much of their neighborhood stayed",
        column_order=[name for name in made.column_names if name not in ("text_id", "start", "end")],
    )
    downloads.columns(
        lambda: made, "compare-rows", "Rows (CSV)", "Every row shown, what stayed, and its place on both maps."
    )
    picked = list(event["selection"]["rows"])
    return int(rows[picked[0]]) if picked and picked[0] < len(rows) else None


def table_of(found: MatchedMaps, rows: "np.typing.NDArray[np.int64]") -> pa.Table:
    """Name, share that stayed, columns, and places on both maps."""
    taken = pa.array(rows)
    columns: dict[str, Any] = {"name": labels_of(found.a.space).take(taken), "stayed": pa.array(found.overlap[rows])}
    if found.a.space.columns is not None:
        space = found.a.space.columns.take(taken)
        columns |= {
            name: space.column(name) for name in space.column_names if name not in ("word", "layer", "name", "stayed")
        }
    for side, letter in ((found.a, "A"), (found.b, "B")):
        columns |= {f"{axis} in {letter}": pa.array(side.positions[rows, place]) for place, axis in enumerate("xy")}
    return pa.table(columns)


def distribution(found: MatchedMaps) -> None:
    """How many rows kept how many of their neighbors."""
    counts = np.bincount(np.round(found.overlap * found.k).astype(int), minlength=found.k + 1)
    st.markdown("How many rows kept how many of their neighbors")
    rows = [{"stayed": kept, "rows": int(many)} for kept, many in enumerate(counts)]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("stayed:O", title=f"neighbors of {found.k} that stayed", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("rows:Q", title="rows"),
        tooltip=["stayed", "rows"],
    )
    downloads.chart(
        base.mark_bar(color=downloads.FILL).properties(height=240),
        "How many rows kept how large a share of their neighbors",
    )
    downloads.numbers(lambda: rows, "what-stayed")


def restore(a: str, b: str) -> None:
    """Take up what the link holds; forget what belongs to other spaces."""
    state = st.session_state
    if "compare_of" in state and state["compare_of"] != (a, b):
        for name in ("compare_focus", "compare_chosen", "compare_clicked", "compare_picked"):
            state.pop(name, None)
        for name in VIEWS.values():
            permalink.put(name, "")
    state["compare_of"] = (a, b)
    current = permalink.restore("compare")
    focus = current.get("focus")
    if current:
        state["compare_chosen"] = permalink.unpack(current.get("chosen"))
    if type(focus) is int and focus >= 0:
        state["compare_focus"] = focus
    elif current:
        state.pop("compare_focus", None)


def page() -> None:
    """The page."""
    widgets.title(
        "Compare",
        "The same words or the same occurrences in two spaces. Where neighborhoods differ, the two know different "
        "things about a word.",
    )
    a, b = controls()
    n, method, k, view = how()
    if a is None or b is None or any(space_picker.without_rows(name) for name in dict.fromkeys((a, b))):
        return
    restore(a, b)
    through = between(a, b) if view == STEPS else ()
    with st.container():  # there in every run, so that what stands below keeps its place when the progress goes
        found, key = matched(a, b, n, k, method, through)
    if found is None:
        return
    state = st.session_state
    left, right = st.columns([8, 4], gap="medium")
    with left:
        show_notes(found)
        widgets.notes(found, *(side.space for side in found.sides))
    with right:
        how_ = color(found)
    focus = state.get("compare_focus")
    if not isinstance(focus, int) or not 0 <= focus < len(found):
        focus = example(found)
    if view == STEPS:
        step_by_step(found, key, how_, focus)
    else:
        take(side_by_side(found, key, how_, focus), focus)
    chosen = state.get("compare_chosen", [])
    left, right = st.columns([7, 5], gap="medium")
    with left:
        picked = table(found, chosen)
    with right:
        distribution(found)
    if picked is not None and picked != state.get("compare_picked"):
        state["compare_picked"] = picked
        state["compare_focus"] = picked
        st.rerun()
    state["compare_picked"] = picked
    permalink.keep(
        "compare", {"focus": state.get("compare_focus"), "chosen": permalink.pack(chosen)}, views=("chosen",)
    )
    neighbors(found, focus)
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n\n"
        f"found = Explorer().matched({a!r}, {b!r}, n={n}, k={k}, "
        f"method={method!r}{f', through={list(through)!r}' if through else ''})\n"
        "for row in found.changed[:10]:\n    print(found.a.space.keys[int(row)], found.overlap[row], "
        "found.lost(int(row)), found.gained(int(row)))",
        "The map of each space starts from their joint plane and is held near the next one's, so that what "
        "moves between two has moved. "
        f"{widgets.plain(found.a.space.origin.card())}. {widgets.plain(found.b.space.origin.card())}.",
    )


page()
