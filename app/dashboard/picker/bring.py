"""Bring what the catalog has and this machine hasn't: the button, the progress, and what to do where it can't be."""

import streamlit as st

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.data.collection_care import size
from polysema.core.model.catalog import CatalogEntry, entry
from polysema.core.model.pull import download_bytes, pull


def bring(row: CatalogEntry, place: str) -> None:
    """The button that brings a row of the catalog; when it is here, the page runs again.

    Args:
        row: What is not here.
        place: Tells several such buttons of a page apart.
    """
    key = ("pull", row.name)
    under_way = widgets.jobs().find(key)
    pressed = st.button(
        f"Bring {row.name}",
        type="primary",
        key=f"bring_{place}_{row.name}",
        help="Download it now; it can be cancelled.",
        disabled=under_way is not None and under_way.pending,
    )
    found = work.on_request(
        key,
        lambda progress: pull(row, progress),
        pressed,
        lambda: st.info("Cancelled. Nothing of it is used; what has arrived is taken up when you bring it again."),
    )
    if found is not None:
        work.dismiss(key)
        st.rerun()


def offer(name: str, what: str, place: str) -> None:
    """One line that says what is missing, and the button that brings it.

    Args:
        name: Of the catalog.
        what: What needs it, as the beginning of a sentence.
        place: Tells several such buttons of a page apart.
    """
    row = entry(name)
    st.info(f"{what} {name}, which is not here yet ({size(download_bytes(row))} to download).")
    bring(row, place)
