"""What the browser and the page have said about a selection, and which of the two was last."""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from polysema.app.dashboard.components.point_store import store
from polysema.app.dashboard.components.points import PublishedCloud
from polysema.app.dashboard.components.scatter.selection import (
    MAX_CORNERS,
    MAX_SELECTED_ROWS,
    NO_SELECTION,
    By,
    Region,
    Selection,
    camera_of,
    finite_numbers,
    rows_inside,
)

MAX_ECHOES = 32
"""Selections of the user that are remembered, so that one coming back through a link is not taken for a new wish."""


@dataclass(slots=True)
class SelectionMemory:
    """What one session knows of one plot between runs.

    Attributes:
        wished: Hash of the rows that Python selected last.
        command: How often Python changed the selection; the browser echoes the number of the last change that it
        applied. rows: Those rows.
        echoes: Hashes of the user's latest selections.
        heard: The state that `selection` was read from, as text with the points' version.
        selection: What was read last.
        at: When the user made it, in the browser's milliseconds.
    """

    wished: str = ""
    command: int = 0
    rows: tuple[int, ...] = ()
    echoes: list[str] = field(default_factory=list)
    heard: str = ""
    selection: Selection = NO_SELECTION
    at: float = 0.0

    def wish(self, rows: NDArray[np.int64], identity: str) -> None:
        """Take note of the rows that Python wants selected in this run. Those it had from the user are no wish."""
        wished = _name(rows, identity)
        if wished == self.wished or (not self.wished and not len(rows)):
            return
        self.wished = wished
        if wished in self.echoes:
            return
        self.command += 1
        self.rows = tuple(rows.tolist())

    def read(self, value: object, cloud: PublishedCloud) -> Selection:
        """The selection in the browser's state, or Python's own wish until the browser has followed it."""
        state = value if isinstance(value, Mapping) else {}
        wished = Selection(self.rows, len(self.rows), "python") if self.rows else NO_SELECTION
        view = camera_of(state.get("view"), cloud.dim)
        if state.get("identity") != cloud.identity or state.get("command") != self.command:
            return Selection(wished.rows, wished.count, wished.by, view=view)
        events = _heard(state, cloud)
        if events is None:
            return NO_SELECTION
        if events != self.heard:
            if not self._know(state, cloud):
                return Selection((), 0, view=view)
            self.heard = events
        found = self.selection
        region = found.region if state.get("version") == cloud.version else None
        return Selection(found.rows, found.count, found.by, found.clicked, view, region, self.at)

    def _know(self, state: Mapping[str, Any], cloud: PublishedCloud) -> bool:
        """Read a state that is new. False, and nothing is changed, when it doesn't fit the points."""
        try:
            region = _region(state.get("region"), cloud)
            rows = _rows(state, cloud, region)
        except (ValueError, TypeError, OverflowError):
            return False
        by, clicked = state.get("by"), state.get("clicked")
        if by not in ("click", "lasso", "box", "legend", "key", "python") and not (by == "" and not len(rows)):
            return False
        if clicked is not None and (type(clicked) is not int or rows.tolist() != [clicked]):
            return False
        at = state.get("at")
        try:
            (self.at,) = finite_numbers([at], 1)
        except (ValueError, OverflowError):
            self.at = 0.0
        self.selection = (
            Selection(tuple(rows.tolist()), len(rows), cast(By, by), clicked, None, region)
            if len(rows)
            else NO_SELECTION
        )
        self.echoes = [*self.echoes, _name(rows, cloud.identity)][-MAX_ECHOES:]
        return True


def _heard(state: Mapping[str, Any], cloud: PublishedCloud) -> str | None:
    """All that a selection follows from, as one text: the same text, the same selection."""
    message = {name: value for name, value in state.items() if name not in ("view", "missing")}
    try:
        return json.dumps([cloud.identity, message], sort_keys=True)
    except (TypeError, ValueError):
        return None


def _name(rows: NDArray[np.int64], identity: str) -> str:
    return blake2b(rows.tobytes(), digest_size=12, key=identity.encode()).hexdigest()


def _rows(state: Mapping[str, Any], cloud: PublishedCloud, region: Region | None) -> NDArray[np.int64]:
    """Selected rows: one by one, as bits, or inside the region. ValueError when none of them fits."""
    rows, bits = state.get("rows"), state.get("bits")
    if isinstance(rows, list):
        if len(rows) > MAX_SELECTED_ROWS or any(type(row) is not int or not 0 <= row < cloud.count for row in rows):
            raise ValueError("rows")
        return np.unique(np.asarray(rows, np.int64))
    if isinstance(bits, str):
        packed = np.frombuffer(b64decode(bits, validate=True), np.uint8)
        if len(packed) != (cloud.count + 7) // 8:
            raise ValueError("bits")
        return np.flatnonzero(np.unpackbits(packed, count=cloud.count, bitorder="little")).astype(np.int64)
    drawn_on = cloud if state.get("version") == cloud.version else store().get(str(state.get("version")))
    if region is None or drawn_on is None or (drawn_on.identity, drawn_on.dim) != (cloud.identity, cloud.dim):
        raise ValueError("region")
    return rows_inside(drawn_on, region)


def _region(value: object, cloud: PublishedCloud) -> Region | None:
    """A region of these points. ValueError when it is something else."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError("region")
    corners = value.get("corners")
    if not isinstance(corners, list) or not 3 <= len(corners) <= MAX_CORNERS:
        raise ValueError("corners")
    category = value.get("category")
    if type(category) is not int or not -1 <= category < max(1, len(cloud.categories)):
        raise ValueError("category")
    (scale,) = finite_numbers([value.get("scale")], 1)
    (near,) = finite_numbers([value.get("near")], 1)
    pairs = [finite_numbers(corner, 2) for corner in corners]
    return Region(
        tuple((x, y) for x, y in pairs),
        finite_numbers(value.get("matrix"), 16),
        finite_numbers(value.get("center"), cloud.dim),
        scale,
        near,
        category,
    )
