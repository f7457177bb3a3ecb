"""Analogies: a sum of words, what it leads to, and the parallelogram on a plane."""

import math

import numpy as np
import streamlit as st

from polysema.app.dashboard import parts, saving, work
from polysema.app.dashboard.components.scatter import Arrow, Points, scatter
from polysema.app.schemas import AnalogyAnswer
from polysema.core.errors import UserError
from polysema.core.space.expression import parse
from polysema.core.space.geometry import principal_plane
from polysema.core.space.metric import unit
from polysema.core.space.space import Space

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
    """The expression box and what it is asked of."""
    with st.form("analogy", border=False):
        box, where, how, many, run = st.columns([5, 3, 2, 2, 1], vertical_alignment="bottom")
        expression = box.text_input(
            "A sum of words", "queen - king + man", key="q", bind="query-params", max_chars=parts.MAX_WORDS,
            help="Words with + and - between them, spaces around the signs. Weights (0.5*blue) and parentheses work too.",
        )  # fmt: skip
        space = where.selectbox(
            "Space",
            parts.spaces(),
            format_func=parts.space_label,
            key="space",
            bind="query-params",
            help="Whose static vectors are added up.",
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


def arrows_of(answer: AnalogyAnswer) -> list[Arrow]:
    """b -> a and c -> target where the sum is a - b + c; else from every word to the target."""
    weights = [i.weight for i in answer.inputs]
    target = len(weights)
    minus = [place for place, weight in enumerate(weights) if weight == -1]
    plus = [place for place, weight in enumerate(weights) if weight == 1]
    if len(minus) == 1 and len(plus) == 2 and len(weights) == 3:
        a, c = plus
        return [Arrow(minus[0], a), Arrow(c, target), Arrow(minus[0], c, dashed=True), Arrow(a, target, dashed=True)]
    return [Arrow(place, target, dashed=weights[place] < 0) for place in range(target)]


def picture(answer: AnalogyAnswer, space: Space) -> str | None:
    """The words of the sum, the travelled vector and the answers on the plane of their first two principal components.

    Returns the word that was clicked.
    """
    inputs = answer.input_vectors
    found = unit(np.asarray(space.vectors[[n.row for n in answer.neighbours]]))
    vectors = np.concatenate([inputs, answer.target[None], found])
    plane = principal_plane(vectors)
    labels = [i.word for i in answer.inputs] + [answer.expression] + [n.key for n in answer.neighbours]
    category = [0] * len(inputs) + [1] + [2] * len(found)
    points = Points(
        positions=plane.project(vectors), labels=labels, categories=["in the sum", "where the sum leads", "nearest words"],
        category=np.array(category), shapes=np.array([0] * len(inputs) + [2] + [0] * len(found)),
    )  # fmt: skip
    shown = f"Plane of the words of {answer.expression}, the vector it leads to, and the nearest words"
    selected = scatter(
        points, key="analogy_map", alt=shown, arrows=arrows_of(answer), label_rows=list(range(len(labels))), height=430,
        report_view=False,
    )  # fmt: skip
    saving.points(points, "analogy")
    share = plane.explained.sum()
    st.caption(
        f"The first two principal components of these {len(labels)} vectors hold {share:.0%} of their spread: a shadow, "
        "in which parallels stay parallel. The list beside it is from the full space. Click a word to see what is around it."
    )
    at = len(inputs)
    return labels[selected.clicked] if selected.clicked is not None and selected.clicked != at else None


BESIDE = {
    "only-b": "the neighbours of the last word alone", "ignore-a": "without the word that is taken off",
    "3cosadd": "3CosAdd", "3cosmul": "3CosMul", "pairdirection": "PairDirection",
}  # fmt: skip


def evidence(answer: AnalogyAnswer) -> None:
    """What the answer is worth: what leaving the words out does, and what others and the baselines say."""
    if answer.evidence is None:
        return
    rows = [("with the words left in", answer.evidence.with_inputs)]
    rows += [(BESIDE[other.method], other.neighbours) for other in answer.evidence.beside]
    lines = [f"| {name} | {', '.join(parts.plain(n.key) for n in found)} |" for name, found in rows]
    with st.expander("Is the sum needed? What others answer", expanded=False):
        st.markdown("| | best three |\n|---|---|\n" + "\n".join(lines))
        st.caption(
            "Where the neighbours of the last word alone give the same answer, the sum has shown nothing (Linzen 2016)."
        )


def around(word: str, space: str, baseline: float) -> None:
    """The neighbours of the word that was clicked."""
    answer = work.answer(("neighbours", word, space, 8), lambda progress: parts.explorer().neighbors(word, space, 8))
    if answer is None:
        return
    st.markdown(f"Around **{parts.plain(word)}**, the word you clicked:")
    rows = [(n.key, n.score) for n in answer.neighbours]
    parts.bars(rows, baseline=baseline)
    saving.ranked(rows, "around", "word", "cosine", baseline)


def page() -> None:
    """The page."""
    parts.title(
        "Analogies", "Add and subtract words: the difference of two is a direction, and a third can travel along it."
    )
    expression, space, k, method = controls()
    try:
        parse(expression)
    except UserError as error:
        parts.problem(error)
        return
    answer = work.answer(
        ("analogy", expression, space, k, method),
        lambda progress: parts.explorer().analogy(expression, space, k, method),
        box="q",
    )
    if answer is None:
        return
    left, right = st.columns([7, 5], gap="medium")
    with left:
        clicked = picture(answer, parts.explorer().space(space))
    with right:
        first = answer.neighbours[0]
        st.markdown(f"**{parts.plain(answer.expression)}** leads nearest to **{parts.plain(first.key)}**")
        label = "score" if method in ("3cosmul", "pairdirection") else "cosine"
        baseline = parts.explorer().baseline(space) if label == "cosine" else math.nan
        rows = [(n.key, n.score) for n in answer.neighbours]
        parts.bars(rows, baseline=baseline, label=label)
        saving.ranked(rows, "analogy", "word", label, baseline)
        stood = ", ".join(f"{parts.plain(i.word)} \\#{i.rank:,} ({i.score:.3f})" for i in answer.inputs if i.rank)
        st.caption(f"The words of the sum are left out. They would stand: {stood}. {parts.beside(baseline)}")
        evidence(answer)
    if clicked is not None:
        around(clicked, space, baseline)
    parts.python_lines(
        f"from polysema.app.explorer import Explorer\n\nanswer = Explorer().analogy({expression!r}, space={space!r}, k={k}, method={method!r})\n"
        "for word in answer.neighbours:\n    print(word.rank, word.key, word.score)",
        f"{METHODS[method]}. The words' vectors are scaled to length 1. {parts.plain(answer.origin.card())}.",
    )


page()
