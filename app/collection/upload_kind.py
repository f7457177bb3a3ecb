"""Whether an upload holds texts or vectors, by its first bytes."""

from pathlib import Path

from polysema.app.collection.uploaded_files import Upload, messages_name_files
from polysema.core.corpus import find_layout
from polysema.core.corpus.encoding import announced_encoding
from polysema.core.corpus.packed import FAULTS, is_workbook, open_bytes
from polysema.core.corpus.sources import KINDS, ending_of
from polysema.core.errors import UnreadableError, UserError
from polysema.core.files.delimited import delimited_as
from polysema.core.files.formats import recognize
from polysema.core.files.json_lines import holds_vectors
from polysema.core.files.table_columns import choose_columns, has_vectors
from polysema.core.files.text_lines import fields, is_header, number
from polysema.core.files.typed_tables import open_typed_table, typed_kind

TEXTS, VECTORS = "texts", "vectors"
SNIFFED_BYTES = 1 << 18
LEAST_NUMBERS = 8  # columns of numbers from which on CSV is vectors, not texts with numbers beside them


def kind(upload: Upload) -> str:
    """`texts` or `vectors`, by content; raises `UnreadableError` for what is neither, saying what it is where known."""
    with messages_name_files(upload.folder):
        path = upload.files[0]
        return _kind_of_table(path) or _kind_of_text(path)


def _kind_of_table(path: Path) -> str:
    """What a table with types of its own or of JSON Lines holds; "" for other files."""
    if typed_kind(path):
        return VECTORS if has_vectors(open_typed_table(path).schema) else TEXTS
    return VECTORS if _ending(path) in ("jsonl", "") and holds_vectors(_head(path)) else ""


def _kind_of_text(path: Path) -> str:
    """What all other files hold."""
    texts = ("json", "jsonl", "excel")
    if _ending(path) in texts or is_workbook(path) or (_ending(path) == "csv" and not _is_csv_of_vectors(path)):
        return TEXTS
    head = _head(path)
    if announced_encoding(head):  # no vectors are written so
        return TEXTS
    try:
        form = recognize(path)
    except UnreadableError:
        if _is_pickle(head):
            raise
        if _ending(path) in ("text", "tsv"):
            return TEXTS
        if (
            find_layout(path).kind != "text"
        ):  # a table in a zip; what is known to be no text is refused here by its name
            return TEXTS
        raise
    if form.name == "csv":
        return VECTORS if _is_csv_of_vectors(path) else TEXTS
    if form.name != "text":
        return VECTORS
    announced = not _ending(path) and is_header((_lines(head, 1) or [b""])[0])
    return VECTORS if announced or (_ending(path) != "tsv" and _has_numbers(head)) else TEXTS


def _is_pickle(head: bytes) -> bool:
    return head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _is_csv_of_vectors(path: Path) -> bool:
    """Whether CSV holds more columns of vectors than texts have numbers beside them, or lists of numbers."""
    found = delimited_as(_head(path))
    return found is not None and (bool(found.lists) or len(choose_columns(found.schema).vectors) >= LEAST_NUMBERS)


def _ending(path: Path) -> str:
    return KINDS.get(ending_of(path), "")


def _head(path: Path) -> bytes:
    try:
        with open_bytes(path) as file:
            return file.read(SNIFFED_BYTES)
    except (UserError, *FAULTS):
        return b""


def _lines(head: bytes, most: int = 6) -> list[bytes]:
    """The first lines that aren't blank; one that may be cut off is none."""
    lines = head.split(b"\n")
    whole = lines[:-1] if len(head) == SNIFFED_BYTES else lines
    return [line.strip() for line in whole if line.strip()][:most]


def has_only_numbers(head: bytes) -> bool:
    """Whether the lines hold numbers and nothing else."""
    lines = _lines(head)
    return bool(lines) and all(number(field) is not None for line in lines for field in fields(line))


def _has_numbers(head: bytes) -> bool:
    """Whether lines look like words with vectors: a line ends in as many numbers as the first announces, or every line
    in some after a word.
    """
    lines = _lines(head)
    if not lines:
        return False
    if is_header(lines[0]):
        width = int(lines[0].split()[1])
        return any(_numbers_at_end(line) >= min(width, 2) for line in lines[1:])
    counts = [_numbers_at_end(line) for line in lines]
    return min(counts) >= 2 and all(len(fields(line)) > count for line, count in zip(lines, counts, strict=True))


def _numbers_at_end(line: bytes) -> int:
    count = 0
    for field in reversed(fields(line)):
        if number(field) is None:
            break
        count += 1
    return count
