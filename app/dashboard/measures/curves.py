"""The page Measures: curves over the layers, several models on one plot, and the numbers as files."""

import json
import math
from collections.abc import Mapping

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.measures.kinds import Measurement, Report
from polysema.app.dashboard.share_menu import FileOffer, offer
from polysema.app.explorer.results.bias import BiasReport
from polysema.app.explorer.results.model_measures import LabelReport, ProbeReport
from polysema.app.explorer.serialization import json_object, to_json

SERIES = "curve"
MOST_FREQUENT = "most frequent answer"
MAX_PAIRED_CHARACTERS = 18  # of names that stand two in a row on a phone
LEGEND_ROW_HEIGHT = 18  # pixels


def curves(found: Report, measurement: Measurement) -> None:
    """The curves of one attribute, the table, and the files."""
    names = list(measurement.curves)
    shown = st.segmented_control(
        "Curve", names, default=names[0], required=True, key=f"curve_{measurement.key[0]}", bind="query-params"
    )
    shown = shown or names[0]
    table = curve_table(found, measurement.curves[shown])
    downloads.chart(curve_chart(table, shown), f"{shown} at each layer of {', '.join(dict.fromkeys(table[SERIES]))}")
    widgets.remark(widgets.plain(found.protocol))
    rows = [_rounded(json_object(row)) for row in found.rows]
    with st.expander("Numbers"):
        st.dataframe(rows, hide_index=True, width="stretch")
    kind = str(measurement.key[0])
    downloads.numbers(lambda: [json_object(row) for row in found.rows], kind)
    offer(
        FileOffer(
            "Report (JSON)",
            kind,
            lambda: json.dumps(to_json(found), ensure_ascii=False, indent=1),
            f"{kind}.json",
            "application/json",
            f"json_{kind}",
            "What the shell and the service answer.",
        )
    )


def curve_table(found: Report, attribute: str) -> pd.DataFrame:
    """A line for each value: its curve, its layer (NaN for vectors without one) and its value."""
    rows = [
        {SERIES: _series(found, row), "layer": math.nan if row.layer is None else row.layer}
        | {"value": float(getattr(row, attribute))}
        for row in found.rows
    ]
    if isinstance(found, (LabelReport, ProbeReport)) and attribute == "accuracy":
        rows.append({SERIES: MOST_FREQUENT, "layer": math.nan, "value": found.most_frequent})
    return pd.DataFrame(rows)


def _series(found: Report, row: object) -> str:
    if isinstance(found, BiasReport):
        return str(getattr(row, "source", ""))
    model, first = str(getattr(row, "model", "")), str(getattr(row, "first_words", ""))
    name = f"{model}, {first} first words" if first else model
    return f"{name}, static" if getattr(row, "layer", None) is None else name


def curve_chart(table: pd.DataFrame, shown: str) -> alt.LayerChart:
    """Lines with points over the layers, distinguished by color, dash and shape; what has no layer is a level line."""
    names = list(dict.fromkeys(table[SERIES]))
    columns = 2 if max(map(len, names), default=0) <= MAX_PAIRED_CHARACTERS else 1
    legend = alt.Legend(title=None, orient="bottom", labelLimit=0, columns=columns)
    color = alt.Color(f"{SERIES}:N", sort=names, legend=legend)
    base = alt.Chart(table[table["layer"].notna()]).encode(
        x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("value:Q", title=shown, scale=alt.Scale(zero=False)),
        color=color,
        tooltip=[SERIES, "layer", alt.Tooltip("value:Q", format=".4f")],
    )
    drawn = base.mark_line().encode(
        strokeDash=alt.StrokeDash(f"{SERIES}:N", sort=names, legend=legend)
    ) + base.mark_point(filled=True, size=45).encode(shape=alt.Shape(f"{SERIES}:N", sort=names, legend=legend))
    without_layer = table[table["layer"].isna()]
    if len(without_layer):  # an empty group of marks would be a picture without a name
        level = alt.Chart(without_layer).encode(
            y="value:Q", color=color, tooltip=[SERIES, alt.Tooltip("value:Q", format=".4f")]
        )
        drawn += level.mark_rule(strokeDash=[2, 4], size=2)
    found: alt.LayerChart = drawn.properties(height=380 + LEGEND_ROW_HEIGHT * max(0, -(-len(names) // columns) - 2))
    return found


def _rounded(row: Mapping[str, object]) -> dict[str, object]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
