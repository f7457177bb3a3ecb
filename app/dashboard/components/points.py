"""Points for the scatter plot: what a page gives, checked once, and the store from which browsers fetch large clouds.

This module draws nothing. It lies outside of `scatter`, because the server imports it (for `point_routes`) before
Streamlit's runtime is there, and components can be registered only after that.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st
from numpy.typing import NDArray

__all__ = ["PointStore", "Points", "PublishedCloud", "check", "publish", "store"]

MAX_STORE_BYTES = 400_000_000
"""Of all published clouds together. The newest stays even when it alone is larger."""

MAX_STORED_CLOUDS = 64

SHAPE_COUNT = 3
"""0 disc, 1 diamond, 2 cross."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What to plot. Row `i` of each member describes the same point.

    Attributes:
        positions: `(n, 2)` or `(n, 3)`, finite.
        labels: `n` short texts: drawn beside the point for `label_rows`, the title of the tooltip.
        categories: Legend names in color order. Twelve colors, then the same again with other markers.
        category: `(n,)` integers, indices into `categories`.
        details: `n` longer texts for the tooltip, such as the sentence.
        marks: `n` pairs `[start, end)`, in Unicode code points of `details`, to show in bold.
        shapes: `(n,)` integers: 0 disc, 1 diamond, 2 cross. Discs by default.
        values: `(n,)` finite numbers, such as the share of neighbors kept. They color the points instead of the
            categories, from the least to the greatest, with a gradient as legend.
        value_name: What the values are, for the legend and the tooltip.
    """

    positions: NDArray[np.floating[Any]]
    labels: Sequence[str]
    categories: Sequence[str]
    category: NDArray[np.integer[Any]]
    details: Sequence[str] | None = None
    marks: Sequence[tuple[int, int]] | None = None
    shapes: NDArray[np.integer[Any]] | None = None
    values: NDArray[np.floating[Any]] | None = None
    value_name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PublishedCloud:
    """Points that were checked, under names made of their content. Made by `publish`.

    Attributes:
        version: Hash of all that is drawn per point, 32 hexadecimal characters.
        identity: Hash of labels and details, which name the points: two versions of one identity are the same points
            at other places (another layer, say), and a selection stays.
        count: How many points.
        dim: 2 or 3.
        positions: `(n, dim)` float32, read-only.
        category: `(n,)` uint8 or uint16, read-only.
        categories: Legend names.
        value_name: What the values are; empty without values.
        labels: `n` texts.
        details: `n` texts, or None.
        marks: `(n, 2)` int32, or None.
        body: The numeric columns, one after the other, little-endian.
        layout: Name, type ("f4", "u2", "u1") and length of each column of `body`.
    """

    version: str
    identity: str
    count: int
    dim: int
    positions: NDArray[np.float32]
    category: NDArray[np.integer[Any]]
    categories: tuple[str, ...]
    value_name: str
    labels: pa.Array
    details: pa.Array | None
    marks: NDArray[np.int32] | None
    body: bytes
    layout: tuple[tuple[str, str, int], ...]

    @property
    def nbytes(self) -> int:
        """Memory that these points hold."""
        texts = int(self.labels.nbytes) + (0 if self.details is None else int(self.details.nbytes))
        return len(self.body) + texts + (0 if self.marks is None else self.marks.nbytes)

    def column(self, name: str) -> NDArray[Any] | None:
        """A numeric column of `body`, as a read-only view, or None when these points have none of that name."""
        return _column(self.body, self.layout, name)


class PointStore:
    """Published clouds by their version, those used last, within limits of memory and number. Safe in threads."""

    def __init__(self, max_bytes: int = MAX_STORE_BYTES, max_clouds: int = MAX_STORED_CLOUDS) -> None:
        self._max_bytes = max_bytes
        self._max_clouds = max_clouds
        self._clouds: OrderedDict[str, PublishedCloud] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def keep(self, cloud: PublishedCloud) -> None:
        """Hold a cloud, and let go of those not used for longest when there are too many."""
        with self._lock:
            if cloud.version not in self._clouds:
                self._clouds[cloud.version] = cloud
                self._bytes += cloud.nbytes
            self._clouds.move_to_end(cloud.version)
            while len(self._clouds) > 1 and (self._bytes > self._max_bytes or len(self._clouds) > self._max_clouds):
                self._bytes -= self._clouds.popitem(last=False)[1].nbytes

    def get(self, version: str) -> PublishedCloud | None:
        """The cloud of that version, or None when it was never published or is no longer held."""
        with self._lock:
            if version in self._clouds:
                self._clouds.move_to_end(version)
            return self._clouds.get(version)

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._clouds.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._clouds)


@st.cache_resource(show_spinner=False, max_entries=1)
def store() -> PointStore:
    """The one store of this process, shared by all sessions."""
    return PointStore()


def publish(points: Points) -> PublishedCloud:
    """Check points, hash them and hold them where browsers can fetch them.

    This reads every value and text once (0.2 to 0.5 s at 400,000 points), so keep what it returns, for example in a
    function with `st.cache_resource`, and give that to `scatter` on every run: that costs nothing again. Sessions that
    publish the same points share one cloud. When the store has let go of it, the next run of `scatter` puts it back.

    Raises:
        ValueError: A column doesn't fit the others, or a number is NaN or infinite.
    """
    cloud = check(points)
    store().keep(cloud)
    return cloud


def check(points: Points) -> PublishedCloud:
    """The points with all columns checked, converted and hashed.

    Raises:
        ValueError: A column doesn't fit the others, or a number is NaN or infinite.
    """
    positions = _float32_positions(points.positions)
    count, dim = int(positions.shape[0]), int(positions.shape[1])
    categories = tuple(_texts(points.categories, name="categories"))
    columns: list[tuple[str, str, NDArray[Any]]] = [("position", "f4", positions.reshape(-1))]
    if points.values is not None:
        columns.append(("value", "f4", _values(points.values, count=count)))
    kind = "u1" if len(categories) <= 256 else "u2"
    if len(categories) > 65_536:
        raise ValueError(f"at most 65,536 categories can be told apart, not {len(categories):,}")
    columns.append(("category", kind, _codes(points.category, name="category", count=count, limit=len(categories))))
    if points.shapes is not None:
        columns.append(("shape", "u1", _codes(points.shapes, name="shapes", count=count, limit=SHAPE_COUNT)))

    labels = _text_column(points.labels, name="labels", count=count)
    details = None if points.details is None else _text_column(points.details, name="details", count=count)
    if points.marks is not None and details is None:
        raise ValueError("marks need details: they are characters of it")
    marks = None if points.marks is None or details is None else _marks(points.marks, details)

    body = b"".join(values.astype(f"<{kind}").tobytes() for _, kind, values in columns)
    layout = tuple((name, kind, int(values.size)) for name, kind, values in columns)
    identity = _digest(*_buffers(labels), *_buffers(details))
    value_name = str(points.value_name) if points.values is not None else ""
    described = json.dumps([identity, layout, categories, value_name, dim, details is None]).encode()
    version = _digest(body, described, b"" if marks is None else marks.tobytes())
    stored, codes = _column(body, layout, "position"), _column(body, layout, "category")
    assert stored is not None
    assert codes is not None
    return PublishedCloud(
        version,
        identity,
        count,
        dim,
        stored.reshape(count, dim),
        codes,
        categories,
        value_name,
        labels,
        details,
        marks,
        body,
        layout,
    )


def _column(body: bytes, layout: tuple[tuple[str, str, int], ...], name: str) -> NDArray[Any] | None:
    """A column of `Published.body` as a read-only view, or None when there is none of that name."""
    offset = 0
    for column, kind, length in layout:
        if column == name:
            return np.frombuffer(body, f"<{kind}", length, offset)
        offset += length * int(kind[1])
    return None


def _float32_positions(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Check the positions and convert them: `(n, 2)` or `(n, 3)` to the same shape in float32."""
    positions = np.asarray(values)
    if positions.ndim != 2 or positions.shape[1] not in (2, 3):
        raise ValueError(f"positions must have shape (n, 2) or (n, 3), not {positions.shape}")
    if positions.dtype.kind not in "fiu":
        raise ValueError(f"positions must be real numbers, not {positions.dtype}")
    with np.errstate(over="ignore"):
        converted = positions.astype(np.float32)
    if not np.isfinite(converted).all():
        row = int(np.flatnonzero(~np.isfinite(converted).all(axis=1))[0])
        raise ValueError(f"positions must be finite in float32, but row {row} is {positions[row].tolist()}")
    return converted


def _values(given: NDArray[np.floating[Any]], *, count: int) -> NDArray[np.float32]:
    """Check the values that color the points: shape `(count,)`, finite."""
    values = np.asarray(given)
    if values.shape != (count,):
        raise ValueError(f"values must have shape ({count},), not {values.shape}")
    if values.dtype.kind not in "fiu":
        raise ValueError(f"values must be real numbers, not {values.dtype}")
    with np.errstate(over="ignore"):
        converted = values.astype(np.float32)
    if not np.isfinite(converted).all():
        row = int(np.flatnonzero(~np.isfinite(converted))[0])
        raise ValueError(f"values must be finite in float32, but row {row} is {values[row]}")
    return converted


def _codes(values: NDArray[np.integer[Any]], *, name: str, count: int, limit: int) -> NDArray[np.int64]:
    """Check an integer column: shape `(count,)`, each value in `[0, limit)`."""
    codes = np.asarray(values)
    if codes.shape != (count,):
        raise ValueError(f"{name} must have shape ({count},), not {codes.shape}")
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers, not {codes.dtype}")
    outside = np.flatnonzero((codes < 0) | (codes >= limit))
    if outside.size:
        row = int(outside[0])
        raise ValueError(f"{name} must lie in [0, {limit}), but row {row} is {int(codes[row])}")
    return codes.astype(np.int64)


def _texts(values: Sequence[str], *, name: str, count: int | None = None) -> list[str]:
    """Check a column of texts, of length `count` unless that is None."""
    if isinstance(values, str):
        raise ValueError(f"{name} must be a sequence of texts, not one text")
    texts = list(values)
    if count is not None and len(texts) != count:
        raise ValueError(f"{name} must have {count} entries, not {len(texts)}")
    row = next((row for row, text in enumerate(texts) if not isinstance(text, str)), None)
    if row is not None:
        raise ValueError(f"{name} must be strings, but entry {row} is {type(texts[row]).__name__}")
    # np.str_ is a str, yet JSON and Arrow shall see nothing of numpy.
    return texts if {*map(type, texts)} <= {str} else [str(text) for text in texts]


def _text_column(values: Sequence[str], *, name: str, count: int) -> pa.Array:
    """An Arrow column of checked texts."""
    texts = _texts(values, name=name, count=count)
    try:
        return pa.array(texts, type=pa.large_string())
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} must be valid Unicode: {error}") from error


def _marks(marks: Sequence[tuple[int, int]], details: pa.Array) -> NDArray[np.int32]:
    """Starts and ends of the marks, `(n, 2)`, each checked against its text."""
    if len(marks) != len(details):
        raise ValueError(f"marks must have {len(details)} entries, not {len(marks)}")
    if len(marks) == 0:
        return np.zeros((0, 2), np.int32)
    try:
        pairs = np.asarray(marks, np.int64)
    except (TypeError, ValueError, OverflowError):
        pairs = np.zeros(0, np.int64)
    if pairs.shape != (len(marks), 2):
        raise ValueError("marks must be pairs of whole numbers: start and end in the text")
    lengths = np.asarray(pc.utf8_length(details), np.int64)
    wrong = np.flatnonzero((pairs[:, 0] < 0) | (pairs[:, 0] > pairs[:, 1]) | (pairs[:, 1] > lengths))
    if wrong.size:
        row = int(wrong[0])
        start, end = pairs[row].tolist()
        raise ValueError(f"marks of row {row} must lie in [0, {int(lengths[row])}], not ({start}, {end})")
    return pairs.astype(np.int32)


def _buffers(column: pa.Array | None) -> list[bytes | pa.Buffer]:
    """Everything that a column of texts is made of, for hashing. It must be freshly made: no offset, no nulls."""
    return [] if column is None else [buffer for buffer in column.buffers() if buffer is not None]


def _digest(*parts: bytes | pa.Buffer) -> str:
    """Hexadecimal content hash, 32 characters."""
    state = blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()
