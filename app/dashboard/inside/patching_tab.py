"""The tab Patching of the page Inside: which layers and tokens carry what makes two texts' answers differ."""

from typing import NamedTuple

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import (
    circuits_of,
    letter_kind,
    model_box,
    preferred,
    shown,
    typed,
)
from polysema.app.dashboard.inside.find_head import OWN_ATTENTION
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import trail_bar, walk
from polysema.core.inside.patch_inputs import PatchOptions
from polysema.core.inside.patching import Patching
from polysema.core.model.catalog import READABLE
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family

MAX_LISTED_PLACES = 8
FEW_LAYERS = 8  # of which each is patched
EVERY_NTH = 3  # layers, unless all of them are wanted: each costs a pass for each layer and token
PARTS = {
    "hidden states": "residual",
    "attention": "attention",
    "MLP": "mlp",
    "heads": "head",
}
STARTS = {
    "t": ("The capital of France is", "The capital of Italy is", "Paris", "Rome"),
    "w": ("phone", "shone", "F", "SH"),
}


class PatchQuery(NamedTuple):
    """What is patched, in the order that `patching_of` takes it."""

    model: str
    part: str
    into: str
    every_layer: bool
    clean: str
    corrupted: str
    answer: str
    against: str


def patching_controls() -> PatchQuery:
    """The boxes for model, part, direction, texts and answers."""
    names = preferred(choices.models(READABLE), Family.DECODER)
    first, second, third = st.columns([4, 5, 3], vertical_alignment="bottom")
    name = model_box(names, "pm_in", first, "Which model reads both texts; it has to predict words.")
    part = second.segmented_control(
        "Patch",
        list(PARTS),
        default="hidden states",
        required=True,
        key="pp",
        bind="query-params",
        help="What is carried over: the states behind a layer, or what attention, MLP or a single head writes there.",
    )
    every = third.toggle(
        "Every layer",
        key="pe",
        bind="query-params",
        help=f"Otherwise every {EVERY_NTH}rd layer and the last of a model of more than {FEW_LAYERS}: faster.",
    )
    into = st.segmented_control(
        "Direction",
        ["clean into corrupted", "corrupted into clean"],
        default="clean into corrupted",
        required=True,
        key="pd",
        bind="query-params",
        help="The first shows what is enough to bring the answer back, the second what is needed for it.",
    )
    kind = letter_kind(name)
    start = STARTS[kind]
    with st.form("patching", border=False):
        clean = typed(f"px_{kind}", start[0], "Clean text", "The text whose answer is looked for.")
        corrupted = typed(f"py_{kind}", start[1], "Corrupted text", "The same with another word, of as many tokens.")
        one, two, run = st.columns([4, 4, 2], vertical_alignment="bottom")
        boxes = [
            permalink.box(place.text_input, "inside", label, begins, key=f"{key}_{kind}", max_chars=60, help=explains)
            for place, label, begins, key, explains in (
                (one, "Answer", start[2], "pa", "What follows the clean text."),
                (two, "Against", start[3], "pb", "What follows the corrupted one. Empty: the first answer alone."),
            )
        ]
        run.form_submit_button("Patch", type="primary", width="stretch")
    answer, against = ((value or "").strip() for value in boxes)
    direction = "clean" if into == "corrupted into clean" else "corrupted"
    return PatchQuery(name, PARTS[part or "hidden states"], direction, bool(every), clean, corrupted, answer, against)


def patching_part() -> None:
    """Two texts, and where the difference of their answers is carried."""
    query = patching_controls()
    if not (query.clean and query.corrupted and query.answer):
        st.info("Write two texts and an answer, such as: The capital of France is / The capital of Italy is / Paris")
        return
    found = work.answer(("patching", *query), lambda progress: patching_of(query, progress))
    if found is None:
        return
    for target in (found.answer, found.against):
        if target is not None and target.note:
            widgets.remark(widgets.plain(target.note[0].upper() + target.note[1:]) + ".")
    patching_picture(found, query)


def patching_of(query: PatchQuery, progress: Progress = no_progress) -> Patching:
    """The effect of each layer and token."""
    widgets.check_length(query.clean)
    widgets.check_length(query.corrupted)
    circuits = circuits_of(query.model, progress)
    stack = "encoder" if choices.reads_letters(query.model) else ""  # the letters are read there
    n_layers = circuits.on_torch(stack).n_layers
    layers = layers_to_patch(n_layers, query.part, query.every_layer)
    options = PatchOptions(query.part, layers, into=query.into, stack=stack)
    return circuits.patch((query.clean, query.corrupted), query.answer, query.against or None, options, None, progress)


def layers_to_patch(n_layers: int, part: str, every_layer: bool) -> tuple[int, ...] | None:
    """Which layers are patched; None for each of them."""
    if every_layer or n_layers <= FEW_LAYERS:
        return None
    first = 0 if part == "residual" else 1
    return tuple(sorted({*range(first, n_layers, EVERY_NTH), n_layers}))


def largest_places(found: Patching, query: PatchQuery) -> None:
    """The places of the largest effects; a click leads to the head's attention or to the lens of the clean text."""
    layer, name, effect = found.best(1)[0]
    widgets.say(f"The largest effect is **{effect:.2f}**, of layer **{layer}** at **{widgets.plain(shown(name))}**.")
    kind = letter_kind(query.model)

    def look(place: object) -> None:
        if isinstance(place, tuple):  # layer, head
            heads = {f"al_{query.model}_self": place[0], f"ah_{query.model}_self": place[1]}
            own = {"ak": OWN_ATTENTION["encoder"]} if kind == "w" else {}
            walk("inside", {"see": "Attention", "am": query.model, f"at_{kind}": query.clean} | heads | own)
        else:
            walk(
                "inside",
                {"see": "Lens", "lm": query.model, f"lt_{kind}": query.clean, f"lw_{kind}": query.answer},
            )

    rows = [
        ListedRow(
            f"layer {layer}, {shown(name)}",
            "",
            effect,
            layer if found.positions else (layer, found.columns.index(name)),
        )
        for layer, name, effect in found.best(MAX_LISTED_PLACES)
    ]
    trail_bar("inside", f"Patching {query.answer}")
    clickable_list(rows, "patched_places", look)
    st.caption(
        "The largest effects; a click leads to "
        + ("the predictions of the clean text, layer by layer." if found.positions else "the head’s attention.")
    )


def patching_picture(found: Patching, query: PatchQuery) -> None:
    """The heat map, and what it says and doesn't say."""
    names = [shown(name) for name in found.columns]
    order = [f"{number}: {name}" for number, name in enumerate(names)] if found.positions else names
    rows = [
        {"layer": layer, "place": place, "effect": float(effect), "score": float(score)}
        for layer, effects, scores in zip(found.layers, found.effects, found.scores, strict=True)
        for place, effect, score in zip(order, effects, scores, strict=True)
    ]
    widgets.say(
        f"The {widgets.plain(found.measure)} is **{found.clean_score:.2f}** after the clean text and "
        f"**{found.corrupted_score:.2f}** after the corrupted one."
    )
    widgets.remark(
        "Each square: the pass over one text goes on with this one vector of the other. 0 changes nothing; 1 turns the "
        "answer into the other’s."
    )
    squares = (
        alt.Chart(pd.DataFrame(rows))
        .mark_rect()
        .encode(
            x=alt.X("place:N", sort=order, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=90)),
            y=alt.Y("layer:O", sort="descending", title="layer"),
            color=alt.Color(
                "effect:Q",
                scale=alt.Scale(scheme="brownbluegreen", domain=[-1, 1], clamp=True),
                legend=alt.Legend(orient="top", title="effect"),
            ),
            tooltip=["layer", "place", alt.Tooltip("effect:Q", format=".3f"), alt.Tooltip("score:Q", format=".3f")],
        )
        .properties(height=max(220, min(560, 18 * len(found.layers) + 150)))
    )
    downloads.chart(squares, "The effect of patching each layer and token")
    largest_places(found, query)
    widgets.remark(
        "What could fool you: a large effect shows where the difference passes by, not where it is computed; a small "
        "one may hide a second way that does the same work; and the answer turns only for this pair of texts. "
        "Try other "
        "pairs, and the other direction."
    )
    downloads.numbers(rows, "patching")
    options = f"PatchOptions({query.part!r}, into={query.into!r})"
    against = repr(query.against) if query.against else None
    widgets.python_lines(
        "from polysema import Explorer\nfrom polysema.core.inside.patch_inputs import PatchOptions\n\n"
        f"circuits = Explorer().model({query.model!r}).circuits\n"
        f"found = circuits.patch(({query.clean!r}, {query.corrupted!r}), {query.answer!r}, {against}, {options})\n"
        "found.effects  # (layers, tokens)",
        "Activation patching, also called causal tracing (Meng et al. 2022): the effect is (patched - base) / (other - "
        "base), of the difference of two logits or of one log-probability.",
    )
