"""The tab Attention of the page Inside: which heads connect two words, over a set of sentences."""

from collections.abc import Sequence

import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import with_model
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import walk
from polysema.app.explorer.inside_options import unit_for
from polysema.core.errors import UserError
from polysema.core.inside import attention as attending
from polysema.core.inside import head_search
from polysema.core.inside.head_names import head_name
from polysema.core.inside.hooks import one_reading
from polysema.core.space.space import Family

CROSS_ATTENTION = "Decoder looks at the source"
OWN_ATTENTION = {"decoder": "Decoder looks at itself", "encoder": "Encoder looks at itself"}
"""What the tab calls a decoder's attention to the encoder, and that of a stack to itself."""


def find_head_form(decoder: bool) -> tuple[str | None, str | None]:
    """The form for pairs of words and more sentences."""
    with st.form("find", border=False):
        box, run = st.columns([8, 2], vertical_alignment="bottom")
        pairs = permalink.box(
            box.text_input,
            "inside",
            "Who looks at whom",
            "water -> blue, swan -> white" if decoder else "blue -> water, white -> swan",
            key=f"fp_{'d' if decoder else 'e'}",
            max_chars=500,
            help="Pairs of words, each “blue -> water”, with commas between. In a decoder only a later word can look "
            "at an earlier one.",
        )
        run.form_submit_button("Find", type="primary", width="stretch")
        more = permalink.box(
            st.text_area,
            "inside",
            "More sentences, one a line",
            "a white swan swims in blue water\nunder the blue sky lies deep water and a white swan",
            key="fm",
            height=80,
            help="The heads are ranked by their average over all sentences: one that fits in a single one may be luck.",
        )
    return pairs, more


def find_head_part(name: str, stack: str, text: str) -> None:
    """Which heads have one word look at another, over a set of sentences."""
    widgets.say("#### Find the head")
    pairs, more = find_head_form(choices.family_of(name) is Family.DECODER)
    texts = [text, *(line.strip() for line in (more or "").splitlines() if line.strip())]
    found = work.answer(
        ("find head", name, stack, pairs, tuple(texts)),
        with_model(name, lambda: ranking(name, stack, pairs or "", texts)),
    )
    if found is None:
        return
    top = found.scores[:8]

    def show(place: object) -> None:
        if isinstance(place, tuple):
            kind = {"ak": OWN_ATTENTION[stack]} if stack in OWN_ATTENTION else {}
            walk("inside", {f"al_{name}_self": place[0], f"ah_{name}_self": place[1]} | kind)

    left, right = st.columns([6, 6], gap="medium")
    with left:
        heads = [ListedRow(f"head {head_name(s.layer, s.head)}", "", s.mean, (s.layer, s.head)) for s in top]
        clickable_list(heads, "found_heads", show, found.chance)
        widgets.remark(
            f"Mean over {len(found.places)} places in {len({place[0] for place in found.places})} sentences. "
            f"The mark is uniform attention ({found.chance:.2f})."
        )
    with right:
        best = top[0]
        lucky = min(found.scores, key=lambda score: score.rank_at_first)
        widgets.say(
            f"On average **head {head_name(best.layer, best.head)}** attends there most ({best.mean:.2f}; "
            f"minimum {best.least:.2f}). "
            + (
                "It also ranks first in the first sentence alone."
                if best.rank_at_first == 1
                else f"In the first sentence alone it ranks {best.rank_at_first}; the best one there, "
                f"head {head_name(lucky.layer, lucky.head)} ({lucky.first:.2f}), has a mean of {lucky.mean:.2f}."
            )
        )
        table = [
            {
                "layer": s.layer,
                "head": s.head,
                "mean": s.mean,
                "first": s.first,
                "rank at first": s.rank_at_first,
                "least": s.least,
                "looks there most": s.top,
            }
            for s in found.scores
        ]
        downloads.numbers(table, "heads")


def ranking(name: str, stack: str, pairs: str, texts: Sequence[str]) -> head_search.HeadRanking:
    """All heads, by how much the first of each pair attends to the second."""
    widgets.check_length("\n".join(texts))
    query = []
    for pair in pairs.split(","):
        first, arrow, second = pair.partition("->")
        if not (arrow and first.strip() and second.strip()):
            raise UserError(f"a pair is written blue -> water; got {pair.strip()!r}")
        query.append((first.strip(), second.strip()))
    model = widgets.explorer().model(name).internals.on_torch(stack)
    view = attending.AttentionView("self", unit_for(model))
    if model.reads_two:
        written = [one_reading(model, None, text).text for text in texts]
        return head_search.find_heads(model, query, written, list(texts), view)
    return head_search.find_heads(model, query, texts, None, view)
