"""A graph laid out by stochastic gradient descent: points pulled by their neighbors and pushed by others.

The cores share an epoch: points are dealt into blocks at random, and an epoch is a tournament of the blocks. In each
round every core has two blocks to itself: it draws the edges between them, and the points that push are of these two
as well. No point is moved by two cores at once, so that the map depends on the seed alone, not on how many cores there
are or who is first.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from polysema.core.environment import cores
from polysema.core.import_lock import IMPORTING
from polysema.core.maps.compiled_steps import run_step
from polysema.core.maps.fuzzy_graph import Graph
from polysema.core.maps.options import PICTURE_COMPONENTS
from polysema.core.maps.snapshots import watcher_of
from polysema.core.maps.umap_curve import curve
from polysema.core.progress import Progress
from polysema.core.space.array_types import Floats, Ints, RandomKeys, SmallInts

MIN_PARALLEL_POINTS = 4_096  # points from which on the cores share an epoch: below it they would wait for each other
N_BLOCKS = 4  # of points; half as many cores have work in a round
ANCHOR_RATE = 0.03  # the share of its way to its anchor that a point is drawn in an epoch
DENSE, SHIFT = 0.3, 0.1  # the share of the epochs that fit the density, and what is added to the variance of the radii


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Edges by their points: those of point i are `first[i]` to `first[i + 1]`, each drawn once in `every` epochs."""

    first: Ints
    neighbors: SmallInts
    every: Floats

    @classmethod
    def of(cls, graph: Graph, n_epochs: int) -> "Edges":
        """Those of a CSR array of weights; the heaviest is drawn in every epoch, the lightest may never be."""
        weights = graph.data
        every = (weights.max() / np.maximum(weights, 1e-12)).astype(np.float32) if len(weights) else weights
        kept = every <= n_epochs
        counted = np.concatenate([[0], np.cumsum(kept)])
        return cls(counted[graph.indptr].astype(np.int64), graph.indices[kept].astype(np.int32), every[kept])

    def heads(self) -> Ints:
        """The point that each edge belongs to, (edges,)."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    def dealt(self, order: Ints) -> "Edges":
        """The same edges when the point `order[i]` has become point i."""
        counts = np.diff(self.first)[order]
        first = np.concatenate([[0], np.cumsum(counts)])
        moved = np.arange(first[-1]) + np.repeat(self.first[order] - first[:-1], counts)
        return Edges(first, back(order).astype(np.int32)[self.neighbors[moved]], self.every[moved])


@dataclass(frozen=True, slots=True)
class Descent:
    """How far and by which numbers: see `MapOptions` for those of the field.

    `anchor` (n, 2 or 3) is the position to which each point is pulled; `goal` (n,) are densMAP's log radii in the
    space, standardised.
    """

    spread: float
    min_dist: float
    n_epochs: int
    rate: int
    alpha: float = 1.0
    anchor: Floats | None = None
    goal: Floats | None = None
    dens_lambda: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Edges that one core draws: of the points in two ranges, `moved` (4,), in their order; points of `pushing` (4,)
    push.
    """

    moved: Ints
    pushing: Ints
    first: Ints
    neighbors: SmallInts
    every: Floats
    due: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What is laid out: see `descend` and, of points among `others` that stay, `descend_among`."""

    start: Floats
    edges: Edges
    keys: RandomKeys
    how: Descent
    others: Floats | None = None

    def run(self, progress: Progress) -> Floats:
        """The positions (n, dim)."""
        given = self.edges, self.keys, self.how
        if self.others is None:
            return _descend(self.start, *given, progress)
        return _descend_among(self.start, self.others, *given)


def descend(start: Floats, edges: Edges, keys: RandomKeys, how: Descent, progress: Progress) -> Floats:
    """Where the points of a graph end that start at `start` (n, 2 or 3); `keys` (n,) decide each one's random sequence.

    The cross-entropy of McInnes et al. 2018, sampled as there. What `progress` raises ends the work.
    """
    return run_step(Layout(start, edges, keys, how), progress)


def descend_among(start: Floats, others: Floats, edges: Edges, keys: RandomKeys, how: Descent) -> Floats:
    """Where points end that are pulled and pushed by `others`, which stay: each by itself, whatever comes with it."""
    return run_step(Layout(start, edges, keys, how, others))


def _descend(start: Floats, edges: Edges, keys: RandomKeys, how: Descent, progress: Progress) -> Floats:
    order = dealing(len(start))
    edges, keys, positions = edges.dealt(order), keys[order], np.ascontiguousarray(start[order], np.float32)
    anchor, goal = (None if of is None else of[order] for of in (how.anchor, how.goal))
    with Epochs(positions, edges, keys, how) as epochs:
        for now in range(1, how.n_epochs + 1):
            progress("lay out", now - 1, how.n_epochs)
            alpha = how.alpha * (1 - (now - 1) / how.n_epochs)
            late = now > (1 - DENSE) * how.n_epochs and how.dens_lambda > 0
            epochs.draw(now, alpha, epochs.densities(goal) if goal is not None and late else None)
            if anchor is not None:
                positions += np.float32(ANCHOR_RATE) * (anchor - positions)
            if (watch := watcher_of(now, how.n_epochs)) is not None:
                watch(positions[back(order)])
    progress("lay out", how.n_epochs, how.n_epochs)
    return positions[back(order)]


def dealing(n: int) -> Ints:
    """The order in which n points are dealt into blocks: at random from `MIN_PARALLEL_POINTS` points on."""
    return np.random.default_rng(n).permutation(n) if n >= MIN_PARALLEL_POINTS else np.arange(n)


def back(order: Ints) -> Ints:
    """The order that undoes an order."""
    undone = np.empty_like(order)
    undone[order] = np.arange(len(order))
    return undone


def _descend_among(start: Floats, others: Floats, edges: Edges, keys: RandomKeys, how: Descent) -> Floats:
    positions = np.ascontiguousarray(start, np.float32)
    with Epochs(positions, edges, keys, how, np.ascontiguousarray(others, np.float32)) as epochs:
        for now in range(1, how.n_epochs + 1):
            epochs.draw(now, how.alpha * (1 - (now - 1) / how.n_epochs))
    return positions


class Epochs:
    """The epochs of `positions` (n, 2 or 3), which are moved in place; a context manager, since threads stand ready.

    They, their edges and keys must be in the order of `dealing`: blocks are ranges of them.
    """

    def __init__(self, positions: Floats, edges: Edges, keys: RandomKeys, how: Descent, others: Floats | None = None):
        with IMPORTING:
            from polysema.core.maps import umap_kernel as kernel
        wide = positions.shape[1] > PICTURE_COMPONENTS
        self._draw, self._log_radii = kernel.wide_epoch if wide else kernel.epoch, kernel.log_radii
        self._positions, self._others, self._edges, self._keys, self._how = positions, others, edges, keys, how
        self._b = curve(how.spread, how.min_dist)[1]
        self._tables = kernel.tables(*curve(how.spread, how.min_dist))
        self._rounds = [list(tasks) for tasks in (_rounds(edges) if others is None else [_parts(edges, len(others))])]
        most = max(map(len, self._rounds))
        self._pool = ThreadPoolExecutor(min(most, cores())) if most > 1 else None

    def __enter__(self) -> "Epochs":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def densities(self, goal: Floats) -> tuple[Floats, Floats, Floats]:
        """For densMAP's gradient: each point's weight (n,), its log radius (n,) and the sum of its edges' phi (n,).

        The objective is the correlation of the log radii on the map with the goal; the weight is its slope, times
        dens_lambda and what turns a sum over edges into one over epochs.
        """
        n, edges = len(self._positions), self._edges
        radii, phi_sums = np.empty(n, np.float32), np.empty(n, np.float32)
        self._log_radii(self._positions, edges.first, edges.neighbors, self._tables[0], self._b, radii, phi_sums)
        deviation = float(np.sqrt(radii.var(dtype=np.float64) + SHIFT))
        slope = float(radii @ goal.astype(np.float64)) / max(1, n - 1)
        weight = goal - slope * (radii - radii.mean(dtype=np.float64)) / deviation**2
        total = float((1 / edges.every.astype(np.float64)).sum())  # of the edges' weights, the largest being 1
        return (weight * (self._how.dens_lambda * total / (deviation * n))).astype(np.float32), radii, phi_sums

    def draw(self, now: int, alpha: float, density: "tuple[Floats, Floats, Floats] | None" = None) -> None:
        """Epoch `now` (from 1) at the learning rate alpha; `density` is what `densities` returns."""
        nothing = np.empty(0, np.float32)
        others = self._positions if self._others is None else self._others
        for place in range(len(self._rounds)):
            number = (now + place) % len(self._rounds)  # no edge is always the first
            tasks, turn = self._rounds[number], now * len(self._rounds) + number

            def run(task: _Task, turn: int = turn) -> None:
                self._draw(
                    self._positions,
                    others,
                    task.moved,
                    task.pushing,
                    task.first,
                    task.neighbors,
                    task.every,
                    task.due,
                    self._keys,
                    *self._tables,
                    float(now),
                    turn,
                    alpha,
                    self._others is None,
                    self._how.rate,
                    self._b,
                    *(density or (nothing, nothing, nothing)),
                )

            if self._pool is None or len(tasks) == 1:
                for task in tasks:
                    run(task)
            else:
                for done in self._pool.map(run, tasks):
                    del done


def _rounds(edges: Edges) -> Iterator[Iterator[_Task]]:
    """An epoch's rounds: within one no two tasks share a point."""
    n = len(edges.first) - 1
    if n < MIN_PARALLEL_POINTS:
        span = np.array([0, n, n, n])
        yield iter([_Task(span, span, edges.first, edges.neighbors, edges.every, edges.every.copy())])
        return
    bounds = np.linspace(0, n, N_BLOCKS + 1).astype(np.int64)
    pairs = list(_tournament(N_BLOCKS))  # by rounds
    table = np.empty((N_BLOCKS, N_BLOCKS), np.int64)
    for number, (a, b) in enumerate(pair for round_ in pairs for pair in round_):
        table[a, b] = table[b, a] = number
    for a, b in pairs[0]:  # edges within a block are drawn in the first round
        table[a, a] = table[b, b] = table[a, b]
    heads, block = edges.heads(), np.repeat(np.arange(N_BLOCKS), np.diff(bounds))
    of = table[block[heads], block[edges.neighbors]]
    order = np.argsort(of, kind="stable")  # a point's edges stay together
    ends = np.cumsum(np.bincount(of, minlength=N_BLOCKS * (N_BLOCKS - 1) // 2))

    def task(a: int, b: int) -> _Task:
        number = table[a, b]
        chosen = order[(ends[number - 1] if number else 0) : ends[number]]
        span = np.array([bounds[a], bounds[a + 1], bounds[b], bounds[b + 1]])
        size = span[1] - span[0]
        places = np.where(heads[chosen] < span[1], heads[chosen] - span[0], heads[chosen] - span[2] + size)
        counts = np.bincount(places, minlength=size + span[3] - span[2])
        first = np.concatenate([[0], np.cumsum(counts)])
        every = edges.every[chosen]
        return _Task(span, span, first, edges.neighbors[chosen], every, every.copy())

    for round_ in pairs:
        yield (task(*sorted(pair)) for pair in round_)


def _tournament(n: int) -> Iterator[list[tuple[int, int]]]:
    """Rounds in which each of n, an even number, meets each other once (the circle method)."""
    ring = list(range(n))
    for _ in range(n - 1):
        yield [(ring[i], ring[n - 1 - i]) for i in range(n // 2)]
        ring[1:] = [ring[-1], *ring[1:-1]]


def _parts(edges: Edges, n_others: int) -> Iterator[_Task]:
    """The points among others that stay, in parts: each point is moved by itself."""
    n = len(edges.first) - 1
    bounds = np.linspace(0, n, (N_BLOCKS if n >= MIN_PARALLEL_POINTS else 1) + 1).astype(np.int64)
    everybody = np.array([0, n_others, n_others, n_others])
    for low, high in itertools.pairwise(bounds):
        within = slice(edges.first[low], edges.first[high])
        first, every = edges.first[low : high + 1] - edges.first[low], edges.every[within]
        yield _Task(np.array([low, high, high, high]), everybody, first, edges.neighbors[within], every, every.copy())
