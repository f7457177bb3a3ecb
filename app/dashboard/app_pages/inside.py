"""The page Inside: what happens between the embedding and the last layer of a model."""

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard.inside.attention_tab import attention_part
from polysema.app.dashboard.inside.attribution_tab import attribution_part
from polysema.app.dashboard.inside.families_tab import families_part
from polysema.app.dashboard.inside.head_tab import head_part
from polysema.app.dashboard.inside.lens_tab import lens_part
from polysema.app.dashboard.inside.patching_tab import patching_part
from polysema.app.dashboard.inside.steering_tab import steering_part
from polysema.app.dashboard.inside.surprisal_tab import surprisal_part
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import offer
from polysema.core.model.catalog import READABLE

ATTENTION, LENS, ATTRIBUTION, STEERING, FAMILIES = "Attention", "Lens", "Attribution", "Steering", "Families"
HEAD, PATCHING, SURPRISAL = "Head", "Patching", "Surprisal"
PARTS = {
    ATTENTION: attention_part,
    HEAD: head_part,
    LENS: lens_part,
    ATTRIBUTION: attribution_part,
    PATCHING: patching_part,
    STEERING: steering_part,
    SURPRISAL: surprisal_part,
    FAMILIES: families_part,
}


def page() -> None:
    """The page."""
    widgets.title(
        "Inside",
        "What happens between a word’s static vector and the last layer: attention, the predictions of "
        "intermediate layers, and the parts that make a prediction.",
    )
    if not choices.models(READABLE):
        offer("minilm-l6", "This needs a language model, such as", "inside")
        return
    chosen = st.segmented_control(
        "What to see",
        list(PARTS),
        default=ATTENTION,
        required=True,
        key="see",
        bind="query-params",
        label_visibility="collapsed",
    )
    permalink.restore("inside")
    PARTS[chosen or ATTENTION]()
    permalink.keep_boxes("inside")


page()
