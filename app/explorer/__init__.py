"""The explorer, its options and its results; each name is imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polysema.app.explorer.cache import SingleFlightCache
    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.options import (
        DEFAULT_MODEL,
        DEFAULT_SPACE,
        MAX_CLUSTERED,
        MAX_TEXT,
        MAX_TEXTS,
        AnalogyOptions,
        SearchOptions,
    )
    from polysema.app.explorer.spaces import is_collection

MODULES = {
    "Explorer": "explorer",
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
    "SearchOptions",
    "SingleFlightCache",
    "is_collection",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used (PEP 562): the command line asks for options alone."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
    globals()[name] = value
    return value
