"""Limits: confident nonsense."""

from dataclasses import dataclass

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.leads import follow_in, quoted
from polysema.app.dashboard.lessons.chips import chips, visible
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    LessonInput,
    LessonResult,
    Verdict,
)
from polysema.app.dashboard.picker.choices import reads_letters
from polysema.app.explorer import Explorer
from polysema.core.inside.generation import GeneratedText, generate
from polysema.core.progress import Progress

MAX_NEW_TOKENS = 18
AS_SURE_RATIO = 0.5  # of what it is with a real question
DOUBT_PHRASES = (
    "don't know",
    "do not know",
    "not known",
    "unknown",
    "does not exist",
    "doesn't exist",
    "never existed",
    "no such",
    "not real",
    "isn't real",
    "fictional",
    "fictitious",
    "imaginary",
    "myth",
    "not a real",
    "i'm not sure",
    "there is no",
    "there was no",
    "cannot",
)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """What was written for the invented and for the real start."""

    model: str
    starts: tuple[str, str]
    written: tuple[GeneratedText, GeneratedText]
    titles: tuple[str, str]


def doubts(text: str) -> str:
    """The first words of doubt in a text, or nothing."""
    low = text.lower().replace("’", "'")
    return next((word for word in DOUBT_PHRASES if word in low), "")


def _sentences(pair: Pair, name: str, letters: bool) -> str:
    """What was written after the invention, and how sure the model was."""
    (invented, real), (made, true) = pair.starts, pair.written
    doubt = doubts(made.text)
    share = made.surety / true.surety if true.surety else 0.0
    m = widgets.plain(name)
    if not made.tokens:
        said = f"{m} writes **nothing** after “{widgets.plain(invented)}”: it ends at once."
    else:
        said = f"After “{widgets.plain(invented)}” {m} writes: “**{widgets.plain(made.text)}**”. "
        said += (
            f"There is a word of doubt in it (“{doubt}”)."
            if doubt
            else "It has no sound for “I can’t say that”."
            if letters
            else "There is no word of doubt in it."
        )
        said += (
            f"\n\nOn average it gave its tokens a probability of **{made.surety:.0%}**; after "
            f"“{widgets.plain(real)}” **{true.surety:.0%}**. "
        )
        said += (
            "It is about as sure of the invention as of the real thing: how fluent it sounds tells you nothing."
            if share >= 0.8
            else "It is less sure, but nothing in the text shows it: you would have to see the numbers."
            if share >= AS_SURE_RATIO and not doubt
            else "It is much less sure of the invention: the numbers do show it, the text doesn’t."
            if not doubt
            else "And the numbers are there to compare."
        )
    return said


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """Let the model go on with something invented and something real, and compare how sure it is."""
    name, invented, real = query[MODEL], query["invented"], query["real"]
    progress(f"load {name}", 0, 1)
    model = explorer.model(name).internals.on_torch()
    made = generate(model, invented, MAX_NEW_TOKENS, progress=progress)
    true = generate(model, real, MAX_NEW_TOKENS, progress=progress)
    letters = reads_letters(name)
    doubt = doubts(made.text)
    share = made.surety / true.surety if true.surety else 0.0
    if not made.tokens:
        option, verdict = 2, Verdict.FAILS
    elif doubt:
        option, verdict = 1, Verdict.FAILS
    else:
        option, verdict = 0, Verdict.WORKS if share >= AS_SURE_RATIO else Verdict.PARTLY
    said = _sentences(Pair(name, (invented, real), (made, true), ("", "")), name, letters)
    said += (
        "\n\nIt always gives the next token a probability. There is no place in it where “I know” and “I don’t "
        "know” part."
    )
    titles = ("A made-up word", "A real word") if letters else ("Something invented", "Something real")
    rows = [
        {
            "text": which,
            "start": start,
            "token": token,
            "probability": p,
            "others": ", ".join(f"{visible(t)} {q:.3f}" for t, q in others),
        }
        for which, start, one in zip(titles, (invented, real), (made, true), strict=True)
        for token, p, others in zip(one.tokens, one.probabilities, one.others, strict=True)
    ]
    return LessonResult(
        verdict,
        said,
        option,
        rows,
        f"from polysema.app.explorer import Explorer\n\nmodel = Explorer().model({name!r})\n"
        f"for start in ({invented!r}, {real!r}):\n    found = model.generate("
        f"start, {MAX_NEW_TOKENS})\n    print(found.text, found.surety, found.probabilities)",
        f"Greedy: the most probable token each time, {MAX_NEW_TOKENS} at most. The average is the geometric "
        f"mean. Doubt is looked for by these words: {', '.join(DOUBT_PHRASES)}.",
        Pair(name, (invented, real), (made, true), titles),
    )


def draw(found: LessonResult, key: str) -> None:
    """Both texts, token by token, with the probability of each."""
    shown: Pair = found.shown
    columns = st.columns(2, gap="medium")
    parts = zip(columns, shown.titles, shown.starts, shown.written, strict=True)
    for number, (column, title, start, one) in enumerate(parts):
        with column:
            widgets.say(f"**{title}**")
            widgets.remark(f"{widgets.plain(start)} …")
            chips(
                [
                    (visible(token), f"{p:.0%}", "a" if p >= 0.5 else "b" if p >= 0.1 else "off")
                    for token, p in zip(one.tokens, one.probabilities, strict=True)
                ]
                + ([("(end)", "it stops", "")] if one.ended else []),
                f"{title}: what it wrote, with the probability of each token",
                f"{key}_{title}_written",
            )
            if one.others:
                widgets.say("What it could have begun with")
                first = [(visible(token), p) for token, p in one.others[0]]
                listed = [ListedRow(visible(token), "", p, (start, quoted(token))) for token, p in one.others[0]]
                clickable_list(listed, f"{key}_{number}_first", follow_in(shown.model))
                downloads.ranked(first, f"{key}_{title}", "token", "probability")
    widgets.remark("Boxes: green 50 % and more, orange 10 to 50 %, dashed below 10 %; the number says it too.")
