"""The words beside a table of vectors: one a line, or the columns of TensorBoard's metadata."""

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from polysema.core.errors import NotFoundError
from polysema.core.files.cell_types import parse_cells, type_of_cells
from polysema.core.files.readers import Notes, VectorSource, is_utf8, one_line, row_names
from polysema.core.files.table_columns import find_column
from polysema.core.files.text_lines import number
from polysema.core.files.unpacking import encoding_of

VOCABULARY_ENDINGS = (".vocab", ".vocab.txt", ".words", ".words.txt")
LABEL_NAMES = ("word", "words", "token", "term", "label", "name")  # of the column of metadata that holds the words
SNIFFED_BYTES = 1 << 16
BOM = "\ufeff"
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_GENSIM_ENDINGS = (".wv.vectors", ".vectors", ".syn0")


def read_lines(path: Path, notes: Notes) -> list[str]:
    """The lines of a small text: line ends of any kind and bytes that are no text are noted, a last empty line is
    none.
    """
    raw = path.read_bytes()
    encoding = encoding_of(raw[:SNIFFED_BYTES])
    if said := encoding.describe():
        notes.say(f"{path.name}: {said}")
    if encoding.codec:
        raw = raw.decode(encoding.codec, "replace").encode("utf-8", "replace")
    parts = raw.replace(b"\r", b"\n").split(b"\n") if encoding.lone_returns else raw.split(b"\n")
    if parts[-1] == b"":
        parts.pop()
    ended = sum(part.endswith(b"\r") for part in parts)
    if ended:
        of_all = "" if ended == len(parts) else f" in {ended:,} of its {len(parts):,} lines"
        notes.say(f"{path.name} has CR LF line ends{of_all}: read as plain ones")
        parts = [part.removesuffix(b"\r") for part in parts]
    bad = [place for place, part in enumerate(parts, 1) if not is_utf8(part)]
    if bad:
        shown = f"line {bad[0]:,}" + (f" and {len(bad) - 1:,} more" if len(bad) > 1 else "")
        notes.say(f"{path.name}, {shown}: not UTF-8: the bad bytes are shown as \ufffd")
    lines = [part.decode("utf-8", "replace") for part in parts]
    if lines:
        lines[0] = lines[0].removeprefix(BOM)
    return lines


def words_beside(source: VectorSource, n_rows: int) -> pa.Array:
    """The words of the file beside a table, one a line; without such a file the numbers of its rows."""
    path = source.companion
    if path is None:
        source.notes.say(
            "it holds no words, and no .vocab file of its name (one a line) is beside it: each row is named by "
            "its number"
            " from 0"
        )
        return row_names(0, n_rows)
    words = read_lines(path, source.notes)
    if path.name.endswith(".counts.vocab") or _is_gensims(source.path):
        words = _without_numbers(words, " ")
    elif words and all(_ends_in_number(word, "\t") for word in words):
        source.notes.say(f"{path.name} has a number after each word and a tab ({words[0]!r}): left out")
        words = _without_numbers(words, "\t")
    elif len(words) > 1 and all(_ends_in_number(word, " ") for word in words):
        source.notes.say(
            f"every word of {path.name} ends in a number ({words[0]!r}): where that is its count, take it out there"
        )
    return pa.array(words, pa.large_string())


def _is_gensims(path: Path) -> bool:
    return path.name.endswith((".vectors.npy", ".syn0.npy", ".wv.vectors.npy"))


def _ends_in_number(word: str, separator: str) -> bool:
    start, _, end = word.rpartition(separator)
    return bool(start) and number(end.encode()) is not None


def _without_numbers(words: list[str], separator: str) -> list[str]:
    """gensim's and word2vec's vocabulary files have the word's count after it, SentencePiece's its logarithm."""
    if all(_ends_in_number(word, separator) for word in words):
        return [word.rpartition(separator)[0] for word in words]
    return words


def find_vocabulary(path: Path) -> Path | None:
    """The vocabulary beside a table without words, None where there is none.

    Raises `NotFoundError` for gensim's tables, whose words are in the pickle beside them.
    """
    base = path.name.removesuffix(path.suffix)
    stems = [base, *(base.removesuffix(ending) for ending in _GENSIM_ENDINGS if base.endswith(ending))]
    names = [stem + ending for stem in stems for ending in VOCABULARY_ENDINGS]
    found = next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)
    if found is None and len(stems) > 1 and path.with_name(stems[-1]).is_file():
        raise NotFoundError(
            f"{path} needs a vocabulary beside it: {base}.vocab, one word a line, in the rows' order"
            "; gensim keeps the words of a .vectors.npy in the pickle beside it, which is not opened: write them with"
            f" KeyedVectors.load({stems[-1]!r}).save_word2vec_format({stems[-1] + '.bin'!r}, binary=True)"
        )
    return found


def find_metadata(path: Path) -> Path | None:
    """The words beside a TensorBoard table of vectors by its name, None when there are none."""
    stem = path.name.removesuffix(path.suffix)
    parts = [part for part in ("vectors", "tensor", "tensors") if stem.endswith(part)]
    names = [f"{stem}_metadata.tsv", *(stem.removesuffix(part) + "metadata.tsv" for part in parts)]
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def find_stray_metadata(path: Path) -> Path | None:
    """A file of words in the folder of a table that is not called as TensorBoard's are."""
    names = ("metadata.tsv", "meta.tsv", f"{path.stem}.vocab", "labels.tsv")
    found = (path.with_name(name) for name in names)
    return next((one for one in found if one != path and one.is_file()), None)


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """The words of a table's rows, its other columns, None where there are none, and the name of that of the words."""

    words: pa.Array
    columns: pa.RecordBatch | None
    name: str = "word"


def read_metadata(source: VectorSource, n_rows: int) -> Metadata:
    """The words and columns beside a table of `n_rows` vectors, as TensorBoard's projector reads them.

    One column has no header. Several have one: the words are those of the column word, label or name, else of the
    first. Where there are as many lines as vectors, no line is a header, and that is noted.
    """
    path, notes = source.companion, source.notes
    assert path is not None
    lines = read_lines(path, notes)
    table = [line.split("\t") for line in lines] if lines and "\t" in lines[0] else [[line] for line in lines]
    with_header = len(lines) == n_rows + 1 and ("\t" in lines[0] or lines[0].strip().lower() in LABEL_NAMES)
    if len(lines) != n_rows + with_header:
        raise source.fail(f"{n_rows:,} vectors for the {len(lines):,} words of {path}; they must be as many")
    width = len(table[0])
    for place, row in enumerate(table, 1):
        if len(row) > width:
            raise source.fail(f"{path.name}, line {place:,}: {len(row):,} columns, line 1 has {width:,}")
        row += [""] * (width - len(row))
    if width > 1 or with_header:
        table = _unquoted(table, path, notes)
    names = table.pop(0) if with_header else [f"column {place}" for place in range(1, width + 1)]
    at = names.index(find_column(names, LABEL_NAMES) or names[0]) if with_header else 0
    if width > 1 and not with_header:
        notes.say(f"{path.name} has {width:,} columns and no line that names them: the first is read as the words")
    elif width > 1:
        rest = ", ".join(repr(name) for place, name in enumerate(names) if place != at)
        notes.say(f"the words are the column {names[at]!r} of {path.name}; beside them it has {one_line(rest)}")
    elif with_header:
        notes.say(f"line 1 of {path.name} ({names[0]!r}) is taken for the column's name")
    columns = list(zip(*table, strict=True))
    if len(set(names)) < len(names):
        names = [f"{name} {place}" if names.count(name) > 1 else name for place, name in enumerate(names, 1)]
    others = {names[place]: _typed(columns[place]) for place in range(width) if place != at} if table else {}
    return Metadata(
        pa.array(columns[at] if columns else [], pa.large_string()),
        pa.record_batch(others) if others else None,
        names[at] if with_header or width > 1 else "word",
    )


def _unquoted(table: list[list[str]], path: Path, notes: Notes) -> list[list[str]]:
    """Fields without the quotes that pandas and Excel put around some: where every quoted field is one by their
    rules.
    """
    quoted = [field for row in table for field in row if field.startswith('"')]
    whole = [len(field) > 1 and field.endswith('"') and '"' not in field[1:-1].replace('""', "") for field in quoted]
    if not all(whole) or all(field == '""' for field in quoted):
        return table
    notes.say(f"{path.name}: fields in quotes are read without them")
    return [[field[1:-1].replace('""', '"') if field.startswith('"') else field for field in row] for row in table]


def _typed(values: tuple[str, ...]) -> pa.Array:
    """A column in the type that all its values have, else as strings."""
    cells = pa.array(values, pa.large_string())
    return parse_cells(cells, type_of_cells([cells]))
