"""Rows of a collection as files that keep ids, columns and vectors, written a part at a time."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from polysema.core.errors import UserError

Write = Callable[[pa.Table], None]
Writer = Callable[[Sequence[Path], pa.Schema], AbstractContextManager[Write]]


@dataclass(frozen=True, slots=True)
class TableLayout:
    """A layout that keeps columns: what writes it, and the name of its second file where it is a pair."""

    write: Writer
    companion: Callable[[Path], Path] | None = None

    def files(self, target: Path) -> list[Path]:
        """The files that are written for a target."""
        return [target] if self.companion is None else [target, self.companion(target)]


@contextmanager
def _to_parquet(paths: Sequence[Path], schema: pa.Schema) -> Iterator[Write]:
    columns = [name for name in schema.names if name not in ("id", "vector")]
    with pq.ParquetWriter(paths[0], schema, compression="zstd", use_dictionary=columns) as writer:
        yield writer.write_table


@contextmanager
def _to_arrow(paths: Sequence[Path], schema: pa.Schema) -> Iterator[Write]:
    """Arrow's file format, which is Feather's second version."""
    kinds = [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in schema.types]
    plain = pa.schema(list(zip(schema.names, kinds, strict=True)), metadata=schema.metadata)
    with pa.ipc.new_file(str(paths[0]), plain) as writer:
        yield lambda table: writer.write_table(table.cast(plain))


@contextmanager
def _to_csv(paths: Sequence[Path], schema: pa.Schema) -> Iterator[Write]:
    """A column for each number of the vectors, `v0`, `v1`, …; other lists as JSON."""
    width = schema.field("vector").type.list_size
    names = [*schema.names[:-1], *(f"v{place}" for place in range(width))]

    def flat(table: pa.Table) -> pa.Table:
        numbers = _vectors(table)
        arrays = [_in_a_field(table.column(name)) for name in schema.names[:-1]]
        return pa.table([*arrays, *(pa.array(np.ascontiguousarray(column)) for column in numbers.T)], names=names)

    with paths[0].open("wb") as file, pa_csv.CSVWriter(file, flat(schema.empty_table()).schema) as writer:
        yield lambda table: writer.write_table(flat(table))


@contextmanager
def _to_json_lines(paths: Sequence[Path], schema: pa.Schema) -> Iterator[Write]:
    """An object a line; dates and times as ISO 8601."""
    with paths[0].open("w", encoding="utf-8") as file:

        def write(table: pa.Table) -> None:
            for row in table.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False, default=_json) + "\n")

        yield write


@contextmanager
def _to_tensorboard(paths: Sequence[Path], schema: pa.Schema) -> Iterator[Write]:
    """The projector's pair: numbers, and beside them a table of ids and columns, with a header where it has several."""
    names = schema.names[:-1]
    with paths[0].open("w", encoding="utf-8") as vectors, paths[1].open("w", encoding="utf-8") as metadata:
        if len(names) > 1:
            metadata.write("\t".join(map(_in_a_cell, names)) + "\n")

        def write(table: pa.Table) -> None:
            for row in _vectors(table):
                vectors.write("\t".join(map(str, row)) + "\n")
            columns = [_in_a_field(table.column(name)).to_pylist() for name in names]
            for name in columns[0]:
                if set(name) & set("\t\r\n"):
                    raise UserError(
                        f"the id {name!r:.80} holds a tab or a line end, which TensorBoard's can't: use CSV"
                    )
            for values in zip(*columns, strict=True):
                metadata.write("\t".join(map(_in_a_cell, values)) + "\n")

        yield write


def _metadata(path: Path) -> Path:
    """The file of words beside TensorBoard's vectors."""
    stem = path.name.removesuffix(path.suffix)
    for part in ("vectors", "tensor", "tensors"):
        if stem.endswith(part):
            return path.with_name(stem.removesuffix(part) + "metadata.tsv")
    return path.with_name(f"{stem}_metadata.tsv")


LAYOUTS = {
    ".parquet": TableLayout(_to_parquet),
    ".arrow": TableLayout(_to_arrow),
    ".feather": TableLayout(_to_arrow),
    ".csv": TableLayout(_to_csv),
    ".jsonl": TableLayout(_to_json_lines),
    ".tsv": TableLayout(_to_tensorboard, _metadata),
}


def _vectors(table: pa.Table) -> "np.typing.NDArray[np.float32]":
    lists = table.column("vector").combine_chunks()
    numbers: np.typing.NDArray[np.float32] = lists.flatten().to_numpy().reshape(-1, lists.type.list_size)
    return numbers


def _in_a_field(column: pa.ChunkedArray) -> "pa.ChunkedArray | pa.Array":
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        texts = [None if value is None else json.dumps(value, default=_json) for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    return column.cast(kind)


def _json(value: object) -> str:
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _in_a_cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
