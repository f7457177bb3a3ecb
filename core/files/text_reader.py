"""Vectors in text: GloVe's (no header), word2vec's and fastText's `.vec` (with one), tables of numbers alone."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.errors import UnreadableError
from polysema.core.files.readers import Block, Notes, VectorSource, read_errors, row_names, strings
from polysema.core.files.text_lines import SEPARATORS, Shape, number, peek, shape_of, trailing_numbers
from polysema.core.space.array_types import Bytes, Floats, Ints

MAX_LINE_BYTES = 64 << 20
SAMPLE_LINES = 1000
BOM = b"\xef\xbb\xbf"
_CUT = re.compile(rb"[+-]?(\d*\.?\d*|(\d+\.?\d*|\.\d+)[eE][+-]?)")  # how a number that is cut off ends
_FIELD = re.compile(rb"[^ \t]+")


class Readable(Protocol):
    """What bytes come from."""

    def read(self, many: int, /) -> bytes:
        """The next bytes, none at the end."""


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """What came of some whole lines: see `text_parser.parse`."""

    status: int
    vectors: Floats
    ends: Ints
    words: Bytes
    lines: Ints
    faults: Ints
    bad_line: int
    returns: int
    n_lines: int


def _parse(text: Bytes, dim: int, padded: bool) -> _Piece:
    from polysema.core.files import text_parser

    n_lines = int(np.count_nonzero(text == text_parser.NEWLINE)) + 1
    most = min(n_lines, len(text) // (2 * dim) + 1)  # a row is at least a byte and a space for each number
    vectors = np.empty((most, dim), np.float32)
    ends, lines = np.zeros(most + 1, np.int64), np.empty(most, np.int64)
    words = np.empty(len(text), np.uint8)
    faults = np.empty((min(most * dim, 1 << 16), 4), np.int64)
    status, rows, n_faults, line, returns = text_parser.parse(text, dim, padded, vectors, ends, words, lines, faults)
    return _Piece(
        status,
        vectors[:rows],
        ends[: rows + 1],
        words[: ends[rows]],
        lines[:rows],
        faults[:n_faults],
        line,
        returns,
        n_lines - 1,
    )


def read_text(source: VectorSource) -> Iterator[Block]:
    """A word and its numbers a line, with or without a header `count width`; or numbers alone, whose rows get
    numbers.
    """
    from polysema.core.import_lock import IMPORTING

    with IMPORTING:
        from polysema.core.files import text_parser  # noqa: F401

    with read_errors(source), source.opened() as file:
        sample = file.read(source.block_bytes).removeprefix(BOM)
        lines = sample.split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES]
        try:
            shape = shape_of(lines[:-1] if len(lines) > 1 and not sample.endswith(b"\n") else lines)
        except UnreadableError as error:
            raise source.fail(str(error)) from None
        for note in shape.notes:
            source.notes.say(note)
        head = sample.split(b"\n", shape.n_skipped)[shape.n_skipped]
        rows = 0
        for block in blocks_of(
            source,
            head if shape.named else HeaderlessFile.prefix(head),
            file if shape.named else HeaderlessFile(file),
            shape,
        ):
            words = _named(block.words, shape) if shape.named else row_names(rows, len(block.words))
            rows += len(block.words)
            yield Block(words, block.vectors, block.places)
    if shape.promised is not None and shape.promised != rows:
        source.notes.say(f"line 1 promises {shape.promised:,} vectors, the file holds {rows:,}: these are read")


def _named(words: pa.Array, shape: Shape) -> pa.Array:
    """The words without the quotes around them, where they have some; a quote inside is doubled or escaped."""
    if not shape.quoted:
        return words
    return pc.replace_substring_regex(pc.replace_substring_regex(words, r'^"(.*)"$', r"\1"), r'[\\"]"', '"')


class HeaderlessFile:
    """A table of numbers read as lines with an empty word: a tab before each line (and one after the last)."""

    def __init__(self, file: Readable):
        self._file = file

    def read(self, many: int, /) -> bytes:
        """The next bytes, some more than `many`."""
        return self._file.read(many).replace(b"\n", b"\n\t")

    @staticmethod
    def prefix(head: bytes) -> bytes:
        """The first bytes of such a table, with the tabs."""
        return b"\t" + head.replace(b"\n", b"\n\t")


def blocks_of(source: VectorSource, head: bytes, file: Readable, shape: Shape) -> Iterator[Block]:
    """The blocks of a text after its header, parsed two at a time (the compiled code leaves Python's lock)."""
    line = shape.n_skipped + 1
    with ThreadPoolExecutor(2) as pool:
        waiting: list[tuple[Bytes, Future[_Piece], bool]] = []
        for text, last in _texts(source, head, file):
            buffer = np.frombuffer(text, np.uint8)
            waiting.append((buffer, pool.submit(_parse, buffer, shape.dim, shape.padded), last))
            if len(waiting) > 2:
                block, line = _block(source, *waiting.pop(0), shape, line)
                yield block
        while waiting:
            block, line = _block(source, *waiting.pop(0), shape, line)
            yield block


def _texts(source: VectorSource, head: bytes, file: Readable) -> Iterator[tuple[bytes, bool]]:
    """Whole lines, some MiB at a time, and whether their last one is the file's and has no line end."""
    rest = b""
    chunk = head
    while True:
        following = file.read(source.block_bytes)
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


def _block(
    source: VectorSource, text: Bytes, future: "Future[_Piece]", last: bool, shape: Shape, line: int
) -> tuple[Block, int]:
    """The block of a piece that begins at `line`, and the line after it."""
    from polysema.core.files import text_parser

    piece = future.result()
    raw = text.tobytes()
    if piece.status == text_parser.MANY_FAULTS:
        return _slow_block(source, raw, last, shape, line)
    notes, dim = source.notes, shape.dim
    if piece.status == text_parser.SHORT_LINE:
        if not (last and piece.bad_line == piece.n_lines):
            raise _short_line(source, raw.split(b"\n")[piece.bad_line], shape, line + piece.bad_line)
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
            raise source.fail(f"line {at:,}: {dim:,} numbers were expected; got {peek(raw[start:stop])}")
        with np.errstate(over="ignore"):
            piece.vectors[row, column] = value
    places = piece.lines[:keep] + line
    words = strings(source, piece.words[: piece.ends[keep]].tobytes(), piece.ends[: keep + 1], places)
    if piece.returns:
        ended = [line + at for at, part in enumerate(raw.split(b"\n")) if part.endswith(b"\r")]
        notes.found("crlf", ended)
    if len(piece.words) and bool(((piece.words == 32) | (piece.words == 9)).any()):
        _note_spaces(notes, words, places)
    if len(piece.lines) and piece.lines[-1] + 1 != len(piece.lines):
        whole = np.arange(piece.lines[-1])
        notes.found("blank", np.setdiff1d(whole, piece.lines) + line)
    return Block(words, piece.vectors[:keep], places), line + piece.n_lines


def _note_spaces(notes: Notes, words: pa.Array, places: Ints) -> None:
    """Note the words that hold separators, and apart from them those that end in a number, as no word should."""
    spaced = [(row, word) for row, word in enumerate(words.to_pylist()) if " " in word or "\t" in word]
    ends = [number(word.replace("\t", " ").rpartition(" ")[2].encode()) is not None for _, word in spaced]
    for rule, kind in (("spaces", False), ("numbers", True)):
        chosen = [item for item, is_number in zip(spaced, ends, strict=True) if is_number is kind]
        notes.found(rule, places[[row for row, _ in chosen]], [word for _, word in chosen[:5]])


def _short_line(source: VectorSource, text: bytes, shape: Shape, line: int) -> UnreadableError:
    many = trailing_numbers(text if shape.named else b"x " + text)
    others = "the others have" if shape.promised is None else "line 1 says"
    return source.fail(f"line {line:,}: {many:,} numbers; {others} {shape.dim:,} (got {peek(text.strip())})")


def _slow_block(source: VectorSource, raw: bytes, last: bool, shape: Shape, line: int) -> tuple[Block, int]:
    """The same, in Python, for texts whose numbers the compiled code can't read exactly (1e-30, 17 digits and more)."""
    words, rows, places = [], [], []
    lines = raw.split(b"\n")
    blank, returns = [], []
    for at, text in enumerate(lines):
        if text.endswith(b"\r"):
            returns.append(line + at)
        text = text.removesuffix(b"\r").rstrip(SEPARATORS)
        if not text:
            blank.append(line + at)
            continue
        fields = list(_FIELD.finditer(text))[-shape.dim :]
        short = len(fields) < shape.dim or fields[0].start() == 0
        values = [number(field[0]) for field in fields]
        if short or None in values:
            if last and at == len(lines) - 1 and (short or _CUT.fullmatch(fields[-1][0])):
                source.notes.found("cut", [line + at])
                break
            if short:
                raise _short_line(source, text, shape, line + at)
            wrong = fields[values.index(None)][0]
            raise source.fail(f"line {line + at:,}: {shape.dim:,} numbers were expected; got {peek(wrong)}")
        word = text[: fields[0].start() - 1]
        words.append(word.strip(SEPARATORS) if shape.padded else word)
        rows.append(values)
        places.append(line + at)
    ends = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in words], out=ends[1:])
    numbers = np.array(places, np.int64)
    names = strings(source, b"".join(words), ends, numbers)
    source.notes.found("crlf", returns)
    source.notes.found("blank", [place for place in blank if places and place < places[-1]])
    _note_spaces(source.notes, names, numbers)
    with np.errstate(over="ignore"):
        vectors = np.array(rows, np.float64).astype(np.float32).reshape(len(rows), shape.dim)
    return Block(names, vectors, numbers), line + raw.count(b"\n")
