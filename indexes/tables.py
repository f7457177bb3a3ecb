"""Rows of a table, whoever wrote it: which column is what, ids that are told apart, and what is left out."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import UserError
from polysema.core.files.table_columns import (
    ID_NAMES,
    ID_ONLY_NAMES,
    TableColumns,
    choose_columns,
    describe,
    names_of,
    vectors_of,
)
from polysema.core.files.typed_tables import TypedTable
from polysema.core.space.space import Keys, Origin, Space
from polysema.indexes.store.columns import OWN

ORIGIN = b"polysema.origin"  # in the metadata of a Parquet file
BATCH_ROWS = 65_536  # of a file that is added at once
TEXT = "text"  # what a column of texts is called that the user names

Note = Callable[[str], None]
Rows = Iterator[tuple[pa.Array, Space]]


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Which columns of a table are what, where the user says so: that of the ids, that of the vectors, that of the
    texts (called `text` then), and which go along (None: all).
    """

    ids: str | None = None
    vectors: str | None = None
    text: str | None = None
    kept: tuple[str, ...] | None = None


def table_rows(table: TypedTable, choice: ColumnChoice, note: Note) -> Rows:
    """The rows of a table, in parts: their ids, and their vectors with all other columns.

    Rows whose vector is missing or not finite are left out. What was guessed or left out is noted. Raises
    `UnreadableError` for a table that is damaged or has no vectors, `PolysemaError` for a row without an id.
    """
    try:
        schema = table.schema
        columns = choose_columns(schema, ID_NAMES, choice.ids, choice.vectors)
        for line in columns.notes:
            note(line)
        if columns.name and pa.types.is_floating(schema.field(columns.name).type):
            note(f"the ids in {columns.name!r} are numbers with a point: 1.0 is the id '1'")
        origin = _origin_of(schema, table.path)
        origin = replace(origin, notes=(*origin.notes, *columns.notes))
        names = _names(columns, schema, choice, note)
        yield from unique_ids(_rows(table, columns, names, origin, note), _numbered_ids(table, columns), note)
    except UserError as error:
        raise error if str(table.path) in str(error) else type(error)(f"{table.path}: {error}") from None


def _origin_of(schema: pa.Schema, path: Path) -> Origin:
    """The card that an export of ours put into the file, else the file itself."""
    try:
        return Origin.from_json(json.loads((schema.metadata or {})[ORIGIN]))
    except (KeyError, ValueError, TypeError, AttributeError):
        return Origin(str(path))


def _names(columns: TableColumns, schema: pa.Schema, choice: ColumnChoice, note: Note) -> dict[str, str]:
    """The columns that go along, each with its name in the collection."""
    others = list(columns.others)
    guessed = choice.ids is None and columns.name
    if guessed and columns.name.casefold() not in ID_ONLY_NAMES:  # texts or labels, which are more than names of rows
        others = [name for name in schema.names if name in (*others, columns.name)]
    wanted = [*(choice.kept or ()), *([choice.text] if choice.text is not None else [])]
    missing = [name for name in wanted if name not in schema.names]
    if missing:
        raise UserError(f"there is no column {missing[0]!r}; it has: {describe(schema)}")
    if choice.kept is not None:
        others = [name for name in schema.names if name in wanted and name not in columns.vectors]
    if choice.text is not None and choice.text not in others:
        others.append(choice.text)
    names = {name: _column_name(name, others) for name in others}
    if choice.text is not None and choice.text != TEXT:
        names |= {TEXT: _free(f"file_{TEXT}", others)} if TEXT in names else {}
        names[choice.text] = TEXT
    for old, new in names.items():
        if old != new:
            note(f"the file's column {old!r} is called {new!r} here")
    return names


def _rows(table: TypedTable, columns: TableColumns, names: dict[str, str], origin: Origin, note: Note) -> Rows:
    row = missing = not_finite = 0
    wanted = dict.fromkeys([*([columns.name] if columns.name else []), *columns.vectors, *names])
    for batch in table.batches(list(wanted), BATCH_ROWS):
        vectors, there = vectors_of(batch, columns.vectors)
        finite = np.isfinite(vectors).all(axis=1) if vectors.size else np.ones(len(vectors), bool)
        missing, not_finite = missing + int((~there).sum()), not_finite + int((~finite).sum())
        kept = there.copy()
        kept[there] = finite
        part = pa.Table.from_batches([batch])
        ids = _ids(part.column(columns.name) if columns.name else None, row, len(part))
        row += len(part)
        rest = part.select(list(names)).rename_columns(list(names.values()))
        if not kept.all():
            mask = pa.array(kept)
            ids, rest, vectors = ids.filter(mask), rest.filter(mask), vectors[finite]
        if len(ids):
            yield ids, Space(Keys(ids), vectors, origin, rest if rest.num_columns else None)
    if missing:
        note(f"{_rows_have(missing)} no vector: left out")
    if not_finite:
        note(f"{_rows_have(not_finite)} a vector with NaN or Inf: left out")


def _rows_have(count: int) -> str:
    return f"{count:,} rows have" if count > 1 else "1 row has"


def _column_name(name: str, others: Iterable[str]) -> str:
    """What a column is called in a collection, which has an `id` and a `vector` of its own."""
    taken = {*others, *OWN}
    made = name
    while made in OWN or (made != name and made in taken):
        made = f"file_{made}"
    return made


def _free(name: str, taken: Iterable[str]) -> str:
    """The name, with as many `file_` before it as nobody has."""
    while name in taken:
        name = f"file_{name}"
    return name


# Ids


def _ids(column: pa.ChunkedArray | None, start: int, n: int) -> pa.Array:
    """The ids of some rows, of which the first is row `start` (from 0); their numbers where no column has them."""
    if column is None:
        return pa.array([str(row) for row in range(start, start + n)], pa.large_string())
    return ids_of_column(column, start)


def ids_of_column(column: pa.ChunkedArray, start: int = 0) -> pa.Array:
    """The ids that a column's values are: texts or whole numbers; raises `PolysemaError` with the row that has none."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_boolean(kind):
        raise UserError(
            f"ids are texts or whole numbers; the column of them holds {kind}: choose another one (--id-column)"
        )
    if pa.types.is_dictionary(column.type):
        column = column.cast(kind)
    if pa.types.is_floating(kind):
        column = _whole(column, start)
    try:
        ids = names_of(column)
    except pa.ArrowInvalid:  # bytes, as some write a UUID
        raise UserError(
            f"ids are texts or whole numbers; the column of them holds {kind} that is no text: choose another one"
            " (--id-column)"
        ) from None
    wrong = pc.or_kleene(ids.is_null(), pc.fill_null(pc.equal(pc.utf8_trim_whitespace(ids), ""), True))
    place = pc.index(wrong, True).as_py()
    if place >= 0:
        raise UserError(
            f"row {start + place + 1:,} has no id: give each row one, or choose another column for the ids "
            "(--id-column)"
        )
    return ids


def _whole(column: pa.ChunkedArray, start: int) -> pa.ChunkedArray:
    """Numbers with a point as the whole numbers that they are; NaN is missing."""
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    place = pc.index(pc.not_equal(pc.floor(column), column), True).as_py()
    if place >= 0:
        raise UserError(
            f"row {start + place + 1:,} has the id {column[place].as_py()!r}: ids are texts or whole numbers; "
            "choose another"
            " column for the ids (--id-column)"
        )
    return column.cast(pa.int64())


def _numbered_ids(table: TypedTable, columns: TableColumns) -> frozenset[str]:
    """The ids that end in # and a number; every row is looked at, so that one without an id is met before any is
    added.
    """
    if not columns.name:
        return frozenset()
    found: set[str] = set()
    start = 0
    for batch in table.batches([columns.name], BATCH_ROWS):
        ids = ids_of_column(pa.chunked_array([batch.column(0)]), start)
        start += len(ids)
        found.update(ids.filter(pc.match_substring_regex(ids, r"#\d+$")).to_pylist())
    return frozenset(found)


def unique_ids(rows: Rows, numbered: frozenset[str], note: Note) -> Rows:
    """The rows, an id that stands there a second time with a number that no other has (`bank#2`).

    `numbered` are the ids of all rows that end in a number already.
    """
    seen: dict[str, int] = {}
    made_of: dict[str, str] = {}
    count_made = 0
    for ids, space in rows:
        names = ids.to_pylist()
        doubled = False
        for place, name in enumerate(names):
            if name not in seen:
                seen[name] = 1
                continue
            number = seen[name] + 1
            while (made := f"{name}#{number}") in seen or made in numbered:
                number += 1
            seen[name], seen[made] = number, 1
            names[place], doubled, count_made = made, True, count_made + 1
            if len(made_of) < 3:
                made_of[made] = name
        yield (pa.array(names, pa.large_string()) if doubled else ids), space
    if count_made:
        shown = ", ".join(f"{name!r} again is {made!r}" for made, name in made_of.items())
        note(f"{_rows_have(count_made)} an id that stood there before, and got a number: {shown}")
