"""Methods that were the collection's own, and where they are now; they still work."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from polysema.indexes.filters import Filter


class Composed(Protocol):
    """A collection, here or of a service: its versions and spaces are parts of it."""

    @property
    def history(self) -> object:
        """Its versions."""

    @property
    def spaces(self) -> object:
        """Its spaces."""

    @property
    def delete(self) -> Callable[..., int]:
        """What deletes rows by their ids, or those that pass a condition."""


OF_SPACES = {"create_space": "create", "drop_space": "drop", "recall": "recall"}
OF_HISTORY = ("versions", "snapshots", "snapshot", "drop_snapshot", "restore", "collect")


def former_method(collection: Composed, name: str) -> Callable[..., object]:
    """The method that had that name; raises `AttributeError`."""
    if name == "delete_where":

        def delete_where(where: "str | Filter", space: str | None = None) -> int:
            return collection.delete(None, space, where=where)

        return delete_where
    if name == "widen":
        return collection.columns.widen
    if name not in OF_SPACES and name not in OF_HISTORY:
        raise AttributeError(f"{type(collection).__name__!r} object has no attribute {name!r}")
    part = collection.spaces if name in OF_SPACES else collection.history
    found: Callable[..., object] = getattr(part, OF_SPACES.get(name, name))
    return found
