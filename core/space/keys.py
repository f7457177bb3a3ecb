"""`Keys`: the names of the rows of a space."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.core.display import HtmlRepr
from polysema.core.space.array_types import Ints
from polysema.core.space.spelling import SpellingVariants, encoded

MAX_SCANS = (
    4  # look-ups by scanning; from the next one on the names are sorted, which takes as long as some hundred scans
)
MAX_CACHED_NAMES = 65_536  # look-ups that are remembered
MAX_SINGLE_NAMES = 1000  # names that are taken one by one: for an array of rows Arrow would import pandas
SCAN_ROWS = 4096  # fewer names than this are always scanned
BATCH_LOOKUP = 8  # from this many words on, one hash table of all keys beats a scan for each
SORTED_LOOKUP = 1000  # once the names are sorted: from this many on
SPELLINGS = 200_000  # spellings are looked for among this many of the first (most frequent) names


class Keys(HtmlRepr, Sequence[str]):
    """The names of the rows: a sequence of strings kept as one Arrow array, so that 400,000 of them open at once.

    Args:
        names: One for each row; they may repeat.

    Example:
        >>> keys = Keys(["bank", "river", "bank"])
        >>> keys.row("bank"), keys.all_rows("bank").tolist(), "shore" in keys
        (0, [0, 2], False)
    """

    def __init__(self, names: "pa.Array | pa.ChunkedArray | Iterable[str]"):
        if isinstance(names, pa.ChunkedArray):
            names = names.combine_chunks()
        if not isinstance(names, pa.Array):
            names = pa.array(list(names), pa.large_string())
        self.array = names if names.type == pa.large_string() else names.cast(pa.large_string())
        self._asked = 0
        self._known: dict[str, int] = {}

    def __repr__(self) -> str:
        shown = ", ".join(repr(name) for name in self[:3])
        return f"Keys({len(self):,}: {shown}{', …' if len(self) > 3 else ''})"

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            names: list[str] = self.array[row].to_pylist()
            return names
        return str(self.array[int(row)].as_py())

    def __iter__(self) -> Iterator[str]:
        return iter(self.array.to_pylist())

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.row(word) >= 0

    def row(self, word: str) -> int:
        """First row of that name. After some scans a sorted order of the names is made and used.

        Args:
            word: The name, letter by letter.

        Returns:
            A row from 0, or -1 when there is none.
        """
        known = self._known.get(word)
        return self._first_row(word, encoded(word)) if known is None else known

    def _first_row(self, word: str, name: bytes) -> int:
        """First row of a name whose bytes are at hand, which is remembered."""
        if (row := self._known.get(word)) is not None:
            return row
        self._asked += 1
        row = self._scan(name) if self._asked <= MAX_SCANS or len(self) < SCAN_ROWS else self._bisect(name)
        if len(self._known) < MAX_CACHED_NAMES:
            self._known[word] = row
        return row

    def row_otherwise(self, word: str, ignore_case: bool = False, letters: bool = True) -> int:
        """First row whose name is the same text written otherwise (see `spelling.fold`).

        Args:
            word: A text.
            ignore_case: Whether capitals count for small letters.
            letters: Whether letters that stand for others (ß for ss) count for them.

        Returns:
            A row from 0, or -1 when there is none.
        """
        return self._otherwise.row(word, self.row, ignore_case, letters)

    @cached_property
    def _otherwise(self) -> SpellingVariants:
        return SpellingVariants(self.array)

    def _scan(self, name: bytes) -> int:
        """The first row whose bytes these are, narrowed down byte by byte. (Arrow's own search would import pandas.)"""
        starts, data = self.text
        rows = np.flatnonzero(np.diff(starts) == len(name))
        letters = np.frombuffer(data, np.uint8)
        for place, letter in enumerate(name):
            rows = rows[letters[starts[rows] + place] == letter]
        return int(rows[0]) if len(rows) else -1

    def _bisect(self, name: bytes) -> int:
        at = bisect_left(self._order, name, key=lambda row: self.array[row].as_buffer().to_pybytes())
        if at < len(self._order) and self.array[row := int(self._order[at])].as_buffer().to_pybytes() == name:
            return row
        return -1

    @cached_property
    def _order(self) -> Ints:
        """The rows in the order of their names' bytes, equal names in row order: (n,)."""
        order: Ints = pc.sort_indices(self.array).to_numpy()
        return order

    def rows(self, words: Sequence[str]) -> Ints:
        """First row of each name.

        Args:
            words: n names.

        Returns:
            (n,) rows from 0, -1 where there is none.
        """
        if len(words) < (BATCH_LOOKUP if self._asked <= MAX_SCANS else SORTED_LOOKUP):
            each = zip(words, [encoded(word) for word in words], strict=True)
            return np.array([self._first_row(word, name) for word, name in each], np.int64)
        self._asked += len(words)
        try:
            names = pa.array(words, self.array.type)
        except UnicodeEncodeError:
            names = pa.array([encoded(word) for word in words], pa.large_binary())  # raises for the one that can't be
        found = pc.index_in(names, value_set=self.array).fill_null(-1)
        rows: Ints = found.to_numpy(zero_copy_only=False).astype(np.int64)
        return rows

    def all_rows(self, word: str) -> Ints:
        """Every row of that name.

        Args:
            word: The name, letter by letter.

        Returns:
            (m,) rows, ascending.
        """
        return np.flatnonzero(pc.equal(self.array, word).to_numpy(zero_copy_only=False)).astype(np.int64)

    def take(self, rows: Ints) -> list[str]:
        """The names of these rows.

        Args:
            rows: (n,) rows from 0.

        Returns:
            n names.
        """
        if len(rows) >= MAX_SINGLE_NAMES:
            names: list[str] = self.array.take(pa.array(rows)).to_pylist()
            return names
        starts, data = self.text
        places = zip(starts[rows].tolist(), starts[rows + 1].tolist(), strict=True)
        return [str(data[start:end], "utf-8") for start, end in places]

    @cached_property
    def text(self) -> tuple[Ints, memoryview]:
        """Where each name begins, (n + 1,), and the bytes of all of them."""
        _, offsets, data = self.array.buffers()
        starts = np.frombuffer(offsets, np.int64)[self.array.offset : self.array.offset + len(self) + 1]
        return starts, memoryview(data if data is not None else b"")

    @cached_property
    def _spellings(self) -> list[str]:
        names: list[str] = self.array[:SPELLINGS].to_pylist()
        return names

    def nearest_spellings(self, word: str, limit: int = 5) -> tuple[str, ...]:
        """The names most like a word; of equal ones the earlier row, which is the more frequent word.

        Args:
            word: A word that may be misspelt.
            limit: The most that are given.

        Returns:
            Names of the first 200,000 rows, best first; none for a word of over 100 letters.
        """
        if len(word) > 100:
            return ()
        from rapidfuzz import fuzz, process

        found = process.extract(word.lower(), self._spellings, scorer=fuzz.ratio, limit=limit, score_cutoff=60)
        return tuple(str(name) for name, _, _ in sorted(found, key=lambda hit: (-round(hit[1]), hit[2])))
