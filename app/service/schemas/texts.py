"""Questions about words in texts, and their answers."""

import numpy as np
from pydantic import ConfigDict, Field

from polysema.app.explorer import DEFAULT_MODEL, MAX_CLUSTERED, MAX_TEXTS
from polysema.app.explorer.results.concordance import Concordance, ConcordanceLine
from polysema.app.explorer.results.texts import (
    BaselinesAnswer,
    Comparison,
    LayerComparison,
    OccurrenceAnswer,
    OccurrenceHit,
    RowsAnswer,
)
from polysema.app.explorer.results.words import Neighbor
from polysema.app.service.schemas.card import MODEL_ORIGIN
from polysema.app.service.schemas.contexts import TextsFields
from polysema.app.service.schemas.fields import (
    DIMENSIONS,
    MAX_ITEMS,
    K,
    Layer,
    Name,
    RequestModel,
    SearchFields,
    Text,
    Word,
    request_config,
)
from polysema.app.service.schemas.response_model import response_model


class ConcordanceRequest(TextsFields):
    """A word, and the texts in which it stands, or the space whose texts are meant (none: the corpus of senses); `like`
    is the number of a line, to which the nearest come first.
    """

    model_config = request_config({"word": "bank", "texts": ["The river bank.", "A bank of gold."], "layer": 3})
    word: Word
    texts: list[Text] = Field(default=[], max_length=MAX_CLUSTERED)
    model: Name = DEFAULT_MODEL
    layer: Layer = -1
    like: int | None = Field(default=None, ge=1, le=2**31)


class CompareRequest(RequestModel):
    """A word and the texts in which it stands."""

    word: Word = Field(examples=["bank"])
    texts: list[Text] = Field(min_length=1, max_length=MAX_TEXTS, examples=[["The river bank.", "A bank of gold."]])
    model: Name = DEFAULT_MODEL
    layers: list[Layer] | None = Field(default=None, min_length=1, max_length=200)
    pooling: str = Field(default="mean", max_length=16)


class EmbedRequest(RequestModel):
    """Texts to vectors of their words, of one word, of their tokens, or of whole texts, at any layers.

    With the unit sentences and the pooling own, a `prompt`, or the model's of a name, may stand before each text. A
    layer may stand behind the model's name (`minilm-l6@3`) instead of in `layers`.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"texts": ["The river bank."], "word": "bank", "layers": [0, 6]}]},
    )
    texts: list[Text] = Field(min_length=1, max_length=MAX_ITEMS)
    model: Name = DEFAULT_MODEL
    layers: list[Layer] | None = Field(
        default=None, min_length=1, max_length=200, description="By default that of the model's name, else the last."
    )
    unit: str = Field(default="words", max_length=16)
    word: Word | None = None
    pooling: str = Field(default="mean", max_length=16)
    prompt: str | None = Field(default=None, max_length=2000)
    prompt_name: str | None = Field(default=None, max_length=200)
    dimensions: int | None = DIMENSIONS


class OccurrencesRequest(SearchFields):
    """A word in a text, whose nearest occurrences in the corpus of senses are wanted."""

    model_config = request_config({"word": "bank", "text": "They sat on the river bank.", "k": 3})
    word: Word
    text: Text
    nth: int = Field(default=1, ge=1, le=100_000)
    model: Name = DEFAULT_MODEL
    layer: Layer = -1
    k: K = 10


# Answers

BANKS = ("The river bank.", "A bank of gold.")
CompareResponse = response_model(
    Comparison("bank", BANKS, (LayerComparison(6, (0.41,), (0.3, 0.2), 0.1),), 1, (), MODEL_ORIGIN)
)
OccurrencesResponse = response_model(
    OccurrenceAnswer(
        "bank",
        BANKS[0],
        10,
        14,
        (OccurrenceHit(1, "bank", 0.81, "They sat on the bank.", 16, 20, "shore"),),
        (Neighbor(1, "banks", 0.8247, 5085),),
        0.2,
        MODEL_ORIGIN,
    )
)
RowsResponse = response_model(
    RowsAnswer(
        ({"text_id": 0, "word": "bank", "start": 10, "end": 14, "layer": 6},),
        np.array([[0.25, 0.5]], np.float32),
        2,
        MODEL_ORIGIN,
    )
)
BaselinesResponse = response_model(BaselinesAnswer("minilm-l6", (0.035, 0.18), (0, 1)))
ConcordanceResponse = response_model(
    Concordance("bank", (ConcordanceLine(1, "The river bank.", 10, 14, 0.62, "river"),), None, 0.03, MODEL_ORIGIN)
)
