"""Hidden states of words: one vector for each occurrence and layer."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError, check_list, list_of
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.first_position import FIRST, first_note, first_outliers
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.pooling import check_pooling, pool
from polysema.core.model.tokens import EncodedText, Occurrence, Span, check_span, find_word, occurrences_of
from polysema.core.model.unknown import UnknownWord, unknown_id, unknown_notes, unknown_tokens, unknown_words
from polysema.core.space.space import Floats, Ints, Keys, Origin, Space
from polysema.core.space.spelling import spelling_note

TEXTS_A_BATCH = 512  # texts tokenized and planned together, at most
TOKENS_A_TEXT = 32
BATCH_BYTES = 192 << 20
BATCH_CHARACTERS = 1 << 18
UNITS = ("words", "tokens")


@dataclass(frozen=True, slots=True, eq=False)
class HiddenBatch:
    """Vectors of the same occurrences at several layers: `vectors` (n_layers, n_occurrences, dim) float32.

    `split` lists the texts that were longer than the model's window and so were read in overlapping windows; `first`
    the occurrences (by row) whose state is an outlier of a decoder's first position at some layer (see
    `first_position`); `unseen` the occurrences of which the tokenizer made no token (they have no vector), `unknown`
    those that it doesn't know, wholly or in part. `n_texts` counts the texts that were read for it, those without an
    occurrence too.
    """

    occurrences: tuple[Occurrence, ...]
    layers: tuple[int, ...]
    vectors: Floats
    origin: Origin
    split: tuple[int, ...] = ()
    unseen: tuple[Occurrence, ...] = ()
    n_texts: int = 0
    unknown: tuple[UnknownWord, ...] = ()
    first: tuple[int, ...] = ()

    def without_first(self) -> "HiddenBatch":
        """The same without the occurrences that stand first."""
        if not self.first:
            return self
        kept = np.delete(np.arange(len(self.occurrences)), self.first)
        occurrences = tuple(self.occurrences[row] for row in kept.tolist())
        notes = tuple(note for note in self.origin.notes if FIRST not in note)
        left_out = (
            f"{len(self.first):,} occurrence{'s' * (len(self.first) > 1)} "
            f"{FIRST} left out, where this decoder's "
            "states are outliers"
        )
        origin = replace(self.origin, notes=(*notes, left_out))
        return replace(self, occurrences=occurrences, vectors=self.vectors[:, kept], first=(), origin=origin)

    def space(self, layer: int) -> Space:
        """One layer as a space with the columns text_id, word, start, end, layer."""
        if layer not in self.layers:
            raise UserError(f"layer {layer} was not computed; there are: {', '.join(map(str, self.layers))}")
        table = occurrence_table(self.occurrences, layer)
        return Space(
            Keys(table.column("word")), self.vectors[self.layers.index(layer)], replace(self.origin, layer=layer), table
        )


def occurrence_table(occurrences: Sequence[Occurrence], layer: int) -> pa.Table:
    """The columns that stand beside the vectors of one layer."""
    return pa.table(
        {
            "text_id": pa.array([o.text for o in occurrences], pa.int64()),
            "word": pa.array([o.word for o in occurrences], pa.large_string()),
            "start": pa.array([o.span.start for o in occurrences], pa.int32()),
            "end": pa.array([o.span.end for o in occurrences], pa.int32()),
            "layer": pa.array(np.full(len(occurrences), layer), pa.int16()),
        }
    )


def embed(
    model: LanguageModel,
    texts: Sequence[str],
    layers: Sequence[int] | None = None,
    pooling: str = "mean",
    occurrences: Sequence[Occurrence] | None = None,
    sources: Sequence[str] | None = None,
    unit: str = "words",
) -> HiddenBatch:
    """The hidden states of `occurrences` (every word when None) of `texts`, at `layers` (all when None).

    The decoder of an encoder-decoder needs `sources`, what its encoder reads beside each text. With the unit `tokens`
    every token has a vector of its own. Words that the tokenizer doesn't know are told of in the notes of the Origin.
    The vectors equal those of plain transformers to 1e-5, whatever the texts are batched with.
    """
    texts = list_of(texts, "texts")
    chosen = model.check_layers(range(model.n_layers + 1) if layers is None else layers)
    parts = list(embed_stream(model, texts, chosen, pooling, occurrences, sources=sources, unit=unit))
    if not parts:
        return HiddenBatch((), chosen, np.empty((len(chosen), 0, model.dim), np.float32), model.origin(None, pooling))
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


def joined(parts: Sequence[HiddenBatch]) -> HiddenBatch:
    """The parts of a stream as one; there is at least one."""
    befores = [0, *accumulate(len(part.occurrences) for part in parts)][: len(parts)]
    return HiddenBatch(
        tuple(o for part in parts for o in part.occurrences),
        parts[0].layers,
        parts[0].vectors if len(parts) == 1 else np.concatenate([part.vectors for part in parts], axis=1),
        parts[0].origin,
        tuple(text for part in parts for text in part.split),
        tuple(o for part in parts for o in part.unseen),
        sum(part.n_texts for part in parts),
        tuple(word for part in parts for word in part.unknown),
        tuple(before + row for part, before in zip(parts, befores, strict=True) for row in part.first),
    )


def embed_stream(
    model: LanguageModel,
    texts: Iterable[str],
    layers: Sequence[int],
    pooling: str = "mean",
    occurrences: "Sequence[Occurrence] | Choose | None" = None,
    first: int = 0,
    sources: Iterable[str] | None = None,
    unit: str = "words",
) -> Iterator[HiddenBatch]:
    """As `embed`, some hundred texts at a time, in their order: memory doesn't grow with the number of texts.

    `first` is the number of the first text; `occurrences` may be a function from texts and the number of the first of
    them to the occurrences wanted. The next texts are tokenized while these are computed.
    """
    check_list(texts, "texts")
    require_finite(model)
    layers = model.check_layers(layers)
    if unit not in UNITS:
        raise UserError(f"unit {unit!r} does not exist; choose one of {', '.join(UNITS)}")
    if model.reads_two and sources is None:
        raise UserError(f"the decoder of {model.name} reads a source beside each text; none was given")
    if sources is not None and not model.reads_two:
        raise UserError(f"{model.name} reads one text: sources are for the decoder of an encoder-decoder")
    origin = model.origin(None, check_pooling(pooling) if unit == "words" else "single tokens")
    choose: Choose = occurrences_of
    if callable(occurrences):
        choose = occurrences
    elif occurrences is not None:
        wanted: dict[int, list[Occurrence]] = {}
        for occurrence in occurrences:
            wanted.setdefault(occurrence.text, []).append(occurrence)

        def choose(batch: Sequence[str], number: int) -> list[Occurrence]:
            return [o for text in range(number, number + len(batch)) for o in wanted.get(text, ())]

    with ThreadPoolExecutor(1, thread_name_prefix="tokenize") as ahead:
        # a text with each of its sources; the tokens of a batch are made while the one before is computed
        pending: deque[tuple[int, list[str], Future[tuple[list[EncodedText], list[Sequence[int]] | None]]]] = deque()
        for start, batch, beside in batched(texts, sources, texts_a_batch(len(layers), model.dim)):
            pending.append((first + start, batch, ahead.submit(_tokenized, model, batch, beside, first + start)))
            if len(pending) > 1:
                yield _next(model, pending.popleft(), choose, layers, pooling, origin, unit)
        while pending:
            yield _next(model, pending.popleft(), choose, layers, pooling, origin, unit)


Choose = Callable[[Sequence[str], int], list[Occurrence]]


def texts_a_batch(n_layers: int, dim: int) -> int:
    """How many texts are planned together, a power of two: about 64 MB of them are in memory at a time."""
    wanted = BATCH_BYTES // (n_layers * dim * 4 * TOKENS_A_TEXT)
    return int(min(TEXTS_A_BATCH, max(min(128, TEXTS_A_BATCH), 1 << max(0, wanted.bit_length() - 1))))


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


def _tokenized(
    model: LanguageModel, texts: Sequence[str], sources: Sequence[str] | None, first: int
) -> tuple[list[EncodedText], list[Sequence[int]] | None]:
    if sources is None:
        return model.encode(texts), None
    return [*map(model.decoder_input, model.encode_targets(texts))], [
        model.one_window(encoded, f"the source of text {first + place}").windows[0]
        for place, encoded in enumerate(model.encode(sources))
    ]


def _next(
    model: LanguageModel,
    waiting: "tuple[int, list[str], Future[tuple[list[EncodedText], list[Sequence[int]] | None]]]",
    choose: Choose,
    layers: Sequence[int],
    pooling: str,
    origin: Origin,
    unit: str,
) -> HiddenBatch:
    number, batch, tokenized = waiting
    encoded, beside = tokenized.result()
    if unit == "tokens":
        return _of_tokens(model, encoded, beside, layers, origin, number)
    chosen = choose(batch, number)
    if choose is not occurrences_of:  # those are sound
        _check_spans(batch, chosen, number)
    return _of_words(model, chosen, encoded, beside, layers, pooling, origin, number)


def _check_spans(texts: Sequence[str], occurrences: Sequence[Occurrence], first: int) -> None:
    for occurrence in occurrences:
        check_span(texts[occurrence.text - first], occurrence.span, f"text {occurrence.text}")


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """What is wanted of one text: `tokens`, those of its words one after the other, each word's `sizes` of them, and
    the rows of the answer.
    """

    tokens: Ints
    sizes: Ints
    rows: Ints


def _pooled(
    model: LanguageModel,
    encoded: Sequence[EncodedText],
    groups: dict[int, _Group],
    total: int,
    pooling: str,
    beside: "list[Sequence[int]] | None",
    layers: Sequence[int],
) -> Floats:
    """(n_layers, total, dim): a text's words are pooled as soon as its states are there, on the thread that made
    them.
    """
    out = np.empty((len(layers), total, model.dim), np.float32)
    query = sorted(groups)  # texts without a word cost no forward pass
    windows = [(number, w) for number in query for w in range(len(encoded[number].windows))]
    # of a text in several windows the tokens are gathered first
    whole = {
        n: np.empty((len(layers), len(encoded[n]), model.dim), np.float32) for n in query if len(encoded[n].windows) > 1
    }

    def take(item: int, states: list[Floats]) -> None:
        number, window = windows[item]
        takes, group = encoded[number].takes, groups[number]
        if number in whole:
            mine = np.flatnonzero(takes[:, 0] == window)
            for place, state in enumerate(states):
                whole[number][place, mine] = state[takes[mine, 1]]
            return
        places = takes[group.tokens, 1]
        for place, state in enumerate(states):
            out[place, group.rows] = pool(state, places, group.sizes, pooling)

    model.engine.run(
        [encoded[n].windows[w] for n, w in windows],
        layers,
        take,
        [beside[n] for n, _ in windows] if beside is not None else None,
    )
    for number, hidden in whole.items():
        group = groups[number]
        for place, state in enumerate(hidden):
            out[place, group.rows] = pool(state, group.tokens, group.sizes, pooling)
    return out


def _split(encoded: Sequence[EncodedText], query: Iterable[int], first: int) -> tuple[int, ...]:
    return tuple(first + number for number in sorted(query) if len(encoded[number].windows) > 1)


def _of_words(
    model: LanguageModel,
    occurrences: Sequence[Occurrence],
    encoded: Sequence[EncodedText],
    beside: "list[Sequence[int]] | None",
    layers: Sequence[int],
    pooling: str,
    origin: Origin,
    first: int,
) -> HiddenBatch:
    by_text: dict[int, list[int]] = {}
    for place, occurrence in enumerate(occurrences):
        by_text.setdefault(occurrence.text - first, []).append(place)
    counts = np.zeros(len(occurrences), np.int64)  # of each one's tokens
    flat: dict[int, Ints] = {}
    for number, places in by_text.items():
        flat[number], counts[places] = encoded[number].tokens_of([occurrences[place].span for place in places])
    seen = counts > 0
    rows = np.cumsum(seen) - 1  # an occurrence's row among those that have tokens
    groups = {}
    unknown: list[UnknownWord] = []
    unknown_token = unknown_id(model.tokenizer)
    first_rows: list[int] = []
    sinks = bool(first_outliers(model).alike)
    for number, places in by_text.items():
        mine = np.array(places)[seen[places]]
        if len(mine):
            groups[number] = _Group(flat[number], counts[mine], rows[mine])
            if sinks:
                begins = flat[number][np.cumsum(counts[mine]) - counts[mine]]  # the first token of each word
                first_rows += rows[mine][begins == 0].tolist()
            marked = unknown_tokens(encoded[number], unknown_token)
            if marked is not None:
                words = [occurrences[place] for place in mine.tolist()]
                unknown += unknown_words(words, flat[number], counts[mine], marked)
    kept = tuple(o for o, has in zip(occurrences, seen.tolist(), strict=True) if has)
    vectors = _pooled(model, encoded, groups, len(kept), pooling, beside, layers)
    unseen = tuple(o for o, has in zip(occurrences, seen.tolist(), strict=True) if not has)
    split = _split(encoded, groups, first)
    return HiddenBatch(
        kept, tuple(layers), vectors, origin, split, unseen, len(encoded), tuple(unknown), tuple(sorted(first_rows))
    )


def _of_tokens(
    model: LanguageModel,
    encoded: Sequence[EncodedText],
    beside: "list[Sequence[int]] | None",
    layers: Sequence[int],
    origin: Origin,
    first: int,
) -> HiddenBatch:
    groups: dict[int, _Group] = {}
    occurrences: list[Occurrence] = []
    first_rows: list[int] = []
    sinks = bool(first_outliers(model).alike)
    unknown: list[UnknownWord] = []
    unknown_token = unknown_id(model.tokenizer)
    for number, of in enumerate(encoded):
        if len(of):
            if sinks:
                first_rows.append(len(occurrences))
            tokens, sizes = np.arange(len(of)), np.ones(len(of), np.int64)
            groups[number] = _Group(tokens, sizes, tokens + len(occurrences))
            names = model.tokenizer.convert_ids_to_tokens(of.ids())
            occurrences += [
                Occurrence(first + number, name, Span(start, end))
                for name, (start, end) in zip(names, of.offsets.tolist(), strict=True)
            ]
            marked = unknown_tokens(of, unknown_token)
            unknown += unknown_words(occurrences[-len(of) :], tokens, sizes, marked) if marked is not None else []
    vectors = _pooled(model, encoded, groups, len(occurrences), "first", beside, layers)
    split = _split(encoded, groups, first)
    return HiddenBatch(
        tuple(occurrences),
        tuple(layers),
        vectors,
        origin,
        split,
        n_texts=len(encoded),
        unknown=tuple(unknown),
        first=tuple(first_rows),
    )


def word_vectors(
    model: LanguageModel, word: str, texts: Sequence[str], layers: Sequence[int] | None = None, pooling: str = "mean"
) -> HiddenBatch:
    """The first occurrence of `word` in each text, (n_layers, n_texts, dim); raises `UserError` where it isn't."""
    occurrences = []
    for number, text in enumerate(list_of(texts, "texts")):
        span: Span = find_word(text, word)
        occurrences.append(Occurrence(number, text[span.start : span.end], span))
    hidden = embed(model, texts, layers, pooling, occurrences)
    if hidden.unseen:
        raise UserError(f"the tokenizer of {model.name} makes no token of {word!r}, so it has no vector")
    notes = dict.fromkeys(spelling_note(word, occurrence.word) for occurrence in occurrences)
    return replace(hidden, origin=hidden.origin.with_notes(*notes))
