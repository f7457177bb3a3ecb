"""The tab Steering of the page Inside: the next word before and after a vector is added."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import (
    GRAY,
    TEAL,
    given,
    letter_kind,
    model_box,
    preferred,
    shown,
    typed,
)
from polysema.app.dashboard.loading import loaded
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import offer
from polysema.app.dashboard.trail import trail_bar, walk
from polysema.core.inside import steering
from polysema.core.inside.directions import concepts
from polysema.core.model.catalog import READABLE
from polysema.core.space.space import Family


def steering_part() -> None:
    """A concept added to the hidden states, and the next word before and after."""
    names = [
        name
        for name in preferred(choices.models(READABLE), Family.DECODER)
        if choices.family_of(name) is not Family.ENCODER
    ]
    if not names:
        offer("smollm2-135m", "Steering needs a model that says words, such as", "steering")
        return
    first, second, third = st.columns([4, 4, 4], vertical_alignment="bottom")
    name = model_box(names, "sm", first, "Which model is steered.", (Family.DECODER, Family.ENCODER_DECODER))
    if not loaded(name):
        return
    model = widgets.explorer().model(name).internals.on_torch()
    layer = second.slider(
        "Layer",
        0,
        model.n_layers,
        model.n_layers // 2,
        key=f"sl_{name}",
        bind="query-params",
        help="Where the vector is added; 0 is the embedding.",
    )
    strength = third.slider(
        "Strength",
        -1.5,
        1.5,
        0.4,
        0.1,
        key="ss",
        bind="query-params",
        help="In lengths of a typical hidden state of that layer; negative goes the other way.",
    )
    form = steering_form(name)
    if not form.text or not form.toward or not form.away:
        st.info("Write a text, and at least one text toward and one away from.")
        return
    found = work.answer(("steer", name, *form, layer, strength), lambda progress: steered(name, form, layer, strength))
    if found is None:
        return
    changed, table = found
    steer_picture(changed, table, form, layer, strength)
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n"
        "from polysema.core.inside.steering import Statement, Steer\n\n"
        f"model = Explorer().model({name!r})\n"
        f"sides = {list(form.toward)!r}, {list(form.away)!r}\n"
        f"found = model.steer({form.text!r}, *sides, {layer}, Steer({strength}), Statement(words=({form.word!r},)))",
        "The vector is the mean hidden state of the texts on the left minus that of the texts on the right, "
        f"at layer {layer}, scaled to {strength:g} times the typical length there ({changed.length:.1f}), "
        "and added at every token.",
    )


class SteeringForm(NamedTuple):
    """What is steered: a text, the texts of both concepts, and the word to follow with the key of its text box."""

    text: str
    toward: tuple[str, ...]
    away: tuple[str, ...]
    word: str
    box: str


def steering_form(name: str) -> SteeringForm:
    """The form for the text, the two concepts and the word to follow."""
    kind = letter_kind(name)
    start = {
        "w": ("phone", "photo\ngraph", "top\npot", "F"),
        "t": (
            "We went down to the",
            "The ship sailed across the ocean.\nWaves broke on the beach.\nFish swim in the deep sea.",
            "The car drove along the road.\nDust blew over the desert.\nGoats climb the dry mountain.",
            "ocean",
        ),
    }[kind]
    with st.form("steer", border=False):
        text = typed(f"st_{kind}", start[0], "Text", "What the model goes on from; it stays out of the link.")
        one, two = st.columns(2)
        toward = permalink.box(
            one.text_area,
            "inside",
            "Toward, a text a line",
            start[1],
            key=f"sw_{kind}",
            height=90,
            help="Texts of the concept to go to.",
        )
        away = permalink.box(
            two.text_area,
            "inside",
            "Away from, a text a line",
            start[2],
            key=f"sa_{kind}",
            height=90,
            help="Texts of what to go away from.",
        )
        box, run = st.columns([8, 2], vertical_alignment="bottom")
        word = permalink.box(
            box.text_input,
            "inside",
            "Word to follow",
            start[3],
            key=f"sf_{kind}",
            max_chars=60,
            help="Its probability before and after.",
        )
        run.form_submit_button("Steer", type="primary", width="stretch")
    sides = [tuple(line.strip() for line in (side or "").splitlines() if line.strip()) for side in (toward, away)]
    return SteeringForm(text, sides[0], sides[1], (word or "").strip(), f"sf_{kind}")


def steered(
    name: str, form: SteeringForm, layer: int, strength: float
) -> tuple[steering.SteeredToken, tuple[steering.SweepRow, ...]]:
    """Before and after, and the same at other strengths."""
    model = widgets.explorer().model(name).internals.on_torch()
    query, source = given(model, form.text)
    for side in (form.toward, form.away):
        widgets.check_length("\n".join(side))
    direction = concepts(model, form.toward, form.away, [layer])[layer]
    words = (form.word,) if form.word else ()
    say = steering.Statement(10, words, 12)
    strengths = [-1.0, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return (
        steering.steer(model, query, direction, steering.Steer(strength), say, source),
        steering.sweep(model, query, [direction], strengths, say, source),
    )


def steer_picture(
    changed: steering.SteeredToken, table: Sequence[steering.SweepRow], form: SteeringForm, layer: int, strength: float
) -> None:
    """The two distributions and continuations side by side, and the sweep; a click on a token follows it."""
    word = form.word

    def follow(token: object) -> None:
        walk("inside", {form.box: token})

    trail_bar("inside", f"following {word}" if word else "Steering")
    left, right = st.columns(2, gap="medium")
    for column, title, best, continued in (
        (left, "Before", changed.before, changed.continued_before),
        (right, "After", changed.after, changed.continued_after),
    ):
        with column:
            widgets.say(f"**{title}**")
            rows = [ListedRow(shown(token), "", p, repr(token)) for token, p in best]
            clickable_list(rows, f"next_{title.lower()}", follow)
            st.html(f'<p class="ps-note">goes on: …{escape(continued) or "(it ends)"}</p>')
    said = [f"The two are {changed.divergence:.2f} bits apart."]
    for item in changed.followed:
        if item.target.note:
            said.append(widgets.plain(item.target.note) + ".")
        said.append(
            f"**{widgets.plain(item.target.word)}** goes from {item.before:.4f} (number {item.rank_before:,}) to "
            f"{item.after:.4f} (number {item.rank_after:,})."
        )
    widgets.say(" ".join(said))
    strengths = [
        {
            "layer": layer,
            "strength": row.strength,
            "best": row.best,
            "probability": row.probability,
            "divergence": row.divergence,
        }
        | ({f"p({word})": row.followed[0]} if row.followed else {})
        for row in table
    ]
    field = f"p({word})" if word else "divergence"
    frame = pd.DataFrame([{"strength": row["strength"], "value": row[field], "best": row["best"]} for row in strengths])
    line = (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(color=TEAL), color=TEAL)
        .encode(
            x=alt.X("strength:Q"),
            y=alt.Y("value:Q", title="probability" if word else "bits"),
            tooltip=["strength", alt.Tooltip("value:Q", format=".5f"), "best"],
        )
    )
    here = (
        alt.Chart(pd.DataFrame({"strength": [strength]}))
        .mark_rule(strokeDash=[4, 4], color=GRAY)
        .encode(x="strength:Q")
    )
    what = f"The probability of {widgets.plain(word)}" if word else "How far the next word is from the unsteered one"
    widgets.remark(f"{what} at other strengths, at layer {layer}; the dashed line is yours.")
    downloads.chart((line + here).properties(height=200), "What is followed at each strength")
    downloads.numbers(strengths, "steering")
