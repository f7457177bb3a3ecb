"""Reading a filter: recursive descent over its tokens."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from polysema.core.display import clip_text
from polysema.core.errors import PolysemaError
from polysema.indexes.filters.conditions import KEYWORDS, BooleanGroup, Condition, Node, Not, Value
from polysema.indexes.filters.texts import TEXT_OPERATORS

MAX_TEXT = 200_000  # characters
MAX_DEPTH = 50  # parentheses within parentheses
MAX_TESTS = 1_000  # conditions: each is a pass over all rows
MAX_DIGITS = 60
MAX_EXPONENT = 330  # a float64 ends before it, and exact fractions stay small

ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t"}
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
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


def read_node(text: str) -> Node:
    """The conditions that a text says; raises `PolysemaError` with the place and what was expected there."""
    if len(text) > MAX_TEXT:
        raise PolysemaError(f"a filter has at most {MAX_TEXT:,} characters; got {len(text):,}")
    return _Reader(text).whole()


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

    def _error(self, expected: str) -> PolysemaError:
        place = self.now.place
        before, after = self.text[max(0, place - 30) : place], self.text[place : place + 30]
        got = "its end" if self.now.kind == "end" else repr(clip_text(self.now.text))
        shown = re.sub(
            r"\s", " ", f"{'…' if place > 30 else ''}{before}▸{after}{'…' if len(self.text) > place + 30 else ''}"
        )
        return PolysemaError(
            f"the filter can't be read at character {place + 1}: expected {expected}, got {got}: {shown}"
        )

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

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        return BooleanGroup(word, tuple(parts))

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
            raise PolysemaError(f"a filter may have {MAX_DEPTH} parentheses within each other; this one has more")
        node = self._or()
        self._want(")")
        self.depth -= 1
        return node

    def _test(self) -> Node:
        if self.now.kind not in ("name", "quoted") or self.now.keyword:
            raise self._error("a column's name (in backticks if it is an odd one), not or (")
        self.tests += 1
        if self.tests > MAX_TESTS:
            raise PolysemaError(
                f"a filter has at most {MAX_TESTS:,} conditions; this one has more (use in (…) for a list)"
            )
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
                raise self._error("in, between, starts with, contains, like or matches")
            sign = SAME.get(self.now.text, self.now.text)
            if self.now.kind != "sign" or sign not in COMPARISONS:
                raise self._error(
                    "an operator (=, !=, <, <=, >, >=, in, between, starts with, ends with, contains, like, matches, "
                    "is null)"
                )
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
        op = self._text_operator()
        if op is None:
            return None
        if self.now.kind != "string" and "contains" not in op:
            raise self._error("a string in quotes")
        return Condition(column, op, (self._value(),))

    def _text_operator(self) -> str | None:
        """Step over an operator of texts: its words may be names of columns elsewhere."""
        if self.now.kind != "name":
            return None
        before, word = (self.at, self.now), self.now.text.lower().replace("_", " ")
        self.now = self._next()
        if word in ("starts", "istarts", "ends", "iends") and self._take("with"):
            word += " with"
        if word in TEXT_OPERATORS:
            return word
        self.at, self.now = before
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
