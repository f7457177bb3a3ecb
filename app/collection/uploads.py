"""Files that were handed over in the browser: known by their content, kept on this machine until they are in a
collection.

An upload is a folder `uploads/<key>` of the home folder, there whole or not at all; one that nobody has used for a day
is removed. `uploads/known/` remembers, by content, which collections a file went into.
"""

import hashlib
import json
import os
import re
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polysema.core.atomic import atomic_folder, atomic_write, prune, sweep
from polysema.core.corpus import Corpus, CorpusLayout, CorpusLimits, Dialect, find_layout, open_corpus
from polysema.core.corpus.encoding import announced_encoding
from polysema.core.corpus.packed import FAULTS, STREAMS, is_workbook, open_bytes
from polysema.core.corpus.sources import KINDS, ending_of
from polysema.core.environment import home
from polysema.core.errors import BusyError, PolysemaError, UnreadableError, UserError
from polysema.core.files.array_readers import NPZ_FAULTS
from polysema.core.files.delimited import delimited_as
from polysema.core.files.formats import read_vectors, recognize
from polysema.core.files.table_columns import choose_columns
from polysema.core.files.text_lines import fields, is_header, number
from polysema.core.locks import file_lock
from polysema.core.progress import Progress, no_progress

TEXTS, VECTORS = "texts", "vectors"
TEXT_LIMITS = CorpusLimits(rows=1_000_000, characters=200_000_000)
MAX_UNPACKED_RATIO = 10  # times its own size and the limit, as which a packed file may unfold at most
KEPT_SECONDS = 86_400
UPLOADS = "[0-9a-f]" * 32  # the names of their folders
MAX_SNIFFED_FILES = 2000
MAX_SHOWN_NAMES = 5
MAX_FILES = 20
SNIFFED_BYTES = 1 << 18
LEAST_NUMBERS = 8  # columns of numbers from which on CSV is vectors, not texts with numbers beside them


@dataclass(frozen=True, slots=True)
class Upload:
    """Files in a folder of their own: `name` for people, `key` by content and names, `sha256` by content alone."""

    name: str
    folder: Path
    files: tuple[Path, ...]
    key: str
    sha256: str
    bytes: int

    @property
    def stem(self) -> str:
        """The name's beginning with letters, digits, _ and - only: 1 to 24 of them."""
        first = self.files[0].name.partition(".")[0]
        return re.sub(r"[^A-Za-z0-9]+", "-", first).strip("-")[:24].rstrip("-") or "upload"


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


@dataclass(frozen=True, slots=True)
class UploadColumns:
    """Where a content went before: the file's name then, the collection, its spaces, and when."""

    name: str
    collection: str
    spaces: tuple[str, ...]
    when: str


def key_of(files: Sequence[tuple[str, bytes]]) -> str:
    """What these files are called among the uploads: the same for the same names and contents."""
    named = [[name, hashlib.sha256(content).hexdigest()] for name, content in files]
    return hashlib.sha256(json.dumps(named).encode("utf-8", "replace")).hexdigest()[:32]


def receive(files: Sequence[tuple[str, bytes]], most_bytes: int) -> Upload:
    """Keep uploaded files (name, content); the same ones once more are not written again.

    Raises `UserError` for none, too many, or more than `most_bytes` of them, `UnreadableError` for an empty one and for
    a packed one that would unfold beyond measure.
    """
    if not 1 <= len(files) <= MAX_FILES:
        raise UserError(f"give 1 to {MAX_FILES} files; got {len(files)}")
    size = sum(len(content) for _, content in files)
    if size > most_bytes:
        raise UserError(
            f"{size:,} bytes are more than the {most_bytes:,} that are taken here (POLYSEMA_MAX_UPLOAD sets it); "
            "split the "
            "file, or use `polysema export` and `polysema collection import`, which have no limit"
        )
    names, read = _arranged(_plain_names([name for name, _ in files]), [content for _, content in files])
    for name, (_, content) in zip(names, files, strict=True):
        if not content:
            raise UnreadableError(f"{name} is empty")
    _sweep()
    key = key_of(files)
    folder = _root() / key
    if folder.is_dir():
        os.utime(folder)
    else:
        _write(folder, list(zip(names, [content for _, content in files], strict=True)), most_bytes)
    hashes = sorted(hashlib.sha256(content).hexdigest() for _, content in files)
    sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    shown = ", ".join(name for name, _ in files)[:120]
    return Upload(shown, folder, tuple(folder / name for name in read), key, sha256, size)


def _write(folder: Path, files: list[tuple[str, bytes]], most_bytes: int) -> None:
    try:
        with atomic_folder(folder, durable=False, mode=0o700) as part:
            for name, content in files:
                (part / name).write_bytes(content)
            with _named(part):
                for name, _ in files:
                    _check_unpacked(part / name, most_bytes)
    except OSError as error:
        if not folder.is_dir():  # else another session was first
            raise UserError(f"the upload can't be kept in {_root()}: {error.strerror or error}") from None


@contextmanager
def in_use(upload: Upload) -> Iterator[None]:
    """While it lasts nobody's `forget` removes the upload; raises `UserError` when somebody's has."""
    gone = f"{upload.name} is no longer here; upload it again"
    mine = _root() / f"{_locks(upload)}{uuid.uuid4().hex}.lock"
    with ExitStack() as stack:
        try:
            with _gate(upload):
                if not upload.folder.is_dir():
                    raise UserError(gone)
                stack.enter_context(file_lock(mine, 0, f"{upload.name} is in use", remove=True))
        except OSError:
            raise UserError(gone) from None
        yield


def forget(upload: Upload) -> None:
    """Remove the files of an upload and what was begun with them; not while somebody else works with them, who does it
    then.
    """
    with suppress(OSError, BusyError), _gate(upload):
        for path in _root().glob(f"{_locks(upload)}*.lock"):
            with file_lock(path, 0, f"{upload.name} is in use", remove=True):
                pass  # its owner was killed
        shutil.rmtree(upload.folder, ignore_errors=True)


def _locks(upload: Upload) -> str:
    """What the names of the lock files of those begin with who work with an upload: one each."""
    return f".{upload.key}.in-use-"


def _gate(upload: Upload) -> AbstractContextManager[None]:
    """A lock taken for a moment by a request for an upload and by the one that removes it."""
    return file_lock(_root() / f".{upload.key}.lock", 30, f"{upload.name} is being removed", remove=True)


def kind(upload: Upload) -> str:
    """`texts` or `vectors`, by content; raises `UnreadableError` for what is neither, saying what it is where known."""
    with _named(upload.folder):
        path = upload.files[0]
        texts = ("json", "jsonl", "excel")
        if _ending(path) in texts or is_workbook(path) or (_ending(path) == "csv" and not _is_csv_of_vectors(path)):
            return TEXTS
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PAR1":
            return VECTORS if _holds_lists(path) else TEXTS
        head = _head(path)
        if announced_encoding(head):  # no vectors are written so
            return TEXTS
        try:
            form = recognize(path)
        except UnreadableError:
            if _is_pickle(head):
                raise
            if _ending(path) in ("text", "tsv"):
                return TEXTS
            if (
                find_layout(path).kind != "text"
            ):  # a table in a zip; what is known to be no text is refused here by its name
                return TEXTS
            raise
        if form.name == "csv":
            return VECTORS if _is_csv_of_vectors(path) else TEXTS
        if form.name != "text":
            return VECTORS
        announced = not _ending(path) and is_header((_lines(head, 1) or [b""])[0])
        return VECTORS if announced or (_ending(path) != "tsv" and _has_numbers(head)) else TEXTS


def _is_pickle(head: bytes) -> bool:
    return head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _is_csv_of_vectors(path: Path) -> bool:
    """Whether CSV holds more columns of vectors than texts have numbers beside them, or lists of numbers."""
    found = delimited_as(_head(path))
    return found is not None and (bool(found.lists) or len(choose_columns(found.schema).vectors) >= LEAST_NUMBERS)


def look_at_layout(upload: Upload, dialect: Dialect | None = None) -> CorpusLayout:
    """How the first file is written: its columns (none of a file of lines), and which of them likely holds the
    texts.
    """
    with _named(upload.folder):
        try:
            return find_layout(upload.files[0], dialect)
        except FAULTS as error:
            raise UnreadableError(f"{upload.files[0]} can't be read: {' '.join(str(error).split())[:200]}") from None


def read_texts(
    upload: Upload, column: str | None = None, id_column: str | None = None, dialect: Dialect | None = None
) -> UploadedTexts:
    """Check texts whole, and say what they are like; raises as `open_corpus` does, and beyond `TEXT_LIMITS`."""
    with _named(upload.folder):
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
    with _named(upload.folder):
        if _is_table(path):
            return _table_preview(path)
        form = recognize(path)
        space = read_vectors(path, progress)
        _check_rows(path, len(space))
        first = tuple(
            (space.keys[row], tuple(float(value) for value in space.vectors[row, :4]))
            for row in range(min(MAX_SHOWN_NAMES, len(space)))
        )
        converted = (space.origin.weights_sha256, form.name)
        return UploadedVectors(path, len(space), space.dim, form.what, first, (), space.origin.notes, converted)


def remember(upload: Upload, collection: str, spaces: Sequence[str]) -> None:
    """Note that a content went into a collection."""
    folder = _root() / "known"
    path = folder / f"{upload.sha256}.json"
    rows = [[known.name, known.collection, list(known.spaces), known.when] for known in _noted(path)]
    rows = [row for row in rows if row[1] != collection or row[2] != list(spaces)][-19:]
    rows.append([upload.name, collection, list(spaces), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")])
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write(path, json.dumps(rows).encode("utf-8", "replace"), durable=False)
        sweep(folder)
        prune(folder, "*.json", max_files=MAX_SNIFFED_FILES)


def went_into(sha256: str) -> tuple[UploadColumns, ...]:
    """Where this content went before, newest last (the collections may be gone since)."""
    return _noted(_root() / "known" / f"{sha256}.json")


def _noted(path: Path) -> tuple[UploadColumns, ...]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            UploadColumns(str(name), str(one), tuple(map(str, spaces)), str(when)) for name, one, spaces, when in rows
        )
    except (OSError, ValueError, TypeError):
        return ()


def _root() -> Path:
    return home() / "uploads"


def _sweep() -> None:
    """Remove uploads, and parts of them, that nothing has touched for a day."""
    sweep(_root())
    prune(_root(), UPLOADS, max_age_seconds=KEPT_SECONDS)


def _plain_names(names: Sequence[str]) -> list[str]:
    """Names that are files of one folder, whatever was given, each once; the ending stays."""
    plain: list[str] = []
    for place, name in enumerate(names):
        last = re.split(r"[/\\]", name)[-1]
        kept = re.sub(r"[^\w.-]+", "_", last).lstrip(".")[-100:].lstrip(".") or f"file-{place + 1}"
        plain.append(f"{place + 1}-{kept}" if kept in plain else kept)
    return plain


def _arranged(names: list[str], contents: list[bytes]) -> tuple[list[str], list[str]]:
    """Under which names files are kept, and which of them are read: of a table of vectors and its words beside it the
    table, and the words get the name that is looked for.
    """
    if len(names) != 2:
        return names, names
    tables = [content.startswith((b"\x93NUMPY", b"PK")) or content[8:9] == b"{" for content in contents]
    if tables.count(True) == 1:
        main, ending = tables.index(True), ".vocab"
    elif all(name.lower().endswith(".tsv") for name in names):
        numbers = [_only_numbers(content[:SNIFFED_BYTES]) for content in contents]
        if numbers.count(True) != 1:
            return names, names
        main, ending = numbers.index(True), "_metadata.tsv"
    else:
        return names, names
    kept = list(names)
    kept[1 - main] = f"{Path(names[main]).name.removesuffix(Path(names[main]).suffix)}{ending}"
    return kept, [names[main]]


def _ending(path: Path) -> str:
    return KINDS.get(ending_of(path), "")


def _head(path: Path) -> bytes:
    try:
        with open_bytes(path) as file:
            return file.read(SNIFFED_BYTES)
    except (UserError, *FAULTS):
        return b""


def _lines(head: bytes, most: int = 6) -> list[bytes]:
    """The first lines that aren't blank; one that may be cut off is none."""
    lines = head.split(b"\n")
    whole = lines[:-1] if len(head) == SNIFFED_BYTES else lines
    return [line.strip() for line in whole if line.strip()][:most]


def _only_numbers(head: bytes) -> bool:
    lines = _lines(head)
    return bool(lines) and all(number(field) is not None for line in lines for field in fields(line))


def _has_numbers(head: bytes) -> bool:
    """Whether lines look like words with vectors: a line ends in as many numbers as the first announces, or every line
    in some after a word.
    """
    lines = _lines(head)
    if not lines:
        return False
    if is_header(lines[0]):
        width = int(lines[0].split()[1])
        return any(_numbers_at_end(line) >= min(width, 2) for line in lines[1:])
    counts = [_numbers_at_end(line) for line in lines]
    return min(counts) >= 2 and all(len(fields(line)) > count for line, count in zip(lines, counts, strict=True))


def _numbers_at_end(line: bytes) -> int:
    count = 0
    for field in reversed(fields(line)):
        if number(field) is None:
            break
        count += 1
    return count


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path} is no sound Parquet file: {' '.join(str(error).split())[:200]}") from None


def _holds_lists(path: Path) -> bool:
    return any(pa.types.is_nested(field.type) for field in _schema(path))


def _is_table(path: Path) -> bool:
    """Whether a file is Parquet with ids, vectors, and perhaps more columns, which go into a collection as they are."""
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return False
    return {"id", "vector"} <= set(_schema(path).names)


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


def _check_rows(path: Path, rows: int) -> None:
    if rows > TEXT_LIMITS.rows:
        raise UserError(
            f"{path} holds {rows:,} rows; up to {TEXT_LIMITS.rows:,} are taken here: use `polysema collection "
            "import`, which has no limit"
        )


def _check_unpacked(path: Path, most_bytes: int) -> None:
    """A small file may unfold into one that fills the memory or the disk: that is told before anything reads it."""
    most = MAX_UNPACKED_RATIO * most_bytes
    with path.open("rb") as file:
        head = file.read(4)
    try:
        if head.startswith(STREAMS):
            size = 0
            with open_bytes(path) as unfolded:
                while chunk := unfolded.read(1 << 20):
                    size += len(chunk)
                    if size > most:
                        break
        elif head[:2] == b"PK":
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
        elif head == b"PAR1":
            with pq.ParquetFile(path) as table:
                _check_rows(path, table.metadata.num_rows)
                groups = [table.metadata.row_group(place) for place in range(table.metadata.num_row_groups)]
                chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
                size = sum(max(chunk.total_uncompressed_size, 4 * chunk.num_values) for chunk in chunks)
        else:
            return
    except (*FAULTS, *NPZ_FAULTS, pa.ArrowException) as error:
        if isinstance(error, UserError):
            raise
        raise UnreadableError(f"{path} is damaged: {' '.join(str(error).split())[:200]}") from None
    if size > most:
        raise UserError(
            f"{path} unfolds to more than {most:,} bytes, {MAX_UNPACKED_RATIO} times what is taken here; split it"
        )


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Messages name the file, not the folder that the user has never seen."""
    try:
        yield
    except UserError as error:
        message = str(error).replace(f"{folder}/", "").replace(f"{folder}", "the upload")
        if message == str(error):
            raise
        raise type(error)(message) from None
