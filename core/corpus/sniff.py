"""How a table of unknown habits is written: its separator, its quotes, whether its first line names the columns."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polysema.core.corpus.columns import guess_header, has_known_name, is_number, is_sentence
from polysema.core.corpus.delimited import (
    ESCAPED_QUOTES,
    LITERAL_QUOTES,
    NO_QUOTES,
    NO_SEPARATOR,
    SEPARATOR_NAMES,
    DelimitedTable,
    read_cells,
)
from polysema.core.corpus.findings import CorpusNotes
from polysema.core.display import clip_text
from polysema.core.errors import UnreadableError

SEPARATORS = (",", ";", "\t", "|")
MIN_SHARE = 0.8  # of the rows must have as many cells as the first
_DECLARED = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # the first line that Excel reads and writes
Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class DeclaredDialect:
    """What is known of a table beforehand: its separator, whether it has a header, and names of columns that it has."""

    separator: str | None = None
    header: bool | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SniffedDialect:
    """A table as it was made out, the rows of the sample, and what must be told of it."""

    table: DelimitedTable
    rows: Rows
    notes: tuple[str, ...]


def sniff_table(path: Path, lines: Sequence[str], default: str, known: DeclaredDialect | None = None) -> SniffedDialect:
    """Make out how lines with their ends are written.

    Raises `UnreadableError` where there is no row, and where a table begins below the first line.
    """
    known = known or DeclaredDialect()
    separator = known.separator
    notes: list[str] = []
    table = DelimitedTable(default)
    declared = _DECLARED.fullmatch(lines[0]) if lines else None
    if declared:
        table, separator = replace(table, skipped=1), separator or declared[1]
    if separator is None:
        separator, why = _separator(path, lines, default)
        notes += [why] if why else []
    table = _with_quotes(replace(table, separator=separator), default, path, lines, notes)
    rows = _rows(lines, table, path)
    if not rows:
        raise UnreadableError(f"{path}: its first line must name the columns; it is empty")
    header, note = judge_header(rows, known, "line 1")
    return SniffedDialect(replace(table, header=header), rows, (*notes, *note))


def judge_header(rows: Rows, known: DeclaredDialect, where: str) -> tuple[bool, tuple[str, ...]]:
    """Whether the first row names the columns, and what to tell of that; `where` is what the row is called."""
    if known.header is not None:
        return known.header, ()
    header, certain = guess_header(rows)
    columns = "the name of the column" if len(rows[0]) == 1 else "the names of the columns"
    if not header and any(not name.isdecimal() and name in map(_name, rows[0]) for name in known.names):
        return True, (
            f"{where} ({_shown(rows[0])}) is taken as {columns}, since one of them was requested (--no-header "
            "reads it as a text)",
        )
    if not header and any(cell.strip() for cell in rows[0]):
        return False, (
            f"{where} ({_shown(rows[0])}) is read like the others: it doesn't look like {columns} (--header "
            "takes it so)",
        )
    if certain:
        return header, ()
    return header, (f"{where} ({_shown(rows[0])}) is taken as {columns} (--no-header reads it as a text)",)


def _rows(lines: Sequence[str], table: DelimitedTable, path: Path) -> Rows:
    return [cells for _, cells in read_cells(lines, table, path, CorpusNotes())]


def _separator(path: Path, lines: Sequence[str], default: str) -> tuple[str, str]:
    """The separator, and what to tell of it."""
    order = (default, *(sign for sign in SEPARATORS if sign != default))
    fits: list[tuple[float, int, str]] = []
    for place, sign in enumerate(order):
        rows = _tab_rows(path, lines) if sign == "\t" else _rows(lines, DelimitedTable(sign), path)
        share, width = _regularity(rows)
        if share >= MIN_SHARE and width > 1:
            fits.append((share + _order(rows), -place, sign))
        elif sign != "," and len(rows) > 2 and len(rows[0]) == 1 and _regularity(rows[1:])[0] == 1 and len(rows[1]) > 1:
            raise UnreadableError(
                f"{path}, line 1: has one field, the lines below have {len(rows[1])}, separated by "
                f"{SEPARATOR_NAMES[sign]}; remove what "
                "stands above the table's first line"
            )
    if fits:
        sign = max(fits)[2]
        return sign, "" if sign == default else f"separated by {SEPARATOR_NAMES[sign]}"
    first = next(iter(_rows(lines, DelimitedTable(default), path)), [])
    if len(first) > 1 and (has_known_name(first) or not any(is_sentence(cell) or cell[:1].isspace() for cell in first)):
        return default, ""  # a table with broken lines, which are told when they are read
    return NO_SEPARATOR, _whole_lines(path, lines, default)


def is_tab_table(path: Path, lines: Sequence[str]) -> bool:
    """Whether lines with their ends are a table with tabs, line breaks in quoted cells included."""
    share, width = _regularity(_tab_rows(path, lines))
    return share == 1 and width > 1


def _tab_rows(path: Path, lines: Sequence[str]) -> Rows:
    """The rows of lines with tabs: without quotes, unless only with them the rows are all as wide."""
    plain = _rows(lines, DelimitedTable("\t", NO_QUOTES), path)
    if _regularity(plain)[0] == 1 or not plain or len(plain[0]) == 1:
        return plain
    quoted = DelimitedTable("\t")
    return plain if _is_broken(quoted, path, lines) else _rows(lines, quoted, path)


def _whole_lines(path: Path, lines: Sequence[str], default: str) -> str:
    """What to tell of lines that are one text each; nothing where none holds the usual separator."""
    cut = sum(len(cells) > 1 for cells in _rows(lines, DelimitedTable(default), path))
    return (
        f"no separator was found: each line is one text, {SEPARATOR_NAMES[default]} in it are part of it" if cut else ""
    )


def _regularity(rows: Rows) -> tuple[float, int]:
    """The share of rows that have as many cells as the first, and how many that is."""
    if not rows:
        return 0.0, 0
    width = len(rows[0])
    return Counter(map(len, rows))[width] / len(rows), width


def _order(rows: Rows) -> float:
    """The share of columns that are of one kind: known names above them, or numbers only."""
    width = len(rows[0])
    regular = [row for row in rows if len(row) == width]
    columns = list(zip(*regular, strict=True))
    neat = sum(has_known_name(column[:1]) or all(map(is_number, column[1:] or column)) for column in columns)
    return neat / width


def _with_quotes(
    table: DelimitedTable, default: str, path: Path, lines: Sequence[str], notes: list[str]
) -> DelimitedTable:
    """The table with the quotes that its lines use, and whether a space follows its separators."""
    sign = table.separator
    body = [line for line in lines[table.skipped :] if line.strip()]
    if sign not in ("\t", NO_SEPARATOR) and body and all(f"{sign} " in line for line in body):
        at_all = [cells for cells in _rows(body, DelimitedTable(sign), path) if len(cells) > 1]
        if at_all and all(cell[:1] == " " for cells in at_all for cell in cells[1:]):
            table = replace(table, padded=True)
            notes.append("the space after each separator is left out")
    if "\t" in (sign, default if sign == NO_SEPARATOR else sign):
        plain = replace(table, quotes=NO_QUOTES)
        if not any(cell.startswith('"') for cells in _rows(lines, plain, path) for cell in cells):
            return plain
        if _quoted_by_a_spreadsheet(table, plain, path, lines):
            notes.append("cells in quotes are unquoted, as spreadsheets write them")
            return table
        notes.append("quotes are part of the texts: TSV has no quoting, and these don't close as a spreadsheet's do")
        return plain
    if any('\\"' in line for line in lines):
        escaped = replace(table, quotes=ESCAPED_QUOTES)
        if _is_broken(table, path, lines) and not _is_broken(escaped, path, lines):
            notes.append("quotes inside quotes are escaped with a backslash")
            return escaped
    return table


def _is_broken(table: DelimitedTable, path: Path, lines: Sequence[str]) -> bool:
    findings = CorpusNotes()
    rows = [cells for _, cells in read_cells(lines, table, path, findings)]
    return any(LITERAL_QUOTES in note for note in findings.notes()) or _regularity(rows)[0] < 1


def _quoted_by_a_spreadsheet(quoted: DelimitedTable, plain: DelimitedTable, path: Path, lines: Sequence[str]) -> bool:
    """Whether quotes close as a spreadsheet's do, and something shows that they are quotes rather than letters: a
    doubled one, a line break or tab inside, or that every cell has them.
    """
    if _is_broken(quoted, path, lines):
        return False
    rows = _rows(lines, plain, path)
    cells = [cell for row in rows for cell in row]
    doubled = any(cell.startswith('"') and '""' in cell[1:-1] for cell in cells)
    everywhere = all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells if cell)
    return doubled or everywhere or _regularity(rows)[0] < 1


def _name(cell: str) -> str:
    return " ".join(cell.split())


def _shown(cells: Sequence[str]) -> str:
    shown = ", ".join(repr(clip_text(cell, 40)) for cell in cells[:4])
    return shown + (f" and {len(cells) - 4:,} more" if len(cells) > 4 else "")
