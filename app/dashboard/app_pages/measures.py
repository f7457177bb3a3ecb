"""The page Measures: models measured on texts, labels and lists of one's own, layer by layer."""

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.measures import kinds
from polysema.app.dashboard.measures.curves import curves
from polysema.app.dashboard.measures.kinds import Measurement
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import offer
from polysema.core.errors import UserError
from polysema.core.model.catalog import READABLE

KINDS = ("Contextuality", "Senses", "Word in context", "Probe", "Bias")


def measurement(kind: str, models: list[str]) -> Measurement | None:
    """What the boxes of a kind ask for; None where something is missing."""
    if kind == "Contextuality":
        return kinds.contextuality(models)
    if kind == "Word in context":
        return kinds.word_in_context(models)
    if kind == "Bias":
        return kinds.bias(models)
    return kinds.labels("senses" if kind == "Senses" else "probe", models)


def page() -> None:
    """The page."""
    widgets.title(
        "Measures",
        "What the layers of models know, measured on your own texts, labels and lists; several models on one plot.",
    )
    here = [name for name in choices.models(READABLE) if not choices.reads_letters(name)]
    if not here:
        offer("minilm-l6", "This needs a language model, such as", "measures")
        return
    permalink.restore("measures")
    kind = st.segmented_control("Measure", KINDS, default=KINDS[0], required=True, key="measure", bind="query-params")
    models = permalink.pick_several(
        "Models",
        here,
        "model",
        key="measured",
        names=choices.name_label,
        default=here[:1],
        help="Each is a curve; every layer is measured.",
    )
    try:
        wanted = measurement(kind or KINDS[0], models)
    except UserError as error:
        widgets.problem(error)
        return
    permalink.keep_boxes("measures")
    if wanted is None or not (models or kind == "Bias"):
        st.info("Choose a model, and paste texts or labels, or give a file.")
        return
    with st.container():
        found = work.answer(("measures", *wanted.key, tuple(models)), wanted.work)
    if found is None:
        return
    curves(found, wanted)
    widgets.python_lines(wanted.code, wanted.details)


page()
