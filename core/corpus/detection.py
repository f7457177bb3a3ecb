"""Making out how a file of texts is written: what it is, its encoding, its separator, its columns."""

import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from polysema.core.corpus.columns import Value, choose_column, column_names, listed, numbered
from polysema.core.corpus.delimited import CSV_QUOTES, NO_QUOTES, DelimitedTable
from polysema.core.corpus.encoding import SAMPLE_BYTES, UTF8, announced_encoding, guess_encoding, known_encoding
from polysema.core.corpus.findings import CorpusNotes
from polysema.core.corpus.json_rows import is_one_document, names_in, value_at
from polysema.core.corpus.layout import CorpusLayout, Dialect, json_rows
from polysema.core.corpus.lines import TextFile, open_utf8, sample_beyond_ascii
from polysema.core.corpus.packed import HEAD_BYTES, ZIP, check_plain, is_workbook, open_bytes
from polysema.core.corpus.sniff import DeclaredDialect, SniffedDialect, is_tab_table, judge_header, sniff_table
from polysema.core.corpus.sources import KINDS, ending_of, kind_of
from polysema.core.corpus.tables import TYPED_KINDS, read_sheet, sheets_of, typed_columns, typed_sample
from polysema.core.errors import UnreadableError

SAMPLE_ROWS = 200
SNIFFED_CHARACTERS = 1 << 16
DEFAULT_SEPARATORS = {"csv": ",", "tsv": "\t"}


def find_layout(path: Path, dialect: Dialect | None = None, names: tuple[str, ...] = ()) -> CorpusLayout:
    """Make out how a file is read; `names` are columns that were requested, of which one in the first line makes it a
    header.

    Raises `UnreadableError` for a file that holds no plain text, saying what it is, and what to do; `UserError` for a
    dialect that can't be.
    """
    dialect = dialect or Dialect()
    known = DeclaredDialect(dialect.sign(), dialect.header, names)
    kind = _kind(path)
    if kind in TYPED_KINDS:
        return _of_samples(CorpusLayout(path, kind, columns=typed_columns(path)), typed_sample(path, SAMPLE_ROWS), ())
    if kind == "excel":
        return _of_workbook(path, known)
    with open_bytes(path) as file:
        head = file.read(SAMPLE_BYTES)
    check_plain(path, head[:HEAD_BYTES])
    layout = _of_bytes(path, kind, head, dialect)
    lines = _sample_lines(layout)
    if known.separator is not None and layout.kind == "text":
        layout = replace(layout, kind="csv")
    if layout.kind == "text":
        layout = _of_lines(layout, lines)
    if layout.kind in DEFAULT_SEPARATORS:
        sniffed = sniff_table(path, lines, DEFAULT_SEPARATORS[layout.kind], known)
        return _of_table(layout, sniffed)
    return _of_json(layout, lines) if layout.kind in ("json", "jsonl") else layout


def refit(layout: CorpusLayout, dialect: Dialect, names: tuple[str, ...] = ()) -> CorpusLayout | None:
    """The layout of a file that turned out not to be in its encoding; None where no other fits."""
    if dialect.encoding is not None or layout.encoding != UTF8 or layout.replace:
        return None
    found = guess_encoding(sample_beyond_ascii(layout.path))
    if found is None:
        return None
    if found == UTF8:
        return replace(layout, replace=True)
    again = find_layout(layout.path, replace(dialect, encoding=found), names)
    return replace(again, notes=(_encoding_note(found), *again.notes))


def requoted(layout: CorpusLayout) -> CorpusLayout | None:
    """The layout of a TSV file whose quotes were read as letters and turned out to be quotes; None for any other."""
    if layout.table is None or layout.table.quotes != NO_QUOTES:
        return None
    quoted = replace(layout.table, quotes=CSV_QUOTES)
    return replace(
        layout, table=quoted, notes=(*layout.notes, "cells in quotes are unquoted, as spreadsheets write them")
    )


def _encoding_note(name: str) -> str:
    return f"not UTF-8: read as {name}, which its letters fit best (--encoding names another)"


def _kind(path: Path) -> str:
    if is_workbook(path):
        return "excel"
    with path.open("rb") as file:
        head = file.read(4)
    kind = kind_of(path)
    if head == ZIP and not (kind != "text" and kind != "excel"):
        with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
            kind = KINDS.get(ending_of(Path(names[0])), "text") if len(names) == 1 else "text"
    if kind == "excel":
        raise UnreadableError(f"{path} is no Excel workbook, though it is called one: save it again as .xlsx or CSV")
    return kind


def _of_bytes(path: Path, kind: str, head: bytes, dialect: Dialect) -> CorpusLayout:
    """The encoding, and what ends the lines."""
    notes = []
    encoding, damaged = UTF8, False
    if dialect.encoding is not None:
        encoding = known_encoding(dialect.encoding)
    elif announced := announced_encoding(head):
        encoding = announced
        notes.append(f"read as {announced.upper()}")
    else:
        try:
            head.decode(UTF8)
        except UnicodeDecodeError as error:
            if len(head) < SAMPLE_BYTES or error.start < len(head) - 4:  # else a character is cut
                found = guess_encoding(sample_beyond_ascii(path))
                damaged = found == UTF8
                if found is not None and not damaged:
                    encoding = found
                    notes.append(_encoding_note(found))
    with open_utf8(path, encoding) as file:
        try:
            start = file.read(SAMPLE_BYTES)
        except UnicodeDecodeError as error:
            raise TextFile(path, encoding).not_of_the_encoding(1, error) from None
    returns = b"\r" in start[:-1] and b"\n" not in start
    if returns:
        notes.append("its lines end in CR, as on old Macs")
    return CorpusLayout(path, kind, encoding, damaged, returns, notes=tuple(notes))


def _sample_lines(layout: CorpusLayout) -> list[str]:
    """The first lines with their ends, none that is cut; damaged bytes are replaced."""
    lines: list[str] = []
    size = 0
    file = TextFile(layout.path, layout.encoding, True, layout.carriage_returns)
    for line in file.lines_with_ends(CorpusNotes()):
        lines.append(line)
        size += len(line)
        if size > SNIFFED_CHARACTERS:
            break
    return lines


def _of_lines(layout: CorpusLayout, lines: Sequence[str]) -> CorpusLayout:
    """A file of lines, unless it has no ending that says so and is plainly JSON, or is Excel's "Unicode text"."""
    full = [line for line in lines if line.strip()][:SAMPLE_ROWS]
    if not full:
        return layout
    tabs = {line.count("\t") for line in full}
    if layout.encoding.startswith("utf-16") and is_tab_table(layout.path, lines):
        return replace(
            layout, kind="tsv", notes=(*layout.notes, "read as a table separated by tabs, as Excel's Unicode text is")
        )
    if full[0].lstrip("\ufeff \t")[:1] == "{" and all(
        line.strip().startswith("{") and line.strip().endswith("}") for line in full
    ):
        if ending_of(layout.path) in KINDS:
            return replace(
                layout,
                notes=(
                    *layout.notes,
                    "its lines look like JSON; each is read as a text: call the file .jsonl to have its texts",
                ),
            )
        return replace(layout, kind="jsonl", notes=(*layout.notes, "read as JSON Lines, which its lines are"))
    if len(full) > 1 and len(tabs) == 1 and tabs != {0}:
        return replace(
            layout,
            notes=(
                *layout.notes,
                "each of its lines holds as many tabs and is read as one text: call the file .tsv if it is a table",
            ),
        )
    return layout


def _of_table(layout: CorpusLayout, sniffed: SniffedDialect) -> CorpusLayout:
    """The columns of a delimited file, and which one likely holds the texts."""
    first, *rest = sniffed.rows
    notes = (*layout.notes, *sniffed.notes)
    if sniffed.table.header:
        while len(first) > 1 and not first[-1].strip() and all(not any(row[len(first) - 1 :]) for row in rest):
            first = first[:-1]
        names, note = column_names(first)
        notes = (*notes, note) if note else notes
    else:
        names, rest = numbered(len(first)), sniffed.rows
    regular = [row for row in rest[:SAMPLE_ROWS] if len(row) >= len(names) and not any(row[len(names) :])]
    samples = {name: [row[place] for row in regular] for place, name in enumerate(names)}
    found = _of_samples(replace(layout, table=sniffed.table, columns=names), samples, notes, sniffed.table.header)
    # where every row is broken the reader tells of the first
    return replace(found, column=names[-1]) if found.column is None and rest and not regular else found


def _of_samples(
    layout: CorpusLayout, samples: Mapping[str, Sequence[Value]], notes: Sequence[str], named: bool = True
) -> CorpusLayout:
    column, guess = choose_column(samples, layout.columns, named)
    return replace(layout, column=column, guess=guess, notes=tuple(notes) or layout.notes)


def _of_workbook(path: Path, known: DeclaredDialect) -> CorpusLayout:
    sheets = sheets_of(path)
    notes = (f"the first sheet, {sheets[0]!r}, is read of {len(sheets)}: {listed(sheets)}",) if len(sheets) > 1 else ()
    rows = [cells for _, cells in islice(read_sheet(path), SAMPLE_ROWS)]
    if not rows:
        raise UnreadableError(f"{path}: its first sheet, {sheets[0]!r}, is empty")
    width = max(map(len, rows))
    rows = [cells + [""] * (width - len(cells)) for cells in rows]
    header, message = judge_header(rows, known, "row 1")
    return _of_table(
        CorpusLayout(path, "excel", notes=(*notes, *message)),
        SniffedDialect(DelimitedTable(",", header=header), rows, ()),
    )


def _of_json(layout: CorpusLayout, lines: Sequence[str]) -> CorpusLayout:
    """The keys of the first rows that hold texts, and which likely holds those that are meant."""
    first = next((line for line in lines if line.strip()), "")
    if layout.kind == "jsonl" and is_one_document(first):
        layout = replace(layout, kind="json", notes=(*layout.notes, "it is one JSON document, not an object a line"))
    samples: dict[str, list[Value]] = {}
    every: dict[str, None] = {}
    for _, row in islice(json_rows(replace(layout, replace=True), CorpusNotes()), SAMPLE_ROWS):
        if isinstance(row, str):
            return layout
        for name in names_in(row):
            every[name] = None
            value = value_at(row, name)[1]
            if value is None or isinstance(value, str):
                samples.setdefault(name, []).append(value)
    layout = replace(layout, columns=tuple(every))
    texts = {name: values for name, values in samples.items() if any(values)}
    return _of_samples(layout, texts or samples, layout.notes)
