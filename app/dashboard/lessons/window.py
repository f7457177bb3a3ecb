"""Limits: the context window."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.lessons.chips import AMBER, GRAY, TEAL
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    LessonInput,
    LessonResult,
    Verdict,
)
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Occurrence, Span, find_word, words_of
from polysema.core.progress import Progress
from polysema.core.space.metric import cosine

FILLER_SHARES = (0.0, 0.06, 0.12, 0.25, 0.5, 0.9, 1.2, 1.7)  # of the window that the filler takes
ROUNDING_DISTANCE = 1e-5


def _measured(
    model: LanguageModel, query: LessonInput, span: Span, progress: Progress
) -> tuple[list[dict[str, float]], list[tuple[int, int]]]:
    """The change at the end for each length of the text, and the windows of the longest."""
    end, filler, starts = query["end"], query["filler"], (query["first"], query["second"])
    a_piece = len(model.encode([filler])[0])
    rows: list[dict[str, float]] = []
    windows: list[tuple[int, int]] = []
    for number, share in enumerate(FILLER_SHARES):
        progress("read ever longer texts", number, len(FILLER_SHARES))
        middle = " ".join([filler] * round(share * model.window / a_piece))
        texts = [f"{start} {middle} {end}".replace("  ", " ") for start in starts]
        places = [
            Occurrence(
                i, end[span.start : span.end], Span(len(t) - len(end) + span.start, len(t) - len(end) + span.end)
            )
            for i, t in enumerate(texts)
        ]
        hidden = embed(model, texts, [-1], occurrences=places)
        encoded = model.encode(texts[:1])[0]
        moved = max(0.0, 1 - cosine(hidden.vectors[0, 0], hidden.vectors[0, 1]))
        rows.append({"tokens": len(encoded), "windows": len(encoded.windows), "moved": moved})
        if len(encoded.windows) > 1:
            own = len(encoded.windows[0]) - 2
            step = own - own // 2
            windows = [(w * step, w * step + len(ids) - 2) for w, ids in enumerate(encoded.windows)]
    return rows, windows


def _sentences(
    model: LanguageModel, word: str, inside: Sequence[Mapping[str, float]], beyond: Sequence[Mapping[str, float]]
) -> str:
    """How far the beginning reaches, in texts of one window and in longer ones."""
    reaches = bool(inside) and inside[0]["moved"] > ROUNDING_DISTANCE
    still = bool(beyond) and beyond[-1]["moved"] > ROUNDING_DISTANCE
    w = widgets.plain(word)
    said = f"{widgets.plain(model.name)} reads at most **{model.window} tokens** at once. "
    if reaches:
        said += (
            f"In a short text of {inside[0]['tokens']} tokens the beginning turns the vector of **{w}** at the "
            f"end by **{inside[0]['moved']:.3f}** (1 − cosine); at {inside[-1]['tokens']} tokens by "
            f"{inside[-1]['moved']:.3f}. "
        )
    else:
        said += (
            f"Even in the shortest text the beginning doesn’t change **{w}** at the end: choose beginnings that "
            "differ more. "
        )
    if beyond and reaches and not still:
        said += (
            f"At **{beyond[-1]['tokens']} tokens** it is **{beyond[-1]['moved']:.3f}**: the beginning is outside "
            "the window of the last word, and can’t be seen from there at all."
        )
    elif still:
        said += (
            f"At {beyond[-1]['tokens']} tokens it is still {beyond[-1]['moved']:.4f}, which a window of "
            f"{model.window} should not allow."
        )
    return said


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """Does the beginning still reach the end? Texts of growing length with two beginnings."""
    name, end, word, filler = query[MODEL], query["end"], query["word"], query["filler"]
    starts = (query["first"], query["second"])
    if starts[0] == starts[1]:
        raise UserError("both beginnings are the same; they have to differ")
    progress(f"load {name}", 0, len(FILLER_SHARES))
    model = explorer.model(name).model
    span = find_word(end, word)
    if not len(model.encode([filler])[0]) or not words_of(filler):
        raise UserError(f"there is no word in the filler {filler[:60]!r}")
    rows, windows = _measured(model, query, span, progress)
    inside = [row for row in rows if row["windows"] == 1]
    beyond = [row for row in rows if row["windows"] > 1]
    reaches = bool(inside) and inside[0]["moved"] > ROUNDING_DISTANCE
    still = bool(beyond) and beyond[-1]["moved"] > ROUNDING_DISTANCE
    option = 2 if not reaches else 0 if still else 1
    verdict = (
        Verdict.FAILS
        if still or not reaches
        else Verdict.WORKS
        if inside[-1]["moved"] > ROUNDING_DISTANCE
        else Verdict.PARTLY
    )
    said = _sentences(model, word, inside, beyond)
    numbers = [{"tokens": r["tokens"], "windows": r["windows"], "1 - cosine": r["moved"]} for r in rows]
    return LessonResult(
        verdict,
        said,
        option,
        numbers,
        f"from polysema.app.explorer import Explorer\n\nmodel = Explorer().model({name!r}).model\ntext = {starts[0]!r} "
        f"+ ' ' + {filler!r} * 100 + ' ' + {end!r}\n(encoded,) = model.encode([text])\nprint(model.window, "
        "len(encoded), len(encoded.windows))",
        "A longer text is read in windows that overlap by half; each token’s vector is taken from the window "
        "where it has most around it. Other programs simply cut the end off, without a word.",
        (rows, model.window, windows),
    )


def draw(found: LessonResult, key: str) -> None:
    """How far the beginning reaches, and the windows of the longest text."""
    rows, window, windows = found.shown
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("tokens:Q", title="tokens in the text"),
        y=alt.Y("moved:Q", title="change at the end (1 − cosine)"),
        tooltip=["tokens", "windows", alt.Tooltip("moved:Q", format=".5f")],
    )
    edge = alt.Chart(pd.DataFrame({"tokens": [window], "what": ["the window ends"]}))
    rule = edge.mark_rule(strokeDash=[4, 4], color=AMBER).encode(x="tokens:Q")
    name = edge.mark_text(align="left", dx=5, color=AMBER).encode(x="tokens:Q", y=alt.value(12), text="what")
    line = base.mark_line(color=TEAL, point=alt.OverlayMarkDef(color=TEAL, size=60))
    left, right = st.columns(2, gap="medium")
    with left:
        widgets.say("**Does the beginning reach the end?**")
        downloads.chart(
            (line + rule + name).properties(height=270), "How much the last word changes, by the length of the text"
        )
    if not windows:
        return
    with right:
        widgets.say(f"**How the longest text ({rows[-1]['tokens']} tokens) is read**")
        frame = pd.DataFrame([{"window": f"window {i}", "from": a, "to": b} for i, (a, b) in enumerate(windows, 1)])
        bars = (
            alt.Chart(frame)
            .mark_bar(height=18, color=TEAL, opacity=0.75)
            .encode(
                y=alt.Y("window:N", title=None, sort=None),
                x=alt.X("from:Q", title="tokens of the text"),
                x2="to:Q",
                tooltip=["window", "from", "to"],
            )
        )
        marks = pd.DataFrame(
            {"at": [0, rows[-1]["tokens"]], "what": ["the beginning", "the last word"], "side": ["left", "right"]}
        )
        ends = alt.Chart(marks).mark_rule(color=GRAY, strokeWidth=2).encode(x="at:Q", tooltip=["what"])
        downloads.chart(
            (bars + ends).properties(height=60 + 34 * len(windows)), "The windows in which the text is read"
        )
        widgets.remark(
            "Gray lines: the beginning and the end of the text. No window holds both, so nothing can pass between them."
        )
