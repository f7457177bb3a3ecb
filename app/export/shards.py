"""The files of an export: one shard of rows in each of the formats, each file there whole or not at all."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polysema.core.atomic import atomic_write
from polysema.core.errors import UserError
from polysema.core.files.table_columns import is_string_type
from polysema.core.space.space import Floats

DTYPES = ("float32", "float16", "int8")


@dataclass(frozen=True, slots=True, eq=False)
class ShardRows:
    """The rows of one layer: `columns` beside `vectors` (n, dim); `static` (n, static_dim) where requested."""

    layer: int
    columns: pa.Table
    vectors: Floats
    static: Floats | None = None


def narrowed(vectors: Floats, dtype: str) -> "tuple[np.ndarray[Any, Any], Floats | None]":
    """The vectors as `dtype`, and for int8 the scale (n,) that each row is multiplied by to have it back.

    Raises `UserError` for a number that float16 can't hold.
    """
    if dtype == "int8":
        scale = (np.abs(vectors).max(axis=1, initial=0) / 127).astype(np.float32)
        whole = np.rint(np.divide(vectors, scale[:, None], out=np.zeros_like(vectors), where=scale[:, None] > 0))
        return whole.astype(np.int8), scale
    if dtype == "float16":
        with np.errstate(over="ignore"):
            half = vectors.astype(np.float16)
        if not np.isfinite(half).all():
            raise UserError(
                f"float16 holds numbers up to 65,504; the vectors have {np.abs(vectors).max():,.0f}: choose "
                "float32 or int8"
            )
        return half, None
    return vectors, None


def _lists(vectors: "np.ndarray[Any, Any]") -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(vectors).reshape(-1)), vectors.shape[1])


def _table(rows: ShardRows, dtype: str) -> pa.Table:
    table = rows.columns.append_column("layer", pa.array(np.full(len(rows.vectors), rows.layer), pa.int16()))
    for name, vectors in (("vector", rows.vectors), ("static", rows.static)):
        if vectors is not None:
            kept, scale = narrowed(vectors, dtype)
            table = table.append_column(name, _lists(kept))
            if scale is not None:
                table = table.append_column("scale" if name == "vector" else "static_scale", pa.array(scale))
    return table


def _parquet(path: Path, layers: Sequence[ShardRows], dtype: str) -> list[Path]:
    """One row group a layer, so that a reader of one layer reads no other."""

    def write(out: IO[bytes]) -> None:
        writer = None
        for rows in layers:
            table = _table(rows, dtype)
            if writer is None:
                own = ("word", "layer", "text", "id")
                others = [
                    one.name for one in table.schema if is_string_type(one.type) and one.name not in ("token", *own)
                ]
                names = [name for name in own if name in table.column_names] + others
                writer = pq.ParquetWriter(
                    out, table.schema, compression="none", use_dictionary=names, write_statistics=["layer", "text_id"]
                )
            writer.write_table(table, row_group_size=max(1, table.num_rows))
        if writer is not None:
            writer.close()

    return [atomic_write(path.with_suffix(".parquet"), write)]


def _arrow(path: Path, layers: Sequence[ShardRows], dtype: str) -> list[Path]:
    """Arrow's file format, which can be mapped: a record batch a layer."""

    def write(out: IO[bytes]) -> None:
        tables = [_table(rows, dtype) for rows in layers]
        with pa.ipc.new_file(out, tables[0].schema) as writer:
            for table in tables:
                writer.write_table(table)

    return [atomic_write(path.with_suffix(".arrow"), write)]


def _side(path: Path, layers: Sequence[ShardRows], dtype: str) -> Path:
    """The columns beside vectors that are kept elsewhere."""
    tables = []
    for rows in layers:
        table = rows.columns.append_column("layer", pa.array(np.full(len(rows.vectors), rows.layer), pa.int16()))
        if dtype == "int8":
            table = table.append_column("scale", pa.array(narrowed(rows.vectors, dtype)[1]))
            if rows.static is not None:
                table = table.append_column("static_scale", pa.array(narrowed(rows.static, dtype)[1]))
        tables.append(table)
    table = pa.concat_tables(tables)
    return atomic_write(path.with_suffix(".rows.parquet"), lambda out: pq.write_table(table, out, compression="none"))


def _npy(path: Path, layers: Sequence[ShardRows], dtype: str) -> list[Path]:
    """`.npy` of all rows, layer after layer, and a table of their columns, row for row."""
    written = []
    for ending, parts in (
        (".npy", [rows.vectors for rows in layers]),
        (".static.npy", [rows.static for rows in layers if rows.static is not None]),
    ):
        if parts:
            kept = np.concatenate([narrowed(part, dtype)[0] for part in parts])

            def write(out: IO[bytes], kept: "np.ndarray[Any, Any]" = kept) -> None:
                np.lib.format.write_array(out, kept, allow_pickle=False)

            written.append(atomic_write(path.with_suffix(ending), write))
    return [*written, _side(path, layers, dtype)]


def _safetensors(path: Path, layers: Sequence[ShardRows], dtype: str) -> list[Path]:
    """A tensor a layer, `layer.6` (n, dim), and a table of the columns, row for row."""
    from safetensors.numpy import save

    tensors = {}
    for rows in layers:
        tensors[f"layer.{rows.layer}"] = np.ascontiguousarray(narrowed(rows.vectors, dtype)[0])
        if rows.static is not None:
            tensors["static"] = np.ascontiguousarray(narrowed(rows.static, dtype)[0])
    return [
        atomic_write(path.with_suffix(".safetensors"), lambda out: out.write(save(tensors))),
        _side(path, layers, dtype),
    ]


def _names(rows: ShardRows) -> list[str]:
    """What a row is called where there is one name and no columns."""
    column = next(name for name in ("word", "token", "id", "text_id") if name in rows.columns.column_names)
    return ["_".join(str(value).split()) or "_" for value in rows.columns.column(column).to_pylist()]


def _word2vec(path: Path, layers: Sequence[ShardRows], dtype: str) -> list[Path]:
    """word2vec's text, a file a layer: a row's name is its word, so that the words of a corpus stand there many
    times.
    """
    written = []
    for rows in layers:

        def write(out: IO[bytes], rows: ShardRows = rows) -> None:
            out.write(f"{len(rows.vectors)} {rows.vectors.shape[1]}\n".encode())
            for name, vector in zip(_names(rows), rows.vectors.tolist(), strict=True):
                out.write(f"{name} {' '.join(map(repr, map(_short, vector)))}\n".encode())

        written.append(atomic_write(path.with_name(f"{path.name}.layer-{rows.layer}.txt"), write))
    return written


def _short(value: float) -> float:
    """The shortest decimal that is the same float32."""
    return float(str(np.float32(value)))


def _in_a_cell(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())


def _tensorboard(path: Path, layers: Sequence[ShardRows], dtype: str) -> list[Path]:
    """TensorBoard's projector, a pair of files a layer: vectors, and the columns as metadata."""
    written = []
    for rows in layers:

        def vectors(out: IO[bytes], rows: ShardRows = rows) -> None:
            for vector in rows.vectors.tolist():
                out.write(("\t".join(map(repr, map(_short, vector))) + "\n").encode())

        def metadata(out: IO[bytes], rows: ShardRows = rows) -> None:
            names = rows.columns.column_names
            if len(names) > 1:  # with one column the projector expects no header
                out.write(("\t".join(names) + "\n").encode())
            for row in zip(*(rows.columns.column(name).to_pylist() for name in names), strict=True):
                out.write(("\t".join(map(_in_a_cell, row)) + "\n").encode())

        stem = f"{path.name}.layer-{rows.layer}"
        written += [
            atomic_write(path.with_name(f"{stem}.vectors.tsv"), vectors),
            atomic_write(path.with_name(f"{stem}.metadata.tsv"), metadata),
        ]
    return written


WRITERS: dict[str, Callable[[Path, Sequence[ShardRows], str], list[Path]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "npy": _npy,
    "safetensors": _safetensors,
    "word2vec": _word2vec,
    "tensorboard": _tensorboard,
    "atlas": _parquet,  # with the text in every row: Embedding Atlas shows a point's text
}
TEXT_ONLY = ("word2vec", "tensorboard")


def write_shard(folder: Path, number: int, form: str, dtype: str, layers: Sequence[ShardRows]) -> list[dict[str, Any]]:
    """Write a shard; returns what the manifest says of each of its files: name, bytes, sha256."""
    files = WRITERS[form](folder / f"part-{number:05d}", layers, dtype)
    records = []
    for path in files:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        records.append({"name": path.name, "bytes": path.stat().st_size, "sha256": digest})
    return records
