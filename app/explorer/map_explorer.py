"""`MapExplorer`: spaces and occurrences laid out, and what lies around a point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np

from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.column_charts import column_charts
from polysema.app.explorer.context_cloud import SpaceTexts, corpus_places
from polysema.app.explorer.map_neighbors import PointNeighbors, around_point
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE, MatchedArguments, check_texts
from polysema.app.explorer.results import MatchedMaps, SpaceMap, WordMap
from polysema.app.explorer.results.columns import ColumnCharts, TypicalRows
from polysema.app.explorer.space_maps import MapQuestion, check_target, matched_maps, new_neighbors, project_space
from polysema.app.explorer.typical_rows import checked_rows, typical_rows
from polysema.app.explorer.word_maps import WordMapQuestion, lay_out_word
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import IncompatibleError, UserError, list_of
from polysema.core.maps.methods import check_options
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MapOptions
from polysema.core.maps.projection import place as place_on
from polysema.core.maps.regions import Regions, areas
from polysema.core.progress import Progress, no_progress
from polysema.core.space.label_search import labels_of
from polysema.core.space.metric import unit
from polysema.indexes.base import check_k, checked

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.word_space import WordSpace
    from polysema.core.space.space import Floats, Space


@checked_arguments
class MapExplorer:
    """Lays spaces and occurrences out: `explorer.maps`. What was laid out last is kept."""

    def __init__(self, explorer: Explorer):
        self._explorer = explorer
        self._maps = SingleFlightCache(6)  # of up to all rows of a space
        self._matched = SingleFlightCache(6)
        self._neighbors = SingleFlightCache(3)
        self._words = SingleFlightCache(64)
        self._areas = SingleFlightCache(6)

    def caches(self) -> tuple[SingleFlightCache, ...]:
        """What is counted.

        Returns:
            The caches.
        """
        return self._maps, self._matched, self._neighbors, self._words, self._areas

    def map(
        self,
        space: str | Space | WordSpace = DEFAULT_SPACE,
        method: str = "umap",
        options: MapOptions | None = None,
        n: int | None = None,
        k: int = 10,
        progress: Progress = no_progress,
    ) -> SpaceMap:
        """A space, or its first n rows, laid out, with its distortion: how many of its k nearest each point kept.

        The neighbors are searched once, for every map of the same rows.

        Args:
            space: A space, or its name; a collection's folder too.
            method: pca, umap, densmap, umap-learn or tsne.
            options: The number of dimensions, the seed, the metric, the column that supervises, and the method's own.
            n: How many rows, the first; None: all.
            k: How many neighbors the distortion is measured by; 0: it isn't.
            progress: Told of each stage; what it raises ends the work.

        Returns:
            The positions (n, n_components), and what they keep.

        Raises:
            PolysemaError: There is no such method or column, the method doesn't take these options, or there are not
                as many rows.
        """
        current = self._explorer.space(space, progress).space
        rows = len(current) if n is None else n
        if not 1 <= rows <= len(current):
            raise UserError(f"a map shows from 1 to {len(current):,} rows of {current.name}; got {rows:,}")
        options = options or MapOptions()
        check_options(method, options)
        check_target(current, options)

        def neighbors(wanted: int, search: Callable[[], Neighbors]) -> Neighbors:
            key = (current, rows, options.metric)
            found = self._neighbors.get(key, search)
            if found.rows.shape[1] >= wanted:
                return found.first(wanted)
            more = search()
            self._neighbors.put(key, more)
            return more

        question = MapQuestion(rows, k, method, options)
        return self._maps.get((current, question), lambda: project_space(current, question, neighbors, progress))

    def matched(
        self,
        a: str | Space | WordSpace,
        b: str | Space | WordSpace,
        n: int | None = 2000,
        k: int = 10,
        method: str = "umap",
        options: MapOptions | None = None,
        **more: Unpack[MatchedArguments],
    ) -> MatchedMaps:
        """Two spaces, models or layers side by side: their common rows on one plane, and what changed around each.

        Occurrences are matched by text, start and end, static vectors by word.

        Args:
            a: A space, or its name.
            b: Another.
            n: How many of the matched rows are shown, the first words or occurrences spread evenly; None: all.
            k: How many neighbors of each are compared.
            method: As for `map`; aligned-umap lays the spaces out together.
            options: As for `map`, without a target, in 2 or 3 dimensions.
            **more: `through`, spaces between the two, such as the layers from a to b, and `progress`, as for `map`.

        Returns:
            The positions of the rows in each space, and for each row the share of neighbors that it kept.

        Raises:
            IncompatibleError: The spaces share no row.
        """
        query, progress = (a, *more.get("through", ()), b), more.get("progress", no_progress)
        spaces = [self._explorer.space(space, progress) for space in query]
        names = [each if isinstance(each, str) else each.origin.card() for each in query]
        question = MapQuestion(n, k, method, options or MapOptions())
        key = (tuple(one.space for one in spaces), tuple(names), question)

        def make() -> MatchedMaps:
            sources = [(name, one.space, one.baseline) for name, one in zip(names, spaces, strict=True)]
            return matched_maps(sources, question, progress)

        return self._matched.get(key, make)

    def word_map(
        self,
        word: str,
        model: str = DEFAULT_MODEL,
        method: str = "umap",
        extra: Sequence[str] = (),
        progress: Progress = no_progress,
        texts: SpaceTexts | None = None,
    ) -> WordMap:
        """A word's occurrences at every kept layer on one plane, with its static point; `extra` texts join them.

        The occurrences of the corpus carry their senses, those of a space's texts the values of its label column, those
        of `extra` the sense "yours".

        Args:
            word: Any word of the corpus of senses, or of the `texts`.
            model: The model's name.
            method: As for `map`.
            extra: Texts of one's own with the word in them.
            progress: Told of each stage; what it raises ends the work.
            texts: A space whose texts the word is looked for in; None: the corpus of senses.

        Returns:
            For each layer the positions (n_occurrences + 1, 2), the static point last.
        """
        if texts is not None:  # a word that stands nowhere is refused before a model is loaded
            self._explorer.space(texts.space).contexts.occurrences(word, texts.checked().limit, texts.label)
        else:
            corpus_places(word)
        extra = tuple(text for text in list_of(extra, "texts") if text.strip())
        if extra:
            check_texts(extra, least=1)
        explorer = self._explorer.model(model, progress=progress)
        source = None if texts is None else texts.key(self._explorer)
        key = (word.lower(), model, explorer.model.weights_sha256, method, extra, source)
        query = WordMapQuestion(word, method, extra, texts)

        return self._words.get(key, lambda: lay_out_word(explorer, query, progress))

    def areas(self, on: SpaceMap, progress: Progress = no_progress) -> Regions:
        """Where the points of a map lie densely, few areas and large or many and small, each with a name.

        Areas of whole texts are named by the words that set them apart (class TF-IDF), those of words by their most
        typical ones.

        Args:
            on: The map.
            progress: Hears how far the work is.

        Returns:
            The areas at each level, few first.
        """
        progress("find the areas", 0, 1)
        space = on.space
        texts = None
        if space.columns is not None and {"text", "word"} & set(space.columns.column_names) == {"text"}:
            texts = [str(text or "") for text in space.columns.column("text").to_pylist()]
        labels = labels_of(space).to_pylist()
        return self._areas.get((on,), lambda: areas(on.map.positions, space.vectors, labels, texts))

    def columns(
        self, on: SpaceMap | str | Space | WordSpace, columns: Sequence[str] | None = None, where: str = ""
    ) -> ColumnCharts:
        """How the columns of a map or a space are distributed, as bars.

        Each is counted among the rows that pass what a condition says of the others.

        Args:
            on: The map, or a space.
            columns: Their names; None for every column that has a chart: numbers, dates, and values of which some come
                twice.
            where: The condition; empty for none.

        Returns:
            A chart for each column.

        Raises:
            UserError: A name isn't there, or the condition can't be read.
        """
        space = on.space if isinstance(on, SpaceMap) else self._explorer.space(on).space
        return column_charts(space, None if columns is None else list_of(columns, "columns"), where)

    def typical(self, on: SpaceMap | str | Space | WordSpace, rows: Sequence[int], k: int = 10) -> TypicalRows:
        """What sets some rows of a map or a space apart from the rest.

        That is words, values of columns, how near they lie to their mean, and the k rows nearest to it.

        Args:
            on: The map, or a space.
            rows: Row numbers from 0, not all of them.
            k: How many rows nearest to their mean are named.

        Returns:
            What they have more often than the rest.

        Raises:
            UserError: There are no rows, all of them, or one that isn't there.
        """
        words = self._explorer.space(on.space if isinstance(on, SpaceMap) else on)
        chosen = checked_rows(rows, len(words))
        mean = unit(words.space.vectors[chosen]).mean(axis=0)
        nearest = words.nearest(mean[None], check_k(k))[0].neighbors
        return typical_rows(words.space, chosen, nearest, mean)

    def place(self, on: SpaceMap, vectors: Floats) -> Floats:
        """Where new vectors of the same space lie on a map: the same alone or in a batch.

        Args:
            on: The map.
            vectors: (m, dim) numbers.

        Returns:
            Positions (m, 2 or 3).
        """
        return place_on(on.map, vectors, new_neighbors(on, vectors))

    def around(
        self, on: SpaceMap, whole: str | Space | WordSpace, at: int | tuple[Floats, Floats], k: int = 10
    ) -> PointNeighbors:
        """The k nearest of a point in the space and its k nearest on the map, exactly, each with its rank in the other.

        Args:
            on: The map, of the first rows of a space.
            whole: That space, which is searched whole.
            at: A row, or the vector (dim,) and the position (2 or 3,) of a point that was placed.
            k: How many of each.

        Returns:
            What is near it in the space, and what is near it on the map.

        Raises:
            IncompatibleError: The map is of another space.
        """
        words = self._explorer.space(whole)
        space = words.space
        on.space.origin.require_same(space.origin)
        if len(space) < len(on.space) or space.dim != on.space.dim:
            raise IncompatibleError(
                f"the map shows {len(on.space):,} rows of width {on.space.dim}, and {space.name} has "
                f"{len(space):,} of width {space.dim}: make the map of it again"
            )
        n, own = len(on.space), at if isinstance(at, int) else None
        if own is not None and not 0 <= own < n:
            raise UserError(f"the map shows the rows 0 to {n - 1:,}; got {own:,}")
        check_k(k)
        vector, position = (space.vectors[at], on.map.positions[at]) if isinstance(at, int) else at
        vector = checked(np.asarray(vector)[None], space.dim, "the vector of a point")
        position = checked(np.asarray(position)[None], on.map.positions.shape[1], "the position of a point")[0]
        return around_point(on, space, words.index.cosines(unit(vector))[0], position, own, k)
