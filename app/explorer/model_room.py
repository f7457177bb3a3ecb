"""The memory that models share: what is needed together is told first, and what was used longest ago makes room."""

from __future__ import annotations

import gc
from collections.abc import Iterable

from polysema.app.explorer.cache import SingleFlightCache
from polysema.app.explorer.model_names import ModelNames
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.loading_cost import check_memory_together, free_memory


class ModelRoom:
    """The room for models beside those that are loaded.

    Args:
        names: What each name stands for.
        loaded: The models that are kept, used longest ago first.
    """

    def __init__(self, names: ModelNames, loaded: SingleFlightCache):
        self._names, self._loaded = names, loaded

    def check(self, names: Iterable[str]) -> None:
        """Refuse models that don't fit into memory together, before the first of them is loaded.

        Args:
            names: Of models that are needed at the same time; the others that are loaded would be let go of.

        Raises:
            BeyondMemoryError: They are bigger.
        """
        wanted = set(names)
        kept = {handle.name: handle.memory_bytes for handle in self._loaded.values()}
        others = sum(size for name, size in kept.items() if name not in wanted)
        check_memory_together(self._names.loading_bytes(sorted(wanted - set(kept))), others)

    def holds(self, name: str) -> bool:
        """Whether a model is loaded now."""
        return any(handle.name == name for handle in self._loaded.values())

    def make(self, found: ModelLocation) -> None:
        """Let go of the models used longest ago as far as another one needs their memory.

        Args:
            found: Where that one is.
        """
        cost = self._names.loading_bytes([found.name]).get(found.name, 0)
        while (free := free_memory()) is not None and cost > free and self._loaded.drop_oldest():
            gc.unfreeze()  # a service leaves what stays out of its collections
            gc.collect()
