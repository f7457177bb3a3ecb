"""Methods that were the collection's own, and where they are now; they still work."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from polysema.indexes.filters import Filter


class Composed(Protocol):
    """A collection, here or of a service: its versions, spaces and columns are parts of it."""

    @property
    def delete(self) -> Callable[..., int]:
        """What deletes rows by their ids, or those that pass a condition."""


OF_HISTORY = ("versions", "snapshots", "snapshot", "drop_snapshot", "restore", "collect")
FORMER_NAMES = {  # the part that has the method now, and its name there
    "create_space": ("spaces", "create"),
    "drop_space": ("spaces", "drop"),
    "recall": ("spaces", "recall"),
    "widen": ("columns", "widen"),
    **{name: ("history", name) for name in OF_HISTORY},
}


def former_method(collection: Composed, name: str) -> Callable[..., object]:
    """The method that had that name; raises `AttributeError`."""
    if name == "delete_where":

        def delete_where(where: "str | Filter", space: str | None = None) -> int:
            return collection.delete(None, space, where=where)

        return delete_where
    if name not in FORMER_NAMES:
        raise AttributeError(f"{type(collection).__name__!r} object has no attribute {name!r}")
    part, now = FORMER_NAMES[name]
    found: Callable[..., object] = getattr(getattr(collection, part), now)
    return found
