"""The page Contexts: what own sentences are like, and the occurrences nearest to each, which can be clicked."""

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.contexts.focus import look_at
from polysema.app.dashboard.contexts.words import WordChoice
from polysema.app.explorer.results import WordMap
from polysema.app.explorer.results.contexts import VerdictsAnswer

MAX_NOTE = 160  # characters of a sentence around the word


def verdict_panel(found: WordMap, choice: WordChoice, own: tuple[str, ...], layer: int, by: str) -> None:
    """A verdict for each own sentence, and its neighbors: a click selects them on the map."""
    if not own:
        return
    model = found.origin.source
    answer: VerdictsAnswer | None = work.answer(
        ("verdicts", model, choice, own, layer, by),
        lambda progress: (
            widgets.explorer()
            .model(model, progress=progress)
            .senses.contexts.verdicts(choice.word, own, layer, 5, by, choice.texts)
        ),
    )
    if answer is None:
        return
    st.subheader("Your sentences", anchor=False)

    def choose(place: object) -> None:
        if isinstance(place, int):
            look_at(found, place)

    for number, one in enumerate(answer.sentences):
        votes = f"**{one.votes} of {len(one.neighbors)}** nearest" if one.label else "none of the nearest has a label"
        like = f"like **{widgets.plain(one.label)}**: " if one.label else ""
        widgets.say(f"**{widgets.plain(one.name)}** ({widgets.plain(one.text[:MAX_NOTE])}) is {like}{votes}.")
        rows = [
            ListedRow(near.text[:MAX_NOTE], near.label, near.score, near.place, _shown(near.start, near.end))
            for near in one.neighbors
        ]
        clickable_list(rows, f"verdict_{number}", choose, answer.baseline)
    st.caption(widgets.beside(answer.baseline))
    downloads.numbers(
        [
            {"name": one.name, "sentence": one.text, "like": one.label, "votes": one.votes}
            | {"cosine": near.score, "label": near.label, "neighbor": near.text}
            for one in answer.sentences
            for near in one.neighbors
        ],
        "verdicts",
    )


def _shown(start: int, end: int) -> tuple[int, int]:
    """The letters of the word in what is shown of a sentence; none where it stands behind that."""
    return (start, end) if end <= MAX_NOTE else (0, 0)
