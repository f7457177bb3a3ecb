"""Tokenizers that transformers runs in Python, Marian's and M2M100's: ids and characters from SentencePiece itself.

Their folders hold SentencePiece models and a `vocab.json` that numbers the pieces, and no `tokenizer.json`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Piece = tuple[str, int, int]  # a token as it is written, and the characters [start, end) that it stands for
LANGUAGE_START, LANGUAGE_END = ">>", "<<"  # around the language that a Marian of several is to write


class Processor(Protocol):
    """A model of SentencePiece, as its package loads it."""

    def encode(self, text: str, *, return_type: str) -> dict[str, Any]:
        """With the return type `offset_mapping`: `pieces`, and the `offsets` of each in characters of the text."""


@dataclass(frozen=True, slots=True)
class PieceEncoding:
    """The tokens of one text, in the fields that an encoding of the package tokenizers has.

    `offsets` are in characters of the text; `sequence_ids` are 0 for the text's own tokens, None for those that the
    tokenizer adds.
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]
    sequence_ids: list[int | None]


@dataclass(frozen=True, slots=True)
class AddedTokens:
    """Where a text is cut before SentencePiece reads it: tokens such as `</s>` are taken whole."""

    split: Callable[[str], list[str]]  # its parts, which make up the text again
    stripped: dict[str, tuple[bool, bool]]  # whether a token takes the spaces to its left, and those to its right

    def parts(self, text: str) -> list[tuple[bool, int, int]]:
        """The parts of a text: whether it is one of the tokens, and its characters [start, end)."""
        parts, place = [], 0
        for part in self.split(text):
            parts.append((part in self.stripped, place, place + len(part)))
            place += len(part)
        for number, (is_token, start, end) in enumerate(parts):
            left, right = self.stripped[text[start:end]] if is_token else (False, False)
            if left and number:
                _, before, stop = parts[number - 1]
                parts[number - 1] = (False, before, before + len(text[before:stop].rstrip()))
            if right and number + 1 < len(parts):
                _, begin, after = parts[number + 1]
                parts[number + 1] = (False, after - len(text[begin:after].lstrip()), after)
        return [part for part in parts if part[1] < part[2]]


class PieceTokenizer:
    """Reads texts as a slow tokenizer of transformers does, and tells the characters of every token.

    It has what is used of a fast tokenizer's backend, so that a model's tokenizer can carry it in that place.

    Args:
        processor: The model of SentencePiece.
        to_ids: The ids of tokens.
        added: The tokens that are taken whole.
        before: What is put before every text.
        after: What is put behind it.
        has_languages: Whether a text may begin with `>>fra<<`, the language to write.
    """

    def __init__(
        self,
        processor: Processor,
        to_ids: Callable[[list[str]], list[int]],
        added: AddedTokens,
        before: Sequence[str],
        after: Sequence[str],
        has_languages: bool = False,
    ):
        self._processor = processor
        self._to_ids = to_ids
        self._added = added
        self._before = list(before)
        self._after = list(after)
        self._has_languages = has_languages
        self.model = None  # the package tokenizers has one here; what isn't known is the tokenizer's unk_token_id

    def encode_batch(self, texts: Sequence[str], add_special_tokens: bool = True) -> list[PieceEncoding]:
        """The tokens of each text.

        Args:
            texts: Any texts.
            add_special_tokens: Whether what the tokenizer adds at both ends is among them.

        Returns:
            The tokens of each.
        """
        return [self.encode(text, add_special_tokens) for text in texts]

    def encode(self, text: str, add_special_tokens: bool = True) -> PieceEncoding:
        """The tokens of one text.

        Args:
            text: Any text.
            add_special_tokens: Whether what the tokenizer adds at both ends is among them.

        Returns:
            Its tokens.
        """
        pieces = self._pieces(text)
        before, after = (self._before, self._after) if add_special_tokens else ([], [])
        tokens = [*before, *(piece for piece, _, _ in pieces), *after]
        no_characters = (0, 0)
        return PieceEncoding(
            self._to_ids(tokens),
            tokens,
            [no_characters] * len(before) + [(start, end) for _, start, end in pieces] + [no_characters] * len(after),
            [None] * len(before) + [0] * len(pieces) + [None] * len(after),
        )

    def _pieces(self, text: str) -> list[Piece]:
        pieces: list[Piece] = []
        for is_token, start, end in self._added.parts(text):
            if is_token:
                pieces.append((text[start:end], start, end))
                continue
            if self._has_languages and text.startswith(LANGUAGE_START, start):
                stop = text.find(LANGUAGE_END, start, end)
                if stop >= 0:
                    pieces.append((text[start : stop + len(LANGUAGE_END)], start, stop + len(LANGUAGE_END)))
                    start = stop + len(LANGUAGE_END)
            found = self._processor.encode(text[start:end], return_type="offset_mapping")
            for piece, (begin, stop) in zip(found["pieces"], found["offsets"], strict=True):
                pieces.append((str(piece), start + begin, start + stop))
        return pieces
