"""What an approximate index was measured to find: recall@10 and queries a second at several settings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from polysema.core.space.metric import Metric, unit
from polysema.core.space.space import Floats, Ints
from polysema.indexes.index_spec import USED_PARAMETERS, IndexSpec


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """The parameters of one search, those of its kind: how far it looks."""

    ef_search: int = 0
    nprobe: int = 0
    k_factor: int = 0

    def __str__(self) -> str:
        return ", ".join([f"{name} {value}" for name in self.__slots__ if (value := getattr(self, name))])

    def to_json(self) -> dict[str, int]:
        """The parameters that are used."""
        return {name: value for name, value in asdict(self).items() if value}

    def deeper(self, factor: float) -> "Setting":
        """The same way of searching, so many times as far; itself for a factor of 1 or less."""
        if factor <= 1:
            return self
        return replace(self, ef_search=ceil(self.ef_search * factor), nprobe=ceil(self.nprobe * factor))

    def within(self, other: "Setting") -> bool:
        """Whether this one looks no further than the other, in any way."""
        return self.ef_search <= other.ef_search and self.nprobe <= other.nprobe and self.k_factor <= other.k_factor


@lru_cache(maxsize=1024)
def described(kind: str, setting: Setting) -> str:
    """How an answer was found, in a few words."""
    return f"{kind}, {setting}"


def setting_of(recipe: IndexSpec) -> Setting:
    """The setting that a recipe names."""
    used = USED_PARAMETERS[recipe.kind]
    return Setting(**{name: getattr(recipe, name) for name in ("ef_search", "nprobe", "k_factor") if name in used})


DRAW_ROWS = 4_096  # rows that are compared while distinct ones are looked for
DIGITS = 6  # by which two directions differ
EF_SEARCH = (10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)
NPROBE = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
NPROBE_OF_CODES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # where k_factor is measured as well
K_FACTOR = (2, 4, 8, 16, 32, 64)


def ladder(recipe: IndexSpec) -> list[Setting]:
    """The settings worth measuring for a fitted recipe, its own among them, from near to far."""
    used = USED_PARAMETERS[recipe.kind]
    if "ef_search" in used:
        rungs = {Setting(ef_search=ef) for ef in EF_SEARCH}
    else:
        probes = [p for p in (NPROBE_OF_CODES if "k_factor" in used else NPROBE) if p < recipe.nlist]
        probes.append(min(recipe.nlist, NPROBE[-1]))
        if "k_factor" in used:
            rungs = {Setting(nprobe=p, k_factor=f) for p in probes for f in K_FACTOR}
        else:
            rungs = {Setting(nprobe=p) for p in probes}
    return sorted(rungs | {setting_of(recipe)})


@dataclass(frozen=True, slots=True)
class RecallPoint:
    """What one setting reached. `error` is the standard error of `recall`, which is recall@10; `recall_100` that of 100
    neighbors; `single` and `batch` are queries a second, one by one and all at once.
    """

    setting: Setting
    recall: float
    error: float
    recall_100: float
    single: float
    batch: float

    def at(self, k: int) -> float:
        """The recall for k neighbors: that of the next larger number that was measured."""
        return self.recall if k <= 10 else min(self.recall, self.recall_100)


@dataclass(frozen=True, slots=True)
class RecallCurve:
    """Recall measured on `n_queries` rows that were left out of the index while it was measured."""

    n_queries: int
    points: tuple[RecallPoint, ...]

    def cheapest(self, recall: float, k: int = 10) -> RecallPoint | None:
        """The fastest point that reaches a recall@k by a standard error; None where none does.

        A point that looks further than another one that does is not taken, however fast it happened to be.
        """
        there = [p for p in self.points if p.at(k) - (p.error if p.at(k) < 1 else 0) >= recall]
        nearest = [p for p in there if not any(q is not p and q.setting.within(p.setting) for q in there)]
        return max(nearest, key=lambda p: p.single, default=None)

    def expected(self, setting: Setting, k: int = 10) -> float | None:
        """The recall@k to expect of a setting: the best measured one that looks no further; None where none was."""
        return max((p.at(k) for p in self.points if p.setting.within(setting)), default=None)

    def seconds(self, setting: Setting, n_queries: int) -> float:
        """About how long so many queries take at a setting, from the furthest-looking point within it."""
        point = max(
            (p for p in self.points if p.setting.within(setting)), key=lambda p: p.setting, default=self.points[0]
        )
        further = max(
            setting.ef_search / max(1, point.setting.ef_search), setting.nprobe / max(1, point.setting.nprobe), 1
        )
        return n_queries * further / (point.single if n_queries == 1 else max(point.single, point.batch))

    def to_json(self) -> dict[str, object]:
        """The curve as plain JSON types."""
        points = [{**asdict(point), "setting": point.setting.to_json()} for point in self.points]
        return {"n_queries": self.n_queries, "points": points}

    @classmethod
    def from_json(cls, card: Mapping[str, Any]) -> "RecallCurve":
        """The inverse of `to_json`; raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        points = [
            RecallPoint(
                Setting(**point["setting"]),
                *(float(point[n]) for n in ("recall", "error", "recall_100", "single", "batch")),
            )
            for point in card["points"]
        ]
        return cls(int(card["n_queries"]), tuple(points))


def distinct_rows(vectors: Floats, size: int, metric: Metric, rng: np.random.Generator) -> Ints:
    """Rows drawn at random, ascending, of which no two are equal (for the cosine: point the same way); fewer than
    `size` where fewer differ.

    Copies of one row find each other at any setting: drawn as often as they stand there, they would hide what is found
    of the others.
    """
    rows = rng.choice(len(vectors), size, replace=False)
    found: dict[bytes, int] = {}
    _take_distinct(vectors, rows, metric, found, size)
    if len(found) < size:
        rest = rng.permutation(np.setdiff1d(np.arange(len(vectors)), rows))
        for start in range(0, len(rest), DRAW_ROWS):
            if len(found) >= size:
                break
            _take_distinct(vectors, rest[start : start + DRAW_ROWS], metric, found, size)
    return np.sort(np.fromiter(found.values(), np.int64, len(found)))


def _take_distinct(vectors: Floats, rows: Ints, metric: Metric, found: dict[bytes, int], size: int) -> None:
    """Put rows into `found`, by their bytes, until there are `size`."""
    order = np.sort(rows)  # of a mapped file, from its beginning to its end
    taken = np.ascontiguousarray(vectors[order], np.float32)
    if metric is Metric.COSINE:
        taken = np.round(unit(taken), DIGITS)
    keys = dict(zip(order.tolist(), (row.tobytes() for row in taken + np.float32(0)), strict=True))  # -0 is 0
    for row in rows.tolist():
        if len(found) < size:
            found.setdefault(keys[row], row)


def recalls(found: Floats, best: Floats, k: int) -> Floats:
    """The share of each query's k best that were found: (n_queries,).

    `found` and `best` are scores (n_queries, >= k): equal scores count as found, since no one of several equal rows is
    the right one.
    """
    k = min(k, best.shape[1])
    least = best[:, k - 1 : k]
    slack = 4e-6 * np.maximum(1, np.abs(least))
    answer: Floats = np.minimum((found[:, :k] >= least - slack).sum(axis=1), k).astype(np.float32) / k
    return answer
