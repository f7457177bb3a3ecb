"""Words that a tokenizer doesn't know: their vector is that of its one token for all of them, [UNK] or <unk>."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.model.tokenizer import Tokenizer
from polysema.core.model.tokens import EncodedText, Occurrence
from polysema.core.space.space import Ints

MAX_WORDS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """An occurrence, of whose `n_tokens` so many as `n_unknown` are unknown to the tokenizer."""

    occurrence: Occurrence
    n_unknown: int
    n_tokens: int


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id that stands for what a fast tokenizer doesn't know; None where it can write everything, as by bytes."""
    model = tokenizer.backend_tokenizer.model
    if not hasattr(model, "unk_token"):  # Unigram (SentencePiece), which numbers it
        return tokenizer.unk_token_id
    if model.unk_token is None:  # GPT-2's, which has a token for every byte; its unk_token ends a text
        return None
    found: int | None = model.token_to_id(model.unk_token)
    return found


def unknown_tokens(encoded: EncodedText, unknown: int | None) -> "np.typing.NDArray[np.bool_] | None":
    """Which of a text's own tokens are the unknown one, (n_tokens,); None where none is."""
    if unknown is None or not any(unknown in window for window in encoded.windows):
        return None
    found: np.typing.NDArray[np.bool_] | None = np.array(encoded.ids(), np.int64) == unknown
    return found


def unknown_words(
    occurrences: Sequence[Occurrence], tokens: Ints, sizes: Ints, unknown: "np.typing.NDArray[np.bool_] | None"
) -> list[UnknownWord]:
    """Those of the occurrences in one text that have an unknown token.

    Args:
        occurrences: Words of one text, each of one token or more.
        tokens: Their tokens, those of one after the other.
        sizes: How many each has.
        unknown: What `unknown_tokens` says of the text.
    """
    if unknown is None:
        return []
    counts = np.add.reduceat(unknown[tokens].astype(np.int64), np.cumsum(sizes) - sizes)
    places = np.flatnonzero(counts).tolist()
    return [UnknownWord(occurrences[place], int(counts[place]), int(sizes[place])) for place in places]


def unknown_notes(tokenizer: Tokenizer, name: str, words: Sequence[UnknownWord]) -> tuple[str, ...]:
    """What is said beside vectors of words that the tokenizer of the model `name` doesn't know."""
    if not words:
        return ()
    token = _unknown_token(tokenizer)
    wholly = dict.fromkeys(word.occurrence.word for word in words if word.n_unknown == word.n_tokens)
    partly = dict.fromkeys(word.occurrence.word for word in words if word.n_unknown < word.n_tokens)
    notes = []
    if wholly.pop(token, False) is None:  # the units are tokens, which have this one's name
        count = sum(word.occurrence.word == token for word in words)
        notes.append(f"{count:,} of the tokens are {token}: the tokenizer of {name} doesn't know what stands there")
    if wholly:
        notes.append(
            f"the tokenizer of {name} doesn't know {_listed(list(wholly))}: what is read there is {token}, the "
            "same for every unknown word"
        )
    if partly:
        notes.append(
            f"the tokenizer of {name} doesn't know a part of {_listed(list(partly))}, which it reads as {token}"
        )
    return tuple(notes)


def unknown_texts_note(tokenizer: Tokenizer, name: str, texts: Sequence[int]) -> str:
    """What is said beside vectors of whole texts, some of which hold words that the tokenizer doesn't know."""
    if not texts:
        return ""
    shown = ", ".join(str(text + 1) for text in texts[:MAX_WORDS_SHOWN])
    token = _unknown_token(tokenizer)
    which = (
        f"text {shown}"
        if len(texts) == 1
        else f"{len(texts):,} texts ({shown}{', …' * (len(texts) > MAX_WORDS_SHOWN)})"
    )
    return f"the tokenizer of {name} doesn't know every word of {which}; those it doesn't know are read as {token}"


def _unknown_token(tokenizer: Tokenizer) -> str:
    """What stands for what isn't known, of a tokenizer that doesn't know something."""
    unknown = unknown_id(tokenizer)
    assert unknown is not None
    return tokenizer.convert_ids_to_tokens(unknown)


def _listed(words: Sequence[str]) -> str:
    more = len(words) - MAX_WORDS_SHOWN
    shown = [repr(word if len(word) <= 40 else word[:39] + "…") for word in words[:MAX_WORDS_SHOWN]]
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
