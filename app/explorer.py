"""`Explorer`: the one service behind the command line, the dashboard and programs, so that they can't disagree."""

import hashlib
import json
import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from polysema.app.export import Source, export
from polysema.app.inspection import Looking, given
from polysema.app.maps import matched_maps, new_neighbors, project_space
from polysema.app.nearby import Around, around_point
from polysema.app.rows import Vectors, embedded
from polysema.app.schemas import (
    AnalogyAnswer,
    AxisAnswer,
    CloserAnswer,
    Comparison,
    Evidence,
    InputRank,
    LayerComparison,
    MatchedMaps,
    MethodAnswer,
    Neighbour,
    NeighbourAnswer,
    OccurrenceAnswer,
    OccurrenceHit,
    OddAnswer,
    SenseReport,
    SenseRow,
    SimilarityAnswer,
    SpaceMap,
    TravelAnswer,
    TravelStep,
    WordMap,
)
from polysema.core.errors import UserError
from polysema.core.home import home
from polysema.core.measure.bias import Association, weat
from polysema.core.measure.clusters import SenseClusters, sense_clusters
from polysema.core.measure.contextuality import random_pair_cosine
from polysema.core.measure.senses import load_senses, most_frequent_sense, nearest_sense_accuracy
from polysema.core.model.catalog import CATALOG, locate
from polysema.core.model.contextual import Hidden, embed, embed_stream, joined, word_vectors
from polysema.core.model.load import LanguageModel, load_model, on_torch
from polysema.core.model.static import input_table, static_vector
from polysema.core.model.tokens import Occurrence, Span, find_word, find_words
from polysema.core.space.analogy import (
    EPSILON,
    OF_A_SUM,
    OF_PAIRS,
    Resolve,
    Scoring,
    Target,
    by_cosine,
    check_method,
    scoring_of_pairs,
    target,
    three_cos_mul,
)  # fmt: skip
from polysema.core.space.expression import Term, parse
from polysema.core.space.formats import open_glove, read_export, read_vectors
from polysema.core.space.hits import Hits
from polysema.core.space.metric import Metric, cosine, unit
from polysema.core.space.policy import Found, Policy, look_up
from polysema.core.space.projection import MapOptions, Neighbors, layered_maps
from polysema.core.space.projection import place as place_on
from polysema.core.space.relations import axis_ends, mean_vector, odd_one_out
from polysema.core.space.space import Family, Floats, Ints, Origin, Space
from polysema.core.space.transform import Transform, fit, named_direction, project, view, without
from polysema.indexes.base import Index, checked
from polysema.indexes.collection import Collection
from polysema.indexes.exact import ExactIndex
from polysema.indexes.faiss_index import FaissIndex
from polysema.indexes.filters import parse as parse_filter
from polysema.indexes.recipe import Recipe
from polysema.indexes.store.manifest import FORMAT_FILE, MANIFESTS
from polysema.indexes.store.manifest import NAME as COLLECTION_NAME

if TYPE_CHECKING:
    from polysema.core.inside.attention import Attention, HeadRanking
    from polysema.core.inside.contribution import Contributions
    from polysema.core.inside.lens import Lens, LensView

DEFAULT_SPACE = "glove-6b-50d"
DEFAULT_MODEL = "minilm-l6"
MAX_TEXTS = 64
MAX_CLUSTERED = 2000  # texts whose occurrences of a word are clustered
MAX_STEPS = 1000
_OCCURRENCE = re.compile(r'\sin\s*"')
MAX_TEXT = 20_000
BASELINE_TEXTS = 200
MAP_LAYERS = 13  # a model with more layers keeps this many of the corpus, evenly spaced

Progress = Callable[[str, int, int], None]  # stage, done, total
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Asking:
    """How an analogy is asked: its example `pairs` (3CosAvg, LRCos), the look-up `policy`, whether the `evidence` is
    gathered (the inputs' ranks and the other methods' answers: some passes more), and 3CosMul's `epsilon`.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    policy: Policy = field(default_factory=Policy)
    evidence: bool = True
    epsilon: float = EPSILON


@dataclass(frozen=True, slots=True)
class Finding:
    """How neighbours are looked for: only rows that a filter lets pass (`where`, over the space's columns, or over
    `word` alone where it has none), by an index of a recipe such as `hnsw:M=16` (else exactly), to a `recall`.
    """

    where: str = ""
    index: str = ""
    recall: float | None = None


def _silent(stage: str, done: int, total: int) -> None:
    pass


class Kept:
    """The few things last used, each made once however many ask for it at the same time."""

    def __init__(self, most: int):
        self._most = most
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def values(self) -> list[Any]:
        """What is kept now."""
        with self._lock:
            return list(self._values.values())

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value kept under the key, made now when it isn't there."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    self.hits += 1
                    return self._values[key]
                self.misses += 1
            value = make()
            with self._lock:
                self._values[key] = value
                while len(self._values) > self._most:
                    dropped, _ = self._values.popitem(last=False)
                    self._making.pop(dropped, None)
        return value

    def put(self, key: Hashable, value: Any) -> None:
        """Keep another value under the key."""
        with self._lock:
            self._values[key] = value


class Explorer:
    """Holds the models and spaces last used, and answers questions about them. Safe to share between threads."""

    def __init__(self, device: str | None = None, collections: Path | None = None):
        self._device = device
        self._collections = collections or home() / "collections"
        self._models = Kept(3)  # one of each family
        self._spaces = Kept(4)
        self._corpora = Kept(8)  # the layers of a small model, which are compared side by side
        self._corpus_lock = threading.Lock()
        self._indexes = Kept(4)
        self._maps = Kept(64)
        self._space_maps = Kept(6)  # of up to all rows of a space
        self._neighbors = Kept(3)
        self._clouds = Kept(8)
        self._small = Kept(256)
        self._transforms: weakref.WeakKeyDictionary[Space, Transform] = weakref.WeakKeyDictionary()

    # What there is

    def model(self, name: str = DEFAULT_MODEL) -> LanguageModel:
        """The model of that name; see `load_model`."""
        return self._models.get(name, lambda: load_model(name, self._device, patient=False))

    def inside(self, name: str = DEFAULT_MODEL, stack: str = "") -> LanguageModel:
        """The model of that name, on torch, to look inside; of an encoder-decoder its decoder unless `stack` says encoder."""
        loaded = self.model(name)
        two = loaded.family is Family.ENCODER_DECODER
        return on_torch(loaded, stack or ("decoder" if two else ""))

    def attention(
        self, text: str, model: str = DEFAULT_MODEL, layers: Sequence[int] | None = None,
        looking: Looking | None = None, most: int | None = None,
    ) -> "tuple[Attention, ...]":  # fmt: skip
        """Who looks at whom in a text, at layers from 1 (None: all): an answer for each window. See `core.inside.attention`.

        `most` numbers are kept (None: a gigabyte of them).
        """
        from polysema.core.inside.attention import MOST_BYTES, attention

        how = looking or Looking()
        loaded = self.inside(model, how.stack)
        asked, source = given(loaded, text, how.target)
        limit = MOST_BYTES if most is None else min(MOST_BYTES, 4 * most)
        return attention(loaded, asked, layers, source, how.view(loaded), limit)

    def find_heads(
        self, pairs: Sequence[tuple[str, str]], texts: Sequence[str], model: str = DEFAULT_MODEL,
        layers: Sequence[int] | None = None, looking: Looking | None = None,
    ) -> "HeadRanking":  # fmt: skip
        """All heads by how much the first word of each pair looks at the second. See `core.inside.attention.find_heads`."""
        from polysema.core.inside.attention import find_heads
        from polysema.core.inside.passes import one_reading

        how = looking or Looking()
        loaded = self.inside(model, how.stack)
        both = [given(loaded, text, how.target) for text in texts]
        if not loaded.reads_two:
            return find_heads(loaded, pairs, list(texts), None, how.view(loaded), layers)
        written = [one_reading(loaded, asked, source).text for asked, source in both]
        return find_heads(loaded, pairs, written, list(texts), how.view(loaded), layers)

    def lens(
        self, text: str, model: str = DEFAULT_MODEL, layers: Sequence[int] | None = None, words: Sequence[str] = (),
        view: "LensView | None" = None, looking: Looking | None = None,
    ) -> "Lens":  # fmt: skip
        """What a model would say if it stopped at a layer, 0 to n (None: all). See `core.inside.lens`."""
        from polysema.core.inside.lens import lens

        how = looking or Looking()
        loaded = self.inside(model, how.stack)
        asked, source = given(loaded, text, how.target)
        return lens(loaded, asked, layers, words, source, view)

    def contributions(
        self, text: str, word: str, model: str = DEFAULT_MODEL, against: str | None = None, at: "str | int | None" = None,
        looking: Looking | None = None,
    ) -> "Contributions":  # fmt: skip
        """What each part of a model adds to the logit of a word. See `core.inside.contribution`."""
        from polysema.core.inside.contribution import contributions

        how = looking or Looking()
        loaded = self.inside(model, how.stack)
        asked, source = given(loaded, text, how.target)
        return contributions(loaded, asked, word, against, source, at)

    def space(self, name: str = DEFAULT_SPACE, progress: Progress = _silent) -> Space:
        """The space of that name: a file of vectors, the catalog's GloVe, a model's input embeddings, as `minilm-l6@6` the
        occurrences of every word of the corpus of senses at a layer of a model, or a collection, by its folder or by
        its name in the data folder (`mine`, or `mine/layer-6` where it has several spaces).
        """
        contextual = re.fullmatch(r"(.+)@(-?\d{1,4})", name)
        if contextual and not Path(name).exists():
            return self.corpus(contextual[1], int(contextual[2]), progress)
        folder, inner = self._collection(name)
        if folder is not None:
            return self._spaces.get(
                ("stored", str(folder), inner, _stamp(str(folder))), lambda: Collection(folder).space(inner)
            )
        return self._spaces.get(("static", name, _stamp(name)), lambda: _static_space(name, progress))

    def _collection(self, name: str) -> tuple[Path | None, str | None]:
        """The folder of the collection that a name stands for, and the space in it; None where it is none of the data folder."""
        first, _, inner = name.partition("/")
        if not COLLECTION_NAME.fullmatch(first) or any(row.name == name for row in CATALOG) or Path(name).exists():
            return None, None
        folder = self._collections / first
        return (folder, inner or None) if is_collection(folder) else (None, None)

    def stamp(self, name: str) -> Hashable:
        """What tells whether the collection or file of that name has changed since; None for a space that can't."""
        folder, _ = self._collection(name)
        return _stamp(name if folder is None else str(folder))

    def held(self) -> dict[str, int]:
        """What is in memory: models, the bytes of their weights, spaces; and how often what was asked for was there."""
        kept = (
            self._models,
            self._spaces,
            self._corpora,
            self._indexes,
            self._maps,
            self._space_maps,
            self._neighbors,
            self._clouds,
            self._small,
        )
        models = self._models.values()
        weights = [parameter for model in models for parameter in model.whole.parameters()]
        return {
            "models": len(models),
            "model_bytes": sum(one.numel() * one.element_size() for one in weights),
            "spaces": len(self._spaces.values()) + len(self._corpora.values()),
            "hits": sum(one.hits for one in kept),
            "misses": sum(one.misses for one in kept),
        }

    def view(self, space: "str | Space" = DEFAULT_SPACE, transform: str = "raw", removed: Sequence[str] = ()) -> Space:
        """A space centred, without its top components or whitened (`transform`), and without directions (`removed`,
        each written `poor -> rich`). The Origin of what is returned says so; the methods here take it as a space.
        """
        held = self._held(space)
        if transform.partition(":")[0] == "raw" and not removed:
            return held

        def make() -> tuple[Space, Space]:
            shown, done = held, self._transforms.get(held)
            if transform.partition(":")[0] != "raw":
                change = fit(held, transform)
                shown, done = view(held, change), change if done is None else done.then(change)
                self._transforms[shown] = done
            if removed:
                axes = np.stack([self.direction(axis, shown) for axis in removed])
                change = without(axes, f"without {' and '.join(' '.join(axis.split()) for axis in removed)}")
                shown, done = view(shown, change), change if done is None else done.then(change)
                self._transforms[shown] = done
            return held, shown

        return self._spaces.get(("view", id(held), transform, tuple(removed)), make)[1]

    def _held(self, space: "str | Space") -> Space:
        return space if isinstance(space, Space) else self.space(space)

    def baseline(self, space: "str | Space" = DEFAULT_SPACE) -> float:
        """Mean cosine of random pairs of a space's rows, beside which a cosine means something; nan for a single row.

        Where the rows are words in texts, the two of a pair are of different texts.
        """
        held = self._held(space)

        def make() -> tuple[Space, float]:
            columns = held.columns
            apart = columns is not None and "text_id" in columns.column_names
            return held, random_pair_cosine(held.vectors, held.column("text_id") if apart else np.arange(len(held)))

        return self._small.get(("random pairs", id(held)), make)[1]

    def index(self, space: "str | Space" = DEFAULT_SPACE) -> ExactIndex:
        """The exact cosine index of a space."""
        held = self._held(space)
        # the space is kept beside its index, so that its id is not given to another meanwhile
        return self._indexes.get(("of", id(held)), lambda: (held, ExactIndex(held.vectors, Metric.COSINE)))[1]

    def look_up(self, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None) -> Resolve:
        """What a term of an expression stands for in a space: a word, or an occurrence at the space's layer.

        Raises `IncompatibleError` with both cards for an occurrence that doesn't belong to the space.
        """
        held, chosen = self._held(space), policy or Policy()

        def resolve(term: Term) -> Found:
            return look_up(held, term.word, chosen) if term.context is None else self._occurrence(held, term)

        return resolve

    def vector(self, expression: str, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None) -> Floats:
        """Where a sum of words leads in a space, `king - man + woman`, or an occurrence, `bank in "the bank of a river"`: (dim,)."""
        held = self._held(space)
        return target(held, parse(expression), self.look_up(held, policy)).vector

    def _occurrence(self, space: Space, term: Term) -> Found:
        context = term.context
        assert context is not None
        _check_texts([context.text], least=1)
        known = space.origin.layer is not None or not locate(space.origin.source).is_vectors
        model = self.model(space.origin.source if known else DEFAULT_MODEL)
        layer = context.layer if context.layer is not None else space.origin.layer
        (layer,) = model.check_layers([-1 if layer is None else layer])
        model.origin(layer, "mean").require_same(replace(space.origin, transform="raw"))
        span = find_word(context.text, term.word, context.nth)
        place = Occurrence(0, context.text[span.start : span.end], span)
        hidden = embed(model, [context.text], [layer], occurrences=[place])
        if hidden.unseen:
            raise UserError(f"the tokenizer of {model.name} makes no token of {term.word!r}, so it has no vector")
        vectors = hidden.vectors[0]
        if (done := self._transforms.get(space)) is not None:
            vectors = done.apply(vectors)
        return Found(str(term), place.word, np.empty(0, np.int64), unit(vectors)[0], f"its occurrence at layer {layer}")

    # Static questions

    def neighbors(
        self, word: "str | Term", space: "str | Space" = DEFAULT_SPACE, k: int = 10, policy: Policy | None = None,
        finding: Finding | None = None,
    ) -> NeighbourAnswer:  # fmt: skip
        """The k words nearest to a word by cosine, the word itself left out.

        `word` may be an occurrence, `bank in "They sat on the river bank"`, where the space is of that model and layer.
        """
        held, chosen = self._held(space), policy or Policy()
        if isinstance(word, Term):
            term, word = word, str(word)
        else:
            term = parse(word).terms[0] if _OCCURRENCE.search(word) else Term(1.0, word)
        found = self.look_up(held, chosen)(term)
        if not found.known:
            raise held.unknown(term.word)
        _check_k(k, len(held) - len(found.rows), held.origin.source)
        if finding is None or finding == Finding():
            hits = self.index(held).search_scored(by_cosine("neighbours", found.vector), k, found.rows)
            return NeighbourAnswer(word, found.word, self._named(held, hits), held.origin, found.how, chosen.describe())
        hits = self._find(held, found, k, finding)
        return NeighbourAnswer(
            word, found.word, self._named(held, hits), held.origin, found.how, chosen.describe(), hits.how, hits.recall
        )

    def _find(self, space: Space, found: Found, k: int, finding: Finding) -> Hits:
        """The rows that pass nearest to what was found, fewer than k where fewer pass: (1, k or fewer)."""
        return _there(self._searched(space, found.vector[None], k, finding, found.rows.tolist()), 0)

    def _searched(self, space: Space, queries: Floats, k: int, finding: Finding, left_out: Sequence[int] = ()) -> Hits:
        index: Index = self.index(space)
        if finding.index:
            recipe = Recipe.parse(finding.index)
            index = self._indexes.get(
                ("faiss", id(space), recipe), lambda: (space, FaissIndex(space.vectors, Metric.COSINE, recipe))
            )[1]
        mask = None
        if finding.where:
            table = space.columns if space.columns is not None else pa.table({"word": space.keys.array})
            mask = parse_filter(finding.where).mask_of(table)
        return index.search(queries, k, left_out, where=mask, recall=finding.recall)

    def nearest(
        self, vectors: "npt.ArrayLike", space: "str | Space" = DEFAULT_SPACE, k: int = 10,
        finding: Finding | None = None,
    ) -> tuple[tuple[Neighbour, ...], ...]:  # fmt: skip
        """The k rows nearest to each vector, (n_queries, dim), by cosine; fewer where fewer pass the filter."""
        held = self._held(space)
        queries = checked(vectors, held.dim, "vectors")
        hits = self._searched(held, queries, k, finding or Finding())
        return tuple(self._named(held, _there(hits, query)) for query in range(len(queries)))

    def analogy(
        self, expression: str, space: "str | Space" = DEFAULT_SPACE, k: int = 10, method: str = "3cosadd",
        asking: Asking | None = None,
    ) -> AnalogyAnswer:  # fmt: skip
        """The k best words for a sum of words, `queen - king + man`, or, for 3CosAvg and LRCos, for a word and example
        pairs. The words of the question are left out; the evidence says where they would have stood, what the best
        would have been with them, and what other methods and the baselines answer.
        """
        held, asking, method = self._held(space), asking or Asking(), check_method(method)
        resolve = self.look_up(held, asking.policy)
        wanted = target(held, parse(expression), resolve)
        pairs = [(resolve(Term(1.0, a)), resolve(Term(1.0, b))) for a, b in asking.pairs]
        known = [pair for pair in pairs if pair[0].known and pair[1].known]
        scoring = self._scoring(held, wanted, method, known, asking)
        out = wanted.left_out + [int(row) for pair in known for found in pair for row in found.rows]
        left_out = np.unique(np.array(out, np.int64))
        _check_k(k, len(held) - len(left_out), held.origin.source)
        index = self.index(held)
        scores = index.scores(scoring) if asking.evidence else None
        found = (
            index.search_scored(scoring, k, left_out) if scores is None else index.best(scores, k, left_out, scoring)
        )
        best = self._named(held, found)
        own = scoring.combine(scoring.queries @ np.stack([f.vector for f in wanted.found]).T)
        inputs = tuple(
            InputRank(found.word, weight, None if scores is None else _rank(scores, found), float(score), found.how)
            for found, weight, score in zip(wanted.found, wanted.weights, own, strict=True)
        )
        evidence = None if scores is None else self._evidence(held, wanted, scoring, scores, left_out, asking)
        return AnalogyAnswer(
            str(wanted.expression), best, inputs, wanted.vector, np.stack([f.vector for f in wanted.found]),
            held.origin, method, asking.policy.describe(), evidence,
            tuple(f"{a.word}:{b.word}" for a, b in known), tuple(a.asked + ":" + b.asked for a, b in pairs if (a, b) not in known),
        )  # fmt: skip

    def _scoring(
        self, space: Space, wanted: Target, method: str, pairs: Sequence[tuple[Found, Found]], asking: Asking
    ) -> Scoring:
        if method in OF_PAIRS:
            if len(wanted.found) != 1:
                raise UserError(f"{method} asks about one word, and example pairs say how; got {wanted.expression}")
            return scoring_of_pairs(space, method, pairs, wanted.found[0])
        if asking.pairs:
            raise UserError(f"{method} takes no example pairs; {' and '.join(OF_PAIRS)} do")
        if method == "3cosmul":
            return three_cos_mul(wanted, asking.epsilon)
        return OF_A_SUM[method](wanted)

    def _evidence(
        self, space: Space, wanted: Target, scoring: Scoring, scores: Floats, left_out: Ints, asking: Asking
    ) -> Evidence:
        index = self.index(space)
        few = min(3, len(space) - len(left_out))
        nothing = np.empty(0, np.int64)
        kept = self._named(space, index.best(scores, few, nothing, scoring)) if few else ()
        beside = []
        for name in ("3cosadd", "3cosmul", "pairdirection", "only-b", "ignore-a") if few else ():
            if name == scoring.method:
                continue
            try:
                other = self._scoring(space, wanted, name, (), replace(asking, pairs=()))
            except UserError:  # the sum is not of the form a* - a + b
                continue
            beside.append(MethodAnswer(name, self._named(space, index.best(index.scores(other), few, left_out, other))))
        return Evidence(kept, tuple(beside))

    def _named(self, space: Space, hits: Hits) -> tuple[Neighbour, ...]:
        rows = hits.rows[0]
        texts = [""] * len(rows)
        if space.columns is not None and "text" in space.columns.column_names:
            texts = space.columns.column("text").take(pa.array(rows)).to_pylist()
        found = zip(space.keys.take(rows), hits.scores[0], rows, texts, strict=True)
        return tuple(
            Neighbour(rank, key, float(score), int(row), text) for rank, (key, score, row, text) in enumerate(found, 1)
        )

    def _nearest(self, space: "str | Space", vector: Floats, k: int, left_out: Sequence[int]) -> tuple[Neighbour, ...]:
        held = self._held(space)
        return self._named(held, self.index(held).search(vector[None], k, left_out))

    def around(self, on: SpaceMap, whole: "str | Space", at: "int | tuple[Floats, Floats]", k: int = 10) -> Around:
        """The k nearest of a point in the space and its k nearest on the map, exactly, each with its rank in the other.

        `on` shows the first rows of the `whole` space, which is searched whole; `at` is a row, or the vector (dim,) and the
        position (2 or 3,) of a point that was placed.
        """
        held = self._held(whole)
        n, own = len(on.space), at if isinstance(at, int) else None
        if own is not None and not 0 <= own < n:
            raise UserError(f"the map shows the rows 0 to {n - 1:,}; got {own:,}")
        _check_k(k, n - (own is not None), "the map")
        vector, position = (held.vectors[at], on.map.positions[at]) if isinstance(at, int) else at
        return around_point(on, held, self.index(held).cosines(unit(np.asarray(vector)[None]))[0], position, own, k)

    # Relations of words

    def _found(self, words: Sequence[str], space: Space, policy: Policy | None) -> list[Found]:
        resolve = self.look_up(space, policy)
        found = [resolve(parse(w).terms[0] if _OCCURRENCE.search(w) else Term(1.0, w)) for w in words]
        return [f for f in found if f.known]

    def similarity(
        self, first: Sequence[str], second: Sequence[str], space: "str | Space" = DEFAULT_SPACE,
        policy: Policy | None = None,
    ) -> SimilarityAnswer:  # fmt: skip
        """Cosine of two words, or of the mean vectors of two lists of words (gensim's n_similarity).

        For two single words of the space, `rank` is where the second stands among the first's neighbours.
        """
        held = self._held(space)
        a, b = self._found(first, held, policy), self._found(second, held, policy)
        if not a or not b:
            raise UserError(f"each side needs a word of {held.origin.source}; got {', '.join((*first, *second))!r}")
        value = cosine(mean_vector(held, a), mean_vector(held, b))
        rank = None
        if len(a) == len(b) == 1 and len(a[0].rows) == len(b[0].rows) == 1:
            rank = len(self.closer_than(first[0], second[0], held, policy).words) + 1
        return SimilarityAnswer(tuple(f.word for f in a), tuple(f.word for f in b), value, rank, held.origin)

    def closer_than(
        self, word: str, other: str, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None
    ) -> CloserAnswer:
        """Every word that is nearer to `word` than `other` is, nearest first."""
        held = self._held(space)
        found = self._found([word, other], held, policy)
        if len(found) < 2 or not len(found[1].rows):
            raise held.unknown(other)
        scores = self.index(held).cosines(found[0].vector[None])[0]
        limit = float(scores[found[1].rows[0]])
        near = np.flatnonzero(scores > limit)
        near = near[~np.isin(near, np.concatenate([found[0].rows, found[1].rows]))]
        near = near[np.lexsort((near, -scores[near]))]
        words = tuple(zip(held.keys.take(near), (float(s) for s in scores[near]), strict=True))
        return CloserAnswer(found[0].word, found[1].word, limit, words, held.origin)

    def odd_one_out(
        self, words: Sequence[str], space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None
    ) -> OddAnswer:
        """The word that fits the others least: its cosine with the mean of all is the lowest (gensim's doesnt_match)."""
        held = self._held(space)
        found = self._found(words, held, policy)
        if len(found) < 2:
            raise UserError(f"give at least two words of {held.origin.source}; got {', '.join(words)!r}")
        order, scores = odd_one_out(np.stack([f.vector for f in found]))
        return OddAnswer(tuple((found[place].word, float(scores[place])) for place in order), held.origin)

    def direction(self, axis: str, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None) -> Floats:
        """The unit vector (dim,) of an axis `poor -> rich`: from one word (or sum of words) to another."""
        held = self._held(space)
        start, end = axis_ends(axis)
        resolve = self.look_up(held, policy)
        a, b = (unit(target(held, parse(text), resolve).vector[None])[0] for text in (start, end))
        return named_direction(b - a, start, end)

    def project(
        self, words: Sequence[str], axes: Sequence[str], space: "str | Space" = DEFAULT_SPACE,
        policy: Policy | None = None,
    ) -> AxisAnswer:  # fmt: skip
        """The place of words on named axes, each `poor -> rich`: the cosine of each word with each axis."""
        held = self._held(space)
        if not axes:
            raise UserError('give at least one axis, such as "poor -> rich"')
        found = self._found(words, held, policy)
        if not found:
            raise UserError(f"none of these words is in {held.origin.source}: {', '.join(words)}")
        places = project(np.stack([f.vector for f in found]), [self.direction(axis, held, policy) for axis in axes])
        rows = tuple((f.word, tuple(map(float, row))) for f, row in zip(found, places, strict=True))
        return AxisAnswer(tuple(axes), rows, held.origin)

    def association(
        self, first: Sequence[str], second: Sequence[str], toward: Sequence[str], away: Sequence[str],
        space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None,
    ) -> Association:  # fmt: skip
        """How much more the words of `first` than those of `second` lean to `toward` rather than `away` (WEAT)."""
        held = self._held(space)
        lists = [self._found(words, held, policy) for words in (first, second, toward, away)]
        for words, found in zip((first, second, toward, away), lists, strict=True):
            if len(found) < 2:
                raise UserError(
                    f"a list needs at least two words of {held.origin.source}; of {', '.join(words)!r} it has {len(found)}"
                )
        one, two, near, far = (np.stack([f.vector for f in found]) for found in lists)
        return weat(one, two, near, far)

    def travel(
        self, word: str, axis: str, space: "str | Space" = DEFAULT_SPACE, steps: int = 8, reach: float = 1.5, k: int = 3
    ) -> TravelAnswer:
        """The neighbours met on the way when a word's unit vector moves along an axis `poor -> rich`, in equal steps.

        At the last of `steps` it has moved by `reach` times the axis's unit vector. The word itself is left out.
        """
        held = self._held(space)
        if not 1 <= steps <= MAX_STEPS or not 0 < abs(reach) <= 100:
            raise UserError(f"steps go from 1 to {MAX_STEPS} and the reach from 0 to 100; got {steps} and {reach}")
        (found,) = self._found([word], held, None)
        _check_k(k, len(held) - len(found.rows), held.origin.source)
        way = self.direction(axis, held)
        shares = np.linspace(0, reach, steps + 1, dtype=np.float32)
        points = found.vector + shares[:, None] * way  # (steps + 1, dim)
        hits = self.index(held).search(points, k, found.rows.tolist())
        stops = tuple(
            TravelStep(
                float(share), float(cosine(point, found.vector)), self._named(held, Hits(rows[None], scores[None]))
            )
            for share, point, rows, scores in zip(shares, points, hits.rows, hits.scores, strict=True)
        )
        return TravelAnswer(found.word, axis, stops, points, held.origin)

    # A word in texts

    def embed(
        self, texts: Sequence[str], model: str = DEFAULT_MODEL, layers: Sequence[int] = (-1,), unit: str = "words",
        word: str | None = None, pooling: str = "mean",
    ) -> Vectors:  # fmt: skip
        """The vectors of words, of one word, of tokens or of whole texts (`sentences`), at any layers. See `rows.embedded`."""
        return embedded(self.model(model), texts, layers, unit, word, pooling)

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
        progress(f"load {model}", 0, 1)
        loaded = self.model(model)
        layers = self.corpus_layers(model)
        (layer,) = loaded.check_layers([layer])
        if layer not in layers:
            raise UserError(f"the corpus of {model} is kept at the layers {', '.join(map(str, layers))}; got {layer}")
        senses = load_senses()
        key = _digest(
            "corpus 2", senses.sha256, loaded.weights_sha256, loaded.revision, loaded.name, layers, loaded.engine.name
        )
        folder = home() / "corpora" / f"senses-{key}"

        def make() -> Space:
            with self._corpus_lock:
                if not (folder / "manifest.json").is_file():
                    total = len(senses.texts)
                    source = Source("senses", senses.sha256, total)
                    progress("embed the corpus", 0, total)
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
            ids = space.columns.column("text_id").combine_chunks().cast(pa.int32())
            text = pa.DictionaryArray.from_arrays(ids, pa.array(senses.texts))
            columns = space.columns.append_column("sense", sense).append_column("text", text)
            return replace(space, columns=columns)

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
        table_k = min(k, len(self.space(model)) - len(same))
        near = self._nearest(model, static, table_k, same) if found else ()
        return OccurrenceAnswer(
            place.word, text, span.start, span.end, hits, near, baseline, mine.origin, bool(hidden.split)
        )

    def _own_row(self, model: str, word: str) -> list[int]:
        row = self.space(model).keys.row(word)
        if row < 0:
            row = self.space(model).keys.row(word.lower())
        return [row] if row >= 0 else []

    # Maps

    def map(
        self, space: "str | Space" = DEFAULT_SPACE, method: str = "umap", options: MapOptions | None = None,
        n: int | None = None, k: int = 10, progress: Progress = _silent,
    ) -> SpaceMap:  # fmt: skip
        """A space, or its first n rows, laid out, with its distortion: how many of its k nearest each point kept (k=0: not measured).

        `space` may name a collection's folder too. The neighbours are searched once, for every map of the same rows. What `progress`
        raises ends the work.
        """
        held = self._held(space)
        rows = len(held) if n is None else n
        if not 1 <= rows <= len(held):
            raise UserError(f"a map shows from 1 to {len(held):,} rows of {held.origin.source}; got {rows:,}")
        options = options or MapOptions()

        def neighbours(wanted: int, search: Callable[[], Neighbors]) -> Neighbors:
            found = self._neighbors.get(("neighbors", id(held), rows), lambda: (held, search()))[1]
            if found.rows.shape[1] >= wanted:
                return found.first(wanted)
            more = search()
            self._neighbors.put(("neighbors", id(held), rows), (held, more))
            return more

        key = ("space map", id(held), rows, method, options, k)

        def make() -> tuple[Space, SpaceMap]:  # the space is kept too, so that no other gets its id
            return held, project_space(held, rows, method, options, k, neighbours, progress)

        return self._space_maps.get(key, make)[1]

    def place(self, on: SpaceMap, vectors: Floats) -> Floats:
        """Where new vectors (m, dim) of the same space lie on a map: (m, 2 or 3); the same alone or in a batch."""
        return place_on(on.map, vectors, new_neighbors(on, vectors))

    def matched(
        self, a: "str | Space", b: "str | Space", n: int | None = 2000, k: int = 10, method: str = "umap",
        options: MapOptions | None = None, through: Sequence["str | Space"] = (), progress: Progress = _silent,
    ) -> MatchedMaps:  # fmt: skip
        """Two spaces, models or layers side by side: their common rows on one plane, and what changed around each.

        Occurrences are matched by text, start and end, static vectors by word; n of the matched rows are shown (None: all),
        the first n words or n occurrences spread evenly. `through` are spaces between the two, such as the layers from
        a to b. Raises `IncompatibleError` for spaces that share no row. What `progress` raises ends the work.
        """
        asked = (a, *through, b)
        spaces = [self.space(space, progress) if isinstance(space, str) else space for space in asked]
        names = [each if isinstance(each, str) else each.origin.card() for each in asked]
        options = options or MapOptions()
        key = ("matched", tuple(id(space) for space in spaces), n, k, method, options)

        def make() -> tuple[list[Space], MatchedMaps]:  # the spaces are kept, so that no other gets their ids
            return spaces, matched_maps(names, spaces, n, k, method, options, progress)

        return self._space_maps.get(key, make)[1]

    def sense_clusters(
        self, word: str, model: str = DEFAULT_MODEL, layer: int = -1, min_cluster_size: int = 3,
        texts: Sequence[str] = (), progress: Progress = _silent,
    ) -> SenseClusters:  # fmt: skip
        """The annotated occurrences of a word, clustered by their vectors at a layer, against their senses; or every
        occurrence in `texts` of one's own, which have no senses to agree with.
        """
        loaded = self.model(model)
        (layer,) = loaded.check_layers([layer])
        named = self._named_by(model)
        if texts:
            _check_texts(texts, least=1, most=MAX_CLUSTERED)
            asked = [
                Occurrence(number, text[span.start : span.end], span)
                for number, text in enumerate(texts) for span in find_words(text, word)
            ]  # fmt: skip
            if len(asked) < 2:
                raise UserError(f"sense clusters need two or more occurrences of {word!r}; the texts have {len(asked)}")
            progress(f"read {len(texts)} texts", 0, 1)
            hidden = embed(loaded, texts, [layer], occurrences=asked)
            if hidden.unseen:
                raise UserError(f"the tokenizer of {model} makes no token of {word!r}, so it has no vector")
            found = sense_clusters(
                hidden.vectors[0], [texts[o.text] for o in hidden.occurrences], word, None, min_cluster_size,
                [o.span.start for o in hidden.occurrences], named,
            )  # fmt: skip
            return replace(found, without_word=len(texts) - len({o.text for o in asked}))
        marked = {(s.text_id, s.start): s.sense for s in load_senses().of(word)}
        layers = self.corpus_layers(model)
        if layer not in layers:
            raise UserError(f"the corpus of {model} is kept at the layers {', '.join(map(str, layers))}; got {layer}")
        cloud = self._cloud(word, model, progress)
        return sense_clusters(
            cloud.vectors[layers.index(layer)], [load_senses().texts[o.text] for o in cloud.occurrences], word,
            [marked[o.text, o.span.start] for o in cloud.occurrences], min_cluster_size,
            [o.span.start for o in cloud.occurrences], named,
        )  # fmt: skip

    def _named_by(self, model: str) -> Callable[[Sequence[str]], Floats]:
        """Static vectors that tell which words mean alike: GloVe's where it is here, else the model's own table's."""
        if locate(DEFAULT_SPACE).path is None:
            return lambda words: np.stack([static_vector(self.model(model), word)[0] for word in words])
        space = self.space(DEFAULT_SPACE)

        def vectors(words: Sequence[str]) -> Floats:
            rows = space.keys.rows(words)
            found: Floats = np.where((rows >= 0)[:, None], space.vectors[np.maximum(rows, 0)], np.float32(0))
            return found

        return vectors

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
        progress(f"load {model}", 0, 1)
        loaded = self.model(model)
        layers = self.corpus_layers(model)
        key = ("map", word.lower(), model, loaded.weights_sha256, method, extra)

        def make() -> WordMap:
            cloud = self._cloud(word, model, progress)
            kept = cloud.occurrences
            marked = {(s.text_id, s.start, s.end): s.sense for s in senses}
            texts = [load_senses().texts[o.text] for o in kept]
            spans = [(o.span.start, o.span.end) for o in kept]
            names = [marked[o.text, o.span.start, o.span.end] for o in kept]
            yours = word_vectors(loaded, word, extra, layers) if extra else None
            static, _ = static_vector(loaded, word)
            within, between = zip(*(_spread(vectors, names) for vectors in cloud.vectors), strict=True)
            every = self.baselines(model, progress)
            stacks = [
                np.concatenate(
                    [cloud.vectors[place], *([yours.vectors[place]] if yours is not None else []), static[None]]
                )
                for place in range(len(layers))
            ]
            if yours is not None:
                texts += extra
                spans += [(o.span.start, o.span.end) for o in yours.occurrences]
                names += ["yours"] * len(extra)
            stage = "lay out"
            few = MapOptions(
                n_neighbors=10, min_dist=0.25
            )  # a word has few occurrences, and they are looked at closely
            positions = layered_maps(stacks, method, few, lambda done, total: progress(stage, done, total))
            return WordMap(
                word.lower(), layers, tuple(positions), tuple(texts), tuple(spans), tuple(names), within, between,
                tuple(every[layer] for layer in layers), method, loaded.origin(None, "mean"),
                yours.split if yours is not None else (),
            )  # fmt: skip

        return self._maps.get(key, make)

    def _cloud(self, word: str, model: str, progress: Progress) -> Hidden:
        """The annotated occurrences of a word at every kept layer; only the texts with the word are read."""
        loaded, corpus = self.model(model), load_senses()
        layers = self.corpus_layers(model)

        def make() -> Hidden:
            senses = sorted(corpus.of(word), key=lambda s: (s.text_id, s.start))
            numbers = sorted({s.text_id for s in senses})
            places = {text: place for place, text in enumerate(numbers)}
            asked = [
                Occurrence(places[s.text_id], corpus.texts[s.text_id][s.start : s.end], Span(s.start, s.end))
                for s in senses
            ]
            progress(f"read {len(numbers)} sentences", 0, 1)
            hidden = embed(loaded, [corpus.texts[text] for text in numbers], layers, occurrences=asked)
            return replace(hidden, occurrences=tuple(replace(o, text=numbers[o.text]) for o in hidden.occurrences))

        return self._clouds.get((word.lower(), model, loaded.weights_sha256), make)

    def senses(self, models: Sequence[str] = (DEFAULT_MODEL,), progress: Progress = _silent) -> SenseReport:
        """Leave-one-out sense accuracy of the nearest neighbour: each model's static vectors and every layer."""
        corpus = load_senses()
        words, names = [s.word for s in corpus.senses], [s.sense for s in corpus.senses]
        rows = []
        for name in models:
            loaded = self.model(name)
            static = np.stack([static_vector(loaded, word)[0] for word in words])
            rows.append(SenseRow(name, None, nearest_sense_accuracy(words, names, static), float("nan")))
            hidden = _watched(loaded, f"embed with {name}", progress)
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


def _there(hits: Hits, query: int) -> Hits:
    """The hits of one query, (1, k or fewer), without the empty places of a search that found fewer."""
    there = hits.rows[query] >= 0
    return replace(hits, rows=hits.rows[query][there][None], scores=hits.scores[query][there][None])


def _watched(model: LanguageModel, stage: str, progress: Progress) -> Hidden:
    """The annotated occurrences of the corpus of senses at every layer. What `progress` raises ends the work."""
    corpus, parts, done = load_senses(), [], 0
    progress(stage, done, len(corpus.texts))
    for part in embed_stream(model, corpus.texts, range(model.n_layers + 1), occurrences=corpus.occurrences()):
        parts.append(part)
        done += part.n_texts
        progress(stage, done, len(corpus.texts))
    return joined(parts)


def is_collection(path: Path) -> bool:
    """Whether a folder is a collection's."""
    return (path / FORMAT_FILE).is_file()


def _stamp(name: str) -> Hashable:
    """What tells whether a file or folder has changed since it was opened; None for what isn't one."""
    try:
        path = Path(name).expanduser()
        known = (path / MANIFESTS if is_collection(path) else path).stat()
    except (OSError, ValueError, RuntimeError):
        return None
    return (known.st_mtime_ns, known.st_size, known.st_ino)


def _rank(scores: Floats, found: Found) -> int | None:
    """Where the best row of a word stands among all, from 1; None for an occurrence, which has no row."""
    return 1 + int(np.count_nonzero(scores > scores[found.rows].max())) if len(found.rows) else None


def _static_space(name: str, progress: Progress = _silent) -> Space:
    found = locate(name)
    if found.path is not None and is_collection(found.path):
        return Collection(found.path).space()
    if not found.is_vectors:
        return input_table(found)
    assert found.path is not None
    if found.entry is None:
        return read_vectors(found.path, progress)
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


def _check_texts(texts: Sequence[str], least: int, most: int = MAX_TEXTS) -> None:
    if not least <= len(texts) <= most:
        raise UserError(f"give {least} to {most:,} texts; got {len(texts):,}")
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
