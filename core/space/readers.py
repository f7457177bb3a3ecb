"""Files of vectors as streams of blocks: memory doesn't grow with the file.

Each reader takes a `Source` and yields `Block`s; what it found that the user should know goes into the source's
notes, with line or row numbers. Nothing is unpickled.
"""

import json
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polysema.core.errors import NotFoundError, UnreadableError, UserError
from polysema.core.space.space import Floats, Ints

MAX_DIM = 65_536
BLOCK_BYTES = 2 << 20
MAX_WORD_BYTES = 1 << 16
SNIFFED = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: `words` (m,) strings, `vectors` (m, dim) float32, `places` (m,) their lines or rows from 1."""

    words: pa.Array
    vectors: Floats
    places: Ints


@dataclass(slots=True)
class Finding:
    """One thing that was noticed, at how many places, and the first of them."""

    many: int = 0
    first: list[str] = field(default_factory=list)


SHOWN = 5

RULES = {
    "duplicate": "{n} repeated (at {first}): the vector where the word comes first is kept",
    "not finite": "{n} with NaN or Inf (at {first}): left out",
    "spaces": "{n} with a space in the word (at {first}): read as one word each",
    "crlf": "{n} ended in CR LF (from {first}): read as plain line ends",
    "blank": "{n} blank (at {first}): passed over",
    "cut": "the last one ({first}) is cut off within its numbers: left out",
    "not UTF-8": "{n} with a word that is not UTF-8 (at {first}): the bad bytes are shown as \ufffd",
}


class Notes:
    """What a reader noticed, told to the user with line or row numbers."""

    def __init__(self, unit: str):
        self.unit = unit
        self._found: dict[str, Finding] = {}
        self._said: list[str] = []

    def say(self, text: str) -> None:
        """Note something in its own words."""
        self._said.append(text)

    def found(self, rule: str, places: "Ints | list[int]", words: "list[str] | None" = None) -> None:
        """Note that a rule of `RULES` was applied at these lines or rows."""
        finding = self._found.setdefault(rule, Finding())
        finding.many += len(places)
        for number, place in enumerate(places[: SHOWN - len(finding.first)]):
            word = f" {_short(words[number])}" if words is not None else ""
            finding.first.append(f"{self.unit} {int(place):,}{word}")

    def told(self) -> tuple[str, ...]:
        """The notes, a line each."""
        lines = list(self._said)
        for rule, finding in self._found.items():
            if finding.many:
                more = ", …" if finding.many > len(finding.first) else ""
                n = f"{finding.many:,} {self.unit}{'s' * (finding.many > 1)}"
                lines.append(RULES[rule].format(n=n, first=", ".join(finding.first) + more))
        return tuple(lines)


def _short(word: str) -> str:
    return repr(word if len(word) <= 30 else word[:27] + "…")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A file to read: `opened` gives its bytes (unpacked), `companion` the file of words beside it, if it needs one."""

    path: Path
    opened: Callable[[], IO[bytes]]
    notes: Notes
    companion: Path | None = None

    def fail(self, what: str) -> UnreadableError:
        """The error that names the file."""
        return UnreadableError(f"{self.path}: {what}")


Reader = Callable[[Source], Iterator[Block]]


def check_dim(source: Source, dim: int, where: str = "") -> int:
    """`dim` when vectors of that width are read, else `UnreadableError`."""
    if not 1 <= dim <= MAX_DIM:
        raise source.fail(f"{where}vectors {dim:,} wide; 1 to {MAX_DIM:,} are read")
    return dim


def is_header(line: bytes) -> bool:
    """Whether a line is `count width`, as word2vec's files begin."""
    parts = line.split()
    return b"\t" not in line and len(parts) == 2 and all(part.isdigit() and len(part) < 19 for part in parts)


def float_table(source: Source, array: Any, name: str) -> Any:
    """The array when it is a table of numbers, else `UnreadableError`."""
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise source.fail(f"{name} holds {array.dtype} of shape {array.shape}; (words, dim) numbers are needed")
    check_dim(source, array.shape[1])
    return array


def paired(source: Source, words: pa.Array, table: Any, name: str = "the table") -> Iterator[Block]:
    """Blocks of a table (n, dim) that can be sliced, beside its n words."""
    if len(words) != len(table):
        raise source.fail(f"{len(words):,} words for the {len(table):,} rows of {name}; they must be as many")
    step = max(1, BLOCK_BYTES // (4 * table.shape[1]))
    for start in range(0, len(words), step):
        vectors = np.asarray(table[start : start + step])
        places = np.arange(start + 1, start + 1 + len(vectors), dtype=np.int64)
        with np.errstate(over="ignore"):  # a double too large for a float becomes Inf, which has its rule
            yield Block(words[start : start + step], np.ascontiguousarray(vectors, np.float32), places)


def strings(source: Source, raw: bytes, ends: "Ints", places: Ints, strict: bool = True) -> pa.Array:
    """The words in `raw`, the r-th ending at byte `ends[r + 1]`; what isn't UTF-8 is refused, or else replaced."""
    array = pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(np.ascontiguousarray(ends)), pa.py_buffer(raw))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        bad = [row for row in range(len(ends) - 1) if not _is_utf8(raw[ends[row] : ends[row + 1]])]
        if strict:
            raise source.fail(
                f"{source.notes.unit} {int(places[bad[0]]):,}: the word is not UTF-8; convert the file to UTF-8"
            ) from None
        source.notes.found("not UTF-8", places[bad])
        words = [raw[ends[row] : ends[row + 1]].decode("utf-8", "replace") for row in range(len(ends) - 1)]
        return pa.array(words, pa.large_string())
    return array


def _is_utf8(word: bytes) -> bool:
    try:
        word.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


# Words beside a table


def vocabulary(source: Source) -> pa.Array:
    """The words of the companion file, one a line (lines may end in CR LF; a last empty line is none)."""
    path = source.companion
    assert path is not None
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    lines = raw.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if lines and all(line.endswith(b"\r") for line in lines):
        lines = [line[:-1] for line in lines]
        source.notes.say(f"{path.name} has CR LF line ends: read as plain ones")
    words = []
    for number, line in enumerate(lines, 1):
        try:
            words.append(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise UnreadableError(f"{path}, line {number:,}: not UTF-8 ({error.reason})") from None
    if path.name.endswith(".counts.vocab") or _is_gensims(source.path):
        words = _without_counts(words)
    return pa.array(words, pa.large_string())


def _is_gensims(path: Path) -> bool:
    return path.name.endswith((".vectors.npy", ".syn0.npy", ".wv.vectors.npy"))


def _without_counts(words: list[str]) -> list[str]:
    """gensim's and word2vec's vocabulary files have the word's count after it."""
    parted = [word.rsplit(" ", 1) for word in words]
    if all(len(parts) == 2 and parts[1].isdigit() for parts in parted):
        return [parts[0] for parts in parted]
    return words


COMPANIONS = (".vocab", ".vocab.txt", ".words", ".words.txt")


def find_vocabulary(path: Path) -> Path:
    """The vocabulary beside a table without words; raises `NotFoundError` naming what was looked for."""
    base = path.name.removesuffix(path.suffix)
    gensims = (".wv.vectors", ".vectors", ".syn0")
    stems = [base, *(base.removesuffix(ending) for ending in gensims if base.endswith(ending))]
    names = [stem + ending for stem in stems for ending in COMPANIONS]
    for name in names:
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise NotFoundError(
        f"{path} needs a vocabulary beside it: {base}.vocab, one word a line, in the rows' order"
        + (
            "; gensim keeps the words of a .vectors.npy in the pickle beside it, which is not opened: write them with"
            f" KeyedVectors.load({stems[-1]!r}).save_word2vec_format({stems[-1] + '.bin'!r}, binary=True)"
            if len(stems) > 1
            else ""
        )
    )


def find_metadata(path: Path) -> Path | None:
    """The words beside a TensorBoard table of vectors, None when there are none."""
    stem = path.name.removesuffix(path.suffix)
    parts = [part for part in ("vectors", "tensor", "tensors") if stem.endswith(part)]
    names = [f"{stem}_metadata.tsv", *(stem.removesuffix(part) + "metadata.tsv" for part in parts)]
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


# The readers

# damage is met in many ways: a header that is no Python, sizes beyond any number, members that don't unpack or want a password
NPY_FAULTS = (
    ValueError, OSError, EOFError, LookupError, ArithmeticError, RuntimeError, TypeError, MemoryError, SyntaxError,
    tokenize.TokenError,
)  # fmt: skip
NPZ_FAULTS = (*NPY_FAULTS, zlib.error, zipfile.BadZipFile)


def read_npy(source: Source) -> Iterator[Block]:
    """`.npy` with its vocabulary beside it."""
    try:
        table = np.load(source.path, mmap_mode="r", allow_pickle=False)
    except NPY_FAULTS as error:
        raise source.fail(f"not a .npy file of numbers: {_line(error)}") from None
    yield from paired(source, vocabulary(source), float_table(source, table, source.path.name), source.path.name)


def read_npz(source: Source) -> Iterator[Block]:
    """`.npz`: its one table of numbers, and its one list of strings, else the vocabulary beside it."""
    try:
        with np.load(source.path, allow_pickle=False) as file:
            headers = {name: _npz_header(source, name) for name in file.files}
            tables = [name for name, (shape, dtype) in headers.items() if len(shape) == 2 and dtype.kind in "fiu"]
            lists = [name for name, (shape, dtype) in headers.items() if len(shape) == 1 and dtype.kind in "US"]
            if len(tables) != 1 or len(lists) > 1:
                held = _few([f"{name} {dtype} {shape}" for name, (shape, dtype) in headers.items()])
                raise source.fail(
                    f"one table of numbers (n, dim) and one list of words (n,) are needed; it holds: {held}"
                )
            table = float_table(source, file[tables[0]], tables[0])
            if lists:
                names = file[lists[0]]
                words = pa.array(np.char.decode(names, "utf-8") if names.dtype.kind == "S" else names, pa.string())
            else:
                words = None
    except UserError:
        raise
    except NPZ_FAULTS as error:
        raise source.fail(f"not a .npz file of numbers: {_line(error)}") from None
    if words is None:
        if source.companion is None:
            raise NotFoundError(f"{source.path} holds no list of words and has no {source.path.stem}.vocab beside it")
        words = vocabulary(source)
    yield from paired(source, words.cast(pa.large_string()), table, tables[0])


def _npz_header(source: Source, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with zipfile.ZipFile(source.path) as archive, archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(member)
    if dtype.hasobject:
        raise source.fail(f"{name} is an array of Python objects, which only a pickle holds; save the words as strings")
    return shape, dtype


def read_safetensors(source: Source) -> Iterator[Block]:
    """safetensors: its one table of numbers, with the words inside (as they are written here) or beside it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(source.path, framework="np") as tensors:
            shapes = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            tables = [name for name, part in shapes.items() if len(part.get_shape()) == 2]
            if len(tables) != 1:
                held = _few([f"{name} {tuple(part.get_shape())}" for name, part in shapes.items()])
                raise source.fail(f"one table (n, dim) is needed; it holds: {held}")
            table = shapes[tables[0]]
            n, dim = table.get_shape()
            check_dim(source, dim)
            if {"words.utf8", "words.ends"} <= set(shapes):
                ends = np.concatenate([np.zeros(1, np.int64), tensors.get_tensor("words.ends").astype(np.int64)])
                raw = tensors.get_tensor("words.utf8").astype(np.uint8).tobytes()
                if (np.diff(ends) < 0).any() or ends[-1] != len(raw):
                    raise source.fail("its list of words is damaged")
                words = strings(source, raw, ends, np.arange(1, len(ends), dtype=np.int64))
            elif source.companion is not None:
                words = vocabulary(source)
            else:
                raise NotFoundError(f"{source.path} holds no words and has no {source.path.stem}.vocab beside it")
            if table.get_dtype() == "BF16":
                yield from paired(source, words, _bfloat16(source.path, tables[0]), tables[0])
            else:
                yield from paired(source, words, _Slices(table, (n, dim)), tables[0])
    except (SafetensorError, OSError, TypeError) as error:
        raise source.fail(f"can't be read as safetensors: {_line(error)}") from None


class _Slices:
    """A tensor of a file, read a slice at a time."""

    def __init__(self, part: Any, shape: tuple[int, int]):
        self._part, self.shape = part, shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Any:
        return self._part[rows.start : min(rows.stop, self.shape[0])]


def _bfloat16(path: Path, name: str) -> Any:
    """A bfloat16 table as float32: NumPy has no such numbers, but they are the upper halves of float32's."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))[name]
    start = 8 + length + int(header["data_offsets"][0])
    shape = tuple(header["shape"])
    halves = np.memmap(path, "<u2", "r", start, shape)

    class Widened(_Slices):
        def __getitem__(self, rows: slice) -> Any:
            return (halves[rows].astype(np.uint32) << 16).view(np.float32)

    return Widened(None, shape)


def read_parquet(source: Source) -> Iterator[Block]:
    """Parquet: a column of words, and the vectors as lists in one column or as a column of numbers each."""
    # a damaged file is met in many ways: names that are not UTF-8, kinds that don't exist, pages that don't unpack
    faults = (pa.ArrowException, OSError, ValueError, LookupError, MemoryError)
    try:
        file = pq.ParquetFile(source.path)
        schema = file.schema_arrow
    except faults as error:
        raise source.fail(f"can't be read as Parquet: {_line(error)}") from None
    words, numbers = _parquet_columns(source, schema)
    row, dim = 0, None
    try:
        for batch in file.iter_batches(batch_size=8192, columns=[words, *numbers]):
            places = np.arange(row + 1, row + 1 + batch.num_rows, dtype=np.int64)
            row += batch.num_rows
            names = pc.fill_null(batch.column(words).cast(pa.large_string()), "")
            names.validate(full=True)
            vectors = _parquet_vectors(source, batch, numbers, row)
            if dim is not None and vectors.shape[1] != dim:
                raise source.fail(f"the vectors up to row {row:,} are not all of one width: {dim}, {vectors.shape[1]}")
            dim = vectors.shape[1]
            yield Block(names, vectors, places)
    except UserError:
        raise
    except faults as error:
        raise source.fail(f"damaged: {_line(error)}") from None


def _line(error: "Exception | str") -> str:
    """What a library or a file says, in a line of bearable length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 240 else text[:239] + "…"


def _few(parts: list[str]) -> str:
    """The first of what a file holds."""
    more = f" and {len(parts) - SHOWN:,} more" if len(parts) > SHOWN else ""
    return (", ".join(map(_line, parts[:SHOWN])) or "nothing") + more


def _parquet_columns(source: Source, schema: pa.Schema) -> tuple[str, list[str]]:
    texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    lists = [f.name for f in schema if _is_list(f.type) and pa.types.is_floating(f.type.value_type)]
    plain = [f.name for f in schema if pa.types.is_floating(f.type)]
    held = _few([f"{f.name} {f.type}" for f in schema])
    named = [name for name in ("word", "key", "token", "index", "text") if name in texts]
    if not (named or len(texts) == 1):
        raise source.fail(f"a column of strings named word is needed; it has: {held}")
    if not lists and not plain:
        raise source.fail(f"a column of lists of floats named vector is needed; it has: {held}")
    vector = next((name for name in ("vector", "embedding") if name in lists), lists[0] if lists else "")
    return (named or texts)[0], [vector] if vector else plain


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _parquet_vectors(source: Source, batch: pa.RecordBatch, numbers: list[str], row: int) -> Floats:
    if len(numbers) > 1 or not _is_list(batch.column(numbers[0]).type):
        columns = [batch.column(name).cast(pa.float32()).to_numpy(zero_copy_only=False) for name in numbers]
        return np.ascontiguousarray(np.stack(columns, axis=1), np.float32)
    column = batch.column(numbers[0])
    widths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(widths) != 1 or widths[0] is None:
        raise source.fail(f"the vectors up to row {row:,} are not all of one width: {sorted(map(str, widths))[:5]}")
    flat = column.flatten().cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    check_dim(source, int(widths[0]))
    vectors: Floats = np.asarray(flat, np.float32).reshape(batch.num_rows, int(widths[0]))
    return vectors


def read_word2vec_binary(source: Source) -> Iterator[Block]:
    """word2vec's binary layout: `count width`, then each word, a space and its little-endian floats."""
    with read_errors(source), source.opened() as file:
        header = file.readline(SNIFFED)
        if not is_header(header):
            raise source.fail("line 1: the number of vectors and their width were expected")
        count, dim = (int(part) for part in header.split())
        check_dim(source, dim, "line 1: ")
        width = 4 * dim
        rest, row, whole = b"", 0, True
        while True:
            chunk = file.read(max(BLOCK_BYTES, width + MAX_WORD_BYTES))
            data = rest + chunk
            names, starts, at = [], [], 0
            while True:
                space = data.find(b" ", at, at + MAX_WORD_BYTES)
                if space < 0 or space + 1 + width > len(data):
                    break
                names.append(data[at:space].lstrip(b"\n"))
                starts.append(space + 1)
                at = space + 1 + width
            if names:
                yield _binary_block(source, data, names, starts, dim, row)
                row += len(names)
            rest = data[at:]
            if not chunk:
                whole = not rest.strip(b"\n")
                break
            if len(rest) >= width + MAX_WORD_BYTES:
                raise source.fail(f"row {row + 1:,}: no space after its word; this is no word2vec binary file")
    if row == 0:
        raise source.fail(f"{count:,} vectors of width {dim:,} are promised, and not one whole one is there")
    if not whole:
        source.notes.found("cut", [row + 1])
    if row != count:
        source.notes.say(f"line 1 promises {count:,} vectors, {row:,} whole ones are there: these are read")


def _binary_block(source: Source, data: bytes, names: list[bytes], starts: list[int], dim: int, row: int) -> Block:
    raw = b"".join(names)
    if b"\n" in raw or b"\0" in raw:  # words hold none: a byte is missing before, or too many
        bad = next(number for number, name in enumerate(names) if b"\n" in name or b"\0" in name)
        raise source.fail(f"row {row + bad + 1:,}: a line end or a NUL within its word; the file is damaged there")
    ends = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in names], out=ends[1:])
    places = np.arange(row + 1, row + 1 + len(names), dtype=np.int64)
    bytes_of = np.frombuffer(data, np.uint8)
    at = np.asarray(starts, np.int64)[:, None] + np.arange(4 * dim)
    vectors = np.ascontiguousarray(bytes_of[at]).view("<f4").reshape(len(names), dim).astype(np.float32, copy=False)
    return Block(strings(source, raw, ends, places, strict=False), vectors, places)


@contextmanager
def read_errors(source: Source) -> Iterator[None]:
    """A packed file that is damaged, or a disk that fails, in one line."""
    import gzip

    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise source.fail(f"can't be read to its end: {error}") from None
