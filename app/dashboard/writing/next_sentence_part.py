"""The second task of BERT on the page Writing: does one sentence follow another? Of a model that has the head."""

import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.core.inside.next_sentence import NextSentence, has_next_sentence_head
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress

FIRST, SECOND = "She went to the bank.", "There she put her money into an account."
NO_HEAD = (
    "No next-sentence head: {name} was not trained to say whether one sentence follows another, BERT’s second task. "
    "What ships with polysema has none, since the openly licensed sentences that it was trained on don’t follow one "
    "another; a folder with both heads (BertForPreTraining, such as bert-base of the catalog) is used here."
)


def next_sentence_part(name: str, model: LanguageModel) -> None:
    """Two sentences and how probable it is that the second follows; a line where the model has no such head."""
    if not has_next_sentence_head(model):
        widgets.remark(NO_HEAD.format(name=widgets.plain(name)))
        return
    widgets.say("**Does one sentence follow another?**")
    with st.form("following", border=False):
        boxes = st.columns(2)
        first, second = (
            (permalink.box(place.text_input, "writing", label, start, key=key, help=widgets.LOCAL_NOTE) or "").strip()
            for place, label, start, key in zip(
                boxes, ("First sentence", "Second sentence"), (FIRST, SECOND), ("ns1", "ns2"), strict=True
            )
        )
        st.form_submit_button("Compare")
    if not first or not second:
        st.info("Write two sentences.")
        return
    found = work.answer(("next sentence", name, first, second), lambda progress: _asked(name, first, second, progress))
    if found is None:
        return
    widgets.bars([("it follows", found.probability), ("it doesn’t", 1 - found.probability)], "", label="prob.")
    widgets.remark(
        "What could fool you: for BERT’s second task the wrong sentences came from other texts, so that what is "
        "about the same matter seems to follow (Liu et al. 2019 left the task out and lost nothing)."
    )
    row = {"first": first, "second": second, "probability": found.probability, "follows": found.follows}
    downloads.numbers([row | {"random": found.random}], "next_sentence", "Next sentence (CSV)")


def _asked(name: str, first: str, second: str, progress: Progress) -> NextSentence:
    widgets.check_length(first + second)
    return widgets.explorer().model(name, progress=progress).generation.next_sentence(first, second)
