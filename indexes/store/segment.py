"""A segment: some rows of a space, written once as Parquet, and read back column by column as they are wanted."""

import io
import struct
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from typing import cast as as_type

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polysema.core.errors import CorruptError, IncompatibleError, UserError
from polysema.core.space.space import Floats, Ints, Keys
from polysema.indexes.base import Index, checked
from polysema.indexes.exact import ExactIndex
from polysema.indexes.store.column_types import cast
from polysema.indexes.store.columns import OWN, fitting, table_of
from polysema.indexes.store.disk import REPAIR, Disk, FileRef, SealedFile, Stream
from polysema.indexes.store.manifest import SEGMENTS, SegmentRef, SpaceCard

ROW_GROUP = 8192  # rows
MAPPED_BYTES = 8 << 20  # vectors of a segment from which on they are kept in a file to be mapped as well
ID_BYTES = 65_536
DEAD_MAGIC = b"PSDEAD1\n"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows to be added: `ids` unique large_string, `vectors` (n, dim) finite float32, `columns` as many rows or
    None.
    """

    ids: pa.Array
    vectors: Floats
    columns: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Ints) -> "Batch":
        """These rows."""
        places = pa.array(rows)
        return Batch(
            self.ids.take(places), self.vectors[rows], None if self.columns is None else self.columns.take(places)
        )


def batch_of(
    ids: "Sequence[str] | pa.Array",
    vectors: "npt.ArrayLike",
    columns: "pa.Table | Mapping[str, Any] | None",
    dim: int | None,
) -> Batch:
    """What a user gave, checked: raises `UserError` or `IncompatibleError` with the one thing that is wrong."""
    matrix = checked(vectors, dim, "vectors")
    if matrix.shape[1] == 0:
        raise IncompatibleError("vectors must have at least 1 dimension; got 0")
    names = ids_of(ids)
    if len(names) != len(matrix):
        raise IncompatibleError(f"{len(names):,} ids for {len(matrix):,} vectors; they must be as many")
    table = None
    if columns is not None:
        table = table_of(columns)
        if table.num_rows != len(matrix) and table.num_columns:
            raise IncompatibleError(f"columns of {table.num_rows:,} rows for {len(matrix):,} vectors")
    return Batch(names, matrix, table if table is not None and table.num_columns else None)


def ids_of(ids: "Sequence[str] | pa.Array") -> pa.Array:
    """Ids as an Arrow array; raises `UserError` for what is no id, or stands there twice."""
    if isinstance(ids, str):
        raise UserError(f"ids are a list of texts; got one text, {ids[:40]!r}")
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if not isinstance(ids, pa.Array):
        given = list(ids)
        row = next((row for row, value in enumerate(given) if not isinstance(value, str)), -1)
        if row >= 0:
            wrong = given[row]
            what = "row {0:,} has none" if wrong is None else "got {1!r:.60}, a {2}, in row {0:,}"
            raise UserError(f"ids are texts; {what.format(row + 1, wrong, type(wrong).__name__)}")
        try:
            ids = pa.array(given, pa.large_string())
        except UnicodeEncodeError as error:
            raise UserError(f"ids are Unicode texts; one holds half a surrogate pair: {error.object[:40]!a}") from None
    if not (pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type) or pa.types.is_string_view(ids.type)):
        raise UserError(f"ids are texts; got a column of {ids.type}")
    ids = ids.cast(pa.large_string())
    if ids.null_count:
        raise UserError(f"ids are texts; row {pc.index(ids.is_null(), True).as_py() + 1:,} has none")
    try:
        ids.validate(full=True)
    except pa.ArrowException as error:
        raise UserError(f"ids are texts in UTF-8: {' '.join(str(error).split())[:100]}") from None
    if len(ids):
        lengths = pc.binary_length(ids)
        if pc.min(lengths).as_py() == 0:
            raise UserError(f"an id must not be empty; that of row {pc.index(lengths, 0).as_py() + 1:,} is")
        if pc.max(lengths).as_py() > ID_BYTES:
            raise UserError(f"an id has at most {ID_BYTES:,} bytes; got one of {pc.max(lengths).as_py():,}")
        if pc.count_distinct(ids).as_py() != len(ids):
            counts = pc.value_counts(ids)
            twice = next(entry["values"].as_py() for entry in counts if entry["counts"].as_py() > 1)
            raise UserError(f"an id may stand in a batch once; {twice[:60]!r} stands there more than once")
    return ids


# Writing


def vector_type(dim: int) -> pa.DataType:
    """How a row's vector is kept."""
    return pa.list_(pa.field("element", pa.float32(), nullable=False), dim)


def write_segment(
    disk: Disk, root: Path, space: str, card: SpaceCard, batches: Iterable[Batch], rows: int, schema: pa.Schema
) -> SegmentRef:
    """Write `rows` rows, which come in batches, as a new segment's files (without an index)."""
    name = uuid.uuid4().hex
    folder = root / SEGMENTS
    own = [pa.field("id", pa.large_string(), nullable=False), pa.field("vector", vector_type(card.dim), nullable=False)]
    whole = pa.schema([*own, *schema])
    mapped = rows * card.dim * 4 >= MAPPED_BYTES
    path = folder / f"{name}.parquet"
    vectors = None
    written = 0
    with disk.writing(path) as file:
        beside = disk.writing(folder / f"{name}.npy") if mapped else None
        try:
            npy = beside.__enter__() if beside else None
            if npy:
                npy.write(_npy_header(rows, card.dim))
            writer = pq.ParquetWriter(
                pa.PythonFile(file, mode="w"),
                whole,
                compression={"id": "zstd"},
                write_page_checksum=True,
                use_dictionary=[field.name for field in schema],
                write_statistics=["id"],
            )
            for batch in batches:
                for start in range(0, len(batch), ROW_GROUP):
                    part = batch.vectors[start : start + ROW_GROUP]
                    lists = pa.FixedSizeListArray.from_arrays(
                        pa.array(np.ascontiguousarray(part).reshape(-1)), type=vector_type(card.dim)
                    )
                    columns = None if batch.columns is None else batch.columns.slice(start, len(part))
                    arrays = [batch.ids.slice(start, len(part)), lists, *fitting(columns, len(part), schema)]
                    writer.write_table(pa.table(arrays, schema=whole), row_group_size=ROW_GROUP)
                    if npy:
                        npy.write(np.ascontiguousarray(part))
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
    return SegmentRef(space, rows, file.ref, vectors)


def _npy_header(rows: int, dim: int) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)})
    return out.getvalue()


def write_vectors(disk: Disk, root: Path, name: str, rows: int, dim: int, blocks: Iterable[Floats]) -> FileRef:
    """The file of a segment's vectors anew, from the truth."""
    with disk.writing(root / SEGMENTS / f"{name}.npy") as file:
        file.write(_npy_header(rows, dim))
        for block in blocks:
            file.write(np.ascontiguousarray(block))
    return file.ref


def write_dead(disk: Disk, root: Path, name: str, dead: Mask) -> FileRef:
    """A new file that says which rows of a segment are gone."""
    data = DEAD_MAGIC + struct.pack("<Q", len(dead)) + np.packbits(dead).tobytes()
    return disk.write(root / SEGMENTS / f"{name}.{uuid.uuid4().hex[:12]}.dead", data)


def read_dead(file: SealedFile, rows: int) -> Mask:
    """Which rows are gone: (rows,)."""
    data = file.read()
    (count,) = struct.unpack("<Q", data[8:16])
    if data[:8] != DEAD_MAGIC or count != rows:
        raise CorruptError(f"{file.path} marks the dead of {count:,} rows instead of {rows:,}; {REPAIR}")
    return np.unpackbits(np.frombuffer(data, np.uint8, offset=16), count=rows).astype(bool)


# Reading


class MappedRows:
    """The vectors of a segment, (n, dim) float32, mapped: what is looked at is checked first, each part once."""

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, file: SealedFile, rows: int, dim: int):
        head = len(_npy_header(rows, dim))
        if file.ref.bytes != head + rows * dim * 4 or file.read(0, head) != _npy_header(rows, dim):
            raise CorruptError(f"{file.path} does not hold {rows:,} vectors of {dim:,} numbers; {REPAIR}")
        self.shape = (rows, dim)
        self._file = file
        self._head = head
        self._width = dim * 4
        self._array: Floats = np.frombuffer(file.map(), np.float32, rows * dim, head).reshape(rows, dim)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            low, high = (start, stop) if step > 0 else (stop + 1, start + 1)
            self._check(max(low, 0), high)
        elif isinstance(rows, (int, np.integer)):
            self._check(int(rows) % len(self), int(rows) % len(self) + 1)
        elif not self._file.all_good:
            rows = np.asarray(rows)
            if rows.dtype == bool:
                rows = np.flatnonzero(rows)
            starts = self._head + rows.ravel() * self._width
            self._file.check_parts(np.concatenate([starts, starts + self._width - 1]) // self._file.part_bytes)
        return self._array[rows]

    def _check(self, start: int, stop: int) -> None:
        if stop > start:
            self._file.check(self._head + start * self._width, self._head + min(stop, len(self)) * self._width)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Floats:
        self._file.check()
        return self._array if dtype is None or dtype == np.float32 else self._array.astype(dtype)


class StoredRows:
    """The files of a segment that never change, opened and their lengths checked; their content is read on
    demand.
    """

    def __init__(self, disk: Disk, root: Path, ref: SegmentRef, card: SpaceCard):
        self.ref = ref
        self.card = card
        folder = root / SEGMENTS
        self._data = SealedFile(disk, folder / ref.data.name, ref.data)
        self._npy = SealedFile(disk, folder / ref.vectors.name, ref.vectors) if ref.vectors else None
        self._faiss = SealedFile(disk, folder / ref.index.name, ref.index) if ref.index else None
        self._columns: dict[str, pa.Array] = {}
        self._making = threading.RLock()
        self._index: Index | None = None
        self._exact: ExactIndex | None = None

    def files(self) -> list[SealedFile]:
        """Every file, the truth first."""
        return [file for file in (self._data, self._npy, self._faiss) if file is not None]

    def parquet(self) -> pq.ParquetFile:
        """The truth, open."""
        return pq.ParquetFile(pa.PythonFile(Stream(self._data), mode="r"))

    def columns(self, names: Sequence[str], schema: pa.Schema) -> dict[str, pa.Array]:
        """These columns, each read once; nulls for one that came later than the segment. `id` is one of them."""
        with self._making:
            missing = [name for name in names if name not in self._columns]
            if missing:
                file = self.parquet()
                there = set(file.schema_arrow.names)
                table = file.read([name for name in missing if name in there], use_threads=False)
                for name in missing:
                    if name in there:
                        column = table.column(name)
                        self._columns[name] = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
                    else:
                        self._columns[name] = pa.nulls(self.ref.rows, schema.field(name).type)
            for name in names:  # a column that was widened after the segment was written
                if name in schema.names and self._columns[name].type != schema.field(name).type:
                    self._columns[name] = cast(self._columns[name], schema.field(name).type, as_text=True)
            return {name: self._columns[name] for name in names}

    @cached_property
    def keys(self) -> Keys:
        """The ids, by row."""
        return Keys(self.columns(["id"], pa.schema([]))["id"])

    def find(self, ids: pa.Array) -> Ints:
        """The row of each id, -1 where it isn't here: (n,). Without a table of all ids: one pass over them."""
        if len(ids) <= 8:
            return np.array([self.keys.row(name) for name in ids.to_pylist()], np.int64)
        found = np.full(len(ids), -1, np.int64)
        places = pc.index_in(self.keys.array, value_set=ids).fill_null(-1).to_numpy()
        rows = np.flatnonzero(places >= 0)
        found[places[rows]] = rows
        return found

    @cached_property
    def vectors(self) -> Floats:
        """(n, dim): mapped (`MappedRows`, which is read as an array is) where there is a file for it, else decoded."""
        if self._npy is not None:
            return as_type("Floats", MappedRows(self._npy, self.ref.rows, self.card.dim))
        return decoded(self.parquet().read(["vector"], use_threads=False).column("vector"), self.card.dim)

    def blocks(self) -> Iterator[Batch]:
        """All rows from the truth, a row group at a time."""
        file = self.parquet()
        for group in range(file.num_row_groups):
            yield self.group(file, group)

    def group(self, file: pq.ParquetFile, group: int) -> Batch:
        """The rows of one row group."""
        table = file.read_row_group(group, use_threads=False)
        rest = table.drop_columns(list(OWN))
        ids = table.column("id").combine_chunks()
        return Batch(ids, decoded(table.column("vector"), self.card.dim), rest if rest.num_columns else None)

    @property
    def has_index(self) -> bool:
        """Whether an index was built for it."""
        return self._faiss is not None

    def index(self) -> Index:
        """Its index, every byte of it checked before FAISS sees the first; the exact search where it has none."""
        with self._making:
            if self._index is None:
                if self._faiss is None or self.ref.card is None:
                    self._index = self.exact()
                else:
                    from polysema.indexes.faiss_index import FaissIndex

                    self._faiss.check()
                    self._index = FaissIndex.read(
                        str(self._faiss.path), self.vectors, self.card.metric, self.ref.card, mapped=True
                    )
            return self._index

    def exact(self) -> ExactIndex:
        """The exact search over its rows."""
        with self._making:
            if self._exact is None:
                self._exact = ExactIndex(np.asarray(self.vectors), self.card.metric)
            return self._exact


def decoded(column: pa.ChunkedArray, dim: int) -> Floats:
    """A column of vectors as (n, dim) float32."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    flat = parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, np.float32)
    return flat.reshape(-1, dim)


@dataclass(frozen=True, eq=False)
class Segment:
    """The rows of a segment that are there in one version."""

    stored: StoredRows
    ref: SegmentRef
    dead: Mask | None

    @property
    def n_live(self) -> int:
        """Rows that are there."""
        return self.ref.rows - self.ref.n_dead

    @cached_property
    def live(self) -> Mask:
        """Which rows are there: (rows,)."""
        return np.ones(self.ref.rows, bool) if self.dead is None else ~self.dead

    def find(self, ids: pa.Array) -> Ints:
        """The row of each id, -1 where it isn't here or is gone: (n,)."""
        rows = self.stored.find(ids)
        if self.dead is not None:
            rows[(rows >= 0) & self.dead[rows]] = -1
        return rows


def open_segment(disk: Disk, root: Path, ref: SegmentRef, card: SpaceCard, cache: dict[str, StoredRows]) -> Segment:
    """A segment of a version; what it shares with another version is opened once."""
    key = f"{ref.name} {ref.vectors.name if ref.vectors else ''} {ref.index.name if ref.index else ''}"
    stored = cache.get(key)
    if stored is None:
        stored = cache[key] = StoredRows(disk, root, ref, card)
    dead = None
    if ref.dead is not None:
        file = SealedFile(disk, root / SEGMENTS / ref.dead.name, ref.dead)
        dead = read_dead(file, ref.rows)
        if int(dead.sum()) != ref.n_dead:
            raise CorruptError(f"{file.path} marks {int(dead.sum()):,} dead rows instead of {ref.n_dead:,}; {REPAIR}")
    return Segment(stored, ref, dead)
