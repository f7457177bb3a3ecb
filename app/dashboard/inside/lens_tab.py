"""The tab Lens of the page Inside: the prediction after every layer."""

from collections.abc import Mapping, Sequence

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
    TEAL,
    given,
    letter_kind,
    model_box,
    preferred,
    shown,
    typed,
    with_model,
)
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import trail_bar, walk
from polysema.core.inside import lens as lenses
from polysema.core.model.catalog import READABLE
from polysema.core.space.space import Family

MAX_TOKENS = 24  # columns of the lens


def lens_part() -> None:
    """What the model would say if it stopped at each layer."""
    names = preferred(choices.models(READABLE), Family.DECODER)
    first, second = st.columns([4, 8], vertical_alignment="bottom")
    name = model_box(names, "lm", first, "Which model reads the text.")
    point = second.segmented_control(
        "Look",
        ["after attention", "after the MLP"],
        default="after the MLP",
        required=True,
        key="lp",
        bind="query-params",
        help="Where in each layer the state is read.",
    )
    with st.form("lens", border=False):
        text = typed(
            f"lt_{letter_kind(name)}",
            LETTERS if choices.reads_letters(name) else PROMPT,
            "Text",
            "What the model reads; it stays out of the link.",
        )
        box, run = st.columns([8, 2], vertical_alignment="bottom")
        word = permalink.box(
            box.text_input,
            "inside",
            "Word to follow",
            "F" if choices.reads_letters(name) else "basketball",
            key=f"lw_{letter_kind(name)}",
            max_chars=60,
            help="Its rank and probability through the layers; a word of several tokens counts by its first. A token "
            "may be given in quotes as it is shown, or by its id, #28.",
        )
        run.form_submit_button("Look", type="primary", width="stretch")
    if not text:
        st.info("Write a text to look at, such as: The capital of France is")
        return
    word = (word or "").strip()
    found = work.answer(
        ("lens", name, text, word, point), with_model(name, lambda: lens_of(name, text, word, point or ""))
    )
    if found is None:
        return
    for target in found.targets:
        if target.note:
            widgets.remark(widgets.plain(target.note[0].upper() + target.note[1:]) + ".")
    if found.windows > 1:
        widgets.remark("The text is longer than the model’s window: each token was seen where it has most context.")
    if len(found.tokens) > MAX_TOKENS:
        widgets.remark(f"The last {MAX_TOKENS} of {len(found.tokens)} tokens are drawn.")
    lens_picture(found, name, text, word)


def lens_of(name: str, text: str, word: str, point: str) -> lenses.Lens:
    """The lens over all layers."""
    model = widgets.explorer().model(name).internals.on_torch()
    query, source = given(model, text)
    where = "attention" if point == "after attention" else "mlp"
    return lenses.lens(model, query, None, [word] if word else [], source, lenses.LensView((where,), 10))


def lens_picture(found: lenses.Lens, name: str, text: str, word: str) -> None:
    """The heat map, the followed word's way, and what one cell says."""
    first = max(0, len(found.tokens) - MAX_TOKENS)
    static = found.kind == lenses.STATIC
    score = "cosine" if static else "probability"
    rows = lens_rows(found, first, score)
    table = pd.DataFrame(rows)
    order = [f"{p}: {shown(found.tokens[p].name)}" for p in range(first, len(found.tokens))]
    widgets.remark(
        "Each square is the prediction at that token if the model stopped there: the best token, darker when surer."
        if not static
        else "This model has no output head, so each square is the nearest row of its table of input embeddings."
    )
    event = st.altair_chart(
        heat_map(table, order, score, len(found.steps), bool(found.targets)),
        width="stretch",
        alt="The prediction at each token and layer, darker when surer",
        on_select="rerun",
        selection_mode="cell",
        key=f"lens_{name}",
    )
    left, right = st.columns([7, 5], gap="medium")
    with left:
        if found.targets:
            followed(found, table, word, score, order[-1])
    with right:
        picked_cell(found, event, first, score, f"lw_{letter_kind(name)}")
    downloads.numbers([{key: value for key, value in row.items() if key != "place"} for row in rows], "lens")
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n\n"
        f"found = Explorer().model({name!r}).lens({text!r}, words={[word] if word else []!r})\n"
        "found.scores  # (steps, tokens, k), the best first; found.ranks follows the word",
        f"{found.kind.capitalize()}: the final norm and the output head are applied to the state of every layer; "
        "the last row is the model's actual prediction. "
        "Early layers were never trained to be decoded like this, and are often unreadable.",
    )


def lens_rows(found: lenses.Lens, first: int, score: str) -> list[dict[str, object]]:
    """A row for each layer and token from the `first` on."""
    rows = []
    for step, (layer, _) in enumerate(found.steps):
        for place in range(first, len(found.tokens)):
            number = int(found.best[step, place, 0])
            row = {
                "layer": layer,
                "place": place,
                "token": f"{place}: {shown(found.tokens[place].name)}",
                "best": shown(found.names[number]),
                score: float(found.scores[step, place, 0]),
                "best ten": ", ".join(
                    f"{shown(found.names[int(n)])} {s:.3f}"
                    for n, s in zip(found.best[step, place], found.scores[step, place], strict=True)
                ),
            }
            if found.targets:
                row |= {
                    "rank": int(found.ranks[step, place, 0]),
                    f"{score} of the word": float(found.followed[step, place, 0]),
                }
            rows.append(row)
    return rows


def heat_map(table: pd.DataFrame, order: Sequence[str], score: str, n_layers: int, follows: bool) -> alt.LayerChart:
    """Layers by tokens, each cell with its best token; with the rank of the followed word in the tooltip."""
    base = alt.Chart(table).encode(
        x=alt.X("token:N", sort=order, title="token read", axis=alt.Axis(labelAngle=-40, labelLimit=90)),
        y=alt.Y("layer:O", sort="descending", title="layer"),
        tooltip=["layer", "token", "best ten", *(["rank"] if follows else [])],
    )
    cell = alt.selection_point(name="cell", fields=["layer", "place"], on="click")
    squares = (
        base.mark_rect(cursor="pointer")
        .encode(
            color=alt.Color(
                f"{score}:Q",
                scale=alt.Scale(scheme="tealblues", domain=[0, 1]),
                legend=alt.Legend(orient="top", title=f"{score} of the best"),
            ),
            stroke=alt.condition(cell, alt.value(AMBER), alt.value(None), empty=False),
            strokeWidth=alt.value(2),
        )
        .add_params(cell)
    )
    names = base.mark_text(fontSize=10, limit=78).encode(
        text="best:N", color=alt.condition(f"datum['{score}'] > 0.6", alt.value("#ffffff"), alt.value("#1b2733"))
    )
    found: alt.LayerChart = (squares + names).properties(height=max(260, min(620, 19 * n_layers + 170)))
    return found


def picked_cell(found: lenses.Lens, event: object, first: int, score: str, box: str) -> None:
    """The ten best tokens of the cell that was clicked, at first of the last one; a click on one follows it, through
    the text box with the key `box`.
    """
    picked = (event.get("selection", {}).get("cell") or [{}])[0] if isinstance(event, Mapping) else {}
    layer, place = int(picked.get("layer", found.steps[-1][0])), int(picked.get("place", len(found.tokens) - 1))
    step = next((s for s, (at, _) in enumerate(found.steps) if at == layer), len(found.steps) - 1)
    place = place if first <= place < len(found.tokens) else len(found.tokens) - 1
    widgets.say(
        f"At layer **{found.steps[step][0]}**, token **{widgets.plain(found.tokens[place].name)}** "
        "(click a square for another)"
    )

    def follow(token: object) -> None:
        walk("inside", {box: f"#{token}"})

    trail_bar("inside", f"following {found.targets[0].word}" if found.targets else "Lens")
    tokens = zip(found.best[step, place], found.scores[step, place], strict=True)
    clickable_list([ListedRow(shown(found.names[int(n)]), "", float(s), int(n)) for n, s in tokens], "best", follow)
    st.caption(f"The {score} of each; a click follows it through the layers.")


def followed(found: lenses.Lens, table: pd.DataFrame, word: str, score: str, last: str) -> None:
    """The rank of the followed word through the layers, at the last token."""
    own = table[table["token"] == last]
    widgets.say(f"**{widgets.plain(word)}** through the layers, at the last token")
    chart = (
        alt.Chart(own)
        .mark_line(point=alt.OverlayMarkDef(color=TEAL), color=TEAL)
        .encode(
            x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("rank:Q", scale=alt.Scale(type="log", reverse=True), title="rank (1 is the best)"),
            tooltip=["layer", "rank", alt.Tooltip(f"{score} of the word:Q", format=".4f")],
        )
        .properties(height=240)
    )
    downloads.chart(chart, "The followed word through the layers")
    end = own.iloc[-1]
    widgets.remark(
        f"At the last layer it is number {int(end['rank']):,} with a {score} of "
        f"{float(end[f'{score} of the word']):.4f}; "
        f"it was highest at layer {int(own['layer'].iloc[int(own['rank'].to_numpy().argmin())])}."
    )
