"""Rows with vectors: what comes of texts at any layers, and what a collection gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.results import RowsAnswer
from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.core.model.contextual import HiddenBatch
    from polysema.core.model.load import LanguageModel
    from polysema.core.model.recipe import SentenceOptions
    from polysema.core.model.sentences import Sentences
    from polysema.core.space.space import Floats, Origin

SENTENCES = "sentences"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TextVectors(AnswerTable[dict[str, object]]):
    """`table` has a row for each of `vectors` (n_rows, dim); `origin` is the card of where they come from.

    `split` lists the texts (from 0) that were read in overlapping windows; `more` is what a service says beside it.
    """

    table: pa.Table
    vectors: Floats
    origin: Origin
    split: tuple[int, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table, a dictionary each."""
        found: list[dict[str, Any]] = self.table.to_pylist()
        return found

    def answer(self) -> RowsAnswer:
        """Without the table: as JSON has it."""
        return RowsAnswer(tuple(self.rows), self.vectors, int(self.vectors.shape[1]), self.origin, self.split)

    def _row(self, place: int) -> dict[str, object]:
        found: dict[str, object] = self.table.slice(place, 1).to_pylist()[0]
        return found


def embedded(
    model: LanguageModel,
    texts: Sequence[str],
    layers: Sequence[int] = (-1,),
    unit: str = "words",
    word: str | None = None,
    pooling: str = "mean",
    options: SentenceOptions | None = None,
) -> TextVectors:
    """The vectors of every word, of one `word`, of the tokens or of whole texts (`sentences`): a row for each layer and
    place, layer after layer. Raises `UserError` for a unit that isn't there, or a word beside another unit.
    """
    from polysema.core.model.contextual import embed, word_vectors
    from polysema.core.model.recipe import check_unit
    from polysema.core.model.sentences import embed_sentences

    check_unit(options, unit)
    chosen = model.check_layers(layers)
    if unit == SENTENCES:
        if word is not None:
            raise UserError("sentences are whole texts; leave out the word, or ask for the unit words")
        made = embed_sentences(model, texts, chosen, pooling, options)
        if made.empty:
            raise UserError(f"text {made.empty[0] + 1} has no token, so it has no vector")
        return sentence_rows(made)
    if word is not None and unit != "words":
        raise UserError("a word can only be given with the unit words")
    hidden = (
        embed(model, texts, chosen, pooling, unit=unit)
        if word is None
        else word_vectors(model, word, texts, chosen, pooling)
    )
    return occurrence_rows(hidden)


def sentence_rows(made: Sentences) -> TextVectors:
    """The vectors of whole texts, a row for each layer and text."""
    tables = [_numbered(made.vectors.shape[1], layer) for layer in made.layers]
    return TextVectors(pa.concat_tables(tables), _flat(made.vectors), made.origin, made.split)


def occurrence_rows(hidden: HiddenBatch) -> TextVectors:
    """The vectors of words or tokens, a row for each layer and place."""
    from polysema.core.model.contextual import occurrence_table

    tables = [occurrence_table(hidden.occurrences, layer) for layer in hidden.layers]
    return TextVectors(pa.concat_tables(tables), _flat(hidden.vectors), hidden.origin, hidden.split)


def _flat(vectors: Floats) -> Floats:
    return np.ascontiguousarray(vectors.reshape(-1, vectors.shape[-1]))  # (n_layers * n, dim)


def _numbered(n_texts: int, layer: int) -> pa.Table:
    return pa.table({"text_id": pa.array(range(n_texts)), "layer": pa.array([layer] * n_texts, pa.int16())})
