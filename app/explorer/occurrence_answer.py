"""The occurrences in the corpus of senses nearest to a word in a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from polysema.app.explorer.options import OccurrenceOptions, check_texts
from polysema.app.explorer.results import OccurrenceAnswer, OccurrenceHit
from polysema.core.errors import UserError
from polysema.core.measure.senses import load_senses
from polysema.core.model.contextual import embed
from polysema.core.model.static import static_vector
from polysema.core.model.tokens import Occurrence, find_word
from polysema.core.progress import Progress
from polysema.core.space.spelling import spelling_note
from polysema.indexes.base import check_k

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.model_explorer import ModelExplorer
    from polysema.app.explorer.results import Neighbor


@dataclass(frozen=True, slots=True)
class OccurrenceQuestion:
    """A word of a text, whose nearest k occurrences at a layer are looked for."""

    word: str
    text: str
    layer: int
    k: int
    options: OccurrenceOptions | None


def nearest_occurrences(
    explorer: Explorer, model: ModelExplorer, query: OccurrenceQuestion, progress: Progress
) -> OccurrenceAnswer:
    """The occurrences, nearest first, beside the layer's baseline and the nearest rows to the word's static vector."""
    word, text, how = query.word, query.text, query.options or OccurrenceOptions()
    check_texts([text], least=1)
    check_k(query.k)
    name = model.name
    span = find_word(text, word, how.nth)
    place = Occurrence(0, text[span.start : span.end], span)
    words = explorer.hold(model.senses.corpus(query.layer, progress))
    space = words.space
    assert space.origin.layer is not None
    hidden = embed(model.model, [text], [space.origin.layer], occurrences=[place])
    if hidden.unseen:
        raise UserError(f"the tokenizer of {name} makes no token of {word!r}, so it has no vector")
    mine = hidden.space(space.origin.layer)
    mine.origin.require_same(space.origin)
    found = words.search.search(mine.vectors, query.k, how)
    there = found.rows[0] >= 0
    rows = found.rows[0][there].tolist()
    texts = load_senses().texts
    assert space.columns is not None
    table = space.columns.take(pa.array(rows)).to_pylist()
    hits = tuple(
        OccurrenceHit(rank, row["word"], float(score), texts[row["text_id"]], row["start"], row["end"], row["sense"])
        for rank, (row, score) in enumerate(zip(table, found.scores[0][there], strict=True), 1)
    )
    baseline = model.senses.baselines(progress)[space.origin.layer]
    near = _static_neighbors(explorer, model, place.word, query.k) if found else ()
    origin = mine.origin.with_notes(spelling_note(word, place.word), *space.origin.notes)
    return OccurrenceAnswer(place.word, text, span.start, span.end, hits, near, baseline, origin, bool(hidden.split))


def _static_neighbors(explorer: Explorer, model: ModelExplorer, word: str, k: int) -> tuple[Neighbor, ...]:
    """The rows of the model's own table nearest to the word's static vector."""
    static, _ = static_vector(model.model, word)
    words = explorer.space(model.name)
    own = words.space.keys.row(word)
    if own < 0:
        own = words.space.keys.row(word.lower())
    return words.search.named(words.index.search(static[None], k, [own] if own >= 0 else []))
