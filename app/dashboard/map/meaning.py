"""The page Map: the answers to a text by its meaning, ranked beside the map and lit on it."""

from collections.abc import Sequence

import streamlit as st

from polysema.app.dashboard import own_points, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import clickable_list
from polysema.app.dashboard.map.controls import MapQuestion
from polysema.app.dashboard.map.inspector import go_to, listed_rows
from polysema.app.explorer.options import SearchOptions
from polysema.app.explorer.results import Neighbor
from polysema.core.errors import UserError
from polysema.core.progress import Progress
from polysema.core.space.space import Space

MAX_ANSWERS = 20


def question() -> str:
    """The text whose answers by meaning are shown; empty for none."""
    text = st.session_state.get("map_question")
    return text if isinstance(text, str) else ""


def answers(query: MapQuestion, space: Space, where: str) -> Sequence[Neighbor]:
    """The rows nearest to that text, of those that pass the condition, best first.

    What is wrong with the text is shown.
    """
    text = question()
    if not text:
        return ()
    found: Sequence[Neighbor] | None = work.answer(
        ("by meaning", text, where, *query.key), lambda progress: _nearest(text, space, where, progress)
    )
    return found or ()


def _nearest(text: str, space: Space, where: str, progress: Progress) -> Sequence[Neighbor]:
    if reason := own_points.refusal(space):
        raise UserError(reason)
    explorer = widgets.explorer()
    vector = own_points.vector_of(text, space, progress)
    k = min(MAX_ANSWERS, len(space))
    return explorer.space(space).nearest(vector[None], k, SearchOptions(where=where))[0].neighbors


def show_answers(found: Sequence[Neighbor], space: Space, n: int) -> None:
    """The ranked answers, and who read the text."""
    text = question()
    if not text:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        widgets.say(f"Nearest to **{widgets.plain(text)}**")
        st.button("Close", key="map_question_close", on_click=lambda: st.session_state.pop("map_question", None))
    widgets.remark(f"Read by {widgets.plain(own_points.reader_of(space))}.")
    rows = [(one.row, one.key, one.score, "" if one.row < n else "not among the points shown") for one in found]
    clickable_list(listed_rows(space, rows, n), "meant", go_to, widgets.explorer().space(space).baseline)
