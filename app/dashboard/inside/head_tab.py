"""The tab Head of the page Inside: one head step by step, and what all heads do over some texts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import (
    LETTERS,
    SENTENCE,
    circuits_of,
    letter_kind,
    model_box,
    preferred,
    shown,
    typed,
    with_model,
)
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import trail_bar, walk
from polysema.core.inside.head_computation import HeadComputation
from polysema.core.inside.head_names import head_name
from polysema.core.inside.head_statistics import HeadStatistic, HeadStatistics
from polysema.core.model.catalog import READABLE
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family, Floats

MAX_TOKENS = 32  # drawn at once
N_SHOWN = 10  # heads of the table
REPEATED = "the swan saw the river, and the swan saw the bank"
STATISTICS = {"previous token": "previous-token", "duplicate token": "duplicate-token", "induction": "induction"}


class HeadQuery(NamedTuple):
    """Which head, and what it reads, in the order that `head_of` takes it."""

    model: str
    layer: int
    head: int
    text: str


def head_part() -> None:
    """One head step by step, and below it what every head does."""
    names = preferred(choices.models(READABLE), Family.DECODER)
    first, second, third = st.columns([4, 2, 2], vertical_alignment="bottom")
    name = model_box(names, "qm_in", first, "Which model reads the text.")
    layer = int(second.number_input("Layer", 1, 1000, 1, key="ql", bind="query-params", help="From 1."))
    head = int(third.number_input("Head", 1, 1000, 1, key="qh", bind="query-params", help="From 1."))
    kind = letter_kind(name)
    with st.form("head", border=False):
        text = typed(
            f"qt_{kind}", LETTERS if choices.reads_letters(name) else SENTENCE, "Text", "What the model reads."
        )
        st.form_submit_button("Compute", type="primary")
    if not text:
        st.info("Write a text to look at, such as: the white swan in the blue water")
        return
    query = HeadQuery(name, layer, head, text)
    found = work.answer(("head", *query), with_model(query[0], lambda: head_of(*query)))
    if found is not None:
        head_picture(found, query)
    statistics_part(name, kind)


def head_of(name: str, layer: int, head: int, text: str) -> HeadComputation:
    """Every step of one head."""
    widgets.check_length(text)
    return circuits_of(name).head_computation(text, layer, head, stack="encoder" if choices.reads_letters(name) else "")


def head_picture(found: HeadComputation, query: HeadQuery) -> None:
    """The three tables of a head as heat maps, and one row of it with numbers."""
    if len(found.rows) > MAX_TOKENS:
        st.info(f"At most {MAX_TOKENS} tokens are drawn, and these are {len(found.rows)}. Give a shorter text.")
        return
    names = [f"{place}: {shown(unit.name)}" for place, unit in enumerate(found.columns)]
    bias = " + position" if found.bias.any() else ""
    place_of_trail = st.container()
    steps = (
        ("1. query · key", found.dot_products),
        (f"2. × {found.scale:.3g}{bias}, masked", np.where(found.masked, np.nan, found.scores)),
        ("3. softmax", np.where(found.masked, np.nan, found.weights)),
    )
    widgets.remark(
        f"Head {head_name(found.layer, found.head)}: each token (a row) asks with its query, every token (a column) "
        "answers with its key. Scaled, masked and put through softmax, the products become shares that add up to 1."
    )
    for place, (title, table) in zip(st.columns(3, gap="small"), steps, strict=True):
        with place:
            widgets.say(f"**{title}**")
            downloads.chart(step_map(table, names), title)
    permalink.note_box("inside", "qr", names[-1])
    if st.session_state.get("qr") not in names:
        st.session_state["qr"] = names[-1]
    row = st.select_slider("Row", names, key="qr", help="The token that asks.")
    at = names.index(row)
    with place_of_trail:
        trail_bar("inside", f"head {head_name(found.layer, found.head)}, row {row}")
    rows = head_rows(found, at)
    clickable_list(token_rows(rows, row), "head_tokens", ask_with)
    st.caption("The share of each; a click on a token has it ask instead.")
    widgets.remark(
        f"4. Each share times its value, added up, and through the output projection: a vector of length "
        f"{float(np.linalg.norm(found.written[at])):.3g} is added to the hidden state. Positions: {found.positions}."
    )
    widgets.remark(
        "What could fool you: a large share of a value that is nearly 0 brings nothing (see the last column), and many "
        "heads put their share on the first token to do nothing at all. These steps are the model’s own: its attention "
        f"and this differ by at most {found.difference:.0e}."
    )
    downloads.numbers(rows, "head")
    widgets.python_lines(
        "from polysema import Explorer\n\n"
        f"circuits = Explorer().model({query.model!r}).circuits\n"
        f"found = circuits.head_computation({query.text!r}, {query.layer}, {query.head})\n"
        "found.query, found.key, found.value, found.scores, found.weights, found.written",
        f"softmax(query · key × {found.scale:.4g}) · value, followed in the model’s own computation; several heads may "
        f"share keys (this one reads key head {found.key_head}).",
    )


def step_map(table: Floats, names: list[str]) -> alt.TopLevelMixin:
    """A table of tokens by tokens; what is masked stays empty."""
    rows = [
        {
            "row": names[row] if len(table) == len(names) else str(row),
            "column": name,
            "value": float(table[row, column]),
        }
        for row in range(len(table))
        for column, name in enumerate(names)
        if np.isfinite(table[row, column])
    ]
    found: alt.TopLevelMixin = (
        alt.Chart(pd.DataFrame(rows))
        .mark_rect()
        .encode(
            x=alt.X("column:N", sort=names, title="key", axis=alt.Axis(labelAngle=-60, labelLimit=70)),
            y=alt.Y("row:N", sort=names, title="query", axis=alt.Axis(labelLimit=70)),
            color=alt.Color("value:Q", scale=alt.Scale(scheme="tealblues"), legend=None),
            tooltip=["row", "column", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(height=300)
    )
    return found


def head_rows(found: HeadComputation, at: int) -> list[dict[str, object]]:
    """The numbers of one row, column by column."""
    lengths = np.linalg.norm(found.value, axis=1)
    return [
        {
            "token": f"{place}: {shown(unit.name)}",
            "query · key": round(float(found.dot_products[at, place]), 3),
            "score": None if found.masked[at, place] else round(float(found.scores[at, place]), 3),
            "share": round(float(found.weights[at, place]), 3),
            "length of value": round(float(lengths[place]), 3),
            "brings": round(float(found.weights[at, place] * lengths[place]), 3),
        }
        for place, unit in enumerate(found.columns)
    ]


def token_rows(rows: Sequence[Mapping[str, object]], row: str) -> list[ListedRow]:
    """The numbers of one row for a list; each but the one that asks stands for its token."""
    listed = []
    for one in rows:
        token = str(one["token"])
        numbers = (f"{name} {value}" for name, value in one.items() if name not in ("token", "share"))
        note = "masked" if one["score"] is None else " · ".join(numbers)
        listed.append(ListedRow(token, note, float(str(one["share"])), None if token == row else token))
    return listed


def ask_with(token: object) -> None:
    """Have another token ask; the one before stays on the trail."""
    walk("inside", {"qr": token})


def statistics_part(name: str, kind: str) -> None:
    """Which heads look at the token before, at the same token earlier, or at what followed that."""
    widgets.say("#### What heads do over many texts")
    chosen = st.segmented_control(
        "Rank by", list(STATISTICS), default="induction", required=True, key="qs", bind="query-params"
    )
    with st.form("statistics", border=False):
        typed_texts = permalink.box(
            st.text_area,
            "inside",
            "Texts, one a line; empty: random sequences that repeat",
            "" if kind == "w" else REPEATED,
            key=f"qx_{kind}",
            height=90,
            help="Statistics of a few lines are noisy; `polysema inside head-statistics --file` reads a whole corpus.",
        )
        st.form_submit_button("Rank the heads")
    texts = tuple(line.strip() for line in (typed_texts or "").splitlines() if line.strip())
    by = STATISTICS[chosen or "induction"]
    found = work.answer(("head statistics", name, by, texts), lambda progress: statistics_of(name, by, texts, progress))
    if found is None:
        return
    rows = statistic_rows(found)
    clickable_list([_listed(one, chosen or "induction") for one in found.heads[:N_SHOWN]], "ranked_heads", show_head)
    chance = "; ".join(f"{one.name} {one.chance:.2f}" for one in found.baselines if np.isfinite(one.chance))
    widgets.remark(
        "Each number is a share of a head’s attention, the mean over all tokens that it is defined for. An induction "
        "head looks at what followed the last time, so that a text that repeats is continued (Olsson et al. 2022). "
        f"A head that looks at all tokens alike has {chance}."
    )
    widgets.remark(
        "What could fool you: where a token repeats right away (“ha ha ha”) the three are one place. Random sequences "
        "tell them apart, but show what a head can do, not what it does in text."
    )
    downloads.numbers(rows, "head_statistics")


def show_head(place: object) -> None:
    """Compute another head."""
    if isinstance(place, tuple):
        walk("inside", {"ql": place[0], "qh": place[1]})


def _listed(one: HeadStatistic, by: str) -> ListedRow:
    values = {"previous token": one.previous_token, "duplicate token": one.duplicate_token, "induction": one.induction}
    others = (f"{name} {value:.3f}" for name, value in values.items() if name != by and np.isfinite(value))
    score = values[by] if np.isfinite(values[by]) else None
    return ListedRow(f"head {head_name(one.layer, one.head)}", " · ".join(others), score, (one.layer, one.head))


def statistics_of(name: str, by: str, texts: tuple[str, ...], progress: Progress = no_progress) -> HeadStatistics:
    """All heads, ranked."""
    widgets.check_length("\n".join(texts))
    stack = "encoder" if choices.reads_letters(name) else ""
    return circuits_of(name, progress).head_statistics(texts, by, None, 0 if texts else 4, stack, progress)


def statistic_rows(found: HeadStatistics) -> list[dict[str, object]]:
    """The heads as a table."""
    return [
        {
            "head": head_name(one.layer, one.head),
            "previous token": _share(one.previous_token),
            "duplicate token": _share(one.duplicate_token),
            "induction": _share(one.induction),
        }
        for one in found.heads
    ]


def _share(value: float) -> float | None:
    return round(value, 3) if np.isfinite(value) else None
