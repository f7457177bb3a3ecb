"""Analogies: a sum of words, what it leads to, and the parallelogram on a plane."""

import math

import streamlit as st

from polysema.app.dashboard import downloads, permalink, space_picker, trail, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import clickable_list, neighbor_rows
from polysema.app.dashboard.parallelogram import parallelogram
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.pick import pick_space
from polysema.app.explorer.results import AnalogyAnswer
from polysema.core.errors import UserError
from polysema.core.space.expression import Expression, Term, parse

EXAMPLES = ("queen - king + man", "paris - france + italy", "bigger - big + small", "sushi - japan + germany")


def use_example() -> None:
    """A chosen example becomes the expression."""
    chosen = st.session_state.get("example")
    if chosen:
        st.session_state["q"] = chosen
        st.session_state["example"] = None


MAX_PLACES = 6  # words of a sum in whose place another one can be put by a press
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
        widgets.say("| | best three |\n|---|---|\n" + "\n".join(lines))
        widgets.remark(
            "Where the neighbors of the last word alone give the same answer, the sum has shown nothing (Linzen 2016)."
        )


def look_at(word: object) -> None:
    """A word of the plot or of a list is looked at."""
    trail.walk("analogies", {"near": word})


def looked_at(expression: str, space: str) -> str:
    """The word that is looked at; none once there is another sum, or the sum of another space."""
    state = st.session_state
    if permalink.returning() or "near" not in state:
        state["near"] = st.query_params.get("near", "")
    elif state.get("near_of") != (expression, space):
        state["near"] = ""
    state["near_of"] = (expression, space)
    if (clicked := state.pop("clicked_near", None)) is not None:
        look_at(clicked)
    permalink.put("near", state["near"])
    return str(state["near"])


def put_into(expression: str, place: int, word: str) -> None:
    """A word takes the place of one of the sum."""
    terms = list(parse(expression).terms)
    terms[place] = Term(terms[place].weight, word)
    trail.walk("analogies", {"q": str(Expression(tuple(terms))), "near": "", "near_of": None})


def take_click(clicked: str | None) -> None:
    """Look at the word that was clicked on the plot, and at none once it is let go of."""
    state = st.session_state
    before = state.get("clicked_before")
    state["clicked_before"] = clicked
    gone = clicked is None and before is not None and before == state.get("near")
    if (clicked is not None and clicked != before) or gone:
        state["clicked_near"] = clicked or ""
        st.rerun()


def places_for(word: str, expression: str) -> None:
    """A button for each word of the sum, in whose place the word that is looked at is put."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        widgets.remark("Into the sum in place of")
        for place, term in enumerate(parse(expression).terms[:MAX_PLACES]):
            st.button(
                widgets.plain(term.word[:40]),
                key=f"near_into_{place}",
                on_click=put_into,
                args=(expression, place, word),
                help="Ask the sum with that word in it.",
            )


def around(word: str, space: str, baseline: float) -> None:
    """The neighbors of the word that is looked at."""
    answer = work.answer(
        ("neighbors", word, space, 8), lambda progress: widgets.explorer().space(space, progress).neighbors(word, 8)
    )
    if answer is None:
        return
    widgets.say(f"Around **{widgets.plain(word)}**:")
    clickable_list(neighbor_rows(answer.neighbors), "around", look_at, baseline)
    downloads.ranked([(n.key, n.score) for n in answer.neighbors], "around", "word", "cosine", baseline)


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
    near = looked_at(expression, space)
    answer = work.answer(
        ("analogy", expression, space, k, method),
        lambda progress: widgets.explorer().space(space, progress).analogy(expression, k, method),
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
        opened = widgets.explorer().space(space).space
        near = near if near in opened.keys else ""
        clicked = parallelogram(answer, opened, "analogy", near=near)
        take_click(clicked)
    with right:
        trail.trail_bar("analogies", near or expression)
        first = answer.neighbors[0]
        widgets.say(f"**{widgets.plain(answer.expression)}** leads nearest to **{widgets.plain(first.key)}**")
        label = "score" if method in ("3cosmul", "pairdirection") else "cosine"
        baseline = widgets.explorer().space(space).baseline if label == "cosine" else math.nan
        clickable_list(neighbor_rows(answer.neighbors), "answers", look_at, baseline)
        downloads.ranked([(n.key, n.score) for n in answer.neighbors], "analogy", "word", label, baseline)
        stood = ", ".join(f"{widgets.plain(i.word)} \\#{i.rank:,} ({i.score:.3f})" for i in answer.inputs if i.rank)
        widgets.remark(f"The words of the sum are left out. They would stand: {stood}. {widgets.beside(baseline)}")
        evidence(answer)
        if near:
            places_for(near, expression)
            around(near, space, baseline)
    widgets.python_lines(
        f"from polysema.app.explorer import Explorer\n\nanswer = Explorer().space({space!r}).analogy("
        f"{expression!r}, k={k}, method={method!r})\n"
        "for word in answer.neighbors:\n    print(word.rank, word.key, word.score)",
        f"{METHODS[method]}. The words' vectors are scaled to length 1. {widgets.plain(answer.origin.card())}.",
    )


page()
