"""The steps of a text that was written: candidates as squares to click, entropy, the looks at the source."""

from collections.abc import Mapping, Sequence
from html import escape

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list, rules
from polysema.app.dashboard.downloads import chart_svg
from polysema.app.dashboard.inside.controls import AMBER, TEAL, shown
from polysema.app.dashboard.sharing import page_record
from polysema.core.inside.generation_results import GeneratedText, GenerationStep

MAX_COLUMNS = 40  # steps drawn at once
COLUMN_WIDTH, ROW_HEIGHT = 42, 26  # pixels of a square at least: where they don't fit, the chart is swiped
AXES_WIDTH, AXES_HEIGHT = 60, 160  # what axes and legend take of a chart
MARKED = "background:rgba(217,119,6,0.35);color:inherit;border-radius:3px;padding:3px 1px"


def step_label(step: GenerationStep) -> str:
    """A step in a list."""
    return f"{step.number}: {shown(step.token)}"


def candidate_rows(found: GeneratedText, first: int) -> list[dict[str, object]]:
    """A row for each candidate of each step from the `first` on."""
    return [
        {
            "step": step.number,
            "written": step_label(step),
            "entropy (bits)": round(step.entropy, 3),
            "place": place,
            "token": shown(one.token),
            "id": one.id,
            "probability": one.probability,
            "chance": one.chance,
            "taken": one.id == step.id,
        }
        for step in found.steps[first:]
        for place, one in enumerate(step.candidates, 1)
    ]


def candidate_chart(found: GeneratedText, key: str) -> tuple[int, int] | None:
    """The best candidates of every step, the entropy above; the step and the id of the square that was clicked."""
    first = max(0, len(found.steps) - MAX_COLUMNS)
    table = pd.DataFrame(candidate_rows(found, first))
    order = [step_label(step) for step in found.steps[first:]]
    x = alt.X("written:N", sort=order, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=90))
    square = alt.selection_point(name="square", fields=["step", "id"], on="click")
    base = alt.Chart(table).encode(
        x=x,
        y=alt.Y("place:O", title="rank of the candidate"),
        tooltip=["written", "token", alt.Tooltip("probability", format=".4f"), alt.Tooltip("chance", format=".4f")],
    )
    scale = alt.Scale(scheme="tealblues", domain=[0, 1])
    squares = (
        base.mark_rect(cursor="pointer")
        .encode(
            color=alt.Color("probability:Q", scale=scale, legend=alt.Legend(orient="top", title="probability")),
            stroke=alt.condition("datum.taken", alt.value(AMBER), alt.value(None)),
            strokeWidth=alt.value(2),
        )
        .add_params(square)
        .properties(height=ROW_HEIGHT * len(found.steps[first].candidates) + AXES_HEIGHT)
    )
    names = base.mark_text(fontSize=11, limit=alt.ExprRef("bandwidth('x') - 2")).encode(
        text="token:N", color=alt.condition("datum.probability > 0.6", alt.value("#ffffff"), alt.value("#1b2733"))
    )
    bits = (
        alt.Chart(table)
        .transform_filter("datum.place == 1")
        .mark_bar(color=TEAL)
        .encode(
            x=alt.X("written:N", sort=order, title=None, axis=None),
            y=alt.Y("entropy (bits):Q", title="bits", axis=alt.Axis(tickCount=3)),
            tooltip=["written", "entropy (bits)"],
        )
        .properties(height=70)
    )
    place = st.container(key="candidate_charts")
    width = AXES_WIDTH + COLUMN_WIDTH * len(order)
    rules(f".st-key-candidate_charts > div {{min-width: {width}px}}", place)
    place.altair_chart(bits, width="stretch", alt="The entropy of each step in bits")
    page_record.picture(lambda: chart_svg(bits & (squares + names)), "candidates", "The candidates of each step")
    event = place.altair_chart(
        squares + names,
        width="stretch",
        alt="The candidates of each step, darker when more probable; the one that was taken is framed",
        on_select="rerun",
        selection_mode="square",
        key=key,
    )
    picked = (event.get("selection", {}).get("square") or [{}])[0] if isinstance(event, Mapping) else {}
    step, number = picked.get("step"), picked.get("id")
    return (step, number) if type(step) is int and type(number) is int else None


def best_tokens(steps: Sequence[GenerationStep]) -> list[str]:
    """The tokens of the text behind the last step: of a beam search those of its best beam, from parent to parent."""
    tokens: list[str] = []
    place = 0
    for step in reversed(steps):
        if not step.beams:
            tokens.append(step.token)
            continue
        running = step.beams if step is steps[-1] else [beam for beam in step.beams if not beam.ends]
        tokens.append(running[place].token)
        place = running[place].parent
    return tokens[::-1]


def lit_source(source: Sequence[str], shares: Sequence[float], tokens: Sequence[str], place: int) -> None:
    """Source and target side by side: one of the tokens marked, the source lit by how much that one looks at it."""
    top = max(shares)
    between = "" if any(name[:1].isspace() for name in source) else " "  # where tokens don't bring their own space
    lit = between.join(
        _lit(name, share, share / top if top else 0.0) for name, share in zip(source, shares, strict=True)
    )
    target = "".join(
        f'<mark style="{MARKED}">{escape(token)}</mark>' if number == place else escape(token)
        for number, token in enumerate(tokens)
    )
    left, right = st.columns(2, gap="medium")
    with left:
        widgets.say("**Source**, lit by the cross-attention of the marked word")
    left.html(f'<div class="ps-lit" style="line-height:2.2">{lit}</div>')
    with right:
        widgets.say("**Written**")
    right.html(f'<div class="ps-lit" style="line-height:2.2;white-space:pre-wrap">{target}</div>')


def _lit(name: str, share: float, strength: float) -> str:
    style = f"background:rgba(13,148,136,{0.75 * strength:.2f});border-radius:3px;padding:3px 2px;white-space:pre-wrap"
    return f'<span tabindex="0" title="{share:.3f} of the look" style="{style}">{escape(name)}</span>'


def look_chart(found: GeneratedText) -> alt.Chart:
    """Each step's look at the source, (steps, source tokens), as squares."""
    steps = [step_label(step) for step in found.steps]
    columns = [f"{place}: {shown(name)}" for place, name in enumerate(found.prompt)]
    rows = [
        {"written": step, "source": column, "share": share}
        for step, line in zip(steps, found.cross_attention, strict=True)
        for column, share in zip(columns, line, strict=True)
    ]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("source:N", sort=columns, title="token of the source", axis=alt.Axis(labelAngle=-40, labelLimit=90)),
        y=alt.Y("written:N", sort=steps, title="written"),
        tooltip=["written", "source", alt.Tooltip("share", format=".3f")],
    )
    color = alt.Color("share:Q", scale=alt.Scale(scheme="tealblues", domain=[0, 1]), legend=None)
    answer: alt.Chart = base.mark_rect().encode(color=color).properties(height=22 * len(steps) + AXES_HEIGHT)
    return answer


def step_bars(step: GenerationStep, drawn: bool, key: str) -> int | None:
    """The candidates of one step as bars; the id of the one that was clicked, from which the text goes on."""
    widgets.say(
        f"**Step {step.number}**: {widgets.plain(shown(step.token))}, number {step.rank:,} by its probability "
        f"{step.probability:.3f}; entropy {step.entropy:.2f} bits"
    )

    def take(token: object) -> None:
        st.session_state[f"{key}_taken"] = token

    rows = [
        ListedRow(
            shown(one.token),
            f"drawn by {one.chance:.3f}" if drawn else "",
            one.probability,
            None if one.id == step.id else one.id,
        )
        for one in step.candidates
    ]
    clickable_list(rows, key, take)
    taken = st.session_state.pop(f"{key}_taken", None)
    return taken if isinstance(taken, int) else None


def text_html(prompt: str, steps: Sequence[GenerationStep], joined: bool) -> str:
    """The text in one line: what stood before in gray, each token with its probability as a color."""
    parts = [f'<span style="opacity:0.75">{escape(prompt)}</span>' if joined else ""]
    for step in steps:
        if step.ends:
            continue
        color = f"rgba(217,119,6,{0.6 * (1 - step.probability):.2f})"
        style = f"background:{color};border-radius:3px;padding:3px 1px;white-space:pre-wrap"
        if step.forced:
            style += ";text-decoration:underline"
        title = f"step {step.number}: probability {step.probability:.3f}, {step.entropy:.2f} bits"
        parts.append(f'<span tabindex="0" title="{escape(title)}" style="{style}">{escape(step.token)}</span>&#8203;')
    return f'<div class="surprisal" style="line-height:2.2">{"".join(parts)}</div>'
