"""Texts in batches, tokenized ahead of the passes over them."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from polysema.core.errors import UserError
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.tokens import EncodedText

MAX_TEXTS = 512  # tokenized and planned together
TOKENS_A_TEXT = 32
BATCH_BYTES = 192 << 20
BATCH_CHARACTERS = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class TextBatch:
    """Texts that are read together: the number of the first, their tokens, and those of the sources beside them."""

    first: int
    texts: list[str]
    encoded: list[EncodedText]
    sources: list[Sequence[int]] | None

    def split(self, numbers: Iterable[int]) -> tuple[int, ...]:
        """Which of the texts in these places are read in several windows, by their numbers."""
        return tuple(self.first + number for number in sorted(numbers) if len(self.encoded[number].windows) > 1)


def texts_a_batch(n_layers: int, dim: int) -> int:
    """How many texts are planned together, a power of two: about 64 MB of them are in memory at a time."""
    wanted = BATCH_BYTES // (n_layers * dim * 4 * TOKENS_A_TEXT)
    return int(min(MAX_TEXTS, max(128, 1 << max(0, wanted.bit_length() - 1))))


def batched(
    texts: Iterable[str], sources: Iterable[str] | None, size: int
) -> Iterator[tuple[int, list[str], list[str] | None]]:
    """Lists of at most `size` texts of at most `BATCH_CHARACTERS`, with the number of the first and their sources."""
    batch: list[str] = []
    beside: list[str] = []
    start = characters = 0
    others = iter(sources) if sources is not None else None
    for text in texts:
        batch.append(text)
        characters += len(text)
        if others is not None:
            beside.append(_source(others, start + len(batch) - 1))
        if len(batch) == size or characters > BATCH_CHARACTERS:
            yield start, batch, beside if others is not None else None
            start, batch, beside, characters = start + len(batch), [], [], 0
    if batch:
        yield start, batch, beside if others is not None else None


def _source(others: Iterator[str], number: int) -> str:
    source = next(others, None)
    if source is None:
        raise UserError(f"every text needs a source; text {number} has none")
    return source


def tokenized_batches(
    model: LanguageModel, texts: Iterable[str], sources: Iterable[str] | None, size: int
) -> Iterator[TextBatch]:
    """Batches of at most `size` texts with their tokens: those of a batch are made while the one before is computed."""
    with ThreadPoolExecutor(1, thread_name_prefix="tokenize") as ahead:
        pending: deque[Future[TextBatch]] = deque()
        for start, batch, beside in batched(texts, sources, size):
            pending.append(ahead.submit(_tokenized, model, batch, beside, start))
            if len(pending) > 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _tokenized(model: LanguageModel, texts: list[str], sources: Sequence[str] | None, first: int) -> TextBatch:
    if sources is None:
        return TextBatch(first, texts, model.encode(texts), None)
    beside: list[Sequence[int]] = [
        model.one_window(encoded, f"the source of text {first + place}").windows[0]
        for place, encoded in enumerate(model.encode(sources))
    ]
    return TextBatch(first, texts, [*map(model.decoder_input, model.encode_targets(texts))], beside)
