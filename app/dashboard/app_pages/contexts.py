"""Contexts: a word's one static point and the cloud of its occurrences, layer by layer, on one plane."""

from html import escape
from typing import cast

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.components.scatter import Points, Selection, read_view, scatter, write_view
from polysema.app.dashboard.series import lines
from polysema.app.explorer import MAX_TEXTS
from polysema.app.explorer.results import WordMap
from polysema.core.errors import UserError
from polysema.core.measure.sense_clusters import SenseClusters
from polysema.core.measure.senses import load_senses
from polysema.core.model.catalog import models_here
from polysema.core.model.tokens import find_word, find_words

UMAP, PCA = "UMAP", "PCA"
SENSES, CLUSTERS = "Senses", "Clusters"
ALONE, YOURS = "in no cluster", "yours"
STATIC_NAME = "static vector"
MAX_SHOWN_TEXTS = 60  # sentences


def controls(models: list[str]) -> tuple[str, str, str, str]:
    """Which word, read by which model, laid out how and colored by what."""
    first, second, third, fourth = st.columns([4, 4, 3, 3])
    words = list(load_senses().words)
    word = permalink.pick(
        first,
        "Word",
        words,
        "word of the corpus",
        key="word",
        index=words.index("bank"),
        help="The words of the corpus of senses.",
    )
    model = permalink.pick(second, "Model", models, "model", key="model", help="Which model reads the sentences.")
    method = third.segmented_control(
        "Map",
        [UMAP, PCA],
        default=UMAP,
        required=True,
        key="map",
        bind="query-params",
        help="UMAP keeps neighborhoods, PCA keeps directions.",
    )
    color = fourth.segmented_control(
        "Color",
        [SENSES, CLUSTERS],
        default=SENSES,
        required=True,
        key="color",
        bind="query-params",
        help="The senses that people marked, or the groups that the vectors form by themselves at this layer.",
    )
    return word, model, method or UMAP, color or SENSES


def own_sentences(word: str) -> tuple[str, ...]:
    """The user's sentences with the word in them; those without it are named and left out."""
    with st.expander("Add sentences of your own"), st.form("own_form", border=False):
        text = st.text_area(
            f"One sentence a line, each with the word {widgets.plain(word)} in it",
            key="own",
            height=90,
            persist_state="session",
            help=f"They join the map as the sense “yours”. {widgets.LOCAL_NOTE}",
        )
        st.form_submit_button("Put them on the map", type="primary")
    try:
        widgets.check_length(text or "")
    except UserError as error:
        widgets.problem(error)
        return ()
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
            f"Left out, since the word {widgets.plain(word)} is not in it: {widgets.plain('; '.join(bad)[:300])}",
            icon="⚠️",
        )
    if len(lines) > MAX_TEXTS:
        st.warning(
            f"At most {MAX_TEXTS} sentences are read; the last {len(lines) - MAX_TEXTS} were left out.", icon="⚠️"
        )
    return tuple(dict.fromkeys(good))


def word_map(word: str, model: str, method: str, extra: tuple[str, ...]) -> WordMap | None:
    """The map asked for, or None; while UMAP is at work, the principal components are shown."""

    job = widgets.word_map_job(word, model, method.lower(), extra)
    job.wait(work.QUICK_SECONDS)
    if not job.pending or method == PCA:
        return cast("WordMap | None", work.outcome(job))
    first = widgets.word_map_job(word, model, "pca", extra)
    first.wait(work.QUICK_SECONDS)
    work.watch(first if first.pending else job)
    if first.pending or first.failure is not None:
        return None
    st.caption("Until the UMAP map is ready, the first two principal components are shown.")
    return cast(WordMap, first.result())


def clusters_of(found: WordMap, layer: int) -> SenseClusters | None:
    """The groups that the vectors of one layer form by themselves, or None while they are looked for."""
    model, word = found.origin.source, found.word
    clustered: SenseClusters | None = work.answer(
        ("clusters", word, model, layer),
        lambda progress: widgets.explorer().sense_clusters(word, model, layer, progress=progress),
    )
    return clustered


def groups(found: WordMap, clustered: SenseClusters | None) -> list[str]:
    """What each occurrence is colored by: its sense, or the name of its cluster."""
    if clustered is None:
        return list(found.senses)
    names = [f"{number}: {cluster.name}" for number, cluster in enumerate(clustered.clusters, 1)]
    own = [names[place] if place >= 0 else ALONE for place in clustered.assigned]
    return own + [YOURS] * (len(found.senses) - len(own))


def picture(found: WordMap, layer: int, names: list[str], by: str) -> Selection:
    """The cloud at one layer, colored by the names of its groups, with the static point."""
    last = [name for name in (ALONE, YOURS) if name in names]
    senses = sorted(set(names) - {ALONE, YOURS}) + last
    categories = [*senses, STATIC_NAME]
    n = len(found.texts)
    points = Points(
        positions=found.positions[found.layers.index(layer)],
        labels=[found.word] * n + [f"{found.word}: {STATIC_NAME}"],
        categories=categories,
        category=np.array([senses.index(name) for name in names] + [len(senses)]),
        details=[*found.texts, "the same in every sentence: the row of the model's input table"],
        marks=[*found.spans, (0, 0)],
        shapes=np.array([0] * n + [1]),
    )
    selected = scatter(
        points,
        key="contexts_map",
        alt=f"Map of {n} occurrences of {found.word} at layer {layer}, colored by {by}, and its static vector",
        label_rows=[n],
        selected=[row for row in st.session_state.get("contexts_selected", []) if row <= n],
        view=read_view(st.query_params.get("view", "")),
        height=470,
    )
    permalink.put("view", write_view(selected.view))
    st.session_state["contexts_selected"] = list(selected.rows)
    st.caption(
        "Dots are hidden states of this layer. The diamond is the word’s static vector, a row of the model’s "
        "input table: another space, drawn on the same plane."
    )
    downloads.points(points, "contexts")
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
        x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("cosine:Q", title="mean cosine"),
    )
    rule = alt.Chart(pd.DataFrame({"layer": [layer]})).mark_rule(strokeDash=[4, 4], color="#8b94a0").encode(x="layer:Q")
    downloads.chart(
        (lines(base, "pair", list(names), orient="bottom", columns=2) + rule).properties(height=320),
        "Mean cosine of two occurrences by layer: of one sense, of two senses, of random words",
    )
    downloads.numbers(
        [{str(name): value for name, value in row.items()} for row in table.to_dict("records")], "cosines"
    )
    place = found.layers.index(layer)
    gap = found.within[place] - found.between[place]
    st.markdown(
        f"At **layer {layer}** two occurrences of {widgets.plain(found.word)} have cosine "
        f"**{found.within[place]:.2f}** within a sense and "
        f"**{found.between[place]:.2f}** between senses (a gap of {gap:.2f}); two words at random have "
        f"{found.baselines[place]:.2f}."
    )


def agreement(clustered: SenseClusters, layer: int) -> None:
    """The clusters with their most typical sentence, and how well they agree with the marked senses."""
    st.markdown(
        f"At layer {layer} the vectors form **{len(clustered.clusters)} groups** by themselves; "
        f"{int((clustered.assigned < 0).sum())} of {len(clustered.assigned)} occurrences lie in none. Against "
        "the marked senses: adjusted Rand index "
        f"**{clustered.adjusted_rand:.2f}**, V-measure **{clustered.v_measure:.2f}** (0 by chance, 1 the same)."
    )
    rows = []
    for number, cluster in enumerate(clustered.clusters, 1):
        example = clustered.texts[cluster.central]
        st.markdown(
            f"{number}: **{widgets.plain(cluster.name)}** ({len(cluster.rows)}), such as “{widgets.plain(example)}”"
        )
        rows += [
            {"cluster": number, "name": cluster.name, "text": clustered.texts[row], "start": clustered.starts[row]}
            for row in cluster.rows
        ]
    downloads.numbers(rows, "clusters")


def table(found: WordMap, selected: Selection) -> None:
    """The sentences that are selected, or all."""
    rows = [row for row in selected.rows if row < len(found.texts)] or list(range(len(found.texts)))
    chosen = bool(selected.count) and len(rows) < len(found.texts)
    st.markdown(
        f"**{len(rows)} sentences selected**"
        if chosen
        else f"**{len(rows)} sentences**: click a point, or draw a lasso, to see only some"
    )
    widgets.sentences(
        [
            (found.texts[row], *found.spans[row], f'<span class="ps-tag">{escape(found.senses[row])}</span>')
            for row in rows[:MAX_SHOWN_TEXTS]
        ]
    )
    if len(rows) > MAX_SHOWN_TEXTS:
        st.caption(f"The first {MAX_SHOWN_TEXTS} are shown; the file has all {len(rows)}.")
    downloads.numbers(
        [
            {
                "text": found.texts[row],
                "start": found.spans[row][0],
                "end": found.spans[row][1],
                "sense": found.senses[row],
            }
            for row in rows
        ],
        "sentences",
    )


def like_this(found: WordMap, layer: int, row: int) -> None:
    """What was clicked: the words of the corpus that are nearest to it at this layer."""
    text, (start, end) = found.texts[row], found.spans[row]
    nth = sum(place.start <= start for place in find_words(text, text[start:end]))
    model = found.origin.source
    answer = work.answer(
        ("occurrence", text, text[start:end], model, layer, 6, nth),
        lambda progress: widgets.explorer().occurrence_neighbors(
            text[start:end], text, model, layer, 6 + 1, nth, progress=progress
        ),
    )
    if answer is None:
        return
    others = [hit for hit in answer.hits if (hit.text, hit.start) != (text, start)][:6]
    st.html(f'<p class="ps-text">Nearest at layer {layer} to the one you chose: {widgets.marked(text, start, end)}</p>')
    widgets.hits(others)
    st.caption(f"Two words taken at random have cosine {answer.baseline:.3f} at this layer.")
    widgets.notes(answer)
    downloads.occurrences(others, "like_this")


def page() -> None:
    """The page."""
    widgets.title(
        "Contexts",
        "One word, one static vector, and in every sentence a hidden state of its own. Move the layer and watch "
        "the senses part.",
    )
    models = models_here()
    if not models:
        st.info("No language model is here yet. Bring one with `polysema models pull minilm-l6`.")
        return
    kept = permalink.restore("contexts")
    if "selected" in kept:
        st.session_state["contexts_selected"] = permalink.unpack(kept["selected"])
    word, model, method, color = controls(models)
    slider = st.container()
    extra = own_sentences(word)
    with st.container():  # there in every run, so that what stands below keeps its place when the progress goes
        found = word_map(word, model, method, extra)
    if found is None:
        return
    widgets.tell_split(found.split, found.origin.windows)
    widgets.notes(found)
    with slider:
        layer = permalink.pick_layer(
            found.layers,
            key=f"layer_{model}",
            value=found.layers[-1],
            help="0 is the embedding, before any attention; the last is what the model answers with.",
        )
    left, right = st.columns([7, 5], gap="medium")
    with left:
        clustered = clusters_of(found, layer) if color == CLUSTERS else None
        selected = picture(found, layer, groups(found, clustered), color.lower())
    with right:
        curves(found, layer)
        if clustered is not None:
            agreement(clustered, layer)
    permalink.keep(
        "contexts",
        {"widget:own": st.session_state.get("own", ""), "selected": permalink.pack(selected.rows)},
        {"widget:own": ""},
        views=("selected",),
    )
    if selected.clicked is not None and selected.clicked < len(found.texts):
        like_this(found, layer, selected.clicked)
    table(found, selected)
    widgets.python_lines(
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().word_map({word!r}, model={model!r}, "
        f"method={found.method!r})\n"
        f"positions = found.positions[found.layers.index({layer})]  # (occurrences + 1, 2), the last row is the "
        "static vector",
        f"{'UMAP with the cosine, started at each layer from the layer after it' if found.method == 'umap' else 'Principal components of the unit vectors, each layer turned onto the one after it'}; "
        f"the static vector is the word's row of the model's input table, another space on the same plane. {widgets.plain(found.origin.card())}.",
    )


page()
