"""The page Map: what is laid out, by which method, and the map itself with its quality."""

from dataclasses import dataclass, replace
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import space_picker, widgets
from polysema.app.dashboard.decorators import cached_resource
from polysema.app.dashboard.map.layout_options import TITLES, MapChoice, options_of, pick_method
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.pick import pick_source
from polysema.app.explorer.results import SpaceMap
from polysema.core.maps.options import MapOptions
from polysema.core.maps.positions import align, scaled_to_unit
from polysema.core.maps.snapshots import watched_layout
from polysema.core.progress import Progress
from polysema.core.space.space import Floats, Space

MAX_POINTS = 400_000
SIZES = {"1k": 1_000, "10k": 10_000, "50k": 50_000, "100k": 100_000, "400k": MAX_POINTS, "all": MAX_POINTS}
FIRST_PICTURE_SECONDS = 2
MAP_NEIGHBORS = 10  # neighbors in the lists and in the measure
IN_SPACE, ON_MAP = "in the space", "on the map"


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


@dataclass(frozen=True, slots=True, eq=False)
class MapView:
    """The map that is shown, whether it is the one that was requested, and else the number of the picture before it."""

    found: SpaceMap
    whole: bool
    number: int = 0


@dataclass(frozen=True, slots=True)
class MapPlaces:
    """Where the parts of the page stand: the rest of the bar, the plot, and the inspector beside it."""

    bar: DeltaGenerator
    plot: DeltaGenerator
    inspector: DeltaGenerator


def controls() -> tuple[str | None, str, MapChoice, DeltaGenerator]:
    """The space (None while its model is loaded), how many points, and how they are laid out; in a bar.

    The last is the drawer of the layout's options, where those stand that need the space.
    """
    # controls of two pages that share a key would share their values: `space` in a link is taken as ours
    if (query := st.query_params.get("space")) is not None:
        labels = {choices.source_label(name): name for name in choices.sources()}
        named = labels.get(query, query if query in labels.values() else None)
        st.query_params.pop("space")
        st.query_params["ms"] = query if named is None else choices.source_label(named)
        if named is not None:
            st.session_state["ms"] = named  # for the control, which reads the address before the page runs
    source = pick_source(
        st.container(width=210),
        "Space",
        "glove-6b-50d",
        "ms",
        "Vectors of words, a collection, or every word of the corpus of senses at a layer of a model.",
    )
    with st.container(width=96):
        many = st.selectbox(
            "Points",
            list(SIZES),
            index=1,
            key="mn",
            bind="query-params",
            help=f"How many of the first rows are shown; all of them up to {MAX_POINTS:,}.",
        )
    layers = space_picker.layers_of([source])
    drawer = st.popover(
        "Layout", key="map_drawer", width=110, help="The method that lays the points out, and its options."
    )
    with drawer:
        method, three = pick_method()
        name = space_picker.pick_layer(source, layers[source], "mlayer") if layers else None
        options = options_of(method, three)
    return name, many, MapChoice(method, options), drawer


def number_of(many: str, space: Space) -> int:
    """How many rows are shown; says so when they are fewer than requested, or not all."""
    wanted, n = SIZES[many], len(space)
    if n > MAX_POINTS and wanted == MAX_POINTS:
        st.caption(f"{n:,} rows are in this space; the first {MAX_POINTS:,} are shown.")
    elif wanted > n and many != "all":
        all_rows = "is 1 row in this space, and it is" if n == 1 else f"are {n:,} rows in this space: all of them are"
        st.caption(f"There {all_rows} shown.")
    return min(wanted, n)


class Settling:
    """The latest positions of a map that is being laid out."""

    def __init__(self) -> None:
        self.number = 0
        self.positions: Floats | None = None

    def take(self, positions: Floats) -> None:
        """The layout has come to new positions."""
        self.positions, self.number = positions, self.number + 1


@cached_resource(16)
def settling(key: tuple[object, ...]) -> Settling:
    """What is known of the map under that key while it is made, for all who wait for it."""
    return Settling()


def laid_out(query: MapQuestion, space: Space) -> MapView | None:
    """The map; until it is there the first two principal components, or how far it has settled."""
    explorer = widgets.explorer()
    state = settling(query.key)

    def make(progress: Progress) -> SpaceMap:
        with watched_layout(state.take):
            return explorer.maps.map(space, query.method, query.options, query.n, MAP_NEIGHBORS, progress)

    found = work.answer(query.key, make, fresh=lambda: state.number)
    if found is not None:
        state.positions = None
        return MapView(found, True)
    plane = MapOptions(n_components=query.options.n_components)
    first = widgets.jobs().start(
        ("first picture", query.name, query.stamp, query.n, plane),
        lambda progress: explorer.maps.map(space, "pca", plane, query.n, 0, progress),
    )
    first.wait(FIRST_PICTURE_SECONDS)
    if first.failure is not None:
        return None  # of what can't be mapped at all the map's own work has said why
    if first.pending:
        work.watch(first)  # it still comes
        return None
    begun = cast(SpaceMap, first.result())
    number, positions = state.number, state.positions
    if positions is None or positions.shape != begun.map.positions.shape:
        st.caption(f"Shown here: the first {'three' if plane.n_components == 3 else 'two'} principal components.")
        return MapView(begun, False)
    st.caption(f"{TITLES[query.method]} is settling.")
    settled = align(scaled_to_unit(positions), begun.map.positions)
    return MapView(replace(begun, map=replace(begun.map, positions=settled)), False, number)


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
