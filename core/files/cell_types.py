"""The types of columns whose cells are texts: numbers, booleans, dates, times and lists, found over all of a column.

A column has a type when every cell of it has that form: `007` is no number, `03/04/2024` (which country's?) no date.
"""

import ast
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_INTEGER = r"-?(?:0|[1-9]\d{0,17})"
_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][-+]?\d{1,3})?|-?\.\d+(?:[eE][-+]?\d{1,3})?"
_DATE = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?"
MISSING = r"^\s*(?:NA|N/A|n/a|NaN|nan|null|NULL|None)?\s*$"  # of a column that has a type: no value
MAX_LIST_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class CellType:
    """A type that the cells of a column may have: its Arrow type, what a cell looks like, and how cells are read."""

    kind: pa.DataType
    pattern: str
    parse: Callable[[pa.Array], pa.Array]

    def fits(self, cells: pa.Array) -> bool:
        """Whether all of these cells, none of them blank, are of the type."""
        if not pc.all(pc.match_substring_regex(cells, f"^(?:{self.pattern})$")).as_py():
            return False
        try:
            self.parse(cells)
        except (pa.ArrowException, ValueError):
            return False
        return True


def _cast(kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    return lambda cells: cells.cast(kind)


def _decimal_comma(cells: pa.Array) -> pa.Array:
    return pc.replace_substring(cells, ",", ".").cast(pa.float64())


def _boolean(cells: pa.Array) -> pa.Array:
    return pc.equal(pc.utf8_lower(cells), "true")


def _day_first(cells: pa.Array) -> pa.Array:
    return pc.strptime(cells, "%d.%m.%Y", "s").cast(pa.date32())


def _list_in(text: str) -> list[object]:
    """The list that a cell holds, as JSON or as Python prints it; raises `ValueError`."""
    if len(text) > MAX_LIST_CHARACTERS:
        raise ValueError("too long for a list")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (SyntaxError, MemoryError, RecursionError, TypeError) as error:
            raise ValueError(str(error)) from None
    if not isinstance(value, list):
        raise ValueError("no list")
    return value


def _lists(of: pa.DataType, types: tuple[type, ...]) -> Callable[[pa.Array], pa.Array]:
    def parse(cells: pa.Array) -> pa.Array:
        lists = [None if text is None else _list_in(text) for text in cells.to_pylist()]
        if not all(type(one) in types for values in lists if values is not None for one in values):
            raise ValueError("a value of another type")
        return pa.array(lists, pa.list_(of))

    return parse


DATE_TYPES = (
    CellType(pa.date32(), _DATE, _cast(pa.date32())),
    CellType(pa.timestamp("us"), rf"{_DATE}(?:[T ]{_CLOCK})?", _cast(pa.timestamp("us"))),
    CellType(
        pa.timestamp("us", "UTC"),
        rf"{_DATE}[T ]{_CLOCK}(?:Z|[-+]\d{{2}}:?\d{{2}})",
        _cast(pa.timestamp("us", "UTC")),
    ),
)
CELL_TYPES = (  # in order: of several the first is taken
    CellType(pa.int64(), _INTEGER, _cast(pa.int64())),
    CellType(pa.float64(), _NUMBER, _cast(pa.float64())),
    CellType(pa.bool_(), "(?i:true|false)", _boolean),
    *DATE_TYPES,
    CellType(pa.date32(), r"\d{1,2}\.\d{1,2}\.\d{4}", _day_first),
    CellType(pa.list_(pa.int64()), r"(?s)\[.*\]", _lists(pa.int64(), (int,))),
    CellType(pa.list_(pa.float64()), r"(?s)\[.*\]", _lists(pa.float64(), (int, float))),
    CellType(pa.list_(pa.string()), r"(?s)\[.*\]", _lists(pa.string(), (str,))),
)
DECIMAL_COMMA = CellType(pa.float64(), rf"{_INTEGER}(?:,\d+)?", _decimal_comma)


class CellTypes:
    """What a column of texts may be, narrowed by each part of it that is seen.

    Args:
        types: what is tried, in order; `CELL_TYPES` where nothing is given.
    """

    def __init__(self, types: Sequence[CellType] = CELL_TYPES):
        self._left = list(types)
        self._seen = False

    def see(self, cells: pa.Array) -> None:
        """Look at some cells (strings, null where there is none)."""
        if not self._left:
            return
        filled = _stripped(cells).drop_null()
        if len(filled):
            self._seen = True
            self._left = [one for one in self._left if one.fits(filled)]

    @property
    def found(self) -> CellType | None:
        """The type of the column; None for strings, and where every cell is blank."""
        return self._left[0] if self._seen and self._left else None


def _stripped(cells: pa.Array) -> pa.Array:
    """Cells without blanks around them, null for those that stand for no value."""
    missing = pc.match_substring_regex(cells, MISSING)
    return pc.utf8_trim_whitespace(pc.if_else(missing, pa.scalar(None, cells.type), cells))


def parse_cells(cells: pa.Array, found: CellType | None) -> pa.Array:
    """Cells as values of a type, or as strings, null where there is nothing in them."""
    if found is None:
        return pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
    return found.parse(_stripped(cells))


def type_of_cells(parts: Iterable[pa.Array], types: Sequence[CellType] = CELL_TYPES) -> CellType | None:
    """The type of a column that comes in parts; None for strings."""
    seen = CellTypes(types)
    for part in parts:
        seen.see(part)
    return seen.found
