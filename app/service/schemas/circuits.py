"""Questions about how a model comes to its answer, and their answers."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from polysema.app.explorer import DEFAULT_MODEL
from polysema.app.explorer.results.inside import MoveAnswer
from polysema.app.service.schemas.fields import (
    MAX_ITEMS,
    Axis,
    Layer,
    Layers,
    Name,
    Number,
    RequestModel,
    Text,
    Word,
    request_config,
)
from polysema.app.service.schemas.response_model import response_model
from polysema.core.inside.explained_move import MoveLayer, MovePart, MoveSource
from polysema.core.inside.followed_tokens import FollowedTarget
from polysema.core.inside.head_computation import HeadComputation
from polysema.core.inside.head_statistics import HeadStatistic, HeadStatistics, StatisticBaseline
from polysema.core.inside.hooks import Unit
from polysema.core.inside.move_controls import MoveControl
from polysema.core.inside.patching import Patching
from polysema.core.inside.scored_tokens import ScoredToken
from polysema.core.inside.surprisal import Surprisal
from polysema.core.model.tokens import Span

DECODER = "smollm2-135m"
Place = Word | Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Stack = Literal["", "encoder", "decoder"]


class NoiseChoice(RequestModel):
    """Gaussian noise on the embeddings of a word, in their standard deviations; the mean of some seeded draws."""

    word: Word
    strength: Number = 3.0
    samples: int = Field(default=5, ge=1, le=100)
    seed: int = Field(default=0, ge=0, le=2**31)


class PatchRequest(RequestModel):
    """Two texts of as many tokens, the answers of both, and what of one pass is put into the other.

    Of an encoder-decoder the texts are its sources, `target` is what the decoder has written so far, and `stack` where
    the part is.
    """

    model_config = request_config(
        {"clean": "phone", "corrupted": "shone", "answer": "F", "model": "g2p-t5", "part": "residual", "layers": [1]}
    )
    clean: Text
    corrupted: Text | None = None
    answer: Word
    against: Word | None = None
    model: Name = DECODER
    target: Text | None = None
    stack: Stack = ""
    part: Literal["residual", "attention", "cross", "mlp", "head", "cross-head"] = "residual"
    layers: Layers | None = None
    head: int | None = Field(default=None, ge=1, le=10_000)
    words: list[Place] | None = Field(default=None, min_length=1, max_length=1000)
    into: Literal["corrupted", "clean"] = "corrupted"
    at: Place | None = None
    noise: NoiseChoice | None = None


class PatchJobRequest(PatchRequest):
    """The same as a job: it may take more passes than one request may make."""

    model_config = request_config(
        {"kind": "patch", "clean": "phone", "corrupted": "shone", "answer": "F", "model": "g2p-t5", "layers": [1]}
    )
    kind: Literal["patch"]


class HeadComputationRequest(RequestModel):
    """One head, from 1, of a layer, from 1, and the text it is followed through."""

    model_config = request_config({"text": "The river bank.", "layer": 3, "head": 5, "model": "minilm-l6"})
    text: Text
    layer: Layer
    head: int = Field(ge=1, le=10_000)
    model: Name = DECODER
    stack: Stack = ""
    target: Text | None = None
    cross: bool = False


class HeadStatisticsRequest(RequestModel):
    """The texts that are read, or a number of random sequences that repeat, and the statistic that ranks the heads."""

    model_config = request_config({"texts": ["The swan and the swan."], "model": "minilm-l6", "layers": [1]})
    texts: list[Text] = Field(default=[], max_length=MAX_ITEMS)
    random: int = Field(default=0, ge=0, le=1000)
    by: Literal["previous-token", "duplicate-token", "induction"] = "induction"
    layers: Layers | None = None
    model: Name = DECODER
    stack: Stack = ""


class SurprisalRequest(RequestModel):
    """A text that is scored; of an encoder-decoder its `target` is, given the text."""

    model_config = request_config({"text": "phone", "target": "F OW N", "model": "g2p-t5"})
    text: Text
    model: Name = DECODER
    target: Text | None = None
    method: Literal["auto", "masked", "masked-within-word"] = "auto"
    unit: Literal["tokens", "words"] = "tokens"


class ExplainMoveRequest(RequestModel):
    """A word of a text, and the axis that its way from the static vector to the hidden state is projected on: two ends
    (`axis`), or two sets of texts (`toward`, `away`); neither: the move itself.
    """

    model_config = request_config(
        {"word": "bank", "text": "The bank of the river is muddy.", "axis": "money -> river", "shuffles": 2}
    )
    word: Word
    text: Text
    axis: Axis | None = None
    toward: list[Text] = Field(default=[], max_length=1000)
    away: list[Text] = Field(default=[], max_length=1000)
    layer: Layer = -1
    nth: int = Field(default=1, ge=1, le=1_000_000)
    seed: int = Field(default=0, ge=0, le=2**31)
    shuffles: int = Field(default=5, ge=0, le=100)
    model: Name = DEFAULT_MODEL
    stack: Stack = ""
    target: Text | None = None


# Answers

UNITS = (Unit("river", Span(4, 9)), Unit("bank", Span(10, 14)))
MONEY = FollowedTarget("money", 2769, (" money",))
TABLE = np.array([[1.0, 0.0], [0.25, 0.75]], np.float32)
PatchResponse = response_model(
    Patching(
        "residual",
        "corrupted",
        "log-probability of ' money'",
        (1,),
        ("river", "bank"),
        (0, 1),
        np.array([[-2.5, -0.5]], np.float32),
        np.array([[0.0, 1.0]], np.float32),
        -0.5,
        -2.5,
        UNITS,
        UNITS,
        1,
        MONEY,
        n_passes=2,
    )
)
HeadComputationResponse = response_model(
    HeadComputation(
        "minilm-l6",
        "self",
        3,
        5,
        5,
        UNITS,
        UNITS,
        TABLE,
        TABLE,
        TABLE,
        TABLE,
        0.5,
        TABLE,
        TABLE,
        np.array([[False, True], [False, False]]),
        TABLE,
        TABLE,
        TABLE,
        1e-7,
    )
)
HeadStatisticsResponse = response_model(
    HeadStatistics(
        "smollm2-135m",
        "induction",
        (HeadStatistic(19, 7, 0.03, 0.04, 0.86),),
        1,
        48,
        (StatisticBaseline("induction", 24, 0.03),),
    )
)
SurprisalResponse = response_model(
    Surprisal(
        "smollm2-135m", "next-token", "tokens", (ScoredToken("river", Span(4, 9), -0.7, 1.0, 1, "river"),), 1, "river"
    )
)
ExplainMoveResponse = response_model(
    MoveAnswer(
        "minilm-l6",
        "bank",
        "The bank of the river is muddy.",
        6,
        "money -> river",
        -0.14,
        0.16,
        0.3,
        9.99,
        0.03,
        (MovePart("layer 6 head 8", "head", 6, 8, 0.1, 1.1, "river", 0.1),),
        (MoveLayer(6, 0.31, 0.3, 0.24, 0.01, 0.07, "layer 6 head 11", 0.13),),
        (MoveSource("river", "self", 0.35, "layer 6 head 8", 0.1),),
        np.array([[0.1]], np.float32),
        (MoveControl("random axis", "The bank of the river is muddy.", 0.43, 0.48, 0.5, 200, "embedding norm", 0.83),),
        3e-7,
    )
)
