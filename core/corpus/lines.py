"""The lines of a text file as UTF-8, each of bounded length; what is no text is refused with its line."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from polysema.core.corpus.encoding import GUESS_BYTES, UTF8
from polysema.core.corpus.findings import CorpusNotes
from polysema.core.corpus.packed import open_bytes
from polysema.core.errors import UnreadableError
from polysema.core.files.unpacking import RecodedStream

MAX_LINE_BYTES = 1 << 20
NUL_MESSAGE = "holds a NUL character, so this is not a text file"
REPLACED = "holds bytes that are not UTF-8, each replaced by \ufffd"


class NotUtf8Error(UnreadableError):
    """A file whose bytes are not those of its encoding; another encoding may fit."""


CHUNK_BYTES = 1 << 16  # bytes that are recoded at a time: a byte that is wrong is told with the line before it


def open_utf8(path: Path, encoding: str = UTF8, carriage_returns: bool = False) -> IO[bytes]:
    """The unpacked bytes of a file as UTF-8, with LF for CR where CR ends its lines."""
    source = open_bytes(path)
    if encoding == UTF8 and not carriage_returns:
        return source
    return io.BufferedReader(
        RecodedStream(source, encoding, carriage_returns, strict=True, chunk_bytes=CHUNK_BYTES), CHUNK_BYTES
    )


class TextFile:
    """A text file: its path, its encoding, whether damaged bytes are replaced, and what its lines end in."""

    def __init__(self, path: Path, encoding: str = UTF8, replace: bool = False, carriage_returns: bool = False):
        self.path = path
        self.encoding = encoding
        self.replace = replace
        self.carriage_returns = carriage_returns

    def open(self) -> IO[bytes]:
        """The bytes as UTF-8 (where `replace` is set: but for the damaged ones)."""
        return open_utf8(self.path, self.encoding, self.carriage_returns)

    def lines(self, findings: CorpusNotes, longest: int = MAX_LINE_BYTES) -> Iterator[str]:
        """Lines without their ends. Raises `UnreadableError` with the line for what is longer than `longest` bytes,
        holds a NUL, or is not of the encoding.
        """
        with self.open() as file:
            number = 0
            try:
                while raw := file.readline(longest + 2):
                    number += 1
                    yield self.decoded(number, raw.rstrip(b"\r\n"), longest, findings)
            except UnicodeDecodeError as error:
                raise self.not_of_the_encoding(number + 1, error) from None

    def lines_with_ends(self, findings: CorpusNotes, longest: int = 2 * MAX_LINE_BYTES) -> Iterator[str]:
        """Lines with their ends, LF for CR LF, split at a CR alone as well: what a quoted field goes over."""
        with self.open() as file:
            number = 0
            try:
                while raw := file.readline(longest):
                    number += 1
                    if number > 1 and raw.isascii() and b"\0" not in raw and b"\r" not in raw and raw[-1:] == b"\n":
                        yield raw.decode("ascii")  # the usual line, without a call
                        continue
                    body = self.decoded(number, raw.rstrip(b"\r\n"), longest, findings)
                    if "\r" in body:
                        *parts, body = body.split("\r")
                        yield from (part + "\r" for part in parts)
                    yield body + ("\n" if raw.endswith(b"\n") else "")
            except UnicodeDecodeError as error:
                raise self.not_of_the_encoding(number + 1, error) from None

    def decoded(self, number: int, body: bytes, longest: int, findings: CorpusNotes) -> str:
        """A line as a text."""
        if len(body) > longest:
            raise UnreadableError(
                f"{self.path}, line {number}: longer than {longest:,} bytes; write one text a line, such as a sentence"
            )
        if b"\0" in body:
            raise UnreadableError(f"{self.path}, line {number}: {NUL_MESSAGE}")
        try:
            text = body.decode(UTF8)
        except UnicodeDecodeError as error:
            if not self.replace:
                raise self.not_of_the_encoding(number, error) from None
            findings.add(REPLACED, number)
            text = body.decode(UTF8, "replace")
        return text.removeprefix("\ufeff") if number == 1 else text

    def not_of_the_encoding(self, number: int, error: UnicodeDecodeError) -> NotUtf8Error:
        """The error for a line that is not of the encoding."""
        if self.encoding != UTF8:
            return NotUtf8Error(
                f"{self.path}, line {number}: is not {self.encoding} ({error.reason}); say its encoding (--encoding)"
            )
        return NotUtf8Error(
            f"{self.path}, line {number}: byte {error.start + 1} is not UTF-8; convert the file (iconv -f latin1 "
            "-t utf-8 is a "
            "common case) or say its encoding (--encoding)"
        )


def checked(path: Path, number: int, text: str, what: str = "line") -> str:
    """A text, as a cell or a value holds it; raises `UnreadableError` for what is none, or too long to be one."""
    if "\0" in text:
        raise UnreadableError(f"{path}, {what} {number}: holds a NUL character, so this is no text")
    if text.isascii() and len(text) <= MAX_LINE_BYTES:
        return text
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise UnreadableError(f"{path}, {what} {number}: holds half of a surrogate pair, so this is no text") from None
    if size > MAX_LINE_BYTES:
        raise UnreadableError(
            f"{path}, {what} {number}: a text longer than {MAX_LINE_BYTES:,} bytes; give one sentence or "
            "paragraph a row"
        )
    return text


def sample_beyond_ascii(path: Path) -> bytes:
    """The first lines of a whole file that are not ASCII, up to `GUESS_BYTES`."""
    sample = bytearray()
    with open_bytes(path) as file:
        while len(sample) < GUESS_BYTES and (raw := file.readline(GUESS_BYTES)):
            if not raw.isascii():
                sample += raw
    return bytes(sample)
