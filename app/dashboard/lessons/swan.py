"""Heads: which of them has one word look at another."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.components.heads import Heads, LargeHead, chosen_head, heads
from polysema.app.dashboard.inside.leads import look_at_heads
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    LessonInput,
    LessonResult,
    Verdict,
    lines_of,
)
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.inside.attention import Attention, attention
from polysema.core.inside.head_names import head_name
from polysema.core.inside.head_search import HeadRanking, find_heads
from polysema.core.progress import Progress

EXAMPLE = ("white", "swan", "water")
MIN_DISAGREEING = 3
CLEAR_WEIGHT = 0.5  # of its weight: a head that gives so much attends there
MAX_WORDS = 40
OWN_SIGNS = "the model’s own signs"


@dataclass(frozen=True, slots=True, eq=False)
class SentenceReading:
    """The attention of the sentence, the heads ranked, and over all heads what the word attends to, in the mean and
    most.
    """

    part: Attention
    ranking: HeadRanking
    attended: tuple[tuple[str, float], ...]
    tops: dict[str, int]
    model: str
    looker: str


def _top_words(part: Attention, row: int) -> dict[str, int]:
    """How many heads of all layers look most at each other word of the text from one row; special tokens left out."""
    names = [unit.name.strip().casefold() for unit in part.rows]
    weights = part.weights[:, :, row].reshape(-1, len(names))  # (n_heads of all layers, n_columns)
    words = [p for p, unit in enumerate(part.columns) if p != row and not unit.special and not part.forbidden[row, p]]
    tops: dict[str, int] = {}
    for place in weights[:, words].argmax(1).tolist():
        tops[names[words[place]]] = tops.get(names[words[place]], 0) + 1
    return tops


def _best_head(ranking: HeadRanking, verdict: Verdict, a: str, b: str, model: str) -> str:
    """How clearly the best head attends from one word to the other, over all sentences."""
    best = ranking.scores[0]
    n_texts = len({place[0] for place in ranking.places})
    said = (
        f"\n\nBut a single head may be clear: **head {head_name(best.layer, best.head)}** gives {b} "
        f"**{best.mean:.0%}** "
        f"on average over {n_texts} sentence{'s' * (n_texts > 1)} "
        f"(minimum {best.least:.0%}; uniform attention would give {ranking.chance:.0%}). "
    )
    said += {
        Verdict.WORKS: f"In every sentence that is its first choice: this head does link {a} to {b}.",
        Verdict.PARTLY: "That is more than chance, but not clear, or not in every "
        "sentence: don’t give the head a name yet.",
        Verdict.FAILS: f"That is hardly more than chance: no head of {widgets.plain(model)} links the two words here.",
    }[verdict]
    lucky = min(ranking.scores, key=lambda score: score.rank_at_first)
    if (lucky.layer, lucky.head) != (best.layer, best.head):
        said += (
            f" In this sentence alone head {head_name(lucky.layer, lucky.head)} looks even better ({lucky.first:.0%}), "
            f"but over all sentences it has {lucky.mean:.0%}: chance."
        )
    return said


def _rows(ranking: HeadRanking) -> list[dict[str, float]]:
    """A row for each head."""
    return [
        {
            "layer": s.layer,
            "head": s.head,
            "mean": s.mean,
            "least": s.least,
            "first sentence": s.first,
            "rank in the first": s.rank_at_first,
            "first choice in": s.top,
        }
        for s in ranking.scores
    ]


def _mean_attended(part: Attention, row: int) -> list[tuple[str, float]]:
    """How much of its weight one row gives each word, in the mean of all heads; special tokens count together."""
    mean = part.weights[:, :, row].reshape(-1, len(part.columns)).mean(0)
    special = np.array([unit.special for unit in part.columns])
    attended = [
        (part.columns[p].name.strip(), float(mean[p]))
        for p in range(len(part.columns))
        if not special[p] and not part.forbidden[row, p]
    ]
    if special.any():
        attended.append((OWN_SIGNS, float(mean[special].sum())))
    return attended


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """What a word attends to in the mean of all heads, and which head attends to the wanted word over sentences."""
    name, sentence, looker, at = query[MODEL], query["sentence"], query["looker"], query["at"]
    progress(f"read with {name}", 0, 1)
    model = explorer.model(name).internals.on_torch()
    texts = [sentence, *lines_of(query["more"])]
    ranking = find_heads(model, [(looker, at)], texts)
    if ranking.places[0][0] != 0:
        raise UserError(f"the sentence has not both words, {looker!r} and {at!r}")
    (part, *more) = attention(model, sentence)
    if more or len(part.rows) > MAX_WORDS:
        raise UserError(
            f"the sentence has {len(part.rows)} words and signs; at most {MAX_WORDS} are drawn: give a shorter one"
        )
    names = [unit.name.strip().casefold() for unit in part.rows]
    row = next(p for p, unit in enumerate(part.rows) if not unit.special and names[p] == looker.casefold())
    weights = part.weights[:, :, row].reshape(-1, len(names))  # (n_heads of all layers, n_columns)
    mean = weights.mean(0)
    attended = _mean_attended(part, row)
    tops = _top_words(part, row)
    n_heads = len(weights)
    winner = max(tops, key=lambda word: tops[word])
    most = winner if tops[winner] > n_heads / 2 else ""
    best = ranking.scores[0]
    verdict = (
        Verdict.WORKS
        if best.mean >= CLEAR_WEIGHT and best.top == 1
        else Verdict.PARTLY
        if best.mean > 2 * ranking.chance
        else Verdict.FAILS
    )
    a, b = widgets.plain(looker), widgets.plain(at)
    said = (
        f"In the mean of all {n_heads} heads **{a}** gives **{b}** {float(mean[names.index(at.casefold())]):.0%} "
        "of its look. "
    )
    said += (
        f"{tops[winner]} of the heads look most at {widgets.plain(winner)} (itself and the model’s own signs left out)"
        + (". " if most else ": no word has more than half of them, so the heads disagree. ")
    )
    said += _best_head(ranking, verdict, a, b, name)
    rows = _rows(ranking)
    return LessonResult(
        verdict,
        said,
        EXAMPLE.index(most) if most in EXAMPLE else MIN_DISAGREEING,
        rows,
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().model({name!r}).rank_heads([({looker!r}"
        f", {at!r})], {texts!r})\n"
        "for score in found.scores[:5]:\n    print(score.layer, score.head, score.mean, score.least)",
        "Weights after the softmax; sub-words are merged to words. All heads of all layers are ranked by their "
        "mean over the sentences that have both words.",
        SentenceReading(part, ranking, tuple(attended), tops, name, looker),
    )


def _show_head(shown: SentenceReading, place: object) -> None:
    """The head in the page Inside, which reads the same sentence; or for a word, the heads that look at it."""
    if isinstance(place, tuple):
        look_at_heads(shown.model, shown.part.text, head=place)
    elif place is not None:
        look_at_heads(shown.model, shown.part.text, f"{shown.looker} -> {place}")


def draw(found: LessonResult, key: str) -> None:
    """What the word attends to in the mean, the best heads, and all heads with one of them large."""
    shown: SentenceReading = found.shown
    left, right = st.columns(2, gap="medium")
    with left:
        widgets.say("**All heads, in the mean**")
        rows = sorted(shown.attended, key=lambda item: -item[1])
        words = [ListedRow(word, "", share, None if word == OWN_SIGNS else word) for word, share in rows]
        clickable_list(words, f"{key}_attended", lambda word: _show_head(shown, word))
        downloads.ranked(rows, f"{key}_looks", "looks at", "share")
    with right:
        widgets.say("**The heads that look there most**")
        heads_found = shown.ranking.scores[: max(5, len(rows))]
        listed = [ListedRow(head_name(s.layer, s.head), "", s.mean, (s.layer, s.head)) for s in heads_found]
        clickable_list(listed, f"{key}_best_heads", lambda place: _show_head(shown, place), shown.ranking.chance)
        widgets.remark("The mean over the sentences. The mark is what a head gives that looks at all words alike.")
    best, part = shown.ranking.scores[0], shown.part
    n_heads = part.weights.shape[1]
    component = f"{key}_{shown.model}_heads"
    chosen_key = f"{component}_chosen"

    def choose() -> None:
        place = chosen_head((st.session_state.get(component) or {}).get("choice"), part.layers, n_heads)
        if place is not None:
            st.session_state[chosen_key] = place

    layer, head = st.session_state.get(chosen_key, (best.layer, best.head))
    if layer not in part.layers or not 1 <= head <= n_heads:
        layer, head = best.layer, best.head
    widgets.say(f"**Layer {layer}, head {head}** (choose another in the grid; hover a word to see where it looks)")
    names = [unit.name for unit in part.rows]
    drawn = Heads(part.weights, part.layers, names, names, part.forbidden)
    heads(
        drawn,
        LargeHead(layer, head, "arcs"),
        key=component,
        alt="Who looks at whom, head by head",
        on_choose=choose,
    )
