"""Inside: what goes on between the embedding and the last layer of a model."""

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.attention_mask import mask
from polysema.app.dashboard.components.heads import VIEWS, Heads, chosen_head, heads
from polysema.app.explorer.inside_options import text_for, unit_for
from polysema.core.errors import UserError
from polysema.core.inside import attention as attending
from polysema.core.inside import lens as lenses
from polysema.core.inside import steering
from polysema.core.inside.attribution import Attribution, contributions
from polysema.core.inside.families import FamilyRun, road
from polysema.core.inside.hooks import one_reading
from polysema.core.model.catalog import CATALOG, models_here
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Family

ATTENTION, LENS, ADDS, STEER, ROADS = "Attention", "Lens", "Contributions", "Steering", "Roads"
SENTENCE = "the white swan in the blue water"
PROMPT = "The sport that Michael Jordan played is"
LETTERS = "phone"
MAX_UNITS = 64  # words or tokens drawn at once
MAX_TOKENS = 24  # columns of the lens
TEAL, AMBER, GRAY = "#0d9488", "#d97706", "#8b94a0"
KINDS = {
    "Decoder looks at the source": ("decoder", "cross"),
    "Decoder looks at itself": ("decoder", "self"),
    "Encoder looks at itself": ("encoder", "self"),
}


def family_of(name: str) -> Family:
    """The family of a model of the catalog."""
    return next(row.family for row in CATALOG if row.name == name)


def letters(name: str) -> bool:
    """Whether the model was made to read the letters of one word."""
    return next(row.reads for row in CATALOG if row.name == name) == "letters"


def given(model: LanguageModel, text: str) -> tuple[str | None, str | None]:
    """The text and the source: an encoder reads what is typed, and its decoder writes the rest itself."""
    widgets.check_length(text)
    return (None, text) if model.reads_two else (text, None)


def shown(name: str) -> str:
    """A token for a list: without the space before a word, and a sign for one that is nothing but space."""
    return name.strip() or ("⏎" if "\n" in name else "␣")


def model_box(names: Sequence[str], key: str, place: Any, explains: str) -> str:
    """Which model."""
    return permalink.pick(place, "Model", names, "model", key=key, help=explains)


def typed(key: str, start: str, label: str, explains: str) -> str:
    """A line of text; the link names it by a number."""
    return (permalink.box(st.text_input, "inside", label, start, key=key, help=explains) or "").strip()


# Attention


def attention_part() -> None:
    """The heads of a sentence, one of them large, and which head does what."""
    names = models_here(("texts", "letters"))
    first, second, third = st.columns([4, 4, 4], vertical_alignment="bottom")
    name = model_box(names, "am", first, "Which model reads the sentence.")
    two = family_of(name) is Family.ENCODER_DECODER
    stack, kind = "", "self"
    if two:
        chosen = second.selectbox(
            "Whose attention",
            list(KINDS),
            key="ak",
            bind="query-params",
            help="A model of two stacks has three kinds of attention.",
        )
        stack, kind = KINDS[chosen]
    view = (third if two else second).segmented_control(
        "Show the head as",
        list(VIEWS),
        default=VIEWS[0],
        required=True,
        key="av",
        bind="query-params",
        help="Lines between words, or a table of squares.",
    )
    folds = not two and st.toggle(
        "Fold away the model’s own tokens",
        key="af",
        bind="query-params",
        help="[CLS] and [SEP] swallow most of the weight; without them each row is shared among the words.",
    )
    with st.form("attention", border=False):
        text = typed(
            f"at_{'w' if letters(name) else 't'}",
            LETTERS if letters(name) else SENTENCE,
            "Word" if letters(name) else "Sentence",
            "This model reads the letters of one word."
            if letters(name)
            else "Any sentence of yours; it stays on this machine: a copied link names it by a number.",
        )
        st.form_submit_button("Look inside", type="primary")
    if not text:
        st.info("Write something to look at, such as: the white swan in the blue water")
        return
    found = work.answer(
        ("attention", name, stack, kind, folds, text), lambda progress: attention_of(name, stack, kind, folds, text)
    )
    if found is None:
        return
    part = found[0]
    if len(found) > 1:
        st.caption(
            f"The text is longer than the model’s window and is read in {len(found)} overlapping windows: choose "
            "one of them."
        )
        part = found[
            int(
                st.number_input(
                    "Window", 1, len(found), 1, key="aw", bind="query-params", help="Which part of the text."
                )
            )
            - 1
        ]
    if max(len(part.rows), len(part.columns)) > MAX_UNITS:
        st.info(
            f"At most {MAX_UNITS} words are drawn at once, and these are "
            f"{max(len(part.rows), len(part.columns))}. Give a shorter text; "
            "`polysema inside attention` prints longer ones."
        )
        return
    heads_picture(part, name, view or VIEWS[0])
    if kind == "self":
        find_head_part(name, stack, text)


def attention_of(name: str, stack: str, kind: str, folds: bool, text: str) -> tuple[attending.Attention, ...]:
    """The attention of a text in every layer, window by window."""
    model = widgets.explorer().inside(name, stack)
    query, source = given(model, text)
    view = attending.AttentionView(kind, unit_for(model), "fold" if folds else "show")
    return attending.attention(model, query, None, source, view)


def heads_picture(part: attending.Attention, name: str, view: str) -> None:
    """The grid, the controls of the large head, and its numbers."""
    n_heads = part.weights.shape[1]
    key = f"heads_{name}_{part.view.kind}_{len(part.layers)}"
    layer_key, head_key = f"al_{name}_{part.view.kind}", f"ah_{name}_{part.view.kind}"

    def chosen() -> None:
        place = chosen_head((st.session_state.get(key) or {}).get("choice"), part.layers, n_heads)
        if place is not None:
            st.session_state[layer_key], st.session_state[head_key] = place

    one, other, rest = st.columns([2, 2, 6], vertical_alignment="bottom")
    layer = int(
        one.number_input(
            "Layer",
            1,
            max(part.layers),
            max(1, max(part.layers) // 2),
            key=layer_key,
            bind="query-params",
            help="From 1, nearest to the embedding.",
        )
    )
    head = int(
        other.number_input(
            "Head", 1, n_heads, 1, key=head_key, bind="query-params", help="Each head looks in a way of its own."
        )
    )
    rest.caption(about_head(part, layer, head))
    shown = Heads(
        part.weights,
        part.layers,
        [unit.name for unit in part.rows],
        [unit.name for unit in part.columns],
        part.forbidden,
    )
    heads(
        shown,
        key=key,
        alt=f"Attention of {name}: who looks at whom",
        layer=layer,
        head=head,
        view=view,
        on_choose=chosen,
    )
    weights = part.of(layer, head)
    rows = [
        {
            "layer": layer,
            "head": head,
            "from": row.name,
            "to": column.name,
            "weight": float(weights[i, j]),
            "masked": bool(part.forbidden[i, j]),
        }
        for i, row in enumerate(part.rows)
        for j, column in enumerate(part.columns)
    ]
    downloads.numbers(rows, "attention")
    query = "None" if part.source else repr(part.text)
    source = repr(part.source) if part.source else "None"
    widgets.python_lines(
        f"from polysema.app.explorer import Explorer\nfrom polysema.core.inside.attention import AttentionView, attention\n\n"
        "model = "
        f"Explorer().inside({name!r}{', ' + repr('encoder') if part.view.kind == 'self' and family_of(name) is Family.ENCODER_DECODER and not part.source else ''})\n"
        f"(found,) = attention(model, {query}, source={source}, view=AttentionView({part.view.kind!r}, "
        f"{part.view.unit!r}, {part.view.special!r}))\n"
        f"weights = found.of({layer}, {head})  # rows look at columns; each row adds up to 1",
        "Sub-words are merged to words: summed over the words looked at, averaged over those that look, so that "
        "each row still adds up to 1. "
        "Attention shows what a head reads, not what it does with it: see *Contributions* for that.",
    )


def about_head(part: attending.Attention, layer: int, head: int) -> str:
    """What the numbers of one head say about it."""
    weights = part.of(layer, head).astype(np.float64)
    said = []
    if part.view.kind == "self":
        before = float(np.mean([weights[i, i - 1] for i in range(1, len(weights))])) if len(weights) > 1 else 0.0
        own = float(np.mean(np.diag(weights)))
        said.append(
            f"to the word before {before:.0%}, to itself {own:.0%}, to the first {float(weights[:, 0].mean()):.0%}"
        )
    bits = -(weights * np.log2(np.maximum(weights, 1e-12))).sum(1).mean()
    said.append(f"spread over about {2**bits:.1f} words")
    if part.view.special == "fold":
        share = float(part.folded[part.layers.index(layer), head - 1].mean())
        said.append(f"{share:.0%} of the weight had gone to the model’s own tokens")
    if part.n_key_heads != part.weights.shape[1]:
        said.append(f"reads key head {part.key_head(head)} of {part.n_key_heads}")
    return f"Layer {layer}, head {head}: {'; '.join(said)}."


def find_head_part(name: str, stack: str, text: str) -> None:
    """Which heads have one word look at another, over a set of sentences."""
    st.markdown("#### Find the head")
    decoder = family_of(name) is Family.DECODER
    with st.form("find", border=False):
        box, run = st.columns([8, 2], vertical_alignment="bottom")
        pairs = permalink.box(
            box.text_input,
            "inside",
            "Who looks at whom",
            "water -> blue, swan -> white" if decoder else "blue -> water, white -> swan",
            key=f"fp_{'d' if decoder else 'e'}",
            max_chars=500,
            help="Pairs of words, each “blue -> water”, with commas between. In a decoder only a later word can look "
            "at an earlier one.",
        )
        run.form_submit_button("Find", type="primary", width="stretch")
        more = permalink.box(
            st.text_area,
            "inside",
            "More sentences, one a line",
            "a white swan swims in blue water\nunder the blue sky lies deep water and a white swan",
            key="fm",
            height=80,
            help="The heads are ranked by their average over all sentences: one that looks right in a single one may "
            "be luck.",
        )
    texts = [text, *(line.strip() for line in (more or "").splitlines() if line.strip())]
    found = work.answer(
        ("find head", name, stack, pairs, tuple(texts)), lambda progress: ranking(name, stack, pairs or "", texts)
    )
    if found is None:
        return
    top = found.scores[:8]
    left, right = st.columns([6, 6], gap="medium")
    with left:
        widgets.bars(
            [(f"layer {score.layer}, head {score.head}", score.mean) for score in top], "head", found.chance, "mean"
        )
        st.caption(
            f"Mean over {len(found.places)} places in {len({place[0] for place in found.places})} sentences. The "
            f"mark is what a head gives that looks at all words alike ({found.chance:.2f})."
        )
    with right:
        best = top[0]
        lucky = min(found.scores, key=lambda score: score.rank_at_first)
        st.markdown(
            f"On average the head that looks there most is **layer {best.layer}, head {best.head}** "
            f"({best.mean:.2f}; at the least {best.least:.2f}). "
            + (
                "It was the first in the first sentence alone as well."
                if best.rank_at_first == 1
                else f"In the first sentence alone it was number {best.rank_at_first}; the first there, layer "
                f"{lucky.layer}, head {lucky.head} ({lucky.first:.2f}), has a mean of {lucky.mean:.2f}."
            )
        )
        table = [
            {
                "layer": s.layer,
                "head": s.head,
                "mean": s.mean,
                "first": s.first,
                "rank at first": s.rank_at_first,
                "least": s.least,
                "looks there most": s.top,
            }
            for s in found.scores
        ]
        downloads.numbers(table, "heads")


def ranking(name: str, stack: str, pairs: str, texts: Sequence[str]) -> attending.HeadRanking:
    """All heads, by how much the first of each pair looks at the second."""
    widgets.check_length("\n".join(texts))
    query = []
    for pair in pairs.split(","):
        first, arrow, second = pair.partition("->")
        if not (arrow and first.strip() and second.strip()):
            raise UserError(f"a pair is written blue -> water; got {pair.strip()!r}")
        query.append((first.strip(), second.strip()))
    model = widgets.explorer().inside(name, stack)
    view = attending.AttentionView("self", unit_for(model))
    if model.reads_two:
        written = [one_reading(model, None, text).text for text in texts]
        return attending.find_heads(model, query, written, list(texts), view)
    return attending.find_heads(model, query, texts, None, view)


# The lens


def lens_part() -> None:
    """What the model would say if it stopped at each layer."""
    names = preferred(models_here(("texts", "letters")), Family.DECODER)
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
            f"lt_{'w' if letters(name) else 't'}",
            LETTERS if letters(name) else PROMPT,
            "Text",
            "What the model reads; it stays out of the link.",
        )
        box, run = st.columns([8, 2], vertical_alignment="bottom")
        word = permalink.box(
            box.text_input,
            "inside",
            "Word to follow",
            "F" if letters(name) else "basketball",
            key=f"lw_{'w' if letters(name) else 't'}",
            max_chars=60,
            help="Its rank and probability through the layers; a word of several tokens counts by its first. A token "
            "may be given in quotes as it is shown, or by its id, #28.",
        )
        run.form_submit_button("Look", type="primary", width="stretch")
    if not text:
        st.info("Write a text to look at, such as: The capital of France is")
        return
    word = (word or "").strip()
    found = work.answer(("lens", name, text, word, point), lambda progress: lens_of(name, text, word, point or ""))
    if found is None:
        return
    for target in found.targets:
        if target.note:
            st.caption(widgets.plain(target.note[0].upper() + target.note[1:]) + ".")
    if found.windows > 1:
        st.caption("The text is longer than the model’s window: each token was seen where it has most context.")
    if len(found.tokens) > MAX_TOKENS:
        st.caption(f"The last {MAX_TOKENS} of {len(found.tokens)} tokens are drawn.")
    lens_picture(found, name, text, word)


def preferred(names: Sequence[str], family: Family) -> list[str]:
    """The names with those of one family first."""
    return sorted(names, key=lambda name: family_of(name) is not family)


def lens_of(name: str, text: str, word: str, point: str) -> lenses.Lens:
    """The lens over all layers."""
    model = widgets.explorer().inside(name)
    query, source = given(model, text)
    where = "attention" if point == "after attention" else "mlp"
    return lenses.lens(model, query, None, [word] if word else [], source, lenses.LensView((where,), 10))


def lens_picture(found: lenses.Lens, name: str, text: str, word: str) -> None:
    """The heat map, the followed word's way, and what one cell says."""
    first = max(0, len(found.tokens) - MAX_TOKENS)
    static = found.kind == lenses.STATIC
    score = "cosine" if static else "probability"
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
    table = pd.DataFrame(rows)
    order = [f"{p}: {shown(found.tokens[p].name)}" for p in range(first, len(found.tokens))]
    n_layers = len(found.steps)
    base = alt.Chart(table).encode(
        x=alt.X("token:N", sort=order, title="token read", axis=alt.Axis(labelAngle=-40, labelLimit=90)),
        y=alt.Y("layer:O", sort="descending", title="layer"),
        tooltip=["layer", "token", "best ten", *(["rank"] if found.targets else [])],
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
    chart = (squares + names).properties(height=max(260, min(620, 19 * n_layers + 170)))
    st.caption(
        "Each square is what the model would say at that token if it stopped there: the best token, darker the surer."
        if not static
        else "This model has no head that says words, so each square is the nearest row of its table of input "
        "embeddings."
    )
    event = downloads.chart(
        chart,
        "What the model would say at each token and layer, darker the surer",
        on_select="rerun",
        selection_mode="cell",
        key=f"lens_{name}",
    )
    left, right = st.columns([7, 5], gap="medium")
    with left:
        if found.targets:
            followed(found, table, word, score, order[-1])
    with right:
        picked = (
            (event.get("selection", {}).get("cell") or [{}])[0]
            if isinstance(event, dict) or hasattr(event, "get")
            else {}
        )
        layer, place = int(picked.get("layer", found.steps[-1][0])), int(picked.get("place", len(found.tokens) - 1))
        step = next((s for s, (at, _) in enumerate(found.steps) if at == layer), len(found.steps) - 1)
        place = place if first <= place < len(found.tokens) else len(found.tokens) - 1
        st.markdown(
            f"At layer **{found.steps[step][0]}**, token **{widgets.plain(found.tokens[place].name)}** (click a "
            "square for another)"
        )
        widgets.bars(
            [
                (shown(found.names[int(n)]), float(s))
                for n, s in zip(found.best[step, place], found.scores[step, place], strict=True)
            ],
            "token",
            label=score,
        )
    downloads.numbers([{key: value for key, value in row.items() if key != "place"} for row in rows], "lens")
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\nfrom polysema.core.inside.lens import lens\n\nmodel = "
        f"Explorer().inside({name!r})\n"
        f"found = lens(model, {'None' if letters(name) else repr(text)}, "
        f"words={[word] if word else []!r}{', source=' + repr(text) if letters(name) else ''})\n"
        "found.scores  # (steps, tokens, k), the best first; found.ranks follows the word",
        f"{found.kind.capitalize()}: the final norm and the head are applied to the state of every layer; the "
        "last row is what the model answers. "
        "Early layers weren’t trained to be read so, and are often unreadable.",
    )


def followed(found: lenses.Lens, table: pd.DataFrame, word: str, score: str, last: str) -> None:
    """The rank of the followed word through the layers, at the last token."""
    own = table[table["token"] == last]
    st.markdown(f"**{widgets.plain(word)}** through the layers, at the last token")
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
    st.caption(
        f"At the last layer it is number {int(end['rank']):,} with a {score} of "
        f"{float(end[f'{score} of the word']):.4f}; "
        f"it was highest at layer {int(own['layer'].iloc[int(own['rank'].to_numpy().argmin())])}."
    )


# Contributions


def adds_part() -> None:
    """What each part adds to the logit of a word."""
    names = preferred(models_here(("texts", "letters")), Family.DECODER)
    name = model_box(names, "cm_in", st.columns([4, 8])[0], "Which model reads the text.")
    encoder = family_of(name) is Family.ENCODER
    kind = "w" if letters(name) else "e" if encoder else "t"
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
        ("adds", name, text, word, against, at), lambda progress: adds_of(name, text, word, against, at)
    )
    if found is None:
        return
    for target in (found.target, found.against):
        if target is not None and target.note:
            st.caption(widgets.plain(target.note[0].upper() + target.note[1:]) + ".")
    adds_picture(found, name, text)


def adds_of(name: str, text: str, word: str, against: str, at: str) -> Attribution:
    """The parts of a logit."""
    model = widgets.explorer().inside(name)
    query, source = given(model, text)
    place: str | int | None = at or (0 if model.reads_two else None)
    return contributions(model, query, word, against or None, source, place)


def adds_picture(found: Attribution, name: str, text: str) -> None:
    """The largest parts as bars, all heads as a heat map, and the sum."""
    rows = [{"part": p.name, "kind": p.kind, "layer": p.layer, "head": p.head, "adds": p.value} for p in found.parts]
    st.markdown(
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
    left, right = st.columns([6, 6], gap="medium")
    with left:
        st.caption("The 16 parts that add or take most.")
        downloads.chart(bars, "The parts that add or take most")
    with right:
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
        st.caption("Every head: layers upwards, heads to the right.")
        downloads.chart(
            maps.transform_filter(alt.datum.kind == kind).properties(
                height=max(260, min(560, 16 * int(in_heads["layer"].max()) + 180))
            ),
            "What each head adds, layers upwards, heads to the right",
        )
    sums = in_sums(rows)
    st.caption("; ".join(f"{kind} {value:+.3f}" for kind, value in sums.items()) + ".")
    downloads.numbers(rows, "contributions")
    against = f", {found.against.word!r}" if found.against else ""
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\nfrom polysema.core.inside.attribution import "
        f"contributions\n\nmodel = Explorer().inside({name!r})\n"
        f"found = contributions(model, {'None' if letters(name) else repr(text)}, "
        f"{found.target.word!r}{against}{', source=' + repr(text) if letters(name) else ''}, at={found.position})\n"
        "for part in found.parts:\n    print(part.name, part.value)",
        "The state that the head reads is a sum: the embedding, what each head and each MLP wrote, and biases. "
        "With the scale of the norms frozen at what it is here, "
        "the score is the sum of what each adds to it.",
    )


def in_sums(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The sum of each kind of part."""
    sums: dict[str, float] = {}
    for row in rows:
        sums[row["kind"]] = sums.get(row["kind"], 0.0) + row["adds"]
    return sums


# Steering


def steer_part() -> None:
    """A concept added to the hidden states, and the next word before and after."""
    names = [
        name
        for name in preferred(models_here(("texts", "letters")), Family.DECODER)
        if family_of(name) is not Family.ENCODER
    ]
    if not names:
        st.info("Steering needs a model that says words. Bring one with `polysema models pull smollm2-135m`.")
        return
    first, second, third = st.columns([4, 4, 4], vertical_alignment="bottom")
    name = model_box(names, "sm", first, "Which model is steered.")
    model = work.answer(("model", name), lambda progress: widgets.explorer().inside(name))
    if model is None:
        return
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
    kind = "w" if letters(name) else "t"
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
    if not text or not all(sides):
        st.info("Write a text, and at least one text toward and one away from.")
        return
    word = (word or "").strip()
    found = work.answer(
        ("steer", name, text, sides[0], sides[1], layer, strength, word),
        lambda progress: steered(name, text, sides[0], sides[1], layer, strength, word),
    )
    if found is None:
        return
    changed, table = found
    steer_picture(changed, table, word, layer, strength)
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\nfrom polysema.core.inside.steering import Statement, Steer, "
        f"concepts, steer\n\nmodel = Explorer().inside({name!r})\n"
        f"direction = concepts(model, {list(sides[0])!r}, {list(sides[1])!r}, [{layer}])[{layer}]\n"
        f"found = steer(model, {'None' if letters(name) else repr(text)}, direction, Steer({strength}), "
        f"Statement(words=({word!r},)){', source=' + repr(text) if letters(name) else ''})",
        "The vector is the mean of the hidden states of the texts on the left less that of those on the right, "
        f"at layer {layer}, scaled to {strength:g} times the "
        f"typical length there ({changed.length:.1f}), and added at every token.",
    )


def steered(
    name: str, text: str, toward: Sequence[str], away: Sequence[str], layer: int, strength: float, word: str
) -> tuple[steering.SteeredToken, tuple[steering.SweepRow, ...]]:
    """Before and after, and the same at other strengths."""
    model = widgets.explorer().inside(name)
    query, source = given(model, text)
    for side in (toward, away):
        widgets.check_length("\n".join(side))
    direction = steering.concepts(model, toward, away, [layer])[layer]
    words = (word,) if word else ()
    say = steering.Statement(10, words, 12)
    strengths = [-1.0, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return (
        steering.steer(model, query, direction, steering.Steer(strength), say, source),
        steering.sweep(model, query, [direction], strengths, say, source),
    )


def steer_picture(
    changed: steering.SteeredToken, table: Sequence[steering.SweepRow], word: str, layer: int, strength: float
) -> None:
    """The two distributions and continuations side by side, and the sweep."""
    left, right = st.columns(2, gap="medium")
    for column, title, best, continued in (
        (left, "Before", changed.before, changed.continued_before),
        (right, "After", changed.after, changed.continued_after),
    ):
        with column:
            st.markdown(f"**{title}**")
            widgets.bars([(shown(token), p) for token, p in best], "next token", label="prob.")
            st.html(f'<p class="ps-note">goes on: …{escape(continued) or "(it ends)"}</p>')
    said = [f"The two are {changed.divergence:.2f} bits apart."]
    for item in changed.followed:
        if item.target.note:
            said.append(widgets.plain(item.target.note) + ".")
        said.append(
            f"**{widgets.plain(item.target.word)}** goes from {item.before:.4f} (number {item.rank_before:,}) to "
            f"{item.after:.4f} (number {item.rank_after:,})."
        )
    st.markdown(" ".join(said))
    rows = [
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
    frame = pd.DataFrame([{"strength": row["strength"], "value": row[field], "best": row["best"]} for row in rows])
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
    st.caption(f"{what} at other strengths, at layer {layer}; the dashed line is yours.")
    downloads.chart((line + here).properties(height=200), "What is followed at each strength")
    downloads.numbers(rows, "steering")


# Roads


def roads_part() -> None:
    """One sentence through the three families."""
    with st.form("roads", border=False):
        text = typed(
            "rt",
            "The white swan swims in the blue water",
            "Sentence",
            "It goes through one model of each family; a model that reads letters gets its longest word.",
        )
        st.form_submit_button("Send it through", type="primary")
    if not text:
        st.info("Write a sentence, such as: the white swan in the blue water")
        return
    names = [name for name in ("minilm-l6", "smollm2-135m", "g2p-t5") if name in models_here(("texts", "letters"))]
    columns = st.columns(len(names), gap="medium")
    rows: list[dict[str, Any]] = []
    for column, name in zip(columns, names, strict=True):
        with column:
            found = work.answer(("road", name, text), partial(_road, name, text))
            if found is not None:
                rows += road_picture(found)
    if rows:
        downloads.numbers(rows, "roads")
        widgets.python_lines(
            "from polysema.app.explorer import Explorer\nfrom polysema.core.inside.families import road\n\n"
            f"found = road(Explorer().inside({names[0]!r}), {text!r})\nfor sight in found.sights:\n    "
            "print(sight.name, sight.describe)",
            "A square is filled where some head of some layer gives any weight at all: the masks as they are met, "
            "not as they are meant.",
        )


def _road(name: str, text: str, progress: object) -> FamilyRun:
    """One model's way through the sentence."""
    model = widgets.explorer().inside(name)
    widgets.check_length(text)
    return road(model, text_for(model, text))


FAMILIES = {
    Family.ENCODER: "Encoder: reads all at once",
    Family.DECODER: "Decoder: reads from left to right",
    Family.ENCODER_DECODER: "Encoder-decoder: reads, then writes",
}


def road_picture(found: FamilyRun) -> list[dict[str, Any]]:
    """One road: who sees whom, where it ends, what the cross-attention carries; and the numbers of it."""
    st.markdown(f"**{FAMILIES[found.family]}**")
    layers = " + ".join(map(str, found.n_layers))
    st.caption(
        f"{widgets.plain(found.model)}: {layers} layers of {found.n_heads} heads, {found.dim} wide. Reads "
        f"{widgets.plain(found.text)}" + (f" and writes {widgets.plain(found.written)}." if found.written else ".")
    )
    for sight in found.sights:
        mask(sight, f"roads_{found.model}_{sight.name}")
    st.markdown(f"It ends in {found.ends}.")
    if found.says:
        static = found.family is Family.ENCODER and "static" in found.ends
        st.caption(f"At {widgets.plain(found.says_at)}:")
        widgets.bars(
            [(shown(token), score) for token, score in found.says], "token", label="cosine" if static else "prob."
        )
    if found.carried:
        st.markdown("What the cross-attention carries")
        items = "".join(
            f"<li><b>{escape(item.written)}</b> looks at "
            f"{escape(', '.join(f'{name} {share:.2f}' for name, share in item.looks_at[:3]))}"
            f'<div class="meta">adds a vector {item.share:.2f} times as long as the state</div></li>'
            for item in found.carried
        )
        st.html(f'<ul class="ps-hits">{items}</ul>')
    return [
        {
            "model": found.model,
            "attention": sight.name,
            "from": row.name,
            "to": column.name,
            "seen": bool(sight.open[i, j]),
        }
        for sight in found.sights
        for i, row in enumerate(sight.rows)
        for j, column in enumerate(sight.columns)
    ]


PARTS = {ATTENTION: attention_part, LENS: lens_part, ADDS: adds_part, STEER: steer_part, ROADS: roads_part}


def page() -> None:
    """The page."""
    widgets.title(
        "Inside",
        "What goes on between a word’s static vector and the last layer: who looks at whom, what the model would "
        "say half-way, and which part says it.",
    )
    if not models_here(("texts", "letters")):
        st.info("No language model is here yet. Bring one with `polysema models pull minilm-l6`.")
        return
    chosen = st.segmented_control(
        "What to see",
        list(PARTS),
        default=ATTENTION,
        required=True,
        key="see",
        bind="query-params",
        label_visibility="collapsed",
    )
    permalink.restore("inside")
    PARTS[chosen or ATTENTION]()
    permalink.keep_boxes("inside")


page()
