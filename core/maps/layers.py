"""The same points at several layers laid out on one plane."""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from polysema.core.errors import IncompatibleError
from polysema.core.maps.distance import MapMetric, map_points
from polysema.core.maps.fuzzy_graph import shared_neighbors
from polysema.core.maps.methods import (
    ALIGNED,
    METHODS,
    SHORT,
    MapRows,
    check_method,
    check_metric,
    descent_options,
    n_neighbors_of,
    umap_inputs,
)
from polysema.core.maps.neighbors import Neighbors, search_neighbors
from polysema.core.maps.options import MapOptions
from polysema.core.maps.pca import principal_plane
from polysema.core.maps.positions import align, rms_radius, rotation_onto, scaled_to_unit
from polysema.core.maps.umap_layout import Edges, Epochs, back, dealing
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats

JOINT_COMPONENTS = 50  # principal components of each layer that are turned onto each other
ALIGNMENT, WINDOW = 0.01, 3  # AlignedUMAP's regularization, and the layers to each side that it reaches: umap-learn's


def joint_planes(layers: Sequence[Floats], n_components: int = 2, metric: MapMetric = MapMetric.COSINE) -> list[Floats]:
    """The same n points at several layers on one plane, linearly: for each layer (n, n_components).

    Each layer's principal components, of what the metric compares (unit vectors by the cosine) scaled to one size, are
    turned onto those of the layer after it (orthogonal Procrustes, Schönemann 1966), and the plane is the principal
    plane of all of them together: one turn for each layer, so that what moves between two layers has moved.
    """
    width = max(n_components, min(JOINT_COMPONENTS, *(min(layer.shape) for layer in layers)))
    turned: list[Floats] = []
    for layer in reversed(layers):
        points = map_points(layer, metric)
        components = scaled_to_unit(principal_plane(points, width).project(points))
        turned.append(align(components, turned[-1]) if turned else components)
    plane = principal_plane(np.concatenate(turned), n_components)
    return [scaled_to_unit(plane.project(components)) for components in turned[::-1]]


def layered_maps(
    layers: Sequence[Floats],
    method: str = "umap",
    options: MapOptions | None = None,
    progress: Progress = no_progress,
    precomputed_knn: Sequence[Neighbors] | None = None,
) -> list[Floats]:
    """The same n points at several layers on one plane: for each layer (n, n_components).

    All start from their joint plane. The last layer is laid out first; in every layer before it a point is anchored
    near where it lies on the layer after, and the layer is turned onto that one: so a point travels smoothly when the
    layers are stepped through. `aligned-umap` lays all of them out at once (AlignedUMAP). `precomputed_knn` holds the
    neighbors at each layer. Raises `UserError` for a method that isn't there and layers that don't have the same
    points.
    """
    options = options or MapOptions()
    check_metric(check_method(method, (ALIGNED,)), options)
    if not layers or any(len(layer) != len(layers[0]) for layer in layers):
        raise IncompatibleError(
            f"layers of one map hold the same points; got {[len(layer) for layer in layers]} points"
        )
    starts = joint_planes(layers, options.n_components, options.distance)
    base = "umap" if method == ALIGNED else method
    k = n_neighbors_of(base, options, len(layers[0]))
    if not k:
        progress("lay out", len(layers), len(layers))
        return starts
    if precomputed_knn is not None and len(precomputed_knn) != len(layers):
        raise IncompatibleError(f"precomputed_knn holds {len(precomputed_knn)} layers' neighbors of {len(layers)}")

    def message(stage: str, done: int, total: int) -> None:
        progress(stage, place_, len(layers))

    def points(at: int, anchor: Floats | None = None) -> MapRows:
        compared, metric = map_points(layers[at], options.distance), options.distance
        n = len(compared)
        knn = precomputed_knn[at].within(n, n, k) if precomputed_knn else search_neighbors(compared, k, message, metric)
        return MapRows(compared, options, knn, starts[at], message, anchor)

    place_ = 0
    if method == ALIGNED and len(layers) > 1:
        return _aligned_umap([points(at) for at in range(len(layers))], progress)
    maps: list[Floats] = []
    laid: Floats | None = None
    for place_ in range(len(layers)):
        progress("lay out", place_, len(layers))
        at = len(layers) - 1 - place_
        laid = METHODS[base].lay_out(points(at, laid if base == "umap" else None))
        maps.append(align(scaled_to_unit(laid), maps[-1] if maps else starts[at]))
    progress("lay out", len(layers), len(layers))
    return maps[::-1]


def _aligned_umap(layers: Sequence[MapRows], progress: Progress) -> list[Floats]:
    """AlignedUMAP (McInnes 2020, in umap-learn): all layers are laid out in turn, an epoch each, and pull each other.

    A point is drawn to where it lies on the layers up to `WINDOW` away, by the share of its neighbors that are the
    same there and by umap-learn's weights. umap-learn pulls at every move of a point, here it is once an epoch, by as
    much as so many pulls would; all start from the joint plane, where umap-learn turns spectral starts onto each other.
    """
    options, n = layers[0].options, len(layers[0].vectors)
    n_epochs, rate = options.n_epochs or SHORT, options.negative_sample_rate
    graphs, positions, all_keys = (
        list(parts) for parts in zip(*(umap_inputs(points) for points in layers), strict=True)
    )
    order = dealing(n)
    graphs, positions = [graph[order][:, order] for graph in graphs], [start[order] for start in positions]
    edges = [Edges.of(graph, n_epochs) for graph in graphs]
    # how often a point is moved in an epoch: by its own edges with their pushes, and by those of others
    moves = [
        np.add.reduceat(np.append(1 / each.every, 0), np.minimum(each.first[:-1], len(each.every))) * (2 + rate)
        for each in edges
    ]
    pulls = {
        (at, to): ALIGNMENT * np.exp(1 - abs(to - at)) * shared_neighbors(graphs[at], graphs[to])
        for at in range(len(layers))
        for to in range(max(0, at - WINDOW), min(len(layers), at + WINDOW + 1))
        if to != at
    }
    how = descent_options(options, n_epochs)
    with ExitStack() as stack:
        epochs = [
            stack.enter_context(Epochs(*each, how))
            for each in zip(positions, edges, [keys[order] for keys in all_keys], strict=True)
        ]
        for now in range(1, n_epochs + 1):
            alpha = 1 - (now - 1) / n_epochs
            for at, laid in enumerate(positions):
                progress("lay out", (now - 1) * len(layers) + at, n_epochs * len(layers))
                epochs[at].draw(now, alpha)
                near = [(to, pulls[at, to][:, None]) for to in range(len(layers)) if (at, to) in pulls]
                strength = sum((pull for _, pull in near), np.zeros((n, 1)))
                goal = sum((pull * positions[to] for to, pull in near), np.zeros_like(laid)) / np.maximum(
                    strength, 1e-9
                )
                way = 1 - (1 - np.minimum(alpha * strength, 1)) ** moves[at][:, None]
                laid += (way * (goal - laid)).astype(np.float32)
    positions = [laid[back(order)] for laid in positions]
    progress("lay out", n_epochs * len(layers), n_epochs * len(layers))
    everything = np.concatenate(positions)
    turn = rotation_onto(everything, np.concatenate([points.start for points in layers]))
    return [((laid - everything.mean(axis=0)) @ turn / rms_radius(everything)).astype(np.float32) for laid in positions]
