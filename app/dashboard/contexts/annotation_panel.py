"""The page Contexts: clusters that are named, merged and corrected by hand, and saved as an annotation file."""

import hashlib

import streamlit as st

from polysema.app.dashboard.contexts.controls import ALONE
from polysema.core.measure.cluster_annotations import annotation_lines, cluster_annotations
from polysema.core.measure.sense_clusters import SenseClusters


def annotation_panel(word: str, model: str, clustered: SenseClusters, layer: int) -> None:
    """Two tables that can be edited, the names of the clusters and the sense of each sentence, and the file."""
    content = hashlib.sha256("\n".join(clustered.texts).encode()).hexdigest()[:12]
    key = f"{word}_{model}_{layer}_{content}"  # what was written belongs to these clusters
    with st.expander("Name, merge and correct the senses"):
        st.caption("Clusters of one name are one sense. Below, any sentence can get another one; empty leaves it out.")
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
        st.caption(f"{len(found)} of {len(rows)} occurrences in {len(senses)} senses")
        st.download_button(
            "Annotations (JSONL)",
            annotation_lines(found),
            f"{word}-senses.jsonl",
            "application/x-ndjson",
            key="annotations",
            on_click="ignore",
            help="Word, sense, text, start and end: what the page Measures and `polysema measure senses` read.",
        )
