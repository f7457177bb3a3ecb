"""The part Write of the page Writing: a text written step by step, and a tree of other texts."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.components.drawing import drawing
from polysema.app.dashboard.inside.controls import model_box, preferred
from polysema.app.dashboard.inside.leads import text_kind
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.sharing import page_record
from polysema.app.dashboard.trail import trail_bar
from polysema.app.dashboard.writing.beam_drawing import beams_svg
from polysema.app.dashboard.writing.branches import Branches, branches_of, keep_branches
from polysema.app.dashboard.writing.inside_part import inside_part
from polysema.app.dashboard.writing.live_text import N_CANDIDATES, Written, written
from polysema.app.dashboard.writing.step_charts import (
    candidate_chart,
    candidate_rows,
    lit_source,
    look_chart,
    step_bars,
    step_label,
    text_html,
)
from polysema.core.inside.generation_results import DecodingOptions, GeneratedText, GenerationStep
from polysema.core.model.catalog import READABLE
from polysema.core.space.space import Family

GREEDY, BEAMS, DRAWN = "most probable", "beam search", "drawn"
WAYS = (GREEDY, BEAMS, DRAWN)
STARTS = {"texts": "The river bank was", "sentences": "The bank of the river is muddy.", "letters": "phone"}


def write_part() -> None:
    """A text, its steps, and the tree of what else could have been written."""
    names = preferred(
        [name for name in choices.models(READABLE) if choices.family_of(name) is not Family.ENCODER], Family.DECODER
    )
    if not names:
        st.info("No model that writes is here yet. Bring one with `polysema models pull smollm2-135m`.")
        return
    wanted = _controls(names)
    if not wanted.text:
        st.info("Write a text to go on from, such as: The river bank was")
        return
    key = f"{wanted.model}_{wanted.text}"
    st.session_state["writing_tree"] = key
    branches = branches_of(key)
    how = replace(wanted.options, prefix=branches.prefix)
    two = choices.family_of(wanted.model) is Family.ENCODER_DECODER
    answer = written(wanted._replace(options=how), not two)
    if answer is None:
        return
    found = answer.text
    if not found.steps:
        st.info(f"{wanted.model} writes nothing after this text.")
        return
    trail_bar("writing", wanted.text)
    st.html(text_html(wanted.text, found.steps, not two))
    page_record.text(f"{widgets.plain(wanted.text)}{' → ' if two else ''}**{widgets.plain(found.text)}**")
    widgets.remark(
        "The stronger the color, the less probable the token was; underlined ones were chosen by hand. "
        + ("The model ended the text itself." if found.ended else f"It stopped after {len(found.steps)} tokens.")
    )
    _tree(key, branches, found)
    _steps(key, branches, found, wanted)
    if found.hypotheses:
        _beams(key, branches, found, answer.steps)
    inside_part(wanted.model, wanted.text, found)
    downloads.numbers(candidate_rows(found, 0), "writing")
    _lines(wanted, how)


def _fields(options: DecodingOptions) -> dict[str, object]:
    return {name: getattr(options, name) for name in DecodingOptions.__slots__}


def _controls(names: list[str]) -> Written:
    first, second, third = st.columns([4, 6, 3], vertical_alignment="bottom")
    name = model_box(names, "wm", first, "Which model writes.")
    way = second.segmented_control(
        "The next token is",
        list(WAYS),
        default=GREEDY,
        required=True,
        key="wh",
        bind="query-params",
        help="The most probable one each time; the best of several texts side by side; or drawn by its probability.",
    )
    n = third.slider("Tokens at most", 1, 60, 16, key="wn", bind="query-params", help="How long the text gets.")
    options = DecodingOptions()
    if way == BEAMS:
        beams = st.slider("Beams", 2, 8, 3, key="wb", bind="query-params", help="Texts gone on with side by side.")
        options = DecodingOptions(num_beams=int(beams))
    elif way == DRAWN:
        options = _drawing()
    reads = text_kind(name)
    with st.form("writing", border=False):
        text = permalink.box(
            st.text_input,
            "writing",
            "Text to go on from" if reads == "texts" else "Text to write from",
            STARTS[reads],
            key=f"wt_{reads}",
            help=widgets.LOCAL_NOTE,
        )
        st.form_submit_button("Write", type="primary")
    return Written(name, (text or "").strip(), int(n), options)


def _drawing() -> DecodingOptions:
    """How tokens are drawn."""
    boxes = st.columns(5, vertical_alignment="bottom")
    heat = boxes[0].slider(
        "Temperature", 0.1, 3.0, 1.0, 0.1, key="wtemp", bind="query-params", help="Below 1 the likely become likelier."
    )
    top_k = boxes[1].number_input(
        "Top-k", 0, 1000, 50, key="wk", bind="query-params", help="Of so many tokens; 0: of all."
    )
    top_p = boxes[2].slider(
        "Top-p", 0.05, 1.0, 1.0, 0.05, key="wp", bind="query-params", help="Of the best that make up this probability."
    )
    min_p = boxes[3].slider(
        "Min-p",
        0.0,
        1.0,
        0.0,
        0.05,
        key="wmin",
        bind="query-params",
        help="Of those this share as probable as the best.",
    )
    seed = boxes[4].number_input(
        "Seed", 0, 1_000_000, 0, key="wseed", bind="query-params", help="The same seed draws the same text."
    )
    return DecodingOptions(True, float(heat), int(top_k), float(top_p), float(min_p) or None, seed=int(seed))


def _tree(key: str, branches: Branches, found: GeneratedText) -> None:
    """The branches that were made, one of them shown."""
    if len(branches.prefixes) == 1:
        return
    labels = {
        number: "as the model wrote it" if not prefix else f"{number}: other token at step {len(prefix) - 1}"
        for number, prefix in enumerate(branches.prefixes)
    }
    chosen = st.pills(
        "Texts of the tree",
        list(labels),
        format_func=labels.__getitem__,
        default=branches.current,
        key=f"tree_{len(branches.prefixes)}_{branches.current}",
        help="Each began as another, up to the step at which you chose another token.",
    )
    if isinstance(chosen, int) and chosen != branches.current:
        keep_branches(key, branches.shown(chosen))
        st.rerun()


def _steps(key: str, branches: Branches, found: GeneratedText, wanted: Written) -> None:
    """Every step's candidates, one step's as bars, and another token to go on from."""
    widgets.say("**Step by step.** Click another token in any column, and the text goes on from there.")
    taken = candidate_chart(found, f"candidates_{hash((found.ids, wanted.model))}")
    labels = [step_label(step) for step in found.steps]
    last = labels[min(len(branches.prefix), len(labels) - 1)]
    label = st.select_slider("Step", labels, last, key=f"wstep_{hash(found.ids)}") if len(labels) > 1 else labels[0]
    step = found.steps[labels.index(label)]
    left, right = st.columns([7, 5], gap="medium")
    with left:
        if found.cross_attention:
            tokens = [one.token for one in found.steps]
            lit_source(found.prompt, found.cross_attention[step.number], tokens, step.number)
            with st.expander("Every step’s look at the source"):
                downloads.chart(look_chart(found), "How each written token looks at the source")
        else:
            _entropy_note(found)
    with right:
        other = step_bars(step, bool(wanted.options.do_sample), f"wother_{step.number}")
        st.caption("A click on another token, and the text goes on from there.")
    if other is not None:
        taken = (step.number, other)
    if taken is not None and taken[0] < len(found.steps) and found.ids[taken[0]] != taken[1]:
        keep_branches(key, branches.grown(found.ids, *taken))
        st.rerun()


def _entropy_note(found: GeneratedText) -> None:
    open_steps: list[GenerationStep] = sorted(found.steps, key=lambda step: -step.entropy)[:3]
    named = ", ".join(f"{widgets.plain(step_label(step))} ({step.entropy:.1f} bits)" for step in open_steps)
    widgets.say(
        f"Most open were the steps {named}: 1 bit is a coin flip, 10 bits are as open as a thousand equal tokens.\n\n"
        "What could fool you: a probability is the model’s, given all that stands before, the tokens you chose "
        "included. It says what is usual in what the model has read, not what is true."
    )


def _beams(key: str, branches: Branches, found: GeneratedText, steps: Sequence[GenerationStep]) -> None:
    """The beams of every step as a tree, and the texts they came to."""
    widgets.say("**The beams.** Each column is a step, best first; the text that won is marked.")
    svg = beams_svg(steps, found.ids)
    drawing(svg, key=f"beams_{hash(found.ids)}")
    page_record.picture(lambda: svg, "beams", "The beams of each step")

    def take(place: object) -> None:
        if isinstance(place, int) and (ids := found.hypotheses[place].ids):
            keep_branches(key, branches.grown(ids[:-1], len(ids) - 1, ids[-1]))

    listed = [
        ListedRow(
            one.text, f"score {one.score:.4f}, {len(one.ids)} tokens" + (", ended" if one.ended else ""), None, place
        )
        for place, one in enumerate(found.hypotheses)
    ]
    clickable_list(listed, "beam_texts", take)
    rows = [
        {"text": one.text, "score": round(one.score, 4), "tokens": len(one.ids), "ended": one.ended}
        for one in found.hypotheses
    ]
    page_record.numbers(rows, "beams")
    widgets.remark(
        "A click takes a text into the tree, to be looked at and gone on from. A score is the log-probability of the "
        "text over its number of tokens: without that, shorter texts would win."
    )


def _lines(wanted: Written, how: DecodingOptions) -> None:
    given = ", ".join(
        f"{name}={value!r}"
        for name, value in _fields(how).items()
        if value is not None and value != () and (name, value) != ("num_beams", 1)
    )
    imports = "from polysema.core.inside.generation_results import DecodingOptions\n" if given else ""
    options = f", options=DecodingOptions({given})" if given else ""
    widgets.python_lines(
        f"from polysema import Explorer\n{imports}\n"
        f"found = Explorer().model({wanted.model!r}).generate({wanted.text!r}, {wanted.n}, {N_CANDIDATES}{options})\n"
        "for step in found.steps:\n    print(step.token, step.probability, step.entropy, step.candidates[0].token)",
        "The tokens are those that `transformers` writes with the same settings. Each token goes through the "
        "model once: its keys and values are kept.",
    )
