"""`Explorer`: the one service behind the command line, the dashboard and programs, so that they can't disagree.

A question goes where its noun is: `words`, `texts`, `maps`, `looks` (inside a model); they stand on `spaces`, `corpora` and
`models`, which hold what was used last.
"""

from polysema.app.explorer.cache import Kept
from polysema.app.explorer.inside import Looks
from polysema.app.explorer.maps import Maps
from polysema.app.explorer.options import (
    DEFAULT_MODEL,
    DEFAULT_SPACE,
    MAX_CLUSTERED,
    MAX_TEXT,
    MAX_TEXTS,
    Asking,
    Finding,
    Progress,
)
from polysema.app.explorer.spaces import is_collection
from polysema.app.explorer.texts import Texts

__all__ = [
    "DEFAULT_MODEL",
    "DEFAULT_SPACE",
    "MAX_CLUSTERED",
    "MAX_TEXT",
    "MAX_TEXTS",
    "Asking",
    "Explorer",
    "Finding",
    "Kept",
    "Progress",
    "is_collection",
]


class Explorer(Texts, Maps, Looks):
    """Holds the models and spaces last used, and answers questions about them. Safe to share between threads."""
