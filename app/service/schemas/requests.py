"""What may be asked: the bodies of requests, checked, with examples for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag

from polysema.app.explorer import DEFAULT_MODEL, DEFAULT_SPACE, MAX_CLUSTERED, MAX_TEXT, MAX_TEXTS

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*(@-?[0-9]{1,4})?$"
MAX_ITEMS = 100_000  # of anything in one list; the settings allow less
Word = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME)]
# a name of the catalog, with or without a layer, or a collection's, with or without one of its spaces
SPACE = r"^[A-Za-z0-9][A-Za-z0-9_.-]*(@-?[0-9]{1,4}|/[A-Za-z0-9][A-Za-z0-9_.-]*)?$"
SpaceName = Annotated[str, Field(min_length=1, max_length=129, pattern=SPACE)]
Id = Annotated[str, Field(min_length=1, max_length=4096)]
K = Annotated[int, Field(ge=1, le=1_000_000)]
Rows = Annotated[int, Field(ge=1, le=2**53)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Vector = Annotated[list[Number], Field(min_length=1, max_length=65_536)]
Vectors = Annotated[list[Vector], Field(min_length=1, max_length=MAX_ITEMS)] | Annotated[str, Field(min_length=1)]
Where = Annotated[str, Field(max_length=200_000)]
Layer = Annotated[int, Field(ge=-10_000, le=10_000)]
Layers = Annotated[list[Layer], Field(min_length=1, max_length=200)]
Axis = Annotated[str, Field(min_length=1, max_length=1000)]
# a word of a question, or an occurrence: bank in "the river bank" @6
Term = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
FewWords = Annotated[list[Term], Field(min_length=2, max_length=256)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class RequestModel(BaseModel):
    """A body: nothing unknown in it, no text where a number is meant."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SpaceView(RequestModel):
    """The space (of the catalog, or a collection by its name), and how it is seen."""

    space: SpaceName = DEFAULT_SPACE
    transform: str = Field(default="raw", max_length=40)
    without: list[Axis] = Field(default=[], max_length=8)


class LookupChoice(SpaceView):
    """The space, how it is seen, and what a word stands for in it."""

    case: str = Field(default="fallback", max_length=16)
    phrases: str = Field(default="join", max_length=16)
    unknown: str = Field(default="refuse", max_length=16)


class OccurrenceRequest(RequestModel):
    """A word at a place in a text."""

    word: Word
    text: Text
    nth: int = Field(default=1, ge=1, le=100_000)


class NeighborsFields(LookupChoice):
    """How neighbors are looked for, whoever asks: `POST` for many words, `GET` for one."""

    k: K = 10
    where: Where | None = None
    recall: Share | None = Field(default=None, description="The exact answer has all of it.")
    restrict_vocab: Rows | None = Field(
        default=None, description="How many words of the space, from the first on, are searched."
    )


class NeighborsRequest(NeighborsFields):
    """The nearest rows to words, occurrences, texts or vectors: one of the four, any number of each."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"words": ["bank", "swan"], "k": 3},
                {"vectors": [[0.1] * 50], "k": 2},
                {
                    "space": "minilm-l6@6",
                    "occurrences": [{"word": "bank", "text": "The river bank."}],
                    "where": "sense != ''",
                },
            ]
        },
    )
    words: list[Term] | None = Field(default=None, min_length=1, max_length=MAX_ITEMS)
    occurrences: list[OccurrenceRequest] | None = Field(default=None, min_length=1, max_length=MAX_ITEMS)
    texts: list[Text] | None = Field(default=None, min_length=1, max_length=MAX_ITEMS)
    vectors: Vectors | None = None


class NeighborsQuery(NeighborsFields):
    """The nearest rows to a word, asked by the address alone."""

    model_config = ConfigDict(extra="forbid", strict=False)  # an address holds only text
    word: Term = Field(examples=["bank"])


class AnalogyFields(LookupChoice):
    """A sum of words and how it is asked, whoever asks: `POST` or `GET`."""

    k: K = 10
    expression: str = Field(max_length=10_000, examples=["queen - king + man"])
    method: str = Field(default="3cosadd", max_length=16)
    evidence: bool = True
    vectors: bool = Field(default=False, description="Whether the target and the words' vectors are answered as well.")
    epsilon: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1e-6
    restrict_vocab: Rows | None = Field(
        default=None, description="How many words of the space, from the first on, are searched."
    )


class AnalogyRequest(AnalogyFields):
    """A sum of words, the method, and example pairs for 3cosavg and lrcos."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"expression": "queen - king + man", "k": 4, "method": "3cosmul"}]},
    )
    pairs: list[Annotated[list[Word], Field(min_length=2, max_length=2)]] = Field(default=[], max_length=1000)


class AnalogyQuery(AnalogyFields):
    """The same, asked by the address alone."""

    model_config = ConfigDict(extra="forbid", strict=False)  # an address holds only text
    pairs: list[Axis] = Field(default=[], max_length=1000, description="Example pairs, each man:woman.")


class CompareRequest(RequestModel):
    """A word and the texts in which it stands."""

    word: Word = Field(examples=["bank"])
    texts: list[Text] = Field(min_length=1, max_length=MAX_TEXTS, examples=[["The river bank.", "A bank of gold."]])
    model: Name = DEFAULT_MODEL
    layers: list[Layer] | None = Field(default=None, min_length=1, max_length=200)
    pooling: str = Field(default="mean", max_length=16)


class EmbedRequest(RequestModel):
    """Texts to vectors of their words, of one word, of their tokens, or of whole texts, at any layers.

    With the unit sentences and the pooling own, a `prompt`, or the model's of a name, may stand before each text.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"texts": ["The river bank."], "word": "bank", "layers": [0, 6]}]},
    )
    texts: list[Text] = Field(min_length=1, max_length=MAX_ITEMS)
    model: Name = DEFAULT_MODEL
    layers: list[Layer] = Field(default=[-1], min_length=1, max_length=200)
    unit: str = Field(default="words", max_length=16)
    word: Word | None = None
    pooling: str = Field(default="mean", max_length=16)
    prompt: str | None = Field(default=None, max_length=2000)
    prompt_name: str | None = Field(default=None, max_length=200)


TokenId = Annotated[int, Field(ge=0, lt=2**31)]


class EmbeddingsRequest(RequestModel):
    """OpenAI's request: a text, texts, or, with `token_ids`, ids of the model's own tokenizer or lists of them."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"model": "minilm-l6", "input": ["The river bank."], "encoding_format": "float"}]
        },
    )
    model: str = Field(max_length=64)
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MAX_ITEMS)]
        | Annotated[list[TokenId], Field(min_length=1, max_length=MAX_ITEMS)]
        | Annotated[
            list[Annotated[list[TokenId], Field(min_length=1, max_length=MAX_ITEMS)]],
            Field(min_length=1, max_length=MAX_ITEMS),
        ]
    )
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = Field(default=None, ge=1, le=100_000)
    user: str | None = Field(default=None, max_length=1000)
    token_ids: bool = Field(
        default=False, description="Whether `input` may be token ids: those of the model's own tokenizer."
    )


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


# Words among words


def _like(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": list(examples)})


class SimilarityRequest(LookupChoice):
    """Two words, or two lists of words, whose means are compared."""

    model_config = _like({"first": ["king"], "second": ["queen"]})
    first: list[Term] = Field(min_length=1, max_length=MAX_ITEMS)
    second: list[Term] = Field(min_length=1, max_length=MAX_ITEMS)


class CloserRequest(LookupChoice):
    """A word, another one, and how many of the words between them (None: all)."""

    model_config = _like({"word": "bank", "other": "river", "k": 20})
    word: Term
    other: Term
    k: K | None = None


class OddOneOutRequest(LookupChoice):
    """Words, one of which fits the others least."""

    model_config = _like({"words": ["breakfast", "lunch", "dinner", "cereal"]})
    words: list[Term] = Field(min_length=1, max_length=MAX_ITEMS)


class ProjectRequest(LookupChoice):
    """Words, and the axes that they are placed on."""

    model_config = _like({"words": ["house", "palace"], "axes": ["poor -> rich"]})
    words: list[Term] = Field(min_length=1, max_length=MAX_ITEMS)
    axes: list[Axis] = Field(min_length=1, max_length=64)


class DirectionRequest(LookupChoice):
    """An axis, from one word (or sum of words) to another."""

    model_config = _like({"axis": "poor -> rich"})
    axis: Axis


class VectorRequest(LookupChoice):
    """A sum of words, or an occurrence."""

    model_config = _like({"expression": "king - man + woman"})
    expression: str = Field(min_length=1, max_length=MAX_TEXT)


class BaselineRequest(SpaceView):
    """A space, and how it is seen."""

    model_config = _like({"space": "glove-6b-50d", "transform": "centered"})


class AssociationRequest(LookupChoice):
    """Two lists of words, and the two lists that they may lean to."""

    model_config = _like(
        {"first": ["rose", "tulip"], "second": ["ant", "wasp"], "toward": ["love", "peace"], "away": ["filth", "ugly"]}
    )
    first: FewWords
    second: FewWords
    toward: FewWords
    away: FewWords


class TravelRequest(SpaceView):
    """A word and the axis along which it moves."""

    model_config = _like({"word": "house", "axis": "poor -> rich", "steps": 3})
    word: Term
    axis: Axis
    steps: int = Field(default=8, ge=1, le=1000)
    reach: Number = 1.5
    k: K = 3


class OccurrencesRequest(RequestModel):
    """A word in a text, whose nearest occurrences in the corpus of senses are wanted."""

    model_config = _like({"word": "bank", "text": "They sat on the river bank.", "k": 3})
    word: Word
    text: Text
    nth: int = Field(default=1, ge=1, le=100_000)
    model: Name = DEFAULT_MODEL
    layer: Layer = -1
    k: K = 10


# Inside a model


class InsideRequest(RequestModel):
    """The model, and, of an encoder-decoder, its stack (the decoder by default) and the decoder's text."""

    text: Text
    model: Name = DEFAULT_MODEL
    stack: Literal["", "encoder", "decoder"] = ""
    target: Text | None = None


class ShownColumns(RequestModel):
    """How attention is shown: self or cross, by words or tokens, with the model's own tokens or without."""

    cross: bool = False
    unit: Literal["", "words", "tokens"] = ""
    special: Literal["show", "fold"] = "show"


class AttentionRequest(InsideRequest, ShownColumns):
    """Who looks at whom: at some layers (from 1; none: all), of every head or of one."""

    model_config = _like(
        {"text": "The white swan swam in the blue water.", "layers": [6], "head": 3, "special": "fold"},
        {"model": "g2p-t5", "text": "phone", "cross": True},
    )
    layers: Layers | None = None
    head: int | None = Field(default=None, ge=1, le=10_000)


class RankHeadsRequest(ShownColumns):
    """Pairs of words, and the texts in which the first is to look at the second."""

    model_config = _like({"pairs": [["blue", "water"]], "texts": ["The swan swam in the blue water."]})
    pairs: list[Annotated[list[Word], Field(min_length=2, max_length=2)]] = Field(min_length=1, max_length=1000)
    texts: list[Text] = Field(min_length=1, max_length=MAX_ITEMS)
    model: Name = DEFAULT_MODEL
    stack: Literal["", "encoder", "decoder"] = ""
    target: Text | None = None
    layers: Layers | None = None
    k: K | None = None


class LensRequest(InsideRequest):
    """What the states say: at some layers (0 to n), of all tokens or of one (`at`: a word, or a token's number).

    A word to follow is a word, a token in quotes as it is shown (`"','"`), or its id (`#11`). Of a word with and
    without a space before it the likelier is followed, by what the model answers at `forms_at` (else `at`, else where
    it predicts).
    """

    model_config = _like({"text": "The river bank.", "layers": [0, 6], "words": ["money"], "k": 3, "at": "bank"})
    layers: Layers | None = None
    words: list[Word] = Field(default=[], max_length=1000)
    points: list[Annotated[str, Field(max_length=16)]] = Field(default=["mlp"], min_length=1, max_length=8)
    kind: Literal["auto", "logits", "static"] = "auto"
    k: int = Field(default=5, ge=1, le=1_000_000)
    at: Word | Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    forms_at: Word | Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None


class AttributionRequest(InsideRequest):
    """The word whose logit is taken apart, perhaps against another's, and where; see `LensRequest` for what a word may
    be.
    """

    model_config = _like({"text": "The river bank.", "word": "money", "at": "bank"})
    word: Word
    against: Word | None = None
    at: Word | Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None


# Long work


class MapChoice(RequestModel):
    """What a map depends on: the fields of `MapOptions`."""

    n_components: int = Field(default=2, ge=2, le=3)
    n_neighbors: int = Field(default=15, ge=2, le=200)
    min_dist: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.1
    spread: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)] = 1.0
    n_epochs: int | None = Field(default=None, ge=1, le=10_000)
    negative_sample_rate: int = Field(default=5, ge=1, le=50)
    dens_lambda: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 2.0
    perplexity: Annotated[float, Field(ge=1, le=200, allow_inf_nan=False)] = 30.0
    seed: int = Field(default=0, ge=0, le=2**32 - 1)


class MapRequest(SpaceView):
    """A space or collection, or its first n rows, laid out in two or three dimensions, with its distortion among the k
    nearest.
    """

    model_config = _like({"kind": "map", "space": "glove-6b-50d", "n": 2000, "method": "pca"})
    kind: Literal["map"]
    method: str = Field(default="umap", max_length=16)
    options: MapChoice = MapChoice()
    n: int | None = Field(default=None, ge=1, le=2**40)
    k: int = Field(default=10, ge=1, le=1_000_000)


def _given(side: Any) -> str:
    return "name" if isinstance(side, str) else "seen"


Side = Annotated[Annotated[SpaceName, Tag("name")] | Annotated[SpaceView, Tag("seen")], Discriminator(_given)]


class MatchedMapsRequest(RequestModel):
    """Two spaces, and perhaps some between them, of which n of the rows that they share are laid out on one plane
    (null: all). A space that is given by its name is called so in the answer; one that is given as it is seen, by its
    card.
    """

    model_config = _like({"kind": "matched", "a": "minilm-l6@0", "b": "minilm-l6@6", "n": 500, "method": "pca"})
    kind: Literal["matched"]
    a: Side
    b: Side
    through: list[Side] = Field(default=[], max_length=32)
    n: int | None = Field(default=2000, ge=1, le=2**40)
    k: int = Field(default=10, ge=1, le=1_000_000)
    method: str = Field(default="umap", max_length=16)
    options: MapChoice = MapChoice()


class WordMapRequest(RequestModel):
    """A word's occurrences at every layer on one plane, texts of one's own among them."""

    model_config = _like({"kind": "word_map", "word": "bank", "method": "pca"})
    kind: Literal["word_map"]
    word: Word
    model: Name = DEFAULT_MODEL
    method: str = Field(default="umap", max_length=16)
    texts: list[Text] = Field(default=[], max_length=MAX_TEXTS)


class SenseClustersRequest(RequestModel):
    """The annotated occurrences of a word, clustered by their vectors at a layer, against their senses; or every
    occurrence in texts of one's own.
    """

    model_config = _like({"kind": "sense_clusters", "word": "bank"})
    kind: Literal["sense_clusters"]
    word: Word
    model: Name = DEFAULT_MODEL
    layer: Layer = -1
    min_cluster_size: int = Field(default=3, ge=2, le=100_000)
    texts: list[Text] = Field(default=[], max_length=MAX_CLUSTERED)


class SensesRequest(RequestModel):
    """How often a word's nearest other occurrence has its sense, for each layer of some models."""

    model_config = _like({"kind": "senses", "models": ["minilm-l6"]})
    kind: Literal["senses"]
    models: list[Name] = Field(default=[DEFAULT_MODEL], min_length=1, max_length=16)


class CorpusRequest(RequestModel):
    """Every word of the corpus of senses embedded at a layer: the space `minilm-l6@6` made ready."""

    model_config = _like({"kind": "corpus", "model": "minilm-l6", "layer": 6})
    kind: Literal["corpus"]
    model: Name = DEFAULT_MODEL
    layer: Layer = -1


class EmbedIntoCollectionRequest(RequestModel):
    """Texts embedded at a layer into a collection: words, one word, tokens or sentences. Ids are those of the texts (or
    their numbers), with the place behind them (`17:4-8`); rows that are there are replaced. What was written before a
    cancel stays; the same job once more puts the same rows in their place. Texts without a token, or without the word,
    are left out and counted.
    """

    model_config = _like({"kind": "embed", "collection": "mine", "texts": ["The river bank."], "unit": "sentences"})
    kind: Literal["embed"]
    collection: Name
    texts: list[Text] = Field(min_length=1, max_length=10_000_000)
    ids: list[Id] | None = Field(default=None, min_length=1, max_length=10_000_000)
    space: Name | None = None
    model: Name = DEFAULT_MODEL
    layer: Layer = -1
    unit: Literal["words", "tokens", "sentences"] = "words"
    word: Word | None = None
    pooling: str = Field(default="mean", max_length=16)


class CompactRequest(RequestModel):
    """A space of a collection written together, with an index."""

    model_config = _like({"kind": "compact", "collection": "mine", "index": "auto"})
    kind: Literal["compact"]
    collection: Name
    space: Name | None = None
    index: str | None = Field(default=None, max_length=100)


class VerifyRequest(RequestModel):
    """Every byte of a collection read and compared with what was written."""

    model_config = _like({"kind": "verify", "collection": "mine"})
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
    | VerifyRequest,
    Field(discriminator="kind"),
]


class PlaceRequest(RequestModel):
    """New vectors of the space of a map."""

    model_config = _like({"vectors": [[0.1] * 50]})
    vectors: Vectors


class PointNeighborsRequest(SpaceView):
    """A point of a map of the space: a row of it, or a point of one's own by its vector and the position it was
    given.
    """

    model_config = _like({"row": 231, "k": 5}, {"vector": [0.1] * 50, "position": [0.3, -1.2]})
    row: int | None = Field(default=None, ge=0, le=2**53)
    vector: Vector | None = None
    position: Annotated[list[Number], Field(min_length=2, max_length=3)] | None = None
    k: K = 10
