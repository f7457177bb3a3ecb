"""Texts from files, one a line, as a stream."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from polysema.core.errors import NotFoundError, UnreadableError

MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Corpus:
    """A file that was read through once and found good: `lines` counts its lines, `texts` those that aren't blank."""

    path: Path
    bytes: int
    sha256: str
    lines: int
    texts: int

    def __iter__(self) -> Iterator[str]:
        """The lines in their order, blank ones as empty texts so that a text's number is its line's (from 0)."""
        return (line for line, _ in _lines(self.path))


def open_corpus(path: "Path | str") -> Corpus:
    """Check a text file whole, in bounded memory, before any work is done on it.

    Raises `NotFoundError`, or `UnreadableError` that names the line: one that isn't UTF-8, holds a NUL (so it is no
    text) or is longer than 1 MiB; and for a file without any text.
    """
    path = Path(path)
    if path.is_dir():
        raise UnreadableError(f"{path} is a folder; give a text file with one text a line")
    digest = hashlib.sha256()
    size = lines = texts = 0
    for line, raw in _lines(path):
        digest.update(raw)
        size += len(raw)
        lines += 1
        texts += bool(line.strip())
    if texts == 0:
        raise UnreadableError(f"{path} holds no text: {lines:,} lines, all of them blank")
    return Corpus(path, size, digest.hexdigest(), lines, texts)


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(MAX_LINE_BYTES + 2):
                number += 1
                yield _line(path, number, raw), raw
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}") from None
    except OSError as error:
        raise UnreadableError(f"{path} can't be read: {error.strerror or error}") from None


def _line(path: Path, number: int, raw: bytes) -> str:
    body = raw.rstrip(b"\r\n")
    if len(body) > MAX_LINE_BYTES:
        raise UnreadableError(
            f"{path}, line {number}: longer than {MAX_LINE_BYTES:,} bytes; write one text a line, such as a sentence"
        )
    if b"\0" in body:
        raise UnreadableError(f"{path}, line {number}: holds a NUL character, so this is not a text file")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{path}, line {number}: byte {error.start + 1} is not UTF-8; convert the file (iconv -f latin1 -t utf-8 is a common case)"
        ) from None
    return text.removeprefix("\ufeff") if number == 1 else text
