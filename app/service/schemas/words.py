"""Questions about the words of a space, and their answers."""

from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field

from polysema.app.explorer import MAX_TEXT
from polysema.app.explorer.results.spaces import SpaceInfo, SpaceName, SpaceNames
from polysema.app.explorer.results.words import (
    AnalogyAnswer,
    AssociationAnswer,
    AxisAnswer,
    BaselineAnswer,
    CloserAnswer,
    Evidence,
    InputRank,
    MethodAnswer,
    Neighbor,
    NeighborAnswer,
    NeighborAnswers,
    OddAnswer,
    QueryNeighbors,
    SimilarityAnswer,
    TravelAnswer,
    TravelStep,
    WordCosine,
    WordCosines,
)
from polysema.app.service.schemas.card import STATIC_ORIGIN
from polysema.app.service.schemas.fields import (
    MAX_ITEMS,
    Axis,
    FewWords,
    K,
    LookupChoice,
    Number,
    RequestModel,
    SearchFields,
    SpaceView,
    Term,
    Text,
    Vectors,
    Word,
    request_config,
)
from polysema.app.service.schemas.response_model import response_model


class OccurrenceRequest(RequestModel):
    """A word at a place in a text."""

    word: Word
    text: Text
    nth: int = Field(default=1, ge=1, le=100_000)


class NeighborsFields(SearchFields, LookupChoice):
    """How neighbors are looked for, whoever asks: `POST` for many words, `GET` for one."""

    k: K = 10


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
    """The nearest rows to a word, as a GET request."""

    model_config = ConfigDict(extra="forbid", strict=False)  # an address holds only text
    word: Term = Field(examples=["bank"])


class AnalogyFields(SearchFields, LookupChoice):
    """A sum of words and the options of the query, by `POST` or `GET`."""

    k: K = 10
    expression: str = Field(max_length=10_000, examples=["queen - king + man"])
    method: str = Field(default="3cosadd", max_length=16)
    evidence: bool = True
    vectors: bool = Field(default=False, description="Whether the target and the words' vectors are returned as well.")
    epsilon: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1e-6


class AnalogyRequest(AnalogyFields):
    """A sum of words, the method, and example pairs for 3cosavg and lrcos."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"expression": "queen - king + man", "k": 4, "method": "3cosmul"}]},
    )
    pairs: list[Annotated[list[Word], Field(min_length=2, max_length=2)]] = Field(default=[], max_length=1000)


class AnalogyQuery(AnalogyFields):
    """The same as a GET request."""

    model_config = ConfigDict(extra="forbid", strict=False)  # an address holds only text
    pairs: list[Axis] = Field(default=[], max_length=1000, description="Example pairs, each man:woman.")


class SimilarityRequest(LookupChoice):
    """Two words, or two lists of words, whose means are compared."""

    model_config = request_config({"first": ["king"], "second": ["queen"]})
    first: list[Term] = Field(min_length=1, max_length=MAX_ITEMS)
    second: list[Term] = Field(min_length=1, max_length=MAX_ITEMS)


class CloserRequest(SearchFields, LookupChoice):
    """A word, another one, and how many of the words between them (None: all)."""

    model_config = request_config({"word": "bank", "other": "river", "k": 20})
    word: Term
    other: Term
    k: K | None = None


class OddOneOutRequest(LookupChoice):
    """Words, one of which fits the others least."""

    model_config = request_config({"words": ["breakfast", "lunch", "dinner", "cereal"]})
    words: list[Term] = Field(min_length=1, max_length=MAX_ITEMS)


class ProjectRequest(LookupChoice):
    """Words, and the axes that they are placed on."""

    model_config = request_config({"words": ["house", "palace"], "axes": ["poor -> rich"]})
    words: list[Term] = Field(min_length=1, max_length=MAX_ITEMS)
    axes: list[Axis] = Field(min_length=1, max_length=64)


class DirectionRequest(LookupChoice):
    """An axis, from one word (or sum of words) to another."""

    model_config = request_config({"axis": "poor -> rich"})
    axis: Axis


class VectorRequest(LookupChoice):
    """A sum of words, or an occurrence."""

    model_config = request_config({"expression": "king - man + woman"})
    expression: str = Field(min_length=1, max_length=MAX_TEXT)


class BaselineRequest(SpaceView):
    """A space, and how it is seen."""

    model_config = request_config({"space": "glove-6b-50d", "transform": "centered"})


class AssociationRequest(LookupChoice):
    """Two lists of words, and the two lists that they may lean to."""

    model_config = request_config(
        {"first": ["rose", "tulip"], "second": ["ant", "wasp"], "toward": ["love", "peace"], "away": ["filth", "ugly"]}
    )
    first: FewWords
    second: FewWords
    toward: FewWords
    away: FewWords


class TravelRequest(SearchFields, SpaceView):
    """A word and the axis along which it moves."""

    model_config = request_config({"word": "house", "axis": "poor -> rich", "steps": 3})
    word: Term
    axis: Axis
    steps: int = Field(default=8, ge=1, le=1000)
    reach: Number = 1.5
    k: K = 3


# Answers

NEAR = (Neighbor(1, "banks", 0.8247, 1581),)
NeighborsResponse = response_model(
    NeighborAnswer("bank", "bank", NEAR, STATIC_ORIGIN, "as written", "case fallback, phrases join, unknown refuse")
)
NeighborAnswersResponse = response_model(
    NeighborAnswers(
        STATIC_ORIGIN,
        "case fallback, phrases join, unknown refuse",
        (QueryNeighbors(NEAR, "bank", "bank", "as written", "exact", 1.0),),
    )
)
AnalogyResponse = response_model(
    AnalogyAnswer(
        "queen - king + man",
        (Neighbor(1, "woman", 0.8523, 787),),
        (InputRank("queen", 1.0, 4, 0.6905, "as written"),),
        np.ones(2, np.float32),
        np.ones((1, 2), np.float32),
        STATIC_ORIGIN,
        "3cosadd",
        "case fallback, phrases join, unknown refuse",
        Evidence((Neighbor(1, "man", 0.9141, 300),), (MethodAnswer("only-b", (Neighbor(1, "girl", 0.7, 1749),)),)),
    )
)
SimilarityResponse = response_model(SimilarityAnswer(("king",), ("queen",), 0.7839, 2, STATIC_ORIGIN))
CloserResponse = response_model(CloserAnswer("bank", "river", 0.33, (WordCosine("banks", 0.8247),), STATIC_ORIGIN, 1))
OddOneOutResponse = response_model(OddAnswer((WordCosine("cereal", 0.61), WordCosine("lunch", 0.92)), STATIC_ORIGIN))
ProjectResponse = response_model(AxisAnswer(("poor -> rich",), (WordCosines("palace", (0.21,)),), STATIC_ORIGIN))
BaselineResponse = response_model(BaselineAnswer(0.086, STATIC_ORIGIN))
AssociationResponse = response_model(
    AssociationAnswer(np.array([0.5, 0.25], np.float32), np.array([-0.5, 0.0], np.float32), 1.5, 0.17, 6, STATIC_ORIGIN)
)
TravelResponse = response_model(
    TravelAnswer("house", "poor -> rich", (TravelStep(0.0, 1.0, NEAR),), np.ones((1, 2), np.float32), STATIC_ORIGIN)
)
SpacesResponse = response_model(SpaceNames((SpaceName("glove-6b-50d", "static", True, False, "PDDL-1.0", 83_673_675),)))
SpaceResponse = response_model(SpaceInfo("glove-6b-50d", 400_000, 50, (), STATIC_ORIGIN))
