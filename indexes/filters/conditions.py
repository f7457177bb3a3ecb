"""What a filter consists of: conditions on columns, negated and joined."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

Value: TypeAlias = "bool | int | Decimal | str"

KEYWORDS = frozenset({"and", "or", "not", "in", "between", "is", "null", "true", "false", "starts", "with"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on one column. `op` is one of =, !=, <, <=, >, >=, in, between, is null, and `TEXT_OPERATORS`."""

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
class BooleanGroup:
    """Several conditions, all of which (`and`) or one of which (`or`) must be true."""

    word: str
    parts: "tuple[Node, ...]"

    def __str__(self) -> str:
        return f" {self.word} ".join(
            f"({part})" if isinstance(part, BooleanGroup) else str(part) for part in self.parts
        )


Node: TypeAlias = "Condition | Not | BooleanGroup"


def conditions_in(node: Node) -> list[Condition]:
    """All conditions of a filter."""
    if isinstance(node, Condition):
        return [node]
    parts = (node.inner,) if isinstance(node, Not) else node.parts
    return [test for part in parts for test in conditions_in(part)]


def _name(name: str) -> str:
    plain = re.fullmatch(r"[^\W\d]\w*", name) and name.lower() not in KEYWORDS
    return name if plain else "`" + name.replace("`", "``") + "`"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return str(value)
