"""What the texts or vectors of an upload are like."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polysema.app.collection.upload_kind import parquet_schema
from polysema.app.collection.uploaded_files import TEXT_LIMITS, Upload, check_row_count, messages_name_files
from polysema.core.corpus import Corpus, CorpusLayout, Dialect, find_layout, open_corpus
from polysema.core.corpus.packed import FAULTS
from polysema.core.errors import PolysemaError, UnreadableError
from polysema.core.files.formats import read_vectors, recognize
from polysema.core.progress import Progress, no_progress

MAX_SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True)
class UploadedTexts:
    """What a preview of texts says: the `corpus`, its first rows (id, text), characters in all and in the longest text
    (which row, from 1), and `notes`: what was found out of the files, and what is irregular in their texts.
    """

    corpus: Corpus
    first: tuple[tuple[str, str], ...]
    characters: int
    longest: int
    longest_row: int
    notes: tuple[str, ...]


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
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    converted: tuple[str, str] | None = None


def look_at_layout(upload: Upload, dialect: Dialect | None = None) -> CorpusLayout:
    """How the first file is written: its columns (none of a file of lines), and which of them likely holds the
    texts.
    """
    with messages_name_files(upload.folder):
        try:
            return find_layout(upload.files[0], dialect)
        except FAULTS as error:
            raise UnreadableError(f"{upload.files[0]} can't be read: {' '.join(str(error).split())[:200]}") from None


def read_texts(
    upload: Upload, column: str | None = None, id_column: str | None = None, dialect: Dialect | None = None
) -> UploadedTexts:
    """Check texts whole, and say what they are like; raises as `open_corpus` does, and beyond `TEXT_LIMITS`."""
    with messages_name_files(upload.folder):
        corpus = open_corpus(upload.files, column, id_column, TEXT_LIMITS, dialect)
        first: list[tuple[str, str]] = []
        seen: set[int] = set()
        characters = longest = longest_row = repeated = controls = 0
        for row, (name, text) in enumerate(corpus.rows(), 1):
            if text.strip() and len(first) < MAX_SHOWN_NAMES:
                first.append((name, text))
            characters += len(text)
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
    return UploadedTexts(corpus, tuple(first), characters, longest, longest_row, tuple(notes))


def look_at_vectors(upload: Upload, progress: Progress = no_progress) -> UploadedVectors:
    """Read vectors whole (converted once, as every file of vectors is), and say what they are like."""
    path = upload.files[0]
    with messages_name_files(upload.folder):
        if _is_table(path):
            return _table_preview(path)
        form = recognize(path)
        space = read_vectors(path, progress)
        check_row_count(path, len(space))
        first = tuple(
            (space.keys[row], tuple(float(value) for value in space.vectors[row, :4]))
            for row in range(min(MAX_SHOWN_NAMES, len(space)))
        )
        converted = (space.origin.weights_sha256, form.name)
        return UploadedVectors(path, len(space), space.dim, form.what, first, (), space.origin.notes, converted)


def _is_table(path: Path) -> bool:
    """Whether a file is Parquet with ids, vectors, and perhaps more columns, which go into a collection as they are."""
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return False
    return {"id", "vector"} <= set(parquet_schema(path).names)


def _table_preview(path: Path) -> UploadedVectors:
    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            batch = next(file.iter_batches(MAX_SHOWN_NAMES), None)
            names = tuple(name for name in file.schema_arrow.names if name not in ("id", "vector"))
        if batch is None or not rows:
            raise UnreadableError(f"{path} holds no rows")
        ids, lists = batch.column("id").to_pylist(), batch.column("vector").to_pylist()
        first = tuple((str(one), tuple(float(value) for value in row[:4])) for one, row in zip(ids, lists, strict=True))
        return UploadedVectors(path, rows, len(lists[0]), "Parquet with ids, columns and vectors", first, names, ())
    except PolysemaError:
        raise
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise UnreadableError(
            f"{path} is no sound Parquet file of vectors: {' '.join(str(error).split())[:200]}"
        ) from None
