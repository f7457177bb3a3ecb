"""Requests to collections, and their answers."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue

from polysema.app.explorer.results.collection import (
    CollectionDeleted,
    CollectionInfo,
    CollectionNames,
    CollectionSpace,
    CollectionVersion,
    CollectionVersions,
    RecallAnswer,
    RecallPoint,
    RowsAdded,
    RowsDeleted,
    RowsReplaced,
    SearchAnswer,
    SnapshotDropped,
    SnapshotMade,
    VersionRestored,
)
from polysema.app.service.schemas.card import STATIC_ORIGIN
from polysema.app.service.schemas.fields import (
    MAX_ITEMS,
    Id,
    K,
    Name,
    RequestModel,
    Text,
    Vectors,
    Where,
    Word,
    request_config,
)
from polysema.app.service.schemas.response_model import response_model
from polysema.core.space.metric import Metric


class SpaceRequest(RequestModel):
    """A new space of a collection."""

    dim: int = Field(ge=1, le=65_536, examples=[384])
    metric: str = Field(default="cosine", pattern="^(cosine|inner_product|euclidean)$")
    origin: dict[str, Any] | None = None


class RowsRequest(RequestModel):
    """Rows: ids, vectors, columns by name, and the card that says where the vectors come from."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"ids": ["a", "b"], "vectors": [[1, 0], [0, 1]], "columns": {"color": ["red", "blue"]}}]
        },
    )
    ids: list[Id] = Field(min_length=1, max_length=MAX_ITEMS)
    vectors: Vectors
    dim: int | None = Field(default=None, ge=1, le=65_536, description="Needed with base64 vectors for a new space.")
    columns: dict[str, list[JsonValue]] | None = Field(default=None, max_length=200)
    space: Name | None = None
    origin: dict[str, Any] | None = None


class WidenRequest(RequestModel):
    """A column, and the wider type that it gets."""

    column: str = Field(min_length=1, max_length=1000, examples=["price"])
    type: str = Field(min_length=1, max_length=100, examples=["double"])


class WriteColumnRequest(RequestModel):
    """What a column, which may be new, says of some rows: a value for each id (null for nothing). Without a space it is
    written into every space that has such a row.
    """

    model_config = request_config({"column": "sense", "values": {"a": "river", "b": None}})
    column: str = Field(min_length=1, max_length=1000)
    values: dict[Id, str | int | float | bool | None] = Field(min_length=1, max_length=MAX_ITEMS)
    space: Name | None = None


class SearchRequest(RequestModel):
    """The nearest rows of a collection to vectors, to rows of it, or to a text (or a word in it)."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"vectors": [[1, 0]], "k": 2, "where": "color = 'red'"}]},
    )
    vectors: Vectors | None = None
    ids: list[Id] | None = Field(default=None, min_length=1, max_length=MAX_ITEMS)
    text: Text | None = None
    word: Word | None = None
    k: K = 10
    space: Name | None = None
    where: Where | None = None
    recall: Annotated[float, Field(gt=0, le=1)] | None = None
    exact: bool = False
    columns: list[Annotated[str, Field(max_length=200)]] | None = Field(default=None, max_length=200)


class DeleteRequest(RequestModel):
    """The rows to delete: their ids, or a condition."""

    ids: list[Id] | None = Field(default=None, min_length=1, max_length=MAX_ITEMS, examples=[["a"]])
    where: Where | None = None
    space: Name | None = None


class RestoreRequest(RequestModel):
    """The version to go back to: its number, or a snapshot's name."""

    version: Annotated[int, Field(ge=0, le=2**53)] | Name = Field(examples=[3, "before-the-import"])


# Answers

CollectionNamesResponse = response_model(CollectionNames(("mine",)))
CollectionResponse = response_model(
    CollectionInfo(
        "mine",
        2,
        2,
        "2 rows",
        ("before",),
        {"color": "string"},
        {"vectors": CollectionSpace(2, 2, Metric.COSINE, STATIC_ORIGIN, 1, "exact 2")},
    )
)
CollectionDeletedResponse = response_model(CollectionDeleted("mine"))
RowsAddedResponse = response_model(RowsAdded(2, 2, 2))
RowsReplacedResponse = response_model(RowsReplaced(1, 2, 3))
RowsDeletedResponse = response_model(RowsDeleted(1, 1, 4))
SearchResponse = response_model(
    SearchAnswer((({"rank": 1, "score": 0.9, "id": "a", "color": "red"},),), 2, 1.0, "vectors")
)
VersionsResponse = response_model(
    CollectionVersions((CollectionVersion(2, "2026-01-01T00:00:00.000+00:00", 2, "2 rows", "before"),))
)
SnapshotResponse = response_model(SnapshotMade("before", 2))
SnapshotDroppedResponse = response_model(SnapshotDropped("before"))
RestoreResponse = response_model(VersionRestored(5, 2))
RecallResponse = response_model(
    RecallAnswer("vectors", (RecallPoint(10_000, "hnsw", {"ef_search": 32}, 0.98, 0.97, 8000.0, 12000.0),))
)
