"""Files of vectors as streams of blocks: memory doesn't grow with the file.

Each reader takes a `VectorSource` and yields `Block`s; what it found that the user should know goes into the source's
notes, with line or row numbers. Nothing is unpickled.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import pyarrow as pa

from polysema.core.display import clip_line
from polysema.core.errors import UnreadableError
from polysema.core.files.text_lines import MAX_DIM
from polysema.core.files.unpacking import PACKING_FAULTS
from polysema.core.space.array_types import AnyArray, Floats, Ints

BLOCK_BYTES = 2 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: `words` (m,) strings, `vectors` (m, dim) float32, `places` (m,) their lines or rows from 1, and the
    other `columns` of a table, None where there are none.
    """

    words: pa.Array
    vectors: Floats
    places: Ints
    columns: pa.RecordBatch | None = None


@dataclass(slots=True)
class ProblemNote:
    """One thing that was noticed, at how many places, and the first of them."""

    many: int = 0
    first: list[str] = field(default_factory=list)


MAX_SHOWN = 5

PROBLEM_RULES = {
    "duplicate": "{n} repeated (at {first}): the vector where the word comes first is kept",
    "not finite": "{n} with NaN or Inf (at {first}): left out",
    "spaces": "{n} with a space in the word (at {first}): read as one word each",
    "numbers": "{n} with more numbers than the others (at {first}): the first ones are read as part of the word",
    "nameless": "{n} without a word (at {first}): left out",
    "empty word": "{n} with an empty word (at {first}): kept",
    "empty": "{n} without a vector (at {first}): left out",
    "zero": "{n} all zeros (at {first}): such a vector has no direction, so its cosine with any other is shown as 0",
    "crlf": "{n} ended in CR LF (from {first}): read as plain line ends",
    "blank": "{n} blank (at {first}): passed over",
    "cut": "the last one ({first}) is cut off within its numbers: left out",
    "not UTF-8": "{n} with a word that is not UTF-8 (at {first}): the bad bytes are shown as \ufffd",
}


class Notes:
    """What a reader noticed, told to the user with line or row numbers."""

    def __init__(self, unit: str):
        self.unit = unit
        self._found: dict[str, ProblemNote] = {}
        self._said: list[str] = []

    def say(self, text: str) -> None:
        """Note something in its own words."""
        self._said.append(text)

    def found(self, rule: str, places: "Ints | list[int]", words: "list[str] | None" = None) -> None:
        """Note that a rule of `PROBLEM_RULES` was applied at these lines or rows."""
        search = self._found.setdefault(rule, ProblemNote())
        search.many += len(places)
        for number, place in enumerate(places[: MAX_SHOWN - len(search.first)]):
            word = f" {_short(words[number])}" if words is not None else ""
            search.first.append(f"{self.unit} {int(place):,}{word}")

    def lines(self) -> tuple[str, ...]:
        """The notes, a line each."""
        lines = list(self._said)
        for rule, search in self._found.items():
            if search.many:
                more = ", …" if search.many > len(search.first) else ""
                n = f"{search.many:,} {self.unit}{'s' * (search.many > 1)}"
                lines.append(PROBLEM_RULES[rule].format(n=n, first=", ".join(search.first) + more))
        return tuple(lines)


def _short(word: str) -> str:
    return repr(word if len(word) <= 30 else word[:27] + "…")


@dataclass(frozen=True, slots=True, eq=False)
class VectorSource:
    """A file to read: `opened` gives its bytes (unpacked), `companion` the file of words beside it, if it needs
    one; about `block_bytes` are read at a time.
    """

    path: Path
    opened: Callable[[], IO[bytes]]
    notes: Notes
    companion: Path | None = None
    block_bytes: int = BLOCK_BYTES

    def fail(self, what: str) -> UnreadableError:
        """The error that names the file."""
        return UnreadableError(f"{self.path}: {what}")


Reader = Callable[[VectorSource], Iterator[Block]]


class Table(Protocol):
    """Numbers (n, dim) that are read a slice of rows at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> AnyArray: ...


def check_dim(source: VectorSource, dim: int, where: str = "") -> int:
    """`dim` when vectors of that width are read, else `UnreadableError`."""
    if not 1 <= dim <= MAX_DIM:
        raise source.fail(f"{where}vectors of dimension {dim:,}; 1 to {MAX_DIM:,} are read")
    return dim


def float_table(source: VectorSource, array: AnyArray, name: str) -> AnyArray:
    """The array when it is a table of numbers, else `UnreadableError`."""
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise source.fail(f"{name} holds {array.dtype} of shape {array.shape}; (words, dim) numbers are needed")
    check_dim(source, array.shape[1])
    return array


def paired(source: VectorSource, words: pa.Array, table: Table, name: str = "the table") -> Iterator[Block]:
    """Blocks of a table (n, dim) that can be sliced, beside its n words."""
    if len(words) != len(table):
        raise source.fail(f"{len(words):,} words for the {len(table):,} rows of {name}; they must be as many")
    step = max(1, source.block_bytes // (4 * table.shape[1]))
    for start in range(0, len(words), step):
        vectors = np.asarray(table[start : start + step])
        places = np.arange(start + 1, start + 1 + len(vectors), dtype=np.int64)
        with np.errstate(over="ignore"):  # a double too large for a float becomes Inf, which has its rule
            yield Block(words[start : start + step], np.ascontiguousarray(vectors, np.float32), places)


def strings(source: VectorSource, raw: bytes, ends: "Ints", places: Ints) -> pa.Array:
    """The words in `raw`, the r-th ending at byte `ends[r + 1]`; what isn't UTF-8 is replaced, and noted."""
    array = pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(np.ascontiguousarray(ends)), pa.py_buffer(raw))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        parts = [raw[ends[row] : ends[row + 1]] for row in range(len(ends) - 1)]
        words = [part.decode("utf-8", "replace") for part in parts]
        bad = [row for row, part in enumerate(parts) if not is_utf8(part)]
        source.notes.found("not UTF-8", places[bad], [words[row] for row in bad[:MAX_SHOWN]])
        return pa.array(words, pa.large_string())
    return array


def row_names(start: int, many: int) -> pa.Array:
    """The names of rows that have no words: their numbers, from `start` on."""
    return pa.array(np.arange(start, start + many)).cast(pa.large_string())


def is_utf8(word: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    try:
        word.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def one_line(error: "Exception | str") -> str:
    """What a library or a file says, in a line of bearable length."""
    return clip_line(str(error), 240) or type(error).__name__


def few(parts: list[str]) -> str:
    """The first of what a file holds."""
    more = f" and {len(parts) - MAX_SHOWN:,} more" if len(parts) > MAX_SHOWN else ""
    return (", ".join(map(one_line, parts[:MAX_SHOWN])) or "nothing") + more


@contextmanager
def read_errors(source: VectorSource) -> Iterator[None]:
    """A packed file that is damaged, or a disk that fails, in one line."""
    try:
        yield
    except PACKING_FAULTS as error:
        raise source.fail(f"can't be read to its end: {one_line(error)}") from None
