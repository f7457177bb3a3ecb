"""Questions about what goes on inside a model, and their answers."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from polysema.app.explorer import DEFAULT_MODEL
from polysema.app.explorer.results.inside import AttentionAnswer, AttentionWindow, CheckAnswer, LensAnswer
from polysema.app.service.schemas.fields import MAX_ITEMS, K, Layers, Name, RequestModel, Text, Word, request_config
from polysema.app.service.schemas.response_model import response_model
from polysema.core.inside.attention import AttentionView
from polysema.core.inside.attribution import Attribution
from polysema.core.inside.decomposition import Contribution
from polysema.core.inside.followed_tokens import FollowedTarget
from polysema.core.inside.head_search import HeadRanking, HeadScore
from polysema.core.inside.hooks import Unit
from polysema.core.inside.proof import ATTENTION, MEANINGS, IdentityCheck, Proof
from polysema.core.model.tokens import Span


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
    special: Literal["keep", "merge", "show", "fold"] = "keep"


class AttentionRequest(InsideRequest, ShownColumns):
    """Who looks at whom: at some layers (from 1; none: all), of every head or of one."""

    model_config = request_config(
        {"text": "The white swan swam in the blue water.", "layers": [6], "head": 3, "special": "merge"},
        {"model": "g2p-t5", "text": "phone", "cross": True},
    )
    layers: Layers | None = None
    head: int | None = Field(default=None, ge=1, le=10_000)


class RankHeadsRequest(ShownColumns):
    """Pairs of words, and the texts in which the first is to look at the second."""

    model_config = request_config({"pairs": [["blue", "water"]], "texts": ["The swan swam in the blue water."]})
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

    model_config = request_config(
        {"text": "The river bank.", "layers": [0, 6], "words": ["money"], "k": 3, "at": "bank"}
    )
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

    model_config = request_config({"text": "The river bank.", "word": "money", "at": "bank"})
    word: Word
    against: Word | None = None
    at: Word | Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None


class CheckRequest(RequestModel):
    """The model whose identities are tested, and whether that is done although the result is kept."""

    model_config = request_config({"model": "g2p-t5"})
    model: Name = DEFAULT_MODEL
    anew: bool = False


# Answers

BANK = "The river bank."
UNITS = (Unit("river", Span(4, 9)), Unit("bank", Span(10, 14)))
MONEY = FollowedTarget("money", 2769, ("money",))
AttentionResponse = response_model(
    AttentionAnswer(
        "minilm-l6",
        (
            AttentionWindow(
                (6,),
                np.array([[[[0.5, 0.5], [0.25, 0.75]]]], np.float32),
                UNITS,
                UNITS,
                np.zeros((2, 2), bool),
                np.zeros((1, 1, 2), np.float32),
                AttentionView("self", "words", "merge"),
                12,
                BANK,
                heads=(3,),
            ),
        ),
    )
)
HeadRankingResponse = response_model(
    HeadRanking((HeadScore(3, 5, 0.4, 0.5, 2, 0.2, 0.5),), ((0, "blue", "water"),), 0.1)
)
LensResponse = response_model(
    LensAnswer(
        "nearest static vectors",
        ((6, "mlp"),),
        UNITS[1:],
        np.array([[[2924]]]),
        np.array([[[0.5]]], np.float32),
        np.array([[np.nan]], np.float32),
        (MONEY,),
        np.array([[[17]]]),
        np.array([[[0.25]]], np.float32),
        {2924: "bank"},
        BANK,
        1,
        "minilm-l6",
        3,
    )
)
HOLDING = IdentityCheck(ATTENTION, MEANINGS[ATTENTION], True, 4e-7, 1e-4)
CheckResponse = response_model(
    CheckAnswer(
        "minilm-l6",
        (Proof("minilm-l6", "bert", "", "float32", (HOLDING,)),),
    )
)
AttributionResponse = response_model(
    Attribution(
        "logit of ' money'", (Contribution("layer 1 head 2", "head", 1, 2, 0.12, 1.5),), 0.12, 2, " bank", MONEY
    )
)
