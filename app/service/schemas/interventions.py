"""Questions that change what goes on inside a model, or follow what it writes, and their answers."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from polysema.app.explorer import DEFAULT_MODEL
from polysema.app.explorer.results.inside import FamiliesAnswer, HeadOutput, HeadOutputs, SweepAnswer
from polysema.app.service.schemas.fields import Layer, Layers, Name, Number, RequestModel, Text, Word, request_config
from polysema.app.service.schemas.inside import InsideRequest
from polysema.app.service.schemas.response_model import response_model
from polysema.core.inside.families import FamilyRun, VisibleTokens
from polysema.core.inside.family_card import FamilyCard
from polysema.core.inside.followed_tokens import FollowedTarget
from polysema.core.inside.hooks import Unit
from polysema.core.inside.steering import FollowedToken, SteeredToken, SweepRow
from polysema.core.model.tokens import Span
from polysema.core.space.space import Family

Texts = Annotated[list[Text], Field(max_length=1000)]
Place = Word | Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None
Head = Annotated[list[Annotated[int, Field(ge=-10_000, le=10_000)]], Field(min_length=2, max_length=2)]
NewTokens = Annotated[int, Field(ge=0, le=200)]
BANK = "The river bank."


class RolloutRequest(InsideRequest):
    """What flows from word to word up to a layer; see `AttentionRequest`."""

    model_config = request_config({"text": BANK, "layer": 3})
    layer: Layer = -1
    unit: Literal["", "words", "tokens"] = ""
    special: Literal["keep", "merge", "show", "fold"] = "keep"


class StatementRequest(RequestModel):
    """A model's next word: how many are shown, which are followed, how many tokens are written."""

    text: Text
    model: Name = "smollm2-135m"
    target: Text | None = None
    words: list[Word] = Field(default=[], max_length=1000)
    k: int = Field(default=10, ge=1, le=1_000_000)
    max_new_tokens: NewTokens = 12


class DirectionChoice(RequestModel):
    """A direction: from some texts (`away`) to others (`toward`), or a sum of words (`expression`)."""

    toward: Texts = Field(default=[])
    away: Texts = Field(default=[])
    expression: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None


class SteerRequest(StatementRequest, DirectionChoice):
    """A direction that is added to the hidden states of a layer (none: the middle one), everywhere or `at` a place."""

    model_config = request_config(
        {"model": "g2p-t5", "text": "phone", "toward": ["photo"], "away": ["top"], "layer": 1, "words": ["F"]}
    )
    layer: Layer | None = None
    strength: Number = 1.0
    at: Place = None


class SweepRequest(DirectionChoice):
    """The same at several layers (none: all), each with several strengths."""

    model_config = request_config(
        {"model": "g2p-t5", "text": "phone", "toward": ["photo"], "away": ["top"], "strengths": [0, 1]}
    )
    text: Text
    model: Name = "smollm2-135m"
    target: Text | None = None
    words: list[Word] = Field(default=[], max_length=1000)
    layers: Layers | None = None
    strengths: list[Number] = Field(min_length=1, max_length=100)


class AblateRequest(StatementRequest):
    """Heads, each [layer, head] from 1, and MLPs of layers that are set to zero, or to their mean over some texts."""

    model_config = request_config({"model": "g2p-t5", "text": "phone", "heads": [[1, 2]], "cross": True})
    heads: list[Head] = Field(default=[], max_length=10_000)
    mlps: list[Layer] = Field(default=[], max_length=1000)
    cross: bool = False
    how: Literal["zero", "mean"] = "zero"
    over: Texts = Field(default=[])
    max_new_tokens: NewTokens = 0


class HeadOutputsRequest(RequestModel):
    """A word, and the texts in which what each head writes at it is looked at."""

    model_config = request_config({"word": "bank", "texts": [BANK], "layers": [6]})
    word: Word
    texts: list[Text] = Field(min_length=1, max_length=1000)
    model: Name = DEFAULT_MODEL
    stack: Literal["", "encoder", "decoder"] = ""
    target: Text | None = None
    layers: Layers | None = None
    cross: bool = False


class FamiliesRequest(RequestModel):
    """A sentence, and the models through which it is sent; one that reads letters gets its longest word."""

    model_config = request_config({"text": BANK, "models": ["minilm-l6", "g2p-t5"]})
    text: Text
    models: list[Name] = Field(min_length=1, max_length=8)
    figures: bool = False


# Answers

TARGET = FollowedTarget("F", 9, ("F",))
UNITS = (Unit("river", Span(4, 9)), Unit("bank", Span(10, 14)))
ChangedResponse = response_model(
    SteeredToken(
        (("F", 0.98), ("P", 0.01)),
        (("P", 0.6), ("F", 0.3)),
        (FollowedToken(TARGET, 0.98, 0.3, 1, 2),),
        1.25,
        "F OW N",
        "P OW N",
        2.5,
    )
)
SweepResponse = response_model(SweepAnswer((SweepRow(1, 0.5, "F", 0.9, (0.9,), 0.1, (TARGET,)),)))
HeadOutputsResponse = response_model(
    HeadOutputs("minilm-l6", "bank", (HeadOutput(0, 6, 3, 3, 32, 32, 0.25, "bank L6H7", 0.5),))
)
FamiliesResponse = response_model(
    FamiliesAnswer(
        (
            FamilyRun(
                "minilm-l6",
                Family.ENCODER,
                (6,),
                12,
                384,
                BANK,
                "",
                (VisibleTokens("encoder", UNITS, UNITS, np.ones((2, 2), bool)),),
                "a hidden state for each token",
                (("bank", 0.5),),
                "bank",
            ),
        ),
        (
            FamilyCard(
                "minilm-l6",
                "bert",
                "layer norm after each sum",
                "learned",
                "no head here",
                "write a text: it has no next word, only gaps",
                22_713_216,
                90_852_864,
                6,
                127_000_000,
                4.5,
                91_677_000,
            ),
        ),
    )
)
