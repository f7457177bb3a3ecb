"""The two menus of every page, Share (link, Python, files) and Save (files): pages offer, the frame draws.

What a page offers in a run stands in the session until the run is at its end.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from polysema.app.dashboard import permalink, shared_link

OFFERS, LINES = "_offered_files", "_offered_lines"
MAX_LINK = 8_000  # characters of an address that browsers and mail programs take whole


@dataclass(frozen=True, slots=True)
class FileOffer:
    """A file that is made when it is requested; `subject` tells it from others with the same `label`."""

    label: str
    subject: str
    make: Callable[[], str | bytes]
    file: str
    media: str
    key: str
    message: str = ""


def begin() -> None:
    """At the start of a run nothing is offered."""
    st.session_state[OFFERS], st.session_state[LINES] = [], []


def offer(file: FileOffer) -> None:
    """Put a file into the page's menus."""
    st.session_state.setdefault(OFFERS, []).append(file)


def offer_lines(lines: str) -> None:
    """Put Python lines into the page's menu."""
    st.session_state.setdefault(LINES, []).append(lines)


def menus(place: DeltaGenerator) -> None:
    """Draw both menus with what the page offered."""
    files: list[FileOffer] = st.session_state.get(OFFERS, [])
    lines: list[str] = st.session_state.get(LINES, [])
    with place:
        with st.popover("Share", key="share_menu", icon=":material/share:", help="Link, files and Python."):
            _links()
            if lines:
                st.markdown("**Python that makes the same**")
                for text in dict.fromkeys(lines):
                    st.code(text, language="python")
            if files:
                st.markdown("**Files**")
                _buttons(files, "shared_")
        if files:
            with st.popover("Save…", key="save_menu", help="What is shown, as files."):
                _buttons(files, "")


def _buttons(files: list[FileOffer], prefix: str) -> None:
    same = Counter(file.label for file in files)
    for file in files:
        st.download_button(
            file.label if same[file.label] == 1 else f"{file.label}: {file.subject}",
            file.make,
            file.file,
            file.media,
            key=prefix + file.key,
            on_click="ignore",
            help=file.message or None,
            width="stretch",
        )


def _links() -> None:
    """The address of this page, and one that holds the texts and selections which are kept on this machine."""
    address = str(st.context.url or "").split("?")[0]
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    st.markdown("**Link to this view**")
    st.code(_joined(address, query), language=None)
    name = st.query_params.get(permalink.PARAMETER, "")
    view = permalink.load(name) if name else None
    if view is None:
        return
    query.pop(permalink.PARAMETER)
    whole = _joined(address, {**query, shared_link.CONTENT: [shared_link.packed_view(view)]})
    st.markdown("**Link with its content**")
    if len(whole) <= MAX_LINK:
        st.caption("Your texts and your selection stand in it, so it opens on another machine too.")
        st.code(whole, language=None)
    else:
        st.caption("Your texts and your selection are too long for a link; save them as files instead.")


def _joined(address: str, query: dict[str, list[str]]) -> str:
    return f"{address}?{urlencode(query, doseq=True)}" if query else address
