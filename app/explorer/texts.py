"""Questions about words in texts."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from polysema.app.explorer.embedding import TextVectors, embedded
from polysema.app.explorer.options import DEFAULT_MODEL, check_texts
from polysema.app.explorer.results import (
    Comparison,
    LayerComparison,
    OccurrenceAnswer,
    OccurrenceHit,
    SenseReport,
    SenseRow,
)
from polysema.app.explorer.words import Words
from polysema.core.errors import UserError, list_of
from polysema.core.measure.senses import load_senses, most_frequent_sense, nearest_sense_accuracy
from polysema.core.model.contextual import HiddenBatch, embed, embed_stream, joined, word_vectors
from polysema.core.model.first_position import first_outliers, left_out_note
from polysema.core.model.load import LanguageModel
from polysema.core.model.recipe import Prompt
from polysema.core.model.static import static_vector
from polysema.core.model.tokens import Occurrence, Span, find_word
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import cosine
from polysema.core.space.spelling import spelling_note
from polysema.indexes.base import check_k


class Texts(Words):
    """Answers questions about words in texts."""

    def embed(
        self,
        texts: Sequence[str],
        model: str = DEFAULT_MODEL,
        layers: Sequence[int] = (-1,),
        unit: str = "words",
        word: str | None = None,
        pooling: str = "mean",
        prompt: Prompt | None = None,
    ) -> TextVectors:
        """The vectors of words, of one word, of tokens or of whole texts (`sentences`), at any layers. See
        `rows.embedded`.
        """
        return embedded(self.model(model), texts, layers, unit, word, pooling, prompt)

    def compare(
        self,
        word: str,
        texts: Sequence[str],
        model: str = DEFAULT_MODEL,
        layers: Sequence[int] | None = None,
        pooling: str = "mean",
        progress: Progress = no_progress,
    ) -> Comparison:
        """The first occurrence of `word` in each text against the others and against its static vector, by layer."""
        check_texts(texts, least=1)
        loaded = self.model(model)
        hidden = word_vectors(loaded, word, texts, layers, pooling)
        static, pieces = static_vector(loaded, word.strip())
        baselines = self.baselines(model, progress)
        rows = []
        for place, layer in enumerate(hidden.layers):
            vectors = hidden.vectors[place]
            pairs = [cosine(vectors[i], vectors[j]) for i in range(len(texts)) for j in range(i + 1, len(texts))]
            to_static = [cosine(vector, static) for vector in vectors]
            rows.append(LayerComparison(layer, tuple(pairs), tuple(to_static), baselines[layer]))
        return Comparison(word.strip(), tuple(texts), tuple(rows), pieces, hidden.split, hidden.origin)

    def occurrence_neighbors(
        self,
        word: str,
        text: str,
        model: str = DEFAULT_MODEL,
        layer: int = -1,
        k: int = 10,
        nth: int = 1,
        progress: Progress = no_progress,
    ) -> OccurrenceAnswer:
        """The occurrences in the corpus of senses nearest to the n-th `word` of `text`, at one layer."""
        check_texts([text], least=1)
        check_k(k)
        loaded = self.model(model)
        span = find_word(text, word, nth)
        place = Occurrence(0, text[span.start : span.end], span)
        space = self.corpus(model, layer, progress)
        assert space.origin.layer is not None
        hidden = embed(loaded, [text], [space.origin.layer], occurrences=[place])
        if hidden.unseen:
            raise UserError(f"the tokenizer of {model} makes no token of {word!r}, so it has no vector")
        mine = hidden.space(space.origin.layer)
        mine.origin.require_same(space.origin)
        found = self.index(space).search(mine.vectors, k)
        rows = found.rows[0].tolist()
        texts = load_senses().texts
        assert space.columns is not None
        table = space.columns.take(pa.array(rows)).to_pylist()
        hits = tuple(
            OccurrenceHit(
                rank, row["word"], float(score), texts[row["text_id"]], row["start"], row["end"], row["sense"]
            )
            for rank, (row, score) in enumerate(zip(table, found.scores[0], strict=True), 1)
        )
        static, _ = static_vector(loaded, place.word)
        baseline = self.baselines(model, progress)[space.origin.layer]
        same = self._own_row(model, place.word)
        near = self._nearest(model, static, k, same) if found else ()
        origin = mine.origin.with_notes(spelling_note(word, place.word), *space.origin.notes)
        return OccurrenceAnswer(
            place.word, text, span.start, span.end, hits, near, baseline, origin, bool(hidden.split)
        )

    def _own_row(self, model: str, word: str) -> list[int]:
        row = self.space(model).keys.row(word)
        if row < 0:
            row = self.space(model).keys.row(word.lower())
        return [row] if row >= 0 else []

    def senses(self, models: Sequence[str] = (DEFAULT_MODEL,), progress: Progress = no_progress) -> SenseReport:
        """Leave-one-out sense accuracy of the nearest neighbor: each model's static vectors and every layer."""
        corpus = load_senses()
        words, names = [s.word for s in corpus.senses], [s.sense for s in corpus.senses]
        rows, notes = [], []
        for name in list_of(models, "models"):
            loaded = self.model(name)
            static = np.stack([static_vector(loaded, word)[0] for word in words])
            rows.append(SenseRow(name, None, nearest_sense_accuracy(words, names, static), float("nan")))
            hidden = _watched(loaded, f"embed with {name}", progress)
            order = {(o.text, o.span): place for place, o in enumerate(hidden.occurrences)}
            places = [order[(s.text_id, Span(s.start, s.end))] for s in corpus.senses]
            baselines = self.baselines(name, progress)
            alike, first = first_outliers(loaded).alike, set(hidden.first)
            later = [row for row, place in enumerate(places) if place not in first]
            if first:
                notes.append(f"{name}: {left_out_note(alike, len(first))}")
            for layer, vectors in zip(hidden.layers, hidden.vectors, strict=True):
                kept = later if layer in alike else range(len(places))
                value = nearest_sense_accuracy(
                    [words[row] for row in kept], [names[row] for row in kept], vectors[[places[row] for row in kept]]
                )
                rows.append(SenseRow(name, layer, value, baselines[layer]))
        return SenseReport(
            len(words),
            len(corpus.words),
            len(set(zip(words, names, strict=True))),
            most_frequent_sense(words, names),
            tuple(rows),
            tuple(notes),
        )


def _watched(model: LanguageModel, stage: str, progress: Progress) -> HiddenBatch:
    """The annotated occurrences of the corpus of senses at every layer. What `progress` raises ends the work."""
    corpus, parts, done = load_senses(), [], 0
    progress(stage, done, len(corpus.texts))
    for part in embed_stream(model, corpus.texts, range(model.n_layers + 1), occurrences=corpus.occurrences()):
        parts.append(part)
        done += part.n_texts
        progress(stage, done, len(corpus.texts))
    return joined(parts)
