"""Vectors in and out: as JSON numbers, as base64 of float32 (little-endian, row after row), or as an Arrow stream."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pydantic_core
from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from polysema.app.explorer.serialization import LongList, TreeForm, json_object, json_tree, packed_array, to_json
from polysema.app.service.errors import RefusedError
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.explorer.embedding import TextVectors
    from polysema.core.space.space import Floats

JSON = "application/json"
BASE64 = "application/vnd.polysema.base64+json"
ARROW = "application/vnd.apache.arrow.stream"
FORMS = (JSON, BASE64, ARROW)
BLOCK_NUMBERS = 1 << 16  # numbers of an array that are written together
BLOCK_ROWS = 256  # items of a list that are written together
PART_BYTES = 1 << 18  # bytes of a part of an answer that is sent while it is written
Array: TypeAlias = "np.ndarray[Any, Any]"


def wanted(request: Request, forms: Sequence[str] = FORMS) -> str:
    """The form of `forms` that `Accept` prefers; raises `RefusedError` (406) where it allows none of them."""
    accept = request.headers.get("accept", "*/*")
    best, chosen = 0.0, None
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                weight = _weight(parameter[2:])
        form = JSON if name in ("*/*", "application/*") else name
        if form in forms and weight > best:
            best, chosen = weight, form
    if chosen is None:
        raise RefusedError("not_acceptable", f"this answer comes as {', '.join(forms)}; Accept was {accept[:100]!r}")
    return chosen


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value <= 1 else 0.0


def encoded(vectors: Floats) -> str:
    """Base64 of float32, little-endian, row after row."""
    return base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode()


def decoded(text: str, dim: int | None) -> Floats:
    """The inverse, (n, dim), one row where the width isn't known; raises `UserError`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UserError("vectors are lists of numbers, or base64 of little-endian float32; this is no base64") from None
    if not data or len(data) % (4 * (dim or 1)):
        raise UserError(
            f"base64 vectors of width {dim or 1} are a multiple of {4 * (dim or 1)} bytes; got {len(data):,}"
        )
    return np.frombuffer(data, "<f4").astype(np.float32).reshape(-1, dim or len(data) // 4)


def matrix(given: Sequence[Sequence[float]] | str, dim: int | None) -> Floats:
    """What a request gave as vectors, (n, dim); raises `UserError` for lines of several lengths."""
    if isinstance(given, str):
        return decoded(given, dim)
    widths = {len(line) for line in given}
    if len(widths) > 1:
        raise UserError(
            f"vectors must all have the same dimension; got lines of {', '.join(map(str, sorted(widths)[:5]))} numbers"
        )
    with np.errstate(over="ignore"):  # too large for float32 becomes Inf, which is refused where it is used
        return np.array(given, np.float32).reshape(len(given), -1)


def rows_answer(form: str, found: TextVectors) -> Response:
    """Rows with their vectors, in the requested form."""
    if form != ARROW:
        return answer(found.answer(), kind=form)
    more = json_object({"origin": found.origin, "split": found.split})
    return arrow(found.table.append_column("vector", lists(np.asarray(found.vectors, np.float32))), more)


def lists(array: Array) -> pa.Array:
    """A column of fixed-size lists, from (n, width)."""
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def arrow(table: pa.Table, more: dict[str, Any]) -> Response:
    """An Arrow stream; `more` is JSON in its schema's metadata, under `polysema`."""
    table = table.replace_schema_metadata({b"polysema": json.dumps(more).encode()})
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return Response(out.getvalue(), media_type=ARROW)


def answer(value: object, status: int = 200, kind: str = JSON, without: Collection[str] = ()) -> Response:
    """An answer as JSON, its arrays in base64 where `kind` says so, `without` some of its optional fields.

    A large one is written while it is sent, a block of numbers or of rows at a time: written at once it would take ten
    times the memory, and keep every other request waiting.
    """

    def numbers(array: Array) -> object:
        if array.size <= BLOCK_NUMBERS:
            return to_json(array)
        tree.n_parts += 1
        return array

    tree = TreeForm(packed_array if kind == BASE64 else numbers, BLOCK_ROWS)
    found = json_tree(value, tree, without)
    return sent(written(found), status, kind) if tree.n_parts else Response(dump(found), status, media_type=kind)


def sent(parts: Iterable[bytes], status: int = 200, kind: str = JSON) -> Response:
    """A JSON text of parts as a response: whole where it is short, else written while it is sent."""
    joint = joined(parts)
    first = next(joint, b"")
    second = next(joint, None)
    if second is None:
        return Response(first, status, media_type=kind)
    return StreamingResponse(chain((first, second), joint), status, media_type=kind)


def dump(found: object) -> bytes:
    """JSON types as bytes."""
    try:
        return pydantic_core.to_json(found)
    except pydantic_core.PydanticSerializationError:  # a text that is no Unicode stands as its escapes
        return json.dumps(found, allow_nan=False).encode()


def written(found: object) -> Iterator[bytes]:
    """JSON types, arrays and long lists as the parts of a JSON text, none of which is long."""
    if isinstance(found, np.ndarray):
        yield from _array_parts(found)
    elif isinstance(found, LongList):
        yield from _list_parts(found)
    elif isinstance(found, dict):
        for number, (key, item) in enumerate(found.items()):
            yield (b"," if number else b"{") + dump(key) + b":"
            yield from written(item)
        yield b"}" if found else b"{}"
    elif isinstance(found, list) and any(isinstance(one, (dict, list, np.ndarray, LongList)) for one in found):
        for number, item in enumerate(found):
            yield b"," if number else b"["
            yield from written(item)
        yield b"]"
    else:
        yield dump(found)


def _list_parts(found: LongList) -> Iterator[bytes]:
    start = b"["
    for items, has_parts in found.blocks():
        if has_parts:
            for item in items:
                yield start
                yield from written(item)
                start = b","
        else:
            yield start
            yield dump(items)[1:-1]
            start = b","
    yield b"]" if start == b"," else b"[]"


def _array_parts(array: Array) -> Iterator[bytes]:
    if array.size <= BLOCK_NUMBERS:
        yield dump(to_json(array))
        return
    step = max(1, BLOCK_NUMBERS * len(array) // array.size)
    for start in range(0, len(array), step):
        yield b"," if start else b"["
        block = array[start : start + step]
        if step == 1:
            yield from _array_parts(block[0])
        else:
            yield dump(to_json(block))[1:-1]
    yield b"]"


def joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts that are worth sending."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= PART_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
