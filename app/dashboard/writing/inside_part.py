"""Attention and lens of what was written."""

import streamlit as st

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.inside.attention_tab import MAX_UNITS, heads_picture
from polysema.app.dashboard.inside.lens_tab import lens_picture
from polysema.app.dashboard.picker import choices
from polysema.core.inside.attention import Attention, AttentionView, attention
from polysema.core.inside.generation_results import GeneratedText
from polysema.core.inside.lens import Lens, LensView, lens
from polysema.core.space.space import Family


def inside_part(name: str, text: str, found: GeneratedText) -> None:
    """What the model attends to and says between its layers while it reads what it wrote."""
    look = st.segmented_control(
        "Inside of what was written",
        ["Attention", "Lens"],
        default=None,
        key="wi",
        bind="query-params",
        help="The model reads what it wrote once more, with the lid off.",
    )
    two = choices.family_of(name) is Family.ENCODER_DECODER
    whole = found.text if two else f"{text}{found.text}"
    source = text if two else None
    if look == "Attention":
        parts = work.answer(("wattention", name, whole, source), lambda _: attention_of(name, whole, source))
        if parts is not None and max(len(parts[0].rows), len(parts[0].columns)) > MAX_UNITS:
            st.info(f"At most {MAX_UNITS} words are drawn at once: write fewer tokens.")
        elif parts is not None:
            heads_picture(parts[0], name, "arcs")
    elif look == "Lens":
        shown = work.answer(("wlens", name, whole, source), lambda _: lens_of(name, whole, source))
        if shown is not None:
            lens_picture(shown, name, whole, "")


def attention_of(name: str, text: str, source: str | None) -> tuple[Attention, ...]:
    """The attention over what was written: of an encoder-decoder its look at the source."""
    model = widgets.explorer().model(name).internals.on_torch()
    view = AttentionView("cross" if source is not None else "self", "tokens" if source is not None else "words")
    return attention(model, text, None, source, view)


def lens_of(name: str, text: str, source: str | None) -> Lens:
    """The lens over what was written."""
    model = widgets.explorer().model(name).internals.on_torch()
    return lens(model, text, None, (), source, LensView(("mlp",), 10))
