"""Maps of whole spaces: the neighbors come from an index, once, and go to the layout and to its measure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from polysema.app.explorer import map_cache
from polysema.app.explorer.results import MatchedMaps, MatchedSide, SpaceMap
from polysema.core.errors import UserError
from polysema.core.maps.distance import MapMetric, map_points, nearest_rows
from polysema.core.maps.distortion import Measurement, distortion_by, kept_neighbors
from polysema.core.maps.layers import layered_maps
from polysema.core.maps.methods import ALIGNED, check_options, check_together, n_neighbors_of
from polysema.core.maps.neighbors import Neighbors, nearest_among
from polysema.core.maps.options import PICTURE_COMPONENTS, MapOptions
from polysema.core.maps.overlap import changed_most, shared_neighbors
from polysema.core.maps.projection import project, project_supervised
from polysema.core.maps.row_matching import choose, is_placed, matching
from polysema.core.maps.target import MapTarget
from polysema.core.progress import Progress, in_stage
from polysema.core.space.space import Floats, Space
from polysema.indexes.base import check_k
from polysema.indexes.distance_graph import neighbors_by

MIN_POINTS = 15  # neighbors that are searched at least, so that another method or number finds them there
SPARE_NEIGHBORS = 16  # candidates of a new point beyond those that place it

Search: TypeAlias = Callable[[int, Callable[[], Neighbors]], Neighbors]


@dataclass(frozen=True, slots=True)
class MapQuestion:
    """How many rows are laid out (None: all) and how, and how many neighbors the map is measured by."""

    n: int | None
    k: int
    method: str
    options: MapOptions


def project_space(space: Space, question: MapQuestion, neighbors: Search, progress: Progress) -> SpaceMap:
    """The first n rows of a space laid out and measured; `neighbors(wanted, search)` keeps what was searched.

    The map and the neighbors are kept on disk, and read from there for the same request.
    """
    k, method, options = question.k, question.method, question.options
    n = len(space) if question.n is None else question.n
    # of a collection the rows that are laid out are read, all of those that are laid out
    shown = space if n == len(space) and isinstance(space.vectors, np.ndarray) else space.take(np.arange(n))
    needed = n_neighbors_of(check_options(method, options), options, n)
    target = target_of(shown, options)
    measured = n >= 3 and 1 <= k < n / 2
    wanted = max(needed, k if measured else 0)
    content = map_cache.content_key(shown.vectors)
    kept_as = content if target is None else f"{content} {target.digest}"  # of the map; the neighbors know no target
    knn = None
    if wanted:
        most = min(n - 1, max(wanted, MIN_POINTS))

        def search() -> Neighbors:
            there = map_cache.read_neighbors(content, n, wanted, options)
            if there is not None:
                return there
            found = neighbors_by(shown.vectors, most, options.distance, options.seed, progress)
            map_cache.keep_neighbors(content, options, found)
            return found

        knn = neighbors(wanted, search)
    if (kept_map := map_cache.read_map(kept_as, n, method, options, k)) is not None:
        laid, report, kept = kept_map
        progress("read the map", 1, 1)
        return SpaceMap(shown, laid, knn, report, kept)
    near, stage = knn if needed else None, in_stage(progress, "lay out")
    if target is None:
        laid = project(shown.vectors, method, options, near, progress=stage)
    else:
        laid = project_supervised(shown.vectors, target, method, options, near, stage)
    kept = np.full(n, np.nan, np.float32)
    drawn = options.n_components <= PICTURE_COMPONENTS
    if knn is not None and measured and drawn:
        kept = kept_neighbors(laid.positions, knn, k, lambda stage, done, total: progress(stage, done, 2 * total))
    report = None
    if measured:
        report = distortion_by(
            shown.vectors,
            laid.positions,
            Measurement(k, options.distance),
            lambda stage, done, total: progress(stage, total + done, 2 * total),
        )
        if not drawn:  # in many dimensions a point is compared with all, so those of the sample are measured
            kept[report.rows] = report.kept
    map_cache.keep_map(kept_as, k, laid, report, kept)
    return SpaceMap(shown, laid, knn, report, kept)


def check_target(space: Space, options: MapOptions) -> None:
    """Raise `UserError` for a column to supervise by that isn't in the space."""
    names = [] if space.columns is None else space.columns.column_names
    if options.target and options.target not in names:
        there = f"there are: {', '.join(names)}" if names else "it has no columns"
        raise UserError(f"target {options.target!r:.80} is no column of {space.name}; {there}")


def target_of(space: Space, options: MapOptions) -> MapTarget | None:
    """The column that supervises a map; None where none is named. Raises `UserError` where nothing can be by it."""
    if not options.target or space.columns is None:
        return None
    return MapTarget.of(options.target, space.columns.column(options.target), options.target_metric)


def new_neighbors(on: SpaceMap, vectors: Floats) -> Neighbors | None:
    """The neighbors of new vectors among a map's points, exactly; None where the map is linear and needs none."""
    if on.map.plane is not None or not len(vectors):
        return None
    n, metric = len(on.space), on.map.options.distance
    k = n_neighbors_of(on.map.method, on.map.options, n)
    if metric is not MapMetric.COSINE:
        given, points = map_points(vectors, metric), map_points(on.space.vectors, metric)
        near = np.stack([nearest_rows(one, points, min(n, k + SPARE_NEIGHBORS), metric) for one in given])
        return nearest_among(vectors, on.space.vectors, near, k, metric)
    from polysema.indexes.exact import ExactIndex

    found = ExactIndex(on.space.vectors).search(vectors, min(n, k + SPARE_NEIGHBORS))
    return nearest_among(vectors, on.space.vectors, found.rows, k)


def matched_maps(sources: Sequence[tuple[str, Space, float]], question: MapQuestion, progress: Progress) -> MatchedMaps:
    """Two or more spaces, each with its name and the mean cosine of its random pairs, matched row by row and laid out
    on one plane; the first and the last are compared. Of few rows each has fewer neighbors than `k`: the answer's `k`
    says how many.
    """
    n, method, options = question.n, question.method, question.options
    check_together(method, options)
    names, spaces, baselines = zip(*sources, strict=True)
    base = "umap" if method == ALIGNED else method
    found = matching(list(spaces))
    if n is not None and n < 1:
        raise UserError(f"n must be 1 or more rows, or None for all; got {n}")
    chosen, rule = choose(len(found.rows[0]), n, is_placed(spaces[0]))
    shown = [space.take(rows[chosen]) for space, rows in zip(spaces, found.rows, strict=True)]
    m = len(chosen)
    if m < 2:
        raise UserError(f"spaces are compared by two rows or more that they share; {m} is shown")
    k = min(check_k(question.k), m - 1)
    most = min(m - 1, max(n_neighbors_of(base, options, m), k))
    knn = [
        neighbors_by(
            space.vectors, most, options.distance, options.seed, in_stage(progress, f"find neighbors in {name}")
        )
        for name, space in zip(names, shown, strict=True)
    ]
    positions = layered_maps([space.vectors for space in shown], method, options, in_stage(progress, "lay out"), knn)
    progress("compare the neighborhoods", 0, 1)
    sides = [
        MatchedSide(name, space, laid, near.first(k), kept_neighbors(laid, near, k), baseline, left_out)
        for name, space, laid, near, baseline, left_out in zip(
            names, shown, positions, knn, baselines, found.left_out, strict=True
        )
    ]
    a, b = knn[0], knn[-1]
    result = MatchedMaps(
        sides[0],
        sides[-1],
        tuple(sides[1:-1]),
        k,
        shared_neighbors(a, b, k),
        changed_most(a, b, k),
        k / (m - 1),
        len(found.rows[0]),
        found.by,
        rule,
        method,
        options,
    )
    progress("compare the neighborhoods", 1, 1)
    return result
