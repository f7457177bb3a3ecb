"""Maps as a service tells of them: with the rows that they are of, and in short."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

from polysema.app.explorer.results.maps import MatchedMaps, SpaceMap
from polysema.app.explorer.serialization import json_form
from polysema.core.maps.distortion import Distortion
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MapOptions
from polysema.core.maps.overlap import Shift
from polysema.core.space.space import Floats, Ints, Origin


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
    def of(cls, found: SpaceMap, rows: Sequence[dict[str, Any]]) -> "MapAnswer":
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
            cast("tuple[dict[str, Any], ...]", rows),
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
    def of(cls, found: MatchedMaps, rows: Sequence[dict[str, Any]]) -> "MatchedAnswer":
        """Matched maps with the names and columns of their rows."""
        sides = tuple(
            MatchedSideAnswer(s.name, s.space.origin, s.baseline, s.left_out, s.positions, s.neighbors, s.kept)
            for s in found.sides
        )
        summary = MatchedSummary.of(found)
        said = {one.name: getattr(summary, one.name) for one in fields(summary)}
        return cls(
            **said | {"sides": sides},
            overlap=found.overlap,
            changed=found.changed,
            rows=cast("tuple[dict[str, Any], ...]", rows),
        )


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
