"""The page Contexts: the word, the model, own sentences, and the map of the occurrences."""

from dataclasses import dataclass
from typing import cast

import streamlit as st

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.contexts.words import WordChoice, pick_word
from polysema.app.dashboard.jobs import WatchedJob
from polysema.app.dashboard.picker.pick import pick_model
from polysema.app.explorer import MAX_TEXTS
from polysema.app.explorer.context_explorer import cluster_labels, named_sentence
from polysema.app.explorer.results import WordMap
from polysema.core.errors import UserError
from polysema.core.measure.sense_clusters import SenseClusters
from polysema.core.model.tokens import find_word

UMAP, PCA = "UMAP", "PCA"
SENSES, CLUSTERS = "Senses", "Clusters"
ALONE, YOURS, UNLABELED = "in no cluster", "yours", "no sense marked"
STATIC_NAME = "static vector"


@dataclass(frozen=True, slots=True)
class Controls:
    """Which word of which texts, read by which model, laid out how and colored by what."""

    choice: WordChoice
    model: str
    method: str
    color: str

    @property
    def by(self) -> str:
        """What groups the occurrences, as the explorer calls it."""
        return "clusters" if self.color == CLUSTERS else "labels"


def controls(models: list[str]) -> Controls | None:
    """The boxes; None while the words of a collection are being counted."""
    first, second, third, fourth, fifth = st.columns([3, 3, 4, 2, 3])
    model = pick_model(third, models, "model", "Which model reads the sentences.")
    method = fourth.segmented_control(
        "Map",
        [UMAP, PCA],
        default=UMAP,
        required=True,
        key="map",
        bind="query-params",
        help="UMAP keeps neighborhoods, PCA keeps directions.",
    )
    color = fifth.segmented_control(
        "Color",
        [SENSES, CLUSTERS],
        default=SENSES,
        required=True,
        key="color",
        bind="query-params",
        help="The senses that people marked (of a collection, the values of a column), or the groups that the vectors "
        "form by themselves at this layer.",
    )
    choice = pick_word(first, second)
    return None if choice is None else Controls(choice, model, method or UMAP, color or SENSES)


def own_sentences(word: str) -> tuple[str, ...]:
    """The user's sentences with the word in them; those without it are named and left out."""
    with st.expander("Add sentences of your own"), st.form("own_form", border=False):
        text = st.text_area(
            f"One sentence a line, each with the word {widgets.plain(word)} in it; a name may stand before it: "
            "mine | The sentence.",
            key="own",
            height=90,
            persist_state="session",
            help=f"They join the map as the sense “yours”, and each gets a verdict. {widgets.LOCAL_NOTE}",
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
            find_word(named_sentence(line, 0)[1], word)
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


def word_map(query: Controls, own: tuple[str, ...]) -> WordMap | None:
    """The requested map, or None; the principal components are shown while UMAP is running."""
    extra = tuple(dict.fromkeys(named_sentence(line, 0)[1] for line in own))

    def job(method: str) -> WatchedJob:
        return widgets.word_map_job(query.choice.word, query.model, method.lower(), extra, query.choice.texts)

    wanted = job(query.method)
    wanted.wait(work.QUICK_SECONDS)
    if not wanted.pending or query.method == PCA:
        return cast("WordMap | None", work.outcome(wanted))
    first = job(PCA)
    first.wait(work.QUICK_SECONDS)
    work.watch(first if first.pending else wanted)
    if first.pending or first.failure is not None:
        return None
    widgets.remark("Until the UMAP map is ready, the first two principal components are shown.")
    return cast(WordMap, first.result())


def clusters_of(query: Controls, found: WordMap, layer: int) -> SenseClusters | None:
    """The groups that the vectors of one layer form by themselves, or None while they are looked for."""
    model, choice = found.origin.source, query.choice
    n = len(found.texts) - found.senses.count(YOURS)
    if n < 2:
        st.info("Clusters need two or more occurrences.")
        return None
    clustered: SenseClusters | None = work.answer(
        ("clusters", choice, model, layer),
        lambda progress: (
            widgets.explorer()
            .model(model, progress=progress)
            .senses.clusters(choice.word, layer, min(3, n), choice.texts or (), progress=progress)
        ),
    )
    return clustered


def groups(found: WordMap, clustered: SenseClusters | None) -> list[str]:
    """What each occurrence is colored by: its sense, or the name of its cluster."""
    if clustered is None:
        return [sense or UNLABELED for sense in found.senses]
    own = [name or ALONE for name in cluster_labels(clustered)]
    return own + [YOURS] * (len(found.senses) - len(own))
