"""Maps: many dimensions laid out on two or three, and the same points at several layers laid out together."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.import_lock import IMPORTING
from polysema.core.maps.pca import Plane, principal_plane
from polysema.core.maps.umap_layout import Descent, Edges, Epochs, back, dealing, descend, descend_among
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Ints

SEED = 0
LONG, SHORT = 500, 200  # epochs of a map of up to FEW points, and of more: umap-learn's numbers
SMALL_MAP_POINTS = 10_000
JOINT_COMPONENTS = 50  # principal components of each layer that are turned onto each other
START_EXTENT = 10.0  # the largest coordinate of the positions that UMAP starts from, as in umap-learn
SMOOTHED, SMOOTHING = 2_048, 60  # points from which on the start is smoothed by the graph, and in how many steps
BLOCK_ROWS = 512  # points whose neighbors are searched at a time where none are handed in
ALIGNMENT, WINDOW = 0.01, 3  # AlignedUMAP's regularization, and the layers to each side that it reaches: umap-learn's
LEARNING_RATE_ANCHORED = 0.3  # the learning rate of a layer whose points are anchored to another's
DENSMAP_EXTRA_EPOCHS = 200  # epochs that densMAP has beyond UMAP's
SAME_DIRECTION = 1e-5  # the difference of unit vectors that is rounding, also of text with six digits
PLACING_METHODS = 100  # epochs that a new point is given


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What a map depends on, by the field's names; raises `UserError` for what no map can be made with.

    `n_components` dimensions. UMAP and densMAP: `n_neighbors` (the point itself is counted), `min_dist`, `spread`,
    `n_epochs` (None: 500 for up to 10,000 points, else 200), `negative_sample_rate`; densMAP's `dens_lambda`; t-SNE's
    `perplexity`. The same `seed` gives the same map.
    """

    n_components: int = 2
    n_neighbors: int = 15
    min_dist: float = 0.1
    spread: float = 1.0
    n_epochs: int | None = None
    negative_sample_rate: int = 5
    dens_lambda: float = 2.0
    perplexity: float = 30.0
    seed: int = SEED

    def __post_init__(self) -> None:
        bounds = {
            "n_components": (2, 3),
            "n_neighbors": (2, 200),
            "spread": (0.01, 100.0),
            "min_dist": (0.0, self.spread),
            "n_epochs": (1, 10_000),
            "negative_sample_rate": (1, 50),
            "dens_lambda": (0.0, 100.0),
            "perplexity": (1.0, 200.0),
            "seed": (0, 2**32 - 1),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if value is None and name == "n_epochs":
                continue
            whole = isinstance(low, int)
            right = isinstance(value, (int, np.integer) if whole else (int, float, np.integer, np.floating))
            if isinstance(value, bool) or not right or not low <= value <= high:
                kind = "a whole number" if whole else "a number"
                raise UserError(f"{name} must be {kind} from {low:g} to {high:g}; got {value!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The nearest others of each point: `rows` (n, k), nearest first, and their `distances` (n, k), 1 - cosine.

    A map takes them from whoever has searched already (the field calls them `precomputed_knn`); the point itself is not
    among its neighbors. Raises `IncompatibleError` where the two don't fit, `UserError` for NaN, Inf or a negative row.
    """

    rows: Ints
    distances: Floats

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.shape != self.distances.shape:
            raise IncompatibleError(
                f"precomputed_knn has rows of shape {self.rows.shape} and distances of shape {self.distances.shape}; "
                "both must be (n, k)"
            )
        if self.rows.size and int(self.rows.min()) < 0:
            raise UserError("precomputed_knn has a negative row: fewer neighbors were found than requested")
        if not np.isfinite(self.distances).all():
            raise UserError("precomputed_knn has distances that are NaN or Inf")

    def first(self, k: int) -> "Neighbors":
        """The k nearest of them."""
        return self if k >= self.rows.shape[1] else Neighbors(self.rows[:, :k], self.distances[:, :k])

    def within(self, n_points: int, n_rows: int, k: int) -> "Neighbors":
        """The k nearest, when these are neighbors of `n_points` points among `n_rows`; raises `IncompatibleError`."""
        if len(self.rows) != n_points or self.rows.shape[1] < k:
            raise IncompatibleError(
                f"precomputed_knn must hold at least {k} neighbors of each of the {n_points:,} points; got "
                f"{self.rows.shape}"
            )
        if self.rows.size and int(self.rows.max()) >= n_rows:
            raise IncompatibleError(f"precomputed_knn names row {int(self.rows.max()):,} of only {n_rows:,}")
        return self.first(k)


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Points laid out: `positions` (n, n_components), centered, with a root mean square distance of 1 from the center.

    `scale` times them are UMAP's own units; `plane` takes unit vectors to positions, where the method is linear.
    `notes` say where the map differs from the request, or what it can't show.
    """

    positions: Floats
    method: str
    options: MapOptions
    scale: float = 1.0
    plane: Plane | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MapRows:
    """What a method lays out: unit `vectors` (n, dim), their neighbors, and where each starts (n, n_components).

    `anchor`, in UMAP's units, is the anchor of each point: its position on the next layer. `smooth` says that the
    start may be changed. A method adds to `notes` what the map's reader must know.
    """

    vectors: Floats
    options: MapOptions
    knn: Neighbors | None
    start: Floats
    progress: Progress
    anchor: Floats | None = None
    smooth: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MapMethod:
    """A row of the table of methods: `neighbors(options)` is how many of each point's neighbors it needs."""

    title: str
    lay_out: Callable[[MapRows], Floats]
    neighbors: Callable[[MapOptions], int] = field(default=lambda options: 0)
    few: int = 0  # fewer points than this: the principal plane says all there is


# The methods


def _pca(points: MapRows) -> Floats:
    return points.start


def _umap(points: MapRows) -> Floats:
    """UMAP (McInnes et al. 2018) from its neighbors on, with loops of our own: umap-learn's steps and numbers."""
    graph, start, keys = _prepared(points)
    n_epochs = points.options.n_epochs or (LONG if len(start) <= SMALL_MAP_POINTS else SHORT)
    alpha = 1.0 if points.anchor is None else LEARNING_RATE_ANCHORED
    how = _descent(points.options, n_epochs, alpha=alpha, anchor=points.anchor)
    return descend(start, Edges.of(graph, n_epochs), keys, how, points.progress)


def _descent(options: MapOptions, n_epochs: int, **more: Any) -> Descent:
    return Descent(options.spread, options.min_dist, n_epochs, options.negative_sample_rate, **more)


def _prepared(points: MapRows) -> tuple[Any, Floats, Any]:
    """The fuzzy graph, the start in UMAP's units with a little noise, and each point's key of its random sequence."""
    assert points.knn is not None
    n = len(points.vectors)
    graph = _fuzzy_graph(points.knn)
    start = _smoothed(points.start, graph, points.progress) if n > SMOOTHED and points.smooth else points.start
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
    graph, start, keys = _prepared(points)
    n_epochs = points.options.n_epochs or DENSMAP_EXTRA_EPOCHS + (LONG if len(start) <= SMALL_MAP_POINTS else SHORT)
    edges = Edges.of(graph, n_epochs)
    goal = _standard(_log_radii_in_space(points.knn, edges))
    how = _descent(points.options, n_epochs, goal=goal, dens_lambda=points.options.dens_lambda)
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
    return np.log(1e-8 + squares / np.maximum(sums, 1e-12)).astype(np.float32)


def _standard(values: Floats) -> Floats:
    spread = float(values.std())
    return ((values - values.mean()) / spread).astype(np.float32) if spread > 0 else np.zeros_like(values)


def _tsne(points: MapRows) -> Floats:
    """t-SNE over the neighbors that are there already."""
    from polysema.core.maps.tsne import tsne

    assert points.knn is not None
    options = points.options
    positions, note = tsne(
        points.knn.rows, points.knn.distances, points.start, options.perplexity, options.seed, points.progress
    )
    if note:
        points.notes.append(note)
    return positions


def _umap_learn(points: MapRows) -> Floats:
    """UMAP by umap-learn, for whoever wants its very own."""
    from polysema.core.maps.umap_learn import umap_learn

    assert points.knn is not None
    options = points.options
    how = {
        "min_dist": options.min_dist,
        "spread": options.spread,
        "n_epochs": options.n_epochs,
        "negative_sample_rate": options.negative_sample_rate,
        "random_state": options.seed,
    }
    start = points.start * np.float32(START_EXTENT / max(float(np.abs(points.start).max()), 1e-9))
    return umap_learn(points.vectors, points.knn.rows, points.knn.distances, start, how, points.progress)


def _umap_neighbors(options: MapOptions) -> int:
    return options.n_neighbors - 1


METHODS: dict[str, MapMethod] = {
    "pca": MapMethod("PCA", _pca),
    "umap": MapMethod("UMAP", _umap, _umap_neighbors, 4),
    "densmap": MapMethod("densMAP", _densmap, _umap_neighbors, 6),
    "umap-learn": MapMethod("umap-learn", _umap_learn, _umap_neighbors, 4),
    "tsne": MapMethod("t-SNE", _tsne, lambda options: int(3 * options.perplexity) + 1, 4),
}
ALIGNED = "aligned-umap"  # of several layers only


def check_method(method: str, others: Sequence[str] = ()) -> str:
    """The method's name; raises `UserError` naming those that exist."""
    if method in METHODS or method in others:
        return method
    raise UserError(f"map method {method!r} does not exist; choose one of {', '.join([*METHODS, *others])}")


def n_neighbors_of(method: str, options: MapOptions, n: int) -> int:
    """How many neighbors of each of n points a method needs, 0 where it needs none."""
    chosen = METHODS[check_method(method)]
    return 0 if n < chosen.few else min(chosen.neighbors(options), n - 1)


# Making a map


def project(
    vectors: Floats,
    method: str = "umap",
    options: MapOptions | None = None,
    precomputed_knn: Neighbors | None = None,
    init: Floats | None = None,
    progress: Progress = no_progress,
) -> Map:
    """Lay out (n, dim) vectors by their cosine. What `progress` raises ends the work.

    The neighbors are searched exactly unless `precomputed_knn` hands them in, at least as many as `n_neighbors_of`
    says. The map starts from `init` (n, n_components) or from the principal plane, and is turned to fit where it
    started. Raises `UserError` for a method that isn't there, no points, or points that are no finite numbers.
    """
    options = options or MapOptions()
    k = n_neighbors_of(method, options, len(vectors))
    directions = _directions(vectors)
    notes = _notes_on(directions)
    first = progress if method == "pca" else lambda stage, done, total: progress(stage, 0, 1)
    start, plane = _principal(directions, options.n_components, first)
    if init is not None:
        start = _fitting(init, len(vectors), options.n_components)
        if method == "pca" or not k:
            turn = _turn(plane.project(directions), start)
            plane = replace(plane, axes=(turn.T @ plane.axes).astype(np.float32))
            start = plane.project(directions)
    if method == "pca" or not k:
        if method != "pca":
            notes.append(f"{len(vectors)} points are too few for {method}: laid out by pca")
        return Map(start, method, options, 1.0, plane, tuple(notes))
    knn = (
        precomputed_knn.within(len(vectors), len(vectors), k) if precomputed_knn else _searched(directions, k, progress)
    )
    notes += _notes_on_neighbors(method, options, k)
    points = MapRows(directions, options, knn, start, progress, smooth=init is None, notes=notes)
    laid = METHODS[method].lay_out(points)
    size = _size(laid)
    return Map(align(_scaled(laid), start), method, options, size, notes=tuple(notes))


def _notes_on(directions: Floats) -> list[str]:
    """What a map of unit vectors can't show: those without a direction, and those that all have the same."""
    n = len(directions)
    zero = int((~directions.any(axis=1)).sum())
    notes = []
    if zero:
        notes.append(f"{zero:,} of {n:,} vectors are zero: they have no direction, and their places say nothing")
    if n > 1 and zero < n and _is_one_direction(directions):
        notes.append(
            f"all {n:,} vectors point the same way: by cosine they are one point, and their places say nothing"
        )
    return notes


def _notes_on_neighbors(method: str, options: MapOptions, k: int) -> list[str]:
    """What was lowered because there are only k neighbors of each point."""
    if METHODS[method].neighbors(options) <= k:
        return []
    if method != "tsne":
        return [f"n_neighbors {options.n_neighbors} is more than there are points: {k + 1} was used"]
    from polysema.core.maps.tsne import usable_perplexity

    usable = usable_perplexity(options.perplexity, k)
    return [f"perplexity {options.perplexity:g} is too high for {k + 1} points: {usable:.3g} was used"]


def _is_one_direction(directions: Floats) -> bool:
    """Whether all unit vectors (n, dim) are equal but for rounding; block by block, so that most end at the first."""
    blocks = (directions[start : start + BLOCK_ROWS] for start in range(0, len(directions), BLOCK_ROWS))
    return all(float(np.abs(block - directions[0]).max()) < SAME_DIRECTION for block in blocks)


def place(on: Map, vectors: Floats, precomputed_knn: Neighbors | None = None) -> Floats:
    """Where new points (m, dim) lie on a map: (m, n_components). The points of the map stay where they are.

    `precomputed_knn` are their neighbors among the map's points (see `nearest_among`), needed unless the map is linear.
    A point is placed by its own neighbors alone: the same by itself and in any batch. With UMAP and densMAP it
    starts at their weighted mean and is moved by their pulls and by pushes of random others; with t-SNE it stays at
    the mean.
    """
    directions = _directions(vectors, least=0)
    if on.plane is not None:
        return np.einsum("md,cd->mc", directions - on.plane.mean, on.plane.axes).astype(np.float32)
    k = n_neighbors_of(on.method, on.options, len(on.positions))
    if precomputed_knn is None:
        raise UserError(f"new points are placed on a map by {on.method} through their neighbors: give precomputed_knn")
    knn = precomputed_knn.within(len(vectors), len(on.positions), k)
    weights = _memberships(knn)
    weights /= weights.sum(axis=1, keepdims=True)
    start = np.einsum("mk,mkc->mc", weights, on.positions[knn.rows]).astype(np.float32)
    if on.method == "tsne" or not len(vectors):
        return start
    strength = weights / weights.max(axis=1, keepdims=True)
    first = np.arange(0, knn.rows.size + 1, k)
    edges = Edges(first, knn.rows.ravel().astype(np.int32), (1 / np.maximum(strength, 1e-6)).ravel().astype(np.float32))
    keys = np.array(
        [_key(rows, d, on.options.seed) for rows, d in zip(knn.rows, knn.distances, strict=True)], np.uint64
    )
    others = on.positions * np.float32(on.scale)
    how = _descent(on.options, on.options.n_epochs or PLACING_METHODS, alpha=0.25)
    return descend_among(start * np.float32(on.scale), others, edges, keys, how) / np.float32(on.scale)


def _key(rows: Ints, distances: Floats, seed: int) -> int:
    message = hashlib.blake2b(rows.astype("<i8").tobytes() + distances.astype("<f4").tobytes(), digest_size=7)
    return int.from_bytes(message.digest(), "little") ^ seed


def nearest_others(vectors: Floats, k: int, progress: Progress = no_progress) -> Neighbors:
    """The k nearest others of each of (n, dim) vectors by cosine, exactly: every pair is compared, block by block.

    What `progress` (rows done, and of how many) raises ends the work.
    """
    directions = unit(np.ascontiguousarray(vectors, np.float32))
    rows, distances = np.empty((len(vectors), k), np.int64), np.empty((len(vectors), k), np.float32)
    for start in range(0, len(directions), BLOCK_ROWS):
        progress("find neighbors", start, len(directions))
        similar = directions[start : start + BLOCK_ROWS] @ directions.T  # (block, n)
        own = np.arange(len(similar))
        similar[own, start + own] = -np.inf
        best = np.argpartition(-similar, k - 1, axis=1)[:, :k]
        scores = np.take_along_axis(similar, best, axis=1)
        order = np.lexsort((best, -scores))
        rows[start : start + BLOCK_ROWS] = np.take_along_axis(best, order, axis=1)
        distances[start : start + BLOCK_ROWS] = 1 - np.take_along_axis(scores, order, axis=1)
    return Neighbors(rows, np.maximum(distances, 0))


def _searched(directions: Floats, k: int, progress: Progress) -> Neighbors:
    """The nearest others of what is laid out; after the first block, `progress` may end the search too."""
    return nearest_others(directions, k, lambda stage, done, total: progress(stage, 0, 1) if done else None)


def nearest_among(queries: Floats, vectors: Floats, candidates: Ints, k: int) -> Neighbors:
    """The k nearest of each query's `candidates` (m, c >= k), which are rows of `vectors`, with their exact distances.

    Each is computed by itself, so that a query has the same neighbors in any batch; an index's scores are not the
    same to the last bit.
    """
    distances = np.empty(candidates.shape, np.float32)
    for place_, (query, rows) in enumerate(zip(_directions(queries, least=0), candidates, strict=True)):
        distances[place_] = 1 - np.einsum("kd,d->k", unit(np.ascontiguousarray(vectors[rows])), query)
    order = np.lexsort((candidates, distances))[:, :k]
    return Neighbors(
        np.take_along_axis(candidates, order, axis=1), np.maximum(np.take_along_axis(distances, order, axis=1), 0)
    )


# Inside UMAP


def warm() -> None:
    """Compile the loops of every method, or load them where they are kept on the disk: called ahead, nobody waits."""
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    for n_components in (2, 3):
        on = project(vectors, "densmap", MapOptions(n_components=n_components, n_neighbors=5, n_epochs=4))
    place(on, vectors, nearest_among(vectors, vectors, np.tile(np.arange(40), (40, 1)), 4))


def _smoothed(start: Floats, graph: Any, progress: Progress = no_progress) -> Floats:
    """A start drawn towards the leading eigenvectors of the graph's random walk, which umap-learn starts from.

    Some steps of subspace iteration from the principal plane: a small part of an eigensolver's time, and no trouble
    with graphs of several components.
    """
    degree = np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-9)
    x = start.astype(np.float64)
    for step in range(SMOOTHING):
        if step % 10 == 0:
            progress("lay out", 0, 1)  # nothing is laid out yet, but it may be ended
        x = (x + (graph @ x) / degree[:, None]) / 2
        x -= np.average(x, axis=0, weights=degree)
        spread = (x * degree[:, None]).T @ x / degree.sum()
        low = np.linalg.cholesky(spread + 1e-12 * np.eye(x.shape[1]))
        x = np.linalg.solve(low, x.T).T
    return align(x.astype(np.float32), start)


def _memberships(knn: Neighbors) -> Any:
    with IMPORTING:
        from polysema.core.maps import umap_kernel as kernel
    distances = np.ascontiguousarray(knn.distances, np.float32)
    sigmas, rhos = np.empty(len(distances)), np.empty(len(distances))
    weights = np.empty(distances.shape, np.float32)
    # a point's weights depend on its own neighbors alone; the floor is for points that equal all of theirs
    kernel.memberships(distances, sigmas, rhos, weights, 1e-6)
    return weights


def _fuzzy_graph(knn: Neighbors) -> Any:
    """The fuzzy union of every point's neighborhood: a symmetric (n, n) CSR array of weights in (0, 1]."""
    with IMPORTING:
        from scipy.sparse import csr_array
    n, k = knn.rows.shape
    one_way = csr_array((_memberships(knn).ravel(), knn.rows.ravel(), np.arange(0, n * k + 1, k)), (n, n))
    other_way = one_way.T.tocsr()
    graph = (one_way + other_way - one_way.multiply(other_way)).tocsr()
    graph.eliminate_zeros()
    graph.sort_indices()
    return graph


# Turning and scaling


def _directions(vectors: Floats, least: int = 1) -> Floats:
    array = np.asarray(vectors)
    if array.ndim != 2:
        raise IncompatibleError(f"a map is made of (n, dim) vectors; got the shape {array.shape}")
    if len(array) < least:
        raise UserError("a map needs at least one point; got none")
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise UserError(f"the vectors of a map must be finite numbers; row {row} holds NaN or Inf")
    return unit(array)


def _principal(directions: Floats, n_components: int, progress: Progress) -> tuple[Floats, Plane]:
    """The positions of unit vectors on their principal plane, and the plane, scaled as maps are."""
    plane = principal_plane(directions, n_components, progress)
    size = _size(plane.project(directions))
    plane = replace(plane, axes=plane.axes / np.float32(size))
    return plane.project(directions), plane


def _fitting(init: Floats, n: int, n_components: int) -> Floats:
    start = np.asarray(init, np.float32)
    if start.shape != (n, n_components) or not np.isfinite(start).all():
        raise IncompatibleError(f"init must be ({n}, {n_components}) finite positions; got the shape {start.shape}")
    return start


def _size(positions: Floats) -> float:
    centered = positions - positions.mean(axis=0)
    return float(np.sqrt((centered**2).sum(axis=1).mean())) or 1.0


def _scaled(positions: Floats) -> Floats:
    """Centered, with a root mean square distance of 1 from the center."""
    return ((positions - positions.mean(axis=0)) / np.float32(_size(positions))).astype(np.float32)


def _turn(positions: Floats, onto: Floats) -> Floats:
    left, _, right = np.linalg.svd((positions - positions.mean(axis=0)).T @ (onto - onto.mean(axis=0)))
    turn: Floats = left @ right
    return turn


def align(positions: Floats, onto: Floats) -> Floats:
    """`positions` (n, c) turned and mirrored, not stretched, to lie as near as can be to `onto` (orthogonal
    Procrustes).
    """
    return ((positions - positions.mean(axis=0)) @ _turn(positions, onto)).astype(np.float32)


# Several layers on one plane


def joint_planes(layers: Sequence[Floats], n_components: int = 2) -> list[Floats]:
    """The same n points at several layers on one plane, linearly: for each layer (n, n_components).

    Each layer's principal components, of unit vectors scaled to one size, are turned onto those of the layer after it
    (orthogonal Procrustes, Schönemann 1966), and the plane is the principal plane of all of them together: one turn
    for each layer, so that what moves between two layers has moved.
    """
    width = max(n_components, min(JOINT_COMPONENTS, *(min(layer.shape) for layer in layers)))
    turned: list[Floats] = []
    for layer in reversed(layers):
        directions = _directions(layer)
        components = _scaled(principal_plane(directions, width).project(directions))
        turned.append(align(components, turned[-1]) if turned else components)
    plane = principal_plane(np.concatenate(turned), n_components)
    return [_scaled(plane.project(components)) for components in turned[::-1]]


def layered_maps(
    layers: Sequence[Floats],
    method: str = "umap",
    options: MapOptions | None = None,
    progress: Progress = no_progress,
    precomputed_knn: Sequence[Neighbors] | None = None,
) -> list[Floats]:
    """The same n points at several layers on one plane: for each layer (n, n_components).

    All start from their joint plane. The last layer is laid out first; in every layer before it a point is anchored near
    where it lies on the layer after, and the layer is turned onto that one: so a point travels smoothly when the
    layers are stepped through. `aligned-umap` lays all of them out at once (AlignedUMAP). `precomputed_knn` holds the
    neighbors at each layer. Raises `UserError` for a method that isn't there and layers that don't have the same
    points.
    """
    options = options or MapOptions()
    check_method(method, (ALIGNED,))
    if not layers or any(len(layer) != len(layers[0]) for layer in layers):
        raise IncompatibleError(
            f"layers of one map hold the same points; got {[len(layer) for layer in layers]} points"
        )
    starts = joint_planes(layers, options.n_components)
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
        directions = _directions(layers[at])
        n = len(directions)
        knn = precomputed_knn[at].within(n, n, k) if precomputed_knn else _searched(directions, k, message)
        return MapRows(directions, options, knn, starts[at], message, anchor)

    place_ = 0
    if method == ALIGNED and len(layers) > 1:
        return _aligned_umap([points(at) for at in range(len(layers))], progress)
    maps: list[Floats] = []
    laid: Floats | None = None
    for place_ in range(len(layers)):
        progress("lay out", place_, len(layers))
        at = len(layers) - 1 - place_
        laid = METHODS[base].lay_out(points(at, laid if base == "umap" else None))
        maps.append(align(_scaled(laid), maps[-1] if maps else starts[at]))
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
    graphs, positions, all_keys = (list(parts) for parts in zip(*(_prepared(points) for points in layers), strict=True))
    order = dealing(n)
    graphs, positions = [graph[order][:, order] for graph in graphs], [start[order] for start in positions]
    edges = [Edges.of(graph, n_epochs) for graph in graphs]
    # how often a point is moved in an epoch: by its own edges with their pushes, and by those of others
    moves = [
        np.add.reduceat(np.append(1 / each.every, 0), np.minimum(each.first[:-1], len(each.every))) * (2 + rate)
        for each in edges
    ]
    pulls = {
        (at, to): ALIGNMENT * np.exp(1 - abs(to - at)) * _same_neighbors(graphs[at], graphs[to])
        for at in range(len(layers))
        for to in range(max(0, at - WINDOW), min(len(layers), at + WINDOW + 1))
        if to != at
    }
    how = _descent(options, n_epochs)
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
    turn = _turn(everything, np.concatenate([points.start for points in layers]))
    return [((laid - everything.mean(axis=0)) @ turn / _size(everything)).astype(np.float32) for laid in positions]


def _same_neighbors(a: Any, b: Any) -> Any:
    """For each point the share of its neighbors in two graphs that it has in both (Jaccard): (n,)."""
    here, there = a.copy(), b.copy()
    here.data, there.data = np.ones_like(a.data), np.ones_like(b.data)
    both = np.asarray(here.multiply(there).sum(axis=1)).ravel()
    return both / np.maximum(np.diff(a.indptr) + np.diff(b.indptr) - both, 1)
