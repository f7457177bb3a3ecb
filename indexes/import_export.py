"""Into a collection from an export's folder or a file of vectors, and out of it again."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.atomic import atomic_files
from polysema.core.errors import ConflictError, NotFoundError, UnreadableError, UserError
from polysema.core.files.formats import read_manifest, read_vectors, stream_export, write_vectors
from polysema.core.files.typed_tables import typed_kind
from polysema.core.files.vector_tables import open_vector_table
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import Metric
from polysema.core.space.space import Keys, Origin, Space
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.filters import Filter
from polysema.indexes.store.columns import fitting
from polysema.indexes.store.segment_files import vector_type
from polysema.indexes.table_writers import LAYOUTS
from polysema.indexes.tables import (
    BATCH_ROWS,
    ORIGIN,
    ColumnChoice,
    Note,
    Rows,
    ids_of_column,
    table_rows,
    unique_ids,
)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files become rows: the name of the `space` (else the layer's, or the file's), the `layers` of an export
    (None: all), the columns of a table that hold the ids, the vectors and the texts (`id_column`, `vector_column`,
    `text_column`), those that go along (`columns`, None: all), the `metric` of a space that is new, and what the card
    of a file of vectors calls it (`source`, else its path).
    """

    space: str | None = None
    layers: tuple[int, ...] | None = None
    id_column: str | None = None
    metric: "Metric | str" = Metric.COSINE
    source: str = ""
    vector_column: str | None = None
    text_column: str | None = None
    columns: tuple[str, ...] | None = None


class ImportReport(dict[str, int]):
    """How many rows went into each space, and the `notes`: what was guessed, left out, renamed or numbered."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, line: str) -> None:
        """Say something, once."""
        if line not in self.notes:
            self.notes.append(line)


def import_into(
    collection: VectorCollection,
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
    for name, spaces in _sources(path, how, progress, counts.note):
        for ids, space in spaces:
            origin = space.origin
            if how.source and origin.source == str(path):
                origin = replace(origin, source=how.source)
            new = name not in counts and name not in collection.view().manifest.spaces
            if name not in counts:
                collection.spaces.create(name, space.dim, how.metric, origin)
                counts[name] = 0
            try:
                collection.upsert(ids, space.vectors, space.columns, name, origin)
            except UserError as error:
                if new:
                    collection.spaces.drop(name)
                raise type(error)(f"{path}, after {counts[name]:,} rows: {error}") from None
            counts[name] += len(space)
            progress(name, counts[name], counts[name])
    if not counts:
        raise UserError(f"{path} holds no rows{': ' if counts.notes else ''}{'; '.join(counts.notes)}")
    return counts


def _sources(path: Path, how: ImportOptions, progress: Progress, note: Note) -> Iterator[tuple[str, Rows]]:
    """The spaces that a path holds: for each its name and its rows, in parts."""
    if path.is_dir() and not typed_kind(path):
        layers: Any = read_manifest(path)["layers"]
        wanted = how.layers or tuple(int(layer) for layer in layers)
        for layer in wanted:
            name = how.space if how.space and len(wanted) == 1 else f"{how.space or ''}-layer-{layer}".lstrip("-")
            yield name, unique_ids(_of_export(path, layer, how), frozenset(), note)
        return
    if how.layers:
        raise UserError(f"layers are those of an export's folder; {path} is a file")
    name = how.space or re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.partition(".")[0]).strip("-")[:64] or "vectors"
    if not path.is_dir() and not path.is_file():
        raise UnreadableError(f"{path} is no file: give the folder of an export, or a file of vectors")
    foreign = not path.is_dir() and _is_faiss(path)
    table = None if foreign else open_vector_table(path, note)
    if table is not None:
        choice = ColumnChoice(how.id_column, how.vector_column, how.text_column, how.columns)
        yield name, table_rows(table, choice, note)
        return
    for given in (how.id_column, how.vector_column, how.text_column, *(how.columns or ())):
        if given:
            raise UserError(f"{path} has no column {given!r}: it holds words and vectors alone")
    space = _read_faiss(path) if foreign else read_vectors(path, progress)
    for line in space.origin.notes:
        note(line)
    yield name, unique_ids(_of_space(space), frozenset(), note)


def _is_faiss(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError as error:
        raise UnreadableError(f"{path} can't be read: {error.strerror or error}") from None
    return head in (b"Ix", b"IH", b"Iw", b"IM", b"Ip", b"IB") and path.suffix in (".faiss", ".index", ".idx")


def _read_faiss(path: Path) -> Space:
    from polysema.indexes.faiss_file import read_foreign_faiss

    vectors, found = read_foreign_faiss(path)
    numbers = range(len(vectors)) if found.ids is None else found.ids.tolist()
    names = pa.array([str(number) for number in numbers], pa.large_string())
    return Space(Keys(names), vectors, Origin(str(path)))


def _of_space(space: Space) -> Rows:
    for start in range(0, len(space), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        yield space.keys.array[part], Space(Keys(space.keys.array[part]), space.vectors[part], space.origin)


def _of_export(folder: Path, layer: int, how: ImportOptions) -> Rows:
    row, id_column = 0, how.id_column
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
        if how.columns is not None:
            if missing := [name for name in how.columns if name not in names]:
                raise UserError(f"{folder} has no column {missing[0]!r}; it has {', '.join(names)}")
            names = [name for name in names if name in how.columns]
            columns = columns.select(names)
        if "id" in names:  # the collection has ids of its own
            columns = columns.rename_columns(["text_name" if name == "id" else name for name in names])
        whole = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
        yield whole, Space(space.keys, space.vectors, space.origin, columns)


def _between(start: pa.ChunkedArray, end: pa.ChunkedArray) -> "list[Any]":
    """`:4-8` in the parts that Arrow joins; the last is what stands between them."""
    colon, dash, nothing = (pa.scalar(sign, pa.large_string()) for sign in (":", "-", ""))
    return [colon, start, dash, end, nothing]


def export_from(
    collection: VectorCollection, target: "Path | str", space: str | None = None, where: "str | Filter | None" = None
) -> int:
    """Write a space, or the rows of it that pass, to a file; returns how many rows.

    Parquet, Arrow (`.arrow`, `.feather`), CSV, JSON Lines and TensorBoard's pair (`.tsv`) keep ids, vectors and
    columns, a part at a time; the other layouts (by the ending, see `write_vectors`) keep ids and vectors. Raises
    `ConflictError` when the file is there already.
    """
    target = Path(target)
    layout = LAYOUTS.get(target.suffix)
    if layout is None:
        found = collection.space(space, where)
        if not len(found):
            raise UserError(f"{collection.root} holds no rows")
        write_vectors(Space(found.keys, found.vectors, found.origin), target)
        return len(found)
    files = layout.files(target)
    for path in files:
        if path.exists():
            raise ConflictError(f"{path} is there already; choose another name")
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
    with atomic_files(files) as parts:
        with layout.write(parts, schema) as write:
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
