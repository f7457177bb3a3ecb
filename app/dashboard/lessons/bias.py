"""Limits: bias in the vectors, measured."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.lessons.chips import AMBER, TEAL
from polysema.app.dashboard.lessons.lesson import (
    LessonInput,
    LessonResult,
    Verdict,
    words_in,
)
from polysema.app.explorer import Explorer
from polysema.app.explorer.results import AssociationAnswer
from polysema.core.errors import UnknownWordError, UserError
from polysema.core.progress import Progress
from polysema.core.space.expression import Term

CLEAR, SLIGHT = 0.5, 0.2  # effect sizes, as Cohen names them medium and small
CHANCE_P = 0.05


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """The association test, and the words on an axis."""
    name = query["space"]
    progress(f"load {name}", 0, 1)
    space = explorer.space(name)
    resolve = space.lookup.resolver()
    missing: list[str] = []

    def known(words: list[str]) -> list[str]:
        found = []
        for word in words:
            try:
                resolve(Term(1.0, word))
                found.append(word)
            except UnknownWordError:
                missing.append(word)
        return found

    lists = {key: known(words_in(query[key])) for key in ("first", "second", "toward", "away", "words")}
    for key in ("first", "second", "toward", "away"):
        if len(lists[key]) < 2:
            raise UserError(
                f"each list needs at least two words that {name} knows; of {query[key][:60]!r} it knows "
                f"{len(lists[key])}"
            )
    if not lists["words"]:
        raise UserError(f"{name} knows none of the words to place: {query['words'][:60]!r}")
    test = space.association(lists["first"], lists["second"], lists["toward"], lists["away"])
    axis = f"{' + '.join(lists['away'])} -> {' + '.join(lists['toward'])}"
    placed = space.project(lists["words"], [axis])
    order = sorted(((word, place) for word, (place,) in placed.words), key=lambda item: item[1])
    strength = abs(test.effect)
    low = min(test.p, 1 - test.p) <= CHANCE_P
    verdict = Verdict.WORKS if strength >= CLEAR and low else Verdict.PARTLY if strength >= SLIGHT else Verdict.FAILS
    option = 2 if strength >= CLEAR and low else 1 if order[-1][1] - order[0][1] > 0.05 else 0
    said = _sentences(test, verdict, lists, order)
    if missing:
        said += f"\n\nNot in these vectors, so left out: {widgets.plain(', '.join(missing[:12]))}."
    leans = [
        *zip(lists["first"], test.first.tolist(), strict=True),
        *zip(lists["second"], test.second.tolist(), strict=True),
    ]
    rows = _rows(leans, len(lists["first"]), order)
    return LessonResult(
        verdict,
        said,
        option,
        rows,
        f"from polysema.app.explorer import Explorer\n\nwords = Explorer().space({name!r})\n"
        f"found = words.association({lists['first']!r}, "
        f"{lists['second']!r}, {lists['toward']!r}, {lists['away']!r})\nprint(found.effect, found.p)\n"
        f"print(words.project({lists['words']!r}, [{axis!r}]).words)",
        "WEAT (Caliskan et al. 2017): a word’s lean is its mean cosine with the first attributes less that with "
        "the second; the effect is the difference of the two lists’ means in standard "
        "deviations. The axis leads from the sum of the one side’s unit vectors to that of the other. "
        f"{widgets.plain(space.origin.card())}.",
        (order, leans, len(lists["first"]), lists["toward"][0], lists["away"][0]),
        widgets.notes_of(test, placed),
    )


def _sentences(
    test: AssociationAnswer, verdict: Verdict, lists: Mapping[str, Sequence[str]], order: Sequence[tuple[str, float]]
) -> str:
    """What the test and the axis show."""
    he, she = widgets.plain(lists["away"][0]), widgets.plain(lists["toward"][0])
    one, two = (lists["first"], lists["second"]) if test.effect >= 0 else (lists["second"], lists["first"])
    said = (
        f"**{widgets.plain(', '.join(one[:3]))}** … lean more to **{she}** … than "
        f"**{widgets.plain(', '.join(two[:3]))}** … do. The effect is **{test.effect:+.2f}** on a scale from "
        "−2 to 2; "
        f"{_chance(min(test.p, 1 - test.p), test.n_partitions)}. "
    )
    said += {
        Verdict.WORKS: "That is a clear association, and chance doesn’t explain it: the "
        "vectors have learned it from the texts.",
        Verdict.PARTLY: "That is a weak association, or one that chance could make: don’t build on it.",
        Verdict.FAILS: "That is practically none: these lists don’t differ in these vectors.",
    }[verdict]
    said += (
        f"\n\nOn the axis below **{widgets.plain(order[-1][0])}** stands furthest to the side of {she}, "
        f"**{widgets.plain(order[0][0])}** to that of {he}."
    )
    return said


def _rows(
    leans: Sequence[tuple[str, float]], n_first: int, order: Sequence[tuple[str, float]]
) -> list[dict[str, object]]:
    """The leans of the two lists, and the places of the other words on the axis."""
    rows: list[dict[str, object]] = [
        {"word": word, "list": "first" if i < n_first else "second", "lean": lean}
        for i, (word, lean) in enumerate(leans)
    ]
    return rows + [{"word": word, "list": "placed", "on the axis": place} for word, place in order]


def _chance(p: float, n: int) -> str:
    return (
        f"of {n:,} ways to deal the words into two lists {p:.1%} differ as much"
        if p >= 0.0005
        else f"of {n:,} ways to deal the words into two lists fewer than 0.1% differ as much"
    )


def draw(found: LessonResult, key: str) -> None:
    """The words on the axis, and the leans of the two lists."""
    order, leans, n_first, she, he = found.shown
    frame = pd.DataFrame(order, columns=["word", "place"])
    side = alt.condition("datum.place > 0", alt.value(AMBER), alt.value(TEAL))
    dots = (
        alt.Chart(frame)
        .mark_circle(size=90)
        .encode(
            y=alt.Y("word:N", sort=None, title=None, axis=alt.Axis(labelOverlap=False)),
            x=alt.X("place:Q", title=f"← {he} · cosine with the axis · {she} →"),
            color=side,
            tooltip=["word", alt.Tooltip("place:Q", format="+.3f")],
        )
    )
    zero = alt.Chart(pd.DataFrame({"place": [0]})).mark_rule(strokeDash=[3, 3]).encode(x="place:Q")
    other = pd.DataFrame(
        [
            {"word": word, "lean": lean, "list": "first list" if i < n_first else "second list"}
            for i, (word, lean) in enumerate(leans)
        ]
    )
    strip = (
        alt.Chart(other)
        .mark_tick(thickness=3, size=34)
        .encode(
            x=alt.X("lean:Q", title=f"← {he} · lean · {she} →"),
            y=alt.Y("list:N", title=None),
            color=alt.Color("list:N", scale=alt.Scale(range=[AMBER, TEAL]), legend=None),
            tooltip=["word", alt.Tooltip("lean:Q", format="+.3f")],
        )
    )
    left, right = st.columns([6, 6], gap="medium")
    with left:
        widgets.say("**Words on the axis**")
        downloads.chart(
            (dots + zero).properties(height=max(160, 24 * len(order) + 40)),
            "Each word’s place between the two ends of the axis",
        )
    with right:
        widgets.say("**The two lists of the test**")
        downloads.chart(
            (strip + zero.encode(x="place:Q")).properties(height=150),
            "The words of the two lists, each a tick at its association",
        )
        widgets.remark(
            "Each tick is a word (hover it). The further apart the two rows of ticks, the larger the effect."
        )
