"""Maps of whole spaces: the neighbors come from an index, once, and go to the layout and to its measure."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from polysema.app.explorer import map_cache
from polysema.app.explorer.results import MatchedMaps, MatchedSide, SpaceMap
from polysema.core.errors import UserError
from polysema.core.maps.distortion import distortion, kept_neighbors
from polysema.core.maps.layers import layered_maps
from polysema.core.maps.methods import ALIGNED, check_method, n_neighbors_of
from polysema.core.maps.neighbors import Neighbors, nearest_among
from polysema.core.maps.options import MapOptions
from polysema.core.maps.overlap import changed_most, shared_neighbors
from polysema.core.maps.projection import project
from polysema.core.maps.row_matching import choose, is_placed, matching
from polysema.core.progress import Progress, in_stage
from polysema.core.space.space import Floats, Space
from polysema.indexes.base import check_k
from polysema.indexes.knn_graph import neighbors_of_all

MIN_POINTS = 15  # neighbors that are searched at least, so that another method or number finds them there
SPARE_NEIGHBORS = 16  # candidates of a new point beyond those that place it

Search: TypeAlias = Callable[[int, Callable[[], Neighbors]], Neighbors]


def project_space(
    space: Space, n: int, method: str, options: MapOptions, k: int, neighbors: Search, progress: Progress
) -> SpaceMap:
    """The first n rows of a space laid out and measured; `neighbors(wanted, search)` keeps what was searched.

    The map and the neighbors are kept on disk, and read from there for the same request.
    """
    # of a collection the rows that are laid out are read, all of those that are laid out
    shown = space if n == len(space) and isinstance(space.vectors, np.ndarray) else space.take(np.arange(n))
    needed = n_neighbors_of(check_method(method), options, n)
    measured = n >= 3 and 1 <= k < n / 2
    wanted = max(needed, k if measured else 0)
    content = map_cache.content_key(shown.vectors)
    knn = None
    if wanted:
        most = min(n - 1, max(wanted, MIN_POINTS))

        def search() -> Neighbors:
            there = map_cache.read_neighbors(content, n, wanted, options.seed)
            if there is not None:
                return there
            found = neighbors_of_all(shown.vectors, most, seed=options.seed, progress=progress)
            map_cache.keep_neighbors(content, options.seed, found)
            return found

        knn = neighbors(wanted, search)
    if (kept_map := map_cache.read_map(content, n, method, options, k)) is not None:
        laid, report, kept = kept_map
        progress("read the map", 1, 1)
        return SpaceMap(shown, laid, knn, report, kept)
    laid = project(shown.vectors, method, options, knn if needed else None, progress=in_stage(progress, "lay out"))
    kept = np.full(n, np.nan, np.float32)
    if knn is not None and measured:
        kept = kept_neighbors(laid.positions, knn, k, lambda stage, done, total: progress(stage, done, 2 * total))
    report = None
    if measured:
        report = distortion(
            shown.vectors,
            laid.positions,
            k,
            progress=lambda stage, done, total: progress(stage, total + done, 2 * total),
        )
    map_cache.keep_map(content, k, laid, report, kept)
    return SpaceMap(shown, laid, knn, report, kept)


def new_neighbors(on: SpaceMap, vectors: Floats) -> Neighbors | None:
    """The neighbors of new vectors among a map's points, exactly; None where the map is linear and needs none."""
    if on.map.plane is not None or not len(vectors):
        return None
    from polysema.indexes.exact import ExactIndex

    n = len(on.space)
    k = n_neighbors_of(on.map.method, on.map.options, n)
    found = ExactIndex(on.space.vectors).search(vectors, min(n, k + SPARE_NEIGHBORS))
    return nearest_among(vectors, on.space.vectors, found.rows, k)


def matched_maps(
    sources: Sequence[tuple[str, Space, float]],
    n: int | None,
    k: int,
    method: str,
    options: MapOptions,
    progress: Progress,
) -> MatchedMaps:
    """Two or more spaces, each with its name and the mean cosine of its random pairs, matched row by row and laid out
    on one plane; the first and the last are compared. Of few rows each has fewer neighbors than `k`: the answer's `k`
    says how many.
    """
    names, spaces, baselines = zip(*sources, strict=True)
    base = "umap" if check_method(method, (ALIGNED,)) == ALIGNED else method
    found = matching(list(spaces))
    if n is not None and n < 1:
        raise UserError(f"n must be 1 or more rows, or None for all; got {n}")
    chosen, rule = choose(len(found.rows[0]), n, is_placed(spaces[0]))
    shown = [space.take(rows[chosen]) for space, rows in zip(spaces, found.rows, strict=True)]
    m = len(chosen)
    if m < 2:
        raise UserError(f"spaces are compared by two rows or more that they share; {m} is shown")
    k = min(check_k(k), m - 1)
    most = min(m - 1, max(n_neighbors_of(base, options, m), k))
    knn = [
        neighbors_of_all(
            space.vectors, most, seed=options.seed, progress=in_stage(progress, f"find neighbors in {name}")
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
