"""Maps: many dimensions laid out on two or three, and the same points at several layers laid out together."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from polysema.core.errors import IncompatibleError, UserError
from polysema.core.maps.distance import MapMetric, is_one_point, map_points
from polysema.core.maps.fuzzy_graph import membership_weights
from polysema.core.maps.methods import (
    METHODS,
    MapRows,
    check_options,
    descent_options,
    n_neighbors_of,
)
from polysema.core.maps.neighbors import BLOCK_ROWS, Neighbors, nearest_among, search_neighbors
from polysema.core.maps.options import PICTURE_COMPONENTS, MapOptions
from polysema.core.maps.pca import Plane
from polysema.core.maps.positions import (
    align,
    checked_start,
    principal_positions,
    rms_radius,
    rotation_onto,
    scaled_to_unit,
)
from polysema.core.maps.target import MapTarget
from polysema.core.maps.umap_layout import Edges, descend_among
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats, Ints

PLACING_METHODS = 100  # epochs that a new point is given


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


def project(
    vectors: Floats,
    method: str = "umap",
    options: MapOptions | None = None,
    precomputed_knn: Neighbors | None = None,
    init: Floats | None = None,
    progress: Progress = no_progress,
) -> Map:
    """Lay out (n, dim) vectors by the metric of the options. What `progress` raises ends the work.

    The neighbors are searched exactly unless `precomputed_knn` hands them in, at least as many as `n_neighbors_of`
    says. The map starts from `init` (n, n_components) or from the principal plane, and is turned to fit where it
    started. Raises `UserError` for a method that isn't there, options that it doesn't take, no points, or points that
    are no finite numbers.
    """
    options = options or MapOptions()
    if options.target:
        raise UserError("target names a column of a space: its values are handed to project_supervised")
    check_options(method, options)
    return _project(map_points(vectors, options.distance), method, options, _Given(precomputed_knn, init), progress)


def project_supervised(
    vectors: Floats,
    target: MapTarget,
    method: str = "umap",
    options: MapOptions | None = None,
    precomputed_knn: Neighbors | None = None,
    progress: Progress = no_progress,
) -> Map:
    """Lay out (n, dim) vectors as `project` does, by what a column says of them too (umap-learn's `y`).

    Raises `UserError` as `project` does, and for a method that is not supervised; `IncompatibleError` for another
    number of values.
    """
    options = replace(options or MapOptions(), target=target.name or "target")
    check_options(method, options)
    if len(target) != len(vectors):
        raise IncompatibleError(f"a target of {len(target):,} values for {len(vectors):,} points")
    given = _Given(precomputed_knn, target=target)
    return _project(map_points(vectors, options.distance), method, options, given, progress)


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What is there before a map is laid out."""

    knn: Neighbors | None = None
    init: Floats | None = None
    target: MapTarget | None = None


def _project(points: Floats, method: str, options: MapOptions, given: _Given, progress: Progress) -> Map:
    """Lay out points (n, dim) as `map_points` makes them."""
    k, init = n_neighbors_of(method, options, len(points)), given.init
    notes = _notes_on(points, options.distance)
    first = progress if method == "pca" else lambda stage, done, total: progress(stage, 0, 1)
    start, plane = principal_positions(points, options.n_components, first)
    if init is not None:
        start = checked_start(init, len(points), options.n_components)
        if method == "pca" or not k:
            turn = rotation_onto(plane.project(points), start)
            plane = replace(plane, axes=(turn.T @ plane.axes).astype(np.float32))
            start = plane.project(points)
    if method == "pca" or not k:
        if method != "pca":
            notes.append(f"{len(points)} points are too few for {method}: laid out by pca")
        if options.n_components > PICTURE_COMPONENTS and options.n_components > min(points.shape):
            notes.append(f"{len(points):,} points of {points.shape[1]:,} numbers span no {options.n_components} axes")
        return Map(start, method, options, 1.0, plane, tuple(notes))
    knn = (
        given.knn.within(len(points), len(points), k)
        if given.knn
        else search_neighbors(points, k, progress, options.distance)
    )
    notes += _notes_on_neighbors(method, options, k)
    if given.target is not None:
        notes.append(given.target.note())
    rows = MapRows(points, options, knn, start, progress, smooth=init is None, notes=notes, target=given.target)
    laid = METHODS[method].lay_out(rows)
    size = rms_radius(laid)
    return Map(align(scaled_to_unit(laid), start), method, options, size, notes=tuple(notes))


def _notes_on(points: Floats, metric: MapMetric) -> list[str]:
    """What a map can't show: points without a direction, and those that all have the same."""
    n = len(points)
    zero = int((~points.any(axis=1)).sum()) if metric.angular else 0
    notes = []
    if zero:
        what = "zero: they have" if metric is MapMetric.COSINE else "of equal numbers: by correlation they have"
        notes.append(f"{zero:,} of {n:,} vectors are {what} no direction, and their places say nothing")
    if n > 1 and zero < n and is_one_point(points, metric, BLOCK_ROWS):
        alike = f"point the same way: by {metric.value} they" if metric.angular else "are equal: they"
        notes.append(f"all {n:,} vectors {alike} are one point, and their places say nothing")
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


def place(on: Map, vectors: Floats, precomputed_knn: Neighbors | None = None) -> Floats:
    """Where new points (m, dim) lie on a map: (m, n_components). The points of the map stay where they are.

    `precomputed_knn` are their neighbors among the map's points (see `nearest_among`), needed unless the map is linear.
    A point is placed by its own neighbors alone: the same by itself and in any batch. With UMAP and densMAP it
    starts at their weighted mean and is moved by their pulls and by pushes of random others; with t-SNE it stays at
    the mean.
    """
    directions = map_points(vectors, on.options.distance, least=0)
    if on.plane is not None:
        places: Floats = np.einsum("md,cd->mc", directions - on.plane.mean, on.plane.axes).astype(np.float32)
        return places
    k = n_neighbors_of(on.method, on.options, len(on.positions))
    if precomputed_knn is None:
        raise UserError(f"new points are placed on a map by {on.method} through their neighbors: give precomputed_knn")
    knn = precomputed_knn.within(len(vectors), len(on.positions), k)
    weights = membership_weights(knn)
    weights /= weights.sum(axis=1, keepdims=True)
    start: Floats = np.einsum("mk,mkc->mc", weights, on.positions[knn.rows]).astype(np.float32)
    if on.method == "tsne" or not len(vectors):
        return start
    strength = weights / weights.max(axis=1, keepdims=True)
    first = np.arange(0, knn.rows.size + 1, k)
    edges = Edges(first, knn.rows.ravel().astype(np.int32), (1 / np.maximum(strength, 1e-6)).ravel().astype(np.float32))
    keys = np.array(
        [_key(rows, d, on.options.seed) for rows, d in zip(knn.rows, knn.distances, strict=True)], np.uint64
    )
    others = on.positions * np.float32(on.scale)
    how = replace(descent_options(on.options, on.options.n_epochs or PLACING_METHODS), alpha=0.25)
    return descend_among(start * np.float32(on.scale), others, edges, keys, how) / np.float32(on.scale)


def _key(rows: Ints, distances: Floats, seed: int) -> int:
    message = hashlib.blake2b(rows.astype("<i8").tobytes() + distances.astype("<f4").tobytes(), digest_size=7)
    return int.from_bytes(message.digest(), "little") ^ seed


def warm() -> None:
    """Compile the loops of every method, or load them where they are kept on the disk: called ahead, nobody waits."""
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    for n_components in (2, 3):
        on = project(vectors, "densmap", MapOptions(n_components=n_components, n_neighbors=5, n_epochs=4))
    place(on, vectors, nearest_among(vectors, vectors, np.tile(np.arange(40), (40, 1)), 4))
