"""`Explorer`: the one object behind the command line, the dashboard, the service and programs: they can't disagree.

It opens things and hands out handles: `explorer.space(name)` a `WordSpace`, `explorer.model(name)` a `ModelExplorer`,
`explorer.maps` the `MapExplorer`. Each handle holds what it made.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.collection_search import CollectionSearch
from polysema.app.explorer.engine_search import engine_search
from polysema.app.explorer.model_names import ModelNames
from polysema.app.explorer.model_room import ModelRoom
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE, ModelOptions
from polysema.app.explorer.results.spaces import ModelCards, SpaceNames, space_names
from polysema.app.explorer.space_search import SpaceSearch
from polysema.app.explorer.spaces import SpacePlace, first_rows, place_of, static_space
from polysema.app.explorer.word_space import WordSpace
from polysema.core.argument_types import checked_arguments
from polysema.core.environment import home
from polysema.core.errors import list_of
from polysema.core.model.catalog import split_layer
from polysema.core.model.model_folder import is_static_embedding
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Space
from polysema.indexes.collection import Collection
from polysema.indexes.engines.address import is_address
from polysema.indexes.store.space_rows import SpaceRows

if TYPE_CHECKING:
    from polysema.app.collection.registry import CollectionRegistry
    from polysema.app.explorer.file_exports import ExportExplorer
    from polysema.app.explorer.map_explorer import MapExplorer
    from polysema.app.explorer.measures import MeasureExplorer
    from polysema.app.explorer.model_explorer import ModelExplorer
    from polysema.app.explorer.results.inside import FamiliesAnswer
    from polysema.core.space.transform import Transform

MAX_MODELS = 3  # of any size: one of each family
MAX_MODEL_BYTES = (
    1 << 30
)  # more than those, as long as all together take no more: the four that ship, and what is beside
MAX_SPACES = 4
MAX_CORPORA = 8  # the layers of a small model, which are compared side by side


@checked_arguments
class Explorer:
    """Opens models and spaces, and holds those last used. Safe to share between threads.

    Args:
        device: Where models compute, such as cpu or cuda; None: a GPU where there is one.
        collections: The data folder, whose collections are spaces by their names.
        models: Names of one's own, each for a folder, a file of vectors or a hub id; `names` holds them.

    Example:
        `polysema.Explorer().space("glove-6b-50d").neighbors("bank")` are the words nearest to bank.
    """

    def __init__(
        self, device: str | None = None, collections: Path | None = None, models: Mapping[str, str] | None = None
    ):
        self.names = ModelNames(models)
        self._device = device
        self._folder = collections or home() / "collections"
        self._models = SingleFlightCache(MAX_MODELS, lambda one: one.memory_bytes, MAX_MODEL_BYTES)
        self._spaces = SingleFlightCache(MAX_SPACES)
        self._corpora = SingleFlightCache(MAX_CORPORA)
        self._given = SingleFlightCache(MAX_SPACES)
        self.room = ModelRoom(self.names, self._models)
        self._handles: weakref.WeakKeyDictionary[Space, weakref.ref[WordSpace]] = weakref.WeakKeyDictionary()
        self._transforms: weakref.WeakKeyDictionary[Space, Transform] = weakref.WeakKeyDictionary()

    def space(
        self,
        name: str | Space | WordSpace = DEFAULT_SPACE,
        progress: Progress = no_progress,
        limit: int | None = None,
    ) -> WordSpace:
        """The space of that name, with its queries about words.

        Args:
            name: A file of vectors, the catalog's GloVe, a model's input embeddings, as `minilm-l6@6` the occurrences
                of every word of the corpus of senses at a layer, or a collection, by its folder or by its name in
                the data folder (`mine`, or `mine/layer-6` where it has several spaces) or by the address of another
                engine (`milvus://host:19530/mine/layer-6`); or a space that is open.
            progress: Told of each stage; what it raises ends the work.
            limit: Only the first so many words of it are there (gensim's; files stand by frequency); None: all.

        Returns:
            The handle; the same one for the same space as long as it is in use.

        Raises:
            UserError: for a name or a file that isn't there, and for a limit below 1 or of a collection.
        """
        if limit is not None:
            whole = self.space(name, progress)
            key: Hashable = ("first", whole.space, limit)
            return self._given.get(key, lambda: self._made(first_rows(whole.space, limit)))
        if isinstance(name, WordSpace):
            return name
        if isinstance(name, Space):
            return self.hold(name)
        place = SpacePlace(name) if "://" in name and is_address(name) else place_of(self._folder, self.names, name)
        model, layer = split_layer(name) if "@" in name and place.address is None else (name, None)
        if layer is not None:
            return self.hold(self.model(model, progress=progress).senses.corpus(layer, progress))
        return self._spaces.get(place.address or (name, place), partial(self._open, name, place, progress))

    def _open(self, name: str, place: SpacePlace, progress: Progress) -> WordSpace:
        if place.address is not None:
            return self._made(engine_search(place.address))
        if place.folder is not None:
            return self._made(SpaceRows(Collection(place.folder).view(), place.inner))
        return self._made(static_space(self.names.locate(name), progress))

    def model(
        self, name: str = DEFAULT_MODEL, options: ModelOptions | None = None, progress: Progress = no_progress
    ) -> ModelExplorer:
        """The model of that name, with its queries about words in texts and about its internals.

        Args:
            name: A name of the catalog, a folder (one of Model2Vec has the vectors of texts alone), or a hub id.
            options: How it is loaded; None: on the explorer's device, by the fastest exact engine.
            progress: Told of each stage of loading; what it raises ends it, and nothing of the model stays.

        Returns:
            The handle; the same one as long as the model is among those last used.
        """
        from polysema.app.explorer.model_explorer import ModelExplorer
        from polysema.app.explorer.static_texts import StaticTextExplorer
        from polysema.core.model.load import load_model
        from polysema.core.model.static_embedding import open_static_embedding

        how = options or ModelOptions()
        how = replace(how, device=how.device or self._device)

        def make() -> ModelExplorer:
            progress(f"load {name}", 0, 1)
            found = self.names.locate(name)
            if is_static_embedding(found.path):
                return StaticTextExplorer(open_static_embedding(found), name)
            self.room.make(found)
            loaded = load_model(found, how.device, how.engine, how.compute, **how.named(progress))
            return ModelExplorer(self, loaded, name)

        return self._models.get((name, how), make)

    @cached_property
    def maps(self) -> MapExplorer:
        """Spaces and occurrences laid out."""
        from polysema.app.explorer.map_explorer import MapExplorer

        return MapExplorer(self)

    @cached_property
    def exports(self) -> ExportExplorer:
        """What is written to files: exports of texts, static tables, spaces in another layout."""
        from polysema.app.explorer.file_exports import ExportExplorer

        return ExportExplorer(self)

    @cached_property
    def measures(self) -> MeasureExplorer:
        """What spaces and models score on benchmarks."""
        from polysema.app.explorer.measures import MeasureExplorer

        return MeasureExplorer(self)

    @cached_property
    def collections(self) -> CollectionRegistry:
        """The collections of the data folder, by name."""
        from polysema.app.collection.registry import CollectionRegistry

        return CollectionRegistry(self._folder)

    def compare_families(self, text: str, models: Sequence[str], figures: bool = False) -> FamiliesAnswer:
        """One sentence's way through models of several families: who looks at whom, where it ends, what is written.

        Args:
            text: The sentence; a model that reads letters is given its longest word.
            models: Their names.
            figures: Whether parameters, memory, FLOPs and milliseconds are measured as well.

        Returns:
            A way for each model, and a card for each where `figures` are wanted.

        Raises:
            PolysemaError: There is no word in the text, no such model, or not the memory for all of them.
        """
        from polysema.app.explorer.results.inside import FamiliesAnswer

        names = list_of(models, "models")
        self.room.check(names)
        return FamiliesAnswer.of([self.model(name).model for name in names], text, figures)

    def spaces(self) -> SpaceNames:
        """The spaces that have a name or were opened before: files of vectors, models' tables, collections.

        Returns:
            A row each with family, size, license, and whether it is here; `names` are those that are.
        """
        return space_names(self.names.cards().data, self.collections.names())

    def models(self) -> ModelCards:
        """The language models that have a name or were opened before.

        Returns:
            A card each with family, size, license, and whether it is here; `names` are those that are.
        """
        return self.names.cards().without_static()

    def stamp(self, name: str) -> Hashable:
        """What tells whether the collection or file of that name has changed since.

        Args:
            name: As `space` takes it.

        Returns:
            A value that is another after a change; None for a space that can't change.
        """
        return place_of(self._folder, self.names, name).stamp

    def hold(self, space: Space | SpaceRows, transform: Transform | None = None) -> WordSpace:
        """The handle of a space that is open, or of a collection's rows, kept with those last used.

        Args:
            space: The space.
            transform: What changed its vectors, if something did.

        Returns:
            The handle; the same one for the same space as long as it is in use.
        """
        layer = isinstance(space, Space) and space.origin.layer is not None
        kept = self._corpora if layer else self._given
        return kept.get(space, lambda: self._made(space, transform))

    def memory_usage(self) -> dict[str, int]:
        """What is in memory: models, the bytes of their weights, spaces; and the hits and misses of the caches.

        Returns:
            A number for each: `models`, `model_bytes`, `spaces`, `hits`, `misses`.
        """
        models = self._models.values()
        opened = {id(one): one for kept in (self._spaces, self._corpora, self._given) for one in kept.values()}
        caches = [self._models, self._spaces, self._corpora, self._given, *self.maps.caches()]
        caches += [cache for one in opened.values() for cache in one.search.caches()]
        caches += [cache for handle in models if not handle.is_static for cache in handle.senses.caches()]
        return {
            "models": len(models),
            "model_bytes": sum(one.memory_bytes for one in models),
            "spaces": len(opened),
            "hits": sum(one.hits for one in caches),
            "misses": sum(one.misses for one in caches),
        }

    def close(self) -> None:
        """Let go of every model and space."""
        for kept in (self._models, self._spaces, self._corpora, self._given):
            kept.clear()
        self.__dict__.pop("maps", None)

    def _made(self, space: Space | SpaceRows | SpaceSearch, transform: Transform | None = None) -> WordSpace:
        search = None
        if not isinstance(space, Space):
            search = space if isinstance(space, SpaceSearch) else CollectionSearch(space)
            space = search.space
        there = self._handles.get(space)
        handle = there() if there is not None else None
        if handle is None:
            if transform is not None:
                self._transforms[space] = transform
            handle = WordSpace(self, space, self._transforms.get(space), search)
            self._handles[space] = weakref.ref(handle)
        return handle
