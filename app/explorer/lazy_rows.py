"""Rows of an answer that become dictionaries when they are looked at: all of them at once would take ten times the
memory of the table that they stand in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, object]
STEP_ROWS = 256  # rows that are read together


class LazyRows(Sequence[Row]):
    """A list of rows that are made when they are read, and not kept."""

    @abstractmethod
    def read(self, start: int, stop: int) -> list[Row]:
        """The rows from one place to before another."""

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            return self.read(start, stop) if step == 1 else self.read(0, len(self))[place]
        place = range(len(self))[place]
        return self.read(place, place + 1)[0]

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, len(self), STEP_ROWS):
            yield from self[start : start + STEP_ROWS]


class TableRows(LazyRows):
    """The rows of a table."""

    def __init__(self, table: pa.Table):
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def read(self, start: int, stop: int) -> list[Row]:
        """The rows from one place to before another."""
        found: list[Row] = self._table.slice(start, max(0, stop - start)).to_pylist()
        return found
