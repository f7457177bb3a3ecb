"""Requests and answers of the verbs that gensim's KeyedVectors has."""

from typing import Annotated

import numpy as np
from pydantic import Field

from polysema.app.explorer.results.relations import (
    DistancesAnswer,
    MeanVectorAnswer,
    MostSimilarAnswer,
    MoversDistanceAnswer,
    RelativeSimilarityAnswer,
    WordDistance,
)
from polysema.app.explorer.results.words import WordCosine
from polysema.app.service.schemas.card import STATIC_ORIGIN
from polysema.app.service.schemas.fields import K, LookupChoice, Number, Term, request_config
from polysema.app.service.schemas.response_model import response_model

Words = Annotated[list[Term], Field(min_length=1, max_length=10_000)]


class DistancesRequest(LookupChoice):
    """A word, and the others to which its cosine distance is wanted; none: all words of the space."""

    model_config = request_config({"word": "bank", "others": ["money", "river"]})
    word: Term
    others: list[Term] = Field(default=[], max_length=10_000)


class MostSimilarRequest(LookupChoice):
    """A word, and the words among which the most similar one is wanted."""

    model_config = request_config({"word": "bank", "others": ["money", "river"]})
    word: Term
    others: Words


class RelativeSimilarityRequest(LookupChoice):
    """Two words whose cosine is compared with that of the first one's k nearest."""

    model_config = request_config({"first": "bank", "second": "banks", "k": 10})
    first: Term
    second: Term
    k: K = 10


class MoversDistanceRequest(LookupChoice):
    """The words of two texts; those that aren't there are left out."""

    model_config = request_config({"first": ["obama", "speaks"], "second": ["president", "greets"]})
    first: Words
    second: Words
    unknown: str = Field(default="skip", max_length=16)


class MeanVectorRequest(LookupChoice):
    """Words with a weight for each (none: 1), scaled to length 1 before or not; unknown ones are left out."""

    model_config = request_config({"words": ["king", "queen"], "weights": [2, 1]})
    words: Words
    weights: list[Number] = Field(default=[], max_length=10_000)
    normalize: bool = True
    unknown: str = Field(default="skip", max_length=16)


DistancesResponse = response_model(DistancesAnswer("bank", (WordDistance("money", 0.43),), STATIC_ORIGIN))
MostSimilarResponse = response_model(MostSimilarAnswer("bank", (WordCosine("money", 0.57),), STATIC_ORIGIN))
RelativeSimilarityResponse = response_model(RelativeSimilarityAnswer("bank", "banks", 0.11, 0.88, 10, STATIC_ORIGIN))
MoversDistanceResponse = response_model(MoversDistanceAnswer(("king",), ("queen",), 0.66, ("xyzzy",), STATIC_ORIGIN))
MeanVectorResponse = response_model(
    MeanVectorAnswer(("king",), (1.0,), np.array([0.5, -0.25], np.float32), (), STATIC_ORIGIN)
)
