"""Text to token ids, and back to the characters they came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import regex

from polysema.core.errors import UserError
from polysema.core.space.space import Ints

# letters, marks (so that a combining accent stays with its letter) and digits, joined by an apostrophe within a word
WORD = regex.compile(r"[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}\p{N}_]+)*")


@dataclass(frozen=True, slots=True)
class Span:
    """The characters [start, end) of a text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One word at one place in one text: `text` counts from 0 in the texts given, `span` counts characters."""

    text: int
    word: str
    span: Span


def words_of(text: str) -> list[Span]:
    """Where the words of a text are."""
    return [Span(match.start(), match.end()) for match in WORD.finditer(text)]


def occurrences_of(texts: Sequence[str], first: int = 0) -> list[Occurrence]:
    """Every word of every text; `first` is the number of the first text."""
    return [
        Occurrence(first + number, text[span.start : span.end], span)
        for number, text in enumerate(texts)
        for span in words_of(text)
    ]


def find_word(text: str, word: str, nth: int = 1) -> Span:
    """The n-th place where `word` stands in `text` as a whole word, in any case; raises `UserError` when it doesn't."""
    if not word.strip():
        raise UserError("a word is needed; got an empty one")
    if nth < 1:
        raise UserError(f"occurrences count from 1; got {nth}")
    pattern = regex.compile(
        rf"(?<![\p{{L}}\p{{M}}\p{{N}}_]){regex.escape(word.strip())}(?![\p{{L}}\p{{M}}\p{{N}}_])", regex.IGNORECASE
    )
    places = [Span(match.start(), match.end()) for match in pattern.finditer(text)]
    if len(places) < nth:
        shown = text if len(text) <= 80 else text[:77] + "…"
        found = (
            "is not a word of" if not places else f"stands {len(places)} time{'s' * (len(places) > 1)}, not {nth}, in"
        )
        raise UserError(f"{word!r} {found} {shown!r}")
    return places[nth - 1]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A text as one window, or as several that overlap where it is longer than the model's.

    `windows` are the ids with the model's special tokens; `offsets` (n_tokens, 2) the characters of the text's own
    tokens; `takes` says where each token's vector comes from: (n_tokens, 2), the window and the position in it.
    """

    windows: tuple[tuple[int, ...], ...]
    offsets: Ints
    takes: Ints

    def __len__(self) -> int:
        return len(self.offsets)

    def tokens_of(self, span: Span) -> list[int]:
        """The tokens that share characters with the span; empty when the tokenizer made none of them."""
        starts, ends = self.offsets[:, 0], self.offsets[:, 1]
        hit = (starts < span.end) & (ends > span.start) & (ends > starts)
        return [int(row) for row in hit.nonzero()[0]]


def encode(tokenizer: Any, texts: Sequence[str], window: int, causal: bool) -> list[Encoded]:
    """Each text's tokens, in overlapping windows of at most `window` where there are more.

    Half a window overlaps. Each token is taken from the window where it has most context: for a causal model most
    to its left, otherwise most on its poorer side; the ends of the text count as no loss. Offsets are by character.
    """
    import numpy as np

    n_special = tokenizer.num_special_tokens_to_add(pair=False)
    own = window - n_special  # the text's own tokens in a window
    stride = own // 2
    batch = tokenizer(
        list(texts), add_special_tokens=True, truncation=True, max_length=window, stride=stride,
        return_overflowing_tokens=True, return_offsets_mapping=True, return_special_tokens_mask=True,
    )  # fmt: skip
    by_text: list[list[int]] = [[] for _ in texts]
    for row, text in enumerate(batch["overflow_to_sample_mapping"]):
        by_text[text].append(row)
    encoded = []
    for rows in by_text:
        windows: list[tuple[int, ...]] = []
        # token of the text -> (context, window, position, offsets)
        best: dict[int, tuple[int, int, int, tuple[int, int]]] = {}
        for number, row in enumerate(rows):
            ids = batch["input_ids"][row]
            windows.append(tuple(ids))
            places = [p for p, special in enumerate(_special(batch, row)) if not special]
            first = number * (own - stride)
            for rank, place in enumerate(places):
                left = rank if number else own
                right = own if number == len(rows) - 1 else len(places) - 1 - rank
                context = left if causal else min(left, right)
                known = best.get(first + rank)
                if known is None or context > known[0]:
                    best[first + rank] = (context, number, place, batch["offset_mapping"][row][place])
        taken = [best[token] for token in sorted(best)]
        encoded.append(
            Encoded(
                tuple(windows),
                np.array([t[3] for t in taken], np.int64).reshape(-1, 2),
                np.array([t[1:3] for t in taken], np.int64).reshape(-1, 2),
            )
        )
    return encoded


def _special(batch: Any, row: int) -> Sequence[bool]:
    """Which positions the tokenizer added itself: the text's own tokens have a sequence, those it added have none."""
    encoding = batch.encodings[row] if batch.encodings else None
    if encoding is None:
        raise UserError("this tokenizer gives no character offsets, so its tokens can't be put back to words")
    return [sequence is None for sequence in encoding.sequence_ids]
