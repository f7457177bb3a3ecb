"""How a concordance is made: the occurrences of a word, embedded at a layer and put in an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polysema.app.explorer.options import MAX_CLUSTERED, check_texts
from polysema.app.explorer.results.concordance import Concordance, ConcordanceLine
from polysema.core.errors import UserError
from polysema.core.measure.concordance import order_by_meaning
from polysema.core.measure.senses import load_senses
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Occurrence, find_words
from polysema.core.space.metric import unit

Labels = dict[tuple[str, int], str]


@dataclass(frozen=True, slots=True)
class ConcordanceQuestion:
    """A word of texts at a layer, and the number of the line to which the nearest come first; `labels` are what is
    known of occurrences, by their texts and where they start.
    """

    word: str
    texts: Sequence[str]
    layer: int
    like: int | None
    labels: Labels | None = None


def concordance(model: LanguageModel, query: ConcordanceQuestion, baseline: float) -> Concordance:
    """The occurrences of a word in texts (of the corpus of senses where there are none), sorted by meaning."""
    corpus = load_senses()
    word, texts, layer, like = query.word, query.texts, query.layer, query.like
    if texts:
        check_texts(texts, least=1, most=MAX_CLUSTERED)
    given, senses = (texts, query.labels or Labels()) if texts else (corpus.texts, _annotated())
    places = [
        Occurrence(number, text[span.start : span.end], span)
        for number, text in enumerate(given)
        for span in find_words(text, word)
    ][:MAX_CLUSTERED]
    if not places:
        where = f"the {len(given):,} texts" if texts else "the corpus of senses; give texts of your own"
        raise UserError(f"{word!r} stands nowhere in {where}")
    numbers = sorted({one.text for one in places})
    moved = {number: place for place, number in enumerate(numbers)}
    wanted = [Occurrence(moved[one.text], one.word, one.span) for one in places]
    hidden = embed(model, [given[number] for number in numbers], [layer], occurrences=wanted)
    if hidden.unseen:
        raise UserError(f"the tokenizer of {model.name} makes no token of {word!r}, so it has no vector")
    found = hidden.occurrences
    if like is not None and not 1 <= like <= len(found):
        raise UserError(f"like is the number of a line, 1 to {len(found)}; got {like}")
    directions = unit(hidden.vectors[0])
    if like is None:
        order = order_by_meaning(hidden.vectors[0])
        cosines = np.einsum("ij,ij->i", directions[order], np.roll(directions[order], 1, axis=0))
        cosines[0] = np.nan
    else:
        scores = directions @ directions[like - 1]
        scores[like - 1] = np.inf
        order = np.argsort(-scores, kind="stable")
        cosines = scores[order]
        cosines[0] = np.nan
    lines = []
    for place, cosine in zip(order.tolist(), cosines.tolist(), strict=True):
        text, span = given[numbers[found[place].text]], found[place].span
        sense = senses.get((text, span.start), "")
        lines.append(ConcordanceLine(place + 1, text, span.start, span.end, cosine, sense))
    return Concordance(word, tuple(lines), like, baseline, model.origin(layer, "mean"))


def _annotated() -> Labels:
    corpus = load_senses()
    return {(corpus.texts[one.text_id], one.start): one.sense for one in corpus.senses}
