"""The page Contexts: any word in its contexts, sorted by what it means there at the layer shown."""

import math

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.contexts.focus import look_at_place
from polysema.app.dashboard.contexts.words import WordChoice
from polysema.app.explorer.results import WordMap
from polysema.app.explorer.results.concordance import Concordance, ConcordanceLine

MAX_SHOWN_LINES = 100
MAX_SIDE = 70  # characters on each side


def concordance_panel(found: WordMap, choice: WordChoice, layer: int) -> None:
    """Keyword in context: the sentences of the map, or those of the corpus in which another word stands."""
    with st.expander("Concordance, sorted by meaning"):
        word = st.text_input(
            "Word in context",
            found.word,
            key="concordance_word",
            max_chars=200,
            help="Any word: that of the map with your own sentences, any other in the same texts.",
        )
        word = (word or "").strip() or found.word
        same = word.casefold() == found.word.casefold()
        texts = tuple(dict.fromkeys(found.texts)) if same else choice.texts or ()
        model = found.origin.source
        answer = work.answer(
            ("concordance", model, word, texts, layer),
            lambda progress: widgets.explorer().model(model, progress=progress).senses.concordance(word, texts, layer),
        )
        if answer is None:
            return

        def choose(line: object) -> None:
            if isinstance(line, ConcordanceLine):
                look_at_place(found, found.word if same else word, line.text, line.start)

        clickable_list(listed_lines(answer), "columns_concordance", choose, answer.baseline, in_columns=True)
        shown = len(answer.lines[:MAX_SHOWN_LINES])
        widgets.remark(
            f"{shown} of {len(answer.lines)} lines at layer {layer}: those that mean alike stand together. The number "
            f"is the cosine with the line above; two words at random have {answer.baseline:.3f}."
        )
        downloads.numbers(
            [
                {"number": line.number, "cosine": line.cosine, "start": line.start, "end": line.end, "text": line.text}
                for line in answer.lines
            ],
            "concordance",
        )


def listed_lines(found: Concordance) -> list[ListedRow]:
    """The lines for a list, each with its word marked and as much of what stands around it as a line holds; each stands
    for itself.
    """
    rows = []
    for line in found.lines[:MAX_SHOWN_LINES]:
        before, word, behind = line.parts
        before, behind = before[-MAX_SIDE:], behind[:MAX_SIDE]
        score = None if math.isnan(line.cosine) else line.cosine
        marked = (len(before), len(before) + len(word))
        rows.append(ListedRow(before + word + behind, "", score, line, marked))
    return rows
