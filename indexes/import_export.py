"""Into a collection from an export's folder or a file of vectors, and out of it again."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from polysema.core.atomic import atomic_files
from polysema.core.errors import ConflictError, NotFoundError, UserError
from polysema.core.files.formats import read_manifest, read_vectors, stream_export, write_vectors
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import Metric
from polysema.core.space.space import Keys, Origin, Space
from polysema.indexes.collection import Collection
from polysema.indexes.filters import Filter
from polysema.indexes.store.columns import fitting
from polysema.indexes.store.segment_files import vector_type
from polysema.indexes.tables import (
    BATCH_ROWS,
    ORIGIN,
    Note,
    Rows,
    ids_of_column,
    is_parquet,
    renamed,
    table_rows,
    unique_ids,
)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files become rows: the name of the `space` (else the layer's, or the file's), the `layers` of an export
    (None: all), the columns that hold the ids and the vectors (`id_column`, `vector_column`), the `metric` of a space
    that is new, and what the card of a file of vectors calls it (`source`, else its path)."""

    space: str | None = None
    layers: tuple[int, ...] | None = None
    id_column: str | None = None
    metric: "Metric | str" = Metric.COSINE
    source: str = ""
    vector_column: str | None = None


class ImportReport(dict[str, int]):
    """How many rows went into each space, and the `notes`: what was guessed, left out, renamed or numbered."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []


def import_into(
    collection: Collection,
    path: "Path | str",
    how: ImportOptions | None = None,
    progress: Progress = no_progress,
) -> ImportReport:
    """Put the rows of an export's folder or of a file of vectors into a collection; returns how many for each space,
    with notes of what was guessed or left out.

    Rows that are there already are replaced, so that an import that was stopped is run again. Ids are those of
    `id_column`, else: of an export the text and the place in it (`17:4-8`), of a Parquet file its column `id`, or what
    else names its rows, of other files the words. What stands there twice gets a number (`bank#2`). All other columns
    stay. Raises what reading the file raises, and `PolysemaError` for a row without an id.
    """
    path, how = Path(path), how or ImportOptions()
    if not path.exists():
        raise NotFoundError(f"{path} is not there; give the folder of an export, or a file of vectors")
    counts = ImportReport()

    def note(line: str) -> None:
        if line not in counts.notes:
            counts.notes.append(line)

    for name, spaces in _sources(path, how, progress, note):
        for ids, space in spaces:
            origin = space.origin
            if how.source and origin.source == str(path):
                origin = replace(origin, source=how.source)
            new = name not in counts and name not in collection.view().manifest.spaces
            if name not in counts:
                collection.create_space(name, space.dim, how.metric, origin)
                counts[name] = 0
            try:
                collection.upsert(ids, space.vectors, space.columns, name, origin)
            except UserError as error:
                if new:
                    collection.drop_space(name)
                raise type(error)(f"{path}, after {counts[name]:,} rows: {error}") from None
            counts[name] += len(space)
            progress(name, counts[name], counts[name])
    if not counts:
        raise UserError(f"{path} holds no rows{': ' if counts.notes else ''}{'; '.join(counts.notes)}")
    return counts


def _sources(path: Path, how: ImportOptions, progress: Progress, note: Note) -> Iterator[tuple[str, Rows]]:
    """The spaces that a path holds: for each its name and its rows, in parts."""
    if path.is_dir():
        layers: Any = read_manifest(path)["layers"]
        wanted = how.layers or tuple(int(layer) for layer in layers)
        for layer in wanted:
            name = how.space if how.space and len(wanted) == 1 else f"{how.space or ''}-layer-{layer}".lstrip("-")
            yield name, unique_ids(_of_export(path, layer, how.id_column), frozenset(), note)
        return
    if how.layers:
        raise UserError(f"layers are those of an export's folder; {path} is a file")
    name = how.space or re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.partition(".")[0]).strip("-")[:64] or "vectors"
    if is_parquet(path):
        yield name, table_rows(path, how.id_column, how.vector_column, note)
        return
    for given in (how.id_column, how.vector_column):
        if given:
            raise UserError(f"{path} has no column {given!r}: only a Parquet file or an export has columns")
    space = _read(path, progress)
    for line in space.origin.notes:
        note(line)
    if space.columns is not None:
        space = Space(space.keys, space.vectors, space.origin, renamed(space.columns, note))
    yield name, unique_ids(_of_space(space), frozenset(), note)


def _read(path: Path, progress: Progress) -> Space:
    with path.open("rb") as file:
        head = file.read(4)
    if head[:2] in (b"Ix", b"IH", b"Iw", b"IM", b"Ip", b"IB") and path.suffix in (".faiss", ".index", ".idx"):
        from polysema.indexes.faiss_file import read_foreign_faiss

        vectors, found = read_foreign_faiss(path)
        numbers = range(len(vectors)) if found.ids is None else found.ids.tolist()
        names = pa.array([str(number) for number in numbers], pa.large_string())
        return Space(Keys(names), vectors, Origin(str(path)))
    return read_vectors(path, progress)


def _of_space(space: Space) -> Rows:
    for start in range(0, len(space), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        columns = space.columns.slice(start, BATCH_ROWS) if space.columns is not None else None
        yield space.keys.array[part], Space(Keys(space.keys.array[part]), space.vectors[part], space.origin, columns)


def _of_export(folder: Path, layer: int, id_column: str | None) -> Rows:
    row = 0
    for space in stream_export(folder, layer):
        assert space.columns is not None
        names = space.columns.column_names
        if id_column is not None:
            if id_column not in names:
                raise UserError(f"{folder} has no column {id_column!r}; it has {', '.join(names)}")
            ids = ids_of_column(space.columns.column(id_column), row)
            row += len(ids)
        else:
            text = space.columns.column("id" if "id" in names else "text_id").cast(pa.large_string())
            ids = text
            if "start" in names:
                start, end = (space.columns.column(name).cast(pa.large_string()) for name in ("start", "end"))
                ids = pc.binary_join_element_wise(text, *_between(start, end))
        columns = space.columns
        if "id" in names:  # the collection has ids of its own
            columns = columns.rename_columns(["text_name" if name == "id" else name for name in names])
        whole = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
        yield whole, Space(space.keys, space.vectors, space.origin, columns)


def _between(start: pa.ChunkedArray, end: pa.ChunkedArray) -> "list[Any]":
    """`:4-8` in the parts that Arrow joins; the last is what stands between them."""
    colon, dash, nothing = (pa.scalar(sign, pa.large_string()) for sign in (":", "-", ""))
    return [colon, start, dash, end, nothing]


def export_from(
    collection: Collection, target: "Path | str", space: str | None = None, where: "str | Filter | None" = None
) -> int:
    """Write a space, or the rows of it that pass, to a file; returns how many rows.

    Parquet and CSV keep ids, vectors and columns, a part at a time; the other layouts (by the ending, see
    `write_vectors`) keep ids and vectors. Raises `ConflictError` when the file is there already.
    """
    target = Path(target)
    if target.suffix not in (".parquet", ".csv"):
        found = collection.space(space, where)
        if not len(found):
            raise UserError(f"{collection.root} holds no rows")
        write_vectors(Space(found.keys, found.vectors, found.origin), target)
        return len(found)
    if target.exists():
        raise ConflictError(f"{target} is there already; choose another name")
    view = collection.view()
    card = view.card(space)
    schema = pa.schema(
        [
            pa.field("id", pa.large_string()),
            *view.manifest.columns,
            pa.field("vector", vector_type(card.dim)),
        ],
        metadata={ORIGIN: json.dumps(card.origin.to_json())} if card.origin else None,
    )
    count = 0
    writer = _to_csv if target.suffix == ".csv" else _to_parquet
    with atomic_files([target]) as (part,):
        with writer(part, schema) as write:
            for batch in view.batches(space, where):
                arrays = fitting(batch.columns, len(batch), view.manifest.columns)
                lists = pa.FixedSizeListArray.from_arrays(
                    pa.array(batch.vectors.reshape(-1)), type=vector_type(card.dim)
                )
                write(pa.table([batch.ids, *arrays, lists], schema=schema))
                count += len(batch)
        if not count:
            raise UserError("no row passes" if where is not None else f"{collection.root} holds no rows")
    return count


Write = Callable[[pa.Table], None]


@contextmanager
def _to_parquet(path: Path, schema: pa.Schema) -> Iterator[Write]:
    columns = [name for name in schema.names if name not in ("id", "vector")]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=columns) as writer:
        yield writer.write_table


@contextmanager
def _to_csv(path: Path, schema: pa.Schema) -> Iterator[Write]:
    """A column for each number of the vectors, `v0`, `v1`, …; other lists as JSON."""
    width = schema.field("vector").type.list_size
    names = [*schema.names[:-1], *(f"v{place}" for place in range(width))]

    def flat(table: pa.Table) -> pa.Table:
        numbers = table.column("vector").combine_chunks().flatten().to_numpy().reshape(-1, width)
        arrays = [_in_a_field(table.column(name)) for name in schema.names[:-1]]
        return pa.table([*arrays, *(pa.array(np.ascontiguousarray(column)) for column in numbers.T)], names=names)

    with path.open("wb") as file, pa_csv.CSVWriter(file, flat(schema.empty_table()).schema) as writer:
        yield lambda table: writer.write_table(flat(table))


def _in_a_field(column: pa.ChunkedArray) -> "pa.ChunkedArray | pa.Array":
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return pa.array(
            [None if value is None else json.dumps(value, default=str) for value in column.to_pylist()], pa.string()
        )
    return column.cast(kind)
