"""Families: one sentence through BERT, a decoder, the Transformer of 2017 and T5, side by side."""

from functools import partial
from html import escape
from typing import Any

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.attention_mask import mask
from polysema.app.dashboard.inside.controls import shown, typed
from polysema.app.dashboard.inside.deeds import Deed, deed_of, deed_picture
from polysema.app.dashboard.picker import choices
from polysema.app.explorer.inside_options import text_for
from polysema.core.inside.families import FamilyRun, family_run
from polysema.core.inside.family_card import FamilyCard, family_card
from polysema.core.model.catalog import READABLE
from polysema.core.space.space import Family

SWAN = "The white swan swims in the blue water"
DECODER = "smollm2-135m"
FOUR = ("bert-tiny-en", DECODER, "marian-en-fr", "g2p-t5")
CANNOT = {
    Family.ENCODER: "write a text: it has no next word, only gaps",
    Family.DECODER: "see what comes behind a token: its vector of a word knows the left side alone",
    Family.ENCODER_DECODER: "write without a source, or anything but what its pairs taught it",
}


def families_part() -> None:
    """One sentence through the four architectures."""
    with st.form("families", border=False):
        text = typed(
            "rt",
            SWAN,
            "Sentence",
            "It goes through one model of each architecture; a model that reads letters gets its longest word.",
        )
        st.form_submit_button("Send it through", type="primary")
    if not text:
        st.info("Write a sentence, such as: the white swan in the blue water")
        return
    names = compared_models()
    columns = st.columns(len(names), gap="medium")
    rows: list[dict[str, Any]] = []
    cards: list[dict[str, Any]] = []
    for column, name in zip(columns, names, strict=True):
        with column:
            found = work.answer(("family", name, text), partial(_family_run, name, text))
            if found is not None:
                run, card, deed = found
                rows += family_picture(run, deed)
                cards.append(card_row(run, card))
    if rows:
        st.markdown("**The four in figures**, as measured here now")
        st.dataframe(cards, hide_index=True, width="stretch")
        st.caption(
            "FLOPs and milliseconds are of one pass over what each reads (and writes), the median of five. What "
            "could fool you: sizes and training texts differ by much more than the architectures do; none is large."
        )
        downloads.numbers(rows, "families")
        widgets.python_lines(
            "from polysema import Explorer\nfrom polysema.core.inside.family_card import family_card\n\n"
            f"internals = Explorer().model({names[0]!r}).internals\n"
            f"found = internals.family_run({text!r})\nfor sight in found.sights:\n    "
            "print(sight.name, sight.describe)\n"
            f"print(family_card(internals.on_torch(), {text!r}))",
            "A square is filled where some head of some layer gives any weight at all: the masks as they are met, "
            "not as they are meant.",
        )


def compared_models() -> list[str]:
    """The four that are here; in place of SmolLM2 another decoder, and a line where there is none."""
    here = choices.models(READABLE)
    names = [name for name in FOUR if name in here]
    if DECODER not in here:
        other = next((name for name in here if choices.family_of(name) is Family.DECODER), None)
        instead = f"{other} writes on in its place" if other else "so no decoder is shown"
        st.caption(f"{DECODER} is not here, {instead}; bring it with `polysema models pull {DECODER}`.")
        names += [other] if other else []
    return names


def _family_run(name: str, text: str, progress: object) -> tuple[FamilyRun, FamilyCard, Deed]:
    """One model's way through the sentence, its figures, and what it makes of it."""
    model = widgets.explorer().model(name).internals.on_torch()
    widgets.check_length(text)
    own = text_for(model, text)
    return family_run(model, own), family_card(model, own), deed_of(widgets.explorer().model(name), own)


def card_row(run: FamilyRun, card: FamilyCard) -> dict[str, Any]:
    """A row of the table of the four."""
    return {
        "model": run.model,
        "architecture": f"{card.architecture}, {run.family.value}",
        "trained to": card.task,
        "can’t": CANNOT[run.family],
        "layers": " + ".join(map(str, run.n_layers)),
        "norms": card.norms,
        "positions": card.positions,
        "parameters": card.n_parameters,
        "memory, MB": round(card.weight_bytes / 1e6, 1),
        "tokens": card.n_tokens,
        "MFLOPs": round(card.flops / 1e6, 1),
        "milliseconds": round(card.milliseconds, 1),
    }


FAMILIES = {
    Family.ENCODER: "Encoder: reads all at once",
    Family.DECODER: "Decoder: reads from left to right",
    Family.ENCODER_DECODER: "Encoder-decoder: reads, then writes",
}


def family_picture(found: FamilyRun, deed: Deed) -> list[dict[str, Any]]:
    """One model: what it makes of the text, which tokens attend to which, its output, what the cross-attention carries;
    returns the numbers.
    """
    st.markdown(f"**{FAMILIES[found.family]}**")
    deed_picture(deed)
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
