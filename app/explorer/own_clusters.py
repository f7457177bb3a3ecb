"""The occurrences of a word in texts of one's own, clustered by their hidden states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import DEFAULT_SPACE
from polysema.core.errors import UserError
from polysema.core.measure.sense_clusters import SenseClusters, WordContexts, sense_clusters
from polysema.core.model.catalog import locate
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel
from polysema.core.model.static import static_vector
from polysema.core.model.tokens import Occurrence, find_words
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer


def own_clusters(
    model: LanguageModel,
    word: str,
    texts: Sequence[str],
    layer: int,
    least: int,
    named: Callable[[Sequence[str]], Floats],
) -> SenseClusters:
    """The occurrences of a word in texts of one's own, clustered; they have no senses to agree with."""
    places = [
        Occurrence(number, text[span.start : span.end], span)
        for number, text in enumerate(texts)
        for span in find_words(text, word)
    ]
    if len(places) < 2:
        raise UserError(f"sense clusters need two or more occurrences of {word!r}; the texts have {len(places)}")
    hidden = embed(model, texts, [layer], occurrences=places)
    if hidden.unseen:
        raise UserError(f"the tokenizer of {model.name} makes no token of {word!r}, so it has no vector")
    contexts, starts = [texts[o.text] for o in hidden.occurrences], [o.span.start for o in hidden.occurrences]
    found = sense_clusters(hidden.vectors[0], WordContexts(contexts, word, starts=starts), least, named)
    return replace(found, without_word=len(texts) - len({o.text for o in places}))


def naming_vectors(explorer: Explorer, model: LanguageModel) -> Callable[[Sequence[str]], Floats]:
    """Static vectors that tell which words mean alike: GloVe's where it is here, else the model's own table's."""
    if locate(DEFAULT_SPACE).path is None:
        return lambda words: np.stack([static_vector(model, word)[0] for word in words])
    space = explorer.space(DEFAULT_SPACE).space

    def vectors(words: Sequence[str]) -> Floats:
        rows = space.keys.rows(words)
        found: Floats = np.where((rows >= 0)[:, None], space.vectors[np.maximum(rows, 0)], np.float32(0))
        return found

    return vectors
