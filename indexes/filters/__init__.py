"""A small language for conditions on the columns of a space: `layer >= 6 and word in ("bank", "shore")`.

A name is compared (`=`, `==`, `!=`, `<>`, `<`, `<=`, `>`, `>=`), tested with `in (…)`, `between a and b`,
`starts with "ba"`, `ends with "er"`, `contains "iver"`, `like "b_n%"`, `matches "^b.nk$"` (a regular expression, found
anywhere) or `is null`, each of these also with `not`. `icontains`, `ilike`, `imatches`, `istarts with` and `iends with`
take capitals and small letters for the same. Of a list `contains` is one of its elements, and the others test each of
them. Conditions are joined by `and`, `or`, `not` and parentheses. Keywords are in any case, odd names in backticks,
strings in ' or ". As in SQL, a comparison with a missing value is neither true nor false: neither it nor its negation
lets the row through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rapidfuzz import fuzz, process

from polysema.core.display import clip_text
from polysema.core.errors import IncompatibleError, PolysemaError
from polysema.indexes.filters.conditions import BooleanGroup, Condition, Node, Not, conditions_in
from polysema.indexes.filters.evaluation import Column, evaluate, run, true_rows
from polysema.indexes.filters.grammar import MAX_DEPTH, MAX_TESTS, read_node

__all__ = ["MAX_DEPTH", "MAX_TESTS", "BooleanGroup", "Condition", "Filter", "Not", "parse"]


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition that was read. `str()` of it is the same condition, written out."""

    node: Node

    def __str__(self) -> str:
        return str(self.node)

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that the condition is about."""
        return frozenset(test.column for test in conditions_in(self.node))

    def without(self, column: str) -> "Filter | None":
        """The filter without what it says of a column alone, where that is joined by `and`; None where nothing is
        left.
        """
        return _joined(
            [part for part in _parts(self.node) if {test.column for test in conditions_in(part)} != {column}]
        )

    def only(self, column: str) -> "Filter | None":
        """What `without` takes out."""
        return _joined(
            [part for part in _parts(self.node) if {test.column for test in conditions_in(part)} == {column}]
        )

    def joined(self, other: "Filter | None") -> "Filter":
        """Both filters."""
        if other is None:
            return self
        return Filter(BooleanGroup("and", (*_parts(self.node), *_parts(other.node))))

    def check(self, schema: pa.Schema) -> None:
        """Raise `PolysemaError` for a column that the schema hasn't, or whose type doesn't go with what it is compared
        to.
        """
        for test in conditions_in(self.node):
            places = schema.get_all_field_indices(test.column)
            if len(places) > 1:
                raise PolysemaError(
                    f"there are {len(places)} columns named {test.column!r}: a filter can't tell them apart"
                )
            if not places:
                raise _no_column(test.column, schema.names)
            evaluate(test, pa.nulls(0, schema.field(places[0]).type))

    def mask(self, columns: Mapping[str, Column], n_rows: int) -> npt.NDArray[np.bool_]:
        """Which rows pass: (n_rows,) bool.

        Raises `PolysemaError` as `check` does, `IncompatibleError` for a column of another length.
        """
        for name in sorted(self.columns):
            if name not in columns:
                raise _no_column(name, list(columns))
            if len(columns[name]) != n_rows:
                raise IncompatibleError(
                    f"column {name!r} has {len(columns[name]):,} rows where {n_rows:,} are filtered; they must "
                    "be as many"
                )
        return true_rows(run(self.node, columns), n_rows)

    def mask_of(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Which rows of a table pass: (n_rows,) bool; raises as `mask` does."""
        self.check(table.schema)
        return self.mask({name: table.column(name) for name in self.columns}, table.num_rows)


def _parts(node: Node) -> tuple[Node, ...]:
    """What a filter joins by `and`."""
    return node.parts if isinstance(node, BooleanGroup) and node.word == "and" else (node,)


def _joined(parts: Sequence[Node]) -> Filter | None:
    if not parts:
        return None
    return Filter(parts[0] if len(parts) == 1 else BooleanGroup("and", tuple(parts)))


def _no_column(name: str, there: Sequence[str]) -> PolysemaError:
    shown = ", ".join(there[:20]) + (", …" if len(there) > 20 else "")
    near = process.extractOne(name[:100], there, scorer=fuzz.ratio, score_cutoff=50)
    hint = f"; did you mean {near[0]}?" if near else ""
    return PolysemaError(f"there is no column {clip_text(name)!r} to filter by; there are: {shown or 'none'}{hint}")


def parse(text: str) -> Filter:
    """The filter that a text says; raises `PolysemaError` with the place and what was expected there."""
    return Filter(read_node(text))
