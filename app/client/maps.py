"""`RemoteMaps`: spaces and occurrences laid out by the service, as `explorer.maps` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from polysema.app.client.contexts import texts_fields
from polysema.app.client.space import RemoteSpace
from polysema.app.client.transport import BASE64, Transport, part, sent
from polysema.app.explorer.json_reading import array_of, from_json
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE
from polysema.app.explorer.results import WordMap
from polysema.app.explorer.results.columns import ColumnCharts, TypicalRows
from polysema.app.explorer.serialization import to_json
from polysema.core.argument_types import checked_function
from polysema.core.errors import list_of
from polysema.core.maps.distortion import Distortion
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MapOptions
from polysema.core.maps.projection import Map
from polysema.core.maps.regions import Regions
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats, Ints, Origin

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.app.explorer.context_cloud import SpaceTexts
    from polysema.app.explorer.map_neighbors import PointNeighbors
    from polysema.core.maps.overlap import Shift


@dataclass(frozen=True, slots=True, eq=False)
class RemoteMap:
    """A map that a job of the service made: as `SpaceMap`, whose space (here `rows`, with their `key`) stays there."""

    rows: list[dict[str, Any]]
    map: Map
    distortion: Distortion | None
    kept: Floats
    origin: Origin
    job: str


@dataclass(frozen=True, slots=True, eq=False)
class RemoteSide:
    """One of several spaces of the same rows: as `MatchedSide`, whose space (here its card, `origin`) stays there."""

    name: str
    origin: Origin
    positions: Floats
    neighbors: Neighbors
    kept: Floats
    baseline: float
    left_out: int


@dataclass(frozen=True, slots=True, eq=False)
class RemoteMatched:
    """The same rows in several spaces, as a job of the service laid them out: as `MatchedMaps`, with the `rows`' keys
    and columns (those of the first space). What changed around a row is computed by the service.
    """

    rows: list[dict[str, Any]]
    sides: tuple[RemoteSide, ...]
    k: int
    overlap: Floats
    changed: Ints
    by_chance: float
    matched: int
    by: str
    rule: str
    method: str
    options: MapOptions
    job: str
    transport: Transport

    @classmethod
    def of(cls, transport: Transport, job: str, message: dict[str, Any]) -> RemoteMatched:
        """What a job told of its result."""
        return cls(
            message["rows"],
            tuple(from_json(RemoteSide, side) for side in message["sides"]),
            message["k"],
            array_of(np.float32, message["overlap"]),
            array_of(np.int64, message["changed"]),
            message["by_chance"],
            message["matched"],
            message["by"],
            message["rule"],
            message["method"],
            MapOptions(**message["options"]),
            job,
            transport,
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def a(self) -> RemoteSide:
        """The first space."""
        return self.sides[0]

    @property
    def b(self) -> RemoteSide:
        """The last space."""
        return self.sides[-1]

    @property
    def between(self) -> tuple[RemoteSide, ...]:
        """The spaces between the two."""
        return self.sides[1:-1]

    def stayed(self, row: int) -> tuple[Shift, ...]:
        """See `MatchedMaps.stayed`."""
        return self._shifts(row, "stayed")

    def lost(self, row: int) -> tuple[Shift, ...]:
        """See `MatchedMaps.lost`."""
        return self._shifts(row, "lost")

    def gained(self, row: int) -> tuple[Shift, ...]:
        """See `MatchedMaps.gained`."""
        return self._shifts(row, "gained")

    def _shifts(self, row: int, which: str) -> tuple[Shift, ...]:
        from polysema.core.maps.overlap import Shift

        found = self.transport.ask("GET", f"/v1/jobs/{part(self.job)}/shifts", params={"row": row})
        return tuple(from_json(Shift, one) for one in found[which])


class RemoteMatchedArguments(TypedDict, total=False):
    """What `matched` takes by name alone."""

    through: Sequence[str | RemoteSpace]
    progress: Progress


class RemoteMaps:
    """Lays spaces and occurrences out in the service: each map is a job, whose progress is told and which can be
    cancelled.
    """

    def __init__(self, transport: Transport):
        self._transport = transport

    def map(
        self,
        space: str | RemoteSpace = DEFAULT_SPACE,
        method: str = "umap",
        options: MapOptions | None = None,
        n: int | None = None,
        k: int = 10,
        progress: Progress = no_progress,
    ) -> RemoteMap:
        """See `MapExplorer.map`."""
        query = {**space_fields(space), "method": method, "options": to_json(options or MapOptions()), "n": n, "k": k}
        job = self._transport.start("map", query)
        self._transport.finish(job, progress)
        found = self._transport.ask_rows("GET", f"/v1/jobs/{job}/result", name="position")
        rows = found.table.to_pylist()
        message = found.more["distortion"]
        kept = np.array([row.pop("kept") for row in rows], np.float32)
        distortion = None if message is None else from_json(Distortion, message)
        laid = Map(
            found.vectors,
            found.more["method"],
            MapOptions(**found.more["options"]),
            found.more["scale"],
            notes=tuple(found.more["notes"]),
        )
        return RemoteMap(rows, laid, distortion, kept, found.origin, job)

    def place(self, on: RemoteMap, vectors: npt.ArrayLike) -> Floats:
        """See `MapExplorer.place`."""
        found = self._transport.ask("POST", f"/v1/jobs/{part(on.job)}/place", {"vectors": sent(vectors)})
        return np.array(found["positions"], np.float32)

    def around(
        self, on: RemoteMap, whole: str | RemoteSpace, at: int | tuple[Floats, Floats], k: int = 10
    ) -> PointNeighbors:
        """See `MapExplorer.around`."""
        from polysema.app.explorer.map_neighbors import PointNeighbors

        query: dict[str, Any] = {**space_fields(whole), "k": k}
        if isinstance(at, int):
            query["row"] = at
        else:
            vector, position = (sent(np.asarray(numbers)[None])[0] for numbers in at)
            query |= {"vector": vector, "position": position}
        found: PointNeighbors = from_json(
            PointNeighbors, self._transport.ask("POST", f"/v1/jobs/{part(on.job)}/around", query)
        )
        return found

    def areas(self, on: RemoteMap) -> Regions:
        """See `MapExplorer.areas`."""
        found: Regions = from_json(Regions, self._transport.ask("GET", f"/v1/jobs/{part(on.job)}/areas"))
        return found

    def columns(self, on: RemoteMap, columns: Sequence[str] | None = None, where: str = "") -> ColumnCharts:
        """See `MapExplorer.columns`."""
        query = {"columns": None if columns is None else list_of(columns, "columns"), "where": where}
        found: ColumnCharts = from_json(
            ColumnCharts, self._transport.ask("POST", f"/v1/jobs/{part(on.job)}/columns", query)
        )
        return found

    def typical(self, on: RemoteMap, rows: Sequence[int], k: int = 10) -> TypicalRows:
        """See `MapExplorer.typical`."""
        query = {"rows": [int(row) for row in rows], "k": k}
        found: TypicalRows = from_json(
            TypicalRows, self._transport.ask("POST", f"/v1/jobs/{part(on.job)}/typical", query)
        )
        return found

    @checked_function
    def matched(
        self,
        a: str | RemoteSpace,
        b: str | RemoteSpace,
        n: int | None = 2000,
        k: int = 10,
        method: str = "umap",
        options: MapOptions | None = None,
        **more: Unpack[RemoteMatchedArguments],
    ) -> RemoteMatched:
        """See `MapExplorer.matched`."""
        spaces = (a, b, *more.get("through", ()))
        one, two, *between = [space if isinstance(space, str) else space.request for space in spaces]
        how = {"method": method, "options": to_json(options or MapOptions())}
        job = self._transport.start("matched", {"a": one, "b": two, "through": between, "n": n, "k": k, **how})
        self._transport.finish(job, more.get("progress", no_progress))
        return RemoteMatched.of(
            self._transport, job, self._transport.ask("GET", f"/v1/jobs/{part(job)}/result", accept=BASE64)
        )

    def word_map(
        self,
        word: str,
        model: str = DEFAULT_MODEL,
        method: str = "umap",
        extra: Sequence[str] = (),
        progress: Progress = no_progress,
        texts: SpaceTexts | None = None,
    ) -> WordMap:
        """See `MapExplorer.word_map`."""
        query = {"word": word, "model": model, "method": method, "texts": list_of(extra, "texts")}
        query |= texts_fields(texts)
        found: WordMap = from_json(WordMap, self._transport.done("word_map", progress, **query))
        return found


def space_fields(space: str | RemoteSpace) -> dict[str, Any]:
    """A space, as requests name it."""
    return {"space": space} if isinstance(space, str) else space.request
