"""The tab Surprisal of the page Inside: how probable a model finds each token of a text where it stands."""

from html import escape

import numpy as np
import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import (
    LETTERS,
    circuits_of,
    letter_kind,
    model_box,
    preferred,
    shown,
    typed,
)
from polysema.app.dashboard.inside.leads import fill_in, write_from
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.sharing import page_record
from polysema.app.dashboard.trail import here, trail_bar
from polysema.core.inside.scored_tokens import ScoredToken
from polysema.core.inside.surprisal import Surprisal
from polysema.core.model.catalog import READABLE
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family

GARDEN_PATH = "The horse raced past the barn fell."
MAX_LISTED_TOKENS = 100
MOST_BITS = 16.0  # where the color is strongest
METHODS = {"each token alone": "masked", "with the rest of its word": "masked-within-word"}


def surprisal_part() -> None:
    """A text with each token colored by its surprisal."""
    names = preferred(choices.models(READABLE), Family.DECODER)
    first, second = st.columns([4, 8], vertical_alignment="bottom")
    name = model_box(names, "um_in", first, "Which model reads the text; it has to predict words.")
    unit = second.segmented_control(
        "Unit", ["tokens", "words"], default="tokens", required=True, key="uu", bind="query-params"
    )
    method = "auto"
    if choices.family_of(name) is Family.ENCODER:
        chosen = st.segmented_control(
            "Mask",
            list(METHODS),
            default="each token alone",
            required=True,
            key="uk",
            bind="query-params",
            help="A masked token is guessed from both sides. The other pieces of its word give it away: hide them too.",
        )
        method = METHODS[chosen or "each token alone"]
    kind = letter_kind(name)
    with st.form("surprisal", border=False):
        text = typed(
            f"ut_{kind}", LETTERS if choices.reads_letters(name) else GARDEN_PATH, "Text", "What the model reads."
        )
        target = (
            permalink.box(
                st.text_input, "inside", "Written", "F OW N", key="uw", help="What is scored, given the text."
            )
            if choices.family_of(name) is Family.ENCODER_DECODER
            else None
        )
        st.form_submit_button("Score", type="primary")
    if not text:
        st.info("Write a text to score, such as: The horse raced past the barn fell.")
        return
    scored = (target or "").strip() or None
    found = work.answer(
        ("surprisal", name, text, method, unit, scored),
        lambda progress: surprisal_of(name, text, method, unit or "tokens", scored, progress),
    )
    if found is not None:
        trail_bar(here(), text)
        surprisal_picture(found, name, method, scored)


def surprisal_of(
    name: str, text: str, method: str, unit: str, target: str | None, progress: Progress = no_progress
) -> Surprisal:
    """Every token with its log-probability."""
    widgets.check_length(text)
    return circuits_of(name, progress).surprisal(text, method, unit, target, progress)


def surprisal_picture(found: Surprisal, name: str, method: str, target: str | None) -> None:
    """The text in colors, a table, and what it says and doesn't say."""
    widgets.remark(
        "The stronger the color, the more bits of surprise: 1 bit for a coin flip, 10 for one of a thousand. "
        "Point at a "
        "token for what the model had expected."
    )
    st.html(f'<div class="surprisal" style="line-height:2.3">{"".join(map(_token, found.tokens))}</div>')
    page_record.text(
        " ".join(
            f"{widgets.plain(one.name.strip() or one.name)} ({one.surprisal:.1f} bits)"
            for one in found.tokens
            if np.isfinite(one.surprisal)
        )
    )
    perplexity = "Pseudo-perplexity" if found.method != "next-token" else "Perplexity"
    one, two, three = st.columns(3)
    one.metric("Bits a token", f"{found.bits_per_token:.2f}")
    two.metric(perplexity, f"{found.perplexity:.1f}")
    three.metric("Log-probability", f"{found.log_probability:.1f}")
    widgets.remark(
        "What could fool you: sums grow with length, so compare texts of as many tokens; perplexities of models with "
        "other tokenizers, or of the two kinds of model, don't compare; and a decoder has nothing before the first "
        "token, which stays without a number."
    )
    rows = [
        {
            found.unit[:-1]: shown(token.name),
            "bits": _number(token.surprisal),
            "log-probability": _number(token.log_probability),
            "rank": token.rank or None,
            "expected": shown(token.best) if token.best else "",
            "its probability": _number(token.best_probability),
            "entropy": _number(token.entropy),
        }
        for token in found.tokens
    ]
    with st.expander("Numbers"):
        _listed_tokens(found, name)
        downloads.numbers(rows, "surprisal")
    given = f", target={target!r}" if target else ""
    text = found.source or found.text
    widgets.python_lines(
        "from polysema import Explorer\n\n"
        f"circuits = Explorer().model({name!r}).circuits\n"
        f"found = circuits.surprisal({text!r}, {method!r}, {found.unit!r}{given})\n"
        "found.tokens[1].surprisal, found.perplexity",
        f"Surprisal is -log2 of the probability that the model gives what stands there ({found.method}); of a masked "
        "encoder the pseudo-log-likelihood (Salazar et al. 2020; within words Kauf and Ivanova 2023).",
    )


def _listed_tokens(found: Surprisal, name: str) -> None:
    """The first tokens with their numbers; a click on one leads to what the model would have there."""
    reads_two = bool(found.source)
    masked = found.method != "next-token"

    def lead(token: ScoredToken) -> str | None:
        if reads_two:
            return found.source
        if token.span is None or not np.isfinite(token.surprisal):
            return None
        before, behind = found.text[: token.span.start], found.text[token.span.end :]
        return f"{before}[MASK]{behind}" if masked else before.rstrip() or None

    listed = [
        ListedRow(
            shown(token.name),
            f"{token.surprisal:.2f} bits · rank {token.rank:,} · entropy {token.entropy:.1f} bits · expected "
            f"{shown(token.best)} ({token.best_probability:.0%})"
            if np.isfinite(token.surprisal)
            else "nothing stands before it",
            float(np.exp(token.log_probability)) if np.isfinite(token.surprisal) else None,
            lead(token),
        )
        for token in found.tokens[:MAX_LISTED_TOKENS]
    ]
    clickable_list(listed, "scored_tokens", fill_in(name) if masked else write_from(name))
    more = len(found.tokens) - len(listed)
    st.caption(
        "The probability of each; a click leads to "
        + ("the words that would fill its place." if masked else "what the model would have written.")
        + (f" {more:,} more are in the file." if more > 0 else "")
    )


def _token(token: ScoredToken) -> str:
    """A token as a colored span; user text is escaped."""
    if not np.isfinite(token.surprisal):
        return f'<span title="nothing stands before it" style="padding:3px 2px">{escape(token.name)}</span>'
    share = min(1.0, token.surprisal / MOST_BITS) * 0.6  # stronger, and the text can't be read in the dark
    title = (
        f"{token.surprisal:.2f} bits, rank {token.rank}; expected {shown(token.best)} ({token.best_probability:.0%})"
    )
    name = escape(token.name) if token.span is not None else f"<i>{escape(token.name)}</i>"
    look = "border-radius:3px;padding:3px 2px;margin-right:1px;white-space:pre-wrap"
    style = f"background:rgba(217,119,6,{share:.2f});{look}"
    return f'<span tabindex="0" title="{escape(title)}" style="{style}">{name}</span>&#8203;'


def _number(value: float) -> float | None:
    return round(value, 3) if np.isfinite(value) else None
