"""Rows with vectors: what comes of texts at any layers, and what a collection gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.lazy_rows import TableRows
from polysema.app.explorer.results import RowsAnswer
from polysema.core.errors import UserError, list_of
from polysema.core.model.recipe import SentenceOptions, check_unit
from polysema.core.space.arrow_columns import integer_column

if TYPE_CHECKING:
    from polysema.core.model.hidden_batch import HiddenBatch
    from polysema.core.model.load import LanguageModel
    from polysema.core.model.sentences import Sentences
    from polysema.core.model.tokens import Occurrence, Span
    from polysema.core.space.space import Floats, Origin

SENTENCES = "sentences"
MAX_READ_ROWS = 4096  # rows that become dictionaries at once


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TextVectors(AnswerTable[dict[str, object]]):
    """`table` has a row for each of `vectors` (n_rows, dim); `origin` is the card of where they come from.

    `split` lists the texts (from 0) that were read in overlapping windows; of the words `unseen` the tokenizer makes no
    token, so that they have no row; `more` is what a service says beside it.
    """

    table: pa.Table
    vectors: Floats
    origin: Origin
    split: tuple[int, ...] = ()
    unseen: tuple[Occurrence, ...] = ()
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
        few = len(self) <= MAX_READ_ROWS
        rows = tuple(self.rows) if few else cast("tuple[dict[str, Any], ...]", TableRows(self.table))
        return RowsAnswer(rows, self.vectors, int(self.vectors.shape[1]), self.origin, self.split)

    def _row(self, place: int) -> dict[str, object]:
        found: dict[str, object] = self.table.slice(place, 1).to_pylist()[0]
        return found


@dataclass(frozen=True, slots=True)
class EmbedOptions(SentenceOptions):
    """Which place of a text has a vector: the `nth` occurrence of the word (from 1), or the characters of a `span`.

    `sources` are, of a decoder beside an encoder, what the encoder reads, one for each text. The rest is of sentences.
    """

    nth: int = 1
    span: Span | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextUnit:
    """What of a text has a vector: every word, one `word`, the tokens or the whole text (`sentences`); pooled how."""

    unit: str = "words"
    word: str | None = None
    pooling: str = "mean"


def embedded(
    model: LanguageModel,
    texts: Sequence[str],
    layers: Sequence[int] | None,
    wanted: TextUnit,
    options: SentenceOptions | None = None,
) -> TextVectors:
    """The vectors of what is wanted of the texts: a row for each layer and place, layer after layer.

    Raises `UserError` for a unit that isn't there, or a word beside another unit.
    """
    from polysema.core.model.contextual import EmbeddingOptions, embed
    from polysema.core.model.sentences import embed_sentences
    from polysema.core.model.tokens import occurrence_at
    from polysema.core.space.spelling import spelling_note

    unit, word, pooling = wanted.unit, wanted.word, wanted.pooling
    check_unit(options, unit)
    how = options if isinstance(options, EmbedOptions) else EmbedOptions()
    one_place = word is not None or how.span is not None
    chosen = model.check_layers(range(model.n_layers + 1) if layers is None else layers)
    if unit == SENTENCES:
        if one_place:
            raise UserError("sentences are whole texts; leave out the word, or ask for the unit words")
        made = embed_sentences(model, texts, chosen, pooling, options)
        if made.empty:
            raise UserError(f"text {made.empty[0] + 1} has no token, so it has no vector")
        return sentence_rows(made)
    if not one_place:
        return occurrence_rows(
            embed(model, texts, chosen, EmbeddingOptions(pooling, unit), sources=how.sources or None)
        )
    if unit != "words":
        raise UserError("a word can only be given with the unit words")
    places = [
        occurrence_at(text, number, word, how.nth, how.span) for number, text in enumerate(list_of(texts, "texts"))
    ]
    hidden = embed(model, texts, chosen, EmbeddingOptions(pooling), places, how.sources or None)
    if hidden.unseen:
        raise UserError(f"the tokenizer of {model.name} makes no token of {places[0].word!r}, so it has no vector")
    notes = dict.fromkeys(spelling_note(word, place.word) for place in places if word is not None)
    return occurrence_rows(replace(hidden, origin=hidden.origin.with_notes(*notes)))


def sentence_rows(made: Sentences) -> TextVectors:
    """The vectors of whole texts, a row for each layer and text."""
    tables = [numbered(made.vectors.shape[1], layer) for layer in made.layers]
    return TextVectors(pa.concat_tables(tables), _flat(made.vectors), made.origin, made.split)


def occurrence_rows(hidden: HiddenBatch) -> TextVectors:
    """The vectors of words or tokens, a row for each layer and place."""
    from polysema.core.model.hidden_batch import occurrence_table

    tables = [occurrence_table(hidden.occurrences, layer) for layer in hidden.layers]
    return TextVectors(pa.concat_tables(tables), _flat(hidden.vectors), hidden.origin, hidden.split, hidden.unseen)


def _flat(vectors: Floats) -> Floats:
    return np.ascontiguousarray(vectors.reshape(-1, vectors.shape[-1]))  # (n_layers * n, dim)


def numbered(n_texts: int, layer: int) -> pa.Table:
    """The columns that stand beside the vectors of whole texts."""
    return pa.table(
        {
            "text_id": integer_column(range(n_texts), pa.int64()),
            "layer": integer_column([layer] * n_texts, pa.int16()),
        }
    )
