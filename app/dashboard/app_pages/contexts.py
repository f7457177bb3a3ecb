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
from polysema.app.dashboard.contexts.axis_panel import axis_panel
from polysema.app.dashboard.contexts.concordance_panel import concordance_panel
from polysema.app.dashboard.contexts.controls import (
    ALONE,
    CLUSTERS,
    STATIC_NAME,
    UNLABELED,
    YOURS,
    Controls,
    clusters_of,
    controls,
    groups,
    own_sentences,
    word_map,
)
from polysema.app.dashboard.contexts.details import agreement, curves, like_this, table
from polysema.app.dashboard.contexts.focus import FOCUS, focus_of, looked_at, restore
from polysema.app.dashboard.contexts.move_panel import move_panel
from polysema.app.dashboard.contexts.verdict_panel import verdict_panel
from polysema.app.dashboard.loading import loaded
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import offer
from polysema.app.explorer.context_explorer import named_sentence
from polysema.app.explorer.results import WordMap

METHOD_NOTES = {
    True: "UMAP with the cosine, each layer initialized from the next one",
    False: "Principal components of the unit vectors, each layer aligned with the next one",
}


def picture(found: WordMap, layer: int, names: list[str], called: dict[str, str]) -> Selection:
    """The cloud at one layer, colored by the names of its groups, with the static point; own sentences by their
    names.
    """
    last = [name for name in (UNLABELED, ALONE, YOURS) if name in names]
    senses = sorted(set(names) - set(last)) + last
    categories = [*senses, STATIC_NAME]
    n = len(found.texts)
    points = Points(
        positions=found.positions[found.layers.index(layer)],
        labels=[
            called.get(text, found.word) if sense == YOURS else found.word
            for text, sense in zip(found.texts, found.senses, strict=True)
        ]
        + [f"{found.word}: {STATIC_NAME}"],
        categories=categories,
        category=np.array([senses.index(name) for name in names] + [len(senses)]),
        details=[*found.texts, "the same in every sentence: the row of the model's input table"],
        marks=[*found.spans, (0, 0)],
        shapes=np.array([0] * n + [1]),
    )
    selected = scatter(
        points,
        key="contexts_map",
        alt=f"Map of {n} occurrences of {found.word} at layer {layer}, by sense or cluster, and its static vector",
        marks=PlotMarks(label_rows=[n], highlight=[] if (focus := focus_of(found)) is None else [focus]),
        start=PlotStart(
            [row for row in st.session_state.get("contexts_selected", []) if row <= n],
            read_view(st.query_params.get("view", "")),
        ),
        options=PlotOptions(height=470),
    )
    permalink.put("view", write_view(selected.view))
    st.session_state["contexts_selected"] = list(selected.rows)
    widgets.remark(
        "Dots are hidden states of this layer. The diamond is the word’s static vector, a row of the model’s input "
        "table: another space, drawn on the same plane."
    )
    downloads.points(points, "contexts")
    return selected


def answers(query: Controls, own: tuple[str, ...], found: WordMap, layer: int) -> None:
    """The map at a layer with its curves, and below it what was clicked, the axis, the sentences and the clusters."""
    left, right = st.columns([7, 5], gap="medium")
    with left:
        clustered = clusters_of(query, found, layer) if query.color == CLUSTERS else None
        names = groups(found, clustered)
        called = {text: name for name, text in (named_sentence(line, n) for n, line in enumerate(own, 1))}
        selected = picture(found, layer, names, called)
    with right:
        curves(found, layer)
        if clustered is not None:
            agreement(found, clustered, layer)
    permalink.keep(
        "contexts",
        {"widget:own": st.session_state.get("own", ""), "selected": permalink.pack(selected.rows)}
        | {"focus": st.session_state.get(FOCUS)},
        {"widget:own": ""},
        views=("selected",),
    )
    choice = query.choice
    grouped = query.color != CLUSTERS or clustered is not None
    if grouped:
        verdict_panel(found, choice, own, layer, query.by)
    if (focus := looked_at(found, selected)) is not None:
        like_this(found, choice, layer, focus)
        move_panel(found, layer, focus)
    if grouped:
        ends = [name for name in names if name not in (ALONE, YOURS, UNLABELED)]
        axis_panel(found, choice, ends, layer, query.by)
    table(found, selected)
    concordance_panel(found, choice, layer)
    if clustered is not None:
        annotation_panel(choice, query.model, clustered, layer)


def recipe(query: Controls, found: WordMap, layer: int) -> None:
    """How the map was made, and the Python lines that make the same."""
    choice = query.choice
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n"
        + ("" if choice.texts is None else "from polysema.app.explorer.context_cloud import SpaceTexts\n")
        + f"\nfound = Explorer().maps.word_map({choice.word!r}, model={query.model!r}, method={found.method!r}"
        f"{choice.python})\n"
        f"positions = found.positions[found.layers.index({layer})]"
        "  # (occurrences + 1, 2), the last row is the static vector",
        f"{METHOD_NOTES[found.method == 'umap']}; the static vector is the word's row of the model's input table, "
        f"another space on the same plane. {widgets.plain(found.origin.card())}.",
    )


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
    query = controls(models)
    if query is None:
        return
    slider = st.container()
    own = own_sentences(query.choice.word)
    with st.container():  # there in every run, so that what stands below keeps its place when the progress goes
        found = word_map(query, own) if loaded(query.model) else None
    if found is None:
        return
    if found.found > len(found.texts):
        st.caption(f"{len(found.texts):,} of {found.found:,} occurrences are read, spread evenly over the texts.")
    widgets.tell_split(found.split, found.origin.windows)
    widgets.notes(found)
    with slider:
        layer = permalink.pick_layer(
            found.layers,
            key=f"layer_{query.model}",
            value=found.layers[-1],
            help="0 is the embedding, before any attention; the last is what the model answers with.",
        )
    answers(query, own, found, layer)
    recipe(query, found, layer)


page()
