"""The page Compare: which two spaces are compared, and how."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import streamlit as st

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import space_picker, widgets
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.pick import pick_source
from polysema.app.explorer.results import MatchedMaps
from polysema.core.maps.distance import MapMetric
from polysema.core.maps.methods import METHODS
from polysema.core.maps.options import MapOptions, changed_options
from polysema.core.progress import Progress

SIZES = {"500": 500, "1k": 1_000, "2k": 2_000, "5k": 5_000, "10k": 10_000}
TITLES = {METHODS[name].title: name for name in ("umap", "pca", "tsne")} | {"AlignedUMAP": "aligned-umap"}
SIDES, STEPS = "Side by side", "Step by step"
OVERLAP_VIEW = "what stayed"
EXAMPLES = {
    "a model's first and last layer": ("minilm-l6 (hidden states)", "minilm-l6 (hidden states)"),
    "GloVe and a model's input embeddings": ("glove-6b-50d", "minilm-l6 (input embeddings)"),
}


def use_example() -> None:
    """A chosen example becomes the two spaces."""
    chosen = EXAMPLES.get(st.session_state.get("compare_example") or "")
    known = {choices.source_label(name): name for name in choices.sources()}
    if chosen and all(label in known for label in chosen):
        st.session_state["a"], st.session_state["b"] = (known[label] for label in chosen)
    st.session_state["compare_example"] = None


def controls() -> tuple[str | None, str | None]:
    """The two spaces; None while a model is loaded."""
    start = f"{choices.models()[0]}{choices.HIDDEN_SPACES}" if choices.models() else ""
    start = "minilm-l6@" if "minilm-l6" in choices.models() else start
    columns = st.columns(2, gap="medium")
    query = (
        ("A", "a", "The space on the left: words' vectors, or hidden states at a layer."),
        ("B", "b", "The space on the right, with the same words or the same texts in it."),
    )
    picked = []
    for column, (label, key, ask) in zip(columns, query, strict=True):
        picked.append(pick_source(column, label, start, key, ask))
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


@dataclass(frozen=True, slots=True)
class Layout:
    """By which method and options the spaces are laid out."""

    method: str
    options: MapOptions

    @property
    def python(self) -> str:
        """The arguments that say so, as Python has them."""
        changed = changed_options(self.options)
        options = f", options=MapOptions({', '.join(f'{name}={value!r}' for name, value in changed.items())})"
        return f", method={self.method!r}{options if changed else ''}"


PLANE = Layout("pca", MapOptions())


def how() -> tuple[int, Layout, int, str]:
    """How many rows, laid out in which way, how many neighbors are compared, and in which view."""
    first, second, third, fourth, fifth = st.columns([2, 5, 2.2, 4, 2])
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
    method = TITLES.get(title or "", "umap")
    view = fourth.segmented_control(
        "View",
        [SIDES, STEPS],
        default=SIDES,
        required=True,
        key="cview",
        bind="query-params",
        help="Two maps with linked points, or one on which the points travel from A to B (through the layers between).",
    )
    layout = PLANE
    if method != PLANE.method:  # the principal components turn unit vectors and take no metric
        metric = fifth.selectbox(
            "Metric",
            [metric.value for metric in MapMetric],
            key="cmetric",
            bind="query-params",
            help="By which distance rows are neighbors.",
        )
        layout = Layout(method, MapOptions(metric=metric))
    return SIZES[many], layout, int(k), view or SIDES


def between(a: str, b: str) -> tuple[str, ...]:
    """The layers from a to b where both are of one model."""
    (one, _, first), (other, _, last) = a.partition(choices.HIDDEN_SPACES), b.partition(choices.HIDDEN_SPACES)
    source = f"{one}{choices.HIDDEN_SPACES}"
    known = space_picker.layers_of([source]) if one == other and first and last else None
    if known is None:
        return ()
    low, high = sorted((int(first), int(last)))
    layers = [layer for layer in known[source] if low < layer < high]
    return tuple(
        f"{one}{choices.HIDDEN_SPACES}{layer}" for layer in (layers if int(first) < int(last) else layers[::-1])
    )


def matched(
    a: str, b: str, n: int, k: int, layout: Layout, through: tuple[str, ...]
) -> tuple[MatchedMaps | None, tuple[object, ...]]:
    """The requested comparison, or its principal components until it is ready; and its cache key."""
    explorer = widgets.explorer()
    stamps = (explorer.stamp(a), explorer.stamp(b))

    def key(by: Layout) -> tuple[object, ...]:
        return ("matched", a, b, stamps, n, k, by, through)

    def work_by(by: Layout) -> Callable[[Progress], MatchedMaps]:
        return lambda progress: explorer.maps.matched(
            a, b, n, k, by.method, by.options, through=through, progress=progress
        )

    found = work.answer(key(layout), work_by(layout))
    if found is not None:
        return found, key(layout)
    query = widgets.jobs().find(key(layout))
    if layout == PLANE or query is None or (not query.pending and not query.stopping):
        return None, ()
    first = widgets.jobs().start(key(PLANE), work_by(PLANE))
    first.wait(3)
    if first.pending or first.failure is not None:
        return None, ()
    st.caption("Until the map is there, the principal components are shown, on one plane.")
    return cast(MatchedMaps, first.result()), key(PLANE)


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
        help=f"Both lists are of the rows nearest by {found.options.metric}, among the rows shown.",
    )
    st.caption(
        f"Matched by {found.by}: {found.matched:,} rows. Shown: {found.rule}. Left out, since the other has no "
        f"such row: {found.a.left_out:,} of {a}, "
        f"{found.b.left_out:,} of {b}. Two rows at random have cosine {found.a.baseline:.3f} in {a} and "
        f"{found.b.baseline:.3f} in {b}."
    )
