"""Tables whose columns have types of their own: Parquet, Arrow and Feather files, and folders that Hugging Face's
`datasets` saved.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polysema.core.errors import PolysemaError, UnreadableError

PARQUET_SIGN = b"PAR1"
ARROW_FILE_SIGN = b"ARROW1"
ARROW_STREAM_SIGN = b"\xff\xff\xff\xff"
DATASET_STATE, DATASET_SPLITS = "state.json", "dataset_dict.json"
SPLIT = "split"
BATCH_ROWS = 8192
# a damaged file is met in many ways: names that are not UTF-8, kinds that don't exist, pages that don't unpack
FAULTS = (pa.ArrowException, OSError, ValueError, LookupError, MemoryError)

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class TypedTable:
    """A table that lies in a file or a folder: its `schema`, its rows where their number is known without reading
    them, and its batches by `read(columns, rows a batch)`.
    """

    path: Path
    kind: str
    schema: pa.Schema
    n_rows: int | None
    read: Callable[[Sequence[str], int], Batches]

    def batches(self, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS) -> Batches:
        """The rows of these columns (None: all), in batches of at most `rows`.

        Raises `UnreadableError` for a table that is damaged.
        """
        names = self.schema.names if columns is None else list(columns)
        with table_faults(self.path, self.kind):
            for batch in self.read(names, rows):
                made = batch.select(names)
                made.validate(full=True)  # also that texts are UTF-8
                yield made


@contextmanager
def table_faults(path: Path, kind: str) -> Iterator[None]:
    """What reading a damaged table raises, in one line."""
    try:
        yield
    except PolysemaError:
        raise
    except FAULTS as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnreadableError(f"{path} can't be read as {kind}: {said}") from None


def typed_kind(path: Path) -> str:
    """`Parquet`, `Arrow` or `a dataset`, by content; "" for everything else."""
    if path.is_dir():
        return "a dataset" if (path / DATASET_STATE).is_file() or (path / DATASET_SPLITS).is_file() else ""
    with path.open("rb") as file:
        return kind_of_head(file.read(8))


def kind_of_head(head: bytes) -> str:
    """`Parquet` or `Arrow`, by the first bytes of a file; "" for everything else."""
    if head.startswith(PARQUET_SIGN):
        return "Parquet"
    stream = head.startswith(ARROW_STREAM_SIGN) and 0 < int.from_bytes(head[4:8], "little") < 1 << 30
    return "Arrow" if head.startswith(ARROW_FILE_SIGN) or stream else ""


def open_typed_table(path: Path) -> TypedTable:
    """The table in a file or folder of which `typed_kind` knows what it is. Raises `UnreadableError` for a damaged
    one.
    """
    kind = typed_kind(path)
    with table_faults(path, kind):
        if kind == "Parquet":
            return _of_parquet(path)
        return _of_arrow(path) if kind == "Arrow" else _of_dataset(path)


def _of_parquet(path: Path) -> TypedTable:
    with pq.ParquetFile(path) as file:
        schema, n_rows = file.schema_arrow, file.metadata.num_rows

    def read(columns: Sequence[str], rows: int) -> Batches:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(rows, columns=list(columns), use_threads=False)

    return TypedTable(path, "Parquet", schema, n_rows, read)


@contextmanager
def _arrow_reader(path: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[pa.Schema, Batches]]:
    """The schema and the batches of a mapped file of either of Arrow's layouts."""
    with pa.memory_map(str(path)) as mapped:
        is_file = mapped.read(len(ARROW_FILE_SIGN)) == ARROW_FILE_SIGN
        mapped.seek(0)
        if is_file:
            schema = pa.ipc.open_file(mapped).schema
            fields = None if columns is None else [schema.get_field_index(name) for name in columns]
            file = pa.ipc.open_file(mapped, options=pa.ipc.IpcReadOptions(included_fields=fields))
            yield schema, (file.get_batch(place) for place in range(file.num_record_batches))
        else:
            stream = pa.ipc.open_stream(mapped)
            yield stream.schema, iter(stream)


def _of_arrow(path: Path) -> TypedTable:
    with _arrow_reader(path) as (schema, _):
        found = schema

    def read(columns: Sequence[str], rows: int) -> Batches:
        with _arrow_reader(path, columns) as (_, batches):
            for batch in batches:
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows).select(list(columns))

    return TypedTable(path, "Arrow", found, None, read)


def dataset_files(folder: Path) -> list[tuple[str, Path]]:
    """The files of a dataset, each with the name of its split ("" where there is one without splits).

    Raises `UnreadableError` where what describes them is damaged, or names what isn't there.
    """
    splits = [""]
    if (folder / DATASET_SPLITS).is_file():
        splits = [str(name) for name in _described(folder / DATASET_SPLITS, "splits")]
    found = []
    for split in splits:
        state = folder / split / DATASET_STATE
        for part in _described(state, "_data_files"):
            name = str(part.get("filename")) if isinstance(part, dict) else ""
            path = state.parent / name
            if not name or Path(name).name != name or not path.is_file():
                raise UnreadableError(f"{state} names the file {name!r}, which is not there")
            found.append((split, path))
    if not found:
        raise UnreadableError(f"{folder} holds a dataset without files")
    return found


def _described(path: Path, key: str) -> list[object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UnreadableError(f"{path} does not describe a dataset: {' '.join(str(error).split())[:200]}") from None
    return value if isinstance(value, list) else []


def _of_dataset(folder: Path) -> TypedTable:
    """The files of a dataset one after another, their split in a column where there are several."""
    files = dataset_files(folder)
    tables = [(split, open_typed_table(path)) for split, path in files]
    schema = tables[0][1].schema.remove_metadata()
    others = [table.path for _, table in tables if not table.schema.remove_metadata().equals(schema)]
    if others:
        raise UnreadableError(f"{folder}: {others[0].name} has other columns than {tables[0][1].path.name}")
    tells_split = len({split for split, _ in files}) > 1 and SPLIT not in schema.names
    whole = schema.append(pa.field(SPLIT, pa.string())) if tells_split else schema

    def read(columns: Sequence[str], rows: int) -> Batches:
        for split, table in tables:
            mine = [name for name in columns if not tells_split or name != SPLIT]
            for batch in table.read(mine or schema.names[:1], rows):
                if tells_split and SPLIT in columns:
                    batch = batch.append_column(SPLIT, pa.array([split] * batch.num_rows, pa.string()))
                yield batch

    return TypedTable(folder, "a dataset", whole, None, read)
