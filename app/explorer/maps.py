"""Spaces and occurrences laid out, and what lies around a point."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from polysema.app.explorer.map_neighbors import PointNeighbors, around_point
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE, MAX_CLUSTERED, check_texts
from polysema.app.explorer.results import MatchedMaps, SpaceMap, WordMap
from polysema.app.explorer.space_maps import matched_maps, new_neighbors, project_space
from polysema.app.explorer.words import Words
from polysema.core.errors import IncompatibleError, UserError, list_of
from polysema.core.maps.projection import MapOptions, Neighbors, layered_maps
from polysema.core.maps.projection import place as place_on
from polysema.core.measure.sense_clusters import SenseClusters, sense_clusters
from polysema.core.measure.senses import load_senses
from polysema.core.model.catalog import locate
from polysema.core.model.contextual import HiddenBatch, embed, word_vectors
from polysema.core.model.load import LanguageModel
from polysema.core.model.static import static_vector
from polysema.core.model.tokens import Occurrence, Span, find_words
from polysema.core.progress import Progress, in_stage, no_progress
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Origin, Space
from polysema.indexes.base import check_k, checked


class Maps(Words):
    """Lays spaces and occurrences out."""

    def around(
        self, on: SpaceMap, whole: "str | Space", at: "int | tuple[Floats, Floats]", k: int = 10
    ) -> PointNeighbors:
        """The k nearest of a point in the space and its k nearest on the map, exactly, each with its rank in the other.

        `on` shows the first rows of the `whole` space, which is searched whole; `at` is a row, or the vector (dim,)
        and the position (2 or 3,) of a point that was placed. Raises `IncompatibleError` for a map of another space.
        """
        space = self._held(whole)
        on.space.origin.require_same(space.origin)
        if len(space) < len(on.space) or space.dim != on.space.dim:
            raise IncompatibleError(
                f"the map shows {len(on.space):,} rows of width {on.space.dim}, and {space.origin.source} has "
                f"{len(space):,} of "
                f"width {space.dim}: make the map of it again"
            )
        n, own = len(on.space), at if isinstance(at, int) else None
        if own is not None and not 0 <= own < n:
            raise UserError(f"the map shows the rows 0 to {n - 1:,}; got {own:,}")
        check_k(k)
        vector, position = (space.vectors[at], on.map.positions[at]) if isinstance(at, int) else at
        vector = checked(np.asarray(vector)[None], space.dim, "the vector of a point")
        position = checked(np.asarray(position)[None], on.map.positions.shape[1], "the position of a point")[0]
        return around_point(on, space, self.index(space).cosines(unit(vector))[0], position, own, k)

    def map(
        self,
        space: "str | Space" = DEFAULT_SPACE,
        method: str = "umap",
        options: MapOptions | None = None,
        n: int | None = None,
        k: int = 10,
        progress: Progress = no_progress,
    ) -> SpaceMap:
        """A space, or its first n rows, laid out, with its distortion: how many of its k nearest each point kept (k=0:
        not measured).

        `space` may name a collection's folder too. The neighbors are searched once, for every map of the same rows.
        What `progress` raises ends the work.
        """
        current = self._held(space)
        rows = len(current) if n is None else n
        if not 1 <= rows <= len(current):
            raise UserError(f"a map shows from 1 to {len(current):,} rows of {current.origin.source}; got {rows:,}")
        options = options or MapOptions()

        def neighbors(wanted: int, search: Callable[[], Neighbors]) -> Neighbors:
            found = self._neighbors.get(("neighbors", id(current), rows), lambda: (current, search()))[1]
            if found.rows.shape[1] >= wanted:
                return found.first(wanted)
            more = search()
            self._neighbors.put(("neighbors", id(current), rows), (current, more))
            return more

        key = ("space map", id(current), rows, method, options, k)

        def make() -> tuple[Space, SpaceMap]:  # the space is kept too, so that no other gets its id
            return current, project_space(current, rows, method, options, k, neighbors, progress)

        return self._space_maps.get(key, make)[1]

    def place(self, on: SpaceMap, vectors: Floats) -> Floats:
        """Where new vectors (m, dim) of the same space lie on a map: (m, 2 or 3); the same alone or in a batch."""
        return place_on(on.map, vectors, new_neighbors(on, vectors))

    def matched(
        self,
        a: "str | Space",
        b: "str | Space",
        n: int | None = 2000,
        k: int = 10,
        method: str = "umap",
        options: MapOptions | None = None,
        through: Sequence["str | Space"] = (),
        progress: Progress = no_progress,
    ) -> MatchedMaps:
        """Two spaces, models or layers side by side: their common rows on one plane, and what changed around each.

        Occurrences are matched by text, start and end, static vectors by word; n of the matched rows are shown (None:
        all), the first n words or n occurrences spread evenly. `through` are spaces between the two, such as the
        layers from a to b. Raises `IncompatibleError` for spaces that share no row. What `progress` raises ends the
        work.
        """
        query = (a, *through, b)
        spaces = [self.space(space, progress) if isinstance(space, str) else space for space in query]
        names = [each if isinstance(each, str) else each.origin.card() for each in query]
        options = options or MapOptions()
        key = ("matched", tuple(id(space) for space in spaces), tuple(names), n, k, method, options)

        def make() -> tuple[list[Space], MatchedMaps]:  # the spaces are kept, so that no other gets their ids
            sources = [(name, space, self.baseline(space)) for name, space in zip(names, spaces, strict=True)]
            return spaces, matched_maps(sources, n, k, method, options, progress)

        return self._space_maps.get(key, make)[1]

    def sense_clusters(
        self,
        word: str,
        model: str = DEFAULT_MODEL,
        layer: int = -1,
        min_cluster_size: int = 3,
        texts: Sequence[str] = (),
        progress: Progress = no_progress,
    ) -> SenseClusters:
        """The annotated occurrences of a word, clustered by their vectors at a layer, against their senses; or every
        occurrence in `texts` of one's own, which have no senses to agree with.
        """
        loaded = self.model(model)
        (layer,) = loaded.check_layers([layer])
        named = self._named_by(model)
        if texts:
            check_texts(texts, least=1, most=MAX_CLUSTERED)
            query = [
                Occurrence(number, text[span.start : span.end], span)
                for number, text in enumerate(texts)
                for span in find_words(text, word)
            ]
            if len(query) < 2:
                raise UserError(f"sense clusters need two or more occurrences of {word!r}; the texts have {len(query)}")
            progress(f"read {len(texts)} texts", 0, 1)
            hidden = embed(loaded, texts, [layer], occurrences=query)
            if hidden.unseen:
                raise UserError(f"the tokenizer of {model} makes no token of {word!r}, so it has no vector")
            found = sense_clusters(
                hidden.vectors[0],
                [texts[o.text] for o in hidden.occurrences],
                word,
                None,
                min_cluster_size,
                [o.span.start for o in hidden.occurrences],
                named,
            )
            return replace(found, without_word=len(texts) - len({o.text for o in query}))
        marked = {(s.text_id, s.start): s.sense for s in load_senses().of(word)}
        layers = self.corpus_layers(model)
        if layer not in layers:
            raise UserError(f"the corpus of {model} is kept at the layers {', '.join(map(str, layers))}; got {layer}")
        cloud = self._cloud(word, model, progress)
        return sense_clusters(
            cloud.vectors[layers.index(layer)],
            [load_senses().texts[o.text] for o in cloud.occurrences],
            word,
            [marked[o.text, o.span.start] for o in cloud.occurrences],
            min_cluster_size,
            [o.span.start for o in cloud.occurrences],
            named,
        )

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

    def word_map(
        self,
        word: str,
        model: str = DEFAULT_MODEL,
        method: str = "umap",
        extra: Sequence[str] = (),
        progress: Progress = no_progress,
    ) -> WordMap:
        """A word's occurrences at every kept layer on one plane, with its static point; `extra` texts join them.

        The occurrences of the corpus carry their senses, those of `extra` the sense "yours".
        """
        senses = load_senses().of(word)
        extra = tuple(text for text in list_of(extra, "texts") if text.strip())
        if extra:
            check_texts(extra, least=1)
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
            few = MapOptions(
                n_neighbors=10, min_dist=0.25
            )  # a word has few occurrences, and they are looked at closely
            positions = layered_maps(stacks, method, few, in_stage(progress, "lay out"))
            return WordMap(
                word.lower(),
                layers,
                tuple(positions),
                tuple(texts),
                tuple(spans),
                tuple(names),
                within,
                between,
                tuple(every[layer] for layer in layers),
                method,
                _card(loaded, cloud, yours),
                yours.split if yours is not None else (),
            )

        return self._maps.get(key, make)

    def _cloud(self, word: str, model: str, progress: Progress) -> HiddenBatch:
        """The annotated occurrences of a word at every kept layer; only the texts with the word are read.

        Those that stand first in a text are left out where a decoder's first states are outliers; the card says so.
        """
        loaded, corpus = self.model(model), load_senses()
        layers = self.corpus_layers(model)

        def make() -> HiddenBatch:
            senses = sorted(corpus.of(word), key=lambda s: (s.text_id, s.start))
            numbers = sorted({s.text_id for s in senses})
            places = {text: place for place, text in enumerate(numbers)}
            query = [
                Occurrence(places[s.text_id], corpus.texts[s.text_id][s.start : s.end], Span(s.start, s.end))
                for s in senses
            ]
            progress(f"read {len(numbers)} sentences", 0, 1)
            hidden = embed(loaded, [corpus.texts[text] for text in numbers], layers, occurrences=query)
            later = hidden.without_first()
            return replace(later, occurrences=tuple(replace(o, text=numbers[o.text]) for o in later.occurrences))

        return self._clouds.get((word.lower(), model, loaded.weights_sha256), make)


def _card(model: LanguageModel, cloud: HiddenBatch, yours: HiddenBatch | None) -> Origin:
    """The card of a word's map, with what has to be said of words that stand first."""
    notes = [*cloud.origin.notes, *(yours.origin.notes if yours is not None else ())]
    return replace(model.origin(None, "mean"), notes=tuple(notes))


def _spread(vectors: Floats, senses: Sequence[str]) -> tuple[float, float]:
    """Mean cosine of two occurrences within a sense, and of two of different senses."""
    directions = unit(np.ascontiguousarray(vectors))
    similar = directions @ directions.T
    names = np.asarray(senses)
    same = names[:, None] == names[None, :]
    other = ~np.eye(len(names), dtype=bool)
    return float(similar[same & other].mean()), float(similar[~same].mean()) if (~same).any() else float("nan")
