"""Vectors in delimited text: a word, and its numbers in columns of their own or as one list, with a line of names or
without.

The separator is the comma, the semicolon, the bar, or (where line 1 names the columns) the tab.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pa_csv

from polysema.core.errors import UserError
from polysema.core.files.cell_types import CellTypes, parse_cells
from polysema.core.files.readers import Block, Notes, VectorSource, one_line
from polysema.core.files.table_columns import PANDAS_INDEX, WORD_NAMES, choose_columns, is_string_type
from polysema.core.files.table_reader import BATCH_ROWS, TABLE_FAULTS, columns_of, table_blocks
from polysema.core.files.text_lines import COMMENT_SIGNS, number
from polysema.core.files.typed_tables import Batches, TypedTable
from polysema.core.files.unpacking import SNIFFED_BYTES

SEPARATORS = (",", ";", "|", "\t")
NAMES = {",": "commas", ";": "semicolons", "|": "bars", "\t": "tabs"}
BLOCK_BYTES = 8 << 20
SAMPLE_ROWS = 200
MOST_SHARE = 0.9  # of the rows that must be alike
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*")
_LIST = re.compile(r"\s*\[[\d\s.,eE+naif-]*\]\s*", re.IGNORECASE)  # numbers in brackets
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*")

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Delimited:
    """How a text is delimited: what parts its fields, the lines before the first row, the columns' names and types, and
    which of them are lists written as text. `named` says whether a line of the file names them.
    """

    separator: str
    n_skipped: int
    schema: pa.Schema
    lists: tuple[str, ...]
    decimal_comma: bool
    named: bool


def delimited_as(head: bytes) -> Delimited | None:
    """How the text that begins with `head` is delimited, None where it is no table of vectors."""
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.split("\n")
    lines = lines[:-1] if len(lines) > 1 and len(head) >= SNIFFED_BYTES else lines
    for separator in SEPARATORS:
        if separator in text and (found := _as(lines, separator)) is not None:
            return found
    return None


def _as(lines: list[str], separator: str) -> Delimited | None:
    """The same for one separator."""
    skipped = 0
    while skipped < len(lines) and (not lines[skipped].strip() or lines[skipped].encode()[:1] in COMMENT_SIGNS):
        if separator in lines[skipped] and len(_fields(lines[skipped : skipped + 1], separator)[0]) > 2:
            break  # a word like # and its numbers
        skipped += 1
    rows = [row for row in _fields(lines[skipped : skipped + SAMPLE_ROWS], separator) if row]
    if not rows:
        return None
    width = Counter(map(len, rows)).most_common(1)[0][0]
    if len(rows) > 1 and len(rows[0]) == 2 < width and all(_INTEGER.fullmatch(field) for field in rows[0]):
        skipped, rows = skipped + 1, rows[1:]  # `count,width`
    alike = [row for row in rows if len(row) == width]
    if width < 2 or len(alike) < MOST_SHARE * len(rows) or len(rows[0]) != width:
        return None
    comma = separator != "," and sum(bool(_DECIMAL_COMMA.fullmatch(f)) for row in alike for f in row) > len(alike)
    return _columns(alike, separator, skipped, comma)


def _fields(lines: list[str], separator: str) -> Rows:
    text = io.StringIO("\n".join(lines))
    try:
        if separator == "\t":
            return list(csv.reader(text, delimiter=separator, quoting=csv.QUOTE_NONE))
        return list(csv.reader(text, delimiter=separator))
    except csv.Error:
        return []


def _columns(rows: Rows, separator: str, skipped: int, comma: bool) -> Delimited | None:
    """The columns of these rows: which hold numbers, which lists, and whether the first row names them."""
    body = rows[1:] or rows
    columns = list(zip(*body, strict=True))
    numeric = {place for place, values in enumerate(columns) if _share(values, comma) >= MOST_SHARE}
    lists = {place for place, values in enumerate(columns) if all(map(_LIST.fullmatch, values))}
    named = len(rows) > 1 and _names_columns(rows[0], numeric, lists, comma)
    if not lists and (len(numeric) < 2 or (separator == "\t" and not named)):
        return None
    if named:
        names = [
            name.strip() or (PANDAS_INDEX if not place else f"column {place + 1}") for place, name in enumerate(rows[0])
        ]
    else:
        columns = list(zip(*rows, strict=True))
        names = _given_names(columns, numeric, lists)
    if len(set(names)) < len(names):
        return None
    types = [_type(columns[place], place in numeric, place in lists, comma) for place in range(len(names))]
    schema = _with_floats(pa.schema(list(zip(names, types, strict=True))), named)
    return Delimited(separator, skipped + named, schema, tuple(names[place] for place in sorted(lists)), comma, named)


def _names_columns(first: list[str], numeric: set[int], lists: set[int], comma: bool) -> bool:
    """Whether a row names columns: it holds no number where the others do, or counts 0, 1, … as pandas names them."""
    if any(first[place].strip()[:1] == "[" for place in lists):
        return False
    over = [first[place].strip() for place in sorted(numeric)]
    if not any(_is_number(field, comma) for field in over):
        return True
    counted = [field for field in over if field]
    words = [field.lower() for place, field in enumerate(first) if place not in numeric or not field.strip()]
    known = any(not word.strip() or word.strip() in WORD_NAMES for word in words)
    return known and any(counted == [str(start + place) for place in range(len(counted))] for start in (0, 1))


def _given_names(columns: list[tuple[str, ...]], numeric: set[int], lists: set[int]) -> list[str]:
    """Names for the columns of a table without a line of names: the word, or whole numbers that all differ, first."""
    words = [place for place in range(len(columns)) if place not in numeric and place not in lists]
    first = columns[0]
    whole = all(_INTEGER.fullmatch(value) for value in first) and len(set(first)) == len(first)
    others_whole = all(_INTEGER.fullmatch(value) for place in numeric - {0} for value in columns[place])
    name = words[0] if words else (0 if whole and not others_whole else -1)
    vectors = iter(range(len(columns)))
    return [
        "word" if place == name else (f"v{next(vectors)}" if place in numeric else f"column {place + 1}")
        for place in range(len(columns))
    ]


def _is_number(field: str, comma: bool) -> bool:
    return number((field.replace(",", ".") if comma else field).strip().encode()) is not None


def _share(values: tuple[str, ...], comma: bool) -> float:
    """The share of numbers among the values of a column that aren't empty."""
    filled = [value for value in values if value.strip()]
    return sum(_is_number(value, comma) for value in filled) / len(filled) if filled else 0.0


def _type(values: tuple[str, ...], is_numeric: bool, is_list: bool, comma: bool) -> pa.DataType:
    if is_list:
        return pa.list_(pa.float64())
    if not is_numeric:
        return pa.string()
    return pa.int64() if all(_INTEGER.fullmatch(value) for value in values) else pa.float64()


def _with_floats(schema: pa.Schema, named: bool) -> pa.Schema:
    """The columns of the vectors as floats, whole as the first numbers may be."""
    if any(pa.types.is_list(field.type) for field in schema):
        return schema
    numeric = [field.name for field in schema if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)]
    as_floats = pa.schema([(field.name, pa.float64() if field.name in numeric else field.type) for field in schema])
    vectors = choose_columns(as_floats).vectors
    return pa.schema([(f.name, pa.float64() if f.name in vectors else f.type) for f in schema])


def read_delimited(source: VectorSource) -> Iterator[Block]:
    """Delimited text: vectors as a column of numbers each or as lists in one, a column of words or ids, others kept."""
    table = delimited_table(source)
    columns = columns_of(source, table.schema)
    yield from table_blocks(source, table.read(table.schema.names, BATCH_ROWS), columns)


def delimited_table(source: VectorSource) -> TypedTable:
    """The table in a delimited text, each of whose columns has the type that all of its cells have."""
    with source.opened() as file:
        shape = delimited_as(file.read(SNIFFED_BYTES))
    if shape is None:
        raise source.fail("its lines are no table of vectors")
    source.notes.say(
        f"its fields are parted by {NAMES[shape.separator]}"
        + (", its numbers written with a decimal comma" if shape.decimal_comma else "")
        + ("; line 1 names the columns" if shape.named else "; no line names the columns")
    )
    strings = [field.name for field in shape.schema if is_string_type(field.type)]
    name = choose_columns(shape.schema).name
    seen = {column: CellTypes() for column in strings if column != name}
    if seen:
        quiet = VectorSource(source.path, source.opened, Notes("row"))  # what is wrong is told when it is read
        for batch in _batches(quiet, shape, list(seen)):
            for column, types in seen.items():
                types.see(batch.column(column))
    kinds = {column: types.found for column, types in seen.items()}
    schema = pa.schema(
        [(f.name, found.kind if (found := kinds.get(f.name)) is not None else f.type) for f in shape.schema]
    )

    def read(names: Sequence[str], rows: int) -> Batches:
        for batch in _batches(source, shape, list(names)):
            arrays = [
                batch.column(name) if name not in kinds else parse_cells(batch.column(name), kinds[name])
                for name in names
            ]
            whole = pa.record_batch(arrays, names=list(names))
            for start in range(0, whole.num_rows, rows):
                yield whole.slice(start, rows)

    return TypedTable(source.path, "delimited text", schema, None, read)


def _batches(source: VectorSource, shape: Delimited, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of the file: texts as strings, lists as lists of numbers."""
    types = {f.name: pa.binary() if is_string_type(f.type) or f.name in shape.lists else f.type for f in shape.schema}
    quoted = shape.separator != "\t"
    options = (
        pa_csv.ReadOptions(block_size=BLOCK_BYTES, skip_rows=shape.n_skipped, column_names=shape.schema.names),
        pa_csv.ParseOptions(delimiter=shape.separator, quote_char='"' if quoted else False, newlines_in_values=quoted),
        pa_csv.ConvertOptions(
            check_utf8=False,
            column_types=types,
            decimal_point="," if shape.decimal_comma else ".",
            include_columns=names,
        ),
    )
    fields = [shape.schema.field(name) for name in names]
    row = 0
    try:
        with source.opened() as file, pa_csv.open_csv(pa.PythonFile(file, "r"), *options) as reader:
            for batch in reader:
                arrays = [_decoded(source, batch.column(field.name), field, shape, row) for field in fields]
                row += batch.num_rows
                yield pa.record_batch(arrays, schema=pa.schema(fields))
    except UserError:
        raise
    except TABLE_FAULTS as error:
        raise source.fail(f"can't be read as a table: {one_line(error)}") from None


def _decoded(source: VectorSource, values: pa.Array, field: pa.Field, shape: Delimited, row: int) -> pa.Array:
    """Texts as strings, and lists as numbers."""
    if field.name in shape.lists:
        return _lists(source, values, field.name, row)
    return _strings(source, values, row) if is_string_type(field.type) else values


def _strings(source: VectorSource, values: pa.Array, row: int) -> pa.Array:
    try:
        strings = values.cast(pa.string())
        strings.validate(full=True)
        return strings
    except pa.ArrowInvalid:
        words = [value.decode("utf-8", "replace") for value in values.to_pylist()]
        bad = [place for place, word in enumerate(words) if "\ufffd" in word]
        source.notes.found("not UTF-8", [row + 1 + place for place in bad], [words[place] for place in bad[:5]])
        return pa.array(words, pa.string())


def _lists(source: VectorSource, values: pa.Array, name: str, row: int) -> pa.Array:
    """Lists that are written as text, `[0.1, 0.2]` or as NumPy prints them."""
    lists: list[list[float] | None] = []
    for place, value in enumerate(values.to_pylist(), row + 1):
        text = value.decode("utf-8", "replace").strip()
        parts = text.removeprefix("[").removesuffix("]").replace(",", " ").split()
        numbers = [number(part.encode()) for part in parts]
        if "..." in parts or "…" in parts:
            raise source.fail(f"row {place:,}: the list in {name} was cut short when it was printed ({text[:40]!r})")
        if None in numbers or (text and not (text.startswith("[") and text.endswith("]"))):
            raise source.fail(f"row {place:,}: {name} is no list of numbers ({text[:40]!r})")
        lists.append([value for value in numbers if value is not None] if text else None)
    return pa.array(lists, pa.list_(pa.float64()))
