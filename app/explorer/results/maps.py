"""Answers that lie on a plane: maps of a word, of a space, and of the same rows in several spaces."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.serialization import json_form
from polysema.core.errors import UserError
from polysema.core.maps.distortion import Distortion
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MapOptions
from polysema.core.maps.overlap import Shift, shifts
from polysema.core.maps.projection import Map
from polysema.core.space.space import Floats, Ints, Origin, Space


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WordMap(AnswerTable[dict[str, object]]):
    """A word's occurrences at every layer on one plane, with its static point.

    `positions` holds for each of `layers` an array (n_occurrences + 1, 2), the last row of which is the static point.
    `spread` has for each layer the mean cosine within a sense and between senses; `baselines` that of random pairs;
    `split` lists the texts of one's own (from 0) that were read in overlapping windows.
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
        where: dict[str, object] = dict(zip("xyz", map(float, self.map.positions[place]), strict=False))
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
        return shifts(self.a.space.vectors, self.b.space.vectors, row, others)

    def _row(self, place: int) -> dict[str, object]:
        return {"word": self.a.space.keys[place], "overlap": float(self.overlap[place])}


@dataclass(frozen=True, slots=True)
class DistortionSummary:
    """How much of the neighborhoods a map kept, of `measured` points: see `core.maps.distortion`."""

    k: int
    measured: int
    preservation: float
    trustworthiness: float
    by_chance: float


@dataclass(frozen=True, slots=True)
class MapSummary:
    """A map of `n` points without its points."""

    method: str
    options: MapOptions
    scale: float
    n: int
    notes: tuple[str, ...]
    distortion: DistortionSummary | None
    origin: Origin

    @classmethod
    def of(cls, found: SpaceMap) -> "MapSummary":
        """What is to be said of a map."""
        made, one = found.map, found.distortion
        summary = None
        if one is not None:
            summary = DistortionSummary(one.k, len(one.rows), one.preservation, one.trustworthiness, one.by_chance)
        return cls(made.method, made.options, made.scale, len(found.space), made.notes, summary, found.space.origin)


@dataclass(frozen=True, slots=True, eq=False)
class MapAnswer:
    """A map: for each row its name, columns and the share of its neighbors that it `kept`, and its position."""

    method: str
    options: MapOptions
    scale: float
    n: int
    notes: tuple[str, ...]
    distortion: Distortion | None
    origin: Origin
    rows: tuple[dict[str, Any], ...]
    positions: Floats = field(metadata=json_form(flat=True))
    dim: int

    @classmethod
    def of(cls, found: SpaceMap, rows: list[dict[str, Any]]) -> "MapAnswer":
        """A map with what is to be said of each of its rows."""
        made, positions = found.map, found.map.positions
        return cls(
            made.method,
            made.options,
            made.scale,
            len(found.space),
            made.notes,
            found.distortion,
            found.space.origin,
            tuple(rows),
            positions,
            positions.shape[1],
        )


@dataclass(frozen=True, slots=True)
class MatchedSideSummary:
    """One of several spaces: the mean cosine of random pairs, and how many of its rows had no match."""

    name: str
    origin: Origin
    baseline: float = field(metadata=json_form(null=True))
    left_out: int


@dataclass(frozen=True, slots=True, eq=False)
class MatchedSideAnswer:
    """One of the spaces: where its rows lie, their nearest among the rows shown, the share of these that each has near
    it on the map too, the mean cosine of random pairs, and how many rows of the whole space had no match.
    """

    name: str
    origin: Origin
    baseline: float = field(metadata=json_form(null=True))
    left_out: int
    positions: Floats
    neighbors: Neighbors
    kept: Floats


@dataclass(frozen=True, slots=True)
class MatchedSummary:
    """`n` of the rows that several spaces share, laid out on one plane, without the rows."""

    method: str
    options: MapOptions
    n: int
    k: int
    matched: int
    by: str
    rule: str
    by_chance: float
    sides: tuple[MatchedSideSummary, ...]

    @classmethod
    def of(cls, found: MatchedMaps) -> "MatchedSummary":
        """What is to be said of matched maps."""
        sides = tuple(MatchedSideSummary(s.name, s.space.origin, s.baseline, s.left_out) for s in found.sides)
        return cls(
            found.method,
            found.options,
            len(found),
            found.k,
            found.matched,
            found.by,
            found.rule,
            found.by_chance,
            sides,
        )


@dataclass(frozen=True, slots=True, eq=False)
class MatchedAnswer:
    """The same `rows` in several spaces, the `sides`: `overlap` is for each row the share of its k nearest in the first
    that are among its k nearest in the last; `changed` has the rows, those first that changed most.
    """

    method: str
    options: MapOptions
    n: int
    k: int
    matched: int
    by: str
    rule: str
    by_chance: float
    sides: tuple[MatchedSideAnswer, ...]
    overlap: Floats
    changed: Ints
    rows: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, found: MatchedMaps, rows: list[dict[str, Any]]) -> "MatchedAnswer":
        """Matched maps with the names and columns of their rows."""
        sides = tuple(
            MatchedSideAnswer(s.name, s.space.origin, s.baseline, s.left_out, s.positions, s.neighbors, s.kept)
            for s in found.sides
        )
        summary = MatchedSummary.of(found)
        said = {one.name: getattr(summary, one.name) for one in fields(summary)}
        return cls(**said | {"sides": sides}, overlap=found.overlap, changed=found.changed, rows=tuple(rows))


@dataclass(frozen=True, slots=True)
class ShiftsAnswer:
    """Of a row's k nearest in the first and in the last of several spaces: those in both, the lost and the gained."""

    row: int
    stayed: tuple[Shift, ...]
    lost: tuple[Shift, ...]
    gained: tuple[Shift, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PositionsAnswer:
    """Where new points lie on a map, (n, n_components)."""

    positions: Floats
