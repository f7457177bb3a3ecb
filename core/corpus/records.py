"""Texts with the columns that stand beside them, in typed batches, a part of a file in memory at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from polysema.core.corpus.column_types import ColumnTypes, in_parts
from polysema.core.corpus.columns import Value
from polysema.core.corpus.findings import CorpusNotes, id_of
from polysema.core.corpus.json_rows import names_in, value_at
from polysema.core.corpus.layout import CorpusLayout
from polysema.core.corpus.lines import checked
from polysema.core.corpus.tables import BATCH_ROWS, check_texts, without_dictionary
from polysema.core.files.typed_tables import open_typed_table

MAX_COLUMNS = 10_000  # of JSON, whose objects may each have keys of their own


class TextRecord(NamedTuple):
    """A text with its id and its row of columns: row `place` of `batch`."""

    id: str
    text: str
    batch: pa.RecordBatch
    place: int


class TextBatch(NamedTuple):
    """Some texts, their ids (None without a column of them), and the columns beside them, row for row."""

    ids: list[str | None]
    texts: list[str]
    columns: pa.RecordBatch


def look_through(layout: CorpusLayout, findings: CorpusNotes, types: ColumnTypes) -> Iterator[tuple[str | None, str]]:
    """The ids and texts of a file, while `types` sees the columns that go along."""
    if layout.is_typed:
        yield from layout.rows(findings)
        return
    names: dict[str, None] = {}
    for part in in_parts(layout.records(findings), BATCH_ROWS):
        rows = [row for _, _, row in part]
        if layout.kind in ("json", "jsonl"):
            new = _new_names(layout, rows, names)
            types.see_values(_of_objects(rows, (*names, *new)))
            names.update(dict.fromkeys(new))
        elif layout.kept:
            types.see_cells(_of_cells(layout, rows))
        yield from ((name, text) for name, text, _ in part)


def _new_names(layout: CorpusLayout, rows: list[Value], known: dict[str, None]) -> list[str]:
    """The keys of objects that go along and were not met before: those that were chosen, or all but texts and ids."""
    if not layout.kept:
        return []
    wanted = None if set(layout.kept) >= set(layout.columns) - {layout.column, layout.id_column} else set(layout.kept)
    found: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict):
            found.update(dict.fromkeys(names_in(row)))
    left = MAX_COLUMNS - len(known)
    names = [name for name in found if name not in known and name not in (layout.column, layout.id_column)]
    return [name for name in names if wanted is None or name in wanted][:left]


def _of_objects(rows: list[Value], names: tuple[str, ...]) -> dict[str, list[Value]]:
    return {name: [value_at(row, name)[1] if isinstance(row, dict) else None for row in rows] for name in names}


def _of_cells(layout: CorpusLayout, rows: list[Value]) -> dict[str, list[Value]]:
    places = {name: layout.columns.index(name) for name in layout.kept}
    return {name: [row[place] for row in rows] for name, place in places.items()}


def read_batches(layout: CorpusLayout, findings: CorpusNotes) -> Iterator[TextBatch]:
    """The texts of a file that was looked through, with the columns that go along in their types."""
    if layout.is_typed:
        yield from _of_typed(layout, findings)
        return
    for part in in_parts(layout.records(findings), BATCH_ROWS):
        rows = [row for _, _, row in part]
        is_json = layout.kind in ("json", "jsonl")
        raw = _of_objects(rows, layout.kept) if is_json else _of_cells(layout, rows) if layout.kept else {}
        arrays = [layout.types[name].array(values) for name, values in raw.items()]
        columns = _batch(arrays, layout.schema, len(part))
        yield TextBatch([name for name, _, _ in part], [text for _, text, _ in part], columns)


def _of_typed(layout: CorpusLayout, findings: CorpusNotes) -> Iterator[TextBatch]:
    """The same of a file whose columns have types of their own."""
    assert layout.column is not None
    table, number, where = open_typed_table(layout.path), 0, f"{layout.path}, row"
    check_texts(layout.path, table.schema, layout.column)
    wanted = dict.fromkeys([layout.column, *([layout.id_column] if layout.id_column else []), *layout.kept])
    for batch in table.batches(list(wanted), BATCH_ROWS):
        ids: list[str | None] = [None] * batch.num_rows
        if layout.id_column is not None:
            values = batch.column(layout.id_column).to_pylist()
            ids = [id_of(value, where, number + place, findings) for place, value in enumerate(values, 1)]
        texts = [
            checked(layout.path, number + place, text or "", "row")
            for place, text in enumerate(batch.column(layout.column).to_pylist(), 1)
        ]
        number += batch.num_rows
        yield TextBatch(
            ids,
            texts,
            _batch([without_dictionary(batch.column(name)) for name in layout.kept], layout.schema, len(texts)),
        )


def _batch(arrays: list[pa.Array], schema: pa.Schema, rows: int) -> pa.RecordBatch:
    """Arrays as a batch, which has its rows even without columns."""
    if arrays:
        return pa.record_batch(arrays, schema=schema)
    return pa.record_batch({"": pa.nulls(rows)}).select([])
