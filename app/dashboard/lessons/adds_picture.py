"""The picture of the lesson on attribution: the parts of a score, and the rank of the word through the layers."""

from dataclasses import dataclass

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.leads import follow_in
from polysema.app.dashboard.lessons.chips import AMBER, TEAL
from polysema.app.dashboard.lessons.lesson import (
    LessonResult,
)
from polysema.app.dashboard.series import COLORS, SHAPES


@dataclass(frozen=True, slots=True, eq=False)
class FeatureShift:
    """Per layer what attention and MLP add; the word's rank on the way; the best next tokens; and the controls."""

    model: str
    word: str
    layers: list[dict[str, object]]
    way: list[dict[str, object]]
    best: tuple[tuple[str, float], ...]
    controls: tuple[tuple[str, float, int, str], ...]


def _compare(word: str, controls: list[tuple[str, float, int, str]]) -> str:
    """What the other texts give the same word."""
    own = controls[0][1]
    higher = [text for text, p, _, _ in controls[1:] if p >= own]
    if higher:
        return (
            f"Beware: {len(higher)} of the {len(controls) - 1} other texts give {word} at least as much, so it "
            "isn’t the name alone that brings it."
        )
    second = max(p for _, p, _, _ in controls[1:])
    times = own / second if second > 0 else float("inf")
    return (
        f"The other texts give {word} less, at most {second:.1%}: with this one it is {times:.1f} times as likely."
        + (" That is little: the name does some of it." if times < 2 else " So the text makes the difference.")
    )


def _added_bars(shown: FeatureShift) -> alt.Chart:
    """What the attention and the MLP of each layer add, as bars."""
    found: alt.Chart = (
        alt.Chart(pd.DataFrame(shown.layers))
        .mark_bar()
        .encode(
            x=alt.X("layer:O", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            xOffset=alt.XOffset("part:N", sort=["attention", "MLP"]),
            y=alt.Y("adds:Q", title="adds to the score"),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=["attention", "MLP"], range=[AMBER, TEAL]),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=["layer", "part", alt.Tooltip("adds:Q", format="+.3f")],
        )
        .properties(height=250)
    )
    return found


def _rank_lines(shown: FeatureShift) -> alt.LayerChart:
    """The rank of the word on its way through the layers."""
    line = (
        alt.Chart(pd.DataFrame(shown.way))
        .mark_line(color="#8b94a0", strokeWidth=1)
        .encode(
            x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("rank:Q", scale=alt.Scale(type="log", reverse=True), title="rank (1 is the best)"),
        )
    )
    dots = (
        alt.Chart(pd.DataFrame(shown.way))
        .mark_point(filled=True, size=45)
        .encode(
            x="layer:Q",
            y=alt.Y("rank:Q", scale=alt.Scale(type="log", reverse=True)),
            color=alt.Color(
                "read:N",
                scale=alt.Scale(domain=["embedding", "after attention", "after the MLP"], range=list(COLORS)),
                legend=alt.Legend(orient="top", title=None),
            ),
            shape=alt.Shape(
                "read:N",
                scale=alt.Scale(domain=["embedding", "after attention", "after the MLP"], range=list(SHAPES)),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=[alt.Tooltip("block:Q", title="layer"), "read", "rank", alt.Tooltip("probability:Q", format=".4f")],
        )
    )
    found: alt.LayerChart = (line + dots).properties(height=250)
    return found


def draw(found: LessonResult, key: str) -> None:
    """What each layer adds, the rank on the way, the next words, and the other texts."""
    shown: FeatureShift = found.shown
    left, right = st.columns(2, gap="medium")
    with left:
        widgets.say("**What each layer adds to the score**")
        downloads.chart(_added_bars(shown), "What attention and the MLP of each layer add")
    with right:
        widgets.say("**Its rank on the way through the layers**")
        downloads.chart(_rank_lines(shown), "The rank of the word, layer by layer")
    left, right = st.columns(2, gap="medium")
    with left:
        widgets.say("**What it would say next**")
        listed = [ListedRow(token, "", p, (shown.controls[0][0], token)) for token, p in shown.best]
        clickable_list(listed, f"{key}_next_tokens", follow_in(shown.model))
        downloads.ranked(shown.best, f"{key}_next", "token", "probability")
    with right:
        widgets.say(f"**“{widgets.plain(shown.word)}” after other texts**")
        texts = [ListedRow(f"{text} …", f"first: {top}", p, (text, shown.word)) for text, p, _, top in shown.controls]
        clickable_list(texts, f"{key}_other_texts", follow_in(shown.model))
        downloads.numbers(
            [{"text": text, "probability": p, "rank": rank, "first": top} for text, p, rank, top in shown.controls],
            f"{key}_controls",
            "Other texts (CSV)",
        )
