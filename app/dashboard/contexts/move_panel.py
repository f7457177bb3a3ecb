"""The page Contexts: what moved the occurrence that was clicked, from its static vector to its hidden state."""

from html import escape

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.contexts.controls import YOURS
from polysema.app.dashboard.inside.attribution_tab import head_list, head_map
from polysema.app.dashboard.inside.controls import AMBER, GRAY, TEAL
from polysema.app.dashboard.sharing import page_record
from polysema.app.explorer.results import WordMap
from polysema.app.explorer.results.inside import MoveAnswer
from polysema.core.inside.explained_move import MoveOptions
from polysema.core.inside.move_axis import AxisChoice
from polysema.core.model.tokens import find_words

BETWEEN_SENSES, TWO_ENDS, ITSELF = "Between senses", "Two words", "Whole move"
MAX_AXIS_TEXTS = 24  # of each side: so many are read anew
STARTS = {"bank": "money -> river", "match": "tennis -> fire", "light": "heavy -> lamp", "spring": "water -> summer"}


def move_panel(found: WordMap, layer: int, row: int) -> None:
    """What carried the clicked occurrence away from its static vector, on an axis that is chosen."""
    widgets.heading("What moved it")
    text, (start, end) = found.texts[row], found.spans[row]
    axis = _axis(found, row)
    if axis is None:
        return
    nth = sum(place.start <= start for place in find_words(text, text[start:end]))
    model, word = found.origin.source, text[start:end]
    answer = work.answer(
        ("move", model, word, text, nth, layer, axis),
        lambda progress: (
            widgets.explorer()
            .model(model, progress=progress)
            .circuits.explain_move(word, text, axis, layer, MoveOptions(nth))
        ),
    )
    if answer is not None:
        move_picture(answer, axis, nth)


def _axis(found: WordMap, row: int) -> AxisChoice | None:
    """The axis that is chosen; None while it is being written."""
    sense = found.senses[row]
    this, others = _texts(found, row, True), _texts(found, row, False)
    kinds = [TWO_ENDS, ITSELF] if not this or not others or sense == YOURS else [BETWEEN_SENSES, TWO_ENDS, ITSELF]
    one, two = st.columns([6, 6], vertical_alignment="bottom")
    kind = one.segmented_control(
        "Axis",
        kinds,
        default=kinds[0],
        required=True,
        key="move_axis",
        help="The move is projected on it: from the sentences of the other senses to those of this one, from a word "
        "to another, or the whole move.",
    )
    if kind == ITSELF:
        return AxisChoice()
    if kind == BETWEEN_SENSES:
        return AxisChoice(None, this, others)
    ends = permalink.box(
        two.text_input,
        "contexts",
        "From -> to",
        STARTS.get(found.word, "money -> river"),
        key="move_ends",
        max_chars=200,
        help="Two words, such as money -> river; or occurrences, each written: bank in “the river bank”.",
    )
    if not (ends or "").strip():
        st.info("Write the two ends of the axis, such as: money -> river")
        return None
    return AxisChoice(str(ends).strip())


def _texts(found: WordMap, row: int, same: bool) -> tuple[str, ...]:
    """Other sentences with the word: of the same sense, or of the others."""
    sense = found.senses[row]
    chosen = [
        text
        for place, text in enumerate(found.texts)
        if place != row and found.senses[place] != YOURS and (found.senses[place] == sense) == same
    ]
    return tuple(dict.fromkeys(chosen))[:MAX_AXIS_TEXTS]


def move_picture(found: MoveAnswer, axis: AxisChoice, nth: int = 1) -> None:
    """The move layer by layer, by word and by head, with its controls and its numbers."""
    widgets.say(_summary(found))
    left, right = st.columns([6, 6], gap="medium")
    with left:
        widgets.remark("Layer by layer: what its heads, its MLP, and its norms and biases add.")
        downloads.chart(_layer_chart(found), f"What each layer adds to the move of {found.word}")
    with right:
        widgets.remark("Word by word: what all heads together took from it.")
        st.html(_words(found))
        page_record.text(
            ", ".join(f"{widgets.plain(one.name.strip() or one.name)} {one.value:+.3f}" for one in found.sources)
        )
        for control in found.controls:
            widgets.remark(
                f"Control, {control.name} ({control.n}): typically {control.spread:.3f}; as large as here in "
                f"{control.share:.0%} of them."
            )
        if found.note:
            widgets.remark(widgets.plain(found.note[0].upper() + found.note[1:]) + ".")
    if found.layer:
        rows = [
            {"part": p.name, "kind": p.kind, "layer": p.layer, "head": p.head, "adds": p.value} for p in found.parts
        ]
        head_map(rows)
        head_list(rows, found.model, found.text)
    downloads.numbers(
        [
            {"part": p.name, "kind": p.kind, "layer": p.layer, "head": p.head, "adds": p.value, "length": p.length}
            | {"mostly by": p.mover, "which gave": p.mover_value}
            for p in found.parts
        ],
        "move",
    )
    given = repr(axis.ends) if axis.ends is not None else repr(axis) if axis.toward else "None"
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n"
        "from polysema.core.inside.explained_move import MoveOptions\n"
        "from polysema.core.inside.move_axis import AxisChoice\n\n"
        f"found = Explorer().model({found.model!r}).circuits.explain_move(\n    {found.word!r},\n    {found.text!r},\n"
        f"    {given},\n    layer={found.layer},\n    options=MoveOptions({nth}),\n)\nfor part in found.largest(10):\n"
        "    print(part.name, part.value, part.mover)",
        "Hidden state less static vector is a sum of what every head, MLP, norm and bias adds, with the scale of the "
        "norms frozen at what it is here; a head’s part is the sum of attention weight times value over the words.",
    )


def _summary(found: MoveAnswer) -> str:
    toward = "forward" if found.moved > 0 else "backward"
    said = (
        f"From its static vector to layer {found.layer}, {widgets.plain(found.word)} goes **{found.moved:+.3f}** "
        f"({toward}) on the axis {widgets.plain(found.axis)}, of a whole move of length {found.length:.2f} (cosine "
        f"{found.cosine:.2f}). The {len(found.parts)} parts add up to **{found.total:+.3f}**."
    )
    heads = found.largest(1, ("head", "cross head"))
    words = sorted(found.sources, key=lambda one: -abs(one.value))[:1]
    if heads and words:
        said += (
            f" The head that moved it most is **{heads[0].name}** ({heads[0].value:+.3f}, mostly by "
            f"{widgets.plain(heads[0].mover)}); the word, **{widgets.plain(words[0].name)}** ({words[0].value:+.3f})."
        )
    return said


def _layer_chart(found: MoveAnswer) -> alt.Chart:
    rows = [
        {"layer": str(one.layer), "part": name, "adds": value, "largest": f"{one.largest} {one.largest_value:+.3f}"}
        for one in found.layers
        for name, value in (("heads", one.heads), ("MLP", one.mlp), ("norms, biases", one.rest))
    ]
    answer: alt.Chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar()
        .encode(
            x=alt.X("layer:N", sort=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("adds:Q", title="adds on the axis"),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=["heads", "MLP", "norms, biases"], range=[TEAL, AMBER, GRAY]),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            tooltip=["layer", "part", alt.Tooltip("adds:Q", format="+.4f"), "largest"],
        )
        .properties(height=260)
    )
    return answer


def _words(found: MoveAnswer) -> str:
    """The words with what was taken from each, the stronger the color the more."""
    most = max((abs(one.value) for one in found.sources), default=0.0) or 1.0
    pieces = []
    for one in found.sources:
        share = abs(one.value) / most
        color = f"rgba(13, 148, 136, {0.55 * share:.2f})" if one.value > 0 else f"rgba(217, 119, 6, {0.55 * share:.2f})"
        pieces.append(
            f'<span style="background:{color};padding:.15em .35em;border-radius:.3em" '
            f'title="{escape(one.head)} {one.head_value:+.3f}">{escape(one.name.strip() or one.name)}'
            f"<small> {one.value:+.3f}</small></span>"
        )
    return f'<p class="ps-move" style="line-height:2.3">{" ".join(pieces)}</p>'
