"""Requests for measures of models on texts and labels that come along; they are jobs."""

from typing import Annotated, Literal

from pydantic import Field

from polysema.app.explorer import DEFAULT_MODEL, DEFAULT_SPACE
from polysema.app.explorer.bias_measure import TEMPLATES
from polysema.app.service.schemas.fields import Name, RequestModel, SpaceName, Term, Text, Word, request_config
from polysema.core.measure.contextuality import MIN_CONTEXTS

MAX_ROWS = 1_000_000  # the settings allow less
Models = Annotated[list[Name], Field(min_length=1, max_length=16)]
Place = Annotated[int, Field(ge=0, le=2**31)]
BANK = {"word": "bank", "label": "shore", "text": "The river bank."}
PAIR = {"word": "bank", "first": "The river bank.", "second": "A bank lends.", "same": False}
LISTS = {"first": ["rose", "tulip"], "second": ["ant", "wasp"], "toward": ["love", "joy"], "away": ["ugly", "pain"]}


class ContextualityRequest(RequestModel):
    """How contextual each layer of some models is, over texts, with the first word of each and without."""

    model_config = request_config({"kind": "contextuality", "texts": ["A bank.", "The bank."], "min_contexts": 2})
    kind: Literal["contextuality"]
    texts: list[Text] = Field(min_length=1, max_length=MAX_ROWS)
    models: Models = Field(default=[DEFAULT_MODEL])
    min_contexts: int = Field(default=MIN_CONTEXTS, ge=2, le=100_000)


class LabeledWordFields(RequestModel):
    """A word in a text with its label, and where it stands (characters); null: where it first does."""

    word: Word
    label: Word
    text: Text
    start: Place | None = None
    end: Place | None = None


class LabelsRequest(RequestModel):
    """Labeled words, and the models that read them."""

    rows: list[LabeledWordFields] = Field(min_length=1, max_length=MAX_ROWS)
    models: Models = Field(default=[DEFAULT_MODEL])


class AnnotatedSensesRequest(LabelsRequest):
    """How often a word's nearest other occurrence among the rows has its sense, at each layer of some models."""

    model_config = request_config({"kind": "annotated_senses", "rows": [BANK, {**BANK, "label": "money"}]})
    kind: Literal["annotated_senses"]


class ProbeRequest(LabelsRequest):
    """How well the labels of words in texts are read off each layer by a linear probe, beside a control task."""

    model_config = request_config({"kind": "probe", "rows": [BANK, {**BANK, "label": "money", "text": "A bank."}]})
    kind: Literal["probe"]


class ContextPairFields(RequestModel):
    """A word in two texts, and whether it means the same there; spans are characters, null: where it first stands."""

    word: Word
    first: Text
    second: Text
    same: bool
    first_span: Annotated[list[Place], Field(min_length=2, max_length=2)] | None = None
    second_span: Annotated[list[Place], Field(min_length=2, max_length=2)] | None = None


class WordInContextRequest(RequestModel):
    """How often the cosine of a word's vectors in two texts tells whether it means the same there, at each layer."""

    model_config = request_config({"kind": "word_in_context", "pairs": [PAIR] * 5})
    kind: Literal["word_in_context"]
    pairs: list[ContextPairFields] = Field(min_length=1, max_length=MAX_ROWS)
    models: Models = Field(default=[DEFAULT_MODEL])


class BiasListsFields(RequestModel):
    """Four lists of words: whether the first lean more than the second toward some words than away to others."""

    name: Word = "lists"
    first: Annotated[list[Term], Field(min_length=2, max_length=1000)]
    second: Annotated[list[Term], Field(min_length=2, max_length=1000)]
    toward: Annotated[list[Term], Field(min_length=2, max_length=1000)]
    away: Annotated[list[Term], Field(min_length=2, max_length=1000)]


class BiasRequest(RequestModel):
    """WEAT and RIPA of lists of words in static spaces, and at each layer of models, where words stand in templates."""

    model_config = request_config({"kind": "bias", "tests": [LISTS], "spaces": ["glove-6b-50d"]})
    kind: Literal["bias"]
    tests: list[BiasListsFields] = Field(min_length=1, max_length=1000)
    spaces: list[SpaceName] = Field(default=[DEFAULT_SPACE], max_length=16)
    models: list[Name] = Field(default=[], max_length=16)
    unit: str = Field(default="words", max_length=16)
    templates: list[Text] = Field(default=list(TEMPLATES), min_length=1, max_length=100)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
