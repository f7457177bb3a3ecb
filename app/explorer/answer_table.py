"""`AnswerTable`: an answer as the sequence of its rows, shown as a table; the base of every answer of the explorer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, overload

from polysema.core.display import MAX_SHOWN_ROWS, Record, html_table, text_table
from polysema.core.space.space import Origin

if TYPE_CHECKING:
    import pandas as pd

RowT = TypeVar("RowT")


class AnswerTable(Sequence[RowT], Generic[RowT]):
    """An answer that is asked like a sequence of its rows, and shows itself as a table.

    `ROWS` names the field that holds the rows, `COLUMNS` the columns of rows that are tuples.
    """

    __slots__ = ()
    ROWS: ClassVar[str] = ""
    COLUMNS: ClassVar[tuple[str, ...]] = ()

    @property
    def _rows(self) -> Sequence[RowT]:
        rows: Sequence[RowT] = getattr(self, self.ROWS)
        return rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[RowT]:
        return iter(self._rows)

    @overload
    def __getitem__(self, place: int) -> RowT: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[RowT]: ...
    def __getitem__(self, place: int | slice) -> RowT | Sequence[RowT]:
        return self._rows[place]

    def __bool__(self) -> bool:
        """An answer is there, also one without a row."""
        return True

    def _record(self, row: RowT) -> Record:
        """A row of the table."""
        if isinstance(row, dict):
            return row
        if is_dataclass(row):
            return {one.name: _plain(getattr(row, one.name)) for one in fields(row)}
        return dict(zip(self.COLUMNS, tuple(row), strict=True))  # type: ignore[call-overload]

    def _records(self, limit: int | None = None) -> list[Record]:
        """The rows of the table, those of the first `limit` (None: all); no column in which all cells are empty."""
        found = [self._record(self[place]) for place in range(min(len(self), limit or len(self)))]
        used = {name for one in found for name, value in one.items() if value not in ("", None)}
        return [{name: value for name, value in one.items() if name in used} for one in found]

    def _title(self) -> str:
        """What is not in the rows, on one line."""
        parts = []
        for one in fields(self):  # type: ignore[arg-type]
            value = getattr(self, one.name)
            if isinstance(value, Origin):
                parts.append(f"origin={value.card()}")
            elif one.name != self.ROWS and isinstance(value, (str, int, float)) and value != "":
                parts.append(f"{one.name}={value:.4f}" if isinstance(value, float) else f"{one.name}={value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def __repr__(self) -> str:
        return text_table(self._title(), self._records(MAX_SHOWN_ROWS), len(self))

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._records(MAX_SHOWN_ROWS), len(self))

    def to_dict(self) -> dict[str, object]:
        """The whole answer as JSON types: what the command line and the service write of it."""
        from polysema.app.explorer.serialization import to_json

        found: dict[str, object] = to_json(self)
        return found

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a table, one column for each of their parts."""
        import pandas as pd

        return pd.DataFrame.from_records([dict(one) for one in self._records()])


def _plain(value: object) -> object:
    """A part of a row as a cell: of rows within a row their names."""
    if isinstance(value, tuple):
        return tuple(getattr(one, "key", getattr(one, "word", one)) for one in value)
    return value
