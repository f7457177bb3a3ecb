"""The page Contexts: any word in its contexts, sorted by what it means there at the layer shown."""

from html import escape

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.contexts.words import WordChoice
from polysema.app.explorer.results import WordMap
from polysema.app.explorer.results.concordance import Concordance

MAX_SHOWN_LINES = 200
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
            lambda progress: widgets.explorer().model(model).senses.concordance(word, texts, layer),
        )
        if answer is None:
            return
        st.html(lines_table(answer))
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


def lines_table(found: Concordance) -> str:
    """The lines with the word in one column; user text is escaped."""
    rows = []
    for line in found.lines[:MAX_SHOWN_LINES]:
        before, word, behind = line.parts
        cosine = "" if line.cosine != line.cosine else f"{line.cosine:.2f}"
        rows.append(
            f'<tr><td class="before">{escape(before[-MAX_SIDE:])}</td>'
            f"<td><b>{escape(word)}</b></td>"
            f'<td class="behind">{escape(behind[:MAX_SIDE])}</td><td class="num">{cosine}</td></tr>'
        )
    return f'<table class="ps-bars ps-concordance">{"".join(rows)}</table>'
