"""Bytes out of packed files, and files that hold no plain text, which are refused by their name."""

import lzma
import zipfile
import zlib
from pathlib import Path
from typing import IO

from polysema.core.errors import UnreadableError
from polysema.core.files.unpacking import PACKINGS, open_unpacked, packing_of

HEAD_BYTES = 1 << 12
ZIP = PACKINGS[-1].sign
STREAMS = tuple(packing.sign[:4] for packing in PACKINGS if packing.sign != ZIP)  # the first bytes of one packed file
FAULTS = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)
_SAVE = "save it as plain text (UTF-8), a text a line"
# first bytes of what is no text: what it is, and what to do
SIGNS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF", _SAVE),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Word or Excel file (.doc, .xls)",
        "save it as .xlsx, CSV or plain text",
    ),
    (rb"{\rtf", "an RTF document", _SAVE),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"SQLite format 3", "an SQLite database", "write the texts to a CSV file"),
    (b"\x93NUMPY", "a NumPy array", "give a file of texts"),
    (b"version https://git-lfs", "only a pointer to a file in Git LFS", "fetch the file itself with git lfs pull"),
    (b"\x89PNG", "a picture", "give a file of texts"),
    (b"\xff\xd8\xff", "a picture", "give a file of texts"),
)
# endings inside a zip file that say what it is
_OFFICE = {
    "word/": ("a Word document (.docx)", _SAVE),
    "ppt/": ("a PowerPoint file (.pptx)", _SAVE),
    "META-INF/container.xml": ("an e-book (.epub)", _SAVE),
}


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where it is packed with gzip, bzip2, xz, Zstandard or as the one file of a zip."""
    packing = packing_of(path)
    if packing is not None and packing.sign == ZIP:  # a document may be one, and is refused by its name
        return zipfile.ZipFile(path).open(_only_member(path))
    return open_unpacked(path)


def check_plain(path: Path, head: bytes) -> None:
    """Raise `UnreadableError` for a file whose first unpacked bytes say that it is no plain text."""
    for sign, what, remedy in SIGNS:
        if head.startswith(sign):
            raise UnreadableError(f"{path} is {what}, not plain text: {remedy}")
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise UnreadableError(
            f"{path} is a pickle, which could run code and is not opened: write the texts to a file of lines"
        )
    if head[257:262] == b"ustar":
        raise UnreadableError(f"{path} is a tar archive: unpack it and give the files in it, or their folder")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise UnreadableError(f"{path} is a web page (HTML), whose tags would be read as words: {_SAVE}")
    if start.startswith(b"<?xml"):
        raise UnreadableError(f"{path} is XML, whose tags would be read as words: {_SAVE}")


def is_workbook(path: Path) -> bool:
    """Whether a file is an Excel workbook, under whatever name."""
    with path.open("rb") as file:
        if file.read(4) != ZIP:
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except FAULTS:
        return False


def _only_member(path: Path) -> str:
    """The name of the one file in a zip. Raises `UnreadableError` for several, and for documents that are zips."""
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        for sign, (what, remedy) in _OFFICE.items():
            if any(name.startswith(sign) for name in names):
                raise UnreadableError(f"{path} is {what}, not plain text: {remedy}")
        if "mimetype" in names and "content.xml" in names:
            raise UnreadableError(f"{path} is an OpenDocument file (.odt, .ods): save it as .xlsx, CSV or plain text")
        names = [name for name in names if not name.startswith("__MACOSX/")]
        if len(names) != 1:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
            raise UnreadableError(
                f"{path} is a zip archive that holds {shown or 'nothing'}: unpack it and give the files you mean"
            )
        if archive.getinfo(names[0]).flag_bits & 1:
            raise UnreadableError(f"{path} is a zip archive with a password: unpack it first")
    return names[0]
