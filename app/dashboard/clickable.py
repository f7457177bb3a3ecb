"""Lists whose rows can be clicked: each goes there, on the plot and into the question."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from polysema.app.dashboard.permalink import plain
from polysema.app.explorer.results import Neighbor, OccurrenceHit

EMPTY = "\u200b"  # a part without letters: Markdown makes no element of nothing


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
    rows: Sequence[ListedRow],
    key: str,
    choose: Callable[[object], None],
    baseline: float = math.nan,
    *,
    in_columns: bool = False,
) -> None:
    """A button for each row, with a bar behind it and a mark at the baseline; a click calls `choose` with its value.

    `in_columns` puts the marked letters of all names below each other.
    """
    label, form = (_label_in_columns, "columns_") if in_columns else (_label, "")
    with st.container(key=f"ps_list_{form}{key}", gap=None):
        for place, row in enumerate(rows):
            st.button(
                label(place + 1, row),
                key=f"{key}_{place}",
                type="tertiary",
                width="stretch",
                disabled=row.value is None,
                on_click=choose,
                args=(row.value,),
            )
    bars = "".join(
        f".st-key-{key}_{place} button{{--ps-share:{_percent(row.score)};--ps-base:{_percent(baseline)}}}"
        for place, row in enumerate(rows)
        if row.score is not None
    )
    rules(bars)


def rules(css: str, place: DeltaGenerator | None = None) -> None:
    """A few rules for what stands beside them. Streamlit may show rules that come without an element too late or never;
    the element takes no room.
    """
    (place or st).html(f'<i class="ps-rules"></i><style>{css}</style>')


def neighbor_rows(found: Sequence[Neighbor]) -> list[ListedRow]:
    """Neighbors for a list; each stands for its key."""
    return [ListedRow(one.key, "", one.score, one.key) for one in found]


def occurrence_rows(found: Sequence[OccurrenceHit]) -> list[ListedRow]:
    """Occurrences for a list, each sentence with its word marked, and the sense; each stands for itself."""
    return [ListedRow(one.text, one.sense, one.score, one, (one.start, one.end)) for one in found]


def _percent(share: float) -> str:
    return "-9px" if math.isnan(share) else f"{100 * min(1.0, max(0.0, share)):.1f}%"  # out of sight


def _label(rank: int, row: ListedRow) -> str:
    start, end = row.marked
    before, marked, after = row.name[:start], row.name[start:end], row.name[end:]
    name = f"**{plain(row.name)}**"
    if start < end:  # `plain` drops the spaces at the ends
        lead = " " * before.endswith((" ", "\t", "\n"))
        name = f"{plain(before)}{lead}**{plain(marked)}**{' ' * after[:1].isspace()}{plain(after)}"
    score = f" :gray[{row.score:.3f}]" if row.score is not None else ""
    note = f"  \n:small[:gray[{plain(row.note)}]]" if row.note else ""
    return f":gray[{rank}]  {name}{score}{note}"


def _label_in_columns(rank: int, row: ListedRow) -> str:
    """Five parts, each an element of its own for the grid of the style sheet, also where nothing stands before or
    behind the marked letters.
    """
    start, end = row.marked
    before, marked, after = row.name[:start], row.name[start:end], row.name[end:]
    lead, gap = (" " * part.isspace() for part in (before[-1:], after[:1]))
    before, marked, after = (plain(part) or EMPTY for part in (before, marked, after))
    score = EMPTY if row.score is None else f"{row.score:.3f}"
    return f":gray[{rank}] :small[{before}]{lead}**{marked}**{gap}:small[{after}] :gray[{score}]"
