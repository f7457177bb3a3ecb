"""`Explorer`: the one service behind the command line, the dashboard and programs, so that they can't disagree."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from polysema.app.export import Source, export
from polysema.app.schemas import (
    AnalogyAnswer,
    Comparison,
    InputRank,
    LayerComparison,
    Neighbour,
    NeighbourAnswer,
    OccurrenceAnswer,
    OccurrenceHit,
    SenseReport,
    SenseRow,
    WordMap,
)
from polysema.core.errors import UserError
from polysema.core.home import home
from polysema.core.measure.contextuality import random_pair_cosine
from polysema.core.measure.senses import load_senses, most_frequent_sense, nearest_sense_accuracy
from polysema.core.model.catalog import locate
from polysema.core.model.contextual import embed, word_vectors
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.static import input_table, static_vector
from polysema.core.model.tokens import Occurrence, Span, find_word
from polysema.core.space.analogy import target
from polysema.core.space.expression import parse
from polysema.core.space.formats import open_glove, read_export, read_vectors
from polysema.core.space.metric import Metric, cosine, unit
from polysema.core.space.projection import MapOptions, layered_maps
from polysema.core.space.space import Floats, Origin, Space
from polysema.indexes.exact import ExactIndex

DEFAULT_SPACE = "glove-6b-50d"
DEFAULT_MODEL = "minilm-l6"
MAX_TEXTS = 64
MAX_TEXT = 20_000
BASELINE_TEXTS = 200
MAP_LAYERS = 13  # a model with more layers keeps this many of the corpus, evenly spaced

Progress = Callable[[str, int, int], None]  # stage, done, total
_Value = TypeVar("_Value")


def _silent(stage: str, done: int, total: int) -> None:
    pass


class Kept:
    """The few things last used, each made once however many ask for it at the same time."""

    def __init__(self, most: int):
        self._most = most
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value kept under the key, made now when it isn't there."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
            value = make()
            with self._lock:
                self._values[key] = value
                while len(self._values) > self._most:
                    dropped, _ = self._values.popitem(last=False)
                    self._making.pop(dropped, None)
        return value


class Explorer:
    """Holds the models and spaces last used, and answers questions about them. Safe to share between threads."""

    def __init__(self, device: str | None = None):
        self._device = device
        self._models = Kept(2)
        self._spaces = Kept(4)
        self._corpora = Kept(3)
        self._corpus_lock = threading.Lock()
        self._indexes = Kept(4)
        self._maps = Kept(64)
        self._small = Kept(256)

    # What there is

    def model(self, name: str = DEFAULT_MODEL) -> LanguageModel:
        """The model of that name; see `load_model`."""
        return self._models.get(name, lambda: load_model(name, self._device))

    def space(self, name: str = DEFAULT_SPACE) -> Space:
        """The static space of that name: a file of vectors, the catalog's GloVe, or a model's input embeddings."""
        return self._spaces.get(("static", name), lambda: _static_space(name))

    def index(self, name: str = DEFAULT_SPACE) -> ExactIndex:
        """The exact cosine index of a static space."""
        return self._indexes.get(("static", name), lambda: ExactIndex(self.space(name).vectors, Metric.COSINE))

    # Static questions

    def neighbors(self, word: str, space: str = DEFAULT_SPACE, k: int = 10) -> NeighbourAnswer:
        """The k words nearest to a word by cosine, the word itself left out."""
        held = self.space(space)
        row = held.resolve(word)
        _check_k(k, len(held) - 1, space)
        found = self._nearest(space, np.asarray(held.vectors[row]), k, [row])
        return NeighbourAnswer(word, held.keys[row], found, held.origin)

    def analogy(self, expression: str, space: str = DEFAULT_SPACE, k: int = 10) -> AnalogyAnswer:
        """The k words nearest to a sum of words, `queen - king + man`, the words of the sum left out."""
        held = self.space(space)
        wanted = target(held, parse(expression))
        left_out = sorted({int(row) for row in wanted.rows})
        _check_k(k, len(held) - len(left_out), space)
        found = self._nearest(space, wanted.vector, k, left_out)
        ranks, scores = self.index(space).ranks(wanted.vector, wanted.rows)
        inputs = tuple(
            InputRank(word, weight, int(rank), float(score))
            for word, weight, rank, score in zip(wanted.words, wanted.weights, ranks, scores, strict=True)
        )
        return AnalogyAnswer(str(wanted.expression), found, inputs, wanted.vector, wanted.rows, held.origin)

    def _nearest(self, space: str, vector: Floats, k: int, left_out: Sequence[int]) -> tuple[Neighbour, ...]:
        hits = self.index(space).search(vector[None], k, left_out)
        keys = self.space(space).keys.take(hits.rows[0])
        found = zip(keys, hits.scores[0], hits.rows[0], strict=True)
        return tuple(Neighbour(rank, key, float(score), int(row)) for rank, (key, score, row) in enumerate(found, 1))

    # A word in texts

    def compare(
        self, word: str, texts: Sequence[str], model: str = DEFAULT_MODEL, layers: Sequence[int] | None = None,
        pooling: str = "mean", progress: Progress = _silent,
    ) -> Comparison:  # fmt: skip
        """The first occurrence of `word` in each text against the others and against its static vector, by layer."""
        _check_texts(texts, least=1)
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

    def baselines(self, model: str = DEFAULT_MODEL, progress: Progress = _silent) -> tuple[float, ...]:
        """For each layer the mean cosine of random pairs of words of the corpus of senses; kept on disk."""
        loaded = self.model(model)
        key = _digest(
            "baseline 1", load_senses().sha256, loaded.weights_sha256, loaded.revision, loaded.name, BASELINE_TEXTS
        )
        path = home() / "baselines" / f"{key}.json"

        def make() -> tuple[float, ...]:
            try:
                return tuple(float(value) for value in json.loads(path.read_text()))
            except (OSError, ValueError, TypeError):
                pass
            progress("baseline", 0, 1)
            texts = load_senses().texts[:: max(1, len(load_senses().texts) // BASELINE_TEXTS)]
            hidden = embed(loaded, texts)
            numbers = [occurrence.text for occurrence in hidden.occurrences]
            values = tuple(random_pair_cosine(vectors, numbers) for vectors in hidden.vectors)
            _keep(path, json.dumps(values))
            progress("baseline", 1, 1)
            return values

        return self._small.get(("baseline", key), make)

    def corpus_layers(self, model: str = DEFAULT_MODEL) -> tuple[int, ...]:
        """The layers at which the corpus of senses is kept: all, or 13 evenly spaced ones of a deep model."""
        n_layers = self.model(model).n_layers
        if n_layers < MAP_LAYERS:
            return tuple(range(n_layers + 1))
        return tuple(sorted({round(step * n_layers / (MAP_LAYERS - 1)) for step in range(MAP_LAYERS)}))

    def corpus(self, model: str = DEFAULT_MODEL, layer: int = -1, progress: Progress = _silent) -> Space:
        """Every word of the corpus of senses at one layer, with the column `sense` where it is annotated.

        Embedded once, as an export in the cache folder, and read from there afterwards.
        """
        loaded = self.model(model)
        layers = self.corpus_layers(model)
        (layer,) = loaded.check_layers([layer])
        if layer not in layers:
            raise UserError(f"the corpus of {model} is kept at the layers {', '.join(map(str, layers))}; got {layer}")
        senses = load_senses()
        key = _digest("corpus 1", senses.sha256, loaded.weights_sha256, loaded.revision, loaded.name, layers)
        folder = home() / "corpora" / f"senses-{key}"

        def make() -> Space:
            with self._corpus_lock:
                if not (folder / "manifest.json").is_file():
                    total = len(senses.texts)
                    source = Source("senses", senses.sha256, total)
                    export(
                        senses.texts,
                        source,
                        folder,
                        loaded,
                        layers,
                        progress=lambda n, _: progress("embed the corpus", n, total),
                    )
            space = read_export(folder, layer)
            marked = {(s.text_id, s.start, s.end): s.sense for s in senses.senses}
            places = zip(space.column("text_id"), space.column("start"), space.column("end"), strict=True)
            sense = pa.array([marked.get(place, "") for place in places], pa.string())
            assert space.columns is not None
            return replace(space, columns=space.columns.append_column("sense", sense))

        return self._corpora.get((key, layer), make)

    def occurrence_neighbors(
        self, word: str, text: str, model: str = DEFAULT_MODEL, layer: int = -1, k: int = 10, nth: int = 1,
        progress: Progress = _silent,
    ) -> OccurrenceAnswer:  # fmt: skip
        """The occurrences in the corpus of senses nearest to the n-th `word` of `text`, at one layer."""
        _check_texts([text], least=1)
        loaded = self.model(model)
        span = find_word(text, word, nth)
        place = Occurrence(0, text[span.start : span.end], span)
        space = self.corpus(model, layer, progress)
        assert space.origin.layer is not None
        _check_k(k, len(space), f"the corpus of {model}")
        hidden = embed(loaded, [text], [space.origin.layer], occurrences=[place])
        if hidden.unseen:
            raise UserError(f"the tokenizer of {model} makes no token of {word!r}, so it has no vector")
        mine = hidden.space(space.origin.layer)
        mine.origin.require_same(space.origin)
        index = self._indexes.get(
            ("corpus", model, mine.origin.layer), lambda: ExactIndex(space.vectors, Metric.COSINE)
        )
        found = index.search(mine.vectors, k)
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
        table_k = min(k, len(self.space(model)) - len(same))
        near = self._nearest(model, static, table_k, same) if found else ()
        return OccurrenceAnswer(place.word, text, span.start, span.end, hits, near, baseline, mine.origin)

    def _own_row(self, model: str, word: str) -> list[int]:
        row = self.space(model).keys.row(word)
        if row < 0:
            row = self.space(model).keys.row(word.lower())
        return [row] if row >= 0 else []

    # The corpus of senses

    def word_map(
        self, word: str, model: str = DEFAULT_MODEL, method: str = "umap", extra: Sequence[str] = (),
        progress: Progress = _silent,
    ) -> WordMap:  # fmt: skip
        """A word's occurrences at every kept layer on one plane, with its static point; `extra` texts join them.

        The occurrences of the corpus carry their senses, those of `extra` the sense "yours".
        """
        senses = load_senses().of(word)
        extra = tuple(text for text in extra if text.strip())
        if extra:
            _check_texts(extra, least=1)
        loaded = self.model(model)
        layers = self.corpus_layers(model)
        key = ("map", word.lower(), model, loaded.weights_sha256, method, extra)

        def make() -> WordMap:
            places = {(s.text_id, s.start, s.end): s.sense for s in senses}
            yours = word_vectors(loaded, word, extra, layers) if extra else None
            static, _ = static_vector(loaded, word)
            stacks, table = [], None
            for place, layer in enumerate(layers):
                space = self.corpus(model, layer, progress)
                assert space.columns is not None
                if table is None:
                    keys = zip(space.column("text_id"), space.column("start"), space.column("end"), strict=True)
                    rows = [row for row, key in enumerate(keys) if key in places]
                    table = space.columns.take(pa.array(rows)).to_pylist()
                parts = [np.asarray(space.vectors[rows]), static[None]]
                if yours is not None:
                    parts.insert(1, yours.vectors[place])
                stacks.append(np.concatenate(parts))
            assert table is not None
            positions = layered_maps(stacks, method, MapOptions(), lambda done, total: progress("lay out", done, total))
            texts = [load_senses().texts[row["text_id"]] for row in table]
            spans = [(row["start"], row["end"]) for row in table]
            names = [str(row["sense"]) for row in table]
            if yours is not None:
                texts += extra
                spans += [(o.span.start, o.span.end) for o in yours.occurrences]
                names += ["yours"] * len(extra)
            within, between = zip(*(_spread(stack[: len(table)], names[: len(table)]) for stack in stacks), strict=True)
            every = self.baselines(model, progress)
            return WordMap(
                word.lower(), layers, tuple(positions), tuple(texts), tuple(spans), tuple(names), within, between,
                tuple(every[layer] for layer in layers), method, loaded.origin(None, "mean"),
            )  # fmt: skip

        return self._maps.get(key, make)

    def senses(self, models: Sequence[str] = (DEFAULT_MODEL,), progress: Progress = _silent) -> SenseReport:
        """Leave-one-out sense accuracy of the nearest neighbour: each model's static vectors and every layer."""
        corpus = load_senses()
        words, names = [s.word for s in corpus.senses], [s.sense for s in corpus.senses]
        rows = []
        for name in models:
            loaded = self.model(name)
            static = np.stack([static_vector(loaded, word)[0] for word in words])
            rows.append(SenseRow(name, None, nearest_sense_accuracy(words, names, static), float("nan")))
            progress(f"embed with {name}", 0, 1)
            hidden = embed(loaded, corpus.texts, occurrences=corpus.occurrences())
            progress(f"embed with {name}", 1, 1)
            order = {(o.text, o.span): place for place, o in enumerate(hidden.occurrences)}
            places = [order[(s.text_id, Span(s.start, s.end))] for s in corpus.senses]
            baselines = self.baselines(name, progress)
            rows += [
                SenseRow(name, layer, nearest_sense_accuracy(words, names, vectors[places]), baselines[layer])
                for layer, vectors in zip(hidden.layers, hidden.vectors, strict=True)
            ]
        return SenseReport(
            len(words),
            len(corpus.words),
            len(set(zip(words, names, strict=True))),
            most_frequent_sense(words, names),
            tuple(rows),
        )


def _static_space(name: str) -> Space:
    found = locate(name)
    if not found.is_vectors:
        return input_table(found)
    assert found.path is not None
    if found.entry is None:
        return read_vectors(found.path)
    origin = Origin(name, weights_sha256=found.entry.members[0].sha256, revision=found.entry.requirement)
    return open_glove(found.path, origin)


def _spread(vectors: Floats, senses: Sequence[str]) -> tuple[float, float]:
    """Mean cosine of two occurrences within a sense, and of two of different senses."""
    directions = unit(np.ascontiguousarray(vectors))
    similar = directions @ directions.T
    names = np.asarray(senses)
    same = names[:, None] == names[None, :]
    other = ~np.eye(len(names), dtype=bool)
    return float(similar[same & other].mean()), float(similar[~same].mean()) if (~same).any() else float("nan")


def _check_k(k: int, most: int, where: str) -> None:
    if not 1 <= k <= most:
        raise UserError(f"k must be from 1 to {most:,}, the words of {where} that can be found; got {k:,}")


def _check_texts(texts: Sequence[str], least: int) -> None:
    if not least <= len(texts) <= MAX_TEXTS:
        raise UserError(f"give {least} to {MAX_TEXTS} texts; got {len(texts)}")
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise UserError(f"text {number} is empty; write a sentence with the word in it")
        if len(text) > MAX_TEXT:
            raise UserError(
                f"text {number} has {len(text):,} characters; at most {MAX_TEXT:,} are read here (export takes more)"
            )


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _keep(path: Any, content: str) -> None:
    """Keep a small derived file where there is room; without room it is computed again next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{threading.get_ident()}.part")
        part.write_text(content)
        part.rename(path)
    except OSError:
        return
