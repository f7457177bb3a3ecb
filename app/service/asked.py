"""What may be asked: the bodies of requests, checked, with examples for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from polysema.app.explorer import DEFAULT_MODEL, DEFAULT_SPACE, MAX_TEXT, MAX_TEXTS

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*(@-?[0-9]{1,4})?$"
MOST = 100_000  # of anything in one list; the settings allow less
Word = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME)]
Id = Annotated[str, Field(min_length=1, max_length=4096)]
K = Annotated[int, Field(ge=1, le=1_000_000)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Vector = Annotated[list[Number], Field(min_length=1, max_length=65_536)]
Vectors = Annotated[list[Vector], Field(min_length=1, max_length=MOST)] | Annotated[str, Field(min_length=1)]
Where = Annotated[str, Field(max_length=200_000)]
Layer = Annotated[int, Field(ge=-10_000, le=10_000)]


class Asked(BaseModel):
    """A body: nothing unknown in it, no text where a number is meant."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Spelling(Asked):
    """The space, how it is seen, and what a word stands for in it."""

    space: Name = DEFAULT_SPACE
    transform: str = Field(default="raw", max_length=40)
    without: list[Annotated[str, Field(max_length=1000)]] = Field(default=[], max_length=8)
    case: str = Field(default="fallback", max_length=16)
    phrases: str = Field(default="join", max_length=16)
    unknown: str = Field(default="refuse", max_length=16)
    k: K = 10


class OccurrenceAsked(Asked):
    """A word at a place in a text."""

    word: Word
    text: Text
    nth: int = Field(default=1, ge=1, le=100_000)


class NeighborsAsked(Spelling):
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
    words: list[Word] | None = Field(default=None, min_length=1, max_length=MOST)
    occurrences: list[OccurrenceAsked] | None = Field(default=None, min_length=1, max_length=MOST)
    texts: list[Text] | None = Field(default=None, min_length=1, max_length=MOST)
    vectors: Vectors | None = None
    where: Where | None = None


class AnalogyAsked(Spelling):
    """A sum of words, the method, and example pairs for 3cosavg and lrcos."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"expression": "queen - king + man", "k": 4, "method": "3cosmul"}]},
    )
    expression: str = Field(max_length=10_000)
    method: str = Field(default="3cosadd", max_length=16)
    pairs: list[Annotated[list[Word], Field(min_length=2, max_length=2)]] = Field(default=[], max_length=1000)
    evidence: bool = True
    epsilon: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1e-6


class CompareAsked(Asked):
    """A word and the texts in which it stands."""

    word: Word = Field(examples=["bank"])
    texts: list[Text] = Field(min_length=1, max_length=MAX_TEXTS, examples=[["The river bank.", "A bank of gold."]])
    model: Name = DEFAULT_MODEL
    layers: list[Layer] | None = Field(default=None, min_length=1, max_length=200)
    pooling: str = Field(default="mean", max_length=16)


class EmbedAsked(Asked):
    """Texts to vectors of their words, of one word, of their tokens, or of whole texts, at any layers."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"texts": ["The river bank."], "word": "bank", "layers": [0, 6]}]},
    )
    texts: list[Text] = Field(min_length=1, max_length=MOST)
    model: Name = DEFAULT_MODEL
    layers: list[Layer] = Field(default=[-1], min_length=1, max_length=200)
    unit: str = Field(default="words", max_length=16)
    word: Word | None = None
    pooling: str = Field(default="mean", max_length=16)


class EmbeddingsAsked(BaseModel):
    """OpenAI's request: a text, texts, token ids, or lists of token ids. Fields that are unknown are passed over."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [{"model": "minilm-l6", "input": ["The river bank."], "encoding_format": "float"}]
        },
    )
    model: str = Field(max_length=64)
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MOST)]
        | Annotated[list[int], Field(min_length=1, max_length=MOST)]
        | Annotated[
            list[Annotated[list[int], Field(min_length=1, max_length=MOST)]], Field(min_length=1, max_length=MOST)
        ]
    )
    encoding_format: str | None = Field(default="float", pattern="^(float|base64)$")
    dimensions: int | None = Field(default=None, ge=1, le=100_000)
    user: str | None = Field(default=None, max_length=1000)


class SpaceAsked(Asked):
    """A new space of a collection."""

    dim: int = Field(ge=1, le=65_536, examples=[384])
    metric: str = Field(default="cosine", pattern="^(cosine|inner_product|euclidean)$")
    origin: dict[str, Any] | None = None


class RowsAsked(Asked):
    """Rows: ids, vectors, columns by name, and the card that says where the vectors come from."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"ids": ["a", "b"], "vectors": [[1, 0], [0, 1]], "columns": {"colour": ["red", "blue"]}}]
        },
    )
    ids: list[Id] = Field(min_length=1, max_length=MOST)
    vectors: Vectors
    dim: int | None = Field(default=None, ge=1, le=65_536, description="Needed with base64 vectors for a new space.")
    columns: dict[str, list[str | bool | int | float | None]] | None = Field(default=None, max_length=200)
    space: Name | None = None
    origin: dict[str, Any] | None = None


class SearchAsked(Asked):
    """The nearest rows of a collection to vectors, to rows of it, or to a text (or a word in it)."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"vectors": [[1, 0]], "k": 2, "where": "colour = 'red'"}]},
    )
    vectors: Vectors | None = None
    ids: list[Id] | None = Field(default=None, min_length=1, max_length=MOST)
    text: Text | None = None
    word: Word | None = None
    k: K = 10
    space: Name | None = None
    where: Where | None = None
    recall: Annotated[float, Field(gt=0, le=1)] | None = None
    exact: bool = False
    columns: list[Annotated[str, Field(max_length=200)]] | None = Field(default=None, max_length=200)


class DeleteAsked(Asked):
    """The rows to delete: their ids, or a condition."""

    ids: list[Id] | None = Field(default=None, min_length=1, max_length=MOST, examples=[["a"]])
    where: Where | None = None
    space: Name | None = None


class JobAsked(Asked):
    """Long work: `word_map` (a projection), `senses` (a measure), `corpus` (embeds it at a layer) or `compact`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"kind": "word_map", "word": "bank", "method": "pca"}]},
    )
    kind: str = Field(pattern="^(word_map|senses|corpus|compact)$")
    model: Name = DEFAULT_MODEL
    word: Word | None = None
    method: str = Field(default="umap", max_length=16)
    texts: list[Text] = Field(default=[], max_length=MAX_TEXTS)
    layer: Layer = -1
    collection: Name | None = None
    space: Name | None = None
    index: str | None = Field(default=None, max_length=100)
