"""The explorer, its options and its results; each name is imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polysema.app.explorer.cache import SingleFlightCache
    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.map_explorer import MapExplorer
    from polysema.app.explorer.model_explorer import ModelExplorer
    from polysema.app.explorer.options import (
        DEFAULT_MODEL,
        DEFAULT_SPACE,
        MAX_CLUSTERED,
        MAX_TEXT,
        MAX_TEXTS,
        AnalogyOptions,
        ModelOptions,
        OccurrenceOptions,
        SearchOptions,
    )
    from polysema.app.explorer.spaces import is_collection
    from polysema.app.explorer.word_space import WordSpace

MODULES = {
    "Explorer": "explorer",
    "MapExplorer": "map_explorer",
    "ModelExplorer": "model_explorer",
    "WordSpace": "word_space",
    "SingleFlightCache": "cache",
    "is_collection": "spaces",
    **dict.fromkeys(
        (
            "DEFAULT_MODEL",
            "DEFAULT_SPACE",
            "MAX_CLUSTERED",
            "MAX_TEXT",
            "MAX_TEXTS",
            "AnalogyOptions",
            "ModelOptions",
            "OccurrenceOptions",
            "SearchOptions",
        ),
        "options",
    ),
}
__all__ = [
    "DEFAULT_MODEL",
    "DEFAULT_SPACE",
    "MAX_CLUSTERED",
    "MAX_TEXT",
    "MAX_TEXTS",
    "AnalogyOptions",
    "Explorer",
    "MapExplorer",
    "ModelExplorer",
    "ModelOptions",
    "OccurrenceOptions",
    "SearchOptions",
    "SingleFlightCache",
    "WordSpace",
    "is_collection",
]


def __getattr__(name: str) -> object:
    """Import a name when it is first used (PEP 562): the command line asks for options alone."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
    globals()[name] = value
    return value
