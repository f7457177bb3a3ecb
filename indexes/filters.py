"""A small language for conditions on the columns of a space: `layer >= 6 and word in ("bank", "shore")`.

A name is compared (`=`, `==`, `!=`, `<>`, `<`, `<=`, `>`, `>=`), tested with `in (…)`, `between a and b`,
`starts with "ba"` or `is null`, each of the last four also with `not`; conditions are joined by `and`, `or`, `not` and
parentheses. Keywords are in any case, odd names in backticks, strings in ' or ". As in SQL, a comparison with a
missing value is neither true nor false: neither it nor its negation lets the row through.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import fuzz, process

from polysema.core.errors import IncompatibleError, UserError

MAX_TEXT = 200_000  # characters
MAX_DEPTH = 50  # parentheses within parentheses
MAX_TESTS = 1_000  # conditions: each is a pass over all rows
MAX_DIGITS = 60
MAX_EXPONENT = 330  # a float64 ends before it, and exact fractions stay small

Value: TypeAlias = "bool | int | Decimal | str"
Column: TypeAlias = "pa.Array | pa.ChunkedArray"

KEYWORDS = frozenset({"and", "or", "not", "in", "between", "is", "null", "true", "false", "starts", "with"})
ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t"}
COMPARED = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
SAME = {"==": "=", "<>": "!="}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<name>[^\W\d]\w*)
    | `(?P<quoted>(?:[^`]|``)+)`
    | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)
    | (?P<string>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")
    | (?P<sign><=|>=|<>|!=|==|=|<|>|\(|\)|,)
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


# What a filter is


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on one column. `op` is one of =, !=, <, <=, >, >=, in, between, starts with, is null."""

    column: str
    op: str
    values: tuple[Value, ...] = ()

    def __str__(self) -> str:
        name, shown = _name(self.column), [_literal(value) for value in self.values]
        if self.op == "in":
            return f"{name} in ({', '.join(shown)})"
        return " ".join([name, self.op, " and ".join(shown)]).rstrip()


@dataclass(frozen=True, slots=True)
class Not:
    """True where `inner` is false; unknown where it is unknown."""

    inner: "Node"

    def __str__(self) -> str:
        return f"not ({self.inner})"


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions, all of which (`and`) or one of which (`or`) must be true."""

    word: str
    parts: "tuple[Node, ...]"

    def __str__(self) -> str:
        return f" {self.word} ".join(f"({part})" if isinstance(part, Joined) else str(part) for part in self.parts)


Node: TypeAlias = "Condition | Not | Joined"


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition that was read. `str()` of it is the same condition, written out."""

    node: Node

    def __str__(self) -> str:
        return str(self.node)

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that the condition is about."""
        return frozenset(test.column for test in _tests(self.node))

    def check(self, schema: pa.Schema) -> None:
        """Raise `UserError` for a column that the schema hasn't, or whose type doesn't go with what it is compared to."""
        for test in _tests(self.node):
            places = schema.get_all_field_indices(test.column)
            if len(places) > 1:
                raise UserError(
                    f"there are {len(places)} columns named {test.column!r}: a filter can't tell them apart"
                )
            if not places:
                raise _no_column(test.column, schema.names)
            _evaluate(test, pa.nulls(0, schema.field(places[0]).type))

    def mask(self, columns: Mapping[str, Column], n_rows: int) -> npt.NDArray[np.bool_]:
        """Which rows pass: (n_rows,) bool.

        Raises `UserError` as `check` does, `IncompatibleError` for a column of another length.
        """
        for name in sorted(self.columns):
            if name not in columns:
                raise _no_column(name, list(columns))
            if len(columns[name]) != n_rows:
                raise IncompatibleError(
                    f"column {name!r} has {len(columns[name]):,} rows where {n_rows:,} are filtered; they must be as many"
                )
        return _true(_run(self.node, columns), n_rows)

    def mask_of(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Which rows of a table pass: (n_rows,) bool; raises as `mask` does."""
        self.check(table.schema)
        return self.mask({name: table.column(name) for name in self.columns}, table.num_rows)


def _tests(node: Node) -> list[Condition]:
    if isinstance(node, Condition):
        return [node]
    parts = (node.inner,) if isinstance(node, Not) else node.parts
    return [test for part in parts for test in _tests(part)]


def _name(name: str) -> str:
    plain = re.fullmatch(r"[^\W\d]\w*", name) and name.lower() not in KEYWORDS
    return name if plain else "`" + name.replace("`", "``") + "`"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return str(value)


def _no_column(name: str, there: Sequence[str]) -> UserError:
    shown = ", ".join(there[:20]) + (", …" if len(there) > 20 else "")
    near = process.extractOne(name[:100], there, scorer=fuzz.ratio, score_cutoff=50)
    hint = f"; did you mean {near[0]}?" if near else ""
    return UserError(f"there is no column {_short(name)!r} to filter by; there are: {shown or 'none'}{hint}")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


# Reading


def parse(text: str) -> Filter:
    """The filter that a text says; raises `UserError` with the place and what was expected there."""
    if len(text) > MAX_TEXT:
        raise UserError(f"a filter has at most {MAX_TEXT:,} characters; got {len(text):,}")
    return Filter(_Reader(text).whole())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int

    @property
    def keyword(self) -> str:
        """What a grammar rule looks at: a keyword in lower case, a sign, `end`; else nothing."""
        if self.kind == "name":
            return self.text.lower() if self.text.lower() in KEYWORDS else ""
        return self.text if self.kind == "sign" else "end" if self.kind == "end" else ""


class _Reader:
    """Recursive descent over the tokens; `or` binds less than `and`, that less than `not`."""

    def __init__(self, text: str):
        self.text, self.at, self.depth, self.tests = text, 0, 0, 0
        self.now = self._next()

    def whole(self) -> Node:
        node = self._or()
        if self.now.kind != "end":
            raise self._error("and, or, or the end of the filter")
        return node

    def _next(self) -> _Token:
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            place = len(self.text) - len(self.text[self.at :].lstrip())
            self.now = _Token("odd", self.text[place : place + 1], place)
            if self.now.text in ("'", '"', "`"):
                raise self._error(f"a closing {self.now.text}")
            raise self._error("a column, a value or an operator")
        kind = str(found.lastgroup)
        self.at = found.end()
        return _Token(kind, found[kind], found.start(kind))

    def _error(self, expected: str) -> UserError:
        place = self.now.place
        before, after = self.text[max(0, place - 30) : place], self.text[place : place + 30]
        got = "its end" if self.now.kind == "end" else repr(_short(self.now.text))
        shown = re.sub(
            r"\s", " ", f"{'…' if place > 30 else ''}{before}▸{after}{'…' if len(self.text) > place + 30 else ''}"
        )
        return UserError(f"the filter can't be read at character {place + 1}: expected {expected}, got {got}: {shown}")

    def _take(self, *words: str) -> bool:
        """Step over these words if they come next, all of them."""
        before = self.at, self.now
        for word in words:
            if self.now.keyword != word:
                self.at, self.now = before
                return False
            self.now = self._next()
        return True

    def _want(self, word: str) -> None:
        if not self._take(word):
            raise self._error(word)

    def _or(self) -> Node:
        return self._joined("or", lambda: self._joined("and", self._not))

    def _joined(self, word: str, part: Any) -> Node:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        return Joined(word, tuple(parts))

    def _not(self) -> Node:
        negated = False
        while self._take("not"):
            negated = not negated
        node = self._condition()
        if not negated:
            return node
        return node.inner if isinstance(node, Not) else Not(node)

    def _condition(self) -> Node:
        if not self._take("("):
            return self._test()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UserError(f"a filter may have {MAX_DEPTH} parentheses within each other; this one has more")
        node = self._or()
        self._want(")")
        self.depth -= 1
        return node

    def _test(self) -> Node:
        if self.now.kind not in ("name", "quoted") or self.now.keyword:
            raise self._error("a column's name (in backticks if it is an odd one), not or (")
        self.tests += 1
        if self.tests > MAX_TESTS:
            raise UserError(f"a filter has at most {MAX_TESTS:,} conditions; this one has more (use in (…) for a list)")
        column = self.now.text.replace("``", "`") if self.now.kind == "quoted" else self.now.text
        self.now = self._next()
        if self._take("is", "not", "null"):
            return Not(Condition(column, "is null"))
        if self._take("is", "null"):
            return Condition(column, "is null")
        negated = self._take("not")
        test = self._ranged(column)
        if test is None:
            if negated:
                raise self._error("in, between or starts with")
            sign = SAME.get(self.now.text, self.now.text)
            if self.now.kind != "sign" or sign not in COMPARED:
                raise self._error("an operator (=, !=, <, <=, >, >=, in, between, starts with, is null)")
            self.now = self._next()
            test = Condition(column, sign, (self._value(),))
        return Not(test) if negated else test

    def _ranged(self, column: str) -> Condition | None:
        if self._take("in"):
            self._want("(")
            values = [self._value()]
            while self._take(","):
                values.append(self._value())
            if not self._take(")"):
                raise self._error(", or )")
            return Condition(column, "in", tuple(values))
        if self._take("between"):
            low = self._value()
            self._want("and")
            return Condition(column, "between", (low, self._value()))
        starts_with = self.now.text.lower() == "starts_with" and self.now.kind == "name"
        if starts_with:
            self.now = self._next()
        if starts_with or self._take("starts", "with"):
            if self.now.kind != "string":
                raise self._error("a string in quotes")
            return Condition(column, "starts with", (self._value(),))
        return None

    def _value(self) -> Value:
        value: Value
        if self.now.kind == "string":
            value = self._string()
        elif self.now.kind == "number":
            value = self._number()
        elif self.now.keyword in ("true", "false"):
            value = self.now.keyword == "true"
        elif self.now.keyword == "null":
            raise self._error("a value (nothing equals null: write is null or is not null)")
        elif self.now.kind in ("name", "quoted") and not self.now.keyword:
            raise self._error("a value: a number, true, false, or a string in quotes")
        else:
            raise self._error("a value (a number, a string in quotes, true or false)")
        self.now = self._next()
        return value

    def _string(self) -> str:
        quote, inner = self.now.text[0], self.now.text[1:-1]

        def meant(found: re.Match[str]) -> str:
            if found[0] == quote * 2:
                return quote
            if found[0][1] not in ESCAPES:
                raise self._error(f"no {found[0]} in a string (a backslash is written \\\\)")
            return ESCAPES[found[0][1]]

        return re.sub(rf"\\.|{quote}{quote}", meant, inner, flags=re.DOTALL)

    def _number(self) -> "int | Decimal":
        text = self.now.text
        digits = text.lstrip("+-")
        if len(digits) > MAX_DIGITS:
            raise self._error(f"a number of at most {MAX_DIGITS} digits")
        if digits.isdigit():
            return int(text)
        value = Decimal(text)
        if value and abs(value.adjusted()) > MAX_EXPONENT:
            raise self._error("a number between 1e-330 and 1e+330 in size")
        return value


# Evaluating: Boolean arrays with nulls, joined as Kleene joins them


def _run(node: Node, columns: Mapping[str, Column]) -> pa.Array:
    if isinstance(node, Condition):
        column = columns[node.column]
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        if len(chunks) == 1:
            return _evaluate(node, chunks[0])
        parts = [_evaluate(node, chunk) for chunk in chunks]
        return pa.concat_arrays(parts) if parts else _evaluate(node, pa.nulls(0, column.type))
    if isinstance(node, Not):
        return pc.invert(_run(node.inner, columns))
    join = pc.and_kleene if node.word == "and" else pc.or_kleene
    result = _run(node.parts[0], columns)
    for part in node.parts[1:]:
        result = join(result, _run(part, columns))
    return result


def _true(array: pa.Array, n_rows: int) -> npt.NDArray[np.bool_]:
    """Where a Boolean array is true, not false or null: (n_rows,)."""
    if n_rows == 0:
        return np.zeros(0, np.bool_)
    bits = [_bits(buffer, array.offset, n_rows) for buffer in reversed(array.buffers()) if buffer is not None]
    return bits[0] if len(bits) == 1 else bits[0] & bits[1]


def _bits(buffer: Any, offset: int, n: int) -> npt.NDArray[np.bool_]:
    packed = np.frombuffer(buffer, np.uint8)[offset // 8 : (offset + n + 7) // 8]
    return np.unpackbits(packed, bitorder="little")[offset % 8 : offset % 8 + n].view(np.bool_)


def _evaluate(test: Condition, array: pa.Array) -> pa.Array:
    """The condition on one column's values: a Boolean array, null where the value is."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _evaluate(test, array.storage)
    if pa.types.is_dictionary(kind):
        answers = _evaluate(test, array.dictionary)
        taken = answers.take(array.indices)
        return taken.fill_null(True) if test.op == "is null" else taken
    if pa.types.is_run_end_encoded(kind):
        return _evaluate(test, pc.run_end_decode(array))
    if test.op == "is null":
        return pc.is_null(array)
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.bool_())
    if test.op == "between":
        low, high = test.values
        return pc.and_kleene(
            _evaluate(Condition(test.column, ">=", (low,)), array),
            _evaluate(Condition(test.column, "<=", (high,)), array),
        )
    for is_kind, answer in _KINDS:
        if is_kind(kind):
            return answer(test, array)
    raise UserError(
        f"column {test.column!r} holds {kind}, which can't be compared: only is null and is not null can be asked"
    )


def _is_moment(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _misfit(test: Condition, kind: Any, wanted: str) -> UserError:
    return UserError(f"column {test.column!r} holds {kind}: compare it with {wanted}; got {_short(str(test))}")


def _constant(array: pa.Array, value: bool) -> pa.Array:
    """The same answer for every row that has a value."""
    return pc.if_else(pc.is_valid(array), pa.scalar(value), pa.scalar(None, pa.bool_()))


def _known(array: pa.Array, answers: pa.Array) -> pa.Array:
    return answers if not array.null_count else pc.if_else(pc.is_valid(array), answers, pa.scalar(None, pa.bool_()))


def _text(test: Condition, array: pa.Array) -> pa.Array:
    if not all(isinstance(value, str) for value in test.values):
        raise _misfit(test, array.type, "a string in quotes")
    if any("\ud800" <= letter <= "\udfff" for value in test.values for letter in str(value)):
        raise _misfit(test, array.type, "text that can be written as UTF-8")
    if pa.types.is_string_view(array.type):
        array = array.cast(pa.large_string())
    if test.op == "in":
        return _known(array, pc.is_in(array, value_set=pa.array(test.values, array.type)))
    if test.op == "starts with":
        return pc.starts_with(array, pattern=str(test.values[0]))
    return COMPARED[test.op](array, pa.scalar(test.values[0], array.type))


def _bool(test: Condition, array: pa.Array) -> pa.Array:
    if test.op not in ("=", "!=", "in") or not all(isinstance(value, bool) for value in test.values):
        raise UserError(
            f"column {test.column!r} holds {array.type}: only = true, = false and is null can be asked; got {_short(str(test))}"
        )
    if test.op == "in":
        return _known(array, pc.is_in(array, value_set=pa.array(sorted(set(test.values)), pa.bool_())))
    return COMPARED[test.op](array, pa.scalar(test.values[0]))


def _numbers(test: Condition, kind: Any) -> "list[int | Decimal]":
    numbers = [value for value in test.values if isinstance(value, (int, Decimal)) and not isinstance(value, bool)]
    if len(numbers) < len(test.values) or test.op == "starts with":
        raise _misfit(test, kind, "a number")
    return numbers


def _integer(test: Condition, array: pa.Array) -> pa.Array:
    return _on_grid(test.op, [Fraction(value) for value in _numbers(test, array.type)], array)


def _decimal(test: Condition, array: pa.Array) -> pa.Array:
    """Decimals are whole multiples of their last digit."""
    unit = Fraction(10) ** array.type.scale
    values = [Fraction(value) * unit for value in _numbers(test, array.type)]
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(38, array.type.scale))
    return _on_grid(test.op, values, array)


def _moment(test: Condition, array: pa.Array) -> pa.Array:
    kind = array.type
    if test.op == "starts with" or not all(isinstance(value, str) for value in test.values):
        raise _misfit(test, kind, "a moment in quotes, such as '2024-05-31' or '2024-05-31 12:30:00'")
    seconds = [_seconds(test, str(value), kind) for value in test.values]
    if pa.types.is_date32(kind):
        return _on_grid(test.op, [s / 86400 for s in seconds], array.view(pa.int32()))
    per_second = 1000 if pa.types.is_date64(kind) else _UNITS[kind.unit]
    return _on_grid(test.op, [s * per_second for s in seconds], array.view(pa.int64()))


def _seconds(test: Condition, text: str, kind: Any) -> Fraction:
    """Seconds since 1970 (UTC) of a moment; without an offset it is in the column's own zone."""
    found = _MOMENT.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        day, clock, fraction, offset = found.groups()
        moment = datetime.fromisoformat(day if clock is None else f"{day}T{clock}")
        zone = getattr(kind, "tz", None)
        if offset and zone is None:
            raise _misfit(test, f"{kind}, which has no time zone", "a moment without an offset")
        if offset:
            digits = offset.replace(":", "")
            minutes = 0 if offset in "Zz" else int(digits[1:3]) * 60 + int(digits[3:5])
            moment = moment.replace(tzinfo=timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes)))
        else:
            moment = moment.replace(tzinfo=_zone(zone))
    except ValueError:
        raise _misfit(test, kind, "a moment in quotes, such as '2024-05-31' or '2024-05-31 12:30:00'") from None
    past = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Fraction(past // timedelta(seconds=1)) + Fraction(f"0.{fraction or 0}")


def _zone(name: str | None) -> Any:
    if name is None:
        return UTC
    if found := re.fullmatch(r"([+-])(\d\d):(\d\d)", name):
        minutes = int(found[2]) * 60 + int(found[3])
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise UserError(f"the time zone {name!r} of a column is not known here; give moments with an offset") from None


def _on_grid(op: str, values: list[Fraction], array: pa.Array) -> pa.Array:
    """Compare whole numbers (or decimals counted in their last digit) with exact values that may lie between them."""
    kind = array.type
    if pa.types.is_decimal(kind):
        most = 10**kind.precision - 1
        least = -most
    else:
        least, most = _range(kind)

    def scalar(value: int) -> Any:
        if not pa.types.is_decimal(kind):
            return value
        return Decimal((int(value < 0), tuple(int(d) for d in str(abs(value))), -kind.scale))

    whole = [int(v) for v in values if v.denominator == 1 and least <= v <= most]
    if op in ("=", "in"):
        if not whole:
            return _constant(array, False)
        if op == "=":
            return pc.equal(array, pa.scalar(scalar(whole[0]), kind))
        return _known(array, pc.is_in(array, value_set=pa.array([scalar(v) for v in whole], kind)))
    if op == "!=":
        return pc.not_equal(array, pa.scalar(scalar(whole[0]), kind)) if whole else _constant(array, True)
    value = values[0]
    floor = value.numerator // value.denominator
    if op in ("<", "<="):
        bound = floor - 1 if op == "<" and value.denominator == 1 else floor
        if not least <= bound <= most:
            return _constant(array, bound > most)
        return pc.less_equal(array, pa.scalar(scalar(bound), kind))
    bound = floor if op == ">=" and value.denominator == 1 else floor + 1
    if not least <= bound <= most:
        return _constant(array, bound < least)
    return pc.greater_equal(array, pa.scalar(scalar(bound), kind))


def _range(kind: Any) -> tuple[int, int]:
    bits = kind.bit_width
    return (0, 2**bits - 1) if str(kind).startswith("uint") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _float(test: Condition, array: pa.Array) -> pa.Array:
    """A number is rounded to the column's width first, so that 0.1 is the float32 that 0.1 was stored as."""
    wide = array.type.to_pandas_dtype()
    with np.errstate(over="ignore"):
        values = [float(wide(float(value))) for value in _numbers(test, array.type)]
    if not np.isfinite(values).all():
        values, wide = [float(value) for value in test.values], np.float64
    array = array.cast(pa.float64()) if wide is not np.float32 else array
    if test.op == "in":
        both = values + [-0.0 for value in values if value == 0] + [0.0 for value in values if value == 0]
        return _known(array, pc.is_in(array, value_set=pa.array(both, array.type)))
    return COMPARED[test.op](array, pa.scalar(values[0], array.type))


_KINDS: tuple[tuple[Any, Any], ...] = (
    (_is_text, _text),
    (pa.types.is_boolean, _bool),
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _float),
    (pa.types.is_decimal, _decimal),
    (_is_moment, _moment),
)
