"""Where words begin and end: letters, marks and digits in a row; a dictionary where a script puts no spaces between
words.

After Unicode's UAX #29, but that a full stop, a comma or a colon ends a word also between letters or digits.
"""

import re

import regex

from polysema.core.errors import UnavailableError

LETTER = (
    r"[\p{L}\p{M}\p{N}_\u055a-\u055c\u055e\u05f3]"  # Armenian's signs of tone and Hebrew's geresh are parts of a word
)
JOINER = r"[\p{WB=Format}\u200c\u200d]"  # soft hyphens, zero-width joiners, word joiners, marks of direction
# an apostrophe; the double quote of Hebrew's abbreviations; the point of Catalan's l·l; the sign of a hyphenation point
MIDDLE = r"""(?:['’＇\u05f4\u2027]|(?<=\p{Hebrew})"(?=\p{Hebrew})|(?<=[lL])·(?=[lL]))"""
WORD = regex.compile(
    rf"{LETTER}+(?:(?:{JOINER}+(?:{MIDDLE}{JOINER}*)?|{MIDDLE}{JOINER}*){LETTER}+)*(?:(?<=\p{{M}})\u200d)?"
)
# the same, for texts of Latin letters and common punctuation, in which nothing else can stand within a word: faster
PLAIN = re.compile(r"[\x00-\xac\xae-\xb6\xb8-\u02ff\u2010-\u2026\u2030-\u205e\u20a0-\u20bf]*")
PLAIN_WORD = re.compile(r"\w+(?:['’]\w+)*")
ASCII_WORD = re.compile(r"[A-Za-z0-9_]+(?:'[A-Za-z0-9_]+)*")
A_LETTER = regex.compile(LETTER)
OUTSIDE = regex.compile(rf"(?!(?<=\p{{M}})\u200d$)(?:{MIDDLE}|{JOINER})+$")
# the scripts that ICU has a dictionary for
UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")

Bounds = list[tuple[int, int]]


def word_bounds(text: str) -> Bounds:
    """Where each word begins and ends, in characters of the text."""
    if text.isascii():
        return [match.span() for match in ASCII_WORD.finditer(text)]
    if PLAIN.fullmatch(text) is not None:
        return [match.span() for match in PLAIN_WORD.finditer(text)]
    runs = [match.span() for match in WORD.finditer(text)]
    if UNSPACED.search(text) is None:
        return runs
    bounds: Bounds = []
    for start, end in runs:
        run = text[start:end]
        bounds += [(start, end)] if UNSPACED.search(run) is None else _by_dictionary(run, start)
    return bounds


def _by_dictionary(run: str, start: int) -> Bounds:
    """The words of a run of letters without a space, by ICU's dictionaries."""
    try:
        from icu4py.breakers import WordBreaker
    except ImportError as error:
        raise UnavailableError(
            f"words of a script without spaces between them are found by icu4py, which can't be loaded ({error}): "
            "pip install icu4py"
        ) from None
    bounds: Bounds = []
    for piece in WordBreaker(run, "root"):  # its pieces are counted here: its own offsets are of UTF-16
        end = start + len(piece)
        letters = A_LETTER.search(piece)
        if letters is not None:
            # an apostrophe or a joiner that the dictionary cut from the letter on its other side is no part of a word
            outside = OUTSIDE.search(piece)
            bounds.append((start + letters.start(), end if outside is None else start + outside.start()))
        start = end
    return bounds


def is_letter(sign: str) -> bool:
    """Whether a character belongs to a word."""
    return A_LETTER.match(sign) is not None


def is_unspaced(sign: str) -> bool:
    """Whether a character is of a script without spaces between words."""
    return UNSPACED.match(sign) is not None
