"""What a file is, by its first bytes; of what isn't read, what it is and what to do."""

import re
import zipfile
from pathlib import Path

from polysema.core.errors import NotFoundError, UnreadableError
from polysema.core.files.array_readers import NPZ_FAULTS
from polysema.core.files.delimited import delimited_as
from polysema.core.files.json_lines import holds_vectors
from polysema.core.files.readers import one_line
from polysema.core.files.text_lines import Shape, fields, is_header, number, shape_of, trailing_numbers
from polysema.core.files.typed_tables import kind_of_head, typed_kind
from polysema.core.files.unpacking import (
    PACKING_FAULTS,
    SNIFFED_BYTES,
    Encoding,
    encoding_of,
    members_of,
    open_text,
    open_unpacked,
    packing_of,
)
from polysema.core.files.vocabulary import find_metadata, find_stray_metadata
from polysema.core.files.word2vec_binary import MAX_WORD_BYTES

FASTTEXT = (793_712_314).to_bytes(4, "little")
TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the number that torch.save writes first, after the pickle's sign
MAX_LINES = 200
_CONTROL = bytes(set(range(32)) - {9, 10, 13})
_PRINTABLE = bytes({9, 10, 13, *range(32, 127)})
_OLD_PICKLE = re.compile(rb"\(?c[\w.]+\n[\w.]+\n|\((dp|lp)\d")
_SAFE = "save it with safetensors where you trust it, and give that file"

SIGNS = (  # of files that aren't read: where they begin, the first bytes, what it is, what to do
    (0, b"version https://git-lfs", "only a pointer to a file in Git LFS", "fetch the file itself with git lfs pull"),
    (0, b"\x89HDF", "an HDF5 file", "save its table as .npy, .npz or Parquet"),
    (0, b"SQLite format 3", "an SQLite database", "export its table as Parquet or CSV"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (0, b"Rar!", "a RAR archive", "unpack it first"),
    (0, b"%PDF", "a PDF file", "give a file of vectors"),
    (0, b"FEA1", "a Feather file of version 1", "save its table as Feather of version 2, or as Parquet"),
    (0, b"GGUF", "a GGUF file, a model's weights", "pass it as a model instead"),
    (0, b"\xd0\xcf\x11\xe0", "an old Office document", "save its table as CSV or Parquet"),
    (257, b"ustar", "a tar archive", "unpack it first (tar -xf), and give one of its files"),
)
_DOCUMENTS = {
    "xl/": ("an Excel workbook", "save its sheet as CSV"),
    "word/": ("a Word document", "give a file of vectors"),
    "content.xml": ("an OpenDocument file", "save its sheet as CSV"),
}


def layout_of(path: "Path | str") -> tuple[str, Encoding]:
    """The name of the layout of a file of vectors, and how it is encoded where it is a text.

    Raises `NotFoundError`, or `UnreadableError` that says what the file is where that is known (a pickle, an archive, a
    web page) and what to do.
    """
    path = Path(path)
    if not path.is_file():
        if path.is_dir() and typed_kind(path):
            return "dataset", Encoding()
        if path.exists() and not path.is_dir():
            raise UnreadableError(f"{path} is no file: give a file of vectors")
        raise NotFoundError(
            f"there is no file {path}" if not path.is_dir() else f"{path} is a folder, not a file of vectors"
        )
    try:
        packing = packing_of(path)
        if packing is not None and packing.name == "zip" and _is_npz(path):
            return "npz", Encoding()
        with open_unpacked(path) as file:
            head = file.read(SNIFFED_BYTES)
        encoding = encoding_of(head)
        if encoding != Encoding():
            with open_text(path, encoding) as text:
                head = text.read(SNIFFED_BYTES)
    except PACKING_FAULTS as error:
        raise UnreadableError(f"{path} can't be read: {one_line(error)}") from None
    table = _table_of(path, head)
    if table and packing is not None:
        raise UnreadableError(f"{path} is a {table} file that was packed with {packing.name}: unpack it first")
    _refuse_known(path, head)
    return table or _textual(path, head), encoding


def _table_of(path: Path, head: bytes) -> str:
    """The layout of a file that begins with a sign of its own, "" where it is none that is read."""
    if kind := kind_of_head(head):
        return kind.lower()
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(FASTTEXT):
        return "fasttext"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size:
        return "safetensors"
    return ""


def _is_npz(path: Path) -> bool:
    """Whether a zip archive is NumPy's; else it holds one file, or `UnreadableError` says what it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            n_members = len(members_of(archive))
    except NPZ_FAULTS as error:
        raise UnreadableError(f"{path} can't be read as a .npz file: {one_line(error)}") from None
    if any(name.endswith((".pkl", ".pickle")) for name in names):
        raise UnreadableError(f"{path} is a PyTorch file, a pickle, which could run code and is not opened: {_SAFE}")
    for sign, (what, advice) in _DOCUMENTS.items():
        if any(name.startswith(sign) for name in names):
            raise UnreadableError(f"{path} is {what}: {advice}, and give that file")
    return bool(n_members) and all(name.endswith(".npy") for name in names)


def _refuse_known(path: Path, head: bytes) -> None:
    """Raise `UnreadableError` for a file that is known and not read."""
    if (head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")) or _OLD_PICKLE.match(head):
        raise UnreadableError(_pickle(path, head))
    for at, sign, what, advice in SIGNS:
        if head[at:].startswith(sign):
            raise UnreadableError(f"{path} is {what}: {advice}")
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise UnreadableError(f"{path} is a web page, not vectors: the download returned a page; fetch it again")


def _pickle(path: Path, head: bytes) -> str:
    """What to do with a pickle, by what its first bytes name."""
    never = "which could run code and is not opened"
    if TORCH in head[:20] or b"torch" in head[:4096]:
        return f"{path} is a PyTorch file, a pickle, {never}: {_SAFE}"
    if b"pandas" in head:
        return f"{path} is a pickle of pandas, {never}: where you trust it, write it with DataFrame.to_parquet"
    if b"gensim" not in head and (b"numpy" in head or b"joblib" in head or b"sklearn" in head):
        return f"{path} is a pickle, {never}: where you trust it, write its table as .npz, .npy or safetensors"
    return (
        f"{path} is a pickle (gensim's save() writes one), {never}: where you trust it, convert it with"
        f" gensim.models.KeyedVectors.load({path.name!r}).save_word2vec_format('vectors.bin', binary=True), or .wv."
        " before save_word2vec_format for a whole model, and give vectors.bin"
    )


def _textual(path: Path, head: bytes) -> str:
    """What a file is that begins with no sign of its own: text, or word2vec's binary layout after its header."""
    first, _, after = head.partition(b"\n")
    if is_header(first) and _is_binary(after, *map(int, first.split())):
        return "word2vec-binary"
    if head.translate(None, _CONTROL) != head:
        raise UnreadableError(
            f"{path} is no file of vectors that is known here; these are read: text, word2vec-binary, npy, npz,"
            " safetensors, parquet, arrow, jsonl, csv, tensorboard, and text packed with gzip, bzip2, xz, Zstandard"
            " or zip"
        )
    if holds_vectors(head):
        return "jsonl"
    bare = all(number(field) is not None for field in fields(first)) and bool(first.strip())
    if bare and (find_metadata(path) is not None or find_fitting_metadata(path) is not None):
        return "tensorboard"
    lines = head.split(b"\n")[:MAX_LINES]
    if _is_text(lines[:-1] if len(lines) > 1 and len(head) >= SNIFFED_BYTES else lines):
        return "text"
    return "text" if delimited_as(head) is None else "csv"


def _is_text(lines: list[bytes]) -> bool:
    """Whether lines are words and numbers parted by spaces or tabs, without a line that names several columns."""
    try:
        shape: Shape = shape_of(lines)
    except UnreadableError:
        return False
    skipped = [line for line in lines[: shape.n_skipped] if line.strip()]
    return not (skipped and b"\t" in skipped[-1] and not trailing_numbers(skipped[-1]))


def find_fitting_metadata(path: Path) -> Path | None:
    """A file of words in the folder of a table of numbers that has as many lines, or one more that names its
    columns.
    """
    found = find_stray_metadata(path)
    if found is None:
        return None
    n_rows = _count_lines(path)
    n_words = _count_lines(found)
    return found if n_words in (n_rows, n_rows + 1) else None


def _count_lines(path: Path) -> int:
    count, last = 0, b"\n"
    with open_text(path, Encoding()) as file:
        while chunk := file.read(1 << 20):
            count, last = count + chunk.count(b"\n"), chunk[-1:]
    return count + (last != b"\n")


def _is_binary(after: bytes, count: int, dim: int) -> bool:
    """Whether what follows a header is binary: its first line is no word and numbers, and its bytes are no text."""
    line = after.partition(b"\n")[0]
    many = trailing_numbers(line)
    if many and (many >= dim or many >= 2):
        return False
    if after.translate(None, _CONTROL) != after:
        return True
    at, rows = 0, 0
    while (space := after.find(b" ", at, at + MAX_WORD_BYTES)) >= 0 and space + 1 + 4 * dim <= len(after):
        if b"\n" in after[at:space].lstrip(b"\n"):
            return False
        at, rows = space + 1 + 4 * dim, rows + 1
    start = after.find(b" ") + 1
    floats = after[start : start + 4 * dim]
    return (rows == count and not after[at:].strip(b"\n")) or floats.translate(None, _PRINTABLE) != b""
