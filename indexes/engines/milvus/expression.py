"""Our conditions as Milvus' own, as far as both mean the same.

What is translated lets every row through that passes, and perhaps others: the rows that come back are looked at once
more with the condition itself. `Translation.whole` says that no others come back. A missing value is neither true nor
false with us; Milvus has no such third answer, so `not` is pushed down to the tests, and each asks for the value first.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import types

from polysema.indexes.engines.milvus.keys import HASHED, key_of, one_of
from polysema.indexes.engines.milvus.values import field_of
from polysema.indexes.filters import BooleanGroup, Condition, Filter, Not
from polysema.indexes.filters.conditions import Node

NEGATED = {"=": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
MAX_INTEGER = 2**63 - 1
MAX_TEXT = 1_000  # letters of a text that goes into a condition
MAX_VALUES = 100
_SAFE_TEXT = re.compile(r"""[^\x00-\x1f\x7f"'\\]*""")
_SAFE_PREFIX = re.compile(r"""[^\x00-\x1f\x7f"'\\%_]+""")

Part: TypeAlias = "str | None"  # a condition of Milvus; None where there is none that means the same


@dataclass(frozen=True, slots=True)
class Translation:
    """A condition of Milvus (empty: every row) and whether it says the whole of ours."""

    text: str
    whole: bool


def translated(condition: Filter | None, schema: pa.Schema) -> Translation:
    """The condition of Milvus for one of ours on columns of a schema, which was checked."""
    if condition is None:
        return Translation("", True)
    made = _Translator(schema)
    text = made.part(condition.node, False)
    return Translation(text or "", made.whole and text is not None)


class _Translator:
    def __init__(self, schema: pa.Schema):
        self.schema, self.whole = schema, True

    def part(self, node: Node, negated: bool) -> Part:
        if isinstance(node, Not):
            return self.part(node.inner, not negated)
        if isinstance(node, BooleanGroup):
            return self._group(node, negated)
        made = self._test(node, negated)
        self.whole = self.whole and made is not None
        return made

    def _group(self, node: BooleanGroup, negated: bool) -> Part:
        word = {"and": "or", "or": "and"}[node.word] if negated else node.word
        parts = [self.part(one, negated) for one in node.parts]
        if word == "or" and None in parts:
            return None
        said = [f"({one})" for one in parts if one is not None]
        return f" {word} ".join(said) or None

    def _test(self, test: Condition, negated: bool) -> Part:
        if test.column == "id":
            return _of_id(test, negated)
        kind = self.schema.field(test.column).type
        kind = kind.value_type if types.is_dictionary(kind) else kind
        name = f'row["{field_of(test.column)}"]'
        if test.op == "is null":
            return f"exists {name}" if negated else f"not (exists {name})"
        if test.op == "between":
            low = self._test(Condition(test.column, ">=", test.values[:1]), negated)
            high = self._test(Condition(test.column, "<=", test.values[1:]), negated)
            return None if low is None or high is None else f"({low}) {'or' if negated else 'and'} ({high})"
        if test.op == "in":
            return self._in(test, negated)
        for is_kind, write in _KINDS:
            if is_kind(kind):
                made = write(test, name, kind, negated)
                return None if made is None else f"(exists {name}) and ({made})"
        return None

    def _in(self, test: Condition, negated: bool) -> Part:
        if len(test.values) > MAX_VALUES:
            return None
        parts = [self._test(Condition(test.column, "=", (value,)), negated) for value in test.values]
        if None in parts:
            return None
        return (" and " if negated else " or ").join(f"({part})" for part in parts)


def _of_id(test: Condition, negated: bool) -> Part:
    if negated or not all(isinstance(value, str) for value in test.values):
        return None
    texts = [str(value) for value in test.values]
    if test.op in ("=", "in") and len(texts) <= MAX_VALUES:
        return one_of([key_of(text) for text in dict.fromkeys(texts)])
    if test.op == "starts with" and _SAFE_PREFIX.fullmatch(texts[0]) and len(texts[0]) <= MAX_TEXT:
        return f'id like "{texts[0]}%" or id like "{HASHED}%"'
    return None


def _operator(test: Condition, negated: bool) -> str:
    return NEGATED[test.op] if negated else "==" if test.op == "=" else test.op


def _integer(test: Condition, name: str, kind: pa.DataType, negated: bool) -> Part:
    value = test.values[0]
    if kind == pa.uint64() or test.op not in NEGATED or not isinstance(value, int) or abs(value) > MAX_INTEGER:
        return None
    return f"{name} {_operator(test, negated)} {value}"


def _float(test: Condition, name: str, kind: pa.DataType, negated: bool) -> Part:
    """NaN and Inf are texts in JSON: of each it is known how it compares."""
    given = test.values[0]
    if test.op not in ("=", "<", "<=", ">", ">=") or not isinstance(given, (int, Decimal)) or isinstance(given, bool):
        return None
    with np.errstate(over="ignore"):
        value = float(np.float64(kind.to_pandas_dtype()(float(given))))
    if not 1e-4 < abs(value) < 1e15 or (negated and test.op == "="):
        return None
    operator = _operator(test, negated)
    others = ["NaN"] if negated else []
    others += ["inf"] if operator in (">", ">=") else ["-inf"] if operator in ("<", "<=") else []
    return " or ".join([f"{name} {operator} {value!r}", *(f'{name} == "{other}"' for other in others)])


def _text(test: Condition, name: str, kind: pa.DataType, negated: bool) -> Part:
    value = str(test.values[0])
    if test.op in NEGATED and _SAFE_TEXT.fullmatch(value) and len(value) <= MAX_TEXT:
        return f'{name} {_operator(test, negated)} "{value}"'
    if test.op == "starts with" and _SAFE_PREFIX.fullmatch(value) and len(value) <= MAX_TEXT:
        return f'not ({name} like "{value}%")' if negated else f'{name} like "{value}%"'
    return None


def _bool(test: Condition, name: str, kind: pa.DataType, negated: bool) -> Part:
    if test.op not in ("=", "!="):
        return None
    wanted = bool(test.values[0]) == ((test.op == "=") != negated)
    return f"{name} == {str(wanted).lower()}"


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Condition, str, pa.DataType, bool], Part]], ...] = (
    (types.is_boolean, _bool),
    (types.is_integer, _integer),
    (types.is_floating, _float),
    (_is_text, _text),
)
