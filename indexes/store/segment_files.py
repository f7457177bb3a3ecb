"""The files of a segment: rows, vectors and deleted rows."""

import io
import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polysema.core.errors import CorruptError
from polysema.core.space.space import Floats
from polysema.indexes.base import Mask
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.columns import fitting
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.manifest import SEGMENTS, SegmentRef, SpaceCard
from polysema.indexes.store.new_file import FileRef, write_file, writing
from polysema.indexes.store.sealed_file import SealedFile

DEAD_MAGIC = b"PSDEAD1\n"


@dataclass(frozen=True, slots=True)
class SegmentLayout:
    """What a segment is to hold: how many rows, of which space with which card, and the columns beside the vectors."""

    space: str
    card: SpaceCard
    rows: int
    schema: pa.Schema


def vector_type(dim: int) -> pa.DataType:
    """How a row's vector is kept."""
    return pa.list_(pa.field("element", pa.float32(), nullable=False), dim)


def write_segment(disk: Disk, root: Path, layout: SegmentLayout, batches: Iterable[Batch]) -> SegmentRef:
    """Write the rows of a layout, which come in batches, as a new segment's files (without an index)."""
    card, rows, schema = layout.card, layout.rows, layout.schema
    name = uuid.uuid4().hex
    folder = root / SEGMENTS
    own = [pa.field("id", pa.large_string(), nullable=False), pa.field("vector", vector_type(card.dim), nullable=False)]
    whole = pa.schema([*own, *schema])
    mapped = rows * card.dim * 4 >= disk.limits.mapped_bytes
    path = folder / f"{name}.parquet"
    vectors = None
    written, group = 0, disk.limits.group_rows
    with writing(disk, path) as file:
        beside = writing(disk, folder / f"{name}.npy") if mapped else None
        try:
            npy = beside.__enter__() if beside else None
            if npy:
                npy.write(npy_header(rows, card.dim))
            writer = pq.ParquetWriter(
                pa.PythonFile(file, mode="w"),
                whole,
                compression={"id": "zstd"},
                write_page_checksum=True,
                use_dictionary=[field.name for field in schema],
                write_statistics=["id"],
            )
            for batch in batches:
                for start in range(0, len(batch), group):
                    part = batch.vectors[start : start + group]
                    lists = pa.FixedSizeListArray.from_arrays(
                        pa.array(np.ascontiguousarray(part).reshape(-1)), type=vector_type(card.dim)
                    )
                    columns = None if batch.columns is None else batch.columns.slice(start, len(part))
                    arrays = [batch.ids.slice(start, len(part)), lists, *fitting(columns, len(part), schema)]
                    writer.write_table(pa.table(arrays, schema=whole), row_group_size=group)
                    if npy:
                        npy.write(np.ascontiguousarray(part).data)
                    written += len(part)
            writer.close()
            if written != rows:
                raise AssertionError(f"{written} rows instead of {rows}")
        except BaseException as error:
            if beside:
                beside.__exit__(type(error), error, error.__traceback__)
            raise
        if beside and npy:
            beside.__exit__(None, None, None)
            vectors = npy.ref
    return SegmentRef(layout.space, rows, file.ref, vectors)


def npy_header(rows: int, dim: int) -> bytes:
    """The first bytes of a NumPy file of (rows, dim) float32 vectors."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)})
    return out.getvalue()


def write_vectors(disk: Disk, root: Path, name: str, rows: int, dim: int, blocks: Iterable[Floats]) -> FileRef:
    """The file of a segment's vectors anew, from the truth."""
    with writing(disk, root / SEGMENTS / f"{name}.npy") as file:
        file.write(npy_header(rows, dim))
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)
    return file.ref


def write_dead(disk: Disk, root: Path, name: str, dead: Mask) -> FileRef:
    """A new file that says which rows of a segment are gone."""
    data = DEAD_MAGIC + struct.pack("<Q", len(dead)) + np.packbits(dead).tobytes()
    return write_file(disk, root / SEGMENTS / f"{name}.{uuid.uuid4().hex[:12]}.dead", data)


def read_dead(file: SealedFile, rows: int) -> Mask:
    """Which rows are gone: (rows,)."""
    data = file.read()
    (count,) = struct.unpack("<Q", data[8:16])
    if data[:8] != DEAD_MAGIC or count != rows:
        raise CorruptError(f"{file.path} marks the dead of {count:,} rows instead of {rows:,}; {REPAIR}")
    return np.unpackbits(np.frombuffer(data, np.uint8, offset=16), count=rows).astype(bool)
