"""The methods that lay a map out, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from polysema.core.errors import UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.maps.distance import MapMetric
from polysema.core.maps.fuzzy_graph import SMOOTHED, Graph, fuzzy_union, smoothed_start
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MAX_COMPONENTS, PICTURE_COMPONENTS, MapOptions
from polysema.core.maps.target import MapTarget
from polysema.core.maps.umap_layout import Descent, Edges, descend
from polysema.core.progress import Progress
from polysema.core.space.array_types import Floats, RandomKeys

LONG, SHORT = 500, 200  # epochs of a map of up to FEW points, and of more: umap-learn's numbers
SMALL_MAP_POINTS = 10_000
START_EXTENT = 10.0  # the largest coordinate of the positions that UMAP starts from, as in umap-learn
LEARNING_RATE_ANCHORED = 0.3  # the learning rate of a layer whose points are anchored to another's
DENSMAP_EXTRA_EPOCHS = 200  # epochs that densMAP has beyond UMAP's


@dataclass(frozen=True, slots=True, eq=False)
class MapRows:
    """What a method lays out: `vectors` (n, dim) as `map_points` makes them, their neighbors, and where each starts
    (n, n_components).

    `anchor`, in UMAP's units, is the anchor of each point: its position on the next layer. `smooth` says that the
    start may be changed. `target` supervises. A method adds to `notes` what the map's reader must know.
    """

    vectors: Floats
    options: MapOptions
    knn: Neighbors | None
    start: Floats
    progress: Progress
    anchor: Floats | None = None
    smooth: bool = False
    notes: list[str] = field(default_factory=list)
    target: MapTarget | None = None


@dataclass(frozen=True, slots=True)
class MapMethod:
    """A row of the table of methods: `neighbors(options)` is how many of each point's neighbors it needs.

    A method without neighbors has no metric. `n_components` is the most dimensions that it lays out; `supervised` says
    that a target may be given.
    """

    title: str
    lay_out: Callable[[MapRows], Floats]
    neighbors: Callable[[MapOptions], int] = field(default=lambda options: 0)
    few: int = 0  # fewer points than this: the principal plane says all there is
    n_components: int = MAX_COMPONENTS
    supervised: bool = False


def _pca(points: MapRows) -> Floats:
    return points.start


def _umap(points: MapRows) -> Floats:
    """UMAP (McInnes et al. 2018) from its neighbors on, with loops of our own: umap-learn's steps and numbers."""
    graph, start, keys = umap_inputs(points)
    n_epochs = points.options.n_epochs or (LONG if len(start) <= SMALL_MAP_POINTS else SHORT)
    alpha = 1.0 if points.anchor is None else LEARNING_RATE_ANCHORED
    how = replace(descent_options(points.options, n_epochs), alpha=alpha, anchor=points.anchor)
    return descend(start, Edges.of(graph, n_epochs), keys, how, points.progress)


def descent_options(options: MapOptions, n_epochs: int) -> Descent:
    """The options of a map as those of the descent."""
    return Descent(options.spread, options.min_dist, n_epochs, options.negative_sample_rate)


def umap_inputs(points: MapRows) -> tuple[Graph, Floats, RandomKeys]:
    """The fuzzy graph, the start in UMAP's units with a little noise, and each point's key of its random sequence."""
    assert points.knn is not None
    n = len(points.vectors)
    graph = fuzzy_union(points.knn)
    if points.target is not None:
        graph = points.target.met(graph, points.options.target_weight, points.options.n_neighbors)
    start = smoothed_start(points.start, graph, points.progress) if n > SMOOTHED and points.smooth else points.start
    start = start * np.float32(START_EXTENT / max(float(np.abs(start).max()), 1e-9))
    if points.anchor is not None:
        start = points.anchor
    rng = np.random.default_rng(points.options.seed)
    noise = rng.normal(scale=1e-4 * START_EXTENT, size=start.shape)  # equal vectors must be able to part
    return graph, np.ascontiguousarray(start + noise, np.float32), rng.integers(0, 2**62, n).astype(np.uint64)


def _densmap(points: MapRows) -> Floats:
    """densMAP (Narayan et al. 2021): UMAP whose last epochs also fit how far points lie apart to their density.

    umap-learn's numbers: 200 epochs more, the density in the last 30 % of them.
    """
    assert points.knn is not None
    graph, start, keys = umap_inputs(points)
    n_epochs = points.options.n_epochs or DENSMAP_EXTRA_EPOCHS + (LONG if len(start) <= SMALL_MAP_POINTS else SHORT)
    edges = Edges.of(graph, n_epochs)
    goal = _standard(_log_radii_in_space(points.knn, edges))
    how = replace(descent_options(points.options, n_epochs), goal=goal, dens_lambda=points.options.dens_lambda)
    return descend(start, edges, keys, how, points.progress)


def _log_radii_in_space(knn: Neighbors, edges: Edges) -> Floats:
    """The log of each point's local radius in the space: the mean squared distance over its edges by their weights."""
    with IMPORTING:
        from scipy.sparse import csr_array
    n, k = knn.rows.shape
    tail = edges.heads()
    # 1 is added, so that a distance of 0 is an entry of the array too
    table = csr_array((knn.distances.ravel() + 1, knn.rows.ravel(), np.arange(0, n * k + 1, k)), (n, n))
    lengths = np.asarray(table.maximum(table.T.tocsr()).tocsr()[tail, edges.neighbors]).ravel() - 1
    weights = 1 / edges.every.astype(np.float64)
    squares = np.bincount(tail, weights * lengths**2, n) + np.bincount(edges.neighbors, weights * lengths**2, n)
    sums = np.bincount(tail, weights, n) + np.bincount(edges.neighbors, weights, n)
    radii: Floats = np.log(1e-8 + squares / np.maximum(sums, 1e-12)).astype(np.float32)
    return radii


def _standard(values: Floats) -> Floats:
    spread = float(values.std())
    return ((values - values.mean()) / spread).astype(np.float32) if spread > 0 else np.zeros_like(values)


def _tsne(points: MapRows) -> Floats:
    """t-SNE over the neighbors that are there already."""
    from polysema.core.maps.tsne import tsne

    assert points.knn is not None
    positions, note = tsne(points.knn, points.start, points.options, points.progress)
    if note:
        points.notes.append(note)
    return positions


def _umap_learn(points: MapRows) -> Floats:
    """UMAP by umap-learn, for whoever wants its very own."""
    from polysema.core.maps.umap_learn import MapGraphInput, umap_learn

    assert points.knn is not None
    options, target = points.options, points.target
    how: dict[str, float | int | str | None] = {
        "metric": options.metric,
        "min_dist": options.min_dist,
        "spread": options.spread,
        "n_epochs": options.n_epochs,
        "negative_sample_rate": options.negative_sample_rate,
        "random_state": options.seed,
    }
    start = points.start * np.float32(START_EXTENT / max(float(np.abs(points.start).max()), 1e-9))
    y = None
    if target is not None:
        y = target.codes if target.codes is not None else target.numbers
        how |= {"target_metric": "categorical" if target.codes is not None else "l2"}
        how |= {"target_weight": options.target_weight}
        if target.codes is None and target.missing.any():
            raise UserError(
                f"umap-learn is supervised by numbers where every row has one; {int(target.missing.sum()):,} rows have "
                f"no {target.name}: choose the method umap"
            )
    return umap_learn(MapGraphInput(points.vectors, points.knn, y), start, how, points.progress)


def _umap_neighbors(options: MapOptions) -> int:
    return options.n_neighbors - 1


METHODS: dict[str, MapMethod] = {
    "pca": MapMethod("PCA", _pca),
    "umap": MapMethod("UMAP", _umap, _umap_neighbors, 4, supervised=True),
    "densmap": MapMethod("densMAP", _densmap, _umap_neighbors, 6),
    "umap-learn": MapMethod("umap-learn", _umap_learn, _umap_neighbors, 4, supervised=True),
    "tsne": MapMethod("t-SNE", _tsne, lambda options: int(3 * options.perplexity) + 1, 4, PICTURE_COMPONENTS),
}
ALIGNED = "aligned-umap"  # of several layers only


def check_method(method: str, others: Sequence[str] = ()) -> str:
    """The method's name; raises `UserError` naming those that exist."""
    if method in METHODS or method in others:
        return method
    raise UserError(f"map method {method!r} does not exist; choose one of {', '.join([*METHODS, *others])}")


def check_options(method: str, options: MapOptions) -> str:
    """The method's name, where it takes these options.

    Raises `UserError` for a method that isn't there, a metric that it doesn't take, a target where nothing is
    supervised, and more dimensions than it lays out.
    """
    chosen = METHODS[check_method(method)]
    check_metric(method, options)
    if options.target and not chosen.supervised:
        names = " or ".join(name for name, one in METHODS.items() if one.supervised)
        raise UserError(f"{method} is not supervised; got target {options.target!r}: choose {names}")
    if options.n_components > chosen.n_components:
        names = ", ".join(name for name, one in METHODS.items() if one.n_components >= options.n_components)
        raise UserError(
            f"{method} lays out 2 to {chosen.n_components} dimensions; got {options.n_components}: "
            f"choose one of {names}"
        )
    return method


def check_together(method: str, options: MapOptions) -> str:
    """The method's name, where several spaces are laid out together by it and these options.

    Raises `UserError` for a method that isn't there, a metric that it doesn't take, a target, or more dimensions than
    can be drawn.
    """
    check_method(method, (ALIGNED,))
    check_metric(method, options)
    if options.target:
        raise UserError(f"several spaces laid out together are not supervised; got target {options.target!r}")
    if options.n_components > PICTURE_COMPONENTS:
        raise UserError(
            f"several spaces are laid out together in 2 to {PICTURE_COMPONENTS} dimensions; got {options.n_components}"
        )
    return method


def check_metric(method: str, options: MapOptions) -> None:
    """Raise `UserError` for a metric that the method doesn't take."""
    if method == "pca" and options.distance is not MapMetric.COSINE:
        names = ", ".join(name for name in METHODS if name != method)
        raise UserError(
            f"pca takes no metric, it turns unit vectors; got metric {options.metric!r}: choose one of {names}"
        )


def n_neighbors_of(method: str, options: MapOptions, n: int) -> int:
    """How many neighbors of each of n points a method needs, 0 where it needs none."""
    chosen = METHODS[check_method(method)]
    return 0 if n < chosen.few else min(chosen.neighbors(options), n - 1)
