"""What a page shows as one file for others, in its menus."""

import re

import streamlit as st

from polysema.app.dashboard.share_menu import FileOffer, offer
from polysema.app.dashboard.sharing import page_record
from polysema.app.dashboard.sharing.page_file import page_file

LABEL = "This page as one file (HTML)"
MESSAGE = "Texts, pictures, numbers, card and recipe of what is shown: it opens without a network and without Python."


def hand_out() -> None:
    """Offer the file of what the page has shown in this run."""
    record, address = page_record.current(), str(st.context.url or "")
    name = re.sub(r"[^\w-]+", "-", record.title.lower()).strip("-")[:60] or "polysema"
    offer(FileOffer(LABEL, name, lambda: page_file(record, address), f"{name}.html", "text/html", "hand_out", MESSAGE))
