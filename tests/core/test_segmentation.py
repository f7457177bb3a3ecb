"""Words in all scripts, and texts that are the same written otherwise."""

import sys
import unicodedata

import pytest
import regex

from polysema.core.errors import UnavailableError, UserError
from polysema.core.measure.senses import load_senses
from polysema.core.model.segmentation import PLAIN, PLAIN_WORD, word_bounds
from polysema.core.model.tokens import Span, find_word, find_words, words_of
from polysema.core.space.spelling import difference, encoded, fold, fold_case

# what a word was before scripts without spaces were cut by a dictionary
LETTERS_IN_A_ROW = regex.compile(r"[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}\p{N}_]+)*")


def words(text: str) -> list[str]:
    return [text[span.start : span.end] for span in words_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("中国银行的经理在银行里", ["中国", "银行", "的", "经理", "在", "银行", "里"]),
        ("銀行で、ラーメン。", ["銀行", "で", "ラーメン"]),
        ("แมวกินปลาในธนาคาร", ["แมว", "กิน", "ปลา", "ใน", "ธนาคาร"]),
        ("ພາສາລາວງ່າຍ", ["ພາສາ", "ລາວ", "ງ່າຍ"]),
        ("ကျွန်တော်ဘဏ်သို့သွား", ["ကျွန်တော်", "ဘဏ်", "သို့", "သွား"]),
        ("ខ្ញុំទៅធនាគារ", ["ខ្ញុំ", "ទៅ", "ធនាគារ"]),
        ("我用iPhone手机 and can't", ["我", "用", "iPhone", "手机", "and", "can't"]),
        ("😀𠮷野家で", ["𠮷", "野家", "で"]),
        ("은행에서 돈을", ["은행에서", "돈을"]),
        ("می‌خواهم بروم", ["می‌خواهم", "بروم"]),
        ("क्‍ष हिन्दी", ["क्‍ष", "हिन्दी"]),
        ("co\u00adoperate a\u2060b \ufeffc", ["co\u00adoperate", "a\u2060b", "c"]),
        ("zero\u200bwidth", ["zero", "width"]),
        ("അവന്\u200d പോയി", ["അവന്\u200d", "പോയി"]),
        ('שלום\u200f צה"ל', ["שלום", 'צה"ל']),
        ("can＇t col·lecció 3·14", ["can＇t", "col·lecció", "3", "14"]),
        ("e-mail a.b@c.com $3.14 1,000 U.S. 2020's x_1 dogs' 'tis", None),
        ("naïve “bank’s” Zürich–Köln €5 ½ x² №5 Ⅷ 1️⃣ don’t e\u0301te\u0301", None),
        ("Привет, мир; γειά σου! مرحبا", None),
    ],
)
def test_words_of_a_text(text: str, expected: list[str] | None) -> None:
    assert words(text) == (expected or LETTERS_IN_A_ROW.findall(text))


def test_words_of_english_texts_are_letters_in_a_row() -> None:
    texts = [*load_senses().texts, *(f"{text} café" for text in load_senses().texts)]
    assert [word_bounds(text) for text in texts] == [
        [match.span() for match in LETTERS_IN_A_ROW.finditer(text)] for text in texts
    ]


def test_the_fast_way_knows_the_same_letters() -> None:
    signs = [chr(code) for code in range(0x3000) if PLAIN.fullmatch(chr(code))]
    assert len(signs) > 800
    assert [s for s in signs if bool(LETTERS_IN_A_ROW.match(s)) != bool(PLAIN_WORD.match(s))] == []


def test_without_a_dictionary_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "icu4py.breakers", None)
    assert words("plain café") == ["plain", "café"]
    with pytest.raises(UnavailableError, match="pip install icu4py"):
        words("我去银行")


@pytest.mark.parametrize(
    ("text", "word", "places"),
    [
        ("I can't open the can", "can", [(17, 20)]),
        ("We'll say we won't, we said", "we", [(10, 12), (20, 22)]),
        ("c++ and (c++)", "c++", [(0, 3), (9, 12)]),
        ("我用C++写", "C++", [(2, 5)]),
        ("bana na na", "na na", [(5, 10)]),
        ("bank of the river bank", "bank of the river", [(0, 17)]),
        ("the e-mail", "-mail", []),
        ("我去银行取钱", "银行", [(2, 4)]),
        ("中国银行", "中国银行", [(0, 4)]),
        ("I don’t", "don't", [(2, 7)]),
        ("I don't", "don’t", [(2, 7)]),
        ("don’t, don't", "don't", [(7, 12)]),  # as it is written comes first
        ("new\r\n  york is new york", "new york", [(15, 23)]),
        ("new\n york", "new york", [(0, 9)]),
        ("new\u00a0york", "new  york", [(0, 8)]),
        ("a cafe\u0301 x", "café", [(2, 7)]),
        ("a café x", "cafe\u0301", [(2, 6)]),
        ("cafe\u0301", "cafe", []),
        ("한국", unicodedata.normalize("NFD", "한국"), [(0, 2)]),
        ("Straße", "STRASSE", [(0, 6)]),
        ("Strasse", "straße", [(0, 7)]),
        ("ΣΊΣΥΦΟΣ", "σίσυφος", [(0, 7)]),
        ("İstanbul", "istanbul", [(0, 8)]),
        ("co\u00adoperate", "cooperate", [(0, 10)]),
        ("می‌خواهم", "میخواهم", [(0, 8)]),
        ("a ｂａｎｋ", "bank", [(2, 6)]),
        ("co‑op", "co-op", [(0, 5)]),
    ],
)
def test_a_word_is_found_where_it_is_one(text: str, word: str, places: list[tuple[int, int]]) -> None:
    assert find_words(text, word) == [Span(*place) for place in places]


@pytest.mark.parametrize(
    ("text", "word", "inside", "span"),
    [
        ("You can’t", "can", "can’t", "4:7"),
        ("은행에서 돈을", "은행", "은행에서", "0:2"),
        ("我去银行", "去", "我去", "1:2"),
        ("the caf\u00e9s", "cafe\u0301", "cafés", "4:8"),
    ],
)
def test_a_part_of_a_word_is_named_by_its_characters(text: str, word: str, inside: str, span: str) -> None:
    with pytest.raises(UserError, match=f"is not a word of .*it stands inside of '{inside}'.*--span {span}$"):
        find_word(text, word)


@pytest.mark.parametrize("text", ["cafe\u0301", "swan"])
def test_what_is_cut_or_absent_has_no_characters_to_name(text: str) -> None:
    with pytest.raises(UserError, match=f"'cafe' is not a word of '{text}'$"):
        find_word(text, "cafe")


def test_the_form_of_a_text_keeps_its_case_unless_told() -> None:
    assert fold("Cafe\u0301\u00a0 d’Été\u200b") == "Café d'Été"
    assert fold("Straße", letters=False) == "Straße"
    assert fold_case("STRASSE") == fold_case("Straße") == "strasse"
    assert fold("x²①Å") == "x²①Å"  # other letters than x21A stay others
    assert fold(" two  words\t`n` ") == "two words 'n'"


@pytest.mark.parametrize(
    ("query", "found", "what"),
    [
        ("Bank", "bank", ""),
        ("cafe\u0301", "Café", "composed"),
        ("café", "cafe\u0301", "decomposed"),
        ("don't", "don’t", "another apostrophe"),
        ("new york", "new\nyork", "other spaces"),
        ("a‑b c", "a-b  c", "another hyphen and other spaces"),
        ("cooperate", "co\u00adoperate", "signs that don't show"),
        ("STRASSE", "straße", "ß as ss"),
        ("istanbul", "İstanbul", ""),
        ("ＢＡＮＫ", "bank", "the same text, written otherwise"),
    ],
)
def test_how_two_texts_differ_is_said(query: str, found: str, what: str) -> None:
    assert difference(query, found) == what


def test_half_a_character_is_shown() -> None:
    assert encoded("😀") == "😀".encode()
    with pytest.raises(UserError, match=r"^the word is not Unicode text: character 2 is \\ud83d, .* in 'ab\\ud83dc'"):
        encoded("ab\ud83dc")


@pytest.mark.parametrize(
    "text",
    [
        "河\u200dó r",
        "ｶ\u200dߞ",
        "ל'는",
        "す\u2060ւ",
        "音\u200dt",
        "बन্\u200dー長音",
        "R'ّへ",
        "岸\ufeffl",
        "Діа𐐷ന്\u200dー長音Tiếng",
        "我去'银行'取钱",
        "สวัสดี\u200bครับ'",
        "l'homme d'art’s",
        "क्‍ष न्‍ a",
    ],
)
def test_every_word_of_a_text_is_found_where_it_stands(text: str) -> None:
    for span in words_of(text):
        word = text[span.start : span.end]
        nth = find_words(text, word).index(span) + 1
        assert find_word(text, word, nth) == span
