"""The columns of published points as bytes for the browser."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MAX_SELECTED_ROWS = 2_000
"""Most rows that travel one by one; of a larger selection the browser sends the region, or a bit for each point."""
SHAPE_COUNT = 3
"""0 disc, 1 diamond, 2 cross."""


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


def write_rows(rows: NDArray[np.int64], count: int) -> dict[str, Any]:
    """Rows as the browser takes them: one by one, or when they are many a bit for each of `count` points."""
    if len(rows) <= MAX_SELECTED_ROWS:
        return {"rows": rows.tolist()}
    bits = np.zeros(count, np.bool_)
    bits[rows] = True
    return {"bits": b64encode(np.packbits(bits, bitorder="little").tobytes()).decode()}
