"""Rows of Parquet and of Excel workbooks, a part of the file in memory at a time."""

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polysema.core.corpus.columns import Value, listed
from polysema.core.errors import PolysemaError, UnreadableError, UserError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1024


def parquet_sample(path: Path, rows: int) -> dict[str, Sequence[Value]]:
    """The first values of each column of strings. Raises `UnreadableError` for no Parquet file."""
    import pyarrow.parquet as pq

    with _parquet_faults(path), pq.ParquetFile(path) as file:
        names = [field.name for field in file.schema_arrow if _is_text(field.type)]
        if len(set(names)) < len(names):
            raise UnreadableError(f"{path}: several columns have one name, of {listed(names)}")
        batch = next(file.iter_batches(rows, columns=names), None) if names else None
        return {name: batch.column(name).to_pylist() if batch is not None else [] for name in names}


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The names of all columns."""
    import pyarrow.parquet as pq

    with _parquet_faults(path):
        return tuple(pq.read_schema(path).names)


def read_parquet(path: Path, column: str, id_column: str | None) -> Iterator[tuple[int, Value, Value]]:
    """The number (from 1), the id and the text of each row. Raises `UserError` for a column that holds no texts."""
    import pyarrow.parquet as pq

    with _parquet_faults(path), pq.ParquetFile(path) as file:
        kind = file.schema_arrow.field(column).type
        if not _is_text(kind):
            raise UserError(f"{path}: the column {column!r} holds {kind}, not texts")
        number = 0
        for batch in file.iter_batches(BATCH_ROWS, columns=[column, *([id_column] if id_column else [])]):
            ids = batch.column(id_column).to_pylist() if id_column else [None] * batch.num_rows
            for name, text in zip(ids, batch.column(column).to_pylist(), strict=True):
                number += 1
                yield number, name, text


@contextmanager
def _parquet_faults(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path} can't be read as Parquet: {str(error).splitlines()[0]}") from None


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def sheets_of(path: Path) -> tuple[str, ...]:
    """The names of a workbook's sheets."""
    with _workbook(path) as book:
        return tuple(book.sheetnames)


def read_sheet(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each row of the first sheet that isn't blank, as texts."""
    with _workbook(path) as book:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # some programs write wrong ones
        for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
            cells = [_cell(value) for value in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield number, cells


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    """A workbook whose rows are read lazily; formulas have the values that were saved with them."""
    import xml.etree.ElementTree as ElementTree

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    book = None
    try:
        with path.open("rb") as file:  # the ending is nobody's business
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            if not book.worksheets:
                raise UnreadableError(f"{path} holds no sheet of cells")
            yield book
    except PolysemaError:
        raise
    except (InvalidFileException, zipfile.BadZipFile, ElementTree.ParseError, KeyError, ValueError, TypeError) as error:
        raise UnreadableError(
            f"{path} can't be read as an Excel workbook: {' '.join(str(error).split())[:200]}"
        ) from None
    finally:
        if book is not None:
            book.close()


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ")
    return str(value)
