"""Contexts: a word's one static point and the cloud of its occurrences, layer by layer, on one plane."""

from html import escape
from typing import cast

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from polysema.app.dashboard import link, parts, saving, work
from polysema.app.dashboard.components.scatter import Points, Selection, scatter
from polysema.app.explorer import MAX_TEXTS
from polysema.app.schemas import WordMap
from polysema.core.errors import UserError
from polysema.core.measure.senses import load_senses
from polysema.core.model.catalog import models_here
from polysema.core.model.tokens import find_word

UMAP, PCA = "UMAP", "PCA"
STATIC_NAME = "static vector"


def controls(models: list[str]) -> tuple[str, str, str]:
    """Which word, read by which model, laid out how."""
    first, second, third = st.columns([4, 4, 3])
    words = list(load_senses().words)
    word = first.selectbox(
        "Word",
        words,
        index=words.index("bank"),
        key="word",
        bind="query-params",
        help="The words of the corpus of senses.",
    )
    model = second.selectbox("Model", models, key="model", bind="query-params", help="Which model reads the sentences.")
    method = third.segmented_control(
        "Map",
        [UMAP, PCA],
        default=UMAP,
        required=True,
        key="map",
        bind="query-params",
        help="UMAP keeps neighbourhoods, PCA keeps directions.",
    )
    return word, model, method or UMAP


def own_sentences(word: str) -> tuple[str, ...]:
    """The user's sentences with the word in them; those without it are named and left out."""
    link.restore("contexts")
    with st.expander("Add sentences of your own"), st.form("own_form", border=False):
        text = st.text_area(
            f"One sentence a line, each with the word {parts.plain(word)} in it", key="own", height=90, max_chars=parts.MAX_TEXT,
            persist_state="session", help=f"They join the map as the sense “yours”. {parts.KEPT_HERE}",
        )  # fmt: skip
        st.form_submit_button("Put them on the map", type="primary")
    link.keep("contexts", {"widget:own": text})
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    good, bad = [], []
    for line in lines[:MAX_TEXTS]:
        try:
            find_word(line, word)
            good.append(line)
        except UserError:
            bad.append(line)
    if bad:
        st.warning(
            f"Left out, since the word {parts.plain(word)} is not in it: {parts.plain('; '.join(bad)[:300])}", icon="⚠️"
        )
    if len(lines) > MAX_TEXTS:
        st.warning(
            f"At most {MAX_TEXTS} sentences are read; the last {len(lines) - MAX_TEXTS} were left out.", icon="⚠️"
        )
    return tuple(dict.fromkeys(good))


def word_map(word: str, model: str, method: str, extra: tuple[str, ...]) -> WordMap | None:
    """The map asked for, or None; while UMAP is at work, the principal components are shown."""

    job = parts.word_map_job(word, model, method.lower(), extra)
    job.wait(work.QUICK)
    if not job.pending or method == PCA:
        return cast("WordMap | None", work.outcome(job))
    first = parts.word_map_job(word, model, "pca", extra)
    first.wait(work.QUICK)
    work.watch(first if first.pending else job)
    if first.pending or first.future.exception() is not None:
        return None
    st.caption("Until the UMAP map is ready, the first two principal components are shown.")
    return cast(WordMap, first.result())


def picture(found: WordMap, layer: int) -> Selection:
    """The cloud at one layer, coloured by sense, with the static point."""
    senses = sorted(set(found.senses) - {"yours"}) + (["yours"] if "yours" in found.senses else [])
    categories = [*senses, STATIC_NAME]
    n = len(found.texts)
    points = Points(
        positions=found.positions[found.layers.index(layer)], labels=[found.word] * n + [f"{found.word}: {STATIC_NAME}"],
        categories=categories, category=np.array([senses.index(sense) for sense in found.senses] + [len(senses)]),
        details=[*found.texts, "the same in every sentence: the row of the model's input table"], marks=[*found.spans, (0, 0)],
        shapes=np.array([0] * n + [1]),
    )  # fmt: skip
    selected = scatter(
        points,
        key="contexts_map",
        alt=f"Map of {n} occurrences of {found.word} at layer {layer}, coloured by sense, and its static vector",
        label_rows=[n],
        height=470,
    )
    saving.points(points, "contexts")
    return selected


def curves(found: WordMap, layer: int) -> None:
    """How alike two occurrences are at each layer: within a sense, between senses, and two words at random."""
    names = {"same sense": found.within, "other sense": found.between, "random words": found.baselines}
    table = pd.DataFrame(
        [
            {"layer": at, "pair": name, "cosine": value}
            for name, values in names.items()
            for at, value in zip(found.layers, values, strict=True)
        ]
    )
    base = alt.Chart(table).encode(
        x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")), y=alt.Y("cosine:Q", title="mean cosine"),
        color=alt.Color("pair:N", scale=alt.Scale(domain=list(names), range=["#0d9488", "#d97706", "#8b94a0"]), legend=alt.Legend(orient="bottom", title=None, labelLimit=0, columns=2)),
    )  # fmt: skip
    rule = alt.Chart(pd.DataFrame({"layer": [layer]})).mark_rule(strokeDash=[4, 4], color="#8b94a0").encode(x="layer:Q")
    saving.chart((base.mark_line(point=True) + rule).properties(height=320), "cosines")
    saving.numbers([{str(name): value for name, value in row.items()} for row in table.to_dict("records")], "cosines")
    place = found.layers.index(layer)
    gap = found.within[place] - found.between[place]
    st.markdown(
        f"At **layer {layer}** two occurrences of {parts.plain(found.word)} have cosine **{found.within[place]:.2f}** within a sense and "
        f"**{found.between[place]:.2f}** between senses (a gap of {gap:.2f}); two words at random have {found.baselines[place]:.2f}."
    )


def table(found: WordMap, selected: Selection) -> None:
    """The sentences that are selected, or all."""
    rows = [row for row in selected.rows if row < len(found.texts)] or list(range(len(found.texts)))
    chosen = bool(selected.count) and len(rows) < len(found.texts)
    st.markdown(
        f"**{len(rows)} sentences selected**"
        if chosen
        else f"**{len(rows)} sentences**: click a point, or draw a lasso, to see only some"
    )
    parts.sentences(
        [
            (found.texts[row], *found.spans[row], f'<span class="ps-tag">{escape(found.senses[row])}</span>')
            for row in rows[:60]
        ]
    )


def page() -> None:
    """The page."""
    parts.title(
        "Contexts",
        "One word, one static vector, and in every sentence a hidden state of its own. Move the layer and watch the senses part.",
    )
    models = models_here()
    if not models:
        st.info("No language model is here yet. Bring one with `polysema models pull minilm-l6`.")
        return
    word, model, method = controls(models)
    slider = st.container()
    extra = own_sentences(word)
    with st.container():  # there in every run, so that what stands below keeps its place when the progress goes
        found = word_map(word, model, method, extra)
    if found is None:
        return
    parts.tell_split(found.split, found.origin.windows)
    with slider:
        layer = st.select_slider(
            "Layer",
            found.layers,
            value=found.layers[-1],
            key=f"layer_{model}",
            bind="query-params",
            help="0 is the embedding, before any attention; the last is what the model answers with.",
        )
    left, right = st.columns([7, 5], gap="medium")
    with left:
        selected = picture(found, layer)
    with right:
        curves(found, layer)
    table(found, selected)
    parts.python_lines(
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().word_map({word!r}, model={model!r}, method={found.method!r})\n"
        f"positions = found.positions[found.layers.index({layer})]  # (occurrences + 1, 2), the last row is the static vector",
        f"{'UMAP with the cosine, started at each layer from the layer after it' if found.method == 'umap' else 'Principal components of the unit vectors, each layer turned onto the one after it'}; "
        f"the static vector is the word's row of the model's input table, another space on the same plane. {parts.plain(found.origin.card())}.",
    )


page()
