"""Questions about what a model writes and fills, and their answers."""

from typing import Annotated, Literal

from pydantic import Field

from polysema.app.service.schemas.fields import Name, RequestModel, Share, SpaceName, Text, request_config
from polysema.app.service.schemas.response_model import response_model
from polysema.core.inside.fill_mask import FilledMask, FilledWord, Gap
from polysema.core.inside.generation_results import (
    Beam,
    Candidate,
    DecodingOptions,
    GeneratedText,
    GenerationStep,
    Hypothesis,
)
from polysema.core.inside.next_sentence import NextSentence

Id = Annotated[int, Field(ge=0, le=2**31)]


class GenerateRequest(RequestModel):
    """A text after which a decoder writes, or for which an encoder-decoder does, with `k` candidates for each step.

    With `Accept: text/event-stream` each step comes as an event (`step`) as soon as it is there, and the whole text as
    the last (`end`).
    """

    model_config = request_config(
        {"text": "phone", "model": "g2p-t5"},
        {"text": "The bank lends money.", "model": "marian-en-fr", "num_beams": 4},
    )
    text: Text
    model: Name = "smollm2-135m"
    max_new_tokens: Annotated[int, Field(ge=1, le=200)] = 24
    k: int = Field(default=5, ge=1, le=1_000_000)
    do_sample: bool | None = Field(
        default=None, description="Draw each token. None: where a temperature, a cut-off or a seed is given."
    )
    temperature: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    top_p: Share | None = None
    min_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    num_beams: Annotated[int, Field(ge=1, le=16)] = 1
    length_penalty: Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**62)] | None = None
    prefix: list[Id] = Field(default=[], max_length=200, description="Ids of the tokens that the text begins with.")
    cross_attention: bool = Field(
        default=False,
        description="Whether each event of an encoder-decoder has its step's look at the source; the end has them all.",
    )

    @property
    def options(self) -> DecodingOptions:
        """How the next token is chosen."""
        return DecodingOptions(
            self.do_sample,
            self.temperature,
            self.top_k,
            self.top_p,
            self.min_p,
            self.num_beams,
            self.length_penalty,
            self.seed,
            tuple(self.prefix),
        )


class FillMaskRequest(RequestModel):
    """A text with `[MASK]`, `<mask>` or `___` where a word is missing, and how many words of each gap."""

    model_config = request_config({"text": "She put her money in the [MASK].", "k": 3})
    text: Text
    model: Name = "bert-tiny-en"
    k: int = Field(default=10, ge=1, le=1_000_000)
    max_pieces: Annotated[int, Field(ge=1, le=5)] = 3
    space: SpaceName | Literal[""] | None = Field(
        default=None,
        description="Where the static neighbors of the best word are from. None: GloVe where it is here; empty: none.",
    )


class NextSentenceRequest(RequestModel):
    """Two sentences, of which the second may follow the first; the model needs a next-sentence head."""

    model_config = request_config()
    first: Text
    second: Text
    model: Name


# Answers

GeneratedResponse = response_model(
    GeneratedText(
        "F OW N",
        (
            GenerationStep(
                0,
                " F",
                9,
                -0.02,
                0.14,
                1,
                (Candidate(" F", 9, 0.98, 0.98), Candidate(" P", 31, 0.01, 0.01)),
                "F",
                beams=(Beam(0, " F", 9, -0.02, "F"),),
            ),
        ),
        False,
        "g2p-t5",
        ("p", "</s>"),
        ((0.75, 0.25),),
        (Hypothesis("F OW N", (9,), -0.02, False),),
    )
)
FilledResponse = response_model(
    FilledMask(
        "bert-tiny-en",
        "She put her money in the [MASK].",
        (
            Gap(
                (FilledWord("bank", ("bank",), -0.29, "She put her money in the bank."),),
                (("banks", 0.86),),
            ),
        ),
        "glove-6b-50d",
    )
)
NextSentenceResponse = response_model(NextSentence("my-bert", "She went in.", "It was dark.", 0.97, 3.1, -0.4))
