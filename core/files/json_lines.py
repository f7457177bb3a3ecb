"""JSON Lines as a typed table: an object a line, with vectors as lists of numbers."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.json as pa_json

from polysema.core.errors import UnreadableError
from polysema.core.files.typed_tables import Batches, TypedTable, table_faults

CHUNK_BYTES = 8 << 20
MIN_DIM = 2
JSON_LINES = "JSON Lines"
VECTOR_KEYS = ("vector", "vectors", "embedding", "embeddings", "emb", "vec")
MIN_NUMBERS = 8  # of a list that is a vector whatever it is called


def holds_vectors(head: bytes) -> bool:
    """Whether the first line of a file is an object of JSON that has a list of numbers as long as a vector's."""
    line = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
    if not line.startswith(b"{"):
        return False
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and any(
        isinstance(value, list)
        and len(value) >= (MIN_DIM if name.casefold() in VECTOR_KEYS else MIN_NUMBERS)
        and all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)
        for name, value in row.items()
    )


def open_json_lines(path: Path, opened: Callable[[], IO[bytes]]) -> TypedTable:
    """The table in a file of JSON Lines, whose bytes `opened` gives; keys of objects in objects have a point between.

    Raises `UnreadableError` with the line near which it is no JSON, or holds values of several types.
    """
    nested = _schema_of(path, opened)

    def read(columns: Sequence[str], rows: int) -> Batches:
        for line, chunk in _chunks(path, opened):
            table = _flat(_parsed(path, chunk, line, nested))
            yield from table.select(list(columns)).to_batches(rows)

    with table_faults(path, JSON_LINES):
        return TypedTable(path, JSON_LINES, _flat(nested.empty_table()).schema, None, read)


def _schema_of(path: Path, opened: Callable[[], IO[bytes]]) -> pa.Schema:
    """The types of the whole file: a column whose parts have types that nothing holds both of is one of strings."""
    whole = pa.schema([])
    for line, chunk in _chunks(path, opened):
        part = _parsed(path, chunk, line, None).schema
        try:
            whole = pa.unify_schemas([whole, part], promote_options="permissive")
        except pa.ArrowException as error:
            raise UnreadableError(
                f"{path}, near line {line}: {' '.join(str(error).split())[:200]}; a key has values of one type"
            ) from None
    return pa.schema([field if not pa.types.is_null(field.type) else field.with_type(pa.string()) for field in whole])


def _chunks(path: Path, opened: Callable[[], IO[bytes]]) -> Iterator[tuple[int, bytes]]:
    """Whole lines together, and the number (from 1) of the first of them."""
    line, rest = 1, b""
    with table_faults(path, JSON_LINES), opened() as file:
        while chunk := file.read(CHUNK_BYTES):
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            if end:
                yield line, whole + end
                line += whole.count(b"\n") + 1
    if rest.strip():
        yield line, rest


def _parsed(path: Path, chunk: bytes, line: int, schema: pa.Schema | None) -> pa.Table:
    try:
        return pa_json.read_json(
            io.BytesIO(chunk),
            pa_json.ReadOptions(use_threads=False, block_size=len(chunk) + 1),
            pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
        )
    except pa.ArrowException as error:
        said = " ".join(str(error).split())[:200]
        raise UnreadableError(f"{path}, near line {line:,}: can't be read as JSON Lines: {said}") from None


def _flat(table: pa.Table) -> pa.Table:
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table
