"""Rows of Parquet and Arrow files and of Excel workbooks, a part of the file in memory at a time."""

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from polysema.core.corpus.columns import Value, listed
from polysema.core.errors import PolysemaError, UnreadableError, UserError
from polysema.core.files.table_columns import is_string_type
from polysema.core.files.typed_tables import open_typed_table

BATCH_ROWS = 1024


TYPED_KINDS = ("parquet", "arrow")


def typed_sample(path: Path, rows: int) -> dict[str, Sequence[Value]]:
    """The first values of each column of strings. Raises `UnreadableError` for a damaged table."""
    table = open_typed_table(path)
    names = [field.name for field in table.schema if is_string_type(field.type)]
    if len(set(table.schema.names)) < len(table.schema.names):
        raise UnreadableError(f"{path}: several columns have one name, of {listed(table.schema.names)}")
    batch = next(table.batches(names, rows), None) if names else None
    return {name: batch.column(name).to_pylist() if batch is not None else [] for name in names}


def typed_columns(path: Path) -> tuple[str, ...]:
    """The names of all columns."""
    return tuple(open_typed_table(path).schema.names)


def check_texts(path: Path, schema: pa.Schema, column: str) -> None:
    """Raise `UserError` for a column that holds no texts."""
    kind = schema.field(column).type
    if not is_string_type(kind):
        raise UserError(f"{path}: the column {column!r} holds {kind}, not texts")


def read_typed(path: Path, column: str, id_column: str | None) -> Iterator[tuple[int, Value, Value, Value]]:
    """The number (from 1), the id and the text of each row, and None. Raises `UserError` for a column that holds no
    texts.
    """
    table = open_typed_table(path)
    check_texts(path, table.schema, column)
    number = 0
    for batch in table.batches([column, *([id_column] if id_column else [])], BATCH_ROWS):
        ids = batch.column(id_column).to_pylist() if id_column else [None] * batch.num_rows
        for name, text in zip(ids, batch.column(column).to_pylist(), strict=True):
            number += 1
            yield number, name, text, None


def stored_kind(kind: pa.DataType) -> pa.DataType:
    """The type of a column without its dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def without_dictionary(array: pa.Array) -> pa.Array:
    """An array without its dictionary, which may differ from batch to batch."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


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
