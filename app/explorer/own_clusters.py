"""The occurrences of a word in texts of one's own, clustered by their hidden states."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from polysema.core.errors import UserError
from polysema.core.measure.sense_clusters import SenseClusters, WordContexts, sense_clusters
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Occurrence, find_words
from polysema.core.space.space import Floats


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
