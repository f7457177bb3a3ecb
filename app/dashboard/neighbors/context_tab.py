"""The page Neighbors: the nearest occurrences of a word as it stands in a sentence."""

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import offer
from polysema.app.dashboard.picker.pick import pick_model
from polysema.app.explorer.results import OccurrenceAnswer

SENTENCE = "They had a picnic on the bank of the river."


def context_part() -> None:
    """The nearest occurrences of a word as it stands in a sentence."""
    models = choices.models()
    if not models:
        offer("minilm-l6", "This needs a language model, such as", "neighbors")
        return
    query = sentence_form(models)
    if not query.text or not query.word:
        st.info("Write a sentence and one of its words, such as bank.")
        return
    answer = work.answer(
        ("occurrence", *query),
        lambda progress: (
            widgets.explorer()
            .model(query.model)
            .occurrences(query.word, query.text, query.layer, query.k, progress=progress)
        ),
    )
    if answer is None:
        return
    widgets.tell_split([0] if answer.split else [], answer.origin.windows)
    widgets.notes(answer)
    occurrence_answer(answer, query.model)
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n\n"
        f"answer = Explorer().model({query.model!r}).occurrences({query.word!r}, {query.text!r}, "
        f"layer={query.layer}, k={query.k})\n"
        "for hit in answer.hits:\n    print(hit.rank, hit.score, hit.word, hit.text)",
        f"Exact search by cosine among every word of the corpus of senses. {widgets.plain(answer.origin.card())}.",
    )


class SentenceQuery(NamedTuple):
    """A word in a sentence, and where its neighbors are searched."""

    text: str
    word: str
    model: str
    layer: int
    k: int


def sentence_form(models: Sequence[str]) -> SentenceQuery:
    """The form for a sentence, one of its words, the model and the layer."""
    permalink.restore("neighbors")
    form, which = st.columns([8, 4], vertical_alignment="bottom")
    model = pick_model(which, models, "cm", "Which model reads the sentence.")
    with form, st.form("sentence", border=False):
        text = st.text_input(
            "Sentence",
            SENTENCE,
            key="text",
            persist_state="session",
            help=widgets.LOCAL_NOTE,
        )
        box, where, many, run = st.columns([3, 3, 2, 1], vertical_alignment="bottom")
        word = box.text_input(
            "Word in it",
            "bank",
            key="cw",
            max_chars=200,
            persist_state="session",
            help="The word whose hidden state is looked up.",
        )
        layer = int(
            where.number_input(
                "Layer (-1: the last)",
                -1,
                200,
                -1,
                key="cl",
                bind="query-params",
                help="0 is the embedding, before any attention.",
            )
        )
        k = int(
            many.number_input("Answers", 1, 50, 8, key="ck", bind="query-params", help="How many occurrences to show.")
        )
        run.form_submit_button("Go", type="primary", width="stretch")
    permalink.keep(
        "neighbors", {"widget:text": text, "widget:cw": word}, {"widget:text": SENTENCE, "widget:cw": "bank"}
    )
    return SentenceQuery((text or "").strip(), (word or "").strip(), model, layer, k)


def occurrence_answer(answer: OccurrenceAnswer, model: str) -> None:
    """The nearest occurrences, beside the neighbors of the word's static vector."""
    left, right = st.columns([7, 5], gap="medium")
    with left:
        at = answer.origin.layer
        st.html(
            f'<p class="ps-text">Nearest to {widgets.marked(answer.text, answer.start, answer.end)} at layer {at}</p>'
        )
        widgets.hits(answer.hits)
        downloads.occurrences(answer.hits, "occurrences", {"random pair": answer.baseline})
        st.caption(
            f"Two words taken at random have cosine {answer.baseline:.3f} at this layer: read the numbers beside that."
        )
    with right:
        st.markdown(f"The same word's **static** vector in {widgets.plain(model)} is nearest to")
        rows = [(n.key, n.score) for n in answer.static]
        baseline = widgets.explorer().space(model).baseline
        widgets.bars(rows, baseline=baseline)
        downloads.ranked(rows, "static", "word", "cosine", baseline)
        st.caption(
            "The static vector knows no sentence: it stays the same whatever stands around the word. "
            f"{widgets.beside(baseline)}"
        )
