"""The page Map: the method that lays the points out, and its options."""

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from polysema.core.maps.distance import MapMetric
from polysema.core.maps.methods import METHODS
from polysema.core.maps.options import MapOptions
from polysema.core.maps.target import target_names
from polysema.core.space.space import Space

NO_TARGET = "no column"
TITLES = {name: method.title for name, method in METHODS.items() if name != "umap-learn"}  # the same map, slower
MAP_NOTES = {
    "pca": "the two (or three) directions in which the points differ most; straight, so far stays far, but much is "
    "hidden",
    "umap": "keeps neighborhoods; how far two groups lie apart means little",
    "densmap": "UMAP that also keeps how dense a place is",
    "tsne": "keeps the nearest neighbors; sizes and distances of groups mean little",
}


@dataclass(frozen=True, slots=True)
class MapChoice:
    """How points are laid out."""

    method: str
    options: MapOptions


def pick_method() -> tuple[str, bool]:
    """The method, and whether in three dimensions."""
    title = st.segmented_control(
        "Method",
        list(TITLES.values()),
        default=TITLES["umap"],
        required=True,
        key="mm",
        bind="query-params",
        help=". ".join(f"{TITLES[name]}: {message}" for name, message in MAP_NOTES.items()) + ".",
    )
    method = next((name for name, shown in TITLES.items() if shown == title), "umap")
    dimensions = st.segmented_control(
        "Dimensions",
        ["2D", "3D"],
        default="2D",
        required=True,
        key="mdim",
        bind="query-params",
        help="A plane, or a space to turn.",
    )
    return method, dimensions == "3D"


def options_of(method: str, three: bool) -> MapOptions:
    """The method's options, under the field's names; only those that it takes decide which map it is."""
    chosen: dict[str, Any] = {"n_components": 3 if three else 2}
    if method in ("umap", "densmap"):
        chosen["n_neighbors"] = int(
            st.number_input(
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
            st.number_input(
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
            st.number_input(
                "perplexity",
                1.0,
                200.0,
                30.0,
                1.0,
                key="perplexity",
                bind="query-params",
                help="How many neighbors of a point the method takes into account.",
            )
        )
    if method != "pca":
        chosen["seed"] = int(
            st.number_input(
                "seed", 0, 2**32 - 1, 0, key="mseed", bind="query-params", help="The same seed gives the same map."
            )
        )
        chosen["metric"] = st.selectbox(
            "metric",
            [metric.value for metric in MapMetric],
            key="mmetric",
            bind="query-params",
            help="By which distance points are neighbors: cosine and correlation leave the lengths of the vectors out.",
        )
    measured = "It turns unit vectors" if method == "pca" else f"The metric is {chosen['metric']}"
    st.caption(f"{TITLES[method]}: {MAP_NOTES[method]}. {measured}. The map starts from the principal plane.")
    return MapOptions(**chosen)


def supervised(drawer: DeltaGenerator, space: Space, choice: MapChoice) -> MapOptions:
    """The options with the column that supervises the map, where the method and the space have such."""
    columns = [] if space.columns is None else target_names(space.columns.schema)
    if not METHODS[choice.method].supervised or not columns:
        return choice.options
    with drawer:
        target = st.selectbox(
            "Supervised by",
            [NO_TARGET, *columns],
            key="mtarget",
            bind="query-params",
            help="A column whose values draw their points together: categories, or numbers and dates. The groups that "
            "are seen then are partly its own making.",
        )
        if target == NO_TARGET or target not in columns:
            return choice.options
        weight = st.slider(
            "target_weight",
            0.0,
            1.0,
            0.5,
            0.05,
            key="mweight",
            bind="query-params",
            help="How much the column counts beside the vectors, 0 to 1.",
        )
    return replace(choice.options, target=target, target_weight=float(weight))
