"""A corpus: files that were read through once and found good, and are streamed from then on."""

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from polysema.core.corpus.column_types import ColumnTypes, in_schema, joined_schema
from polysema.core.corpus.columns import listed
from polysema.core.corpus.detection import find_layout, refit, requoted
from polysema.core.corpus.findings import MAX_IDS, CorpusNotes
from polysema.core.corpus.layout import CorpusLayout, Dialect
from polysema.core.corpus.lines import NotUtf8Error
from polysema.core.corpus.packed import FAULTS
from polysema.core.corpus.records import TextBatch, TextRecord, look_through, read_batches
from polysema.core.corpus.sources import find_files, shown_names
from polysema.core.errors import UnreadableError, UserError

MAX_NOTES = 20
Text = tuple[str, str]  # the text's id and the text


@dataclass(frozen=True, slots=True)
class CorpusLimits:
    """The most that is read: rows, blank ones too, and characters of all texts together."""

    rows: int
    characters: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """Files that were read through once and found good: `lines` counts their rows, `texts` those that aren't blank.

    `column` and `id_column` are the names of columns in files that have them, `layouts` how each file is read, `notes`
    what was guessed, mended or left out. Iterating gives the texts in the order of the files, blank ones as empty
    texts, so that a text's number (from 0) is its row's.
    """

    name: str
    layouts: tuple[CorpusLayout, ...]
    bytes: int
    sha256: str
    lines: int
    texts: int
    column: str | None = None
    id_column: str | None = None
    notes: tuple[str, ...] = ()
    dialect: Dialect = field(default_factory=Dialect)
    schema: pa.Schema = field(default_factory=lambda: pa.schema([]))
    repeated_ids: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in the order in which they are read."""
        return tuple(layout.path for layout in self.layouts)

    def __iter__(self) -> Iterator[str]:
        return (text for _, text in self.rows())

    def rows(self) -> Iterator[Text]:
        """Ids and texts: a row's number where no column of ids was named."""
        number = 0
        for layout in self.layouts:
            for name, text in _read(layout, CorpusNotes()):
                yield (str(number) if name is None else name), text
                number += 1

    def batches(self) -> Iterator[TextBatch]:
        """Ids, texts and the columns that go along, in the types of `schema`, some rows at a time."""
        number = 0
        for layout in self.layouts:
            with file_faults(layout.path):
                for ids, texts, columns in read_batches(layout, CorpusNotes()):
                    names: list[str | None] = [
                        str(number + place) if name is None else name for place, name in enumerate(ids)
                    ]
                    number += len(texts)
                    yield TextBatch(names, texts, in_schema(columns, self.schema) if len(self.schema) else columns)

    def records(self) -> Iterator[TextRecord]:
        """The same, a text at a time, each with its row of columns."""
        for ids, texts, columns in self.batches():
            for place, (name, text) in enumerate(zip(ids, texts, strict=True)):
                yield TextRecord(str(name), text, columns, place)


def open_corpus(
    inputs: "Path | str | Sequence[Path | str]",
    column: str | None = None,
    id_column: str | None = None,
    most: CorpusLimits | None = None,
    dialect: Dialect | None = None,
    columns: Sequence[str] | None = (),
) -> Corpus:
    """Check files whole, in bounded memory, before any work is done on them.

    `inputs` are files, globs, folders (every file in them whose ending is known, in order of name) or `-` for standard
    input, which is kept in a temporary file. What the files don't say of themselves (separator, header, encoding,
    column) is made out and told in the corpus's `notes`; `dialect` says it beforehand. `columns` go along with the
    texts (None: all there are), each in a type that all of its values have. Raises `NotFoundError`, or
    `UnreadableError` that names file and line: one that holds a NUL (so it is no text), is longer than 1 MiB or no row
    of its format; `UserError` for a column that isn't there, and for more than `most`; and for files without any text.
    """
    given = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
    if not given:
        raise UserError("give at least one file of texts")
    dialect = dialect or Dialect()
    found = [find_files(str(one)) for one in given]
    files = [path for paths, _ in found for path in paths]
    notes = {note: ("", 0) for _, left in found for note in left}  # the first file of a note, and how many have it
    digest, tally, layouts = hashlib.sha256(), _Tally(most), []
    for path in files:
        digest.update(_hash(path))
        layout, findings = _checked(path, column, id_column, dialect, tally, columns)
        layouts.append(layout)
        for note in (*layout.notes, *findings):
            first, count = notes.get(note, (path.name, 0))
            notes[note] = (first, count + 1)
    name = shown_names(given)
    _check_columns(name, layouts, columns)
    if tally.texts == 0:
        raise UnreadableError(_without_texts(name, layouts, tally.lines))
    message = [_note(note, first, count, len(files)) for note, (first, count) in notes.items()] + tally.repeated()
    if len(message) > MAX_NOTES:
        message = [*message[:MAX_NOTES], f"and {len(message) - MAX_NOTES:,} notes more"]
    return Corpus(
        name,
        tuple(layouts),
        sum(path.stat().st_size for path in files),
        digest.hexdigest(),
        tally.lines,
        tally.texts,
        _common(layouts, "column", column),
        _common(layouts, "id_column", id_column),
        tuple(message),
        dialect,
        joined_schema(layout.schema for layout in layouts),
        tally.n_repeated,
    )


def _check_columns(name: str, layouts: Sequence[CorpusLayout], columns: Sequence[str] | None) -> None:
    """Raise `UserError` for a column that none of the files has."""
    there = {column for layout in layouts for column in (*layout.columns, *layout.kept)}
    missing = [column for column in columns or () if column not in there]
    if missing:
        raise UserError(f"{name} has no column {missing[0]!r}; it has: {listed(sorted(there))}")


class _Tally:
    """Counts over files that were read to their end; a file that has to be read otherwise counts once."""

    def __init__(self, most: CorpusLimits | None):
        self._most = most
        self.lines = self.texts = self.characters = 0
        self._ids = array("q")
        self.n_repeated = 0

    def count(self, layout: CorpusLayout, findings: CorpusNotes) -> CorpusLayout:
        """Read a file through; returns its layout with the types of its columns.

        Raises what its reader raises, and `UserError` beyond the most that is read.
        """
        types = ColumnTypes(layout.table.separator if layout.table is not None else ",")
        lines, texts, characters, most = self.lines, self.texts, self.characters, self._most
        ids = array("q")
        room = MAX_IDS - len(self._ids)
        for name, text in _seen(layout, findings, types):
            lines += 1
            texts += bool(text.strip())
            characters += len(text)
            if name is not None and len(ids) < room:
                ids.append(hash(name))
            if most is not None and (lines > most.rows or characters > most.characters):
                raise UserError(
                    f"{layout.path} holds too much: up to {most.rows:,} rows with {most.characters:,} characters "
                    "are read; split it"
                )
        self.lines, self.texts, self.characters = lines, texts, characters
        self._ids.extend(ids)
        if layout.is_typed:
            return layout
        found = types.found()
        return replace(layout, kept=tuple(found), types=found)

    def repeated(self) -> list[str]:
        """A note of ids that stand in several rows."""
        import numpy as np

        first = (
            np.unique(np.frombuffer(self._ids, np.int64), return_index=True)[1] if self._ids else np.empty(0, np.int64)
        )
        count = len(self._ids) - len(first)
        self.n_repeated = count
        if not count:
            return []
        row = int(np.setdiff1d(np.arange(len(self._ids)), first)[0]) + 1
        return [
            f"{count:,} rows have an id that an earlier row has (the first: row {row:,}), so that ids don't tell "
            "them apart"
        ]


def _checked(
    path: Path,
    column: str | None,
    id_column: str | None,
    dialect: Dialect,
    tally: _Tally,
    columns: Sequence[str] | None,
) -> tuple[CorpusLayout, tuple[str, ...]]:
    """How a file is read, and what was found in it; another encoding or other quotes are tried where the first don't
    fit.
    """
    try:
        names = tuple(name for name in (column, id_column) if name is not None)
        layout: CorpusLayout | None = find_layout(path, dialect, names)
        failure: UnreadableError | None = None
        while layout is not None:
            chosen, findings = layout.with_columns(column, id_column).keeping(columns), CorpusNotes()
            try:
                chosen = tally.count(chosen, findings)
            except UnreadableError as error:
                failure = failure or error
                layout = refit(layout, dialect, names) if isinstance(error, NotUtf8Error) else requoted(layout)
            else:
                return chosen, findings.notes()
        assert failure is not None
        raise failure
    except FAULTS as error:
        raise UnreadableError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None


def _read(layout: CorpusLayout, findings: CorpusNotes) -> Iterator[tuple[str | None, str]]:
    with file_faults(layout.path):
        yield from layout.rows(findings)


def _seen(layout: CorpusLayout, findings: CorpusNotes, types: ColumnTypes) -> Iterator[tuple[str | None, str]]:
    with file_faults(layout.path):
        yield from look_through(layout, findings, types) if layout.kept else layout.rows(findings)


@contextmanager
def file_faults(path: Path) -> Iterator[None]:
    """What reading a damaged file raises, in one line."""
    try:
        yield
    except FAULTS as error:
        raise UnreadableError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None


def _hash(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise UnreadableError(f"{path} can't be read: {error.strerror or error}") from None


def _without_texts(name: str, layouts: Sequence[CorpusLayout], lines: int) -> str:
    if lines == 0 and any(layout.table is not None and layout.table.header for layout in layouts):
        return (
            f"{name} holds no text: there is no row below the first, which was taken as the names of the columns "
            "(--no-header reads it as a text)"
        )
    return f"{name} holds no text: {lines:,} lines, all of them blank"


def _common(layouts: Sequence[CorpusLayout], what: str, given: str | None) -> str | None:
    """The given column, or the one detected for all files."""
    guessed: set[str | None] = {getattr(layout, what) for layout in layouts}
    if given is not None or len(guessed) > 1 or not any(layout.guess in layout.notes for layout in layouts):
        return given
    return guessed.pop()


def _note(note: str, first: str, count: int, n_files: int) -> str:
    """A note with the name of its file, where there are several."""
    if n_files == 1 or not first:
        return note
    return f"{first}: {note}" if count == 1 else f"{first} and {count - 1:,} more: {note}"
