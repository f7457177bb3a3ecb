"""Files of a user's own labels: words in texts with their senses or other labels, and pairs of contexts (WiC)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polysema.core.corpus import open_corpus
from polysema.core.errors import NotFoundError, UnreadableError, UserError
from polysema.core.measure.word_in_context import ContextPair
from polysema.core.model.tokens import Occurrence, Span, find_word

LABEL_NAMES = ("sense", "label", "tag", "class", "pos", "category")
FIRST_NAMES = ("sentence1", "context1", "text1", "first", "text_1", "sentence_1")
SECOND_NAMES = ("sentence2", "context2", "text2", "second", "text_2", "sentence_2")
SAME_NAMES = ("label", "same", "gold", "is_same")
WORD_NAMES = ("word", "target", "lemma", "token")
TRUE, FALSE = ("t", "true", "1", "same", "yes"), ("f", "false", "0", "different", "no")

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LabeledWord:
    """A word in a text with its label; `start` and `end` are characters, None where the word first stands."""

    word: str
    label: str
    text: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Annotations:
    """Labeled words: the `texts`, each once, and for each row its `word`, its `label` and where it stands."""

    texts: tuple[str, ...]
    words: tuple[str, ...]
    labels: tuple[str, ...]
    occurrences: tuple[Occurrence, ...]

    def rows(self) -> tuple[LabeledWord, ...]:
        """Each row with its text."""
        return tuple(
            LabeledWord(word, label, self.texts[one.text], one.span.start, one.span.end)
            for word, label, one in zip(self.words, self.labels, self.occurrences, strict=True)
        )


def read_annotations(path: Path | str, label: str | None = None) -> Annotations:
    """A table with the columns word, text, a label, and start and end (characters) or span (`4-8`); without them the
    word's first place in the text.

    Args:
        path: Any table that texts are read from.
        label: The column of the labels; sense, label, tag, ... where it isn't given.

    Raises:
        UserError: A column isn't there, a row has no label, or its word doesn't stand where it says.
    """
    found = []
    name = ""
    for number, row in enumerate(_rows(path, None), 1):
        name = name or label or _named(path, row, LABEL_NAMES, "labels")
        text, word = str(row["text"]), _value(path, row, _named(path, row, WORD_NAMES, "words"), number)
        start, end = _place(path, row, number, text, word, "")
        found.append(LabeledWord(word, _value(path, row, name, number), text, start, end))
    if not found:
        raise UserError(f"{path} holds no row")
    return annotations_of(found)


def annotations_of(rows: Sequence[LabeledWord]) -> Annotations:
    """Labeled words as annotations, in the same order; each text is there once.

    Raises:
        UserError: A word doesn't stand where its row says; the message names the row, from 1.
    """
    numbers: dict[str, int] = {}
    found = []
    for number, row in enumerate(rows, 1):
        if row.start is None or row.end is None:
            span = find_word(row.text, row.word)
        elif 0 <= row.start < row.end <= len(row.text):
            span = Span(row.start, row.end)
        else:
            raise UserError(f"row {number:,}: the characters {row.start}-{row.end} are not of {row.text[:60]!r}")
        text = numbers.setdefault(row.text, len(numbers))
        found.append(Occurrence(text, row.text[span.start : span.end], span))
    words, labels = tuple(row.word.casefold() for row in rows), tuple(row.label for row in rows)
    return Annotations(tuple(numbers), words, labels, tuple(found))


def read_context_pairs(path: Path | str) -> tuple[ContextPair, ...]:
    """A table with the columns word, sentence1, sentence2 and label (true or false), or a `.data.txt` of WiC with its
    `.gold.txt` beside it.

    Raises `UserError` for a column that isn't there, and for a word that isn't in its sentence.
    """
    path = Path(path)
    if path.name.endswith(".data.txt"):
        return _official(path)
    pairs = []
    first = _first_column(path)
    for number, row in enumerate(_rows(path, first), 1):
        word = _value(path, row, _named(path, row, WORD_NAMES, "words"), number)
        texts = (str(row["text"]), _value(path, row, _named(path, row, SECOND_NAMES, "second texts"), number))
        said = _value(path, row, _named(path, row, SAME_NAMES, "answers"), number)
        spans = [_place(path, row, number, texts[place], word, str(place + 1)) for place in (0, 1)]
        pairs.append(ContextPair(word, texts[0], texts[1], spans[0], spans[1], _truth(path, number, said)))
    if not pairs:
        raise UserError(f"{path} holds no pair")
    return tuple(pairs)


def _first_column(path: Path) -> str:
    from polysema.core.corpus import find_layout

    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    there = find_layout(path).columns
    found = next((name for name in there if name.casefold() in FIRST_NAMES), None)
    if found is None:
        raise UserError(f"{path} has no column sentence1; it has: {', '.join(there) or 'no columns'}")
    return found


def _rows(path: Path | str, column: str | None) -> Iterator[Row]:
    corpus = open_corpus(path, column, columns=None)
    for batch in corpus.batches():
        columns = batch.columns.to_pylist() if batch.columns.num_columns else [{} for _ in batch.texts]
        for text, row in zip(batch.texts, columns, strict=True):
            yield {**row, "text": text}


def _named(path: Path | str, row: Row, names: Sequence[str], what: str) -> str:
    lowered = {name.casefold(): name for name in row}
    found = next((lowered[name] for name in names if name in lowered), None)
    if found is None:
        raise UserError(f"{path} has no column of {what} ({', '.join(names[:3])}); it has: {', '.join(row)}")
    return found


def _value(path: Path | str, row: Row, name: str, number: int) -> str:
    if name not in row:
        raise UserError(f"{path} has no column {name!r}; it has: {', '.join(row)}")
    value = row[name]
    if value is None or not str(value).strip():
        raise UserError(f"{path}, row {number:,}: has no {name}")
    return str(value).strip()


def _place(path: Path | str, row: Row, number: int, text: str, word: str, suffix: str) -> tuple[int, int]:
    """Where the word stands: start and end, a span, or the first place."""
    start, end, span = (row.get(f"{name}{suffix}") for name in ("start", "end", "span"))
    if isinstance(span, str) and span.count("-") == 1:
        start, end = span.split("-")
    if start is None or end is None:
        found = find_word(text, word)
        return found.start, found.end
    try:
        place = int(str(start)), int(str(end))
    except ValueError:
        raise UserError(f"{path}, row {number:,}: start and end are characters, such as 4 and 8") from None
    if not 0 <= place[0] < place[1] <= len(text):
        raise UserError(f"{path}, row {number:,}: the characters {place[0]}-{place[1]} are not of {text[:60]!r}")
    return place


def _truth(path: Path | str, number: int, said: str) -> bool:
    if said.casefold() in TRUE:
        return True
    if said.casefold() in FALSE:
        return False
    raise UserError(f"{path}, row {number:,}: an answer is true or false; got {said!r:.60}")


def _official(path: Path) -> tuple[ContextPair, ...]:
    """WiC as it is published: word, part of speech, the words' numbers, two tokenized sentences; answers beside it."""
    gold = path.with_name(path.name.replace(".data.txt", ".gold.txt"))
    if not path.is_file() or not gold.is_file():
        raise NotFoundError(f"{path} and {gold.name} beside it are needed")
    lines, answers = (one.read_text(encoding="utf-8").splitlines() for one in (path, gold))
    if len(lines) != len(answers):
        raise UnreadableError(f"{path} has {len(lines):,} lines, {gold.name} {len(answers):,}")
    pairs = []
    for number, (line, answer) in enumerate(zip(lines, answers, strict=True), 1):
        try:
            word, _, places, first, second = line.split("\t")
            at = [int(place) for place in places.split("-")]
            spans = [_token_span(text, place) for text, place in zip((first, second), at, strict=True)]
        except (ValueError, IndexError):
            expected = "word, part of speech, 2-1 and two sentences are expected"
            raise UnreadableError(f"{path}, line {number:,}: {expected}") from None
        pairs.append(ContextPair(word, first, second, spans[0], spans[1], _truth(gold, number, answer.strip())))
    return tuple(pairs)


def _token_span(text: str, place: int) -> tuple[int, int]:
    tokens = text.split(" ")
    start = sum(len(token) + 1 for token in tokens[:place])
    return start, start + len(tokens[place])
