"""The measurements that a lesson's file may name: each reads fields, and gives a result or figures.

Those that give figures leave the wording, the options and the verdict to the file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polysema.app.dashboard.lessons import (
    adds,
    adds_picture,
    bias,
    blocks,
    embedding,
    looking,
    nonsense,
    one_vector,
    pieces,
    senses,
    swan,
    travel,
    window,
)
from polysema.app.dashboard.lessons.measurements import architectures, cost, filling, moving, questions, words, writing
from polysema.app.dashboard.lessons.measurements.chart import draw_chart


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measurement by its name: the fields that it `reads`, the `figures` that it gives (none: it words its result
    itself), and how its result is drawn.
    """

    reads: tuple[str, ...]
    check: Callable[..., Any]
    draw: Callable[..., None] = draw_chart
    figures: tuple[str, ...] = ()


MEASUREMENTS: dict[str, Measurement] = {
    "tokens": Measurement(("model", "text"), pieces.check, pieces.draw),
    "one-vector": Measurement(("space", "word", "first", "second"), one_vector.check, one_vector.draw),
    "travel": Measurement(("space", "expression", "wanted"), travel.check, travel.draw),
    "senses": Measurement(("model", "word", "first", "second"), senses.check, senses.draw),
    "looking": Measurement(("sentence", "last", "source", "other"), looking.check, looking.draw),
    "heads": Measurement(("model", "sentence", "looker", "at", "more"), swan.check, swan.draw),
    "mlp": Measurement(("model", "text", "word", "others"), adds.check, adds_picture.draw),
    "blocks": Measurement(("model", "text"), blocks.check, blocks.draw),
    "embedding": Measurement(("model", "word", "text", "others"), embedding.check, embedding.draw),
    "window": Measurement(("model", "first", "second", "filler", "end", "word"), window.check, window.draw),
    "bias": Measurement(("space", "first", "second", "toward", "away", "words"), bias.check, bias.draw),
    "nonsense": Measurement(("model", "invented", "real"), nonsense.check, nonsense.draw),
    "next-word": Measurement(("model", "text", "word"), writing.next_word, figures=writing.NEXT_WORD),
    "temperature": Measurement(("model", "text", "temperatures"), writing.temperature, figures=writing.TEMPERATURE),
    "fill": Measurement(("model", "text", "word"), filling.fill, figures=filling.FIGURES),
    "translate": Measurement(("model", "text", "other"), filling.translate, figures=filling.TRANSLATION),
    "architectures": Measurement(("text",), architectures.architectures, figures=architectures.FIGURES),
    "cost": Measurement(("model", "lengths"), cost.cost, figures=cost.FIGURES),
    "questions": Measurement(("model", "questions"), questions.questions, figures=questions.FIGURES),
    "meanings": Measurement(("model", "text", "changed", "same"), questions.meanings, figures=questions.MEANINGS),
    "explain-move": Measurement(("model", "word", "text", "axis"), moving.explain, figures=moving.FIGURES),
    "neighbors": Measurement(("space", "word", "other"), words.neighbors, figures=words.NEIGHBORS),
    "compare": Measurement(("model", "word", "first", "second"), words.compare, figures=words.COMPARISON),
}
