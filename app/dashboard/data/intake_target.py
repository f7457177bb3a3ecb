"""The page Data: the collection that new vectors go into."""

from collections.abc import Hashable, Sequence

import streamlit as st

from polysema.app.collection.ingest import Destination, IngestResult
from polysema.app.collection.uploaded_files import Upload
from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.core.space.metric import Metric


def target_part(upload: Upload, key: str, metric: str = Metric.COSINE.value) -> tuple[Destination, bool]:
    """Into which collection and space, and whether the button was pressed."""
    there = widgets.shelf().names()
    fresh = _free(upload.stem, there)
    with st.form(f"into_{key[:12]}", border=False):
        first, second, run = st.columns([5, 4, 2], vertical_alignment="bottom")
        name = first.selectbox(
            "Into the collection",
            [fresh, *there],
            key=f"into_name_{key[:12]}",
            accept_new_options=True,
            help="One that exists, or a new name: letters, digits, _ . and -.",
        )
        space = second.text_input(
            "Space (may be empty)",
            key=f"into_space_{key[:12]}",
            max_chars=64,
            placeholder="named by layer or file",
            help="Rows of one model, layer and pooling. Of several layers it is the beginning of their names.",
        )
        pressed = run.form_submit_button("Put it in", type="primary", width="stretch", help="Start the work.")
    return Destination((name or "").strip(), (space or "").strip(), metric), pressed


def finish(key: str, job: Hashable, put: IngestResult | None) -> None:
    """Keep what came of it for this session, and show that instead."""
    if put is None:
        return
    st.session_state.setdefault("data_put", {})[key] = put
    work.dismiss(job)
    st.rerun()


def _free(stem: str, there: Sequence[str]) -> str:
    """A name that no collection has yet."""
    name, number = stem, 1
    while name in there:
        number += 1
        name = f"{stem}-{number}"
    return name
