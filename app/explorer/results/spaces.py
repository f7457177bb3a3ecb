"""Answers about what has a name: models, spaces, and whether the service that serves them lives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from polysema.app.explorer.serialization import json_form
from polysema.core.model.catalog import CatalogEntry, folder_of
from polysema.core.space.space import Origin


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the service answers, or takes requests."""

    status: Literal["ok", "ready"]


@dataclass(frozen=True, slots=True)
class SpaceName:
    """A name of the catalog; `layers` says that it is a model's, whose occurrences are the spaces NAME@LAYER."""

    name: str
    family: str
    here: bool
    layers: bool


@dataclass(frozen=True, slots=True)
class SpaceNames:
    """The spaces that have a name."""

    spaces: tuple[SpaceName, ...]


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

    `bytes` is the size of what is downloaded, `summary` what it is, and `folder` where it is, which a service doesn't
    tell.
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
    folder: str = field(default="", metadata=json_form(omitted=True))


@dataclass(frozen=True, slots=True)
class ModelCards:
    """The models and static spaces that have a name."""

    object: Literal["list"]
    data: tuple[ModelCard, ...]


def model_card(entry: CatalogEntry, with_folder: bool = False) -> ModelCard:
    """The card of a row of the catalog."""
    size, folder = sum(member.bytes for member in entry.members), folder_of(entry)
    family, where = entry.family.value, str(folder or "") if with_folder else ""
    return ModelCard(
        entry.name,
        "model",
        0,
        entry.requirement or "user",
        family,
        entry.license,
        folder is not None,
        size,
        entry.summary,
        where,
    )


def model_cards(entries: Sequence[CatalogEntry], with_folders: bool = False) -> ModelCards:
    """The cards of rows of the catalog."""
    return ModelCards("list", tuple(model_card(entry, with_folders) for entry in entries))


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
