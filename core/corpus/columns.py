"""Which column of a table holds the texts, and whether its first line names the columns."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from polysema.core.errors import UserError

Value = Any  # a cell: of CSV a text, of JSON, Parquet and Excel what it holds

# in order: of several the first is taken
TEXT_NAMES = (
    "text",
    "texts",
    "sentence",
    "sentences",
    "content",
    "contents",
    "body",
    "review",
    "reviews",
    "document",
    "passage",
    "paragraph",
    "abstract",
    "message",
    "comment",
    "comments",
    "tweet",
    "utterance",
    "satz",
    "texte",
    "texto",
    "testo",
    "tekst",
)
OTHER_NAMES = frozenset(
    {
        "id",
        "ids",
        "_id",
        "key",
        "index",
        "idx",
        "no",
        "nr",
        "number",
        "row",
        "uuid",
        "guid",
        "name",
        "title",
        "label",
        "labels",
        "class",
        "category",
        "score",
        "rating",
        "stars",
        "date",
        "time",
        "timestamp",
        "year",
        "url",
        "link",
        "author",
        "user",
        "username",
        "lang",
        "language",
        "source",
        "split",
        "tags",
        "tag",
        "summary",
        "question",
        "answer",
        "word",
        "value",
        "type",
        "titel",
        "datum",
        "autor",
        "kategorie",
        "titre",
        "auteur",
        "titulo",
        "fecha",
    }
)
MAX_NAMES_SHOWN = 20
SENTENCE_WORDS = 5
SENTENCE_CHARACTERS = 60
_NUMBER = re.compile(r"[-+]?[\d.,'\s]*\d[\d.,'\s]*(?:[eE][-+]?\d+)?%?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d.*)?|\d{1,2}:\d\d.*")
_CODE = re.compile(r"[!-~]*[\d/_@][!-~]*")  # without a space, with a digit or a slash: an address, a key, a hash
_ENDED = re.compile(r".*\S\s.*[.!?…]['\"”’»)]*|.+[。！？।؟]", re.DOTALL)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number or a date, as it is written in any country."""
    cell = cell.strip()
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def is_sentence(cell: str) -> bool:
    """Whether a cell reads like a text rather than the name of a column."""
    cell = cell.strip()
    return len(cell.split()) >= SENTENCE_WORDS or len(cell) > SENTENCE_CHARACTERS or bool(_ENDED.fullmatch(cell))


def has_known_name(cells: Sequence[str]) -> bool:
    """Whether one of the cells is what people call a column."""
    return any(cell.strip().casefold() in OTHER_NAMES or cell.strip().casefold() in TEXT_NAMES for cell in cells)


def guess_header(rows: Sequence[Sequence[str]]) -> tuple[bool, bool]:
    """Whether the first of these rows names the columns, and whether that is certain enough not to be told."""
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    if has_known_name(first):
        return True, True
    if not any(cell.strip() for cell in first):
        return False, True
    if any(is_number(cell) for cell in first) or any(is_sentence(cell) for cell in first):
        return False, False
    columns = list(zip(*rest, strict=True))
    if any(column and all(map(is_number, column)) for column in columns):
        return True, True
    longest = max(range(len(first)), key=lambda place: _length(columns[place]) if columns else 0)
    like_the_rest = (
        columns and len(first[longest].split()) >= 3 and len(first[longest]) * 2 >= median(map(len, columns[longest]))
    )
    return not like_the_rest, False


def column_names(cells: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """Names that are each there once: a blank one is its number (from 1), a second `text` is `text.1`; and a note of
    it.
    """
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = " ".join(cell.split()) or str(place)
        number, fresh = 0, name
        while fresh in names:
            number += 1
            fresh = f"{name}.{number}"
        names.append(fresh)
    repeated = [name for name, count in Counter(" ".join(cell.split()) for cell in cells).items() if name and count > 1]
    note = (
        f"several columns are called {listed(repeated)}: the second is {repeated[0] + '.1'!r} here"
        if repeated
        else None
    )
    return tuple(names), note


def numbered(width: int) -> tuple[str, ...]:
    """The names of columns that have none: their numbers, from 1."""
    return tuple(str(place) for place in range(1, width + 1))


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of many."""
    more = len(names) - MAX_NAMES_SHOWN
    return ", ".join(map(repr, names[:MAX_NAMES_SHOWN])) + (f" and {more:,} more" if more > 0 else "")


def find_column(path: Path | str, there: Sequence[str], wanted: str) -> str:
    """The column of that name, in any case where only one has it. Raises `UserError` that lists the columns."""
    if wanted in there:
        return wanted
    alike = [name for name in there if name.casefold() == wanted.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    numbers = tuple(there) == numbered(len(there))
    hint = ", since line 1 is read as a text (--header takes it as the names of the columns)" if numbers else ""
    raise UserError(f"{path} has no column {wanted!r}; it has: {listed(there)}{hint}")


def choose_column(
    samples: Mapping[str, Sequence[Value]], there: Sequence[str] = (), named: bool = True
) -> tuple[str | None, str | None]:
    """The column that most likely holds the texts, and a note where that was guessed; None where none does.

    `samples` are values of the columns that may hold texts, `there` all columns; `named` says that the names are the
    file's.
    """
    by_name = {name.casefold(): name for name in reversed(list(samples))}
    if "text" in by_name:
        return by_name["text"], None
    lengths = {name: _length(values) for name, values in samples.items()}
    texts = {name: length for name, length in lengths.items() if length > 0}
    if not texts:
        return None, None
    known = next((by_name[name] for name in TEXT_NAMES if by_name.get(name) in texts), None)
    column = known or max(texts, key=lambda name: texts[name])
    why = "by its name" if known else "the one with the longest texts"
    called = f"column {column!r}" if named else f"column {column}"
    return (
        column,
        f"the texts are taken from the {called}, {why}, of {listed(there or list(samples))}; --column names another",
    )


def _length(values: Sequence[Value]) -> float:
    """The mean number of characters of what may be a text; 0 for numbers, dates, addresses and keys."""
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    if not texts or sum(is_number(text) or bool(_CODE.fullmatch(text)) for text in texts) * 2 > len(texts):
        return 0.0
    return fmean(map(len, texts))
