"""The names that a request may say: no path and no hub id of a request is opened."""

from collections.abc import Collection, Sequence
from typing import Protocol

from polysema.app.explorer.model_names import ModelNames
from polysema.core.errors import NotFoundError, UserError
from polysema.core.model.catalog import CatalogEntry, split_layer


class NamedCollections(Protocol):
    """The collections of a folder."""

    def __contains__(self, name: object) -> bool:
        """Whether there is one of that name."""

    def names(self) -> Sequence[str]:
        """Those that are there."""


class ServedNames:
    """The models and spaces that are served, and the collections beside them.

    Args:
        names: What the explorer opens by a name.
        collections: The collections of the data folder.
        chosen: The rows of the catalog that are served; all of them where empty.
        own: The names of one's own that are served; all of them where None.
    """

    def __init__(
        self,
        names: ModelNames,
        collections: NamedCollections,
        chosen: Collection[str] = (),
        own: Collection[str] | None = None,
    ):
        self._names, self._collections, self._chosen, self._own = names, collections, chosen, own

    def rows(self) -> list[CatalogEntry]:
        """What is served: the rows of the catalog, or those chosen, and one's own names."""
        return [row for row in self._names.rows() if self._serves(row.name)]

    def _serves(self, name: str) -> bool:
        if self._names.owns(name):
            return self._own is None or name in self._own
        return not self._chosen or name in self._chosen

    def check(self, name: str, status: str = "invalid") -> str:
        """The name of what is served back, with or without a layer.

        Raises:
            UserError: It is none; `NotFoundError` where `status` says `not_found`.
        """
        names = [row.name for row in self.rows()]
        if split_layer(name)[0] not in names:
            raise _error(status)(f"{name!r:.80} is not in the catalog: {', '.join(names)}")
        return name

    def check_space(self, name: str, status: str = "invalid") -> bool:
        """Whether a name is a collection's, else it is that of a model or space.

        Raises:
            UserError: It is neither; `NotFoundError` where `status` says `not_found`.
        """
        names, collection = [row.name for row in self.rows()], name.partition("/")[0]
        if split_layer(name)[0] in names:
            return False
        if collection in self._collections:
            return True
        there = ", ".join(self._collections.names()[:20]) or "none yet"
        raise _error(status)(
            f"{name!r:.130} is not in the catalog ({', '.join(names)}), and no collection here ({there})"
        )


def _error(status: str) -> type[UserError]:
    return NotFoundError if status == "not_found" else UserError
