"""The page Contexts: whose texts, which word of them, with counts as one types, and which column labels it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.decorators import cached_data
from polysema.app.explorer.context_cloud import SpaceTexts
from polysema.app.explorer.results.contexts import WordCounts
from polysema.core.errors import UserError
from polysema.core.measure.senses import load_senses

CORPUS = "Corpus of senses"
NO_LABEL = "no column"
MAX_LISTED_WORDS = 2_000  # words in the list; any other can be typed
LIKELY_LABELS = ("sense", "label", "topic", "category", "class", "tags", "genre", "author")
OWN_COLUMNS = ("text", "word", "start", "end", "text_id", "id", "layer", "tokens", "token")


@dataclass(frozen=True, slots=True)
class WordChoice:
    """A word, and where it is looked for: None is the corpus of senses."""

    word: str
    texts: SpaceTexts | None

    @property
    def python(self) -> str:
        """The argument that says where it is looked for, as Python has it."""
        if self.texts is None:
            return ""
        return f", texts=SpaceTexts({self.texts.space!r}, {self.texts.label!r}, {self.texts.limit})"


def text_spaces() -> list[str]:
    """The collections on this machine whose rows are words in texts, or texts; of several spaces the first."""
    found = []
    for name in widgets.shelf().names():
        try:
            view = widgets.shelf().get(name).view()
            place = view.schema.get_field_index("text")
            kind = view.schema.field(place).type if place >= 0 else None
            spaces = list(view.manifest.spaces)
        except UserError:  # damaged: the page Data names it
            continue
        if kind is not None and spaces and (pa.types.is_large_string(kind) or pa.types.is_string(kind)):
            found.append(name if len(spaces) == 1 else f"{name}/{spaces[-1]}")
    return found


def pick_word(texts_place: DeltaGenerator, word_place: DeltaGenerator) -> WordChoice | None:
    """The lists; None while the words are being counted."""
    spaces = text_spaces()
    chosen = permalink.pick(
        texts_place,
        "Texts",
        [CORPUS, *spaces],
        "collection",
        key="texts",
        help="Where the word stands: in the sentences whose senses people marked, or in a collection with texts of "
        "yours (page Data).",
    )
    space = None if chosen == CORPUS else chosen
    counts = corpus_counts() if space is None else _counts(space)
    if counts is None:
        return None
    word = _word_box(word_place, counts, "bank" if space is None else next(iter(counts), ""))
    if not word:
        return None
    return WordChoice(word, None if space is None else SpaceTexts(space, _label(texts_place, space)))


@cached_data(1)
def corpus_counts() -> dict[str, int]:
    """The words of the corpus of senses: first those that are annotated, then all others by how often they stand."""
    from collections import Counter

    from polysema.core.model.tokens import words_of

    corpus = load_senses()
    marked = Counter(sense.word for sense in corpus.senses)
    there = Counter(text[span.start : span.end].lower() for text in corpus.texts for span in words_of(text))
    first = {word: marked[word] for word in corpus.words}
    others = [(word, n) for word, n in there.most_common() if word not in marked and any(map(str.isalpha, word))]
    return first | dict(others[:MAX_LISTED_WORDS])


def _counts(space: str) -> dict[str, int] | None:
    """The most frequent words of a collection's texts, without marks and single letters."""
    found: WordCounts | None = work.answer(
        ("word counts", space, widgets.explorer().stamp(space)),
        lambda progress: widgets.explorer().space(space, progress).contexts.words("", 4 * MAX_LISTED_WORDS, progress),
    )
    if found is None:
        return None
    names = {one.word: one.count for one in found.words if any(map(str.isalpha, one.word)) and len(one.word) > 1}
    return dict(list(names.items())[:MAX_LISTED_WORDS])


def _word_box(place: DeltaGenerator, counts: Mapping[str, int], start: str) -> str:
    """A list that is searched as one types, to which any word may be added. The address holds the word alone."""
    state, query = st.session_state, st.query_params.get("word")
    if query is not None and query != state.get("_contexts_word"):
        state["word"] = query
    elif query is None and (permalink.returning() or not state.get("word")):
        state["word"] = start
    current = str(state.get("word") or start)
    options = [*([] if current in counts or not current else [current]), *counts]
    chosen = place.selectbox(
        "Word",
        options,
        key="word",
        format_func=lambda word: f"{word} ({counts[word]:,})" if word in counts else str(word),
        accept_new_options=True,
        filter_mode="prefix",
        persist_state="session",
        help="Any word of these texts, with how often it stands there: type its beginning. One that is not in the "
        "list can be typed as a whole.",
    )
    word = " ".join(str(chosen or "").split())
    state["_contexts_word"] = word
    permalink.put("word", word)
    return word


def _label(place: DeltaGenerator, space: str) -> str:
    """The column whose values are the senses, or none."""
    columns = widgets.explorer().space(space).space.columns
    names = [] if columns is None else [name for name in columns.schema.names if name not in OWN_COLUMNS]
    kinds = {name: columns.schema.field(name).type for name in names} if columns is not None else {}
    fit = [name for name in names if not pa.types.is_nested(kinds[name]) and not pa.types.is_floating(kinds[name])]
    if not fit:
        return ""
    start = next((name for name in LIKELY_LABELS if name in fit), NO_LABEL)
    options = [NO_LABEL, *fit]
    chosen = permalink.pick(
        place,
        "Senses",
        options,
        "column",
        key="label",
        index=options.index(start),
        help="The column of the collection whose values are the senses.",
    )
    return "" if chosen == NO_LABEL else chosen
