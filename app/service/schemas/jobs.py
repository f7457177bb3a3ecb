"""Requests and results of long work."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Discriminator, Field, JsonValue, Tag

from polysema.app.explorer import DEFAULT_MODEL, MAX_CLUSTERED, MAX_TEXTS
from polysema.app.explorer.map_neighbors import MapNeighbor, PointNeighbors
from polysema.app.explorer.results.jobs import JobCard
from polysema.app.explorer.results.map_answers import (
    MapAnswer,
    MatchedAnswer,
    MatchedSideAnswer,
    PositionsAnswer,
    ShiftsAnswer,
)
from polysema.app.service.schemas.card import STATIC_ORIGIN
from polysema.app.service.schemas.circuits import PatchJobRequest
from polysema.app.service.schemas.contexts import TextsFields
from polysema.app.service.schemas.fields import (
    DIMENSIONS,
    Id,
    K,
    Layer,
    Name,
    Number,
    RequestModel,
    SpaceName,
    SpaceView,
    Text,
    Vector,
    Vectors,
    Word,
    request_config,
)
from polysema.app.service.schemas.label_measures import (
    AnnotatedSensesRequest,
    BiasRequest,
    ContextualityRequest,
    ProbeRequest,
    WordInContextRequest,
)
from polysema.app.service.schemas.measures import AnalogiesRequest, SimilaritiesRequest
from polysema.app.service.schemas.response_model import response_model
from polysema.core.maps.distortion import Distortion
from polysema.core.maps.neighbors import Neighbors
from polysema.core.maps.options import MAX_COMPONENTS, MapOptions
from polysema.core.maps.overlap import Shift


class MapChoice(RequestModel):
    """What a map depends on: the fields of `MapOptions`."""

    n_components: int = Field(default=2, ge=2, le=MAX_COMPONENTS, description="2 or 3 to look at, more to cluster.")
    n_neighbors: int = Field(default=15, ge=2, le=200)
    min_dist: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.1
    spread: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)] = 1.0
    n_epochs: int | None = Field(default=None, ge=1, le=10_000)
    negative_sample_rate: int = Field(default=5, ge=1, le=50)
    dens_lambda: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 2.0
    perplexity: Annotated[float, Field(ge=1, le=200, allow_inf_nan=False)] = 30.0
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    metric: str = Field(
        default="cosine",
        max_length=16,
        description="cosine, correlation, euclidean, manhattan or chebyshev; pca takes none but the default.",
    )
    target: str = Field(
        default="",
        max_length=1000,
        description="A column of the space that supervises umap or umap-learn; empty: none.",
    )
    target_metric: Literal["", "categorical", "l2"] = Field(
        default="", description="Whether the target's values are categories or numbers; empty: by their type."
    )
    target_weight: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5


class MapRequest(SpaceView):
    """A space or collection, or its first n rows, laid out in two or three dimensions (or in more, to be clustered),
    with its distortion among the k nearest.
    """

    model_config = request_config({"kind": "map", "space": "glove-6b-50d", "n": 2000, "method": "pca"})
    kind: Literal["map"]
    method: str = Field(default="umap", max_length=16)
    options: MapChoice = MapChoice()
    n: int | None = Field(default=None, ge=1, le=2**40)
    k: int = Field(default=10, ge=1, le=1_000_000)


def _given(side: object) -> str:
    return "name" if isinstance(side, str) else "seen"


Side = Annotated[Annotated[SpaceName, Tag("name")] | Annotated[SpaceView, Tag("seen")], Discriminator(_given)]


class MatchedMapsRequest(RequestModel):
    """Two spaces, and perhaps some between them, of which n of the rows that they share are laid out on one plane
    (null: all). A space that is given by its name is called so in the answer; one that is given as it is seen, by its
    card.
    """

    model_config = request_config(
        {"kind": "matched", "a": "minilm-l6@0", "b": "minilm-l6@6", "n": 500, "method": "pca"}
    )
    kind: Literal["matched"]
    a: Side
    b: Side
    through: list[Side] = Field(default=[], max_length=32)
    n: int | None = Field(default=2000, ge=1, le=2**40)
    k: int = Field(default=10, ge=1, le=1_000_000)
    method: str = Field(default="umap", max_length=16)
    options: MapChoice = MapChoice()


class WordMapRequest(TextsFields):
    """A word's occurrences at every layer on one plane, texts of one's own among them: those in the corpus of senses,
    or in the texts of a space.
    """

    model_config = request_config({"kind": "word_map", "word": "bank", "method": "pca"})
    kind: Literal["word_map"]
    word: Word
    model: Name = DEFAULT_MODEL
    method: str = Field(default="umap", max_length=16)
    texts: list[Text] = Field(default=[], max_length=MAX_TEXTS)


class SenseClustersRequest(TextsFields):
    """The annotated occurrences of a word, clustered by their vectors at a layer, against their senses; or every
    occurrence in texts of one's own, or in those of a space, against its labels.
    """

    model_config = request_config({"kind": "sense_clusters", "word": "bank"})
    kind: Literal["sense_clusters"]
    word: Word
    model: Name = DEFAULT_MODEL
    layer: Layer = -1
    min_cluster_size: int = Field(default=3, ge=2, le=100_000)
    texts: list[Text] = Field(default=[], max_length=MAX_CLUSTERED)


class SensesRequest(RequestModel):
    """How often a word's nearest other occurrence has its sense, for each layer of some models."""

    model_config = request_config({"kind": "senses", "models": ["minilm-l6"]})
    kind: Literal["senses"]
    models: list[Name] = Field(default=[DEFAULT_MODEL], min_length=1, max_length=16)


class CorpusRequest(RequestModel):
    """Every word of the corpus of senses embedded at a layer: the space `minilm-l6@6` made ready."""

    model_config = request_config({"kind": "corpus", "model": "minilm-l6", "layer": 6})
    kind: Literal["corpus"]
    model: Name = DEFAULT_MODEL
    layer: Layer = -1


class EmbedIntoCollectionRequest(RequestModel):
    """Texts embedded at a layer into a collection: words, one word, tokens or sentences. Ids are those of the texts (or
    their numbers), with the place behind them (`17:4-8`); rows that are there are replaced. What was written before a
    cancel stays; the same job once more puts the same rows in their place. Texts without a token, or without the word,
    are left out and counted.
    """

    model_config = request_config(
        {"kind": "embed", "collection": "mine", "texts": ["The river bank."], "unit": "sentences"}
    )
    kind: Literal["embed"]
    collection: Name
    texts: list[Text] = Field(min_length=1, max_length=10_000_000)
    ids: list[Id] | None = Field(default=None, min_length=1, max_length=10_000_000)
    columns: dict[str, list[JsonValue]] | None = Field(
        default=None,
        max_length=1000,
        description="Columns by name, a value for each text, which every row of the text has; one that is called like "
        "a column of the rows' own (`word`, `text_id`, ...) becomes `file_word`.",
    )
    space: Name | None = None
    model: Name = DEFAULT_MODEL
    layer: Layer | None = Field(default=None, description="By default that of the model's name, else the last.")
    unit: Literal["words", "tokens", "sentences"] = "words"
    word: Word | None = None
    pooling: str = Field(default="mean", max_length=16)
    prompt: str | None = Field(default=None, max_length=2000)
    prompt_name: str | None = Field(default=None, max_length=200)
    dimensions: int | None = DIMENSIONS


class CompactRequest(RequestModel):
    """A space of a collection written together, with an index."""

    model_config = request_config({"kind": "compact", "collection": "mine", "index": "auto"})
    kind: Literal["compact"]
    collection: Name
    space: Name | None = None
    index: str | None = Field(default=None, max_length=100)


class VerifyRequest(RequestModel):
    """Every byte of a collection read and compared with what was written."""

    model_config = request_config({"kind": "verify", "collection": "mine"})
    kind: Literal["verify"]
    collection: Name


JobRequest = Annotated[
    MapRequest
    | MatchedMapsRequest
    | WordMapRequest
    | SenseClustersRequest
    | SensesRequest
    | CorpusRequest
    | EmbedIntoCollectionRequest
    | CompactRequest
    | VerifyRequest
    | AnalogiesRequest
    | SimilaritiesRequest
    | ContextualityRequest
    | AnnotatedSensesRequest
    | WordInContextRequest
    | ProbeRequest
    | BiasRequest
    | PatchJobRequest,
    Field(discriminator="kind"),
]


class PlaceRequest(RequestModel):
    """New vectors of the space of a map."""

    model_config = request_config({"vectors": [[0.1] * 50]})
    vectors: Vectors


class PointNeighborsRequest(SpaceView):
    """A point of a map of the space: a row of it, or a point of one's own by its vector and position."""

    model_config = request_config({"row": 231, "k": 5}, {"vector": [0.1] * 50, "position": [0.3, -1.2]})
    row: int | None = Field(default=None, ge=0, le=2**53)
    vector: Vector | None = None
    position: Annotated[list[Number], Field(min_length=2, max_length=MAX_COMPONENTS)] | None = None
    k: K = 10


# Answers

POSITIONS = np.array([[0.25, -0.5]], np.float32)
JobResponse = response_model(
    JobCard("0123456789abcdef0123456789abcdef", "map", "running", False, "lay out", 20, 200, None, None)
)
MapResponse = response_model(
    MapAnswer(
        "umap",
        MapOptions(),
        3.1,
        1,
        (),
        Distortion(10, np.array([0]), np.array([0.5], np.float32), 0.5, 0.9, 0.005),
        STATIC_ORIGIN,
        ({"key": "the", "kept": 0.5},),
        POSITIONS,
        2,
    )
)
MatchedResponse = response_model(
    MatchedAnswer(
        "pca",
        MapOptions(),
        1,
        1,
        2,
        "word",
        "all 2",
        1.0,
        (
            MatchedSideAnswer(
                "minilm-l6@0",
                STATIC_ORIGIN,
                0.03,
                0,
                POSITIONS,
                Neighbors(np.array([[1]]), np.array([[0.25]], np.float32)),
                np.ones(1, np.float32),
            ),
        ),
        np.ones(1, np.float32),
        np.array([0]),
        ({"key": "bank"},),
    )
)
ShiftsResponse = response_model(ShiftsAnswer(4, (), (Shift(17, 3, 120, 0.7, 0.2),), ()))
NEAR_POINT = MapNeighbor(17, "river", 0.7, 1, 2, False)
PointNeighborsResponse = response_model(PointNeighbors((NEAR_POINT,), (NEAR_POINT,), 1.0))
PositionsResponse = response_model(PositionsAnswer(POSITIONS))
