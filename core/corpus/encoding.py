"""In which encoding the bytes of a text file are: UTF-8 unless the bytes say otherwise, then what they most likely
mean.

A guess is by the letters that come out, in the alphabets that people write with. On short texts, which files of
sentences are, general detectors take `café` for cp1250 or cp1006.
"""

import codecs
import re

from polysema.core.errors import UserError
from polysema.core.files.unpacking import BOMS

UTF8 = "utf-8"
SAMPLE_BYTES = 1 << 18
GUESS_BYTES = 1 << 16
_MARKS = "“”„‘’‚–—…«»"
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ"
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋ"
_KANA = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FD), 0x3001, 0x3002)))
# the letters that texts in an encoding are mostly made of; of equal scores the earlier encoding is taken
ALPHABETS = {
    "cp1252": "äöüßÄÖÜéèêëàâçîïôûùœæøåñáíóúãõìòÉÈÊÀÂÇÎÔÆØÅÑÓÍÁÚ¿¡°§€£" + _MARKS,
    "cp1254": "ğışçöüİĞŞÇÖÜâî" + _MARKS,
    "cp1250": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžČĎŘŠŤŽőűŐŰâăîşţđäöüßÄÖÜë" + _MARKS,
    "iso8859_2": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžČĎŘŠŤŽőűŐŰâăîşţđäöüßÄÖÜë",
    "cp1257": "ąčęėįšųūžāēģīķļņĀČĒŠŪŽõäöü" + _MARKS,
    "cp1255": "אבגדהוזחטיךכלםמןנסעףפץצקרשת" + _MARKS,
    "cp1251": _CYRILLIC + _MARKS,
    "koi8_r": _CYRILLIC,
    "cp1253": _GREEK + _MARKS,
    "cp1256": "ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءآأإؤئپچژگ،؟" + _MARKS,
    "cp874": "".join(map(chr, range(0x0E01, 0x0E5B))),
    "mac_roman": "äöüßÄÖÜéèêëàâçîïôûùœæøåñáíóúãõìòÉÇÑÅ¿¡“”‘’–—…",
    "cp850": "äöüßÄÖÜéèêëàâçîïôûùæøåñáíóúÉÇÑÅ¿¡",
}
OTHER_SCRIPTS = ("cp1255", "cp1251", "koi8_r", "cp1253", "cp1256", "cp874")
# encodings of two bytes a character: the encoding whose first bytes order the characters by use, and how far the
# common ones go
DOUBLE_BYTES = {
    "cp949": ("euc_kr", 0xB0, 0xC8),
    "gb18030": ("gb2312", 0xB0, 0xD7),
    "big5": ("big5", 0xA4, 0xC6),
    "cp932": ("euc_jp", 0xB0, 0xCF),
    "euc_jp": ("euc_jp", 0xB0, 0xCF),
}
# what texts in these encodings hardly ever hold
_TWO_FOREIGN = re.compile(r"[^\W\d_\x00-\x7f](?=[^\W\d_\x00-\x7f])")  # beside each other, in a Latin script
_MIXED = re.compile(
    r"[A-Za-z](?=[^\W\d_\x00-\x7f])|[^\W\d_\x00-\x7f](?=[A-Za-z])"
)  # a Latin letter beside another script's
_CAPITAL_INSIDE = re.compile(f"[{_CYRILLIC}{_GREEK}][{_CYRILLIC.upper()}{_GREEK.upper()}]")
_FINAL_INSIDE = re.compile("[ךםןףץ](?=[א-ת])")
_SYMBOL_IN_WORD = re.compile(r"(?<=[^\W\d_])[^\w\s'’.,;:/()&-](?=[^\W\d_])")


def known_encoding(name: str) -> str:
    """Python's name of an encoding of text; raises `UserError` for none."""
    try:
        info = codecs.lookup(name)
        if not info._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError):
        raise UserError(
            f"there is no encoding {name!r}; common ones are utf-8, utf-16, cp1252, latin-1, cp1251, shift_jis"
        ) from None
    return info.name


def announced_encoding(head: bytes) -> str | None:
    """The encoding that a file's first bytes say: a byte order mark, or the zeros of UTF-16; None where they don't."""
    for mark, name in BOMS:
        if head.startswith(mark):
            return name
    pairs = len(head) // 2
    if not pairs or b"\0" not in head:
        return None
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    for mine, other, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if mine * 2 > pairs and not other and _decodes(head[: 2 * pairs], name):
            return name
    return None


def guess_encoding(sample: bytes) -> str | None:
    """What bytes that are not UTF-8 most likely are; `utf-8` for UTF-8 that is damaged here and there; None for no
    text.

    `sample` holds whole lines with bytes beyond ASCII.
    """
    if any(byte < 32 and byte not in b"\t\n\r\x0b\x0c\x1b" for byte in set(sample)):
        return None
    text = sample.decode(UTF8, "replace")
    good = sum(not character.isascii() and character != "\ufffd" for character in text)
    if good > text.count("\ufffd"):
        return UTF8
    scores = {name: _score(sample, name) for name in (*ALPHABETS, *DOUBLE_BYTES)}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0 else None


def _decodes(content: bytes, name: str) -> bool:
    try:
        content.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _score(sample: bytes, name: str) -> float:
    """How much of the bytes beyond ASCII become common characters of the encoding, less what is strange in its
    texts.
    """
    try:
        text = sample.decode(name)
    except UnicodeDecodeError:
        return -float("inf")
    foreign = [character for character in text if not character.isascii()]
    if name in DOUBLE_BYTES:
        return sum(_width(character, name) for character in foreign) - 2 * len(_MIXED.findall(text))
    alphabet = ALPHABETS[name]
    score = sum(1 if character in alphabet or character.lower() in alphabet else -1 for character in foreign)
    symbols = sum(not found.isascii() for found in _SYMBOL_IN_WORD.findall(text))
    strange = len((_MIXED if name in OTHER_SCRIPTS else _TWO_FOREIGN).findall(text))
    strange += 2 * len(_CAPITAL_INSIDE.findall(text))
    return score - 2 * symbols - strange - len(_FINAL_INSIDE.findall(text))


def _width(character: str, name: str) -> int:
    """The bytes of a common character, negative for a rare one."""
    by, first, last = DOUBLE_BYTES[name]
    size = len(character.encode(name))
    if name in ("cp932", "euc_jp") and character in _KANA:
        return size if size > 1 else -1  # half-width kana are one byte, which anything may be
    try:
        common = size > 1 and (
            first <= character.encode(by)[0] <= last
            or 0x3000 <= ord(character) < 0x3020
            or 0xFF00 < ord(character) < 0xFF20
        )
    except UnicodeEncodeError:
        common = False
    return size if common else -size
