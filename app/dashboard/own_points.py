"""The user's own points on a map: what is written is embedded as the rows of the space were, and put where that
lies.
"""

from dataclasses import dataclass
from functools import partial
from typing import cast

import streamlit as st

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.explorer import query_vectors
from polysema.app.explorer.results import SpaceMap
from polysema.core.errors import UserError
from polysema.core.progress import Progress
from polysema.core.space.expression import Context, Term
from polysema.core.space.space import Floats, Space

MAX_POINTS = 20
SENTENCE = "They had a picnic on the bank of the river."
OF_TEXTS, OF_OCCURRENCES, OF_WORDS = "of texts", "of occurrences", "of words"


@dataclass(frozen=True, slots=True, eq=False)
class PlacedPoint:
    """A point of the user's: what was written, where it leads, and where that lies."""

    text: str
    vector: Floats
    position: Floats


def kind_of(space: Space) -> str:
    """What the rows of a space are: whole texts, words in texts, or words."""
    if space.origin.layer is None:
        return OF_WORDS
    return OF_TEXTS if space.origin.pooling.endswith("of the text") else OF_OCCURRENCES


def refusal(space: Space) -> str:
    """Why nothing of the user's can be put among the rows of a space; empty where it can."""
    origin = space.origin
    if kind_of(space) == OF_WORDS:
        return ""
    if kind_of(space) == OF_TEXTS and origin.transform != "raw":
        return (
            f"These vectors were changed after their texts were read ({origin.transform}), so a text of yours "
            "has no place among them."
        )
    if origin.pooling == "single tokens":
        return (
            "The rows of this space are single tokens, and a word of yours may be several: it has no place among them."
        )
    return ""


def reader_of(space: Space) -> str:
    """What reads a text of the user's for a space: the model, or the words of the space itself."""
    if kind_of(space) == OF_WORDS:
        return f"{space.name}: a word, or a sum of its words such as king - man + woman"
    return space.origin.card()


def vector_of(text: str, space: Space, progress: Progress) -> Floats:
    """The vector of a word, a sum of words or a text, as the rows of the space were made.

    Of a space of words in texts: a term such as `bank@"…"` is the word there, a single word the mean of its
    occurrences, and any other text the mean of its tokens. Raises `UserError` for what has none.
    """
    explorer = widgets.explorer()
    kind = kind_of(space)
    if kind != OF_WORDS:  # the model that reads it is loaded first, which is watched and can be cancelled
        explorer.model(space.origin.source, progress=progress)
    if kind == OF_TEXTS or (kind == OF_OCCURRENCES and " " in text.strip() and '"' not in text):
        widgets.check_length(text)
        found: Floats = query_vectors.text_vectors(explorer, [text], space)[0]
        return found
    return explorer.space(space).lookup.vector(text)


def take_text(space: Space) -> None:
    """Place what was written into the plot's search box, if anything."""
    text = str(st.session_state.pop("map_place_text", "") or "").strip()
    if text:
        st.session_state.pop("map_wrong", None)
        st.session_state["map_placed"] = [*(one for one in written() if one != text), text][-MAX_POINTS:]
    reason = refusal(space)
    if text and reason:
        st.session_state["map_placed"], st.session_state["map_wrong"] = [], UserError(reason)


def form(space: Space) -> None:
    """Where the user writes what to put on the map; what was written is kept for `placed`."""
    kind = kind_of(space)
    with st.popover(
        "Place a point", key="map_place", width=130, help="A point of your own, read by the space's model."
    ):
        if reason := refusal(space):
            st.info(reason)
            return
        with st.form("place", border=False, clear_on_submit=False):
            text, word = _boxes(kind)
            go = st.form_submit_button(
                "Place it", type="primary", help="Put the point on the map, where its neighbors are."
            )
        st.caption(f"It is read as the rows were: {widgets.plain(reader_of(space))}.")
        text, word = (text or "").strip(), (word or "").strip()
        if go:
            _take(kind, text, word)
            st.rerun()
        if (wrong := st.session_state.get("map_wrong")) is not None:
            widgets.problem(wrong, "map_sum" if kind == OF_WORDS else "")
        if written() and st.button("Take them off", help="Remove the points that you placed."):
            st.session_state["map_placed"] = []
            st.rerun()


def _boxes(kind: str) -> tuple[str | None, str | None]:
    if kind == OF_WORDS:
        return st.text_input(
            "Word or sum of words",
            "king - man + woman",
            key="map_sum",
            max_chars=widgets.MAX_WORDS,
            persist_state="session",
            help="Words with + and - between them, spaces around the signs.",
        ), ""
    box, second = st.columns([3, 1]) if kind == OF_OCCURRENCES else (st.container(), None)
    text = box.text_input(
        "Sentence" if second is not None else "Text",
        SENTENCE,
        key="map_sentence",
        persist_state="session",
        help=f"Read by the model at this layer. {widgets.LOCAL_NOTE}",
    )
    if second is None:
        return text, ""
    return text, second.text_input(
        "Word in it",
        "bank",
        key="map_word",
        max_chars=200,
        persist_state="session",
        help="Whose hidden state is placed.",
    )


def _take(kind: str, text: str, word: str) -> None:
    """Add what was written to the user's points, the newest last; what is missing is reported under the form."""
    st.session_state.pop("map_wrong", None)
    missing = {
        OF_WORDS: "write a word, or a sum such as king - man + woman",
        OF_TEXTS: "write a text",
        OF_OCCURRENCES: "write a sentence and one of its words",
    }
    if not text or (kind == OF_OCCURRENCES and not word):
        st.session_state["map_wrong"] = UserError(missing[kind])
        return
    try:
        widgets.check_length(text)
    except UserError as error:
        st.session_state["map_wrong"] = error
        return
    query = str(Term(1.0, word, Context(text))) if kind == OF_OCCURRENCES else text
    st.session_state["map_placed"] = [*(one for one in written() if one != query), query][-MAX_POINTS:]


def written() -> list[str]:
    """What the user has written for this map."""
    value = st.session_state.get("map_placed")
    return value if isinstance(value, list) else []


def placed(map_key: tuple[object, ...], space: Space, found: SpaceMap, whole: bool) -> list[PlacedPoint]:
    """What the user has written, on this map. What can't be placed is taken out, and reported under the form."""
    done = []
    for text in list(written()):
        key = ("placed", text, *map_key, whole)
        job = widgets.jobs().start(key, partial(_place, text, space, found))
        job.wait(work.QUICK_SECONDS)
        if job.pending:
            work.watch(job, key)
            continue
        try:
            done.append(cast(PlacedPoint, job.result()))
        except UserError as error:
            st.session_state["map_wrong"] = error
            st.session_state["map_placed"] = [one for one in written() if one != text]
    return done


def _place(text: str, space: Space, found: SpaceMap, progress: Progress) -> PlacedPoint:
    vector = vector_of(text, space, progress)
    return PlacedPoint(text, vector, widgets.explorer().maps.place(found, vector[None])[0])
