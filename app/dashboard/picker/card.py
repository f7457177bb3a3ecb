"""What something is and what it costs, shown before it is loaded."""

import streamlit as st

from polysema.app.dashboard.data.collection_care import size
from polysema.app.dashboard.permalink import plain
from polysema.core.model.description import ModelDescription
from polysema.core.model.loading_cost import free_memory
from polysema.core.space.space import Family

KINDS = {
    Family.STATIC: "file of vectors (static)",
    Family.ENCODER: "encoder",
    Family.DECODER: "decoder",
    Family.ENCODER_DECODER: "encoder-decoder",
}


def fits(told: ModelDescription) -> bool:
    """Whether a model fits into the memory that is free now; vectors, which are mapped from the disk, always do."""
    free = free_memory()
    return told.family is Family.STATIC or free is None or told.loading_bytes <= free


def card(told: ModelDescription) -> None:
    """Family, size, license, tokenizer, and the memory that it takes beside what is free."""
    static = told.family is Family.STATIC
    kind = f"{KINDS[told.family]}, {told.architecture or told.model_type}"
    parameters = f"{told.n_parameters:,} parameters, " if told.n_parameters else ""
    lines = [
        ("Kind", kind),
        ("Size", f"{parameters}{size(told.file_bytes)} on the disk"),
        ("License", told.license or "not stated in the folder"),
        *([] if static else [("Tokenizer", told.tokenizer or "none found")]),
        ("Memory", memory(told)),
    ]
    st.markdown("  \n".join(f"**{what}**: {plain(value)}" for what, value in lines))
    if not fits(told):
        free = size(free_memory() or 0)
        st.warning(
            f"It takes {size(told.loading_bytes)} of memory, and {free} are free: free memory or take a smaller model.",
            icon="⚠️",
        )


def memory(told: ModelDescription) -> str:
    """What it takes in memory, and what is free."""
    free = free_memory()
    beside = f"; {size(free)} are free" if free is not None else ""
    if told.family is Family.STATIC:
        return f"read from the disk as it is needed, at most {size(told.loading_bytes)}{beside}"
    return f"{size(told.loading_bytes)} once it is loaded{beside}"
