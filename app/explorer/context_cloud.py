"""The occurrences of a word as a model reads them: those of the corpus of senses, or of the texts of any space."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import MAX_TEXT
from polysema.app.explorer.space_contexts import MAX_OCCURRENCES
from polysema.core.errors import UserError
from polysema.core.measure.senses import Sense, SenseCorpus, load_senses
from polysema.core.model.contextual import embed
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Occurrence, Span, find_words
from polysema.core.progress import Progress
from polysema.core.space.space import Floats, Origin

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.app.explorer.word_space import WordSpace

MAX_READ = 400  # occurrences of a word that are read anew where nothing else is said


@dataclass(frozen=True, slots=True)
class SpaceTexts:
    """The texts of a space, in which any word may be chosen, in the place of the corpus of senses.

    Attributes:
        space: A collection by its name or folder, or another space with the column `text`; or one that is open.
        label: A column whose values are the senses; empty: none.
        limit: How many occurrences are read at most, 1 to 2,000; of more they are spread evenly.
    """

    space: str | WordSpace
    label: str = ""
    limit: int = MAX_READ

    def checked(self) -> SpaceTexts:
        """Itself; raises `UserError` for a limit that is out of range."""
        if not 1 <= self.limit <= MAX_OCCURRENCES:
            raise UserError(f"limit is how many occurrences are read, 1 to {MAX_OCCURRENCES:,}; got {self.limit:,}")
        return self

    def key(self, explorer: Explorer) -> Hashable:
        """What is another where the space has changed."""
        name = self.space if isinstance(self.space, str) else self.space.space
        stamp = explorer.stamp(name) if isinstance(name, str) else None
        return (name, stamp, self.label, self.limit)


@dataclass(frozen=True, slots=True, eq=False)
class ContextCloud:
    """Occurrences of a word: their texts, spans and labels ("" where there is none), and their states at some layers,
    `vectors` (n_layers, n, dim). `found` counts all that are there; `ids` are those of the rows of a space.
    """

    texts: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    labels: tuple[str, ...]
    vectors: Floats
    origin: Origin
    found: int
    ids: tuple[str, ...] = ()


def annotated_cloud(hidden: HiddenBatch, corpus: SenseCorpus, senses: Sequence[Sense]) -> ContextCloud:
    """The annotated occurrences of a word, from their states."""
    marked = {(s.text_id, s.start, s.end): s.sense for s in senses}
    kept = hidden.occurrences
    return ContextCloud(
        tuple(corpus.texts[o.text] for o in kept),
        tuple((o.span.start, o.span.end) for o in kept),
        tuple(marked[o.text, o.span.start, o.span.end] for o in kept),
        hidden.vectors,
        hidden.origin,
        len(senses),
    )


def corpus_places(word: str) -> list[tuple[str, Span]]:
    """Where a word stands in the corpus of senses; raises `UserError` where it stands nowhere."""
    corpus = load_senses()
    rows = [(text, span) for text in corpus.texts for span in find_words(text, word)]
    if not rows:
        raise UserError(
            f"the corpus of senses has no {word!r} in its {len(corpus.texts):,} texts; name a space whose texts have it"
        )
    return rows


def unmarked_cloud(
    model: LanguageModel, word: str, places: Sequence[tuple[str, Span]], layers: Sequence[int]
) -> ContextCloud:
    """The occurrences in the corpus of senses of a word that is not annotated, of many some that are spread evenly."""
    few = min(len(places), MAX_READ)
    some = [places[at] for at in np.linspace(0, len(places) - 1, few).round().astype(int).tolist()]
    made = _read(model, word, [text for text, _ in some], [span for _, span in some], layers)
    return replace(made, found=len(places))


def space_cloud(
    explorer: Explorer, model: LanguageModel, word: str, source: SpaceTexts, layers: Sequence[int], progress: Progress
) -> ContextCloud:
    """The occurrences of a word in the texts of a space, read anew by a model at some layers."""
    words = explorer.space(source.space, progress)
    found = words.contexts.occurrences(word, source.limit, source.label)
    if not words.contexts.has_texts:
        raise UserError(
            f"{words.space.name} has the words of texts and not the texts (no column text), which a model reads anew; "
            "bring them with the page Data or `polysema export --text`"
        )
    rows = found.occurrences
    progress(f"read {len(rows)} occurrences", 0, 1)
    texts = [_cut(one.text, one.start, one.end) for one in rows]
    made = _read(model, word, [text for text, _ in texts], [span for _, span in texts], layers)
    labels = {(text, span.start): one.label for one, (text, span) in zip(rows, texts, strict=True)}
    ids: dict[tuple[str, int], str] = {
        (text, span.start): one.id for one, (text, span) in zip(rows, texts, strict=True)
    }
    places = [(text, start) for text, (start, _) in zip(made.texts, made.spans, strict=True)]
    return replace(
        made,
        labels=tuple(labels[place] for place in places),
        ids=tuple(ids[place] for place in places),
        found=found.found,
    )


def _cut(text: str, start: int, end: int) -> tuple[str, Span]:
    """A text that is longer than what is read, cut around the word."""
    if len(text) <= MAX_TEXT:
        return text, Span(start, end)
    first = max(0, min(start - MAX_TEXT // 2, len(text) - MAX_TEXT))
    return text[first : first + MAX_TEXT], Span(start - first, end - first)


def _read(
    model: LanguageModel, word: str, texts: Sequence[str], spans: Sequence[Span], layers: Sequence[int]
) -> ContextCloud:
    """Occurrences, each in a text, embedded; every text is read once."""
    places = {(text, span.start): span for text, span in zip(texts, spans, strict=True)}  # the same one counts once
    numbers = {text: number for number, text in enumerate(dict.fromkeys(text for text, _ in places))}
    query = [Occurrence(numbers[text], text[span.start : span.end], span) for (text, _), span in places.items()]
    distinct = list(numbers)
    hidden = embed(model, distinct, layers, occurrences=query)
    if not hidden.occurrences:
        raise UserError(f"the tokenizer of {model.name} makes no token of {word!r}, so it has no vector")
    if len(hidden.first) < len(hidden.occurrences):  # else there would be nothing left: its note says what they are
        hidden = hidden.without_first()
    kept = hidden.occurrences
    return ContextCloud(
        tuple(distinct[o.text] for o in kept),
        tuple((o.span.start, o.span.end) for o in kept),
        ("",) * len(kept),
        hidden.vectors,
        hidden.origin,
        len(query),
    )
