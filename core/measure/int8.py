"""What a quantized engine costs in exactness: measured once on the corpus of senses, kept, and told whenever it is
used.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from polysema.core.atomic import atomic_write
from polysema.core.measure.senses import load_senses, nearest_sense_accuracy
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.onnx_engine import int8_folder
from polysema.core.model.tokens import Span
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """One layer: the mean and the least cosine of a word's vector to the exact one, and the sense accuracy of both."""

    layer: int
    mean_cosine: float
    least_cosine: float
    exact_accuracy: float
    accuracy: float


def int8_difference(model: LanguageModel, progress: Progress = no_progress) -> list[LayerDifference]:
    """How the vectors of `model`, which runs on `onnx-int8`, differ from those in float32, layer by layer.

    Measured on the occurrences of the corpus of senses. Raises `ValueError` for a model on another engine.
    """
    if model.engine.name != "onnx-int8":
        raise ValueError(f"{model.engine.name} is not quantized")
    corpus = load_senses()
    kept = int8_folder(model) / f"difference-{corpus.sha256[:16]}.json"
    try:
        return [LayerDifference(**row) for row in json.loads(kept.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        pass
    assert model.path is not None
    exact = load_model(str(model.path), "cpu", "onnx")
    words, senses = [s.word for s in corpus.senses], [s.sense for s in corpus.senses]
    vectors = []
    for place, loaded in enumerate((exact, model)):
        progress("measure int8", place, 2)
        hidden = embed(loaded, corpus.texts, occurrences=corpus.occurrences())
        order = {(o.text, o.span): row for row, o in enumerate(hidden.occurrences)}
        vectors.append(hidden.vectors[:, [order[(s.text_id, Span(s.start, s.end))] for s in corpus.senses]])
    progress("measure int8", 2, 2)
    rows = [layer_difference(layer, a, b, words, senses) for layer, (a, b) in enumerate(zip(*vectors, strict=True))]
    content = json.dumps([asdict(row) for row in rows], indent=1).encode()
    atomic_write(kept, content)
    return rows


def layer_difference(
    layer: int, exact: Floats, quantized: Floats, words: Sequence[str], senses: Sequence[str]
) -> LayerDifference:
    """How the vectors of one layer, (n, dim), differ: n occurrences of words in their senses."""
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(quantized, axis=1)
    cosines = np.einsum("nd,nd->n", exact, quantized) / lengths
    accuracies = [nearest_sense_accuracy(words, senses, side) for side in (exact, quantized)]
    return LayerDifference(layer, float(cosines.mean()), float(cosines.min()), accuracies[0], accuracies[1])


def differences_text(model: LanguageModel, layers: "tuple[int, ...]", rows: list[LayerDifference]) -> list[str]:
    """The difference at some layers, a line each."""
    return [
        f"engine {model.engine.name} is not exact: layer {row.layer} has a mean cosine of {row.mean_cosine:.4f} "
        "to float32 "
        f"(least {row.least_cosine:.4f}), sense accuracy {row.accuracy:.3f} instead of {row.exact_accuracy:.3f}"
        for row in rows
        if row.layer in layers
    ]
