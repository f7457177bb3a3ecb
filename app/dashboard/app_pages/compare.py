"""The page Compare: two spaces over the same items, and which neighborhoods changed."""

import streamlit as st

from polysema.app.dashboard import permalink, space_picker, trail, widgets
from polysema.app.dashboard.compare.controls import PLANE, STEPS, between, controls, example, how, matched, show_notes
from polysema.app.dashboard.compare.details import distribution, look_at, neighbors, table
from polysema.app.dashboard.compare.plots import VIEWS, ColoredMaps, color, side_by_side, step_by_step, take


def restore(a: str, b: str) -> None:
    """Take up what the link holds; forget what belongs to other spaces."""
    state = st.session_state
    if "compare_of" in state and state["compare_of"] != (a, b):
        for name in ("compare_focus", "compare_chosen", "compare_clicked", "compare_picked"):
            state.pop(name, None)
        for name in VIEWS.values():
            permalink.put(name, "")
        trail.forget("compare")
    state["compare_of"] = (a, b)
    current = permalink.restore("compare")
    focus = current.get("focus")
    if current:
        state["compare_chosen"] = permalink.unpack(current.get("chosen"))
    if type(focus) is int and focus >= 0:
        state["compare_focus"] = focus
    elif current:
        state.pop("compare_focus", None)


def page() -> None:
    """The page."""
    widgets.title(
        "Compare",
        "The same words or the same occurrences in two spaces. Where neighborhoods differ, the two know different "
        "things about a word.",
    )
    a, b = controls()
    n, layout, k, view = how()
    if a is None or b is None or any(space_picker.without_rows(name) for name in dict.fromkeys((a, b))):
        return
    restore(a, b)
    through = between(a, b) if view == STEPS else ()
    with st.container():  # there in every run, so that what stands below keeps its place when the progress goes
        found, key = matched(a, b, n, k, layout, through)
    if found is None:
        return
    state = st.session_state
    left, right = st.columns([8, 4], gap="medium")
    with left:
        show_notes(found)
        widgets.notes(found, *(side.space for side in found.sides))
    with right:
        colors, colored_by = color(found)
    focus = state.get("compare_focus")
    if not isinstance(focus, int) or not 0 <= focus < len(found):
        focus = example(found)
    maps = ColoredMaps(found, key, colors, colored_by, focus)
    if view == STEPS:
        step_by_step(maps)
    else:
        take(side_by_side(maps), focus)
    chosen = state.get("compare_chosen", [])
    left, right = st.columns([7, 5], gap="medium")
    with left:
        picked = table(found, chosen)
    with right:
        distribution(found)
    if picked is not None and picked != state.get("compare_picked"):
        state["compare_picked"] = picked
        look_at(picked)
        st.rerun()
    state["compare_picked"] = picked
    permalink.keep(
        "compare", {"focus": state.get("compare_focus"), "chosen": permalink.pack(chosen)}, views=("chosen",)
    )
    neighbors(found, focus)
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n"
        + ("" if layout == PLANE else "from polysema.core.maps.options import MapOptions\n")
        + f"\nfound = Explorer().maps.matched({a!r}, {b!r}, n={n}, k={k}"
        f"{layout.python}{f', through={list(through)!r}' if through else ''})\n"
        "for row in found.changed[:10]:\n    print(found.a.space.keys[int(row)], found.overlap[row], "
        "found.lost(int(row)), found.gained(int(row)))",
        "The map of each space starts from their joint plane and is anchored to the next one's, so a point that "
        "moves between two maps really moved. "
        f"{widgets.plain(found.a.space.origin.card())}. {widgets.plain(found.b.space.origin.card())}.",
    )


page()
