"""Families: one sentence through BERT, a decoder, the Transformer of 2017 and T5, side by side."""

from functools import partial
from typing import Any

import streamlit as st

from polysema.app.dashboard import downloads, trail, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.attention_mask import mask
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import model_box, shown, typed, with_model
from polysema.app.dashboard.inside.deeds import Deed, deed_of, deed_picture
from polysema.app.dashboard.inside.four_table import card_row, four_table
from polysema.app.dashboard.inside.leads import follow_in, look_at_heads, quoted
from polysema.app.dashboard.picker import choices
from polysema.app.explorer.inside_options import text_for
from polysema.core.inside.families import COMPARED_MODELS, FamilyRun, family_run
from polysema.core.inside.family_card import FamilyCard, family_card
from polysema.core.model.catalog import READABLE
from polysema.core.space.space import Family

SWAN = "The white swan swims in the blue water"
DECODER = "gpt-tiny-en"  # of the four; another may be chosen in its place
DECODERS = (Family.DECODER,)


def families_part() -> None:
    """One sentence through the four architectures."""
    decoder = _decoder()
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
    here = choices.models(READABLE)
    names = [name for name in compared(decoder) if name in here or name == decoder]
    trail.trail_bar(trail.here(), "Families")
    columns = st.columns(len(names), gap="medium")
    rows: list[dict[str, Any]] = []
    found: list[tuple[FamilyRun, FamilyCard]] = []
    for column, name in zip(columns, names, strict=True):
        with column:
            answer = work.answer(("family", name, text), with_model(name, partial(_family_run, name, text)))
            if answer is not None:
                run, card, deed = answer
                rows += family_picture(run, deed)
                found.append((run, card))
    if not rows:
        return
    four_table(found)
    downloads.numbers([card_row(run, card) for run, card in found], "four", "The four in figures (CSV)")
    downloads.numbers(rows, "families")
    widgets.python_lines(
        "from polysema import Explorer\n\n"
        f"found = Explorer().compare_families({text!r}, {names!r}, figures=True)\n"
        "for run, card in zip(found.runs, found.cards, strict=True):\n"
        "    print(run.model, run.written, card.task, card.cannot, card.flops, card.milliseconds)",
        "A square is filled where some head of some layer gives any weight at all: the masks as they are met, "
        "not as they are meant.",
    )


def compared(decoder: str) -> list[str]:
    """One model of each architecture, with the decoder that was chosen."""
    return [decoder if name == DECODER else name for name in COMPARED_MODELS if name != DECODER or decoder]


def _decoder() -> str:
    """Which decoder writes on: the one that ships, or a larger one that is here."""
    names = choices.models(READABLE, (Family.DECODER,))
    if not names:
        return ""
    names.sort(key=lambda name: name != DECODER)
    place = st.columns([4, 8])[0]
    return model_box(names, "fd", place, "Which decoder writes on; the other three come with polysema.", DECODERS)


def _family_run(name: str, text: str) -> tuple[FamilyRun, FamilyCard, Deed]:
    """One model's way through the sentence, its figures, and what it makes of it."""
    model = widgets.explorer().model(name).internals.on_torch()
    widgets.check_length(text)
    own = text_for(model, text)
    return family_run(model, own), family_card(model, own), deed_of(widgets.explorer().model(name), own)


FAMILIES = {
    Family.ENCODER: "Encoder: reads all at once",
    Family.DECODER: "Decoder: reads from left to right",
    Family.ENCODER_DECODER: "Encoder-decoder: reads, then writes",
}


def family_picture(found: FamilyRun, deed: Deed) -> list[dict[str, object]]:
    """One model: what it makes of the text, which tokens attend to which, its output, what the cross-attention carries;
    returns the numbers.
    """
    widgets.say(f"**{FAMILIES[found.family]}**")
    deed_picture(deed, found.model, found.text)
    layers = " + ".join(map(str, found.n_layers))
    widgets.remark(
        f"{widgets.plain(found.model)}: {layers} layers of {found.n_heads} heads, {found.dim} dimensions. Reads "
        f"{widgets.plain(found.text)}" + (f" and writes {widgets.plain(found.written)}." if found.written else ".")
    )
    for sight in found.sights:
        mask(sight, f"roads_{found.model}_{sight.name}")
    widgets.say(f"It ends in {found.ends}.")
    _says(found)
    _carried(found)
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


def _says(found: FamilyRun) -> None:
    """What its last state is turned into; a click follows a token through the layers."""
    if not found.says:
        return
    static = found.family is Family.ENCODER and "static" in found.ends
    widgets.remark(f"At {widgets.plain(found.says_at)}:")
    says = [ListedRow(shown(token), "", score, (found.text, quoted(token))) for token, score in found.says]
    clickable_list(says, f"says_{found.model}", follow_in(found.model))
    widgets.remark(f"The {'cosine' if static else 'probability'} of each; a click follows it through the layers.")


def _carried(found: FamilyRun) -> None:
    """What the cross-attention brings to each written token; a click leads to the heads."""
    if not found.carried:
        return
    widgets.say("What the cross-attention carries")

    clickable_list(
        [
            ListedRow(
                shown(item.written),
                f"looks at {', '.join(f'{shown(name)} {share:.2f}' for name, share in item.looks_at[:3])}; adds a "
                f"vector {item.share:.2f} times as long as the state",
                None,
                item.written,
            )
            for item in found.carried
        ],
        f"carried_{found.model}",
        lambda _: look_at_heads(found.model, found.text),
    )
    widgets.remark("A click leads to its heads.")
