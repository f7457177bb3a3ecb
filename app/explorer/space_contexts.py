"""`SpaceContexts`: the words of a space's texts, with their counts, and the occurrences of one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.results.contexts import WordCount, WordCounts, WordOccurrence, WordOccurrences
from polysema.app.explorer.text_limits import check_texts_read
from polysema.core.argument_types import checked_arguments
from polysema.core.display import clip_text
from polysema.core.errors import UserError
from polysema.core.model.tokens import find_words, words_of
from polysema.core.progress import Progress, no_progress
from polysema.indexes.base import check_k

if TYPE_CHECKING:
    from polysema.core.model.tokens import Span
    from polysema.core.space.space import Ints, Space

WORD, TEXT, START, END = "word", "text", "start", "end"
BLOCK_ROWS = 1 << 16  # rows whose words or texts are in memory together
MAX_OCCURRENCES = 2_000
STAGE = "count the words"


@dataclass(frozen=True, slots=True)
class _Counted:
    """Every word by its folded form: how it is most often written, and how often it is there."""

    names: tuple[str, ...]
    folded: tuple[str, ...]
    counts: tuple[int, ...]


@checked_arguments
class SpaceContexts:
    """The words in the texts of a space, whatever was brought: `explorer.space("mine").contexts`.

    The rows are words in texts (columns `word` and `text`), or whole texts (`text`). They are read some thousands at a
    time, so that a collection of any size costs no more memory than its different words.
    """

    def __init__(self, space: Space):
        self._space = space
        self._counts = SingleFlightCache(1)
        self._found = SingleFlightCache(4)

    @property
    def by(self) -> str:
        """`word` where every row is a word, `text` where the rows are whole texts; empty where it is neither."""
        columns = self._space.columns
        names = [] if columns is None else columns.column_names
        return next((name for name in (WORD, TEXT) if name in names and _is_text(columns, name)), "")

    @property
    def has_texts(self) -> bool:
        """Whether the texts are there, and not only the words that stood in them."""
        columns = self._space.columns
        return columns is not None and TEXT in columns.column_names and _is_text(columns, TEXT)

    def words(self, prefix: str = "", k: int = 20, progress: Progress = no_progress) -> WordCounts:
        """The most frequent words that begin with a prefix, in any case, with their counts.

        Args:
            prefix: How they begin; empty for any.
            k: How many.
            progress: Told how many rows are done, the first time.

        Returns:
            The words, most frequent first, equals in alphabetical order.

        Raises:
            UserError: The space has neither words in texts nor texts.
        """
        check_k(k)
        by, space = self._checked(), self._space
        known: _Counted = self._counts.get(by, lambda: _counted(space, by, progress))
        start = prefix.strip().casefold()
        rows = [row for row, name in enumerate(known.folded) if name.startswith(start)]
        shown = tuple(WordCount(known.names[row], known.counts[row]) for row in rows[:k])
        return WordCounts(shown, len(rows), sum(known.counts), len(space), by, space.origin)

    def occurrences(self, word: str, k: int = MAX_OCCURRENCES, label: str = "") -> WordOccurrences:
        """The rows in which a word stands, with their texts and vectors.

        Args:
            word: The word, in any case; of whole texts also several words, such as `bank account`.
            k: How many at most, 1 to 2,000; of more they are spread evenly.
            label: A column whose value stands beside each.

        Returns:
            The occurrences, in the order of the space, and how many there are in all.

        Raises:
            UserError: The word stands nowhere, or there is no such column.
        """
        if not 1 <= k <= MAX_OCCURRENCES:
            raise UserError(f"k is how many occurrences are taken, 1 to {MAX_OCCURRENCES:,}; got {k:,}")
        if not word.strip():
            raise UserError("a word is needed; got an empty one")
        by, space = self._checked(), self._space
        assert space.columns is not None
        if label and label not in space.columns.column_names:
            there = ", ".join(clip_text(name) for name in space.columns.column_names)
            raise UserError(f"{self._space.name} has no column {clip_text(label)!r}; there are: {there}")
        key = (word.strip().casefold(), by)
        places: Ints = self._found.get(key, lambda: _all_places(space, by, word.strip()))
        if not len(places):
            raise UserError(
                f"{clip_text(word)!r} stands in none of the {len(space):,} rows of {self._space.name}; "
                f"its most frequent words are: {', '.join(clip_text(one.word) for one in self.words(k=8).words)}"
            )
        found = len(places)
        if found > k:
            places = places[np.linspace(0, found - 1, k).round().astype(int)]
        rows = np.ascontiguousarray(places[:, 0])
        table = space.columns.take(pa.array(rows))
        labels, spans = _labels(table, label), _spans(table, places, word.strip())
        named = zip(places.tolist(), space.keys.take(rows), spans, labels, strict=True)
        shown = tuple(WordOccurrence(row, key, *span, said) for (row, _), key, span, said in named)
        vectors = np.ascontiguousarray(space.vectors[rows], np.float32)
        return WordOccurrences(word.strip(), shown, found, vectors, space.dim, space.origin)

    def _checked(self) -> str:
        if not len(self._space):
            raise UserError(f"{self._space.name} is empty: bring texts with the page Data or `polysema export`")
        if not self.by:
            raise UserError(
                f"{self._space.name} has no texts: words in contexts are those of a collection with the "
                "column text, or word and text, as the page Data and `polysema export` make it of texts"
            )
        return self.by


def _is_text(columns: pa.Table, name: str) -> bool:
    kind = columns.schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _blocks(space: Space, names: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
    """Some columns of the rows, a block at a time, each with the number of its first row."""
    assert space.columns is not None
    chosen = space.columns.select(list(names))
    for first in range(0, len(space), BLOCK_ROWS):
        yield first, chosen.slice(first, BLOCK_ROWS)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Texts of a block as one array."""
    whole = column.combine_chunks()
    whole = pa.chunked_array([whole]).combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
    return whole.cast(pa.large_string())


def _counted(space: Space, by: str, progress: Progress) -> _Counted:
    """All words of a space, most frequent first."""
    forms: Counter[str] = Counter()
    for first, block in _blocks(space, [by]):
        progress(STAGE, first, len(space))
        texts = _plain(block.column(by))
        if by == WORD:
            for one in pc.value_counts(texts.drop_null()).to_pylist():
                forms[one["values"]] += one["counts"]
        else:
            for text in texts.to_pylist():
                if text:
                    forms.update(text[span.start : span.end] for span in words_of(text))
    progress(STAGE, len(space), len(space))
    folded: dict[str, tuple[str, int, int]] = {}  # the form that is most frequent, its count, the count of all
    for form, count in sorted(forms.items(), key=lambda one: (-one[1], one[0])):
        name, most, total = folded.get(form.casefold(), (form, count, 0))
        folded[form.casefold()] = (name, most, total + count)
    order = sorted((name for name in folded if name.strip()), key=lambda name: (-folded[name][2], name))
    return _Counted(tuple(folded[name][0] for name in order), tuple(order), tuple(folded[name][2] for name in order))


def _places(space: Space, by: str, word: str) -> Iterator[tuple[int, int]]:
    """The rows in which a word stands, each with the number of the occurrence in its text, from 0; -1 where the row is
    the word itself.
    """
    folded = word.casefold()
    for first, block in _blocks(space, [by]):
        texts = _plain(block.column(by))
        if by == WORD:
            dictionary = texts.dictionary_encode()
            wanted = pa.array(
                [at for at, name in enumerate(dictionary.dictionary.to_pylist()) if name.casefold() == folded],
                dictionary.indices.type,
            )
            there = pc.fill_null(pc.is_in(dictionary.indices, value_set=wanted), False) if len(wanted) else None
            if there is not None:
                yield from ((first + row, -1) for row in np.flatnonzero(there.to_numpy(zero_copy_only=False)).tolist())
            continue
        likely = pc.fill_null(pc.match_substring(texts, word, ignore_case=True), False) if word.isascii() else None
        rows = range(len(texts)) if likely is None else np.flatnonzero(likely.to_numpy(zero_copy_only=False)).tolist()
        for row in rows:
            text = texts[row].as_py()
            yield from ((first + row, nth) for nth, _ in enumerate(find_words(text, word) if text else ()))


def _all_places(space: Space, by: str, word: str) -> Ints:
    """The places of `_places`, (n, 2): of a frequent word a hundredth of the memory of pairs."""
    return np.fromiter(chain.from_iterable(_places(space, by, word)), np.int64).reshape(-1, 2)


def _spans(table: pa.Table, places: Ints, word: str) -> Iterator[tuple[str, int, int]]:
    """For each place of the rows of a table its text, and the characters at which the word stands."""
    known: tuple[int, str, list[Span]] = (-1, "", [])  # of the text looked at last: a word may stand there many times
    for at, (row, nth) in enumerate(places.tolist()):
        if nth < 0:
            yield _span(table, at)
            continue
        if row != known[0]:
            text = table.column(TEXT)[at].as_py() or word
            check_texts_read([text])
            known = row, text, find_words(text, word)
        _, text, spans = known
        yield (text, spans[nth].start, spans[nth].end) if nth < len(spans) else (text, 0, 0)


def _span(table: pa.Table, at: int) -> tuple[str, int, int]:
    """The text of a row that is a word, and the characters at which it stands."""
    names = table.column_names
    said = table.column(WORD)[at].as_py()
    text = (table.column(TEXT)[at].as_py() if TEXT in names else None) or said
    check_texts_read([text])
    if {START, END} <= set(names):
        start, end = table.column(START)[at].as_py(), table.column(END)[at].as_py()
        if isinstance(start, int) and isinstance(end, int) and text[start:end].casefold() == said.casefold():
            return text, start, end
    spans = find_words(text, said)
    return (text, spans[0].start, spans[0].end) if spans else (text, 0, 0)


def _labels(table: pa.Table, label: str) -> list[str]:
    if not label:
        return [""] * table.num_rows
    values = table.column(label).to_pylist()
    return ["" if value is None or value != value else str(value) for value in values]  # NaN is no label either
