"""Rows of JSON and JSON Lines: objects or texts, with the line at which each begins, one at a time."""

import io
import json
from collections.abc import Iterator
from typing import Any

from polysema.core.corpus.columns import Value, listed
from polysema.core.corpus.findings import CorpusNotes
from polysema.core.corpus.lines import MAX_LINE_BYTES, NUL_MESSAGE, TextFile
from polysema.core.errors import UnreadableError, UserError

MAX_ROW_CHARACTERS = 4 * MAX_LINE_BYTES
MAX_WHOLE_CHARACTERS = 64 << 20  # of an object that is no list of rows, which is read whole
_CHUNK = 1 << 16
_EXPECTED = "a list of objects or texts is expected, or an object with one list in it"
Row = dict[str, Value] | str


def read_json_lines(file: TextFile, findings: CorpusNotes) -> Iterator[tuple[int, Row]]:
    """An object or a text a line; blank lines are passed over."""
    for number, line in enumerate(file.lines(findings, 2 * MAX_LINE_BYTES), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UnreadableError(f"{file.path}, line {number}: no JSON: {error}") from None
        if not isinstance(row, (dict, str)):
            raise UnreadableError(f'{file.path}, line {number}: an object was expected, such as {{"text": …}}')
        yield number, row


def is_one_document(first: str) -> bool:
    """Whether the first line with something on it is the beginning of a JSON document rather than a row of JSON
    Lines.
    """
    first = first.strip()
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return first[:1] in ("[", "{") and first[-1:] in ("[", "{", ",")
    return False


def read_json(
    file: TextFile, findings: CorpusNotes, max_row_characters: int = MAX_ROW_CHARACTERS
) -> Iterator[tuple[int, Row]]:
    """The rows of a document: a list, one list in an object, columns in an object, or objects one after another.

    An object of up to `max_row_characters` is read whole.

    Raises `UnreadableError` with the line for what is no JSON, and for JSON without rows, saying which keys it has.
    """
    with file.open() as raw, io.TextIOWrapper(raw, "utf-8", errors="replace" if file.replace else "strict") as text:
        try:
            yield from _rows(_Scanner(file, text, max_row_characters))
        except UnicodeDecodeError as error:
            raise file.not_of_the_encoding(1, error) from None


class _Scanner:
    """Values of a JSON text, one after another, with no more of it in memory than a value needs."""

    def __init__(self, file: TextFile, text: io.TextIOWrapper, max_row_characters: int):
        self.file = file
        self.max_row_characters = max_row_characters
        self._text = text
        self._buffer = text.read(_CHUNK).removeprefix("\ufeff")
        self._place = 0
        self._ended = False
        self._decoder = json.JSONDecoder()
        self.line = 1

    def peek(self) -> str:
        """The next sign that isn't blank; empty at the end."""
        while True:
            while self._place < len(self._buffer):
                sign = self._buffer[self._place]
                if not sign.isspace():
                    return sign
                self.line += sign == "\n"
                self._place += 1
            if not self._more(_CHUNK):
                return ""

    def take(self, signs: str) -> str:
        """The next sign, which must be one of these."""
        sign = self.peek()
        if not sign or sign not in signs:
            self.fail(f"{' or '.join(map(repr, signs))} was expected, not {sign!r}" if sign else "it ends too early")
        self._place += 1
        return sign

    def value(self, limit: int | None = None) -> Value:
        """The next value; `fail`s where there is none, or none of up to `limit` characters (as a row may have)."""
        limit = self.max_row_characters if limit is None else limit
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._place)
            except (ValueError, RecursionError) as error:
                message, at = getattr(error, "msg", str(error)), getattr(error, "pos", self._place)
            else:
                if end < len(self._buffer) or not self._more(_CHUNK):  # a number may go on
                    self.line += self._buffer.count("\n", self._place, end)
                    self._place = end
                    return value
                continue
            size = len(self._buffer) - self._place
            if size > limit:
                raise _TooLongError
            if not self._more(max(_CHUNK, size)):
                self.line += self._buffer.count("\n", self._place, at)
                self.fail(message)

    def fail(self, what: str) -> None:
        """Raise the error for this place."""
        if "\0" in self._buffer:
            what = NUL_MESSAGE
        raise UnreadableError(f"{self.file.path}, line {self.line}: no JSON: {what}")

    def _more(self, characters: int) -> bool:
        chunk = "" if self._ended else self._text.read(characters)
        self._ended = not chunk
        if chunk:  # else the places in it stay what they are
            self._buffer, self._place = self._buffer[self._place :] + chunk, 0
        return bool(chunk)


class _TooLongError(Exception):
    """A value that is longer than a row may be."""


def _rows(scanner: _Scanner) -> Iterator[tuple[int, Row]]:
    sign = scanner.peek()
    if sign == "[":
        yield from _of_list(scanner)
    elif sign == "{":
        yield from _of_object(scanner)
    elif sign:
        scanner.fail(_EXPECTED)


def _row(scanner: _Scanner, line: int, value: Value) -> Row:
    if not isinstance(value, (dict, str)):
        raise UnreadableError(
            f"{scanner.file.path}, line {line}: {type(value).__name__} where an object or a text was expected"
        )
    return value


def _of_list(scanner: _Scanner) -> Iterator[tuple[int, Row]]:
    yield from _of_inner_list(scanner)
    if not scanner.peek():
        return
    scanner.fail("something follows the list")


def _bounded(scanner: _Scanner) -> Value:
    try:
        return scanner.value()
    except _TooLongError:
        raise UnreadableError(
            f"{scanner.file.path}, line {scanner.line}: no JSON, or a row longer than "
            f"{scanner.max_row_characters:,} characters"
        ) from None


def _of_object(scanner: _Scanner) -> Iterator[tuple[int, Row]]:
    """The rows that an object holds in a list, or the object and those after it."""
    line = scanner.line
    try:
        first = scanner.value()
    except _TooLongError:
        yield from _of_long_object(scanner)
        return
    if scanner.peek():
        yield line, first
        while scanner.peek():
            line = scanner.line
            yield line, _row(scanner, line, _bounded(scanner))
            if scanner.peek() == ",":
                scanner.take(",")
        return
    for row in _rows_of_object(scanner, first):
        yield line, row


def _rows_of_object(scanner: _Scanner, whole: dict[str, Any]) -> Iterator[Row]:
    """The rows of a file that is one object."""
    path = scanner.file.path
    lists = {name: value for name, value in whole.items() if isinstance(value, list) and value}
    objects = {name: value for name, value in whole.items() if isinstance(value, dict) and value}
    rows = {name: value for name, value in lists.items() if all(isinstance(one, dict) for one in value)}
    columns = list(whole.values())
    if len(rows) == 1 or (
        len(lists) == 1 and not rows and all(isinstance(one, str) for one in next(iter(lists.values())))
    ):
        name = next(iter(rows or lists))
        for value in lists[name]:
            yield _row(scanner, 1, value)
    elif len(lists) == len(whole) > 1 and not rows and len({len(column) for column in columns}) == 1:
        yield from (dict(zip(whole, cells, strict=True)) for cells in zip(*columns, strict=True))
    elif (
        len(objects) == len(whole) >= 1 and len({tuple(column) for column in columns}) == 1 and not _holds_more(columns)
    ):
        if _are_rows(whole):
            yield from whole.values()
            return
        yield from (
            dict(zip(whole, cells, strict=True)) for cells in zip(*(column.values() for column in columns), strict=True)
        )
    elif not lists and not objects and any(isinstance(value, str) for value in columns) and "text" in whole:
        yield whole
    else:
        nested = [f"{name}.{key}" for name, value in objects.items() for key in value if isinstance(value[key], list)]
        inside = f" (there are lists at {listed(nested)})" if nested else ""
        raise UserError(f"{path}: {_EXPECTED}; it is an object with the keys {listed(list(whole))}{inside}")


def _are_rows(whole: dict[str, dict[str, Any]]) -> bool:
    """Whether the objects in an object are rows under their numbers (`orient="index"` of pandas) rather than
    columns.
    """
    inner = next(iter(whole.values()))
    return all(key.isdecimal() for key in whole) and not any(key.isdecimal() for key in inner)


def _holds_more(columns: list[dict[str, Any]]) -> bool:
    return any(isinstance(cell, (dict, list)) for column in columns for cell in column.values())


def _of_long_object(scanner: _Scanner) -> Iterator[tuple[int, Row]]:
    """The rows of an object that is too long for memory: those of its one list of rows, in whatever place it stands."""
    scanner.take("{")
    found, keys = None, []
    more = scanner.peek() != "}"
    while more:
        name = scanner.value()
        keys.append(str(name))
        scanner.take(":")
        if scanner.peek() == "[" and found is None:
            found = name
            yield from _of_inner_list(scanner)
        else:
            try:
                value = scanner.value(MAX_WHOLE_CHARACTERS)
            except _TooLongError:
                raise UserError(
                    f"{scanner.file.path}: {_EXPECTED}; the key {name!r} holds more than "
                    f"{MAX_WHOLE_CHARACTERS:,} characters that are none"
                ) from None
            if isinstance(value, list) and value and isinstance(value[0], (dict, str)):
                raise UserError(f"{scanner.file.path}: {_EXPECTED}; it has lists at {found!r} and {name!r}")
        more = scanner.take(",}") == ","
    if found is None:
        raise UserError(f"{scanner.file.path}: {_EXPECTED}; it is an object with the keys {listed(keys)}")


def _of_inner_list(scanner: _Scanner) -> Iterator[tuple[int, Row]]:
    scanner.take("[")
    more = scanner.peek() != "]"
    if not more:
        scanner.take("]")
    while more:
        scanner.peek()
        line = scanner.line
        yield line, _row(scanner, line, _bounded(scanner))
        more = scanner.take(",]") == ","


def value_at(row: dict[str, Value], name: str) -> tuple[bool, Value]:
    """Whether a row has a key, and its value; `a.b` is the key b of the object at a where no key is called so."""
    if name in row:
        return True, row[name]
    first, point, rest = name.partition(".")
    inner = row.get(first)
    return value_at(inner, rest) if point and isinstance(inner, dict) else (False, None)


def names_in(row: dict[str, Value]) -> list[str]:
    """The keys of a row, those of objects in it with a point between."""
    names = []
    for name, value in row.items():
        names += [f"{name}.{inner}" for inner in names_in(value)] if isinstance(value, dict) and value else [name]
    return names
