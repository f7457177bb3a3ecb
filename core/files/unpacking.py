"""Packed and differently encoded files as plain bytes: gzip, bzip2, xz, Zstandard and zip are unpacked, UTF-16 and
UTF-32 become UTF-8, and lines that end in a lone CR end in LF.
"""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from polysema.core.errors import UnreadableError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SNIFFED_BYTES = 1 << 16
PACKING_FAULTS = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
SHOWN_MEMBERS = 3

BOMS = (  # those of UTF-32 first: that of UTF-16 begins one of them
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _open_gzip(path: Path) -> IO[bytes]:
    return gzip.open(path)  # type: ignore[return-value]


def _open_zip(path: Path) -> IO[bytes]:
    """The one file that a zip archive holds."""
    with zipfile.ZipFile(path) as archive:
        members = members_of(archive)
        if len(members) != 1:
            shown = ", ".join(members[:SHOWN_MEMBERS]) + (", …" if len(members) > SHOWN_MEMBERS else "")
            raise UnreadableError(
                f"{path} is a zip archive that holds {shown or 'nothing'}: unpack it first"
                + (", and give one of its files" if members else "")
            )
        try:
            return archive.open(members[0])
        except RuntimeError as error:  # it wants a password, or is packed in a way that Python doesn't know
            raise UnreadableError(f"{path} can't be unpacked ({error}): unpack it first") from None


def members_of(archive: zipfile.ZipFile) -> list[str]:
    """The names of an archive's files, without folders and what macOS adds."""
    return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]


def _open_bzip2(path: Path) -> IO[bytes]:
    return bz2.open(path)


def _open_xz(path: Path) -> IO[bytes]:
    return lzma.open(path)


def _open_zstandard(path: Path) -> IO[bytes]:
    return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), 1 << 20)


@dataclass(frozen=True, slots=True)
class Packing:
    """A way of packing one file: the bytes that it begins with, its name, and what opens it."""

    sign: bytes
    name: str
    open: Callable[[Path], IO[bytes]]


PACKINGS = (
    Packing(b"\x1f\x8b", "gzip", _open_gzip),
    Packing(b"BZh", "bzip2", _open_bzip2),
    Packing(b"\xfd7zXZ\x00", "xz", _open_xz),
    Packing(b"\x28\xb5\x2f\xfd", "Zstandard", _open_zstandard),
    Packing(b"PK\x03\x04", "zip", _open_zip),
)


def packing_of(path: Path) -> Packing | None:
    """How a file is packed, None for one that isn't."""
    with path.open("rb") as file:
        head = file.read(8)
    return next((packing for packing in PACKINGS if head.startswith(packing.sign)), None)


def open_unpacked(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked. Raises `UnreadableError` for an archive of several files."""
    packing = packing_of(path)
    return path.open("rb") if packing is None else packing.open(path)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a text is written: the name of its `codec` ("" for UTF-8) and whether its lines end in a lone CR."""

    codec: str = ""
    lone_returns: bool = False

    def describe(self) -> str:
        """What a reader of the file should know, "" where it is plain."""
        said = [f"it is {self.codec.upper()}: read as such"] if self.codec else []
        return "; ".join(said + ["its lines end in CR alone: read as line ends"] * self.lone_returns)


def encoding_of(head: bytes) -> Encoding:
    """How the text that begins with `head` is written."""
    codec = next((name for sign, name in BOMS if head.startswith(sign)), "") or _without_bom(head)
    text = head.decode(codec, "replace").encode() if codec else head
    return Encoding(codec, b"\r" in text.rstrip(b"\r") and b"\n" not in text)


def _without_bom(head: bytes) -> str:
    """The codec of a text whose bytes are zero just where those of digits and spaces are in UTF-16 or UTF-32."""
    some = head[: len(head[:4096]) // 4 * 4]
    if len(some) < 8 or head.startswith(b"\x93NUMPY"):
        return ""
    zeros = [some[place::4].count(0) * 4 / len(some) for place in range(4)]
    for codec, filled in (("utf-32-le", (0,)), ("utf-32-be", (3,)), ("utf-16-le", (0, 2)), ("utf-16-be", (1, 3))):
        if all(zeros[place] == 0 if place in filled else zeros[place] > 0.6 for place in range(4)):
            try:
                text = some.decode(codec, "strict" if "32" in codec else "replace")
            except UnicodeDecodeError:
                continue
            if not any(ord(sign) < 32 and sign not in "\t\r\n" for sign in text):
                return codec
    return ""


def open_text(path: Path, encoding: Encoding) -> IO[bytes]:
    """The bytes of a text, unpacked, as UTF-8 with lines that end in LF or CR LF."""
    file = open_unpacked(path)
    return (
        io.BufferedReader(RecodedStream(file, encoding.codec, encoding.lone_returns), 1 << 20)
        if encoding != Encoding()
        else file
    )


class RecodedStream(io.RawIOBase):
    """A text of another encoding, read as UTF-8, with LF for CR where CR alone ends its lines.

    Args:
        file: The bytes as they lie there; closed with this one.
        codec: Python's name of their encoding, "" where they are UTF-8 already.
        lone_returns: Whether CR alone ends the lines.
        strict: Whether bytes that are not of the encoding raise `UnicodeDecodeError`; else they are replaced.
        chunk_bytes: How many bytes are read at a time.
    """

    def __init__(
        self,
        file: IO[bytes],
        codec: str,
        lone_returns: bool = False,
        strict: bool = False,
        chunk_bytes: int = 1 << 20,
    ):
        self._file, self._lone_returns, self._strict, self._chunk_bytes = file, lone_returns, strict, chunk_bytes
        errors = "strict" if strict else "replace"
        self._decoder = codecs.getincrementaldecoder(codec)(errors) if codec else None
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer, or a part of it; 0 at the end."""
        while not self._rest and not self._ended:
            chunk = self._file.read(self._chunk_bytes)
            self._ended = not chunk
            text = chunk if self._decoder is None else self._recoded(self._decoder, chunk)
            self._rest = text.replace(b"\r", b"\n") if self._lone_returns else text
        with memoryview(buffer) as room:
            part, self._rest = self._rest[: len(room)], self._rest[len(room) :]
            room[: len(part)] = part
        return len(part)

    def _recoded(self, decoder: codecs.IncrementalDecoder, chunk: bytes) -> bytes:
        if self._strict:
            return decoder.decode(chunk, final=not chunk).encode("utf-8", "surrogatepass")
        return decoder.decode(chunk).encode("utf-8", "replace")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
