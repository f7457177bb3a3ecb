"""Rows that come as an Arrow stream: what it unpacks to is known before it is unpacked, from its messages.

The layout of a message is that of Arrow's Message.fbs, read with FlatBuffers' rules: a table starts with the distance
to its vtable, which has for each field its place in the table, or 0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from polysema.app.config.settings import MEGABYTE
from polysema.app.service.errors import RefusedError
from polysema.core.errors import UserError
from polysema.core.space.space import Floats

_HEADER, _BATCH_OF_DICTIONARY, _BUFFERS, _COMPRESSION = 2, 1, 2, 3  # fields of Message, DictionaryBatch, RecordBatch


def read_table(body: bytes, most: int) -> tuple[list[str], Floats, pa.Table | None]:
    """Ids, vectors and columns of an Arrow stream with the columns `id` and `vector`.

    Raises:
        UserError: for what is no such stream.
        RefusedError: for one that takes more than `most` bytes once it is unpacked.
    """
    try:
        _check_unpacked(sum(_unpacked_sizes(body)), most)
        with pa.ipc.open_stream(body) as reader:
            table = reader.read_all()
        table.validate(full=True)
        _check_unpacked(sum(_decoded_size(column) for column in table.columns), most)
    except RefusedError:
        raise
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise UserError(f"the body is no Arrow stream: {' '.join(str(error).split())[:160]}") from None
    if not {"id", "vector"} <= set(table.column_names):
        raise UserError(f"rows need the columns id and vector; got {', '.join(table.column_names)[:200]}")
    column = table.column("vector").combine_chunks()
    kind = column.type
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type) or column.null_count:
        raise UserError(f"the column vector is a fixed-size list of float32 without nulls; got {kind}")
    flat = column.flatten().cast(pa.float32())
    if flat.null_count:
        raise UserError("the column vector holds nulls")
    vectors = flat.to_numpy(zero_copy_only=False).reshape(len(column), kind.list_size)
    rest = table.drop_columns(["id", "vector"])
    return table.column("id").to_pylist(), vectors, rest if rest.num_columns else None


def _check_unpacked(size: int, most: int) -> None:
    if size > most:
        raise RefusedError(
            "too_large",
            f"this Arrow stream takes {size // MEGABYTE:,} MB unpacked; one may take {most // MEGABYTE:,} MB: send "
            "fewer rows at once",
        )


def _unpacked_sizes(body: bytes) -> Iterator[int]:
    """The bytes of each message's buffers, unpacked."""
    reader = pa.ipc.MessageReader.open_stream(body)
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return
        if message.type == "schema" or message.body is None:
            continue
        data = memoryview(message.metadata)
        batch = _table_at(data, _root(data), _HEADER)
        if message.type == "dictionary" and batch is not None:
            batch = _table_at(data, batch, _BATCH_OF_DICTIONARY)
        if batch is None or _field(data, batch, _COMPRESSION) is None:
            yield message.body.size
        else:
            yield from _buffer_sizes(data, batch, memoryview(message.body))


def _buffer_sizes(data: memoryview, batch: int, packed: memoryview) -> Iterator[int]:
    """The bytes of each buffer of a packed batch: they stand before it, -1 where it is not packed."""
    place = _field(data, batch, _BUFFERS)
    if place is None:
        return
    start = place + _number("<I", data, place)
    for index in range(_number("<I", data, start)):
        offset, length = struct.unpack_from("<qq", data, start + 4 + 16 * index)
        if length:
            size = _number("<q", packed, offset)
            yield length if size == -1 else max(size, 0)


def _decoded_size(column: pa.ChunkedArray) -> int:
    """The bytes of a column whose values stand once and are pointed at, were each written out."""
    kind = column.type
    if not (pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind)):
        return int(column.nbytes)
    size = 0
    for chunk in column.chunks:
        values = chunk.dictionary if pa.types.is_dictionary(kind) else chunk.values
        size += len(chunk) * _longest(values)
    return size


def _longest(values: pa.Array) -> int:
    """The bytes of the longest value, at least."""
    try:
        return int(pc.max(pc.binary_length(values)).as_py() or 0)
    except pa.ArrowNotImplementedError:  # numbers, or lists, any of which may hold nearly all
        fixed = pa.types.is_primitive(values.type)
        return values.type.bit_width // 8 + 1 if fixed else int(values.nbytes)


def _root(data: memoryview) -> int:
    return _number("<I", data, 0)


def _field(data: memoryview, table: int, field: int) -> int | None:
    """The place of a table's field, None where it has its default."""
    vtable = table - _number("<i", data, table)
    if 4 + 2 * field >= _number("<H", data, vtable):
        return None
    place = _number("<H", data, vtable + 4 + 2 * field)
    return table + place if place else None


def _table_at(data: memoryview, table: int, field: int) -> int | None:
    place = _field(data, table, field)
    return None if place is None else place + _number("<I", data, place)


def _number(form: str, data: memoryview, place: int) -> int:
    found: int = struct.unpack_from(form, data, place)[0]
    return found
