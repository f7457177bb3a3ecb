"""The names that models and spaces have for an explorer: those of the catalogs, and those that its owner gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from polysema.app.explorer.description import describe
from polysema.app.explorer.opened_models import OpenedModel, opened_before
from polysema.app.explorer.results.spaces import OPENED_SOURCE, ModelCards, model_card, model_cards
from polysema.core.errors import ConflictError, NotFoundError, UserError
from polysema.core.model.catalog import ModelLocation, catalog, check_no_layer, folder_of, locate
from polysema.core.model.catalog_file import CatalogEntry, Member, check_model_name
from polysema.core.model.family import family_of_folder
from polysema.core.model.hub import cached_folder
from polysema.core.model.hub_download import bring_config
from polysema.core.space.space import Family
from polysema.indexes.store.manifest import FORMAT_FILE


class ModelNames:
    """Names to models and spaces. A name of the owner's own stands for a folder, a file of vectors, a hub id or a row
    of the catalog, and is shown in the place of its path.

    Args:
        given: What each name of the owner's own stands for.

    Example:
        >>> ModelNames({"sounds": "g2p-t5"}).locate("sounds").name
        'sounds'
    """

    def __init__(self, given: Mapping[str, str] | None = None):
        self._places: dict[str, str] = {}
        self._found: dict[str, tuple[CatalogEntry, ModelLocation]] = {}
        for name, place in (given or {}).items():
            self.add(name, place)

    def add(self, name: str, place: str) -> None:
        """Give a name to a folder, a file of vectors, a hub id, or a row of the catalog.

        Args:
            name: Small letters, digits, `-`, `_` and single dots.
            place: What it stands for.

        Raises:
            UserError: for a name that is none, or is another's already, or a place where nothing is.
        """
        check_model_name(name)
        if self._places.get(name) == place:
            return
        if name in [row.name for row in self.rows()]:
            raise ConflictError(f"the name {name!r} stands for a model already; choose another one for {place}")
        self._found[name] = _found(name, place)
        self._places[name] = place

    def rows(self) -> tuple[CatalogEntry, ...]:
        """The rows of the catalogs, and behind them those of the owner's own names."""
        return (*catalog(), *(row for row, _ in self._found.values()))

    def locate(self, name: str) -> ModelLocation:
        """What a name stands for; raises as `locate` of the catalog does."""
        own = self._found.get(name)
        if own is None:
            check_no_layer(name, self._found)
            return locate(name)
        row, found = own
        if found.hub_id and (folder := folder_of(row)) is not None:  # it was brought meanwhile
            return replace(found, path=folder, hub_id="", entry=row)
        if found.path is not None and not found.path.exists():
            raise NotFoundError(f"what the name {name} stands for is not there (any more)")
        return found

    def owns(self, name: str) -> bool:
        """Whether it is a name of the owner's own."""
        return name in self._found

    def loading_bytes(self, names: Iterable[str]) -> dict[str, int]:
        """The bytes of memory that models take once they are loaded, by name; 0 where only loading tells.

        Args:
            names: Of models; those of vectors, which are mapped from the disk, and unknown ones are left out.

        Returns:
            Bytes by name.
        """
        costs = {}
        for name in dict.fromkeys(names):
            with suppress(UserError):
                told = describe(self.locate(name))
                if told.family is not Family.STATIC:
                    costs[name] = told.loading_bytes
        return costs

    def without_paths(self, text: str, folder: str = "") -> str:
        """A text without what a service doesn't tell: the paths behind the owner's own names, and a folder.

        Args:
            text: Such as a message.
            folder: That of the collections, with a slash at its end.

        Returns:
            The text with names in the place of paths.
        """
        for name, (_, found) in self._found.items():
            if found.path is not None:
                text = text.replace(str(found.path), name)
        return text.replace(folder, "") if folder else text

    def cards(self) -> ModelCards:
        """What can be opened by a name or was opened before, with what is known of each before it is loaded."""
        opened = (row for one in opened_before() if (row := _opened_row(one)) is not None)
        cards = (*model_cards(self.rows(), True).data, *(model_card(row, True, OPENED_SOURCE) for row in opened))
        return ModelCards("list", cards)


def _opened_row(opened: OpenedModel) -> CatalogEntry | None:
    """What was opened before as a row under its path or id; None where it can't be opened any more."""
    with suppress(UserError):
        return _found(opened.name, opened.name)[0]
    return None


def _found(name: str, place: str) -> tuple[CatalogEntry, ModelLocation]:
    """The row of a name, and what it stands for; raises `UserError` for a place where no model and no vectors are."""
    found = locate(place)
    if found.entry is not None and not found.entry.path:
        return replace(found.entry, name=name, path=str(found.path), hub=""), replace(found, name=name)
    cached = cached_folder(found.hub_id, found.revision) if found.hub_id else None
    if found.hub_id and cached is None:
        family = family_of_folder(bring_config(found))
        row = CatalogEntry(name, family, found.hub_id, "", "", "", 0, "", (), hub=found.hub_id, revision=found.revision)
        return row, replace(found, name=name)
    path = Path(found.path or cached or "").resolve()
    if (path / FORMAT_FILE).is_file():
        raise UserError(f"{place} is a collection, which has a name already: put it into the folder of collections")
    told = describe(ModelLocation(place, path=path))
    count = f", {told.n_parameters:,} parameters" if told.n_parameters else ""
    summary = f"{told.architecture or told.model_type}{count}"
    files = (Member(path.name, told.file_bytes),)
    row = CatalogEntry(name, told.family, summary, told.license, "", "", 0, "", files, path=str(path))
    if cached is not None:
        row = replace(row, path="", hub=found.hub_id, revision=cached.name, members=())
    return row, ModelLocation(name, path=path, entry=row)
