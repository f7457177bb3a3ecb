"""The page Contexts: what separates two senses, on an axis on which every occurrence was left out."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.contexts.words import WordChoice
from polysema.app.dashboard.series import COLORS
from polysema.app.explorer.results import WordMap
from polysema.app.explorer.results.contexts import SenseAxisAnswer

GRAY = "#8b94a0"
OTHERS = "others"


def axis_panel(found: WordMap, choice: WordChoice, names: list[str], layer: int, by: str) -> None:
    """Two groups are chosen; their occurrences lie on a line, with what was told apart and what chance tells apart."""
    counts = {name: names.count(name) for name in names}
    ends = [name for name in sorted(counts, key=lambda name: (-counts[name], name)) if counts[name] > 1]
    if len(ends) < 2:
        return
    with st.expander("What separates them, on an axis", expanded=True):
        left, right = st.columns(2)
        first = permalink.pick(left, "From", ends, "group", key="axis_from", index=0)
        second = permalink.pick(right, "To", ends, "group", key="axis_to", index=1)
        if first == second:
            st.info("Choose two different groups.")
            return
        model = found.origin.source
        answer: SenseAxisAnswer | None = work.answer(
            ("axis", model, choice, layer, by, first, second),
            lambda progress: (
                widgets.explorer()
                .model(model, progress=progress)
                .senses.contexts.axis(choice.word, (first, second), layer, by, choice.texts)
            ),
        )
        if answer is None:
            return
        downloads.chart(
            _strip(answer), f"Occurrences of {found.word} on the axis from {first} to {second} at layer {layer}"
        )
        widgets.say(
            f"At **layer {layer}**, **{answer.accuracy:.0%}** of the occurrences lie on their own side of 0, "
            f"each left out of the means that make the axis; with labels at random it is {answer.shuffled:.0%} "
            f"(p = {answer.p_value:.3f})."
        )
        if answer.made_of_vectors:
            st.caption(
                "These groups were found in these very vectors, so they lie apart by construction: that says nothing "
                "about senses. Color by senses, or correct the groups by hand and save them, to see what is there."
            )
        downloads.numbers(
            [
                {"value": one.value, "label": one.label, "text": one.text, "start": one.start, "end": one.end}
                for one in answer.places
            ],
            "axis",
        )


def _strip(found: SenseAxisAnswer) -> alt.LayerChart:
    """A dot for each occurrence; those of a group stand on one line, a little apart."""
    first, second = found.ends
    kept = [one for one in found.places if one.label]
    apart = np.random.default_rng(0).uniform(-0.5, 0.5, len(kept))
    table = pd.DataFrame(
        [
            {
                "place": one.value,
                "group": one.label if one.label in found.ends else OTHERS,
                "apart": float(shift),
                "text": one.text[:200],
            }
            for one, shift in zip(kept, apart, strict=True)
        ]
    )
    groups = [first, second, *([OTHERS] if (table["group"] == OTHERS).any() else [])]
    colors, shapes = [COLORS[0], COLORS[1], GRAY][: len(groups)], ["circle", "square", "cross"][: len(groups)]
    dots = (
        alt.Chart(table)
        .mark_point(filled=True, size=60, opacity=0.75)
        .encode(
            x=alt.X("place:Q", title=f"{first}   ←   0   →   {second}"),
            y=alt.Y("group:N", sort=groups, title=None),
            yOffset=alt.YOffset("apart:Q", scale=alt.Scale(domain=[-1, 1])),
            color=alt.Color("group:N", scale=alt.Scale(domain=groups, range=colors), legend=None),
            shape=alt.Shape("group:N", scale=alt.Scale(domain=groups, range=shapes), legend=None),
            tooltip=["group", alt.Tooltip("place:Q", format="+.2f"), "text"],
        )
    )
    rule = alt.Chart(pd.DataFrame({"place": [0.0]})).mark_rule(strokeDash=[4, 4], color=GRAY).encode(x="place:Q")
    chart: alt.LayerChart = (dots + rule).properties(height=60 + 50 * len(groups))
    return chart
