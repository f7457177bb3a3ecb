"""Rows of CSV and TSV, with the line at which each begins; quotes that break CSV's rules are read as part of the
text.
"""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from polysema.core.corpus.findings import CorpusNotes
from polysema.core.corpus.lines import MAX_LINE_BYTES
from polysema.core.errors import UnreadableError

NO_SEPARATOR = "\x1f"  # stands for none: a line is one cell
SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", NO_SEPARATOR: "nothing"}
CSV_QUOTES, NO_QUOTES, ESCAPED_QUOTES = "csv", "none", "escaped"
LITERAL_QUOTES = "quotes that CSV doesn't allow there are read as part of the text"


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """How the lines of a delimited file become cells.

    `quotes` are CSV's (doubled inside), none, or escaped with a backslash; `padded` means a space after each separator;
    `skipped` lines come before the table, of whose rows the first is a `header` or not.
    """

    separator: str
    quotes: str = CSV_QUOTES
    padded: bool = False
    skipped: int = 0
    header: bool = True

    def how(self) -> dict[str, Any]:
        """The parameters of `csv.reader`."""
        how: dict[str, Any] = {"delimiter": self.separator, "skipinitialspace": self.padded, "strict": True}
        if self.quotes == NO_QUOTES:
            return how | {"quoting": csv.QUOTE_NONE}
        return how | ({"escapechar": "\\", "doublequote": False} if self.quotes == ESCAPED_QUOTES else {})


class _LineIterator:
    """Lines that can be put back: `taken` are those since the last record, `done` counts the ones before."""

    def __init__(self, lines: Iterable[str]):
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.done = 0

    def __iter__(self) -> Iterator[str]:
        again, taken = self._again, self.taken
        while again:
            taken.append(again.popleft())
            yield taken[-1]
        for line in self._lines:
            taken.append(line)
            yield line

    def end_record(self) -> int:
        """The line (from 1) at which the record began that ends here."""
        first = self.done + 1
        self.done += len(self.taken)
        self.taken.clear()
        return first

    def put_back_all_but_one(self) -> str:
        """The first line of the record that failed; those after it come again."""
        first, *rest = self.taken
        self._again.extendleft(reversed(rest))
        del self.taken[1:]
        return first


def read_cells(
    lines: Iterable[str], table: DelimitedTable, path: Path, findings: CorpusNotes, width: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """The line (from 1) and the cells of each row that isn't blank, the header's too.

    Cells of a row beyond `width` may be there when they are empty. Raises `UnreadableError` that names the line for a
    row of another width, or one that is longer than a row may be.
    """
    csv.field_size_limit(2 * MAX_LINE_BYTES)
    source = _LineIterator(lines)
    for _, _line in zip(range(table.skipped), source, strict=False):
        source.end_record()
    ended = False
    while not ended:
        try:
            for cells in csv.reader(source, **table.how()):
                first = source.end_record()
                if cells:
                    yield (
                        first,
                        cells if width is None or len(cells) == width else _of_width(cells, width, first, path, table),
                    )
            ended = True
        except csv.Error as error:
            first = source.done + 1
            if "field larger" in str(error) and len(source.taken) == 1:
                raise UnreadableError(
                    f"{path}, line {first}: a cell longer than {2 * MAX_LINE_BYTES:,} characters"
                ) from None
            cells = _literal_cells(source.put_back_all_but_one(), table, first, path, width)
            source.end_record()
            findings.add(LITERAL_QUOTES, first)
            yield first, cells


def _literal_cells(line: str, table: DelimitedTable, number: int, path: Path, width: int | None) -> list[str]:
    """The cells of one line in which only quotes around whole cells count."""
    line = line.rstrip("\r\n")
    cells = [
        quoted.replace('""', '"') if plain is None else plain
        for quoted, plain in (match.groups() for match in _cell_pattern(table.separator).finditer(line))
    ]
    if width is not None and len(cells) != width:
        raise UnreadableError(
            f"{path}, line {number}: its quotes don't close as CSV's do (a quote inside quotes is written "
            "twice), and without them "
            f"it has {len(cells)} fields instead of {width}; correct the line"
        )
    return cells


@cache
def _cell_pattern(separator: str) -> "re.Pattern[str]":
    sign = re.escape(separator)
    return re.compile(rf'(?:^|(?<={sign}))(?:"((?:[^"]|"")*)"(?={sign}|$)|([^{sign}]*))')


def _of_width(cells: list[str], width: int, number: int, path: Path, table: DelimitedTable) -> list[str]:
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    said = f"the first line {'names' if table.header else 'has'} {width}{' columns' if table.header else ''}"
    if len(cells) < width:
        remedy = "correct the line"
    elif table.quotes == NO_QUOTES:
        remedy = "a text in a file with tabs can't hold one"
    else:
        remedy = "put a text that holds the separator in quotes"
    raise UnreadableError(f"{path}, line {number}: {len(cells)} fields, but {said}; {remedy}")
