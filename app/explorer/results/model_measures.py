"""What models score on a user's own texts and labels, layer by layer."""

from dataclasses import dataclass, field
from typing import ClassVar

from polysema.app.explorer.answer_table import AnswerTable
from polysema.app.explorer.serialization import json_form


@dataclass(frozen=True, slots=True)
class ContextualityScore:
    """How contextual a layer of a model is, `with` the first word of each text or `without` it (Ethayarajh 2019).

    The adjusted measures are less what vectors taken at random have: the anisotropy, and the `explained_baseline`.
    """

    model: str
    first_words: str = field(metadata=json_form(name="first words"))
    layer: int
    anisotropy: float
    self_similarity: float
    intra_similarity: float
    explained: float
    explained_baseline: float
    adjusted_self_similarity: float
    adjusted_intra_similarity: float
    adjusted_explained: float


@dataclass(frozen=True, slots=True, repr=False)
class ContextualityReport(AnswerTable[ContextualityScore]):
    """How contextual the layers of models are; `protocol` says in a line over which texts."""

    ROWS: ClassVar[str] = "rows"

    protocol: str
    rows: tuple[ContextualityScore, ...]


@dataclass(frozen=True, slots=True)
class LayerAccuracy:
    """The accuracy of a layer of a model; a `layer` of None is its static vectors."""

    model: str
    layer: int | None
    accuracy: float


@dataclass(frozen=True, slots=True, repr=False)
class LabelReport(AnswerTable[LayerAccuracy]):
    """Accuracies over `n_rows` labeled rows, beside that of the most frequent answer alone."""

    ROWS: ClassVar[str] = "rows"

    protocol: str
    rows: tuple[LayerAccuracy, ...]
    n_rows: int
    most_frequent: float


@dataclass(frozen=True, slots=True)
class LayerProbe:
    """What a linear probe reaches at a layer: `selectivity` is the accuracy less that of the control task."""

    model: str
    layer: int
    accuracy: float
    control: float
    selectivity: float


@dataclass(frozen=True, slots=True, repr=False)
class ProbeReport(AnswerTable[LayerProbe]):
    """What a linear probe reaches at each layer of models, beside the accuracy of the most frequent label alone."""

    ROWS: ClassVar[str] = "rows"

    protocol: str
    rows: tuple[LayerProbe, ...]
    n_rows: int
    most_frequent: float
