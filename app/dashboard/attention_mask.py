"""Who may look at whom, as squares."""

from functools import partial
from html import escape

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.core.inside.families import VisibleTokens


def mask(sight: VisibleTokens, name: str) -> None:
    """Squares, a row for each query: filled where it may, hatched where it may not; saved as a picture under `name`."""
    if max(sight.open.shape) > 40:
        widgets.remark(f"{sight.name}: {sight.describe}.")
        return
    cells = "".join(
        f'<i class="{"on" if seen else "off"}" title="{escape(sight.rows[i].name.strip())} → '
        f'{escape(sight.columns[j].name.strip())}"></i>'
        for i, line in enumerate(sight.open)
        for j, seen in enumerate(line)
    )
    st.html(
        f'<div class="ps-note">{escape(sight.name)}: {escape(sight.describe)}</div>'
        f'<div class="ps-mask" role="img" aria-label="{escape(sight.name)}: {escape(sight.describe)}" '
        f'style="grid-template-columns:repeat({sight.open.shape[1]},1fr);max-width:{sight.open.shape[1] * 16}px">'
        f"{cells}</div>"
    )
    rows, columns = ([unit.name.strip() for unit in units] for units in (sight.rows, sight.columns))
    downloads.picture(
        partial(downloads.squares_svg, sight.open, rows, columns, f"{sight.name}: {sight.describe}"), name
    )
