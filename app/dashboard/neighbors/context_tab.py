"""The page Neighbors: the nearest occurrences of a word as it stands in a sentence."""

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import clickable_list, neighbor_rows, occurrence_rows
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import offer
from polysema.app.dashboard.picker.pick import pick_model
from polysema.app.dashboard.trail import trail_bar, walk
from polysema.app.explorer import OccurrenceOptions
from polysema.app.explorer.results import OccurrenceAnswer, OccurrenceHit
from polysema.core.model.tokens import find_words

STATIC = "A word"
"""The mode in which the page looks up a static vector."""

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
            .model(query.model, progress=progress)
            .occurrences(
                query.word,
                query.text,
                query.layer,
                query.k,
                options=OccurrenceOptions(nth=query.nth),
                progress=progress,
            )
        ),
    )
    if answer is None:
        return
    widgets.tell_split([0] if answer.split else [], answer.origin.windows)
    widgets.notes(answer)
    occurrence_answer(answer, query.model)
    nth = f", options=OccurrenceOptions(nth={query.nth})" if query.nth > 1 else ""
    more = "from polysema.app.explorer import OccurrenceOptions\n" if nth else ""
    widgets.python_lines(
        f"from polysema.app.explorer import Explorer\n{more}\n"
        f"answer = Explorer().model({query.model!r}).occurrences({query.word!r}, {query.text!r}, "
        f"layer={query.layer}, k={query.k}{nth})\n"
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
    nth: int = 1


def sentence_form(models: Sequence[str]) -> SentenceQuery:
    """The form for a sentence, one of its words, the model and the layer."""
    state = st.session_state
    if "nth" in (current := permalink.restore("neighbors")):
        state["neighbors_nth"] = current["nth"]
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
    text, word = (text or "").strip(), (word or "").strip()
    at = state.get("neighbors_nth")
    nth = at[0] if isinstance(at, list) and at[1:] == [text, word] and isinstance(at[0], int) else 1
    values = {"widget:text": text, "widget:cw": word} | ({"nth": [nth, text, word]} if nth > 1 else {})
    permalink.keep("neighbors", values, {"widget:text": SENTENCE, "widget:cw": "bank"})
    return SentenceQuery(text, word, model, layer, k, nth)


def look_up(word: object) -> None:
    """Ask for the neighbors of a word's static vector."""
    walk("neighbors", {"mode": STATIC, "w": word})


def look_up_occurrence(hit: object) -> None:
    """Ask for the neighbors of an occurrence that was found."""
    if isinstance(hit, OccurrenceHit):
        word = hit.text[hit.start : hit.end]
        nth = sum(place.start <= hit.start for place in find_words(hit.text, word))
        walk("neighbors", {"text": hit.text, "cw": word, "neighbors_nth": [nth, hit.text, word]})


def occurrence_answer(answer: OccurrenceAnswer, model: str) -> None:
    """The nearest occurrences, beside the neighbors of the word's static vector."""
    left, right = st.columns([7, 5], gap="medium")
    with left:
        trail_bar("neighbors", answer.text)
        at = answer.origin.layer
        st.html(
            f'<p class="ps-text">Nearest to {widgets.marked(answer.text, answer.start, answer.end)} at layer {at}</p>'
        )
        clickable_list(occurrence_rows(answer.hits), "found", look_up_occurrence, answer.baseline)
        downloads.occurrences(answer.hits, "occurrences", {"random pair": answer.baseline})
        widgets.remark(
            f"Two words taken at random have cosine {answer.baseline:.3f} at this layer: read the numbers beside that."
        )
    with right:
        widgets.say(f"The same word's **static** vector in {widgets.plain(model)} is nearest to")
        baseline = widgets.explorer().space(model).baseline

        def look_up_here(word: object) -> None:
            walk("neighbors", {"mode": STATIC, "w": word, "ns": model})

        clickable_list(neighbor_rows(answer.static), "static", look_up_here, baseline)
        downloads.ranked([(n.key, n.score) for n in answer.static], "static", "word", "cosine", baseline)
        widgets.remark(
            "The static vector knows no sentence: it stays the same whatever stands around the word. "
            f"{widgets.beside(baseline)}"
        )
