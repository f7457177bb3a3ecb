"""Hidden states of words: one vector for each occurrence and layer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError
from polysema.core.model.load import LanguageModel
from polysema.core.model.pooling import check_pooling, pool
from polysema.core.model.tokens import Occurrence, Span, find_word, occurrences_of
from polysema.core.space.space import Floats, Keys, Origin, Space

TEXTS = 256  # texts tokenized and planned together


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """Vectors of the same occurrences at several layers: `vectors` (n_layers, n_occurrences, dim) float32.

    `split` lists the texts that were longer than the model's window and so were read in overlapping windows;
    `unseen` the occurrences of which the tokenizer made no token (they have no vector).
    """

    occurrences: tuple[Occurrence, ...]
    layers: tuple[int, ...]
    vectors: Floats
    origin: Origin
    split: tuple[int, ...] = ()
    unseen: tuple[Occurrence, ...] = ()

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
) -> Hidden:
    """The hidden states of `occurrences` (every word when None) of `texts`, at `layers` (all when None).

    The vectors equal those of plain transformers to 1e-5, whatever the texts are batched with.
    """
    chosen = model.check_layers(range(model.n_layers + 1) if layers is None else layers)
    parts = list(embed_stream(model, texts, chosen, pooling, occurrences))
    if not parts:
        return Hidden((), chosen, np.empty((len(chosen), 0, model.dim), np.float32), model.origin(None, pooling))
    return joined(parts)


def joined(parts: Sequence[Hidden]) -> Hidden:
    """The parts of a stream as one; there is at least one."""
    return Hidden(
        tuple(o for part in parts for o in part.occurrences),
        parts[0].layers,
        parts[0].vectors if len(parts) == 1 else np.concatenate([part.vectors for part in parts], axis=1),
        parts[0].origin,
        tuple(text for part in parts for text in part.split),
        tuple(o for part in parts for o in part.unseen),
    )


def embed_stream(
    model: LanguageModel,
    texts: Iterable[str],
    layers: Sequence[int],
    pooling: str = "mean",
    occurrences: Sequence[Occurrence] | None = None,
    first: int = 0,
) -> Iterator[Hidden]:
    """As `embed`, some hundred texts at a time, in their order: memory doesn't grow with the number of texts.

    `first` is the number of the first text.
    """
    layers = model.check_layers(layers)
    origin = model.origin(None, check_pooling(pooling))
    wanted: dict[int, list[Occurrence]] = {}
    for occurrence in occurrences or ():
        wanted.setdefault(occurrence.text, []).append(occurrence)
    for start, batch in _batched(texts):
        number = first + start
        if occurrences is None:
            chosen = occurrences_of(batch, number)
        else:
            chosen = [o for text in range(number, number + len(batch)) for o in wanted.get(text, ())]
        _check_spans(batch, chosen, number)
        yield _embed_batch(model, batch, chosen, layers, pooling, origin, number)


def _batched(texts: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    batch: list[str] = []
    start = 0
    for text in texts:
        batch.append(text)
        if len(batch) == TEXTS:
            yield start, batch
            start, batch = start + TEXTS, []
    if batch:
        yield start, batch


def _check_spans(texts: Sequence[str], occurrences: Sequence[Occurrence], first: int) -> None:
    for occurrence in occurrences:
        length = len(texts[occurrence.text - first])
        if not 0 <= occurrence.span.start < occurrence.span.end <= length:
            raise UserError(
                f"characters {occurrence.span.start} to {occurrence.span.end} are not within text {occurrence.text}, which has {length:,}"
            )


def _embed_batch(
    model: LanguageModel, texts: Sequence[str], occurrences: Sequence[Occurrence], layers: Sequence[int],
    pooling: str, origin: Origin, first: int,
) -> Hidden:  # fmt: skip
    encoded = model.encode(texts)
    asked = {occurrence.text - first for occurrence in occurrences}  # texts without a word cost no forward pass
    windows = [(number, w) for number in sorted(asked) for w in range(len(encoded[number].windows))]
    states = dict(
        zip(windows, model.engine.hidden_states([encoded[n].windows[w] for n, w in windows], layers), strict=True)
    )
    rows: list[Floats] = []
    starts: dict[int, int] = {}
    total = 0
    for number in sorted(asked):
        takes = encoded[number].takes
        starts[number] = total
        total += len(takes)
        rows.append(_tokens(states, number, takes, len(layers), model.dim))
    hidden = np.concatenate(rows, axis=1) if rows else np.empty((len(layers), 0, model.dim), np.float32)
    groups, seen, unseen = [], [], []
    for occurrence in occurrences:
        number = occurrence.text - first
        tokens = encoded[number].tokens_of(occurrence.span)
        if tokens:
            groups.append([starts[number] + token for token in tokens])
            seen.append(occurrence)
        else:
            unseen.append(occurrence)
    split = tuple(first + number for number in sorted(asked) if len(encoded[number].windows) > 1)
    return Hidden(
        tuple(seen), tuple(layers), np.ascontiguousarray(pool(hidden, groups, pooling)), origin, split, tuple(unseen)
    )


def _tokens(states: dict[tuple[int, int], Floats], number: int, takes: np.ndarray, n_layers: int, dim: int) -> Floats:
    """The text's own tokens, (n_layers, n_tokens, dim), each from its window."""
    out = np.empty((n_layers, len(takes), dim), np.float32)
    for window in np.unique(takes[:, 0]):
        mine = takes[:, 0] == window
        out[:, mine] = states[(number, int(window))][:, takes[mine, 1]]
    return out


def word_vectors(
    model: LanguageModel, word: str, texts: Sequence[str], layers: Sequence[int] | None = None, pooling: str = "mean"
) -> Hidden:
    """The first occurrence of `word` in each text, (n_layers, n_texts, dim); raises `UserError` where it isn't."""
    occurrences = []
    for number, text in enumerate(texts):
        span: Span = find_word(text, word)
        occurrences.append(Occurrence(number, text[span.start : span.end], span))
    hidden = embed(model, texts, layers, pooling, occurrences)
    if hidden.unseen:
        raise UserError(f"the tokenizer of {model.name} makes no token of {word!r}, so it has no vector")
    return hidden
