"""The page Contexts: one word in many sentences, and where each occurrence lies."""

import numpy as np
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard.components.scatter import (
    PlotMarks,
    PlotOptions,
    PlotStart,
    Points,
    Selection,
    read_view,
    scatter,
    write_view,
)
from polysema.app.dashboard.contexts.annotation_panel import annotation_panel
from polysema.app.dashboard.contexts.concordance_panel import concordance_panel
from polysema.app.dashboard.contexts.controls import (
    ALONE,
    CLUSTERS,
    STATIC_NAME,
    YOURS,
    clusters_of,
    controls,
    groups,
    own_sentences,
    word_map,
)
from polysema.app.dashboard.contexts.details import agreement, curves, like_this, table
from polysema.app.dashboard.contexts.focus import FOCUS, focus_of, looked_at, restore
from polysema.app.dashboard.contexts.move_panel import move_panel
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import offer
from polysema.app.explorer.results import WordMap

METHOD_NOTES = {
    True: "UMAP with the cosine, each layer initialized from the next one",
    False: "Principal components of the unit vectors, each layer aligned with the next one",
}


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
        marks=PlotMarks(label_rows=[n], highlight=[] if (focus := focus_of(found)) is None else [focus]),
        start=PlotStart(
            [row for row in st.session_state.get("contexts_selected", []) if row <= n],
            read_view(st.query_params.get("view", "")),
        ),
        options=PlotOptions(height=470),
    )
    permalink.put("view", write_view(selected.view))
    st.session_state["contexts_selected"] = list(selected.rows)
    st.caption(
        "Dots are hidden states of this layer. The diamond is the word’s static vector, a row of the model’s input "
        "table: another space, drawn on the same plane."
    )
    downloads.points(points, "contexts")
    return selected


def page() -> None:
    """The page."""
    widgets.title(
        "Contexts",
        "One word, one static vector, and in every sentence a hidden state of its own. Move the layer and watch the "
        "senses separate.",
    )
    models = choices.models()
    if not models:
        offer("minilm-l6", "This needs a language model, such as", "contexts")
        return
    kept = permalink.restore("contexts")
    restore(kept)
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
        {"widget:own": st.session_state.get("own", ""), "selected": permalink.pack(selected.rows)}
        | {"focus": st.session_state.get(FOCUS)},
        {"widget:own": ""},
        views=("selected",),
    )
    if (focus := looked_at(found, selected)) is not None:
        like_this(found, layer, focus)
        move_panel(found, layer, focus)
    table(found, selected)
    concordance_panel(found, layer)
    if clustered is not None:
        annotation_panel(word, model, clustered, layer)
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n\n"
        f"found = Explorer().maps.word_map({word!r}, model={model!r}, method={found.method!r})\n"
        f"positions = found.positions[found.layers.index({layer})]"
        "  # (occurrences + 1, 2), the last row is the static vector",
        f"{METHOD_NOTES[found.method == 'umap']}; the static vector is the word's row of the model's input table, "
        f"another space on the same plane. {widgets.plain(found.origin.card())}.",
    )


page()
