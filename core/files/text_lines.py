"""What the lines of a text of vectors are like: how wide, with or without words, a header or comments before them."""

import math
import re
from collections import Counter
from dataclasses import dataclass

from polysema.core.errors import UnreadableError

_NUMBER = re.compile(
    rb"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity|nan(\([a-z0-9_]*\))?|1\.#[a-z]{1,5}\d*)",
    re.IGNORECASE,
)
_INTEGER = re.compile(rb"[+-]?\d+")
_FIELD = re.compile(rb"[^ \t]+")
_LOOSE_HEADER = re.compile(rb"\s*(\d{1,18})\s*[,;\t]\s*(\d{1,18})\s*")
_DECIMAL_COMMA = re.compile(rb"[+-]?\d+,\d+")
COMMENT_SIGNS = (b"#", b"%")
SEPARATORS = b" \t"
SEPARATORS_AT_START = (b" ", b"\t")
INDEX_NAMES = (b"word", b"words", b"token", b"term", b"label", b"name", b"key", b"id", b"index")
PEEKED_BYTES = 40
MAX_DIM = 65_536
EDGE_LINES = 200  # by which it is told whether separators stand around the words


def number(field: bytes) -> float | None:
    """The number that a field of a text is, None when it is none; `-1.#IND` is how Windows writes NaN."""
    if not _NUMBER.fullmatch(field):
        return None
    return math.nan if b"#" in field or b"(" in field else float(field)


def fields(line: bytes) -> list[bytes]:
    """A line's fields: spaces and tabs part them, several together as one does."""
    return [part for part in line.strip(b"\r\n \t").replace(b"\t", b" ").split(b" ") if part]


def trailing_numbers(line: bytes) -> int:
    """How many fields at the end of a line are numbers; the first field is the word, whatever it is."""
    return _count_numbers(fields(line))


def _count_numbers(parts: list[bytes]) -> int:
    many = 0
    for part in reversed(parts[1:]):
        if not _NUMBER.fullmatch(part):
            break
        many += 1
    return many


def is_header(line: bytes) -> bool:
    """Whether a line is `count width`, as word2vec's files begin."""
    parts = line.split()
    return b"\t" not in line and len(parts) == 2 and all(part.isdigit() and len(part) < 19 for part in parts)


def peek(text: bytes) -> str:
    """The beginning of a line, for a message."""
    return repr(text[:PEEKED_BYTES].decode("utf-8", "replace") + ("…" if len(text) > PEEKED_BYTES else ""))


@dataclass(frozen=True, slots=True)
class Shape:
    """What the lines are like: `dim` numbers after a word (or without one: not `named`), after `n_skipped` lines that
    aren't rows; `promised` rows by the header; `padded` where most words stand between separators of their own,
    `quoted` where all words stand in quotes, as R writes them.
    """

    dim: int
    n_skipped: int = 0
    promised: int | None = None
    named: bool = True
    padded: bool = False
    quoted: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that isn't blank: its number from 1, its fields, and how many numbers stand at its end."""

    place: int
    text: bytes
    parts: list[bytes]
    n_numbers: int

    @property
    def is_bare(self) -> bool:
        """Whether it holds numbers and nothing else."""
        return self.n_numbers == len(self.parts) - 1 and number(self.parts[0]) is not None


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands before the rows."""

    n_skipped: int = 0
    promised: int | None = None
    dim: int | None = None
    notes: tuple[str, ...] = ()


def shape_of(lines: list[bytes]) -> Shape:
    """What a text of vectors is like whose first lines these are.

    Raises `UnreadableError` that names the line where they are no words with vectors, and where numbers would go into
    the words: the header says another width than the lines have, or most words would hold some.
    """
    whole = [
        _Line(place, line, parts, _count_numbers(parts))
        for place, line in enumerate(lines, 1)
        if (parts := fields(line))
    ]
    if not whole:
        raise UnreadableError("holds no vectors")
    head = _head(whole)
    if head.dim is not None:
        _check_width(head.dim, head.n_skipped)
    rows = [line for line in whole if line.place > head.n_skipped]
    if not rows:
        raise UnreadableError("holds no vectors")
    bare = _bare_width(rows, head)
    if bare:
        _check_width(bare, rows[0].place)
        note = "its lines hold numbers only: each is a whole vector, named by its row's number from 0"
        return Shape(bare, head.n_skipped, head.promised, named=False, padded=True, notes=(*head.notes, note))
    width = _width(rows)
    dim = width if head.dim is None else head.dim
    if not dim:
        raise UnreadableError(_no_numbers(rows[0]))
    _check_width(dim, rows[0].place)
    if head.dim is not None:
        _check_header(rows, dim, width)
    notes = (*head.notes, *_check_words(rows, dim, head.dim is not None))
    words = [word_of(line.text, dim) for line in rows[:EDGE_LINES]]
    padded = 2 * sum(word != word.strip(SEPARATORS) or not word for word in words) > len(words)
    if padded:
        notes = (*notes, "several spaces or tabs stand around most words: they are no part of them")
    quoted = all(map(_is_quoted, (word.strip(SEPARATORS) for word in words)))
    if quoted:
        notes = (*notes, "every word stands in quotes: they are no part of it")
    return Shape(dim, head.n_skipped, head.promised, padded=padded, quoted=quoted, notes=notes)


def _check_width(dim: int, place: int) -> None:
    if not 1 <= dim <= MAX_DIM:
        raise UnreadableError(f"line {place:,}: vectors of dimension {dim:,}; 1 to {MAX_DIM:,} are read")


def _is_quoted(word: bytes) -> bool:
    return len(word) > 1 and word[:1] == word[-1:] == b'"'


def _counts_columns(line: _Line, width: int) -> bool:
    """Whether a line counts the columns, 0 1 2 … or 1 2 3 …, with no name or a usual one over the words, as pandas
    does.
    """
    named = line.text[:1] not in SEPARATORS_AT_START
    if named and line.parts[0].strip(b'"').lower() not in (b"", *INDEX_NAMES):
        return False
    counted = [part.strip(b'"') for part in line.parts[named:]]
    return width > 1 and any(counted == [b"%d" % (start + place) for place in range(width)] for start in (0, 1))


def _width(lines: list[_Line]) -> int:
    """The width that most of these lines have, of equals the earliest."""
    counts = Counter(line.n_numbers for line in lines if line.n_numbers)
    return counts.most_common(1)[0][0] if counts else 0


def _head(whole: list[_Line]) -> _Head:
    """What stands before the rows: comments, `count width`, names of columns."""
    width = _width(whole)
    notes: tuple[str, ...] = ()
    skipped, at = 0, 0
    while at < len(whole) - 1 and whole[at].parts[0][:1] in COMMENT_SIGNS and whole[at].n_numbers != width:
        skipped, at = whole[at].place, at + 1
    if skipped:
        notes = (f"comments before the rows (up to line {skipped:,}): passed over",)
    first = whole[at]
    if _counts_columns(first, _width(whole[at + 1 :])):
        return _Head(first.place, None, None, (*notes, f"line {first.place:,} counts the columns: passed over"))
    if is_header(first.text):
        promised, dim = (int(part) for part in first.text.split())
        return _Head(first.place, promised, dim, notes)
    width = _width(whole[at + 1 :])
    shown = f"line {first.place:,} ({peek(first.text.strip())})"
    loose = _LOOSE_HEADER.fullmatch(first.text)
    if loose and int(loose[2]) == width and width > 1:
        notes = (*notes, f"{shown} is read as the count of rows and their width")
        return _Head(first.place, int(loose[1]), width, notes)
    if width and len(first.parts) == 1 and first.parts[0].isdigit() and len(first.parts[0]) < 19:
        notes = (*notes, f"{shown} holds one number: read as the count of rows")
        return _Head(first.place, int(first.parts[0]), None, notes)
    if width > 1 and len(first.parts) in (width, width + 1) and all(number(part) is None for part in first.parts):
        notes = (*notes, f"{shown} holds no numbers: taken for the columns' names and passed over")
        return _Head(first.place, None, None, notes)
    return _Head(skipped, None, None, notes)


def _bare_width(rows: list[_Line], head: _Head) -> int:
    """The width of rows that are numbers only, with no column that could be words; 0 of others."""
    if not all(line.is_bare for line in rows):
        return 0
    n = Counter(len(line.parts) for line in rows).most_common(1)[0][0]
    if n < 2 or (head.dim is not None and head.dim != n):
        return 0
    if head.dim == n:
        return n
    first = [line.parts[0] for line in rows]
    are_ids = all(map(_INTEGER.fullmatch, first)) and len(set(first)) == len(first)
    return 0 if are_ids else n


def _no_numbers(line: _Line) -> str:
    hint = ""
    if line.parts[0][:1] in (b"{", b"["):
        hint = "; this looks like JSON: write a line for each word, the word and its numbers, or Parquet"
    elif any(_DECIMAL_COMMA.fullmatch(part) for part in line.parts[1:]):
        hint = "; numbers are written with a point, 0.5, not with a comma"
    return f"line {line.place:,}: a word and numbers were expected; got {peek(line.text)}{hint}"


def word_of(line: bytes, dim: int) -> bytes:
    """What stands before the last `dim` fields of a line and the one separator before them."""
    starts = [found.start() for found in _FIELD.finditer(line.rstrip(b"\r\n \t"))]
    return line[: max(starts[-dim] - 1, 0)] if len(starts) >= dim else b""


def _check_header(rows: list[_Line], dim: int, width: int) -> None:
    """Refuse a header that says fewer numbers than the lines hold: the first ones would go into the words."""
    if width <= dim:
        return
    longer = [line for line in rows if line.n_numbers > dim]
    all_whole = all(_INTEGER.fullmatch(part) for line in longer for part in line.parts[-line.n_numbers :])
    alike = [line for line in longer if all_whole or not _INTEGER.fullmatch(line.parts[-dim - 1])]
    if 2 * len(alike) > len(rows):
        line = alike[0]
        raise UnreadableError(
            f"line 1 says that the vectors have dimension {dim:,}, but line {line.place:,} holds {line.n_numbers:,} "
            f"numbers ({peek(line.text)}): correct line 1, or take it out"
        )


def _check_words(rows: list[_Line], dim: int, announced: bool) -> tuple[str, ...]:
    """What is odd about the words; raises `UnreadableError` where most would hold the vectors' numbers."""
    odd, numeric = [], []
    for line in rows:
        parts = line.parts[:-dim]
        if any(_is_stray(part) for part in parts[1:]):
            odd.append((line.place, b" ".join(parts)))
        if len(parts) == 1 and number(parts[0]) is not None:
            numeric.append((line.place, parts[0]))
    if 2 * len(odd) > len(rows):
        place, word = odd[0]
        raise UnreadableError(
            f"line {place:,}: numbers would go into the word ({peek(word)}), and so in most lines: part the word "
            "and the"
            " numbers by one space or tab each, with as many numbers in every line"
        )
    whole = announced and all(_INTEGER.fullmatch(word) for _, word in numeric)
    if len(numeric) == len(rows) and not whole:
        place, word = numeric[0]
        return (f"every word is a number (line {place:,} {peek(word)}): the first column is read as the words",)
    return ()


def _is_stray(part: bytes) -> bool:
    """Whether a field within a word is one of the vector's numbers: 0.5, or with a separator that isn't known, `5,`."""
    bare = part.strip(b",;|[]")
    return number(bare) is not None and (bare != part or b"." in part)
