"""The static vector: one for every sense of a word."""

import numpy as np
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.lessons.lesson import LessonInput, LessonResult, Verdict
from polysema.app.dashboard.trail import neighbors_in
from polysema.app.explorer import Explorer
from polysema.app.explorer.results import NeighborAnswer
from polysema.core.errors import UserError
from polysema.core.progress import Progress
from polysema.core.space.expression import Term
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats

N_NEAREST = 0.01  # of all words: within the nearest hundredth a word counts as near


def _numbers(near: NeighborAnswer, lean: Floats, sides: tuple[str, str]) -> list[dict[str, object]]:
    """The nearest words with their cosines to the two meanings."""
    return [
        {
            "rank": n.rank,
            "word": n.key,
            "cosine": n.score,
            f"cosine with {sides[0]}": float(one),
            f"cosine with {sides[1]}": float(two),
        }
        for n, (one, two) in zip(near.neighbors, lean, strict=True)
    ]


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """How many rows a word has, and how near the words of its two meanings are to it."""
    name, word, first, second = (query[key] for key in ("space", "word", "first", "second"))
    progress(f"load {name}", 0, 1)
    space = explorer.space(name)
    resolve = space.lookup.resolver()
    own = resolve(Term(1.0, word))
    n_rows = max(1, len(own.rows))
    sides = [space.similarity([word], [side]) for side in (first, second)]
    near = space.neighbors(word, 10)
    n_near = len(near.neighbors)
    if not n_near:
        raise UserError(f"{word!r} is the only row of {name}, so nothing is near to it: choose other vectors")
    ends = np.stack([resolve(Term(1.0, side)).vector for side in (first, second)])
    lean = unit(np.asarray(space.space.vectors[[n.row for n in near.neighbors]])) @ ends.T  # (10, 2)
    to_first = int((lean[:, 0] > lean[:, 1]).sum())
    ranks = [side.rank or len(space) for side in sides]
    good = [rank <= N_NEAREST * len(space) for rank in ranks]
    verdict = Verdict.WORKS if all(good) else Verdict.PARTLY if any(good) else Verdict.FAILS
    w, a, b = widgets.plain(word), widgets.plain(first), widgets.plain(second)
    said = (
        f"**{w}** has **{n_rows} row{'s' * (n_rows > 1)}** of {space.dim} numbers among "
        f"{len(space):,}, whatever the sentence. "
        f"Seen from it, **{a}** is neighbor number {ranks[0]:,} and **{b}** number {ranks[1]:,}. "
    )
    if all(good):
        said += "Both meanings pull at the same vector: both words are among its nearest hundredth."
    elif any(good):
        said += (
            f"Only **{a if good[0] else b}** is among the nearest hundredth: that meaning has the larger share "
            "of the vector."
        )
    else:
        said += "Neither is among the nearest hundredth: here the word is not used for either of them often."
    said += (
        f" Of its {'ten' if n_near == 10 else n_near} nearest words {to_first} lean to {a} and "
        f"{n_near - to_first} to {b}."
    )
    rows = [(n.key, n.score) for n in near.neighbors]
    baseline = space.baseline
    numbers = _numbers(near, lean, (first, second))
    return LessonResult(
        verdict,
        said,
        0 if n_rows == 1 else 1,
        numbers,
        "from polysema.app.explorer import Explorer\n\n"
        f"words = Explorer().space({name!r})\nfor n in "
        f"words.neighbors({word!r}).neighbors:\n    print(n.rank, n.key, n.score)\n"
        f"print(words.similarity({word!r}, {first!r}).rank, words.similarity({word!r}, {second!r}).rank)",
        f"Cosines in the full space. {widgets.plain(near.origin.card())}.",
        (rows, baseline, sides, (first, second), name),
        widgets.notes_of(near, *sides),
    )


def draw(found: LessonResult, key: str) -> None:
    """The nearest words, and the words of the two meanings."""
    rows, baseline, sides, names, space = found.shown
    left, right = st.columns(2, gap="medium")
    with left:
        widgets.say("**Its nearest words**")
        listed = [ListedRow(word, "", score, word) for word, score in rows]
        clickable_list(listed, f"{key}_near", neighbors_in(space), baseline)
        downloads.ranked(rows, f"{key}_nearest", "word", "cosine", baseline)
    with right:
        widgets.say("**Its two meanings**")
        both = [ListedRow(name, "", side.cosine, name) for name, side in zip(names, sides, strict=True)]
        clickable_list(both, f"{key}_meanings", neighbors_in(space), baseline)
        widgets.remark(widgets.beside(baseline))
