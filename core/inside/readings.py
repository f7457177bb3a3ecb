"""What one pass over a text reads: its tokens at their characters, in windows where it is longer than the model's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.pass_cost import longest_pass, pass_cost
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import EncodedText, Span, find_word, words_of
from polysema.core.space.space import Family, Ints

UNITS = ("words", "tokens")


@dataclass(frozen=True, slots=True)
class Unit:
    """A word or a token of a text, at its characters; `span` is None for a token that the model adds."""

    name: str
    span: Span | None = None

    @property
    def special(self) -> bool:
        """Whether the model added it."""
        return self.span is None


@dataclass(frozen=True, slots=True, eq=False)
class HookedRun:
    """What one pass reads: a text, or one window of a text that is longer than the model's.

    `ids` are the tokens at each position; `tokens` what they are, a special one without a span; `fresh` (n_positions,)
    says which have their most context in this window (all, where there is one). `source` is what the encoder reads.
    """

    text: str
    ids: tuple[int, ...]
    tokens: tuple[Unit, ...]
    fresh: "np.ndarray[Any, np.dtype[np.bool_]]"
    window: int = 1
    windows: int = 1
    source: "HookedRun | None" = None

    def __len__(self) -> int:
        return len(self.ids)


def read(model: LanguageModel, text: str | None, source: str | None = None) -> tuple[HookedRun, ...]:
    """The passes that a text takes: one, or one for each window where the text is longer than the model's.

    The decoder of an encoder-decoder needs a `source`; its `text` is what the model itself writes when None. Raises
    `UserError` for an empty text, a source where none is read, and what is too long for two stacks.
    """
    if not model.reads_two:
        if source is not None:
            raise UserError(f"{model.name} reads one text: a source is for the decoder of an encoder-decoder")
        if text is None:
            raise UserError("give a text")
        return _readings(model, text, model.encode([text])[0])
    if source is None:
        raise UserError(f"the decoder of {model.name} reads a source beside each text; none was given")
    beside = _readings(model, source, model.one_window(model.encode([source])[0], "the source"))[0]
    if text is None:
        require_finite(model)  # else it writes nothing, or without end, and the message would say so
        text = _written(model, source)
    encoded = model.decoder_input(model.encode_targets([text])[0])
    if not len(encoded):
        raise UserError(f"{model.name} writes nothing for {source!r}; give the decoder's text")
    (reading,) = _readings(model, text, encoded)
    return (HookedRun(text, reading.ids, reading.tokens, reading.fresh, source=beside),)


def _written(model: LanguageModel, source: str) -> str:
    """What the model writes, as far as it can read it again: some texts have more tokens read than written."""
    text = model.generate([source])[0]
    encoded = model.encode_targets([text])[0]
    most = model.window - 2  # with the tokens that begin and end a text
    return text if len(encoded) <= most else text[: int(encoded.offsets[most - 1, 1])]


def _readings(model: LanguageModel, text: str, encoded: EncodedText) -> tuple[HookedRun, ...]:
    if not len(encoded):
        raise UserError(f"there is nothing to read in {text[:60]!r}")
    many = len(encoded.windows)
    readings = []
    for number, ids in enumerate(encoded.windows):
        mine = np.flatnonzero(encoded.takes[:, 0] == number)
        places = encoded.takes[mine, 1]
        fresh = np.zeros(len(ids), bool)
        fresh[places] = True
        if many > 1:  # tokens that have more context in another window stand here too
            first = int(mine[0] - places[0] + encoded.takes[0, 1])  # the text's token at the first own position
            before = int(encoded.takes[0, 1])
            after = len(encoded.windows[-1]) - 1 - int(encoded.takes[-1, 1])
            places = np.arange(before, len(ids) - after)
            mine = np.arange(first, first + len(places))
        if number == 0:  # the special tokens once: those before the text in the first window, the others in the last
            fresh[: places[0]] = True
        if number == many - 1:
            fresh[places[-1] + 1 :] = True
        names = model.tokenizer.convert_ids_to_tokens(list(ids))
        units = [Unit(name) for name in names]
        for place, token in zip(places.tolist(), mine.tolist(), strict=True):
            start, end = (int(number) for number in encoded.offsets[token])
            units[place] = Unit(text[start:end] or names[place], Span(start, end))
        readings.append(HookedRun(text, ids, tuple(units), fresh, number + 1, many))
    return tuple(readings)


def grouped(reading: HookedRun, unit: str, writes: bool = False) -> tuple[tuple[Unit, ...], Ints]:
    """The units of a reading in order, and each position's unit: (n_positions,).

    With the unit `words` a token goes to the first word that it shares characters with; what belongs to no word (a
    comma, a special token) is a unit of its own. With `writes` a decoder's position stands for the token that is
    written there, not for the one read: the last writes the end.
    """
    if unit not in UNITS:
        raise UserError(f"unit {unit!r} does not exist; choose one of {', '.join(UNITS)}")
    tokens = list(reading.tokens)
    if writes:
        tokens = [*tokens[1:], Unit("(end)")]
    words = words_of(reading.text) if unit == "words" else []
    starts = [word.start for word in words]
    units: list[Unit] = []
    groups = np.empty(len(tokens), np.int64)
    known: dict[Span, int] = {}
    for place, token in enumerate(tokens):
        word = _word_at(words, starts, _inked(reading.text, token.span)) if token.span is not None else None
        if word is not None and word in known:
            groups[place] = known[word]
            continue
        if word is not None:
            known[word] = len(units)
        groups[place] = len(units)
        units.append(token if word is None else Unit(reading.text[word.start : word.end], word))
    return tuple(units), groups


def _inked(text: str, span: Span) -> Span:
    """The span, or for a token that is the space before a word the character behind it."""
    return span if text[span.start : span.end].strip() else Span(span.end, span.end + 1)


def _word_at(words: Sequence[Span], starts: Sequence[int], span: Span) -> Span | None:
    from bisect import bisect_right

    if span.start >= span.end:
        return None
    place = max(0, bisect_right(starts, span.start) - 1)
    for word in words[place : place + 2]:
        if word.start < span.end and span.start < word.end:
            return word
    return None


def positions_of(reading: HookedRun, word: str, nth: int = 1, writes: bool = False) -> list[int]:
    """The positions of the n-th `word` of a reading's text; with `writes` those where a decoder writes it."""
    span = find_word(reading.text, word, nth)
    found = [
        place - writes
        for place, token in enumerate(reading.tokens)
        if token.span is not None and token.span.start < span.end and span.start < token.span.end
    ]
    if not found:
        raise UserError(f"the tokenizer makes no token of {word!r} that this pass reads")
    return found


def token_name(model: LanguageModel, number: int) -> str:
    """A token as text, with its leading space where it begins a word."""
    name = cast("str | None", model.tokenizer.convert_ids_to_tokens(int(number)))  # None of ids that no token has
    if name is None:
        return f"[unused {number}]"
    if name in model.tokenizer.all_special_tokens:
        return str(name)
    text = str(model.tokenizer.decode([int(number)], clean_up_tokenization_spaces=False))
    if not text or "\ufffd" in text:
        return str(name)
    if not text.strip():
        return text
    return f" {text.strip().removeprefix('▁')}" if name[:1] in ("Ġ", "▁") else text


def last_place(model: LanguageModel, reading: HookedRun) -> int:
    """Where a word is predicted unless said otherwise: the last position, or, of a masked encoder, the mask."""
    if model.family is not Family.ENCODER:
        return len(reading) - 1
    masks = [place for place, number in enumerate(reading.ids) if number == model.tokenizer.mask_token_id]
    if not masks:
        raise UserError(
            f"{model.name} predicts a word where the text has {model.tokenizer.mask_token or 'a mask'}; write it "
            "into the text, or "
            "say at which word to look"
        )
    return masks[0]


def place_in(model: LanguageModel, reading: HookedRun, at: "str | int | None", nth: int = 1) -> int:
    """The position meant: a word's last token, a number of a token (from 0, negative ones from the end), or where the
    next word (of a masked encoder the mask) is predicted.
    """
    if at is None:
        return last_place(model, reading)
    if isinstance(at, str):
        return positions_of(reading, at, nth)[-1]
    if not -len(reading) <= at < len(reading):
        raise UserError(f"the text has the tokens 0 to {len(reading) - 1}; got {at}")
    return at % len(reading)


def one_reading(model: LanguageModel, text: str | None, source: str | None = None) -> HookedRun:
    """The one pass of a text: also of one that is longer than the window, where the model has positions for it and the
    pass doesn't take more than is given to one. Raises `UserError` for a longer one, with what it would take.
    """
    readings = read(model, text, source)
    if len(readings) == 1:
        return readings[0]
    assert text is not None
    n_tokens = len(model.encode([text])[0]) + 2  # with those that a tokenizer adds
    cost, longest = pass_cost(model, n_tokens), longest_pass(model)
    if n_tokens <= longest and cost.affordable:
        (reading,) = read(replace(model, window=n_tokens), text)
        return reading
    reason = (
        f"{model.name} has positions for {longest:,}"
        if n_tokens > longest
        else f"at most {cost.MAX_BYTES / 1e9:.3g} GB"
    )
    raise UserError(
        f"the text has {n_tokens:,} tokens, and this needs one pass over all of them, of about {cost}; {reason}: give "
        "a shorter text"
    )
