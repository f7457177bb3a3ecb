"""The tab Attribution of the page Inside: what each part adds to the logit of a word."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import (
    AMBER,
    LETTERS,
    PROMPT,
    SENTENCE,
    TEAL,
    given,
    model_box,
    preferred,
    typed,
    with_model,
)
from polysema.app.dashboard.inside.leads import compute_head
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import trail_bar
from polysema.core.inside.attribution import Attribution, contributions
from polysema.core.model.catalog import READABLE
from polysema.core.space.space import Family

MAX_HEADS = 5  # in the list under the map of heads


def attribution_part() -> None:
    """What each part adds to the logit of a word."""
    names = preferred(choices.models(READABLE), Family.DECODER)
    name = model_box(names, "cm_in", st.columns([4, 8])[0], "Which model reads the text.")
    encoder = choices.family_of(name) is Family.ENCODER
    kind = "w" if choices.reads_letters(name) else "e" if encoder else "t"
    start = {"w": (LETTERS, "F", ""), "e": (SENTENCE, "swan", "water"), "t": (PROMPT, "basketball", "baseball")}[kind]
    with st.form("adds", border=False):
        text = typed(f"ct_{kind}", start[0], "Text", "What the model reads; it stays out of the link.")
        one, two, where, run = st.columns([3, 3, 3, 2], vertical_alignment="bottom")
        word = permalink.box(
            one.text_input,
            "inside",
            "Word",
            start[1],
            key=f"cw_{kind}",
            max_chars=60,
            help="Whose logit is taken apart.",
        )
        against = permalink.box(
            two.text_input,
            "inside",
            "Against",
            start[2],
            key=f"ca_{kind}",
            max_chars=60,
            help="Another word: what makes the first likelier than this one. Empty: the first alone.",
        )
        at = permalink.box(
            where.text_input,
            "inside",
            "At the word",
            "swan" if encoder else "",
            key=f"cp_{kind}",
            max_chars=60,
            help="Where in the text. Empty: where the next word is predicted (of a letter model the first sound).",
        )
        run.form_submit_button("Take apart", type="primary", width="stretch")
    word, against, at = ((value or "").strip() for value in (word, against, at))
    if not text or not word:
        st.info("Write a text and a word, such as: The capital of France is / Paris")
        return
    found = work.answer(
        ("adds", name, text, word, against, at), with_model(name, lambda: attribution_of(name, text, word, against, at))
    )
    if found is None:
        return
    for target in (found.target, found.against):
        if target is not None and target.note:
            widgets.remark(widgets.plain(target.note[0].upper() + target.note[1:]) + ".")
    attribution_picture(found, name, text)


def attribution_of(name: str, text: str, word: str, against: str, at: str) -> Attribution:
    """The parts of a logit."""
    model = widgets.explorer().model(name).internals.on_torch()
    query, source = given(model, text)
    place: str | int | None = at or (0 if model.reads_two else None)
    return contributions(model, query, word, against or None, source, place)


def attribution_picture(found: Attribution, name: str, text: str) -> None:
    """The largest parts as bars, all heads as a heat map, and the sum."""
    rows = [{"part": p.name, "kind": p.kind, "layer": p.layer, "head": p.head, "adds": p.value} for p in found.parts]
    trail_bar("inside", f"Attribution {found.token}")
    widgets.say(
        f"The {widgets.plain(found.measure)} at **{widgets.plain(found.token)}** is **{found.score:.3f}**; the "
        f"{len(found.parts)} parts add up to **{found.total:.3f}**."
    )
    largest = pd.DataFrame(sorted(rows, key=lambda row: -abs(float(str(row["adds"]))))[:16])
    bars = (
        alt.Chart(largest)
        .mark_bar()
        .encode(
            y=alt.Y("part:N", sort=None, title=None, axis=alt.Axis(labelLimit=170, labelOverlap=False)),
            x=alt.X("adds:Q", title="adds to the score"),
            color=alt.condition("datum.adds > 0", alt.value(TEAL), alt.value(AMBER)),
            tooltip=["part", "kind", alt.Tooltip("adds:Q", format="+.4f")],
        )
        .properties(height=370)
    )
    left, right = st.columns([6, 6], gap="medium")
    with left:
        widgets.remark("The 16 parts with the largest effect.")
        downloads.chart(bars, "The parts with the largest effect")
    with right:
        head_map(rows)
        head_list(rows, name, text)
    widgets.remark("; ".join(f"{kind} {value:+.3f}" for kind, value in in_sums(rows).items()) + ".")
    downloads.numbers(rows, "attribution")
    against = f", {found.against.word!r}" if found.against else ""
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n\n"
        f"found = Explorer().model({name!r}).attribution({text!r}, {found.target.word!r}{against}, "
        f"at={found.position})\n"
        "for part in found.parts:\n    print(part.name, part.value)",
        "The state that the head reads is a sum: the embedding, what each head and each MLP wrote, and biases. "
        "With the scale of the norms frozen at what it is here, "
        "the score is the sum of what each adds to it.",
    )


def head_map(rows: Sequence[dict[str, Any]]) -> None:
    """What every head adds, as a heat map; of a decoder with cross-attention one of both kinds."""
    in_heads = pd.DataFrame([row for row in rows if row["kind"] in ("head", "cross head")])
    most = float(in_heads["adds"].abs().max()) or 1.0
    maps = (
        alt.Chart(in_heads)
        .mark_rect()
        .encode(
            x=alt.X("head:O", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("layer:O", sort="descending"),
            color=alt.Color(
                "adds:Q",
                scale=alt.Scale(range=[AMBER, "#f4f4f2", TEAL], domain=[-most, 0, most]),
                legend=alt.Legend(orient="top", title="adds"),
            ),
            tooltip=["part", alt.Tooltip("adds:Q", format="+.4f")],
        )
    )
    kinds = ["head", "cross head"] if (in_heads["kind"] == "cross head").any() else ["head"]
    kind = kinds[0]
    if len(kinds) > 1:
        kind = (
            st.segmented_control(
                "Heads of",
                kinds,
                default=kinds[-1],
                required=True,
                key="ch",
                bind="query-params",
                help="The decoder’s look at itself, or at the source.",
            )
            or kinds[-1]
        )
    widgets.remark("Every head: layers upwards, heads to the right.")
    downloads.chart(
        maps.transform_filter(alt.datum.kind == kind).properties(
            height=max(260, min(560, 16 * int(in_heads["layer"].max()) + 180))
        ),
        "What each head adds, layers upwards, heads to the right",
    )


def head_list(rows: Sequence[dict[str, Any]], name: str, text: str) -> None:
    """The heads that add or take most; a click opens one in the tab Head, with the same text."""
    heads = sorted((row for row in rows if row["kind"] == "head"), key=lambda row: -abs(row["adds"]))[:MAX_HEADS]

    def show(row: object) -> None:
        if isinstance(row, tuple):
            compute_head(name, text, row[0], row[1])

    listed = [
        ListedRow(f"head {row['part']}", f"{row['adds']:+.3f}", None, (row["layer"], row["head"])) for row in heads
    ]
    clickable_list(listed, "largest_heads", show)


def in_sums(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The sum of each kind of part."""
    sums: dict[str, float] = {}
    for row in rows:
        sums[row["kind"]] = sums.get(row["kind"], 0.0) + row["adds"]
    return sums
