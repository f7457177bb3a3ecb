"""Answers that lie on a plane: maps of a word, of a space, and of the same rows in several spaces."""

from dataclasses import dataclass

import numpy as np

from polysema.app.explorer.answer_table import AnswerTable
from polysema.core.errors import UserError
from polysema.core.maps.distortion import Distortion
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MapOptions, axis_names
from polysema.core.maps.overlap import Shift, shifts
from polysema.core.maps.projection import Map
from polysema.core.space.space import Floats, Ints, Origin, Space


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WordMap(AnswerTable[dict[str, object]]):
    """A word's occurrences at every layer on one plane, with its static point.

    `positions` holds for each of `layers` an array (n_occurrences + 1, 2), the last row of which is the static point.
    `spread` has for each layer the mean cosine within a sense and between senses; `baselines` that of random pairs;
    `split` lists the texts of one's own (from 0) that were read in overlapping windows; `found` counts the word's
    occurrences that are there, those that are not shown too.
    """

    word: str
    layers: tuple[int, ...]
    positions: tuple[Floats, ...]
    texts: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    senses: tuple[str, ...]
    within: tuple[float, ...]
    between: tuple[float, ...]
    baselines: tuple[float, ...]
    method: str
    origin: Origin
    split: tuple[int, ...] = ()
    found: int = 0

    def __len__(self) -> int:
        return len(self.texts)

    def _row(self, place: int) -> dict[str, object]:
        start, end = self.spans[place]
        return {"text": self.texts[place], "start": start, "end": end, "sense": self.senses[place]}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SpaceMap(AnswerTable[dict[str, object]]):
    """A space, or its first rows, laid out.

    `space` are the rows shown and `map` where they lie; `neighbors` those that it was made by or is judged by,
    `distortion` what it was measured to keep, and `kept` (n,) for every point the share of its nearest that are its
    nearest on the map.
    """

    space: Space
    map: Map
    neighbors: Neighbors | None
    distortion: Distortion | None
    kept: Floats

    def __len__(self) -> int:
        return len(self.space)

    def _row(self, place: int) -> dict[str, object]:
        position = self.map.positions[place]
        where: dict[str, object] = dict(zip(axis_names(len(position)), map(float, position), strict=True))
        return {"word": self.space.keys[place]} | where | {"kept": float(self.kept[place])}


@dataclass(frozen=True, slots=True, eq=False)
class MatchedSide:
    """One of several spaces of the same rows, on their common plane.

    `space` are the rows shown (its `keys` and `columns` row for row as every other side's), `positions` (n, 2 or 3)
    where they lie, `neighbors` their nearest among the rows shown, `kept` (n,) the share of its k nearest that each has
    near it on the map too, and `baseline` the mean cosine of random pairs of its whole space. `left_out` counts the
    rows of the whole space that had no match.
    """

    name: str
    space: Space
    positions: Floats
    neighbors: Neighbors
    kept: Floats
    baseline: float
    left_out: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatchedMaps(AnswerTable[dict[str, object]]):
    """The same rows in two spaces, `a` and `b`, and in those `between` them, laid out on one plane; what changed.

    `overlap` (n,) is for each row the share of its `k` nearest in a that are among its k nearest in b, `changed` (n,)
    the rows, those first that changed most; `by_chance` is what two unrelated spaces would share. Of `matched` rows
    that are the same by `by`, those are shown that `rule` says. All neighbors are among the rows shown.
    """

    a: MatchedSide
    b: MatchedSide
    between: tuple[MatchedSide, ...]
    k: int
    overlap: Floats
    changed: Ints
    by_chance: float
    matched: int
    by: str
    rule: str
    method: str
    options: MapOptions

    def __len__(self) -> int:
        return len(self.overlap)

    @property
    def sides(self) -> tuple[MatchedSide, ...]:
        """All spaces in their order: a, those between, b."""
        return (self.a, *self.between, self.b)

    def stayed(self, row: int) -> tuple[Shift, ...]:
        """The row's k nearest in a that are among its k nearest in b, nearest in a first."""
        mine, theirs = self._near(row)
        return self._shifts(row, mine[np.isin(mine, theirs)])

    def lost(self, row: int) -> tuple[Shift, ...]:
        """The row's k nearest in a that are not among its k nearest in b, nearest in a first."""
        mine, theirs = self._near(row)
        return self._shifts(row, mine[~np.isin(mine, theirs)])

    def gained(self, row: int) -> tuple[Shift, ...]:
        """The row's k nearest in b that are not among its k nearest in a, nearest in b first."""
        mine, theirs = self._near(row)
        return self._shifts(row, theirs[~np.isin(theirs, mine)])

    def _near(self, row: int) -> tuple[Ints, Ints]:
        if not 0 <= row < len(self):
            raise UserError(f"row must be from 0 to {len(self) - 1:,}, the rows that are shown; got {row}")
        return self.a.neighbors.rows[row, : self.k], self.b.neighbors.rows[row, : self.k]

    def _shifts(self, row: int, others: Ints) -> tuple[Shift, ...]:
        return shifts(self.a.space.vectors, self.b.space.vectors, row, others, self.options.distance)

    def _row(self, place: int) -> dict[str, object]:
        return {"word": self.a.space.keys[place], "overlap": float(self.overlap[place])}
