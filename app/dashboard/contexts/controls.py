"""The page Contexts: the word, the model, own sentences, and the map of the occurrences."""

from typing import cast

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.picker.pick import pick_model
from polysema.app.explorer import MAX_TEXTS
from polysema.app.explorer.results import WordMap
from polysema.core.errors import UserError
from polysema.core.measure.sense_clusters import SenseClusters
from polysema.core.measure.senses import load_senses
from polysema.core.model.tokens import find_word

UMAP, PCA = "UMAP", "PCA"
SENSES, CLUSTERS = "Senses", "Clusters"
ALONE, YOURS = "in no cluster", "yours"
STATIC_NAME = "static vector"


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
    model = pick_model(second, models, "model", "Which model reads the sentences.")
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
    """The requested map, or None; the principal components are shown while UMAP is running."""

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
        lambda progress: widgets.explorer().model(model).senses.clusters(word, layer, progress=progress),
    )
    return clustered


def groups(found: WordMap, clustered: SenseClusters | None) -> list[str]:
    """What each occurrence is colored by: its sense, or the name of its cluster."""
    if clustered is None:
        return list(found.senses)
    names = [f"{number}: {cluster.name}" for number, cluster in enumerate(clustered.clusters, 1)]
    own = [names[place] if place >= 0 else ALONE for place in clustered.assigned]
    return own + [YOURS] * (len(found.senses) - len(own))
