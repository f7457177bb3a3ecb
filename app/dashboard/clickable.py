"""Lists whose rows can be clicked: each goes there, on the plot and into the question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from polysema.app.dashboard.permalink import plain


@dataclass(frozen=True, slots=True)
class ListedRow:
    """A row of a list: its `name`, small print, a score from 0 to 1 for its bar, and what it stands for.

    A row without a `value` can't be gone to. `marked` are the letters of the name that are shown in bold.
    """

    name: str
    note: str = ""
    score: float | None = None
    value: object = None
    marked: tuple[int, int] = (0, 0)


def clickable_list(
    rows: Sequence[ListedRow], key: str, choose: Callable[[object], None], baseline: float = 0.0
) -> None:
    """A button for each row, with a bar behind it and a mark at the baseline; a click calls `choose` with its value."""
    with st.container(key=f"ps_list_{key}", gap=None):
        for place, row in enumerate(rows):
            st.button(
                _label(place + 1, row),
                key=f"{key}_{place}",
                type="tertiary",
                width="stretch",
                disabled=row.value is None,
                on_click=choose,
                args=(row.value,),
            )
    bars = "".join(
        f".st-key-{key}_{place} button{{--ps-share:{100 * min(1.0, max(0.0, row.score)):.1f}%;"
        f"--ps-base:{100 * min(1.0, max(0.0, baseline)):.1f}%}}"
        for place, row in enumerate(rows)
        if row.score is not None
    )
    st.html(f"<style>{bars}</style>")


def _label(rank: int, row: ListedRow) -> str:
    start, end = row.marked
    name = f"{plain(row.name[:start])}**{plain(row.name[start:end])}**{plain(row.name[end:])}"
    if start == end:
        name = f"**{plain(row.name)}**"
    elif start and row.name[start - 1].isspace():  # `plain` drops the spaces at the ends
        name = f"{plain(row.name[:start])} **{plain(row.name[start:end])}** {plain(row.name[end:])}"
    score = f" :gray[{row.score:.3f}]" if row.score is not None else ""
    note = f"  \n:small[:gray[{plain(row.note)}]]" if row.note else ""
    return f":gray[{rank}]  {name}{score}{note}"
