"""Small charts of columns: bars that are clicked or brushed, each chart counted for what the others let through."""

from collections.abc import Mapping, Sequence

import streamlit as st

from polysema.app.dashboard.components import assets
from polysema.app.explorer.results.columns import ColumnChart

_mount = st.components.v2.component(
    "polysema_charts", js=assets.module("charts/mount.js"), css=assets.asset("charts/charts.css")
)


def _ignore_change() -> None:
    """Stand-in callback: with one, the result always has the attribute and `default` is allowed."""


def charts(shown: Sequence[ColumnChart], key: str) -> None:
    """Draw the charts; what is brushed is read by `brushed_bars` at the beginning of the next run."""
    data = {
        "charts": [
            {
                "column": chart.column,
                "kind": chart.kind,
                "log": chart.log,
                "other": chart.other,
                "missing": chart.missing,
                "bars": [[bar.label, bar.count, bar.total, bar.chosen] for bar in chart.bars],
            }
            for chart in shown
        ]
    }
    _mount(key=key, data=data, default={"brush": None}, on_brush_change=_ignore_change)


def brushed_bars(key: str) -> tuple[str, list[int]] | None:
    """The column that was newly brushed, and the places of its bars that are chosen now."""
    try:
        state = st.session_state[key]
    except (KeyError, AttributeError):
        return None
    message = state.get("brush") if isinstance(state, Mapping) else getattr(state, "brush", None)
    if not isinstance(message, Mapping) or not isinstance(message.get("column"), str):
        return None
    done, at, bars = f"_brush_{key}", message.get("at"), message.get("bars")
    if st.session_state.get(done) == at or not isinstance(bars, list) or any(type(bar) is not int for bar in bars):
        return None
    st.session_state[done] = at
    return message["column"], bars
