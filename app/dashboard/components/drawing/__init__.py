"""An SVG drawing of ours in the colors of the page: `currentColor` is the text's, in both themes.

The browser side is `drawing.js` and `drawing.css` beside this file. It takes over shapes and texts only.
"""

import streamlit as st

from polysema.app.dashboard.components import assets

__all__ = ["drawing"]


_mount = st.components.v2.component(
    "polysema_drawing", js=assets.module("drawing/drawing.js"), css=assets.asset("drawing/drawing.css")
)


def drawing(svg: str, *, key: str) -> None:
    """Show a drawing; texts in it have to be escaped, and it says in `aria-label` what it shows."""
    if not svg.startswith("<svg "):
        raise ValueError(f"a drawing begins with <svg; got {svg[:20]!r}")
    _mount(key=key, data={"svg": str(svg)})
