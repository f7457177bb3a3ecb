"""Small escaped HTML that several lessons draw with."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from polysema.app.dashboard import downloads

TEAL, AMBER, GRAY = "#0d9488", "#d97706", "#8b94a0"

STYLE = """
<style>
.pl-chips {display: flex; flex-wrap: wrap; gap: 0.3rem; margin: 0.2rem 0 0.6rem;}
.pl-chip {border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: 0.35rem; padding: 0.15rem 0.45rem; text-align: center; overflow-wrap: anywhere; line-height: 1.3;}
.pl-chip b {font-weight: 600; display: block;}
.pl-chip i {font-style: normal; font-size: 0.78rem; opacity: 0.85; font-variant-numeric: tabular-nums; display: block;}
.pl-chip.a {background: color-mix(in srgb, #0d9488 20%, transparent);}
.pl-chip.b {background: color-mix(in srgb, #d97706 18%, transparent);}
.pl-chip.off {border-style: dashed; opacity: 0.8;}
.pl-table {width: 100%; border-collapse: collapse; font-size: 0.92rem;}
.pl-table th, .pl-table td {text-align: left; padding: 0.25rem 0.6rem 0.25rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); overflow-wrap: break-word; vertical-align: top;}
.pl-table th {font-size: 0.8rem; opacity: 0.75; font-weight: 600;}
</style>
"""


def style() -> None:
    """The rules of the lessons' own pictures."""
    st.html(STYLE)


def chips(items: Sequence[tuple[str, str, str]], label: str, name: str) -> None:
    """A row of little boxes: a text, small print under it, and a kind: `a`, `b` (two colors), `off` (dashed) or
    nothing.

    They are saved as a picture under `name`.
    """
    drawn = "".join(
        f'<span class="pl-chip {escape(kind)}"><b>{escape(text)}</b><i>{escape(small)}</i></span>'
        for text, small, kind in items
    )
    st.html(f'<div class="pl-chips" role="group" aria-label="{escape(label)}">{drawn}</div>')
    downloads.picture(lambda: downloads.boxes_svg(items, label), name)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A small table of texts."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    st.html(f'<table class="pl-table"><tr>{top}</tr>{body}</table>')


def visible(token: str) -> str:
    """A token for the eye: a sign where it is nothing but space."""
    return token.strip() or ("⏎" if "\n" in token else "␣")
