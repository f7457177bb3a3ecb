"""Requests for benchmarks of a space, which are jobs: the questions or the ratings come along."""

from typing import Annotated, Literal

from pydantic import Field

from polysema.app.service.schemas.fields import Number, RequestModel, Rows, SpaceView, Word, request_config
from polysema.core.measure.analogies import VOCABULARY
from polysema.core.space.analogy import EPSILON

MAX_QUESTIONS = 1_000_000
MAX_CATEGORIES = 10_000
Title = Annotated[str, Field(min_length=1, max_length=1000)]


class WordAnswers(RequestModel):
    """A word, and the words that are right beside it."""

    word: Word
    answers: list[Word] = Field(min_length=1, max_length=1000)


class CategoryFields(RequestModel):
    """Questions of one kind: written out, each of four words, or as pairs, each combined with every other."""

    name: Title
    group: str = Field(default="", max_length=1000)
    questions: list[Annotated[list[Word], Field(min_length=4, max_length=4)]] = Field(
        default=[], max_length=MAX_QUESTIONS
    )
    pairs: list[WordAnswers] = Field(default=[], max_length=MAX_QUESTIONS)


class AnalogiesRequest(SpaceView):
    """How many analogy questions a space answers, by each of several methods."""

    model_config = request_config(
        {
            "kind": "analogies",
            "categories": [{"name": "gender", "questions": [["man", "woman", "king", "queen"]]}],
            "methods": ["3cosadd"],
        }
    )
    kind: Literal["analogies"]
    categories: list[CategoryFields] = Field(min_length=1, max_length=MAX_CATEGORIES)
    methods: list[Annotated[str, Field(max_length=16)]] = Field(default=["3cosadd"], min_length=1, max_length=16)
    vocabulary: Rows | None = Field(default=VOCABULARY, description="Only the first so many words; null: all.")
    lower: bool = Field(default=True, description="Questions are put in lower case.")
    exclude: bool = Field(default=True, description="The words of a question are no answers to it.")
    epsilon: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = EPSILON


class RatedPairFields(RequestModel):
    """Two words and how alike people find them."""

    first: Word
    second: Word
    rating: Number


class SimilaritiesRequest(SpaceView):
    """How well cosines agree with people's ratings: sets of rated pairs by their names."""

    model_config = request_config(
        {
            "kind": "similarities",
            "sets": {
                "mine": [
                    {"first": "king", "second": "queen", "rating": 8.5},
                    {"first": "king", "second": "cabbage", "rating": 0.25},
                ]
            },
        }
    )
    kind: Literal["similarities"]
    sets: dict[Title, Annotated[list[RatedPairFields], Field(min_length=2, max_length=MAX_QUESTIONS)]] = Field(
        min_length=1, max_length=100
    )
    lower: bool = Field(default=True, description="Words are put in lower case.")
    vocabulary: Rows | None = Field(default=VOCABULARY, description="Only the first so many words; null: all.")
