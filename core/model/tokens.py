"""Text to token ids, and back to the characters they came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import regex

from polysema.core.display import clip_text
from polysema.core.errors import UserError
from polysema.core.model.segmentation import Bounds, is_letter, is_unspaced, word_bounds
from polysema.core.model.tokenizer import Backend, Encoding, Tokenizer, target_backend
from polysema.core.space.space import Ints
from polysema.core.space.spelling import encoded as encoded_text
from polysema.core.space.spelling import fold_text

CHARACTER = regex.compile(r"\X")  # as people count them: a letter with its marks, joined signs


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
    return [Span(start, end) for start, end in word_bounds(text)]


def occurrences_of(texts: Sequence[str], first: int = 0) -> list[Occurrence]:
    """Every word of every text; `first` is the number of the first text."""
    return [
        Occurrence(first + number, text[span.start : span.end], span)
        for number, text in enumerate(texts)
        for span in words_of(text)
    ]


def find_word(text: str, word: str, nth: int = 1) -> Span:
    """The n-th place where `word` stands in `text` as a word or words of `words_of`; see `find_words`.

    Raises `UserError` when it doesn't; where it stands inside of a word the message names its characters.
    """
    places = find_words(text, word)
    if nth < 1:
        raise UserError(f"occurrences count from 1; got {nth}")
    if len(places) < nth:
        shown = clip_text(text, 80)
        found = (
            "is not a word of" if not places else f"stands {len(places)} time{'s' * (len(places) > 1)}, not {nth}, in"
        )
        raise UserError(f"{word!r} {found} {shown!r}{'' if places else _inside(text, word)}")
    return places[nth - 1]


def find_words(text: str, word: str) -> list[Span]:
    """Every place where `word` stands in `text` as a word or words of `words_of`, in any case.

    Where it stands nowhere as it is written, the same text written otherwise is found: composed or decomposed, with
    another apostrophe or space, with signs that don't show (see `spelling.fold`).
    """
    if not word.strip():
        raise UserError("a word is needed; got an empty one")
    return _whole(text, _as_written(text, word)) or _whole(text, _otherwise(text, word))


def _as_written(text: str, word: str) -> Bounds:
    pattern = regex.compile(regex.escape(word.strip()), regex.IGNORECASE)
    return [match.span() for match in pattern.finditer(text, overlapped=True)]


def _otherwise(text: str, word: str) -> Bounds:
    word = word.strip()
    if text.isascii() and word.isascii() and "`" not in text + word and len(word.split()) == 1:
        return []  # ASCII has one way to write a word
    return fold_text(text).places_of(fold_text(word))


def _whole(text: str, places: Bounds) -> list[Span]:
    """Those of the places that cut no word, one after the other."""
    if not places:
        return []
    words = word_bounds(text)
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    spans: list[Span] = []
    for start, end in places:
        begins = start in starts or (not is_letter(text[start]) and (start == 0 or _apart(text[start - 1])))
        stops = end in ends or (not is_letter(text[end - 1]) and (end == len(text) or _apart(text[end])))
        if begins and stops and (not spans or spans[-1].end <= start):
            spans.append(Span(start, end))
    return spans


def _apart(sign: str) -> bool:
    """Whether a character may stand beside a sign, such as the + of c++, that is no part of it."""
    return not is_letter(sign) or is_unspaced(sign)


def _inside(text: str, word: str) -> str:
    """Where a text that is no word stands inside of one, for a message."""
    for start, end in _as_written(text, word) or _otherwise(text, word):
        try:
            check_span(text, Span(start, end))
        except UserError:
            continue
        touched = [bounds for bounds in word_bounds(text) if bounds[0] < end and bounds[1] > start]
        if touched:
            whole = text[touched[0][0] : touched[-1][1]]
            return f": it stands inside of {whole!r}; to take these characters, name them: --span {start}:{end}"
    return ""


def check_span(text: str, span: Span, what: str = "the text") -> None:
    """Raise `UserError` unless a span lies within a text and begins and ends between characters as people count
    them.
    """
    if not 0 <= span.start < span.end <= len(text):
        raise UserError(f"characters {span.start} to {span.end} are not within {what}, which has {len(text):,}")
    if text.isascii():
        return
    ends = {0, *(match.end() for match in CHARACTER.finditer(text))}
    for place in (span.start, span.end):
        if place not in ends:
            raise UserError(
                f"character {place} of {what} is inside one that is made of several (a combining mark, a joined "
                "sign); begin and end the span beside it"
            )


def occurrence_at(
    text: str, number: int = 0, word: str | None = None, nth: int = 1, span: Span | None = None
) -> Occurrence:
    """The n-th place of `word` in a text, or what stands at `span`; `number` is the text's.

    Raises `UserError` unless exactly one of the two is given, for a word that isn't there, and for a span that is cut
    inside a character, empty or outside the text.
    """
    if (word is None) == (span is None):
        raise UserError("say which word, or which characters (a span), and not both")
    if span is None:
        span = find_word(text, str(word), nth)
    else:
        check_span(text, span, f"text {number}")
    return Occurrence(number, text[span.start : span.end], span)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedText:
    """A text as one window, or as several that overlap where it is longer than the model's.

    `windows` are the ids with the model's special tokens; `offsets` (n_tokens, 2) the characters of the text's own
    tokens; `takes` says where each token's vector comes from: (n_tokens, 2), the window and the position in it.
    """

    windows: tuple[tuple[int, ...], ...]
    offsets: Ints
    takes: Ints

    def __len__(self) -> int:
        return len(self.offsets)

    def ids(self) -> list[int]:
        """The ids of the text's own tokens."""
        return [self.windows[window][place] for window, place in self.takes.tolist()]

    def tokens_of(self, spans: Sequence[Span]) -> tuple[Ints, Ints]:
        """The tokens that share characters with each span, those of one after the other, and how many each has.

        A span has none where the tokenizer made none of its characters.
        """
        wide = np.flatnonzero(self.offsets[:, 1] > self.offsets[:, 0])  # some tokenizers make tokens of no character
        starts, ends = self.offsets[wide, 0], self.offsets[wide, 1]
        firsts, lasts = np.array([s.start for s in spans], np.int64), np.array([s.end for s in spans], np.int64)
        if (starts[1:] >= starts[:-1]).all() and (ends[1:] >= ends[:-1]).all():
            low = np.searchsorted(ends, firsts, "right")
            sizes = np.maximum(np.searchsorted(starts, lasts, "left") - low, 0)
            before = np.cumsum(sizes) - sizes
            return wide[np.arange(sizes.sum()) + np.repeat(low - before, sizes)], sizes
        found = [
            wide[(starts < last) & (ends > first)] for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
        ]
        return np.concatenate([np.empty(0, np.int64), *found]), np.array([len(of) for of in found], np.int64)


def encode(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    window: int,
    causal: bool,
    beginning: Sequence[int] = (),
    targets: bool = False,
) -> list[EncodedText]:
    """Each text's tokens, in overlapping windows of at most `window` where there are more.

    Half a window overlaps. Each token is taken from the window where it has most context: for a causal model most
    to its left, otherwise most on its poorer side; the ends of the text count as no loss. Offsets are by character.
    `tokenizer` cuts nothing off; `beginning` are ids put before each text; `targets` are texts of a decoder whose
    language has tokens of its own.
    Raises `UserError` for a text that isn't Unicode.
    """
    backend: Backend = target_backend(tokenizer) if targets else tokenizer.backend_tokenizer
    try:
        encodings = backend.encode_batch(list(texts), add_special_tokens=True)
    except (TypeError, UnicodeEncodeError):
        for number, text in enumerate(texts):
            encoded_text(text, f"text {number}")
        raise
    return [_encoded(encoding, window, causal, list(beginning)) for encoding in encodings]


def _encoded(encoding: Encoding, window: int, causal: bool, beginning: list[int]) -> EncodedText:
    ids = [*beginning, *encoding.ids]
    # the text's own tokens have a sequence, those that the tokenizer adds have none
    places = [place for place, sequence in enumerate(encoding.sequence_ids) if sequence is not None]
    offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)[places]
    return _windows(ids, [len(beginning) + place for place in places], offsets, window, causal)


def encode_ids(tokenizer: Tokenizer, ids: Sequence[int], window: int, causal: bool) -> EncodedText:
    """As `encode`, of a text given as ids: its own, or with the special tokens that the tokenizer adds at both ends.

    Its tokens have no characters: their offsets are 0. Raises `UserError` for an id outside the vocabulary.
    """
    wrong = next((one for one in ids if not 0 <= one < len(tokenizer)), None)
    if wrong is not None:
        raise UserError(f"token ids go from 0 to {len(tokenizer) - 1:,}; got {wrong:,}")
    sample = tokenizer.backend_tokenizer.encode("a", add_special_tokens=True)
    own = [place for place, sequence in enumerate(sample.sequence_ids) if sequence is not None]
    before, after = sample.ids[: own[0]], sample.ids[own[-1] + 1 :]
    mine = list(ids)
    if before + after and mine[: len(before)] == before and mine[len(mine) - len(after) :] == after:
        mine = mine[len(before) : len(mine) - len(after)]
    places = list(range(len(before), len(before) + len(mine)))
    return _windows([*before, *mine, *after], places, np.zeros((len(mine), 2), np.int64), window, causal)


def _windows(ids: Sequence[int], places: Sequence[int], offsets: Ints, window: int, causal: bool) -> EncodedText:
    if len(ids) <= window or not places:
        return EncodedText(
            (tuple(ids),), offsets, np.stack([np.zeros(len(places), np.int64), places], axis=1).astype(np.int64)
        )
    before, after = ids[: places[0]], ids[places[-1] + 1 :]
    own = window - len(before) - len(after)
    if own < 2:
        raise UserError(
            f"a window of {window} tokens leaves no room for a text beside {len(before) + len(after)} special tokens"
        )
    n, step = len(places), own - own // 2
    mine = ids[places[0] : places[-1] + 1]
    starts = list(range(0, n - own + step, step))
    windows = tuple((*before, *mine[start : start + own], *after) for start in starts)
    best = np.full(n, -1, np.int64)
    takes = np.zeros((n, 2), np.int64)
    for number, start in enumerate(starts):
        stop = min(start + own, n)
        ranks = np.arange(stop - start)
        left = ranks if number else np.full(stop - start, own)
        right = np.full(stop - start, own) if stop == n else (stop - start - 1) - ranks
        context = left if causal else np.minimum(left, right)
        better = np.flatnonzero(context > best[start:stop])
        best[start + better] = context[better]
        takes[start + better, 0] = number
        takes[start + better, 1] = len(before) + ranks[better]
    return EncodedText(windows, offsets, takes)
