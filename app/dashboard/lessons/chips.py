"""Small escaped HTML that several lessons draw with."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from polysema.app.dashboard import downloads

TEAL, AMBER, GRAY = "#0d9488", "#d97706", "#8b94a0"


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
