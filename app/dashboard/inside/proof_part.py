"""What is tested of a model before what is seen inside it is shown: a part of the page Inside."""

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work


def proof_part(name: str) -> None:
    """The identities that a model must satisfy, where they are wanted."""
    shown = st.toggle(
        "What is tested of this model",
        key="proof",
        bind="query-params",
        help="Identities against plain transformers, tested once for a model’s content; what fails is not shown.",
    )
    if not shown:
        return
    found = work.answer(
        ("proof", name),
        lambda progress: widgets.explorer().model(name, progress=progress).internals.check(progress=progress),
    )
    if found is None:
        return
    widgets.say(f"{widgets.plain(found.verdict)}.")
    rows = found.identities()
    st.dataframe(rows, hide_index=True, width="stretch", alt="The identities that are tested")
    downloads.numbers(rows, "proof")
