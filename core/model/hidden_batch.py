"""Vectors of the same occurrences at several layers, and the parts of a stream of them as one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError
from polysema.core.model.first_position import FIRST
from polysema.core.model.tokens import Occurrence
from polysema.core.model.unknown import UnknownWord
from polysema.core.space.arrow_columns import integer_column, text_column
from polysema.core.space.space import Floats, Keys, Origin, Space


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
            "text_id": integer_column([o.text for o in occurrences], pa.int64()),
            "word": text_column([o.word for o in occurrences]),
            "start": integer_column([o.span.start for o in occurrences], pa.int32()),
            "end": integer_column([o.span.end for o in occurrences], pa.int32()),
            "layer": integer_column([layer] * len(occurrences), pa.int16()),
        }
    )


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
