"""Maps: many dimensions laid out on two, and the same points at several layers laid out together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.errors import UserError
from polysema.core.imports import IMPORTING
from polysema.core.space.geometry import principal_plane
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats

SEED = 0


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What a map depends on, with the field's names (McInnes et al. 2018)."""

    n_neighbors: int = 10
    min_dist: float = 0.25
    seed: int = SEED


def pca(vectors: Floats, options: MapOptions, init: Floats | None = None) -> Floats:
    """(n, dim) -> (n, 2): the first two principal components of the unit vectors, turned to fit `init` if given."""
    directions = unit(np.ascontiguousarray(vectors))
    positions = _scaled(principal_plane(directions).project(directions))
    return positions if init is None else align(positions, init)


def umap(vectors: Floats, options: MapOptions, init: Floats | None = None) -> Floats:
    """(n, dim) -> (n, 2) by UMAP with the cosine, started from `init` or from the principal plane."""
    start = pca(vectors, options) if init is None else init
    if len(vectors) < 4:  # too few for a neighbourhood graph: the plane says all there is
        return start
    import warnings

    with IMPORTING:
        from umap import UMAP

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*n_jobs value.*")
        warnings.filterwarnings("ignore", message=".*spectral.*")
        reducer = UMAP(
            n_neighbors=min(options.n_neighbors, len(vectors) - 1), min_dist=options.min_dist, metric="cosine",
            init=np.ascontiguousarray(start * 10), random_state=options.seed,
        )  # fmt: skip
        positions = np.asarray(reducer.fit_transform(np.ascontiguousarray(vectors)), np.float32)
    return align(_scaled(positions), start)


METHODS: dict[str, Callable[[Floats, MapOptions, Floats | None], Floats]] = {"pca": pca, "umap": umap}


def _scaled(positions: Floats) -> Floats:
    """Centred, with a root mean square distance of 1 from the centre."""
    centred = positions - positions.mean(axis=0)
    size = float(np.sqrt((centred**2).sum(axis=1).mean()))
    return (centred / size if size > 0 else centred).astype(np.float32)


def align(positions: Floats, onto: Floats) -> Floats:
    """`positions` (n, 2) turned and mirrored, not stretched, to lie as near as can be to `onto` (orthogonal Procrustes)."""
    left, _, right = np.linalg.svd((positions - positions.mean(axis=0)).T @ (onto - onto.mean(axis=0)))
    return ((positions - positions.mean(axis=0)) @ (left @ right)).astype(np.float32)


def layered_maps(
    layers: Sequence[Floats],
    method: str = "umap",
    options: MapOptions | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Floats]:
    """The same n points at several layers on one plane: for each layer (n, 2).

    The last layer is laid out first, from its own principal plane; every layer before it starts from the one after it and
    is turned onto it, so that a point travels smoothly when the layers are stepped through. Raises `UserError`
    for a method that isn't there.
    """
    if method not in METHODS:
        raise UserError(f"map method {method!r} does not exist; choose one of {', '.join(METHODS)}")
    options = options or MapOptions()
    maps: list[Floats] = []
    for done, vectors in enumerate(reversed(layers)):
        progress(done, len(layers))
        maps.append(METHODS[method](vectors, options, maps[-1] if maps else None))
    progress(len(layers), len(layers))
    return maps[::-1]
