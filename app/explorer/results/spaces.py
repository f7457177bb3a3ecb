"""Answers about what has a name: models, spaces, and whether the service that serves them lives."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from polysema.app.explorer.description import describe
from polysema.app.explorer.serialization import json_form
from polysema.core.errors import UserError
from polysema.core.model.catalog import CATALOG, CatalogEntry, ModelLocation, catalog, folder_of
from polysema.core.space.space import Family, Origin

CATALOG_SOURCE, OWN_CATALOG_SOURCE, NAMED_SOURCE = "catalog", "own catalog", "settings"
OPENED_SOURCE, COLLECTION_SOURCE = "opened before", "collection"


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the service answers, or takes requests."""

    status: Literal["ok", "ready"]


@dataclass(frozen=True, slots=True)
class SpaceName:
    """A space that can be opened by its name; `layers` says that it is a model's, whose occurrences are the spaces
    NAME@LAYER.

    `family` is `collection` of a collection. `bytes` is the size on the disk (0 where it isn't known), `source` where
    the name is from: `catalog`, `own catalog`, `settings`, `opened before` or `collection`.
    """

    name: str
    family: str
    here: bool
    layers: bool
    license: str = ""
    bytes: int = 0
    source: str = CATALOG_SOURCE


@dataclass(frozen=True, slots=True)
class SpaceNames:
    """The spaces that have a name; `in` says whether one of that name is here."""

    spaces: tuple[SpaceName, ...]

    def __iter__(self) -> Iterator[SpaceName]:
        return iter(self.spaces)

    def __len__(self) -> int:
        return len(self.spaces)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def names(self) -> list[str]:
        """The names of those that are here."""
        return [one.name for one in self.spaces if one.here]


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """A space's size, columns and provenance."""

    name: str
    rows: int
    dim: int
    columns: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model or a static space that has a name, as OpenAI's protocol has it; `here` says whether its weights are.

    `bytes` is the size of what is downloaded, `summary` what it is, `source` where the name is from (`catalog`, `own
    catalog`, `settings` or `opened before`), and `folder` where it is, which a service doesn't tell.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    family: str
    license: str
    here: bool
    bytes: int
    summary: str
    source: str = CATALOG_SOURCE
    folder: str = field(default="", metadata=json_form(omitted=True))


@dataclass(frozen=True, slots=True)
class ModelCards:
    """The models and static spaces that have a name; `in` says whether one of that name is here."""

    object: Literal["list"]
    data: tuple[ModelCard, ...]

    def __iter__(self) -> Iterator[ModelCard]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def names(self) -> list[str]:
        """The names of those that are here."""
        return [one.id for one in self.data if one.here]

    def without_static(self) -> "ModelCards":
        """The language models alone."""
        return ModelCards("list", tuple(one for one in self.data if one.family != Family.STATIC.value))


def source_of(entry: CatalogEntry) -> str:
    """Where a row's name is from, as `ModelCard.source` says it."""
    if entry in CATALOG:
        return CATALOG_SOURCE
    return OWN_CATALOG_SOURCE if entry in catalog() else NAMED_SOURCE


def model_card(entry: CatalogEntry, with_folder: bool = False, source: str = "") -> ModelCard:
    """The card of a row of the catalog, or of a name of one's own."""
    size, folder, stated = sum(member.bytes for member in entry.members), folder_of(entry), entry.license
    if entry.path and folder is not None and not size:  # a row of a user's own need not say what its folder does
        with suppress(UserError):
            told = describe(ModelLocation(entry.name, path=folder, entry=entry))
            size, stated = told.file_bytes, told.license
    return ModelCard(
        entry.name,
        "model",
        0,
        entry.requirement or "user",
        entry.family.value,
        stated,
        folder is not None,
        size,
        entry.summary,
        source or source_of(entry),
        str(folder or "") if with_folder else "",
    )


def model_cards(entries: Sequence[CatalogEntry], with_folders: bool = False) -> ModelCards:
    """The cards of rows of the catalog."""
    return ModelCards("list", tuple(model_card(entry, with_folders) for entry in entries))


def space_names(cards: Sequence[ModelCard], collections: Sequence[str] = ()) -> SpaceNames:
    """The spaces of models and files, and the collections."""
    static = Family.STATIC.value
    named = [
        SpaceName(one.id, one.family, one.here, one.family != static, one.license, one.bytes, one.source)
        for one in cards
    ]
    stored = [SpaceName(name, "collection", True, False, source=COLLECTION_SOURCE) for name in collections]
    return SpaceNames((*named, *stored))


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """The tokens that were read."""

    prompt_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector of an input, as numbers or as base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: tuple[float, ...] | str


@dataclass(frozen=True, slots=True)
class EmbeddingList:
    """A vector for each input, as OpenAI's protocol has it."""

    object: Literal["list"]
    data: tuple[Embedding, ...]
    model: str
    usage: TokenUsage
