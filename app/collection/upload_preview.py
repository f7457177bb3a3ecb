"""What the texts or vectors of an upload are like."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from polysema.app.collection.uploaded_files import Upload, check_row_count, messages_name_files
from polysema.core.corpus import Corpus, CorpusLayout, Dialect, find_layout, open_records
from polysema.core.corpus.packed import FAULTS
from polysema.core.errors import UnreadableError
from polysema.core.files.formats import read_vectors, recognize
from polysema.core.files.table_columns import is_string_type
from polysema.core.files.typed_tables import TypedTable, dataset_files
from polysema.core.files.vector_tables import open_vector_table
from polysema.core.progress import Progress, no_progress
from polysema.indexes.tables import ColumnChoice, table_rows

MAX_SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True)
class PreviewColumn:
    """A column beside texts or vectors: its name, its type for people, and its first values."""

    name: str
    kind: str
    first: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class UploadedTexts:
    """What a preview of texts says: the `corpus`, its first rows (id, text), characters in all and in the longest text
    (which row, from 1), and `notes`: what was found out of the files, and what is irregular in their texts. `words` is
    how many a text has on average, `columns` what stands beside the texts.
    """

    corpus: Corpus
    first: tuple[tuple[str, str], ...]
    characters: int
    longest: int
    longest_row: int
    notes: tuple[str, ...]
    words: float = 0.0
    columns: tuple[PreviewColumn, ...] = ()


@dataclass(frozen=True, slots=True)
class UploadedVectors:
    """What a preview of vectors says: the `path` to read, how many rows, their width, the layout, the first names with
    their first numbers, the columns beside them, what was passed over or mended, and under which content and layout
    they are kept converted.
    """

    path: Path
    rows: int
    dim: int
    layout: str
    first: tuple[tuple[str, tuple[float, ...]], ...]
    columns: tuple[PreviewColumn, ...]
    notes: tuple[str, ...]
    converted: tuple[str, str] | None = None


def look_at_layout(upload: Upload, dialect: Dialect | None = None) -> CorpusLayout:
    """How the first file is written: its columns (none of a file of lines), and which of them likely holds the
    texts.
    """
    path = upload.files[0]
    with messages_name_files(upload.folder):
        try:
            return find_layout(dataset_files(path)[0][1] if path.is_dir() else path, dialect)
        except FAULTS as error:
            raise UnreadableError(f"{path} can't be read: {' '.join(str(error).split())[:200]}") from None


def read_texts(
    upload: Upload, column: str | None = None, id_column: str | None = None, dialect: Dialect | None = None
) -> UploadedTexts:
    """Check texts whole, and say what they are like; raises as `open_corpus` does, and beyond `TEXT_LIMITS`."""
    with messages_name_files(upload.folder):
        corpus = open_records(upload.files, column, id_column, upload.limits, dialect)
        columns = preview_columns(next((batch.columns for batch in corpus.batches()), None))
        first: list[tuple[str, str]] = []
        seen: set[int] = set()
        characters = longest = longest_row = repeated = controls = words = 0
        for row, (name, text) in enumerate(corpus.rows(), 1):
            if text.strip() and len(first) < MAX_SHOWN_NAMES:
                first.append((name, text))
            characters += len(text)
            words += text.count(" ") + 1 if text.strip() else 0
            if len(text) > longest:
                longest, longest_row = len(text), row
            digest = hash(text)
            repeated += bool(text.strip()) and digest in seen
            seen.add(digest)
            controls += any(ord(sign) < 32 and sign not in "\t\r\n" for sign in text)
    notes = list(corpus.notes)
    if corpus.lines > corpus.texts:
        notes.append(f"{corpus.lines - corpus.texts:,} blank rows: they get no vector")
    if repeated:
        notes.append(f"{repeated:,} texts repeat an earlier one: each is embedded all the same")
    if controls:
        notes.append(f"{controls:,} texts hold control characters")
    if longest > 5000:
        notes.append(
            f"row {longest_row:,} has {longest:,} characters: texts longer than the model's window are read in parts"
        )
    mean_words = words / max(1, corpus.texts)
    return UploadedTexts(corpus, tuple(first), characters, longest, longest_row, tuple(notes), mean_words, columns)


def preview_columns(batch: pa.RecordBatch | None) -> tuple[PreviewColumn, ...]:
    """The columns of a batch, each with its first values."""
    if batch is None:
        return ()
    return tuple(
        PreviewColumn(field.name, type_name(field.type), tuple(column[:MAX_SHOWN_NAMES].to_pylist()))
        for field, column in zip(batch.schema, batch.columns, strict=True)
    )


def type_name(kind: pa.DataType) -> str:
    """A type of a column, for people."""
    kinds = pa.types
    if kinds.is_dictionary(kind):
        return type_name(kind.value_type)
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        return f"lists of {type_name(kind.value_type)}"
    names = (
        (kinds.is_boolean, "yes or no"),
        (kinds.is_integer, "whole numbers"),
        (kinds.is_floating, "numbers"),
        (kinds.is_decimal, "numbers"),
        (kinds.is_date, "dates"),
        (kinds.is_timestamp, "times"),
    )
    return next((name for test, name in names if test(kind)), "texts" if is_string_type(kind) else str(kind))


def look_at_vectors(upload: Upload, progress: Progress = no_progress) -> UploadedVectors:
    """Read vectors whole (converted once, as every file of vectors is), and say what they are like."""
    path = upload.files[0]
    with messages_name_files(upload.folder):
        notes: list[str] = []
        table = open_vector_table(path, notes.append)
        if table is not None:
            return _table_preview(upload, table, notes)
        form = recognize(path)
        space = read_vectors(path, progress)
        if not upload.by_path:
            check_row_count(path, len(space))
        first = tuple(
            (space.keys[row], tuple(float(value) for value in space.vectors[row, :4]))
            for row in range(min(MAX_SHOWN_NAMES, len(space)))
        )
        converted = (space.origin.weights_sha256, form.name)
        return UploadedVectors(path, len(space), space.dim, form.what, first, (), space.origin.notes, converted)


def _table_preview(upload: Upload, table: TypedTable, notes: list[str]) -> UploadedVectors:
    """What a table of vectors is like, by its first rows; its rows are counted where the file doesn't say."""
    found = next(table_rows(table, ColumnChoice(), notes.append), None)
    if found is None:
        raise UnreadableError(f"{table.path} holds no rows")
    ids, space = found
    n_rows = table.n_rows
    if n_rows is None:
        n_rows = sum(batch.num_rows for batch in table.batches(table.schema.names[:1]))
    if not upload.by_path:
        check_row_count(table.path, n_rows)
    first = tuple(
        (str(name), tuple(float(value) for value in space.vectors[row, :4]))
        for row, name in enumerate(ids[:MAX_SHOWN_NAMES].to_pylist())
    )
    batches = [] if space.columns is None else space.columns.slice(0, 200).combine_chunks().to_batches()
    columns = preview_columns(batches[0] if batches else None)
    what = f"{table.kind[0].upper()}{table.kind[1:]} with ids, columns and vectors"
    return UploadedVectors(table.path, n_rows, space.dim, what, first, columns, tuple(dict.fromkeys(notes)))
