"""The vectors of a batch of texts: passes over its windows, and each word's tokens made one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.model.first_position import first_outliers
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.pooling import pool
from polysema.core.model.text_batches import TextBatch
from polysema.core.model.tokens import Occurrence, Span
from polysema.core.model.unknown import UnknownWord, unknown_id, unknown_tokens, unknown_words
from polysema.core.space.space import Floats, Ints, Origin


@dataclass(frozen=True, slots=True, eq=False)
class WantedVectors:
    """Of which model and layers vectors are wanted, how the tokens of a word become one, and the card of them all."""

    model: LanguageModel
    layers: tuple[int, ...]
    pooling: str
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """What is wanted of one text: `tokens`, those of its words one after the other, each word's `sizes` of them, and
    the rows of the answer.
    """

    tokens: Ints
    sizes: Ints
    rows: Ints


def _pooled(wanted: WantedVectors, batch: TextBatch, groups: dict[int, _Group], total: int) -> Floats:
    """(n_layers, total, dim): a text's words are pooled as soon as its states are there, on the thread that made
    them.
    """
    model, layers, encoded, beside = wanted.model, wanted.layers, batch.encoded, batch.sources
    out = np.empty((len(layers), total, model.dim), np.float32)
    # texts without a word, and windows from which none is taken, cost no forward pass
    parts = [(number, encoded[number].takes[groups[number].tokens]) for number in sorted(groups)]
    windows = [(number, w) for number, takes in parts for w in np.unique(takes[:, 0]).tolist()]
    # of a text in several windows the tokens of its words are gathered first
    gathered = {
        n: np.empty((len(layers), len(takes), model.dim), np.float32)
        for n, takes in parts
        if len(encoded[n].windows) > 1
    }

    def take(item: int, states: list[Floats]) -> None:
        number, window = windows[item]
        group = groups[number]
        takes = encoded[number].takes[group.tokens]
        if number in gathered:
            mine = np.flatnonzero(takes[:, 0] == window)
            for place, state in enumerate(states):
                gathered[number][place, mine] = state[takes[mine, 1]]
            return
        for place, state in enumerate(states):
            out[place, group.rows] = pool(state, takes[:, 1], group.sizes, wanted.pooling)

    model.engine.run(
        [encoded[n].windows[w] for n, w in windows],
        layers,
        take,
        [beside[n] for n, _ in windows] if beside is not None else None,
    )
    for number, hidden in gathered.items():
        group = groups[number]
        for place, state in enumerate(hidden):
            out[place, group.rows] = pool(state, np.arange(len(state)), group.sizes, wanted.pooling)
    return out


def word_batch(wanted: WantedVectors, batch: TextBatch, occurrences: Sequence[Occurrence]) -> HiddenBatch:
    """The vectors of these occurrences in the texts of a batch."""
    model, encoded, first = wanted.model, batch.encoded, batch.first
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
    vectors = _pooled(wanted, batch, groups, len(kept))
    unseen = tuple(o for o, has in zip(occurrences, seen.tolist(), strict=True) if not has)
    return HiddenBatch(
        kept,
        wanted.layers,
        vectors,
        wanted.origin,
        batch.split(groups),
        unseen,
        len(encoded),
        tuple(unknown),
        tuple(sorted(first_rows)),
    )


def token_batch(wanted: WantedVectors, batch: TextBatch) -> HiddenBatch:
    """The vectors of every token of the texts of a batch."""
    model, encoded, first = wanted.model, batch.encoded, batch.first
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
    vectors = _pooled(wanted, batch, groups, len(occurrences))
    return HiddenBatch(
        tuple(occurrences),
        wanted.layers,
        vectors,
        wanted.origin,
        batch.split(groups),
        n_texts=len(encoded),
        unknown=tuple(unknown),
        first=tuple(first_rows),
    )
