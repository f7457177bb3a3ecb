"""`AnswerTable`: an answer as the sequence of its rows, shown as a table; the base of every answer of the explorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast, overload

from polysema.core.display import MAX_SHOWN_ROWS, Record, cell, html_table, text_table
from polysema.core.space.space import Origin

if TYPE_CHECKING:
    import pandas as pd
    from _typeshed import DataclassInstance

RowT = TypeVar("RowT")


class AnswerTable(Sequence[RowT], Generic[RowT]):
    """An answer that is a sequence of its rows, and shows itself as a table.

    `ROWS` names the field that holds the rows; an answer without one is one row, of its own fields. What a row shows of
    itself is `_record`.
    """

    __slots__ = ()
    ROWS: ClassVar[str] = ""

    def __len__(self) -> int:
        return len(getattr(self, self.ROWS)) if self.ROWS else 1

    def _row(self, place: int) -> RowT:
        """The row at a place, from 0."""
        return cast("RowT", getattr(self, self.ROWS)[place] if self.ROWS else self._facts())

    def _record(self, row: RowT) -> Record:
        """The cells of a row."""
        if isinstance(row, dict):
            return row
        if is_dataclass(row):
            return {one.name: _cell(getattr(row, one.name)) for one in fields(row)}
        names = getattr(row, "_fields", None) or ("word", "cosine")
        return dict(zip(names, cast("tuple[object, ...]", row), strict=True))

    @overload
    def __getitem__(self, place: int) -> RowT: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[RowT, ...]: ...
    def __getitem__(self, place: int | slice) -> RowT | tuple[RowT, ...]:
        if isinstance(place, slice):
            return tuple(self._row(one) for one in range(len(self))[place])
        return self._row(range(len(self))[place])  # an IndexError for a row that isn't there

    def __bool__(self) -> bool:
        """An answer is there, also one without a row."""
        return True

    def _facts(self) -> dict[str, object]:
        """What stands in the answer beside its rows: texts, numbers, short lists, and its card."""
        found: dict[str, object] = {}
        for one in fields(cast("DataclassInstance", self)):
            value = getattr(self, one.name)
            if isinstance(value, Origin):
                found[one.name] = value.card()
            elif one.name != self.ROWS and _is_shown(value):
                found[one.name] = value
        return found

    def _records(self, limit: int) -> list[Record]:
        """The cells of the first rows, without a column in which all of them are empty."""
        found = [self._record(row) for row in self[:limit]]
        used = {name for one in found for name, value in one.items() if value not in ("", None)}
        return [{name: value for name, value in one.items() if name in used} for one in found]

    def _title(self) -> str:
        facts = self._facts() if self.ROWS else {}
        return f"{type(self).__name__}({', '.join(f'{name}={cell(value)}' for name, value in facts.items())})"

    def __repr__(self) -> str:
        return text_table(self._title(), self._records(MAX_SHOWN_ROWS), len(self))

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._records(MAX_SHOWN_ROWS), len(self))

    def to_dict(self) -> dict[str, object]:
        """The whole answer as JSON types: what the command line and the service write of it.

        Returns:
            A value for each field.
        """
        from polysema.app.explorer.serialization import json_object

        return {**json_object(self)}

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a data frame.

        Returns:
            A line for each row, a column for each of its parts.
        """
        import pandas as pd

        return pd.DataFrame.from_records([dict(one) for one in self._records(len(self))])


def _is_shown(value: object) -> bool:
    """Whether a field is text, a number, or a list of such, and says something."""
    if isinstance(value, tuple):
        return bool(value) and isinstance(value[0], (str, int, float))
    return isinstance(value, (str, int, float)) and value != ""


def _cell(value: object) -> object:
    """A part of a row as a cell: of rows within a row their words."""
    if isinstance(value, tuple):
        return tuple(getattr(one, "key", getattr(one, "word", one)) for one in value)
    return value
