"""The page Contexts: clusters that are named, merged and corrected by hand, and saved as an annotation file."""

import hashlib
from collections.abc import Sequence

import streamlit as st

from polysema.app.collection.column_values import write_column
from polysema.app.dashboard import widgets
from polysema.app.dashboard.contexts.controls import ALONE
from polysema.app.dashboard.contexts.words import WordChoice
from polysema.app.dashboard.share_menu import FileOffer, offer
from polysema.app.explorer.annotated_rows import annotated_values
from polysema.core.errors import UserError
from polysema.core.measure.annotations import LabeledWord
from polysema.core.measure.cluster_annotations import annotation_lines, cluster_annotations
from polysema.core.measure.sense_clusters import SenseClusters


def annotation_panel(choice: WordChoice, model: str, clustered: SenseClusters, layer: int) -> None:
    """Two tables that can be edited, the names of the clusters and the sense of each sentence, and the file."""
    content = hashlib.sha256("\n".join(clustered.texts).encode()).hexdigest()[:12]
    word = choice.word
    key = f"{word}_{model}_{layer}_{content}"  # what was written belongs to these clusters
    with st.expander("Name, merge and correct the senses"):
        widgets.remark(
            "Clusters of one name are one sense. Below, any sentence can get another one; empty leaves it out."
        )
        named = st.data_editor(
            [
                {"cluster": number, "sense": one.name, "occurrences": len(one.rows)}
                for number, one in enumerate(clustered.clusters, 1)
            ],
            disabled=["cluster", "occurrences"],
            hide_index=True,
            width="stretch",
            key=f"names_{key}",
        )
        names = {place: str(row["sense"] or "") for place, row in enumerate(named)}
        rows = [
            {"sense": names[place] if place >= 0 else "", "cluster": place + 1 if place >= 0 else ALONE, "text": text}
            for place, text in zip(clustered.assigned.tolist(), clustered.texts, strict=True)
        ]
        for row in rows:
            row["cluster"] = str(row["cluster"])
        names_key = hashlib.sha256(repr(sorted(names.items())).encode()).hexdigest()[:8]
        edited = st.data_editor(
            rows,
            disabled=["cluster", "text"],
            hide_index=True,
            width="stretch",
            key=f"rows_{key}_{names_key}",
        )
        corrections = {
            place: str(row["sense"] or "")
            for place, (row, before) in enumerate(zip(edited, rows, strict=True))
            if (row["sense"] or "") != before["sense"]
        }
        found = cluster_annotations(word, clustered, names, corrections)
        senses = sorted({row.label for row in found})
        widgets.remark(f"{len(found)} of {len(rows)} occurrences in {len(senses)} senses")
        offer(
            FileOffer(
                "Annotations (JSONL)",
                word,
                lambda: annotation_lines(found),
                f"{word}-senses.jsonl",
                "application/x-ndjson",
                "annotations",
                "Word, sense, text, start and end: what the page Measures and `polysema measure senses` read.",
            )
        )
        widgets.remark("As a file: Save…, Annotations (JSONL).")
        if choice.texts is not None:
            _column_form(choice, model, found)


def _column_form(choice: WordChoice, model: str, found: Sequence[LabeledWord]) -> None:
    """A form that writes the senses into a column of the collection: a new version, in place."""
    texts = choice.texts
    assert texts is not None
    assert isinstance(texts.space, str)
    with st.form("senses_column", border=False):
        column = st.text_input("Column of the collection", "sense", key="senses_column_name", max_chars=64)
        if not st.form_submit_button("Save as a column", type="primary"):
            return
    folder, _, _ = texts.space.partition("/")
    try:
        values, missing = annotated_values(widgets.explorer().space(texts.space).contexts, found)
        written = write_column(widgets.shelf().get(folder), column or "", values)
    except UserError as error:
        widgets.problem(error)
        return
    rows = max(written.values())
    st.success(
        f"{rows:,} rows of {widgets.plain(folder)} have their sense in the column {widgets.plain(column or '')}: "
        "choose it under Senses, color or filter by it on the map. Versions (page Data) lead back."
    )
    if missing:
        widgets.remark(f"{missing:,} sentences stand in more rows than are read here; they were left out.")
