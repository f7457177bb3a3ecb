"""UMAP by umap-learn itself, over precomputed neighbors: the reference for our own loops."""

import re
import warnings
from dataclasses import dataclass

import numpy as np

from polysema.core.import_lock import IMPORTING
from polysema.core.maps.neighbors import Neighbors
from polysema.core.progress import Progress
from polysema.core.space.array_types import Doubles, Floats, Ints

FLAT_NOISE = 1e-3  # the spread that an axis gets on which all points start at one place


class _EpochFile:
    """The file that umap-learn's progress bar is written to: `progress` gets the epochs, and what it raises is kept.

    It is not raised here: tqdm would keep the lock that all bars of the process share, and the next bar of another
    thread would wait for it forever.
    """

    def __init__(self, progress: Progress):
        self._progress = progress
        self._error: BaseException | None = None

    def write(self, bar: str) -> None:
        """Read the epochs off the bar."""
        if self._error is None and (message := re.search(r"(\d+)/(\d+)", bar)) is not None:
            try:
                self._progress("lay out", int(message[1]), int(message[2]))
            except BaseException as error:
                self._error = error

    def flush(self) -> None:
        """Nothing is buffered."""

    def check(self) -> None:
        """Raise what `progress` has raised."""
        if self._error is not None:
            raise self._error


class _Interval(float):
    """The bar's shortest interval, 0 seconds. tqdm compares with it after each epoch, with its lock free: the place to
    raise what `progress` has raised.
    """

    file: _EpochFile

    def __le__(self, other: float) -> bool:
        self.file.check()
        return True


@dataclass(frozen=True, slots=True, eq=False)
class MapGraphInput:
    """What umap-learn makes its graph of: n points, their nearest others, and perhaps `y` (n,), the target."""

    vectors: Floats
    knn: Neighbors
    y: Ints | Doubles | None = None


def umap_learn(
    points: MapGraphInput, start: Floats, how: dict[str, float | int | str | None], progress: Progress
) -> Floats:
    """Lay out n points by their nearest others, from `start`: (n, n_components).

    `how` are umap-learn's own options (metric, min_dist, spread, n_epochs, negative_sample_rate, random_state,
    target_metric, target_weight). Its functions are compiled in every process anew (some ten seconds), which can't be
    stopped; its epochs can.
    """
    progress("lay out", 0, 1)
    with IMPORTING:
        import umap
    rows, distances = points.knn.rows, points.knn.distances
    n, k = rows.shape
    flat = np.ptp(start, axis=0) == 0  # umap-learn divides by the extent of each axis
    if flat.any():
        noise = np.random.default_rng(0).normal(size=start.shape).astype(np.float32)
        start = start + noise * np.float32(FLAT_NOISE) * flat
    own = np.concatenate([np.arange(n)[:, None], rows], axis=1)  # umap-learn counts the point itself
    away = np.concatenate([np.zeros((n, 1), np.float32), distances], axis=1)
    interval = _Interval()
    interval.file = _EpochFile(progress)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed means one thread, and that there is no index to transform by
        laid = umap.UMAP(
            n_neighbors=k + 1,
            n_components=start.shape[1],
            init=start,
            precomputed_knn=(own, away),
            tqdm_kwds={
                "disable": False,
                "file": interval.file,
                "bar_format": "{n_fmt}/{total_fmt}",
                "mininterval": interval,
                "miniters": 1,
            },
            **how,
        ).fit_transform(points.vectors, points.y)
    interval.file.check()
    return np.asarray(laid, np.float32)
