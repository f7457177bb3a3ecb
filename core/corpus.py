"""Texts from files, as a stream: text a line, CSV, TSV, JSONL and Parquet, each also compressed with gzip."""

import csv
import gzip
import hashlib
import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from polysema.core.errors import NotFoundError, UnreadableError, UserError

MAX_LINE_BYTES = 1 << 20
KINDS = {
    ".txt": "text", ".text": "text", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
STDIN = "-"
Text = tuple[str, str]  # the text's id and the text


@dataclass(frozen=True, slots=True)
class Most:
    """The most that is read: rows, blank ones too, and characters of all texts together."""

    rows: int
    characters: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """Files that were read through once and found good: `lines` counts their rows, `texts` those that aren't blank.

    `column` and `id_column` are the names of columns in files that have them. Iterating gives the texts in the order
    of the files, blank ones as empty texts, so that a text's number (from 0) is its row's.
    """

    name: str
    files: tuple[Path, ...]
    bytes: int
    sha256: str
    lines: int
    texts: int
    column: str | None = None
    id_column: str | None = None

    def __iter__(self) -> Iterator[str]:
        return (text for _, text in self.rows())

    def rows(self) -> Iterator[Text]:
        """Ids and texts: a row's number where no column of ids was named."""
        number = 0
        for path in self.files:
            for name, text in _read(path, self.column, self.id_column):
                yield (str(number) if name is None else name), text
                number += 1


def open_corpus(
    inputs: "Path | str | Sequence[Path | str]", column: str | None = None, id_column: str | None = None,
    most: Most | None = None,
) -> Corpus:  # fmt: skip
    """Check files whole, in bounded memory, before any work is done on them.

    `inputs` are files, globs, folders (every file in them whose ending is known, in order of name) or `-` for standard
    input, which is kept in a temporary file. Raises `NotFoundError`, or `UnreadableError` that names file and line: one
    that isn't UTF-8, holds a NUL (so it is no text), is longer than 1 MiB or no row of its format; `UserError` for a
    column that isn't there, and for more than `most`; and for files without any text.
    """
    given = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
    if not given:
        raise UserError("give at least one file of texts")
    files = [path for one in given for path in _files(str(one))]
    digest = hashlib.sha256()
    size = lines = texts = characters = 0
    for path in files:
        digest.update(_hash(path))
        size += path.stat().st_size
        for _, text in _read(path, column, id_column):
            lines += 1
            texts += bool(text.strip())
            characters += len(text)
            if most is not None and (lines > most.rows or characters > most.characters):
                raise UserError(
                    f"{path} holds too much: up to {most.rows:,} rows with {most.characters:,} characters are read; split it"
                )
    shown = ", ".join("standard input" if str(one) == STDIN else str(Path(one).name or one) for one in given[:3])
    name = shown + (f" and {len(given) - 3} more" if len(given) > 3 else "")
    if texts == 0:
        raise UnreadableError(f"{name} holds no text: {lines:,} lines, all of them blank")
    return Corpus(name, tuple(files), size, digest.hexdigest(), lines, texts, column, id_column)


def kind_of(path: Path) -> str:
    """`text`, `csv`, `tsv`, `jsonl` or `parquet`, by the ending, and by content where that says more."""
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "parquet"
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] == ".gz":
        endings.pop()
    return KINDS.get(endings[-1], "text") if endings else "text"


def columns_of(path: Path) -> tuple[str, ...]:
    """The columns of a file that may hold texts: the names in the first line, of JSONL the first object's texts, of
    Parquet the columns of strings. A file of lines has none. Raises as `open_corpus` does.
    """
    try:
        kind = kind_of(path)
        if kind == "jsonl":
            first = next((line for line in _lines(path, 2 * MAX_LINE_BYTES) if line.strip()), "{}")
            try:
                row = json.loads(first)
            except ValueError as error:
                raise UnreadableError(f"{path}, line 1: no JSON: {error}") from None
            return tuple(name for name, value in row.items() if isinstance(value, str)) if isinstance(row, dict) else ()
        if kind == "parquet":
            return _columns_of_strings(path)
        if kind in ("csv", "tsv"):
            with _open(path) as file:
                return tuple(
                    next(csv.reader(_decoded(path, file), delimiter="," if kind == "csv" else "\t", strict=True), ())
                )
    except csv.Error as error:
        raise UnreadableError(f"{path}, line 1: {error}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None
    return ()


def _files(given: str) -> list[Path]:
    if given == STDIN:
        return [_spooled(sys.stdin.buffer)]
    path = Path(given).expanduser()
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and _known(p) and not _hidden(p.relative_to(path)))
        if not found:
            raise NotFoundError(f"{path} holds no file of texts: none ends in {', '.join(KINDS)} (or those with .gz)")
        return found
    if not path.exists() and any(sign in given for sign in "*?["):
        base = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        found = sorted(p for p in base.glob(pattern) if p.is_file())
        if not found:
            raise NotFoundError(f"no file is named like {given}")
        return found
    if not path.exists():
        raise NotFoundError(f"there is no file {path}")
    return [path]


def _known(path: Path) -> bool:
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower() in KINDS


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


_SPOOLED: list[Any] = []  # kept open: the file goes with the process


def _spooled(stream: IO[bytes]) -> Path:
    kept = tempfile.NamedTemporaryFile(prefix="polysema-", suffix=".txt")  # noqa: SIM115 -- lives as long as the process
    shutil.copyfileobj(stream, kept)
    kept.flush()
    _SPOOLED.append(kept)
    return Path(kept.name)


def _hash(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise UnreadableError(f"{path} can't be read: {error.strerror or error}") from None


def _read(path: Path, column: str | None, id_column: str | None) -> Iterator[tuple[str | None, str]]:
    """Each row's id (None without a column of them) and text."""
    try:
        kind = kind_of(path)
        if kind == "text":
            # a file of lines has no columns: the names are for the other files
            yield from ((None, text) for text in _lines(path))
        elif kind == "jsonl":
            yield from _json_lines(path, column or "text", id_column)
        elif kind == "parquet":
            yield from _parquet(path, column or "text", id_column)
        else:
            yield from _delimited(path, "," if kind == "csv" else "\t", column, id_column)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _lines(path: Path, longest: int = MAX_LINE_BYTES) -> Iterator[str]:
    with _open(path) as file:
        number = 0
        while raw := file.readline(longest + 2):
            number += 1
            yield _line(path, number, raw, longest)


def _line(path: Path, number: int, raw: bytes, longest: int) -> str:
    body = raw.rstrip(b"\r\n")
    if len(body) > longest:
        raise UnreadableError(
            f"{path}, line {number}: longer than {longest:,} bytes; write one text a line, such as a sentence"
        )
    if b"\0" in body:
        raise UnreadableError(f"{path}, line {number}: holds a NUL character, so this is not a text file")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{path}, line {number}: byte {error.start + 1} is not UTF-8; convert the file (iconv -f latin1 -t utf-8 is a common case)"
        ) from None
    return text.removeprefix("\ufeff") if number == 1 else text


def _json_lines(path: Path, column: str, id_column: str | None) -> Iterator[tuple[str | None, str]]:
    for number, line in enumerate(_lines(path, 2 * MAX_LINE_BYTES), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UnreadableError(f"{path}, line {number}: no JSON: {error}") from None
        if not isinstance(row, dict):
            raise UnreadableError(f'{path}, line {number}: an object was expected, such as {{"text": …}}')
        if column not in row:
            raise UserError(f"{path}, line {number}: has no {column!r}; it has: {', '.join(map(repr, row))}")
        text = row[column]
        if text is not None and not isinstance(text, str):
            raise UnreadableError(f"{path}, line {number}: {column!r} is no text but {type(text).__name__}")
        yield _id(row.get(id_column), path, number) if id_column else None, _checked(path, number, text or "")


def _id(value: Any, path: Path, number: int) -> str:
    if value is None or isinstance(value, (dict, list)):
        raise UnreadableError(f"{path}, line {number}: has no id")
    return str(value)


def _checked(path: Path, number: int, text: str) -> str:
    if "\0" in text:
        raise UnreadableError(f"{path}, line {number}: holds a NUL character, so this is no text")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise UnreadableError(f"{path}, line {number}: holds half of a surrogate pair, so this is no text") from None
    if size > MAX_LINE_BYTES:
        raise UnreadableError(
            f"{path}, line {number}: a text longer than {MAX_LINE_BYTES:,} bytes; give one sentence or paragraph a row"
        )
    return text


def _columns(path: Path, there: Sequence[str], column: str | None, id_column: str | None) -> tuple[str, str | None]:
    if column is None:
        rest = [name for name in there if name != id_column]
        column = "text" if "text" in rest else rest[0] if len(rest) == 1 else None
        if column is None:
            raise UserError(f"{path}: say which column holds the texts; it has: {', '.join(map(repr, there))}")
    for name in (column, id_column):
        if name is not None and name not in there:
            raise UserError(f"{path} has no column {name!r}; it has: {', '.join(map(repr, there))}")
    return column, id_column


def _delimited(path: Path, sign: str, column: str | None, id_column: str | None) -> Iterator[tuple[str | None, str]]:
    csv.field_size_limit(2 * MAX_LINE_BYTES)
    with _open(path) as file:
        rows = csv.reader(_decoded(path, file), delimiter=sign, strict=True)
        try:
            names = next(rows, None)
            if not names:
                raise UnreadableError(f"{path}: its first line must name the columns; it is empty")
            column, id_column = _columns(path, names, column, id_column)
            place, id_place = names.index(column), names.index(id_column) if id_column else None
            for row in rows:
                if not row:
                    continue
                if len(row) != len(names):
                    raise UnreadableError(
                        f"{path}, line {rows.line_num}: {len(row)} fields, but the first line names {len(names)} columns"
                    )
                yield (
                    None if id_place is None else _id(row[id_place] or None, path, rows.line_num),
                    _checked(path, rows.line_num, row[place]),
                )
        except csv.Error as error:
            raise UnreadableError(f"{path}, line {rows.line_num}: {error}") from None


def _decoded(path: Path, file: IO[bytes]) -> Iterator[str]:
    """Lines with their ends, which a quoted field may hold."""
    number = 0
    while raw := file.readline(2 * MAX_LINE_BYTES):
        number += 1
        yield _line(path, number, raw.rstrip(b"\r\n"), 2 * MAX_LINE_BYTES) + ("\n" if raw.endswith(b"\n") else "")


def _columns_of_strings(path: Path) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path} can't be read as Parquet: {str(error).splitlines()[0]}") from None
    return tuple(field.name for field in schema if _is_text(field.type))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _parquet(path: Path, column: str, id_column: str | None) -> Iterator[tuple[str | None, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            column, id_column = _columns(path, file.schema_arrow.names, column, id_column)
            kind = file.schema_arrow.field(column).type
            if not _is_text(kind):
                raise UserError(f"{path}: the column {column!r} holds {kind}, not texts")
            number = 0
            for batch in file.iter_batches(1024, columns=[column, *([id_column] if id_column else [])]):
                ids = batch.column(id_column).to_pylist() if id_column else [None] * batch.num_rows
                for name, text in zip(ids, batch.column(column).to_pylist(), strict=True):
                    number += 1
                    yield _id(name, path, number) if id_column else None, _checked(path, number, text or "")
    except pa.ArrowException as error:
        raise UnreadableError(f"{path} can't be read as Parquet: {str(error).splitlines()[0]}") from None
