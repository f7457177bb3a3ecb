"""The same text, written otherwise: composed or not, with another apostrophe, space or hyphen, with signs that don't
show.

`fold` gives the form that two such texts share. Texts that are the same letter for letter need none of this.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import regex

from polysema.core.errors import UserError

# signs that don't show: soft hyphens, joiners, marks of direction, variation selectors, the byte order mark
INVISIBLE = (
    "\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060"
    "\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff"
)
APOSTROPHES = "’‘‛ʼ＇′´`"
HYPHENS = "\u2010\u2011\uff0d"
FULL_WIDTH = range(0xFF01, 0xFF5F)  # ASCII as wide as an ideograph, which East Asian keyboards write
SIGNS: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in FULL_WIDTH}
SIGNS |= dict.fromkeys(map(ord, INVISIBLE)) | dict.fromkeys(map(ord, APOSTROPHES), "'")
SIGNS |= dict.fromkeys(map(ord, HYPHENS), "-")
LETTERS: dict[int, str | None] = {ord("ß"): "ss", ord("ẞ"): "SS", ord("ς"): "σ"}
# what `fold` changes in a composed text, for Arrow
OTHER_SIGNS = (
    f"[{''.join(map(chr, [*SIGNS, *LETTERS]))}\t-\r\u001c-\u001f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f"
    "\u205f\u3000]|  |^ | $"
)
BLOCK = 65_536  # names that are looked at together
PIECE = regex.compile(r"\s+|\X")  # a run of spaces, or a character as people count them


def fold(text: str, letters: bool = True) -> str:
    """The form that a text shares with the same text written otherwise, in the same case.

    With `letters` ß is ss, and a final sigma is a sigma: so they are where case doesn't count.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(SIGNS)
        text = unicodedata.normalize("NFC", text.translate(LETTERS) if letters else text)
    elif "`" in text:
        text = text.replace("`", "'")
    return " ".join(text.split())


def fold_case(text: str) -> str:
    """The form that a text shares with the same text in any case and written otherwise."""
    return unicodedata.normalize("NFC", fold(text).casefold())


@dataclass(frozen=True, slots=True)
class FoldedText:
    """A text folded letter by letter, case and all: `pieces` says of each letter which piece of the text it is of, and
    `bounds` where each piece begins and ends in the text.
    """

    text: str
    pieces: tuple[int, ...]
    bounds: tuple[tuple[int, int], ...]

    def places_of(self, other: "FoldedText") -> list[tuple[int, int]]:
        """Where another folded text stands in this one, in characters of the text as it was written."""
        found = []
        at = self.text.find(other.text) if other.text else -1
        while at >= 0:
            last = at + len(other.text) - 1
            whole_start = not at or self.pieces[at - 1] != self.pieces[at]
            whole_end = last + 1 == len(self.pieces) or self.pieces[last + 1] != self.pieces[last]
            if whole_start and whole_end:
                found.append((self.bounds[self.pieces[at]][0], self.bounds[self.pieces[last]][1]))
            at = self.text.find(other.text, at + 1)
        return found


def fold_text(text: str) -> FoldedText:
    """A text folded, with the places of its letters in the text as it was written."""
    folded, pieces, bounds = [], [], []
    for number, match in enumerate(PIECE.finditer(text)):
        letters = " " if match.group().isspace() else _decomposed(match.group())
        folded.append(letters)
        pieces += [number] * len(letters)
        bounds.append(match.span())
    return FoldedText("".join(folded), tuple(pieces), tuple(bounds))


def _decomposed(piece: str) -> str:
    if piece.isascii():
        return piece.replace("`", "'").casefold()
    letters = unicodedata.normalize("NFD", piece).translate(SIGNS).casefold()
    return unicodedata.normalize("NFD", letters.translate(LETTERS))


class SpellingVariants:
    """The names that `fold` changes, by their folded form: those of the others are the names themselves."""

    def __init__(self, names: pa.Array):
        # Arrow finds the few that can differ: those that are not composed, or hold a sign that is another's
        signs = pc.match_substring_regex(names, OTHER_SIGNS)
        if (ascii_only := pc.fill_null(pc.string_is_ascii(names), True)).true_count != len(names):
            composed = pc.utf8_normalize(pc.if_else(ascii_only, pa.scalar("", names.type), names), "NFC")
            signs = pc.or_kleene(signs, pc.and_(pc.invert(ascii_only), pc.not_equal(composed, names)))
        rows = np.flatnonzero(pc.fill_null(signs, False).to_numpy(zero_copy_only=False))
        self._forms: dict[str, list[tuple[int, str]]] = {}
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            for row, name in zip(block.tolist(), names.take(pa.array(block)).to_pylist(), strict=True):
                if (form := fold(name)) != name:
                    self._forms.setdefault(form, []).append((row, name))

    def row(self, word: str, row_of: Callable[[str], int], ignore_case: bool = False, letters: bool = True) -> int:
        """First row of a name that has the word's folded form, -1 when there is none; `row_of` finds a name's own.

        Without `letters` ß is not ss; with `ignore_case` only names that `fold` changes are looked at in another case.
        """
        form = fold(word, letters)
        if not form:
            return -1
        rows = [row] if (row := row_of(form)) >= 0 else []
        if ignore_case:
            lower = form.lower()
            near = [name for other, names in self._forms.items() if other.lower() == lower for name in names]
        else:
            near = self._forms.get(fold(word), [])
        rows += [row for row, name in near if letters or fold(name, letters=False) == form]
        return min(rows, default=-1)


def difference(query: str, found: str) -> str:
    """How the requested text differs from the one that was found, in words; empty if in case alone."""
    if regex.fullmatch(regex.escape(query), found, regex.IGNORECASE):
        return ""
    if unicodedata.normalize("NFC", query).lower() == found.lower():
        return "composed"
    if unicodedata.normalize("NFD", query).lower() == found.lower():
        return "decomposed"
    kinds = []
    if _only(query, "'" + APOSTROPHES) != _only(found, "'" + APOSTROPHES):
        kinds.append("another apostrophe")
    if _only(query, "-" + HYPHENS) != _only(found, "-" + HYPHENS):
        kinds.append("another hyphen")
    if regex.findall(r"\s", query) != regex.findall(r"\s", found):
        kinds.append("other spaces")
    if _only(query, INVISIBLE) != _only(found, INVISIBLE):
        kinds.append("signs that don't show")
    if "ß" in (query + found).lower():
        kinds.append("ß as ss")
    return " and ".join(kinds) or "the same text, written otherwise"


def _only(text: str, signs: str) -> list[str]:
    return [sign for sign in text if sign in signs]


def spelling_note(query: str, found: str) -> str:
    """What is said where a text was found that is written otherwise; empty where it differs in nothing but case."""
    what = difference(query := query.strip(), found)
    return f"{query!r} was looked up as {found!r} ({what})" if what else ""


def not_unicode(text: str, what: str) -> UserError:
    """The error for a text with half a character in it: a lone surrogate, which no text in UTF-8 can hold."""
    at = next((place for place, sign in enumerate(text) if "\ud800" <= sign <= "\udfff"), 0)
    shown = text[max(0, at - 20) : at + 20].encode("ascii", "backslashreplace").decode()
    sign = text[at : at + 1].encode("ascii", "backslashreplace").decode()
    return UserError(
        f"{what} is not Unicode text: character {at} is {sign}, "
        f"half of one or a byte that isn't UTF-8, in '{shown}'; give it in UTF-8"
    )


def encoded(text: str, what: str = "the word") -> bytes:
    """A text in UTF-8; raises `UserError` for one that holds a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise not_unicode(text, what) from None
