"""Vectors that travel: differences of words as directions."""

import numpy as np
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.lessons.chips import table
from polysema.app.dashboard.lessons.lesson import LessonInput, LessonResult, Verdict
from polysema.app.dashboard.parallelogram import parallelogram
from polysema.app.dashboard.trail import neighbors_in
from polysema.app.explorer import AnalogyOptions, Explorer
from polysema.app.explorer.results import AnalogyAnswer
from polysema.core.errors import UnknownWordError, UserError
from polysema.core.progress import Progress
from polysema.core.space.axes import parallel_share
from polysema.core.space.expression import Term
from polysema.core.space.metric import cosine
from polysema.core.space.space import Space

OTHER_EXPRESSIONS = (
    ("paris - france + italy", "rome"),
    ("bigger - big + small", "smaller"),
    ("walked - walk + swim", "swam"),
    ("brother - sister + aunt", "uncle"),
    ("sushi - japan + germany", "sausage"),
    ("hot - cold + up", "down"),
    ("kitten - cat + dog", "puppy"),
    ("teacher - school + hospital", "doctor"),
)
FREQUENT_WORDS = 20_000  # rows from which random differences are drawn: the most frequent words stand first
FIRST, ELSE = ("woman", "girl", "princess"), 3


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """What the sum leads to, whether it was needed, and how parallel the two differences are."""
    name, expression, wanted = (query[key] for key in ("space", "expression", "wanted"))
    progress(f"load {name}", 0, len(OTHER_EXPRESSIONS) + 1)
    space = explorer.space(name).space
    answer = explorer.space(space).analogy(expression, 8)
    keys = [n.key for n in answer.neighbors]
    if not keys:
        raise UserError(f"{name} has no word but those of the sum, so none is left to answer: choose other vectors")
    place = (
        keys.index(wanted.lower()) + 1 if wanted.lower() in keys else keys.index(wanted) + 1 if wanted in keys else 0
    )
    alone = _alone(answer)
    verdict = Verdict.WORKS if place == 1 and alone != keys[0] else Verdict.PARTLY if place else Verdict.FAILS
    what = widgets.plain(answer.expression)
    first = widgets.plain(keys[0])
    said = f"**{what}** leads nearest to **{first}**. "
    if place == 1:
        said += "That is the word you expect. "
    elif place:
        said += f"You expect {widgets.plain(wanted)}: it is number {place}. "
    else:
        said += f"You expect {widgets.plain(wanted)}: it is not among the best {len(keys)}. "
    said += _honest(answer)
    said += _parallel(explorer, answer, space, wanted)
    others = []
    for number, (other, right) in enumerate(OTHER_EXPRESSIONS, 1):
        progress("try other sums", number, len(OTHER_EXPRESSIONS) + 1)
        try:
            got = explorer.space(space).analogy(other, 3, options=AnalogyOptions(evidence=False)).neighbors
        except UnknownWordError:
            continue
        others.append((other, right, [n.key for n in got]))
    hit = sum(right == got[0] for _, right, got in others)
    if others:
        said += f"\n\nOf the {len(others)} other sums below **{hit}** lead to the expected word in these vectors."
    baseline = explorer.space(space).baseline
    rows = [(n.key, n.score) for n in answer.neighbors]
    return LessonResult(
        verdict,
        said,
        FIRST.index(keys[0]) if keys[0] in FIRST else ELSE,
        [
            {"sum": answer.expression, "expected": wanted, "rank": n.rank, "word": n.key, "cosine": n.score}
            for n in answer.neighbors
        ]
        + [
            {"sum": other, "expected": right, "rank": r, "word": word}
            for other, right, got in others
            for r, word in enumerate(got, 1)
        ],
        f"from polysema.app.explorer import Explorer\n\nanswer = Explorer().space({name!r}).analogy({expression!r}"
        ", k=8)\nfor word in answer.neighbors:\n    print(word.rank, word.key, word.score)\n"
        "for word in answer.inputs:\n    print(word.word, word.rank)  # where the words of the sum would stand",
        "3CosAdd: the nearest word to the sum of the unit vectors, the words of the sum left out (Mikolov et "
        f"al. 2013). {widgets.plain(answer.origin.card())}.",
        (answer, space, rows, baseline, others, name),
        widgets.notes_of(answer),
    )


def _honest(answer: AnalogyAnswer) -> str:
    """What leaving the words of the sum out does, and what the last word's neighbors say without any sum."""
    assert answer.evidence is not None
    kept = answer.evidence.with_inputs[0].key if answer.evidence.with_inputs else ""
    said = ""
    if kept and kept != answer.neighbors[0].key:
        said += (
            "Only because the words of the sum are left out: with them, the nearest would be "
            f"**{widgets.plain(kept)}** again. "
        )
    alone = _alone(answer)
    if alone and alone == answer.neighbors[0].key:
        said += "And the nearest neighbor of the last word alone is the same, so the sum wasn’t needed for it. "
    elif alone:
        said += f"The nearest neighbor of the last word alone is {widgets.plain(alone)}, so the sum did something. "
    return said


def _alone(answer: AnalogyAnswer) -> str:
    """The nearest neighbor of the last word without any sum; empty where the question is of another form."""
    beside = answer.evidence.beside if answer.evidence is not None else ()
    return next((m.neighbors[0].key for m in beside if m.method == "only-b" and m.neighbors), "")


def _parallel(explorer: Explorer, answer: AnalogyAnswer, space: Space, wanted: str) -> str:
    """For a - b + c: how parallel a - b is to what leads from c to the expected word."""
    signs = [i.weight for i in answer.inputs]
    if sorted(signs) != [-1, 1, 1]:
        return ""
    found = explorer.space(space).lookup.resolver()(Term(1.0, wanted))
    if not found.known:
        return ""
    minus = signs.index(-1)
    one, other = (place for place in range(3) if place != minus)
    vectors = answer.input_vectors
    value = cosine(vectors[one] - vectors[minus], found.vector - vectors[other])
    words = [widgets.plain(i.word) for i in answer.inputs]
    pairs = f"{words[one]} − {words[minus]} and {widgets.plain(wanted)} − {words[other]}"
    if len(space) < 4:  # no two random pairs without a row in common
        return f"\n\n{pairs} have cosine **{value:.2f}** (1 would be a perfect parallelogram)."
    share = parallel_share(value, np.asarray(space.vectors[: min(FREQUENT_WORDS, len(space))]))
    how = (
        "are parallel to a good part"
        if value >= 0.5
        else "point the same way only in part"
        if share < 0.01
        else "are hardly more parallel than chance"
    )
    times = (
        f"{share:.1%} of random pairs of differences are as parallel"
        if share > 0
        else "none of 4,000 random pairs of differences is as parallel"
    )
    return f"\n\n{pairs} {how}: their cosine is **{value:.2f}** (1 would be a perfect parallelogram; {times})."


def draw(found: LessonResult, key: str) -> None:
    """The parallelogram, the answers, and other sums."""
    answer, space, rows, baseline, others, name = found.shown
    left, right = st.columns([7, 5], gap="medium")
    with left:
        parallelogram(answer, space, key, 360)
    with right:
        listed = [ListedRow(word, "", score, word) for word, score in rows]
        clickable_list(listed, f"{key}_answers", neighbors_in(name), baseline)
        downloads.ranked(rows, f"{key}_answers", "word", "cosine", baseline)
        widgets.remark(f"{widgets.beside(baseline)} A click asks for a word’s own neighbors.")
    if others:
        widgets.say("**Other sums, in the same vectors**")
        table(
            ["sum", "expected", "best three", ""],
            [
                [
                    other,
                    right,
                    ", ".join(got),
                    "✔ first" if got[0] == right else "◐ among three" if right in got else "✘ not",
                ]
                for other, right, got in others
            ],
        )
