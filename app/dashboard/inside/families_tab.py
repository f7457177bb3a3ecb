"""The tab Families of the page Inside: one sentence through a model of each family."""

from functools import partial
from html import escape
from typing import Any

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.attention_mask import mask
from polysema.app.dashboard.inside.controls import shown, typed
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import offer
from polysema.app.explorer.inside_options import text_for
from polysema.core.inside.families import FamilyRun, family_run
from polysema.core.space.space import Family


def families_part() -> None:
    """One sentence through the three families."""
    with st.form("families", border=False):
        text = typed(
            "rt",
            "The white swan swims in the blue water",
            "Sentence",
            "It goes through one model of each family; a model that reads letters gets its longest word.",
        )
        st.form_submit_button("Send it through", type="primary")
    if not text:
        st.info("Write a sentence, such as: the white swan in the blue water")
        return
    names = [name for name in ("minilm-l6", "smollm2-135m", "g2p-t5") if name in choices.models(("texts", "letters"))]
    if "smollm2-135m" not in names:
        offer("smollm2-135m", "The decoder of the three is", "families")
    columns = st.columns(len(names), gap="medium")
    rows: list[dict[str, Any]] = []
    for column, name in zip(columns, names, strict=True):
        with column:
            found = work.answer(("family", name, text), partial(_family_run, name, text))
            if found is not None:
                rows += family_picture(found)
    if rows:
        downloads.numbers(rows, "families")
        widgets.python_lines(
            "from polysema.app.explorer import Explorer\n\n"
            f"found = Explorer().model({names[0]!r}).internals.family_run({text!r})\nfor sight in found.sights:\n    "
            "print(sight.name, sight.describe)",
            "A square is filled where some head of some layer gives any weight at all: the masks as they are met, "
            "not as they are meant.",
        )


def _family_run(name: str, text: str, progress: object) -> FamilyRun:
    """One model's way through the sentence."""
    model = widgets.explorer().model(name).internals.on_torch()
    widgets.check_length(text)
    return family_run(model, text_for(model, text))


FAMILIES = {
    Family.ENCODER: "Encoder: reads all at once",
    Family.DECODER: "Decoder: reads from left to right",
    Family.ENCODER_DECODER: "Encoder-decoder: reads, then writes",
}


def family_picture(found: FamilyRun) -> list[dict[str, Any]]:
    """One model: which tokens attend to which, its output, what the cross-attention carries; returns the numbers."""
    st.markdown(f"**{FAMILIES[found.family]}**")
    layers = " + ".join(map(str, found.n_layers))
    st.caption(
        f"{widgets.plain(found.model)}: {layers} layers of {found.n_heads} heads, {found.dim} dimensions. Reads "
        f"{widgets.plain(found.text)}" + (f" and writes {widgets.plain(found.written)}." if found.written else ".")
    )
    for sight in found.sights:
        mask(sight, f"roads_{found.model}_{sight.name}")
    st.markdown(f"It ends in {found.ends}.")
    if found.says:
        static = found.family is Family.ENCODER and "static" in found.ends
        st.caption(f"At {widgets.plain(found.says_at)}:")
        widgets.bars(
            [(shown(token), score) for token, score in found.says], "token", label="cosine" if static else "prob."
        )
    if found.carried:
        st.markdown("What the cross-attention carries")
        items = "".join(
            f"<li><b>{escape(item.written)}</b> looks at "
            f"{escape(', '.join(f'{name} {share:.2f}' for name, share in item.looks_at[:3]))}"
            f'<div class="meta">adds a vector {item.share:.2f} times as long as the state</div></li>'
            for item in found.carried
        )
        st.html(f'<ul class="ps-hits">{items}</ul>')
    return [
        {
            "model": found.model,
            "attention": sight.name,
            "from": row.name,
            "to": column.name,
            "seen": bool(sight.open[i, j]),
        }
        for sight in found.sights
        for i, row in enumerate(sight.rows)
        for j, column in enumerate(sight.columns)
    ]
