"""One word in several texts, compared layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.app.explorer.options import check_texts
from polysema.app.explorer.results import Comparison, LayerComparison
from polysema.core.model.contextual import word_vectors
from polysema.core.model.static import static_vector
from polysema.core.progress import Progress
from polysema.core.space.metric import cosine

if TYPE_CHECKING:
    from polysema.app.explorer.model_explorer import ModelExplorer


def compared(
    explorer: ModelExplorer,
    word: str,
    texts: Sequence[str],
    layers: Sequence[int] | None,
    pooling: str,
    progress: Progress,
) -> Comparison:
    """The first occurrence of a word in each text against the others and against its static vector, by layer."""
    check_texts(texts, least=1)
    hidden = word_vectors(explorer.model, word, texts, layers, pooling)
    static, pieces = static_vector(explorer.model, word.strip())
    baselines = explorer.senses.baselines(progress)
    rows = []
    for place, layer in enumerate(hidden.layers):
        vectors = hidden.vectors[place]
        pairs = [cosine(vectors[i], vectors[j]) for i in range(len(texts)) for j in range(i + 1, len(texts))]
        to_static = [cosine(vector, static) for vector in vectors]
        rows.append(LayerComparison(layer, tuple(pairs), tuple(to_static), baselines[layer]))
    return Comparison(word.strip(), tuple(texts), tuple(rows), pieces, hidden.split, hidden.origin)
