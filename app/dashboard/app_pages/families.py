"""The page Families: one sentence through the four architectures."""

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard.inside.families_tab import families_part
from polysema.app.dashboard.picker import choices
from polysema.core.model.catalog import READABLE


def page() -> None:
    """The page."""
    widgets.title(
        "Families",
        "The same sentence through BERT, which fills gaps, a decoder, which writes on, the Transformer of 2017, which "
        "translates, and T5, which spells.",
    )
    if not choices.models(READABLE):
        st.info("No language model is here yet. Bring one with `polysema models pull minilm-l6`.")
        return
    permalink.restore("inside")
    families_part()
    permalink.keep_boxes("inside")


page()
