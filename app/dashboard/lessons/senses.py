"""What the encoder does to a word beside other words."""

from collections.abc import Sequence
from html import escape

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.lessons.chips import GRAY
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    LessonInput,
    LessonResult,
    Verdict,
    lines_of,
)
from polysema.app.dashboard.series import lines
from polysema.app.explorer import Explorer
from polysema.app.explorer.results import Comparison, LayerComparison
from polysema.core.errors import UserError
from polysema.core.model.tokens import find_word
from polysema.core.progress import Progress
from polysema.core.space.space import Floats, Ints

MIN_GAP = 0.05  # a gap of cosines that is worth a name


def matrix(row: LayerComparison, n: int) -> Floats:
    """The cosines of all pairs of n texts at one layer, (n, n)."""
    found = np.eye(n, dtype=np.float32)
    first, second = np.triu_indices(n, 1)
    found[first, second] = found[second, first] = row.pairs
    return found


def _sentences(
    found: Comparison, best: int, measured: tuple[float, float, int], verdict: Verdict, query: LessonInput
) -> str:
    """What the layer with the largest gap shows: the mean cosines within and between, and how many are right."""
    within, between, n_right = measured
    w, n = widgets.plain(query["word"]), len(found.texts)
    said = (
        f"In the table **{w}** is the same in all {n} sentences. "
        f"At **layer {found.layers[best].layer}** the two meanings are furthest apart: two sentences of one "
        "meaning have "
        f"cosine **{within:.2f}**, two of different meanings **{between:.2f}**, two random words "
        f"{found.layers[best].baseline:.2f}. "
    )
    if verdict is Verdict.WORKS:
        said += (
            f"For all {n} sentences the nearest other one has the same meaning: the sentence has made clear "
            "which one it is."
        )
    elif verdict is Verdict.PARTLY:
        said += (
            f"For {n_right} of the {n} sentences the nearest other one has the same meaning: it is on the "
            "way, not there."
        )
    else:
        said += (
            f"That is a gap of {within - between:.2f}, too small to call two meanings: "
            f"{widgets.plain(query[MODEL])} doesn’t "
            "tell them apart here."
        )
    return said


def _nearest(
    texts: Sequence[str], word: str, cosines: Floats, own: Ints
) -> list[tuple[str, int, int, int, str, float, bool]]:
    """Each text with the place of the word, its meaning, and the nearest other text: its cosine, whether it has the
    same meaning.
    """
    nearest = np.where(np.eye(len(texts), dtype=bool), -2, cosines).argmax(1)
    spans = [find_word(text, word) for text in texts]
    return [
        (
            text,
            span.start,
            span.end,
            int(own[i]),
            texts[nearest[i]],
            float(cosines[i, nearest[i]]),
            bool(own[nearest[i]] == own[i]),
        )
        for i, (text, span) in enumerate(zip(texts, spans, strict=True))
    ]


def _rows(
    found: Comparison, within: Sequence[float], between: Sequence[float], right: Sequence[int]
) -> list[dict[str, float]]:
    """A row for each layer."""
    return [
        {
            "layer": row.layer,
            "within": w_,
            "between": b_,
            "random words": row.baseline,
            "nearest has the same meaning": r,
            "sentences": len(found.texts),
        }
        for row, w_, b_, r in zip(found.layers, within, between, right, strict=True)
    ]


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """Within and between the two groups of sentences, layer by layer."""
    name, word = query[MODEL], query["word"]
    groups = [lines_of(query["first"]), lines_of(query["second"])]
    if min(map(len, groups)) < 2:
        raise UserError(
            "each meaning needs at least two sentences, a line each, so that likeness within it can be measured"
        )
    texts = [*groups[0], *groups[1]]
    if len(set(texts)) < len(texts):
        raise UserError("a sentence stands in both boxes; it can have one meaning only")
    progress(f"read {len(texts)} sentences", 0, 1)
    found = explorer.model(name).compare(word, texts, progress=progress)
    n, own = len(texts), np.array([0] * len(groups[0]) + [1] * len(groups[1]))
    same = own[:, None] == own[None, :]
    off = ~np.eye(n, dtype=bool)
    within, between, right = [], [], []
    for row in found.layers:
        cosines = matrix(row, n)
        within.append(float(cosines[same & off].mean()))
        between.append(float(cosines[~same].mean()))
        nearest = np.where(off, cosines, -2).argmax(1)
        right.append(int((own[nearest] == own).sum()))
    gaps = np.array(within) - np.array(between)
    best, last = int(gaps.argmax()), len(gaps) - 1
    option = 3 if gaps[best] < MIN_GAP else 0 if best == 0 else 2 if best == last else 1
    verdict = (
        Verdict.WORKS
        if gaps[best] >= MIN_GAP and right[best] == n
        else Verdict.PARTLY
        if gaps[best] >= MIN_GAP
        else Verdict.FAILS
    )
    layer = found.layers[best].layer
    said = _sentences(found, best, (within[best], between[best], right[best]), verdict, query)
    rows = _rows(found, within, between, right)
    listed = _nearest(texts, word, matrix(found.layers[best], n), own)
    return LessonResult(
        verdict,
        said,
        option,
        rows,
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().model({name!r}).compare({word!r}, "
        f"{texts!r})\nfor row in found.layers:\n    print(row.layer, row.pairs, row.baseline)  # cosines of all "
        "pairs, and of random words",
        "The hidden state of the word (the mean of its tokens) after each block; layer 0 is before the first. "
        f"{widgets.plain(found.origin.card())}.",
        (rows, layer, listed),
        widgets.notes_of(found),
    )


def draw(found: LessonResult, key: str) -> None:
    """The curves by layer, and each sentence with its nearest other one."""
    rows, layer, listed = found.shown
    names = {"within": "same meaning", "between": "other meaning", "random words": "random words"}
    frame = pd.DataFrame(
        [{"layer": row["layer"], "pair": title, "cosine": row[name]} for row in rows for name, title in names.items()]
    )
    base = alt.Chart(frame).encode(
        x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("cosine:Q", title="mean cosine"),
        tooltip=["layer", "pair", alt.Tooltip("cosine:Q", format=".3f")],
    )
    drawn = lines(base, "pair", list(names.values()))
    rule = alt.Chart(pd.DataFrame({"layer": [layer]})).mark_rule(strokeDash=[4, 4], color=GRAY).encode(x="layer:Q")
    left, right = st.columns([6, 6], gap="medium")
    with left:
        downloads.chart(
            (drawn + rule).properties(height=300),
            "Cosine of the occurrences, layer by layer, beside that of random words",
        )
    with right:
        widgets.say(f"**At layer {layer}**")
        widgets.sentences(
            [
                (
                    text,
                    start,
                    end,
                    f'<span class="ps-tag">meaning {own + 1}</span> nearest '
                    f"({score:.2f}{', same' if same else ', other meaning'}): {escape(near)}",
                )
                for text, start, end, own, near, score, same in listed
            ]
        )
