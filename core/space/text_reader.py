"""Vectors in text: GloVe's (no header), word2vec's and fastText's `.vec` (with one), TensorBoard's pair."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa

from polysema.core.errors import UnreadableError
from polysema.core.space.readers import (
    BLOCK_BYTES,
    Block,
    Source,
    check_dim,
    is_header,
    read_errors,
    strings,
    vocabulary,
)  # fmt: skip
from polysema.core.space.space import Floats, Ints

MAX_LINE_BYTES = 64 << 20
SAMPLE_LINES = 1000
BOM = b"\xef\xbb\xbf"
_CUT = re.compile(rb"[+-]?(\d*\.?\d*|(\d+\.?\d*|\.\d+)[eE][+-]?)")  # how a number that is cut off ends
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)


class Readable(Protocol):
    """What bytes come from."""

    def read(self, many: int, /) -> bytes:
        """The next bytes, none at the end."""


def number(field: bytes) -> float | None:
    """The number that a field of a text is, None when it is none."""
    return float(field) if _NUMBER.fullmatch(field) else None


def fields(line: bytes) -> list[bytes]:
    """A line's fields: they are parted by one space or one tab."""
    return line.rstrip(b"\r\n \t").replace(b"\t", b" ").split(b" ")


def trailing_numbers(line: bytes) -> int:
    """How many fields at the end of a line are numbers; the first field is the word, whatever it is."""
    many = 0
    for part in reversed(fields(line)[1:]):
        if number(part) is None:
            break
        many += 1
    return many


def width_of(lines: list[bytes]) -> int:
    """The width that most of these lines have, of equals the earliest: words may hold spaces and be numbers themselves."""
    counts = Counter(many for many in map(trailing_numbers, lines) if many)
    return counts.most_common(1)[0][0] if counts else 0


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """What came of some whole lines: see `text_kernel.parse`."""

    status: int
    vectors: Floats
    ends: Ints
    words: Any
    lines: Ints
    faults: Ints
    bad_line: int
    returns: int
    n_lines: int


def _parse(text: Any, dim: int) -> _Piece:
    from polysema.core.space import text_kernel

    n_lines = int(np.count_nonzero(text == text_kernel.NEWLINE)) + 1
    most = min(n_lines, len(text) // (2 * dim) + 1)  # a row is at least a byte and a space for each number
    vectors = np.empty((most, dim), np.float32)
    ends, lines = np.zeros(most + 1, np.int64), np.empty(most, np.int64)
    words = np.empty(len(text), np.uint8)
    faults = np.empty((min(most * dim, 1 << 16), 4), np.int64)
    status, rows, n_faults, line, returns = text_kernel.parse(text, dim, vectors, ends, words, lines, faults)
    return _Piece(
        status, vectors[:rows], ends[: rows + 1], words[: ends[rows]], lines[:rows], faults[:n_faults], line,
        returns, n_lines - 1,
    )  # fmt: skip


def read_text(source: Source) -> Iterator[Block]:
    """A word and its numbers a line, with or without a header `count width`."""
    from polysema.core.imports import IMPORTING

    with IMPORTING:
        from polysema.core.space import text_kernel  # noqa: F401

    with read_errors(source), source.opened() as file:
        sample = file.read(BLOCK_BYTES).removeprefix(BOM)
        first, _, after = sample.partition(b"\n")
        promised, line = None, 1
        if is_header(first):
            promised, dim = (int(part) for part in first.split())
            check_dim(source, dim, "line 1: ")
            sample, line = after, 2
        else:
            lines = [part for part in sample.split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES] if part.strip()]
            if not lines:
                raise source.fail("holds no vectors")
            dim = width_of(lines)
            if not dim:
                raise source.fail(f"line 1: a word and numbers were expected; got {_peek(lines[0])}")
        check_dim(source, dim, f"line {line}: ")
        rows = 0
        for block in _blocks(source, sample, file, dim, line):
            rows += len(block.words)
            yield block
    if promised is not None and promised != rows:
        source.notes.say(f"line 1 promises {promised:,} vectors, the file holds {rows:,}: these are read")


def _blocks(source: Source, head: bytes, file: Readable, dim: int, line: int) -> Iterator[Block]:
    """The blocks of a text from `line` on, parsed two at a time (the compiled code leaves Python's lock)."""
    with ThreadPoolExecutor(2) as pool:
        waiting: list[tuple[Any, Future[_Piece], bool]] = []
        for text, last in _texts(source, head, file):
            buffer = np.frombuffer(text, np.uint8)
            waiting.append((buffer, pool.submit(_parse, buffer, dim), last))
            if len(waiting) > 2:
                block, line = _block(source, *waiting.pop(0), dim, line)
                yield block
        while waiting:
            block, line = _block(source, *waiting.pop(0), dim, line)
            yield block


def _texts(source: Source, head: bytes, file: Readable) -> Iterator[tuple[bytes, bool]]:
    """Whole lines, some MiB at a time, and whether their last one is the file's and has no line end."""
    rest = b""
    chunk = head
    while True:
        following = file.read(BLOCK_BYTES)
        data = rest + chunk
        if not following:
            if data.strip():
                yield data, not data.endswith(b"\n")
            return
        cut = data.rfind(b"\n") + 1
        if cut == 0 and len(data) > MAX_LINE_BYTES:
            raise source.fail(f"a line longer than {MAX_LINE_BYTES >> 20} MiB; this is no text of vectors")
        rest = data[cut:]
        if cut:
            yield data[:cut], False
        chunk = following


def _block(source: Source, text: Any, future: "Future[_Piece]", last: bool, dim: int, line: int) -> tuple[Block, int]:
    """The block of a piece that begins at `line`, and the line after it."""
    from polysema.core.space import text_kernel

    piece = future.result()
    raw = text.tobytes()
    if piece.status == text_kernel.MANY_FAULTS:
        return _slow_block(source, raw, last, dim, line)
    notes = source.notes
    if piece.status == text_kernel.SHORT_LINE:
        if not (last and piece.bad_line == piece.n_lines):
            raise _short_line(source, raw.split(b"\n")[piece.bad_line], dim, line + piece.bad_line)
        notes.found("cut", [line + piece.bad_line])
    keep = len(piece.vectors)
    for row, column, start, stop in piece.faults.tolist():
        value = number(raw[start:stop])
        if value is None:
            if last and stop == len(raw) and _CUT.fullmatch(raw[start:stop]):
                keep = row
                notes.found("cut", [line + int(piece.lines[row])])
                break
            at = line + int(piece.lines[row])
            raise source.fail(f"line {at:,}: {dim:,} numbers were expected; got {_peek(raw[start:stop])}")
        with np.errstate(over="ignore"):
            piece.vectors[row, column] = value
    places = piece.lines[:keep] + line
    words = strings(source, piece.words[: piece.ends[keep]].tobytes(), piece.ends[: keep + 1], places)
    _note_lines(source, raw, piece, places, words, line)
    return Block(words, piece.vectors[:keep], places), line + piece.n_lines


def _note_lines(source: Source, raw: bytes, piece: _Piece, places: Ints, words: pa.Array, line: int) -> None:
    notes = source.notes
    if piece.returns:
        ended = [line + at for at, part in enumerate(raw.split(b"\n")) if part.endswith(b"\r")]
        notes.found("crlf", ended)
    if len(piece.words) and bool(((piece.words == 32) | (piece.words == 9)).any()):
        spaced = [row for row, word in enumerate(words.to_pylist()) if " " in word or "\t" in word]
        notes.found("spaces", places[spaced], [words[row].as_py() for row in spaced[:5]])
    if len(piece.lines) and piece.lines[-1] + 1 != len(piece.lines):
        whole = np.arange(piece.lines[-1])
        notes.found("blank", np.setdiff1d(whole, piece.lines) + line)


def _short_line(source: Source, text: bytes, dim: int, line: int) -> UnreadableError:
    return source.fail(f"line {line:,}: {len(fields(text)) - 1:,} numbers; the others have {dim:,}")


def _peek(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", "replace") + ("…" if len(text) > 40 else ""))


def _slow_block(source: Source, raw: bytes, last: bool, dim: int, line: int) -> tuple[Block, int]:
    """The same, in Python, for texts whose numbers the compiled code can't read exactly (1e-30, 17 digits and more)."""
    words, rows, places = [], [], []
    lines = raw.split(b"\n")
    for at, text in enumerate(lines):
        text = text.rstrip(b"\r \t")
        if not text:
            continue
        parts = text.replace(b"\t", b" ").rsplit(b" ", dim)
        values = [number(part) for part in parts[1:]]
        if len(parts) <= dim or None in values:
            if last and at == len(lines) - 1 and (len(parts) <= dim or _CUT.fullmatch(parts[-1])):
                source.notes.found("cut", [line + at])
                break
            if len(parts) <= dim:
                raise _short_line(source, text, dim, line + at)
            wrong = parts[1 + values.index(None)]
            raise source.fail(f"line {line + at:,}: {dim:,} numbers were expected; got {_peek(wrong)}")
        words.append(text[: len(parts[0])])
        rows.append(values)
        places.append(line + at)
    ends = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in words], out=ends[1:])
    numbers = np.array(places, np.int64)
    names = strings(source, b"".join(words), ends, numbers)
    with np.errstate(over="ignore"):
        vectors = np.array(rows, np.float64).astype(np.float32).reshape(len(rows), dim)
    return Block(names, vectors, numbers), line + raw.count(b"\n")


def read_tensorboard(source: Source) -> Iterator[Block]:
    """TensorBoard's projector pair: tab-separated numbers, and the words in the file of metadata."""
    words = vocabulary(source)
    row = 0
    with read_errors(source), source.opened() as file:
        prefixed = _Prefixed(file)
        head = prefixed.read(BLOCK_BYTES)
        dim = check_dim(source, len(fields(head.partition(b"\n")[0])) - 1, "line 1: ")
        for block in _blocks(source, head, prefixed, dim, 1):
            names = words[row : row + len(block.vectors)]
            row += len(block.vectors)
            if row <= len(words):
                yield Block(names, block.vectors, block.places)
    if row != len(words):
        raise source.fail(f"{row:,} vectors for the {len(words):,} words of {source.companion}; they must be as many")


class _Prefixed:
    """A table of numbers read as lines with an empty word: a tab before each line (and one after the last)."""

    def __init__(self, file: IO[bytes]):
        self._file, self._start = file, b"\t"

    def read(self, many: int) -> bytes:
        """The next bytes, some more than `many`."""
        chunk = self._file.read(many).removeprefix(BOM if self._start else b"")
        start, self._start = self._start, b""
        return start + chunk.replace(b"\n", b"\n\t") if chunk else b""
