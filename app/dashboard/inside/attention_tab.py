"""The tab Attention of the page Inside: the heads of a sentence, one of them enlarged."""

from typing import NamedTuple

import numpy as np
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.components.heads import VIEWS, Heads, LargeHead, chosen_head, heads
from polysema.app.dashboard.inside.controls import (
    LETTERS,
    SENTENCE,
    given,
    letter_kind,
    model_box,
    typed,
    with_model,
)
from polysema.app.dashboard.inside.find_head import CROSS_ATTENTION, OWN_ATTENTION, find_head_part
from polysema.app.dashboard.inside.proof_part import proof_part
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import trail_bar, walk
from polysema.app.explorer.inside_options import unit_for
from polysema.core.inside import attention as attending
from polysema.core.inside.head_names import head_name
from polysema.core.model.catalog import READABLE
from polysema.core.space.space import Family

MAX_UNITS = 64  # words or tokens drawn at once
KINDS = {
    CROSS_ATTENTION: ("decoder", "cross"),
    OWN_ATTENTION["decoder"]: ("decoder", "self"),
    OWN_ATTENTION["encoder"]: ("encoder", "self"),
}


class AttentionQuery(NamedTuple):
    """Whose attention is shown, in the order that `attention_of` takes it."""

    model: str
    stack: str
    kind: str
    folds: bool
    text: str


def attention_controls() -> tuple[AttentionQuery, str | None]:
    """The boxes for model, kind of attention, view and text."""
    names = choices.models(READABLE)
    first, second, third = st.columns([4, 4, 4], vertical_alignment="bottom")
    name = model_box(names, "am", first, "Which model reads the sentence.")
    two = choices.family_of(name) is Family.ENCODER_DECODER
    stack, kind = "", "self"
    if two:
        chosen = second.selectbox(
            "Whose attention",
            list(KINDS),
            key="ak",
            bind="query-params",
            help="A model of two stacks has three kinds of attention.",
        )
        stack, kind = KINDS[chosen]
    view = (third if two else second).segmented_control(
        "Show the head as",
        list(VIEWS),
        default=VIEWS[0],
        required=True,
        key="av",
        bind="query-params",
        help="Lines between words, or a table of squares.",
    )
    folds = not two and st.toggle(
        "Fold away the model’s own tokens",
        key="af",
        bind="query-params",
        help="[CLS] and [SEP] swallow most of the weight; without them each row is shared among the words.",
    )
    with st.form("attention", border=False):
        text = typed(
            f"at_{letter_kind(name)}",
            LETTERS if choices.reads_letters(name) else SENTENCE,
            "Word" if choices.reads_letters(name) else "Sentence",
            "This model reads the letters of one word."
            if choices.reads_letters(name)
            else "Any sentence of yours; it stays on this machine: a copied link names it by a number.",
        )
        st.form_submit_button("Look inside", type="primary")
    return AttentionQuery(name, stack, kind, bool(folds), text), view


def attention_part() -> None:
    """The heads of a sentence, one of them large, which head does what, and what is tested of the model."""
    query, view = attention_controls()
    attention_shown(query, view or VIEWS[0])
    proof_part(query.model)


def attention_shown(query: AttentionQuery, view: str) -> None:
    """The heads of a sentence, or a line that says why there are none."""
    if not query.text:
        st.info("Write something to look at, such as: the white swan in the blue water")
        return
    found = work.answer(("attention", *query), with_model(query[0], lambda: attention_of(*query)))
    if found is None:
        return
    part = found[0]
    if len(found) > 1:
        widgets.remark(
            f"The text is longer than the model’s window and is read in {len(found)} overlapping windows: choose "
            "one of them."
        )
        part = found[
            int(
                st.number_input(
                    "Window", 1, len(found), 1, key="aw", bind="query-params", help="Which part of the text."
                )
            )
            - 1
        ]
    if max(len(part.rows), len(part.columns)) > MAX_UNITS:
        st.info(
            f"At most {MAX_UNITS} words are drawn at once, and these are "
            f"{max(len(part.rows), len(part.columns))}. Give a shorter text; "
            "`polysema inside attention` prints longer ones."
        )
        return
    heads_picture(part, query.model, view)
    if query.kind == "self":
        find_head_part(query.model, query.stack, query.text)


def attention_of(name: str, stack: str, kind: str, folds: bool, text: str) -> tuple[attending.Attention, ...]:
    """The attention of a text in every layer, window by window."""
    model = widgets.explorer().model(name).internals.on_torch(stack)
    query, source = given(model, text)
    view = attending.AttentionView(kind, unit_for(model), "merge" if folds else "keep")
    return attending.attention(model, query, None, source, view)


def heads_picture(part: attending.Attention, name: str, view: str) -> None:
    """The grid, the controls of the large head, and its numbers."""
    n_heads = part.weights.shape[1]
    key = f"heads_{name}_{part.view.kind}_{len(part.layers)}"
    layer_key, head_key = f"al_{name}_{part.view.kind}", f"ah_{name}_{part.view.kind}"

    def chosen() -> None:
        place = chosen_head((st.session_state.get(key) or {}).get("choice"), part.layers, n_heads)
        if place is not None:
            walk("inside", {layer_key: place[0], head_key: place[1]})

    one, other, rest = st.columns([2, 2, 6], vertical_alignment="bottom")
    layer = int(
        one.number_input(
            "Layer",
            1,
            max(part.layers),
            max(1, max(part.layers) // 2),
            key=layer_key,
            bind="query-params",
            help="From 1, nearest to the embedding.",
        )
    )
    head = int(
        other.number_input(
            "Head", 1, n_heads, 1, key=head_key, bind="query-params", help="Each head attends in a way of its own."
        )
    )
    rest.caption(about_head(part, layer, head))
    trail_bar("inside", f"head {head_name(layer, head)}")
    shown = Heads(
        part.weights,
        part.layers,
        [unit.name for unit in part.rows],
        [unit.name for unit in part.columns],
        part.forbidden,
    )
    alt = f"Attention of {name}: which word attends to which"
    heads(shown, LargeHead(layer, head, view), key=key, alt=alt, on_choose=chosen)
    downloads.numbers(lambda: weight_rows(part, layer, head), "attention")
    show_python(part, name, layer, head)


def show_python(part: attending.Attention, name: str, layer: int, head: int) -> None:
    """The lines that print the weights of a head."""
    two = part.view.kind == "self" and choices.family_of(name) is Family.ENCODER_DECODER and not part.source
    fields = {
        "target": part.text if part.source else None,
        "stack": "encoder" if two else "",
        "cross": part.view.kind == "cross",
        "unit": part.view.unit,
        "special": part.view.special,
    }
    options = ", ".join(f"{key}={value!r}" for key, value in fields.items() if value)
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n"
        "from polysema.app.explorer.inside_options import AttentionOptions\n\n"
        f"how = AttentionOptions({options})\n"
        f"(found,) = Explorer().model({name!r}).attention({part.source or part.text!r}, options=how)\n"
        f"weights = found.of({layer}, {head})  # rows look at columns; each row adds up to 1",
        "Sub-words are merged to words: summed over the words looked at, averaged over those that look, so that "
        "each row still adds up to 1. "
        "Attention shows what a head reads, not what it does with it: see *Attribution* for that.",
    )


def weight_rows(part: attending.Attention, layer: int, head: int) -> list[dict[str, object]]:
    """The weights of one head as rows."""
    weights = part.of(layer, head)
    return [
        {
            "layer": layer,
            "head": head,
            "from": row.name,
            "to": column.name,
            "weight": float(weights[i, j]),
            "masked": bool(part.forbidden[i, j]),
        }
        for i, row in enumerate(part.rows)
        for j, column in enumerate(part.columns)
    ]


def about_head(part: attending.Attention, layer: int, head: int) -> str:
    """What the numbers of one head say about it."""
    weights = part.of(layer, head).astype(np.float64)
    said = []
    if part.view.kind == "self":
        before = float(np.mean([weights[i, i - 1] for i in range(1, len(weights))])) if len(weights) > 1 else 0.0
        own = float(np.mean(np.diag(weights)))
        said.append(
            f"to the word before {before:.0%}, to itself {own:.0%}, to the first {float(weights[:, 0].mean()):.0%}"
        )
    bits = -(weights * np.log2(np.maximum(weights, 1e-12))).sum(1).mean()
    said.append(f"spread over about {2**bits:.1f} words")
    if part.view.special == "merge":
        share = float(part.folded[part.layers.index(layer), head - 1].mean())
        said.append(f"{share:.0%} of the weight had gone to the model’s own tokens")
    if part.n_key_heads != part.weights.shape[1]:
        said.append(f"reads key head {part.key_head(head)} of {part.n_key_heads}")
    return f"Head {head_name(layer, head)}: {'; '.join(said)}."
