"""The rows of a shard: texts in batches, and their vectors at every layer."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from polysema.app.export.options import ExportedText, ExportOptions, ShardWork
from polysema.app.export.shards import ShardRows
from polysema.core.corpus import TextRecord
from polysema.core.model.contextual import Choose, EmbeddingOptions, embed_stream
from polysema.core.model.hidden_batch import HiddenBatch, joined
from polysema.core.model.load import LanguageModel
from polysema.core.model.sentences import Sentences, plan_sentences, sentence_stream
from polysema.core.model.static import static_vector
from polysema.core.model.tokens import Occurrence, occurrences_of
from polysema.core.space.space import Floats

# texts read in overlapping windows; words, tokens or texts that the tokenizer doesn't know, wholly or in part; words or
# texts of which it makes no token, so that they have no row
COUNTS = ("split", "unknown", "unseen")


@dataclass(frozen=True, slots=True)
class ShardTexts:
    """The texts of one shard: their numbers in the input, their ids, themselves, and where their columns are: batches,
    each with the places of its rows.
    """

    numbers: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    columns: list[tuple[pa.RecordBatch, list[int]]] = field(default_factory=list)

    def add(self, number: int, given: ExportedText) -> None:
        """Take one more text."""
        self.numbers.append(number)
        if isinstance(given, str):
            self.ids.append(str(number))
            self.texts.append(given)
            return
        self.ids.append(given[0])
        self.texts.append(given[1])
        if isinstance(given, TextRecord) and given.batch.num_columns:
            if not self.columns or self.columns[-1][0] is not given.batch:
                self.columns.append((given.batch, []))
            self.columns[-1][1].append(given.place)

    def packed(self) -> "ShardTexts":
        """The same without the rows of other shards that stand in its batches of columns: to be sent away."""
        table = self.table()
        if table is None:
            return self
        whole = table.combine_chunks().to_batches()
        columns = [(batch, list(range(batch.num_rows))) for batch in whole]
        return ShardTexts(self.numbers, self.ids, self.texts, columns)

    def sha256(self) -> str:
        """A hash of the texts, their ids and their columns."""
        digest = hashlib.sha256(json.dumps([self.numbers, self.ids, self.texts]).encode())
        table = self.table()
        if table is not None:
            digest.update(json.dumps(table.to_pylist(), default=str).encode())
        return digest.hexdigest()

    def table(self) -> pa.Table | None:
        """The columns of the texts, row for row; None where they have none."""
        if not self.columns:
            return None
        return pa.Table.from_batches([batch.take(pa.array(places)) for batch, places in self.columns])


def shard_batches(
    texts: Iterable[ExportedText], wanted: ExportOptions, most: int, characters: int
) -> Iterator[ShardTexts]:
    """Texts in shards of at most `most` texts, each ended by the text that brings it over so many characters."""
    index, count = wanted.shard
    batch, size = ShardTexts(), 0
    for number, given in enumerate(texts):
        if wanted.limit is not None and number >= wanted.limit:
            break
        if number % count != index - 1:
            continue
        batch.add(number, given)
        size += len(batch.texts[-1])
        if len(batch.texts) == most or size >= characters:
            yield batch
            batch, size = ShardTexts(), 0
    if batch.texts:
        yield batch


def compute_shard(
    batch: ShardTexts,
    model: LanguageModel,
    work: ShardWork,
    statics: "StaticVectors | None",
    advance: Callable[[int], None],
) -> tuple[list[ShardRows], dict[str, int]]:
    """The rows of a shard at every layer, and the `COUNTS` of its texts.

    `advance` hears of each part of the shard how many texts it adds.
    """
    settings, wanted = work.settings, work.options
    if wanted.unit == "sentences":
        found = []
        plan = plan_sentences(model, settings["layers"], wanted.pooling, wanted.sentence)
        for sentences in sentence_stream(plan, batch.texts):
            found.append(sentences)
            advance(sentences.vectors.shape[1])
        return _sentences(batch, found, work)
    choose: Choose = occurrences_of
    if wanted.words:
        names = {word.casefold() for word in wanted.words}

        def choose(texts: Sequence[str], first: int) -> list[Occurrence]:
            return [o for o in occurrences_of(texts, first) if o.word.casefold() in names]

    parts: list[HiddenBatch] = []
    for part in embed_stream(
        model, batch.texts, settings["layers"], EmbeddingOptions(wanted.pooling, wanted.unit), choose
    ):
        parts.append(part)
        advance(part.n_texts)
    hidden = joined(parts)
    texts = [o.text for o in hidden.occurrences]
    columns = _text_columns(batch, texts, work)
    columns["word" if wanted.unit == "words" else "token"] = pa.array(
        [o.word for o in hidden.occurrences], pa.large_string()
    )
    columns["start"] = pa.array([o.span.start for o in hidden.occurrences], pa.int32())
    columns["end"] = pa.array([o.span.end for o in hidden.occurrences], pa.int32())
    static = statics.of([o.word for o in hidden.occurrences], wanted.unit) if statics is not None else None
    table = pa.table(columns)
    layers = [ShardRows(layer, table, hidden.vectors[place], static) for place, layer in enumerate(hidden.layers)]
    counts = (len(hidden.split), len(hidden.unknown), len(hidden.unseen))
    return layers, dict(zip(COUNTS, counts, strict=True))


def _text_columns(batch: ShardTexts, texts: Sequence[int], work: ShardWork) -> dict[str, object]:
    """The columns that say which text a row is of; `texts` are places in the batch."""
    columns: dict[str, Any] = {"text_id": pa.array([batch.numbers[text] for text in texts], pa.int64())}
    if work.source.id_column is not None:
        columns["id"] = pa.array([batch.ids[text] for text in texts], pa.large_string())
    if work.settings["text"]:
        columns["text"] = pa.array([batch.texts[text] for text in texts], pa.large_string())
    table = batch.table()
    if table is not None:
        places = pa.array(texts, pa.int64())
        for name, exported in work.source.columns.items():
            columns[exported] = table.column(name).combine_chunks().take(places)
    return columns


def _sentences(
    batch: ShardTexts, found: Sequence[Sentences], work: ShardWork
) -> tuple[list[ShardRows], dict[str, int]]:
    """A row for each text that isn't empty."""
    vectors = np.concatenate([part.vectors for part in found], axis=1)
    first = 0
    empty: set[int] = set()
    for part in found:
        empty |= set(part.empty)
        first += part.vectors.shape[1]
    kept = [place for place in range(first) if place not in empty and batch.texts[place].strip()]
    table = pa.table(_text_columns(batch, kept, work))
    layers = [ShardRows(layer, table, vectors[place, kept]) for place, layer in enumerate(found[0].layers)]
    counts = (sum(len(part.split) for part in found), sum(len(part.unknown) for part in found), first - len(kept))
    return layers, dict(zip(COUNTS, counts, strict=True))


class StaticVectors:
    """Static vectors of words and tokens, each looked up once while there is room."""

    MOST = 200_000

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._known: dict[str, Floats] = {}

    def of(self, names: Sequence[str], unit: str) -> Floats:
        """(len(names), static_dim)."""
        if unit == "tokens":
            ids = self._model.tokenizer.convert_tokens_to_ids(list(names))
            return np.asarray(self._model.input_table[ids].float().cpu().numpy(), np.float32)
        if len(self._known) > self.MOST:
            self._known.clear()
        for name in set(names) - self._known.keys():
            self._known[name] = static_vector(self._model, name)[0]
        width = int(self._model.input_table.shape[1])
        return np.stack([self._known[name] for name in names]) if names else np.empty((0, width), np.float32)
