"""Analogies: a sum of words, what it leads to, and the parallelogram on a plane."""

import math

import streamlit as st

from polysema.app.dashboard import downloads, space_picker, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.parallelogram import parallelogram
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.pick import pick_space
from polysema.app.explorer.results import AnalogyAnswer
from polysema.core.errors import UserError
from polysema.core.space.expression import parse

EXAMPLES = ("queen - king + man", "paris - france + italy", "bigger - big + small", "sushi - japan + germany")


def use_example() -> None:
    """A chosen example becomes the expression."""
    chosen = st.session_state.get("example")
    if chosen:
        st.session_state["q"] = chosen
        st.session_state["example"] = None


METHODS = {
    "3cosadd": "3CosAdd: the word nearest to the sum (Mikolov et al. 2013)",
    "3cosmul": "3CosMul: near to the plus words and far from the minus words at once (Levy and Goldberg 2014)",
    "pairdirection": "PairDirection: the word in the same direction from the third word (Levy and Goldberg 2014)",
}


def controls() -> tuple[str, str, int, str]:
    """The expression box, the space and the method."""
    form, where = st.columns([8, 4], vertical_alignment="bottom")
    space = pick_space(where, "space", "Whose static vectors are added up.")
    with form, st.form("analogy", border=False):
        box, how, many, run = st.columns([5, 2, 2, 1], vertical_alignment="bottom")
        expression = box.text_input(
            "A sum of words",
            "queen - king + man",
            key="q",
            bind="query-params",
            max_chars=widgets.MAX_WORDS,
            help="Words with + and - between them, spaces around the signs. Weights (0.5*blue) and parentheses work "
            "too.",
        )
        method = how.selectbox(
            "Method", list(METHODS), key="method", bind="query-params", help=". ".join(METHODS.values()) + "."
        )
        k = many.number_input(
            "Answers", 1, 50, 8, key="k", bind="query-params", help="How many of the nearest words to show."
        )
        run.form_submit_button("Go", type="primary", width="stretch")
    st.pills("Examples", EXAMPLES, key="example", on_change=use_example, label_visibility="collapsed")
    return expression or "", space, int(k), method


METHODS_BESIDE = {
    "only-b": "the neighbors of the last word alone",
    "ignore-a": "without the word that is taken off",
    "3cosadd": "3CosAdd",
    "3cosmul": "3CosMul",
    "pairdirection": "PairDirection",
}


def evidence(answer: AnalogyAnswer) -> None:
    """What the answer is worth: what leaving the words out does, and what others and the baselines say."""
    if answer.evidence is None:
        return
    rows = [("with the words left in", answer.evidence.with_inputs)]
    rows += [(METHODS_BESIDE[other.method], other.neighbors) for other in answer.evidence.beside]
    lines = [f"| {name} | {', '.join(widgets.plain(n.key) for n in found)} |" for name, found in rows]
    with st.expander("Is the sum needed? What others answer", expanded=False):
        st.markdown("| | best three |\n|---|---|\n" + "\n".join(lines))
        st.caption(
            "Where the neighbors of the last word alone give the same answer, the sum has shown nothing (Linzen 2016)."
        )


def around(word: str, space: str, baseline: float) -> None:
    """The neighbors of the word that was clicked."""
    answer = work.answer(
        ("neighbors", word, space, 8), lambda progress: widgets.explorer().space(space).neighbors(word, 8)
    )
    if answer is None:
        return
    st.markdown(f"Around **{widgets.plain(word)}**, the word you clicked:")
    rows = [(n.key, n.score) for n in answer.neighbors]
    widgets.bars(rows, baseline=baseline)
    downloads.ranked(rows, "around", "word", "cosine", baseline)


def page() -> None:
    """The page."""
    widgets.title(
        "Analogies", "Add and subtract words: the difference of two is a direction, and a third can travel along it."
    )
    expression, space, k, method = controls()
    try:
        parse(expression)
    except UserError as error:
        widgets.problem(error)
        return
    if space_picker.without_rows(space):
        return
    answer = work.answer(
        ("analogy", expression, space, k, method),
        lambda progress: widgets.explorer().space(space).analogy(expression, k, method),
        box="q",
    )
    if answer is None:
        return
    widgets.notes(answer)
    if not answer.neighbors:
        st.info(
            f"{widgets.plain(choices.space_label(space))} has no word but those of the sum, so none is left to answer."
        )
        return
    left, right = st.columns([7, 5], gap="medium")
    with left:
        clicked = parallelogram(answer, widgets.explorer().space(space).space, "analogy")
    with right:
        first = answer.neighbors[0]
        st.markdown(f"**{widgets.plain(answer.expression)}** leads nearest to **{widgets.plain(first.key)}**")
        label = "score" if method in ("3cosmul", "pairdirection") else "cosine"
        baseline = widgets.explorer().space(space).baseline if label == "cosine" else math.nan
        rows = [(n.key, n.score) for n in answer.neighbors]
        widgets.bars(rows, baseline=baseline, label=label)
        downloads.ranked(rows, "analogy", "word", label, baseline)
        stood = ", ".join(f"{widgets.plain(i.word)} \\#{i.rank:,} ({i.score:.3f})" for i in answer.inputs if i.rank)
        st.caption(f"The words of the sum are left out. They would stand: {stood}. {widgets.beside(baseline)}")
        evidence(answer)
    if clicked is not None:
        around(clicked, space, baseline)
    widgets.python_lines(
        f"from polysema.app.explorer import Explorer\n\nanswer = Explorer().space({space!r}).analogy("
        f"{expression!r}, k={k}, method={method!r})\n"
        "for word in answer.neighbors:\n    print(word.rank, word.key, word.score)",
        f"{METHODS[method]}. The words' vectors are scaled to length 1. {widgets.plain(answer.origin.card())}.",
    )


page()
