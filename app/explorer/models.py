"""The models last used, and what else is kept in memory."""

import threading
import weakref
from pathlib import Path

from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.options import DEFAULT_MODEL
from polysema.core.environment import home
from polysema.core.model.load import LanguageModel, load_model, on_torch
from polysema.core.space.space import Family, Space
from polysema.core.space.transform import Transform


class Models:
    """Holds the models last used."""

    def __init__(self, device: str | None = None, collections: Path | None = None):
        self._device = device
        self._collections = collections or home() / "collections"
        self._models = SingleFlightCache(3)  # one of each family
        self._spaces = SingleFlightCache(4)
        self._corpora = SingleFlightCache(8)  # the layers of a small model, which are compared side by side
        self._corpus_lock = threading.Lock()
        self._indexes = SingleFlightCache(4)
        self._maps = SingleFlightCache(64)
        self._space_maps = SingleFlightCache(6)  # of up to all rows of a space
        self._neighbors = SingleFlightCache(3)
        self._clouds = SingleFlightCache(8)
        self._small = SingleFlightCache(256)
        self._transforms: weakref.WeakKeyDictionary[Space, Transform] = weakref.WeakKeyDictionary()

    def model(self, name: str = DEFAULT_MODEL) -> LanguageModel:
        """The model of that name; see `load_model`."""
        return self._models.get(name, lambda: load_model(name, self._device, patient=False))

    def inside(self, name: str = DEFAULT_MODEL, stack: str = "") -> LanguageModel:
        """The model of that name, on torch, to look inside; of an encoder-decoder its decoder unless `stack` says
        encoder.
        """
        loaded = self.model(name)
        two = loaded.family is Family.ENCODER_DECODER
        return on_torch(loaded, stack or ("decoder" if two else ""))

    def memory_usage(self) -> dict[str, int]:
        """What is in memory: models, the bytes of their weights, spaces; and the hits and misses of the caches."""
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
