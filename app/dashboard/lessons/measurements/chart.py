"""The picture of a measurement's rows: bars or lines."""

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads
from polysema.app.dashboard.lessons.lesson import LessonChart, LessonResult
from polysema.app.dashboard.series import COLORS, lines

MAX_BAR_ROWS = 24


def draw_chart(found: LessonResult, key: str) -> None:
    """The picture that a measurement names, and its numbers as a table."""
    chart: LessonChart = found.shown
    rows = [{name: row.get(name) for name in (chart.x, chart.y, chart.series) if name} for row in found.rows]
    rows = [row for row in rows if row.get(chart.y) is not None]
    if rows:
        downloads.chart(
            _lines(rows, chart) if chart.kind == "lines" else _bars(rows[:MAX_BAR_ROWS], chart), chart.title
        )
    st.dataframe([dict(row) for row in found.rows], hide_index=True, width="stretch", key=f"table_{key}")


def _lines(rows: list[dict[str, object]], chart: LessonChart) -> alt.LayerChart:
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X(f"{chart.x}:Q", scale=alt.Scale(type="log" if chart.log else "linear")),
        y=alt.Y(f"{chart.y}:Q", scale=alt.Scale(type="log" if chart.log else "linear")),
    )
    names = list(dict.fromkeys(str(row[chart.series]) for row in rows))
    return lines(base, chart.series, names[: len(COLORS)]).properties(height=320)


def _bars(rows: list[dict[str, object]], chart: LessonChart) -> alt.Chart:
    base = alt.Chart(pd.DataFrame(rows)).mark_bar(color=COLORS[0])
    encodings = {
        "y": alt.Y(f"{chart.x}:N", sort=None, title=None, axis=alt.Axis(labelLimit=220)),
        "x": alt.X(f"{chart.y}:Q"),
        "tooltip": [chart.x, alt.Tooltip(f"{chart.y}:Q", format=".4f")],
    }
    if chart.series:
        encodings["color"] = alt.Color(f"{chart.series}:N", scale=alt.Scale(range=list(COLORS)))
        encodings["yOffset"] = alt.YOffset(f"{chart.series}:N")
    found: alt.Chart = base.encode(**encodings).properties(height=max(120, 30 * len(rows)))
    return found
