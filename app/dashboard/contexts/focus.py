"""The page Contexts: the occurrence that is looked at, on the plot and below it."""

from collections.abc import Mapping

import streamlit as st

from polysema.app.dashboard import permalink, trail
from polysema.app.dashboard.components.scatter import Selection
from polysema.app.dashboard.permalink import plain
from polysema.app.explorer.results import OccurrenceHit, WordMap
from polysema.core.measure.senses import load_senses

FOCUS = "contexts_focus"
"""Where the session keeps it: the word, the text, and where in it the word begins."""


def restore(kept: Mapping[str, object]) -> None:
    """Take up what the link holds: what is selected, and what is looked at."""
    if "selected" in kept:
        st.session_state["contexts_selected"] = permalink.unpack(kept["selected"])
    if not kept:
        return
    value = kept.get("focus")
    good = isinstance(value, list) and [type(part) for part in value] == [str, str, int]
    st.session_state[FOCUS] = value if good else None


def focus_of(found: WordMap) -> int | None:
    """The row that is looked at, where it is of this word; None for none."""
    focus = st.session_state.get(FOCUS)
    if not focus or focus[0] != found.word:
        return None
    places = zip(found.texts, found.spans, strict=True)
    return next((row for row, (text, (start, _)) in enumerate(places) if [text, start] == focus[1:]), None)


def look_at(found: WordMap, row: int) -> None:
    """Look at an occurrence of this word."""
    trail.walk("contexts", {FOCUS: [found.word, found.texts[row], found.spans[row][0]]})


def look_at_place(found: WordMap, word: str, text: str, start: int) -> None:
    """Look at an occurrence of any word of the same texts; of another word than the map's, the page asks for that."""
    query = {} if word == found.word else {"word": word}
    trail.walk("contexts", query | {FOCUS: [word, text, start]})


def looked_at(found: WordMap, selected: Selection) -> int | None:
    """The row that is looked at, with the way back: what was clicked last, on the plot (the browser tells of a click
    until the next one) or in a list.
    """
    state = st.session_state
    fresh = selected.clicked is not None and selected.at != state.get("contexts_click")
    if fresh and selected.clicked is not None and selected.clicked < len(found.texts):
        state["contexts_click"] = selected.at
        look_at(found, selected.clicked)
        st.rerun()
    focus = focus_of(found)
    trail.trail_bar("contexts", found.word if focus is None else found.texts[focus])
    if focus is None and (wanted := state.get(FOCUS)) and wanted[0] == found.word:
        st.info(f"On this map of {len(found.texts):,} occurrences is none at that place: {plain(wanted[1])}")
    return focus


def look_at_hit(found: WordMap, layer: int, hit: OccurrenceHit) -> None:
    """Look at an occurrence that was found: here where it is of a word of the corpus, else on the page Neighbors."""
    word = hit.word.lower()
    if word in (found.word, *load_senses().words):
        look_at_place(found, word, hit.text, hit.start)
        return
    values = {"widget:text": hit.text, "widget:cw": hit.text[hit.start : hit.end]}
    query = {"mode": "A word in a sentence", "cm": found.origin.source, "cl": str(layer)}
    trail.open_page("neighbors", query, values)
