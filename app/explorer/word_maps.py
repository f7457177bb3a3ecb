"""A word's occurrences at every layer of a model, on one plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.context_cloud import ContextCloud, SpaceTexts
from polysema.app.explorer.results import WordMap
from polysema.core.maps.layers import layered_maps
from polysema.core.maps.options import MapOptions
from polysema.core.model.contextual import word_vectors
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.load import LanguageModel
from polysema.core.model.static import static_vector
from polysema.core.progress import Progress, in_stage
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Origin

if TYPE_CHECKING:
    from polysema.app.explorer.model_explorer import ModelExplorer


@dataclass(frozen=True, slots=True)
class WordMapQuestion:
    """A word, how its occurrences are laid out, own texts that join them, and where it is looked for."""

    word: str
    method: str
    extra: tuple[str, ...]
    source: SpaceTexts | None = None


def lay_out_word(explorer: ModelExplorer, query: WordMapQuestion, progress: Progress) -> WordMap:
    """A word's occurrences at every kept layer on one plane, with its static point; own texts join them."""
    loaded, layers = explorer.model, explorer.senses.layers
    word, method, extra = query.word, query.method, query.extra
    cloud = explorer.senses.contexts.cloud(word, query.source, progress)
    texts, spans, names = list(cloud.texts), list(cloud.spans), list(cloud.labels)
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
        cloud.found,
    )


def _card(model: LanguageModel, cloud: ContextCloud, yours: HiddenBatch | None) -> Origin:
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
    known = names != ""  # of those without a label nothing is known, unless none has one
    both = known[:, None] & known[None, :] if known.any() else np.ones_like(other)
    within, between = similar[same & other & both], similar[~same & both]
    nothing = float("nan")
    return float(within.mean()) if within.size else nothing, float(between.mean()) if between.size else nothing
