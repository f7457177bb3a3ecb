"""The part Fill a gap of the page Writing: the words that a masked encoder would put there."""

import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import model_box
from polysema.app.dashboard.loading import loaded
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.sharing import page_record
from polysema.app.dashboard.trail import neighbors_in, trail_bar
from polysema.app.dashboard.writing.next_sentence_part import next_sentence_part
from polysema.core.inside.fill_mask import FilledMask, Gap
from polysema.core.model.catalog import READABLE
from polysema.core.progress import Progress
from polysema.core.space.space import Family

DEFAULT_FILLER = "bert-tiny-en"
GAP = "She put her money in the [MASK]."


def fill_part() -> None:
    """A sentence with a gap, and the words for it."""
    names = [name for name in choices.models(READABLE) if choices.family_of(name) is Family.ENCODER]
    names.sort(key=lambda name: name != DEFAULT_FILLER)
    if not names:
        st.info("No encoder is here yet.")
        return
    name = model_box(names, "fm", st.columns([4, 8])[0], "Which model fills the gap; it needs a masked-word head.")
    with st.form("filling", border=False):
        text = permalink.box(
            st.text_input,
            "writing",
            "Sentence with a gap",
            GAP,
            key="ft",
            help=f"[MASK], <mask> or ___ where a word is missing. {widgets.LOCAL_NOTE}",
        )
        st.form_submit_button("Fill", type="primary")
    text = (text or "").strip()
    if not text:
        st.info(f"Write a sentence with a gap, such as: {GAP}")
        return
    found = work.answer(("fill", name, text), lambda progress: _filled(name, text, progress))
    if found is None:
        return
    trail_bar("writing", text)
    page_record.text(widgets.plain(text))
    for number, gap in enumerate(found.gaps, 1):
        left, right = st.columns([7, 5], gap="medium")
        with left:
            widgets.say(f"**Gap {number}**, by both sides of it" if len(found.gaps) > 1 else "**By both sides of it**")
            clickable_list(_listed(gap), f"gap_{number}", neighbors_in(found.space))
        with right:
            if gap.neighbors:
                widgets.say(f"**Static neighbors of {widgets.plain(gap.words[0].word)}**, whatever the sentence")
                page_record.text(", ".join(f"{widgets.plain(word)} {score:.3f}" for word, score in gap.neighbors))
                near = [ListedRow(word, "", score, word) for word, score in gap.neighbors]
                clickable_list(near, f"gap_near_{number}", neighbors_in(found.space))
                widgets.remark(f"In {widgets.plain(found.space)}: the same in every sentence, near the river or not.")
    widgets.remark(
        "This is what BERT was trained on. A word of several pieces counts by all of them from left to right; "
        "what could fool you: words of one, two and three pieces are looked for separately, so that "
        "their probabilities together may be more than 1."
    )
    words = [
        {"gap": number, "word": one.word, "probability": one.probability, "text": one.text}
        for number, gap in enumerate(found.gaps, 1)
        for one in gap.words
    ]
    downloads.numbers(words, "fill")
    widgets.python_lines(
        "from polysema import Explorer\n\n"
        f"found = Explorer().model({name!r}).generation.fill({text!r})\n"
        "for word in found.gaps[0].words:\n    print(word.word, word.probability)",
        "The log-probabilities of a word’s pieces add up, each with those behind it hidden (Kauf and Ivanova 2023).",
    )
    if loaded(name):
        next_sentence_part(name, widgets.explorer().model(name).internals.on_torch())


def _listed(gap: Gap) -> list[ListedRow]:
    return [
        ListedRow(one.word, " + ".join(one.pieces) if len(one.pieces) > 1 else "", one.probability, one.word.lower())
        for one in gap.words
    ]


def _filled(name: str, text: str, progress: Progress) -> FilledMask:
    widgets.check_length(text)
    return widgets.explorer().model(name, progress=progress).generation.fill(text, progress=progress)
