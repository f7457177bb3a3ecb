"""A word's occurrences at every layer of a model, on one plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.results import WordMap
from polysema.core.maps.layers import layered_maps
from polysema.core.maps.options import MapOptions
from polysema.core.measure.senses import load_senses
from polysema.core.model.contextual import word_vectors
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.load import LanguageModel
from polysema.core.model.static import static_vector
from polysema.core.progress import Progress, in_stage
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Origin

if TYPE_CHECKING:
    from polysema.app.explorer.model_explorer import ModelExplorer


def lay_out_word(explorer: ModelExplorer, word: str, method: str, extra: Sequence[str], progress: Progress) -> WordMap:
    """A word's occurrences at every kept layer on one plane, with its static point; `extra` texts join them."""
    loaded, layers, senses = explorer.model, explorer.senses.layers, load_senses().of(word)
    cloud = explorer.senses.cloud(word, progress)
    kept = cloud.occurrences
    marked = {(s.text_id, s.start, s.end): s.sense for s in senses}
    texts = [load_senses().texts[o.text] for o in kept]
    spans = [(o.span.start, o.span.end) for o in kept]
    names = [marked[o.text, o.span.start, o.span.end] for o in kept]
    yours = word_vectors(loaded, word, extra, layers) if extra else None
    static, _ = static_vector(loaded, word)
    within, between = zip(*(_spread(vectors, names) for vectors in cloud.vectors), strict=True)
    every = explorer.senses.baselines(progress)
    stacks = [
        np.concatenate([cloud.vectors[place], *([yours.vectors[place]] if yours is not None else []), static[None]])
        for place in range(len(layers))
    ]
    if yours is not None:
        texts += extra
        spans += [(o.span.start, o.span.end) for o in yours.occurrences]
        names += ["yours"] * len(extra)
    stage = "lay out"
    few = MapOptions(n_neighbors=10, min_dist=0.25)  # a word has few occurrences, and they are looked at closely
    positions = layered_maps(stacks, method, few, in_stage(progress, stage))
    return WordMap(
        word.lower(),
        layers,
        tuple(positions),
        tuple(texts),
        tuple(spans),
        tuple(names),
        within,
        between,
        tuple(every[layer] for layer in layers),
        method,
        _card(loaded, cloud, yours),
        yours.split if yours is not None else (),
    )


def _card(model: LanguageModel, cloud: HiddenBatch, yours: HiddenBatch | None) -> Origin:
    """The card of a word's map, with what has to be said of words that stand first."""
    notes = [*cloud.origin.notes, *(yours.origin.notes if yours is not None else ())]
    return replace(model.origin(None, "mean"), notes=tuple(notes))


def _spread(vectors: Floats, senses: Sequence[str]) -> tuple[float, float]:
    """Mean cosine of two occurrences within a sense, and of two of different senses."""
    directions = unit(np.ascontiguousarray(vectors))
    similar = directions @ directions.T
    names = np.asarray(senses)
    same = names[:, None] == names[None, :]
    other = ~np.eye(len(names), dtype=bool)
    return float(similar[same & other].mean()), float(similar[~same].mean()) if (~same).any() else float("nan")
