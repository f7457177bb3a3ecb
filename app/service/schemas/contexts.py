"""Questions about any word of any texts, and their answers."""

import numpy as np
from pydantic import Field

from polysema.app.explorer import DEFAULT_MODEL, MAX_TEXTS
from polysema.app.explorer.context_cloud import MAX_READ
from polysema.app.explorer.results.contexts import (
    AxisPlace,
    NearOccurrence,
    SenseAxisAnswer,
    SentenceVerdict,
    VerdictsAnswer,
    WordCount,
    WordCounts,
    WordOccurrence,
    WordOccurrences,
)
from polysema.app.explorer.space_contexts import MAX_OCCURRENCES
from polysema.app.service.schemas.card import MODEL_ORIGIN
from polysema.app.service.schemas.fields import Layer, Name, RequestModel, SpaceName, Text, Word, request_config
from polysema.app.service.schemas.response_model import response_model

ColumnName = Field(default="", max_length=1000, description="A column whose values are the labels; empty: none.")


class TextsFields(RequestModel):
    """Where a word is looked for: in the texts of a `space` (null: in the corpus of senses), of which the column
    `label` has the senses, at most `limit` occurrences.
    """

    space: SpaceName | None = None
    label: str = ColumnName
    limit: int = Field(default=MAX_READ, ge=1, le=MAX_OCCURRENCES)


class WordCountsRequest(RequestModel):
    """The most frequent words of a space's texts that begin with a prefix."""

    model_config = request_config({"space": "minilm-l6@6", "prefix": "ba", "k": 3})
    space: SpaceName
    prefix: str = Field(default="", max_length=200)
    k: int = Field(default=20, ge=1, le=100_000)


class WordOccurrencesRequest(RequestModel):
    """The rows of a space in which a word stands, with their texts and vectors; of more than k they are spread
    evenly.
    """

    model_config = request_config({"space": "minilm-l6@6", "word": "bank", "k": 3, "label": "sense"})
    space: SpaceName
    word: Word
    k: int = Field(default=MAX_READ, ge=1, le=MAX_OCCURRENCES)
    label: str = ColumnName


class VerdictsRequest(TextsFields):
    """Own sentences with a word in them, and the k occurrences of it that are nearest to each at a layer, which say
    what it is like: by their labels, or by the clusters of the vectors there. A name may stand before a sentence,
    `mine | The bank is closed.`
    """

    model_config = request_config({"word": "bank", "sentences": ["mine | They sat on the bank of the river."]})
    word: Word
    sentences: list[Text] = Field(min_length=1, max_length=MAX_TEXTS)
    model: Name = DEFAULT_MODEL
    layer: Layer = -1
    k: int = Field(default=5, ge=1, le=MAX_OCCURRENCES)
    by: str = Field(default="labels", max_length=16)


class SenseAxisRequest(TextsFields):
    """The occurrences of a word on the axis between two groups (null: the two most frequent labels or clusters)."""

    model_config = request_config({"word": "bank", "ends": ["money", "river"]})
    word: Word
    ends: list[Word] | None = Field(default=None, min_length=2, max_length=2, description="Two labels.")
    model: Name = DEFAULT_MODEL
    layer: Layer = -1
    by: str = Field(default="labels", max_length=16)


# Answers

RIVER = "They sat on the bank."
WordCountsResponse = response_model(WordCounts((WordCount("bank", 20),), 4, 1444, 1444, "word", MODEL_ORIGIN))
WordOccurrencesResponse = response_model(
    WordOccurrences(
        "bank",
        (WordOccurrence(3, "t3:16-20", RIVER, 16, 20, "river"),),
        20,
        np.array([[0.25, 0.5]], np.float32),
        2,
        MODEL_ORIGIN,
    )
)
VerdictsResponse = response_model(
    VerdictsAnswer(
        "bank",
        6,
        "labels",
        (
            SentenceVerdict(
                "mine", "The river bank.", 10, 14, "river", 4, (NearOccurrence(3, RIVER, 16, 20, "river", 0.8),)
            ),
        ),
        0.05,
        MODEL_ORIGIN,
    )
)
SenseAxisResponse = response_model(
    SenseAxisAnswer(
        "bank",
        6,
        "labels",
        ("money", "river"),
        (10, 10),
        0.85,
        0.48,
        0.015,
        False,
        (AxisPlace(0.91, "river", RIVER, 16, 20),),
        MODEL_ORIGIN,
    )
)
