"""The page Writing: a model writes a text step by step, fills a gap, or is surprised by a text."""

import streamlit as st

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard.inside.leads import FILL, SCORE, WRITE
from polysema.app.dashboard.inside.surprisal_tab import surprisal_part
from polysema.app.dashboard.writing.branches import branches_of, keep_branches, unpacked
from polysema.app.dashboard.writing.fill_part import fill_part
from polysema.app.dashboard.writing.write_part import write_part


def page() -> None:
    """The page."""
    widgets.title(
        "Writing",
        "A model writes one token after another, each chosen from a distribution: see it at every step, and choose "
        "another token to see where the text goes then.",
    )
    part = st.segmented_control(
        "What to do",
        [WRITE, FILL, SCORE],
        default=WRITE,
        required=True,
        key="do",
        bind="query-params",
        label_visibility="collapsed",
    )
    if part == SCORE:
        permalink.restore("inside")
        surprisal_part()
        permalink.keep_boxes("inside")
        return
    restored = permalink.restore("writing")
    tree = restored.get("tree")
    if isinstance(tree, list) and len(tree) == 2:
        keep_branches(str(tree[0]), unpacked(tree[1]))
    (fill_part if part == FILL else write_part)()
    _keep()


def _keep() -> None:
    """Put texts and the tree into the link."""
    state = st.session_state
    starts: dict[str, str] = state.get("_link_boxes", {}).get("writing", {})
    written = {f"widget:{key}": state[key] for key in starts if isinstance(state.get(key), str)}
    tree = state.get("writing_tree")
    packed = branches_of(tree).packed() if isinstance(tree, str) else ""
    values: dict[str, permalink.Plain] = {**written, "tree": [tree, packed] if packed else None}
    permalink.keep("writing", values, {f"widget:{key}": start for key, start in starts.items()})


page()
