"""The page Compare: the neighbors of a point in both spaces, and how much all neighborhoods changed."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st

from polysema.app.dashboard import downloads, point_colors, trail, widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.explorer.results import MatchedMaps
from polysema.core.maps.overlap import Shift
from polysema.core.space.label_search import labels_of
from polysema.core.space.space import Space


def look_at(row: object) -> None:
    """Another row is looked at, on both maps and in the lists."""
    if isinstance(row, int):
        trail.walk("compare", {"compare_focus": row})


def neighbors(found: MatchedMaps, row: int) -> None:
    """The neighbors of a row in A and in B, with what was lost and gained."""
    labels = labels_of(found.a.space)
    stayed = found.stayed(row)
    lost, gained = found.lost(row), found.gained(row)
    text, start, end = _place(found.a.space, row)
    trail.trail_bar("compare", text or labels[row].as_py())
    if text:
        st.html(f'<p class="ps-text">{widgets.marked(text, start, end)}</p>')
    widgets.say(
        f"**{widgets.plain(labels[row].as_py())}**: {len(stayed)} of {found.k} neighbors stayed, {len(lost)} "
        "were lost, as many gained"
    )
    in_a = sorted((*stayed, *lost), key=lambda shift: shift.rank_a)
    in_b = sorted((*stayed, *gained), key=lambda shift: shift.rank_b)
    gone, come = {shift.row for shift in lost}, {shift.row for shift in gained}
    left, right = st.columns(2, gap="medium")
    with left:
        widgets.say(f"Nearest in A, {widgets.plain(found.a.name)}")
        notes = [
            f"− lost: rank {s.rank_b:,} in B" if s.row in gone else f"= stayed: rank {s.rank_b:,} in B" for s in in_a
        ]
        listed(found, [(s, s.cosine_a, n) for s, n in zip(in_a, notes, strict=True)], "near_a", found.a.baseline)
    with right:
        widgets.say(f"Nearest in B, {widgets.plain(found.b.name)}")
        notes = [
            f"+ gained: rank {s.rank_a:,} in A" if s.row in come else f"= stayed: rank {s.rank_a:,} in A" for s in in_b
        ]
        listed(found, [(s, s.cosine_b, n) for s, n in zip(in_b, notes, strict=True)], "near_b", found.b.baseline)
    downloads.numbers(
        lambda: [
            {
                "name": labels[s.row].as_py(),
                "row": s.row + 1,
                "change": what,
                "rank in A": s.rank_a,
                "rank in B": s.rank_b,
                "cosine in A": s.cosine_a,
                "cosine in B": s.cosine_b,
                "random pair in A": found.a.baseline,
                "random pair in B": found.b.baseline,
            }
            for what, shifts in (("stayed", stayed), ("lost", lost), ("gained", gained))
            for s in shifts
        ],
        "compare-neighbors",
        "Neighbors (CSV)",
    )


def listed(found: MatchedMaps, rows: Sequence[tuple[Shift, float, str]], key: str, baseline: float) -> None:
    """Neighbors with their cosines and notes; where they stand in texts, the texts. A click goes to one of them."""
    labels = labels_of(found.a.space)
    lines = []
    for shift, score, note in rows:
        text, start, end = _place(found.a.space, shift.row)
        lines.append(ListedRow(text or labels[shift.row].as_py(), note, score, int(shift.row), (start, end)))
    clickable_list(lines, key, look_at, baseline)
    widgets.remark(widgets.beside(baseline))


def _place(space: Space, row: int) -> tuple[str, int, int]:
    one = space.columns.slice(row, 1).to_pylist()[0] if space.columns is not None else {}
    text = str(one.get("text") or "")
    return (text, *point_colors.mark(text, one.get("start"), one.get("end")))


def table(found: MatchedMaps, chosen: Sequence[int]) -> int | None:
    """All rows, or those selected, those first that changed most or least; returns the one that is chosen in it."""
    order = st.segmented_control(
        "First",
        ["changed most", "changed least"],
        default="changed most",
        required=True,
        key="corder",
        bind="query-params",
        help="In which order the rows stand; a click on a column's head sorts by it.",
    )
    rows = found.changed if order == "changed most" else found.changed[::-1]
    if chosen:
        rows = rows[np.isin(rows, np.array(chosen))]
    made = table_of(found, rows)
    widgets.say(
        f"**{len(rows):,} rows**" + (" selected" if chosen else "; choose one to see its neighbors in both spaces")
    )
    event = st.dataframe(
        made,
        height=300,
        hide_index=True,
        lazy=False,
        on_select="rerun",
        selection_mode="single-row",
        key="compare_table",
        alt="Rows and how much of their neighborhood stayed",
        column_order=[name for name in made.column_names if name not in ("text_id", "start", "end")],
    )
    downloads.columns(
        lambda: made, "compare-rows", "Rows (CSV)", "Every row shown, what stayed, and its place on both maps."
    )
    picked = list(event["selection"]["rows"])
    return int(rows[picked[0]]) if picked and picked[0] < len(rows) else None


def table_of(found: MatchedMaps, rows: "np.typing.NDArray[np.int64]") -> pa.Table:
    """Name, share that stayed, columns, and places on both maps."""
    taken = pa.array(rows)
    columns: dict[str, Any] = {"name": labels_of(found.a.space).take(taken), "stayed": pa.array(found.overlap[rows])}
    if found.a.space.columns is not None:
        space = found.a.space.columns.take(taken)
        columns |= {
            name: space.column(name) for name in space.column_names if name not in ("word", "layer", "name", "stayed")
        }
    for side, letter in ((found.a, "A"), (found.b, "B")):
        columns |= {f"{axis} in {letter}": pa.array(side.positions[rows, place]) for place, axis in enumerate("xy")}
    return pa.table(columns)


def distribution(found: MatchedMaps) -> None:
    """How many rows kept how many of their neighbors."""
    counts = np.bincount(np.round(found.overlap * found.k).astype(int), minlength=found.k + 1)
    widgets.say("How many rows kept how many of their neighbors")
    rows = [{"stayed": kept, "rows": int(many)} for kept, many in enumerate(counts)]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("stayed:O", title=f"neighbors of {found.k} that stayed", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("rows:Q", title="rows"),
        tooltip=["stayed", "rows"],
    )
    downloads.chart(
        base.mark_bar(color=downloads.FILL).properties(height=240),
        "How many rows kept how large a share of their neighbors",
    )
    downloads.numbers(lambda: rows, "what-stayed")
