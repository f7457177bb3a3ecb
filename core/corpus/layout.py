"""How one file of texts is read: made out once by its first part, and then the same on every pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import pyarrow as pa

from polysema.core.corpus.column_types import FoundType
from polysema.core.corpus.columns import Value, find_column, listed
from polysema.core.corpus.delimited import DelimitedTable, read_cells
from polysema.core.corpus.encoding import UTF8
from polysema.core.corpus.findings import CorpusNotes, id_of
from polysema.core.corpus.json_rows import Row, names_in, read_json, read_json_lines, value_at
from polysema.core.corpus.lines import TextFile, checked
from polysema.core.corpus.tables import TYPED_KINDS, read_sheet, read_typed, stored_kind
from polysema.core.errors import UnreadableError, UserError
from polysema.core.files.typed_tables import open_typed_table

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "none": "\x1f"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is known of the files beforehand; what is None is made out from each file, and told where it was guessed.

    `separator` is a sign or its name (comma, semicolon, tab, pipe, none), `header` whether the first line names the
    columns, `encoding` one of Python's names.
    """

    separator: str | None = None
    header: bool | None = None
    encoding: str | None = None

    def sign(self) -> str | None:
        """The separator as a sign. Raises `UserError` for what is none."""
        if self.separator is None:
            return None
        sign = SEPARATORS.get(self.separator, self.separator)
        if len(sign) != 1 or sign in '"\r\n\0' or sign.isalnum():
            raise UserError(f"a separator is one sign, or one of {', '.join(SEPARATORS)}; got {self.separator!r}")
        return sign

    def said(self) -> dict[str, str | bool]:
        """What is set, by name."""
        every = {"separator": self.separator, "header": self.header, "encoding": self.encoding}
        return {name: value for name, value in every.items() if value is not None}


@dataclass(frozen=True, slots=True)
class CorpusLayout:
    """How one file is read: its `kind`, its bytes, its cells, its `columns`, and which of them likely holds the texts.

    `notes` are what was made out and isn't certain or usual; `guess` tells of the column. `kept` are the columns that
    go along with the texts, `types` what they were found to be.
    """

    path: Path
    kind: str
    encoding: str = UTF8
    replace: bool = False
    carriage_returns: bool = False
    table: DelimitedTable | None = None
    columns: tuple[str, ...] = ()
    column: str | None = None
    id_column: str | None = None
    notes: tuple[str, ...] = ()
    guess: str | None = field(default=None, compare=False)
    kept: tuple[str, ...] = ()
    types: Mapping[str, FoundType] = field(default_factory=dict, compare=False)

    @property
    def is_typed(self) -> bool:
        """Whether the file's columns have types of their own."""
        return self.kind in TYPED_KINDS

    @property
    def schema(self) -> pa.Schema:
        """The types of the columns that go along with the texts."""
        if self.is_typed:
            whole = open_typed_table(self.path).schema
            return pa.schema([(name, stored_kind(whole.field(name).type)) for name in self.kept])
        return pa.schema([(name, self.types[name].kind) for name in self.kept])

    @property
    def file(self) -> TextFile:
        """The lines of a file of text."""
        return TextFile(self.path, self.encoding, self.replace, self.carriage_returns)

    def with_columns(self, column: str | None, id_column: str | None) -> "CorpusLayout":
        """The layout with these columns. Raises `UserError` for one that isn't there, and where none holds texts."""
        if not self.columns:
            return self
        if id_column is not None:
            id_column = find_column(self.path, self.columns, id_column)
        if column is not None:
            return replace(self, column=find_column(self.path, self.columns, column), id_column=id_column)
        rest = [name for name in self.columns if name != id_column]
        chosen = self.column if self.column != id_column else None
        chosen = chosen or (rest[0] if len(rest) == 1 else None)
        if chosen is None:
            raise UserError(f"{self.path}: say which column holds the texts; it has: {listed(self.columns)}")
        notes = (*self.notes, self.guess) if self.guess and len(rest) > 1 else self.notes
        return replace(self, column=chosen, id_column=id_column, notes=notes)

    def keeping(self, columns: Sequence[str] | None) -> "CorpusLayout":
        """The layout whose columns of these names go along with the texts; None: all but those of texts and ids."""
        if columns is None:
            return replace(self, kept=tuple(name for name in self.columns if name not in (self.column, self.id_column)))
        return replace(self, kept=tuple(name for name in self.columns if name in columns and name != self.column))

    def rows(self, findings: CorpusNotes) -> Iterator[tuple[str | None, str]]:
        """Each row's id (None without a column of them) and text. Raises `UnreadableError` that names the line."""
        return ((name, text) for name, text, _ in self.records(findings))

    def records(self, findings: CorpusNotes) -> Iterator[tuple[str | None, str, Value]]:
        """The same, and all that the row holds: its cells, an object of JSON, or the values of `kept` by a typed
        table.
        """
        if self.kind == "text":
            yield from ((None, text, None) for text in self.file.lines(findings))
            return
        where = f"{self.path}, {'row' if self.kind in (*TYPED_KINDS, 'excel') else 'line'}"
        what = where.rpartition(" ")[2]
        with_ids = self.id_column is not None
        for number, name, text, row in self._values(findings):
            yield (
                id_of(name, where, number, findings) if with_ids else None,
                checked(self.path, number, text or "", what),
                row,
            )

    def _values(self, findings: CorpusNotes) -> Iterator[tuple[int, Value, Value, Value]]:
        """The line or row, the id, the text, and all values of each."""
        if self.kind in ("json", "jsonl"):
            return self._of_objects(findings)
        assert self.column is not None
        return read_typed(self.path, self.column, self.id_column) if self.is_typed else self._of_cells(findings)

    def _of_objects(self, findings: CorpusNotes) -> Iterator[tuple[int, Value, Value, Value]]:
        for number, row in json_rows(self, findings):
            if isinstance(row, str):
                if self.columns:
                    raise UnreadableError(f"{self.path}, line {number}: a text where an object was expected")
                yield number, None, row, None
                continue
            there, text = value_at(row, self.column or "text")
            if not there:
                raise UserError(f"{self.path}, line {number}: has no {self.column!r}; it has: {listed(names_in(row))}")
            if text is not None and not isinstance(text, str):
                raise UnreadableError(
                    f"{self.path}, line {number}: {self.column!r} is no text but {type(text).__name__}"
                )
            yield number, value_at(row, self.id_column)[1] if self.id_column else None, text, row

    def _of_cells(self, findings: CorpusNotes) -> Iterator[tuple[int, Value, Value, Value]]:
        assert self.table is not None
        assert self.column is not None
        width = len(self.columns)
        place = self.columns.index(self.column)
        id_place = self.columns.index(self.id_column) if self.id_column else None
        rows: Iterator[tuple[int, list[str]]]
        if self.kind == "excel":
            rows = ((number, cells + [""] * (width - len(cells))) for number, cells in read_sheet(self.path))
        else:
            rows = read_cells(self.file.lines_with_ends(findings), self.table, self.path, findings, width)
        for number, cells in islice(rows, int(self.table.header), None):
            yield number, None if id_place is None else cells[id_place], cells[place], cells


def json_rows(layout: CorpusLayout, findings: CorpusNotes) -> Iterator[tuple[int, Row]]:
    """The rows of a file of JSON, with the line at which each begins."""
    return (read_json if layout.kind == "json" else read_json_lines)(layout.file, findings)
