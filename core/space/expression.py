"""Sums of words: `queen - king + man`, `0.5*blue + swan`, `(paris - france) + "new york"`.

    sum    = [sign] factor { sign factor }
    factor = [number "*"] ( word | "quoted phrase" | occurrence | "(" sum ")" )
    sign   = "+" | "-"
    occurrence = ( word | "quoted phrase" ) in "quoted text" [ "@" layer ] [ "#" number ]

An occurrence is a word in a text: `bank in "They sat on the river bank" @6` is its vector at layer 6, `#2` the second
one.

A sign stands between spaces, so that `e-mail` and `c++` are words; a double-quoted phrase may hold anything (a double
quote in it is written \\").
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from polysema.core.display import clip_line
from polysema.core.errors import UserError

MAX_TERMS = 256
MAX_DEPTH = 32
MAX_LENGTH = 10_000

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d+)?|\.\d+)\s*\*\s*
      | (?P<sign>[+\-−–])(?=[\s("]|$|[^\s+\-])
      | (?P<open>\()
      | (?P<close>\))
      | (?P<within>in)(?=\s*")
      | @(?P<layer>-?\d+)(?=[\s)#@]|$)
      | \#(?P<nth>\d+)(?=[\s)#@]|$)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<word>[^\s()"]+)
    )""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[^\s()\"+\-−–*@#][^\s()\"]*")


@dataclass(frozen=True, slots=True)
class Context:
    """Where an occurrence stands: the text, the layer (None: that of the space), and which of the word's
    occurrences.
    """

    text: str
    layer: int | None = None
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Term:
    """A word and the weight it enters with; with a `context` it is that occurrence of the word, not the word."""

    weight: float
    word: str
    context: Context | None = None

    def __str__(self) -> str:
        if self.context is None:
            return _written(self.word)
        layer = "" if self.context.layer is None else f" @{self.context.layer}"
        nth = "" if self.context.nth == 1 else f" #{self.context.nth}"
        return f"{_written(self.word)} in {_quoted(self.context.text)}{layer}{nth}"


@dataclass(frozen=True, slots=True)
class Expression:
    """A weighted sum of words. `str()` gives the text that parses to the same terms."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        parts = []
        for place, term in enumerate(self.terms):
            sign = "-" if term.weight < 0 else "+"
            size = abs(term.weight)
            factor = "" if size == 1 else f"{_decimal(size)}*"
            lead = "" if place == 0 and sign == "+" else f"{sign} "
            parts.append(f"{lead}{factor}{term}")
        return " ".join(parts)

    @property
    def words(self) -> tuple[str, ...]:
        """The words, in the order written."""
        return tuple(term.word for term in self.terms)


def _decimal(number: float) -> str:
    """The shortest decimal notation that reads back as the same number, without an exponent."""
    return format(Decimal(repr(number)), "f")


def _written(word: str) -> str:
    if _PLAIN.fullmatch(word) and not re.match(r"[\d.]+\*", word) and word != "in":
        return word
    return _quoted(word)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Parser:
    def __init__(self, text: str):
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise UserError(f"the quote opened at character {_skip(text, at) + 1} is not closed: {_shown(text)}")
            kind = str(match.lastgroup)
            value = match.group(kind)
            if kind == "quoted":
                value = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
                kind = "text" if self.tokens and self.tokens[-1][0] == "within" else "word"
                if not value.strip():
                    raise UserError(f"the quotes at character {match.start() + 1} hold no word: {_shown(text)}")
            elif kind == "within" and (not self.tokens or self.tokens[-1][0] != "word"):
                kind = "word"  # the word itself, as in `in + "new york"`: nothing stands before it
            self.tokens.append((kind, value, _skip(text, at) + 1))
            at = match.end()
        self.at = 0
        self.terms: list[Term] = []

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else "end"

    def fail(self, what: str) -> UserError:
        place = f"at character {self.tokens[self.at][2]}" if self.at < len(self.tokens) else "at the end"
        return UserError(f"{what} {place} of the expression: {_shown(self.text)}")

    def sum(self, weight: float, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise UserError(f"parentheses are nested more than {MAX_DEPTH} deep; write the sum with fewer")
        sign = self.sign() if self.kind() == "sign" else 1.0
        self.factor(sign * weight, depth)
        while self.kind() == "sign":
            self.factor(self.sign() * weight, depth)
        if self.kind() in {"layer", "nth"}:
            raise self.fail(
                'a layer (@6) or number (#2) belongs to an occurrence, bank in "the river bank" @6 #2; one stands'
            )
        if self.kind() not in {"end", "close"}:
            raise self.fail(
                'a sign (+ or -) is missing between two words (a phrase is written in double quotes: "new york")'
            )

    def sign(self) -> float:
        value = self.tokens[self.at][1]
        self.at += 1
        return 1.0 if value == "+" else -1.0

    def factor(self, weight: float, depth: int) -> None:
        while self.kind() == "number":
            weight *= float(self.tokens[self.at][1])
            self.at += 1
        if self.kind() == "open":
            self.at += 1
            self.sum(weight, depth + 1)
            if self.kind() != "close":
                raise self.fail("a closing parenthesis is missing")
            self.at += 1
        elif self.kind() == "word":
            if len(self.terms) == MAX_TERMS:
                raise UserError(f"an expression has at most {MAX_TERMS} words; this one has more")
            word = self.tokens[self.at][1]
            self.at += 1
            self.terms.append(Term(weight, word, self.context()))
        else:
            raise self.fail("a word is missing")

    def context(self) -> Context | None:
        """The text after `in`, with its layer and number in either order."""
        if self.kind() != "within":
            return None
        text = self.tokens[self.at + 1][1]
        self.at += 2
        given: dict[str, int] = {}
        while self.kind() in ("layer", "nth"):
            kind, value, _ = self.tokens[self.at]
            if kind in given:
                raise self.fail(f"a second {'layer (@)' if kind == 'layer' else 'number (#)'} of one occurrence stands")
            if len(value) > 6 or (kind == "nth" and int(value) < 1):
                raise self.fail("a layer (@6) or the number of an occurrence (#2) is out of range")
            given[kind] = int(value)
            self.at += 1
        return Context(text, given.get("layer"), given.get("nth", 1))


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _shown(text: str) -> str:
    return repr(clip_line(text))


def parse(text: str) -> Expression:
    """The terms of an expression; raises `UserError` that names the place of the mistake."""
    if not text.strip():
        raise UserError('the expression is empty; write a sum of words such as "queen - king + man"')
    if len(text) > MAX_LENGTH and text.count(" ") > 2 * MAX_TERMS:
        raise UserError(f"an expression has at most {MAX_TERMS} words; this one has more")
    if len(text) > MAX_LENGTH:
        raise UserError(f"an expression has at most {MAX_LENGTH:,} characters; this one has {len(text):,}")
    parser = _Parser(text)
    parser.sum(1.0, 0)
    if parser.kind() == "close":
        raise parser.fail("a closing parenthesis has no opening one")
    if all(term.weight == 0 for term in parser.terms):
        raise UserError(f"every word has the weight 0, so there is no direction to look in: {_shown(text)}")
    return Expression(tuple(parser.terms))
