"""Hidden states of words: one vector for each occurrence and layer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from polysema.core.errors import UserError, check_list, list_of
from polysema.core.model.batch_vectors import WantedVectors, token_batch, word_batch
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.first_position import first_note, first_outliers
from polysema.core.model.hidden_batch import HiddenBatch, joined
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.pooling import check_pooling
from polysema.core.model.text_batches import TextBatch, batched, texts_a_batch, tokenized_batches
from polysema.core.model.tokens import Occurrence, Span, check_span, find_word, occurrences_of
from polysema.core.model.unknown import unknown_notes
from polysema.core.space.spelling import spelling_note

UNITS = ("words", "tokens")


@dataclass(frozen=True, slots=True)
class EmbeddingOptions:
    """What gets a vector.

    Args:
        pooling: How the tokens of a word become one vector: `mean`, `first`, `last` or `max`.
        unit: `words`, or `tokens`: every token has a vector of its own.
        batch_texts: How many texts are read together at most; by the size of their vectors where None.

    Raises:
        UserError: There is no such pooling or unit.
    """

    pooling: str = "mean"
    unit: str = "words"
    batch_texts: int | None = None

    def __post_init__(self) -> None:
        check_pooling(self.pooling)
        if self.unit not in UNITS:
            raise UserError(f"unit {self.unit!r} does not exist; choose one of {', '.join(UNITS)}")


Choose = Callable[[Sequence[str], int], list[Occurrence]]


def embed(
    model: LanguageModel,
    texts: Sequence[str],
    layers: Sequence[int] | None = None,
    options: EmbeddingOptions | None = None,
    occurrences: Sequence[Occurrence] | None = None,
    sources: Sequence[str] | None = None,
) -> HiddenBatch:
    """The hidden states of `occurrences` (every word when None) of `texts`, at `layers` (all when None).

    The decoder of an encoder-decoder needs `sources`, what its encoder reads beside each text. Words that the tokenizer
    doesn't know are told of in the notes of the Origin. The vectors equal those of plain transformers to 1e-5, whatever
    the texts are batched with.
    """
    texts, options = list_of(texts, "texts"), options or EmbeddingOptions()
    chosen = model.check_layers(range(model.n_layers + 1) if layers is None else layers)
    parts = list(embed_stream(model, texts, chosen, options, occurrences, sources))
    if not parts:
        origin = model.origin(None, options.pooling)
        return HiddenBatch((), chosen, np.empty((len(chosen), 0, model.dim), np.float32), origin)
    hidden = _with_note(model, joined(parts))
    notes = unknown_notes(model.tokenizer, model.name, hidden.unknown)
    return replace(hidden, origin=hidden.origin.with_notes(*notes))


def _with_note(model: LanguageModel, hidden: HiddenBatch) -> HiddenBatch:
    """The same, with a note on its card where a word stands first at a layer where that is an outlier."""
    layers = [layer for layer in first_outliers(model).alike if layer in hidden.layers] if hidden.first else []
    if not layers:
        return hidden
    note = first_note(layers, [hidden.occurrences[row].word for row in hidden.first])
    return replace(hidden, origin=replace(hidden.origin, notes=(*hidden.origin.notes, note)))


def embed_stream(
    model: LanguageModel,
    texts: Iterable[str],
    layers: Sequence[int],
    options: EmbeddingOptions | None = None,
    occurrences: "Sequence[Occurrence] | Choose | None" = None,
    sources: Iterable[str] | None = None,
) -> Iterator[HiddenBatch]:
    """As `embed`, some hundred texts at a time, in their order: memory doesn't grow with the number of texts.

    `occurrences` may be a function from texts and the number of the first of them to the occurrences wanted. The next
    texts are tokenized while these are computed.
    """
    options = options or EmbeddingOptions()
    check_list(texts, "texts")
    require_finite(model)
    layers = model.check_layers(layers)
    if model.reads_two and sources is None:
        raise UserError(f"the decoder of {model.name} reads a source beside each text; none was given")
    if sources is not None and not model.reads_two:
        raise UserError(f"{model.name} reads one text: sources are for the decoder of an encoder-decoder")
    choose = _choice(occurrences)
    by_token = options.unit == "tokens"
    pooling, said = ("first", "single tokens") if by_token else (options.pooling, options.pooling)
    wanted = WantedVectors(model, layers, pooling, model.origin(None, said))
    size = options.batch_texts or texts_a_batch(len(layers), model.dim)
    for batch in tokenized_batches(model, texts, sources, size):
        if by_token:
            yield token_batch(wanted, batch)
            continue
        yield word_batch(wanted, batch, _chosen(choose, batch.texts, batch.first))


def planned_batches(
    model: LanguageModel,
    texts: Iterable[str],
    layers: Sequence[int],
    options: EmbeddingOptions,
    occurrences: "Sequence[Occurrence] | Choose | None" = None,
) -> Iterator[tuple[int, list[str], list[Occurrence]]]:
    """The batches in which `embed_stream` reads texts: the number of the first, the texts, and what is wanted of
    them.
    """
    if model.reads_two or options.unit == "tokens":
        raise UserError(f"words that {model.name} reads beside a source, and tokens, are embedded by one process")
    require_finite(model)
    choose = _choice(occurrences)
    for first, batch, _ in batched(texts, None, options.batch_texts or texts_a_batch(len(layers), model.dim)):
        yield first, batch, _chosen(choose, batch, first)


def embed_batch(
    model: LanguageModel,
    layers: tuple[int, ...],
    options: EmbeddingOptions,
    first: int,
    texts: list[str],
    occurrences: Sequence[Occurrence],
) -> HiddenBatch:
    """The states of one of the batches of `planned_batches`, as `embed_stream` gives them."""
    wanted = WantedVectors(model, layers, options.pooling, model.origin(None, options.pooling))
    return word_batch(wanted, TextBatch(first, texts, model.encode(texts), None), occurrences)


def _chosen(choose: Choose, texts: Sequence[str], first: int) -> list[Occurrence]:
    """The occurrences that are wanted of a batch of texts, `first` the number of the first of them."""
    chosen = choose(texts, first)
    if choose is not occurrences_of:  # those are sound
        _check_spans(texts, chosen, first)
    return chosen


def _choice(occurrences: "Sequence[Occurrence] | Choose | None") -> Choose:
    """What says which occurrences of a batch of texts are wanted."""
    if occurrences is None:
        return occurrences_of
    if callable(occurrences):
        return occurrences
    wanted: dict[int, list[Occurrence]] = {}
    for occurrence in occurrences:
        wanted.setdefault(occurrence.text, []).append(occurrence)

    def choose(batch: Sequence[str], number: int) -> list[Occurrence]:
        return [o for text in range(number, number + len(batch)) for o in wanted.get(text, ())]

    return choose


def _check_spans(texts: Sequence[str], occurrences: Sequence[Occurrence], first: int) -> None:
    for occurrence in occurrences:
        check_span(texts[occurrence.text - first], occurrence.span, f"text {occurrence.text}")


def word_vectors(
    model: LanguageModel, word: str, texts: Sequence[str], layers: Sequence[int] | None = None, pooling: str = "mean"
) -> HiddenBatch:
    """The first occurrence of `word` in each text, (n_layers, n_texts, dim); raises `UserError` where it isn't."""
    occurrences = []
    for number, text in enumerate(list_of(texts, "texts")):
        span: Span = find_word(text, word)
        occurrences.append(Occurrence(number, text[span.start : span.end], span))
    hidden = embed(model, texts, layers, EmbeddingOptions(pooling), occurrences)
    if hidden.unseen:
        raise UserError(f"the tokenizer of {model.name} makes no token of {word!r}, so it has no vector")
    notes = dict.fromkeys(spelling_note(word, occurrence.word) for occurrence in occurrences)
    return replace(hidden, origin=hidden.origin.with_notes(*notes))
