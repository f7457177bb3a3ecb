"""A walk from question to question: the questions before stay on a trail, one press away."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from polysema.app.dashboard import permalink
from polysema.app.dashboard.permalink import plain
from polysema.app.dashboard.picker import choices

MAX_STEPS = 50
MAX_NAMED_STEPS = 4
MAX_NAME_CHARACTERS = 40
NEXT_PAGE = "_next_page"
"""Where the session says to which page the next run goes."""
_HERE = "_page_here"


@dataclass(frozen=True, slots=True)
class TrailStep:
    """A question that was left: its name, and the values of the session that give it back (None: none)."""

    name: str
    values: Mapping[str, object]


def walk(page: str, values: Mapping[str, object]) -> None:
    """Ask something else: put values into the session. What stood there before goes on the page's trail."""
    state = st.session_state
    before = {name: state.get(name) for name in values}
    if before == dict(values):
        return
    step = TrailStep(str(state.get(f"_trail_here_{page}", "")), before)
    state[f"_trail_{page}"] = [*steps(page), step][-MAX_STEPS:]
    _put(values)


def steps(page: str) -> list[TrailStep]:
    """The questions before, the last one last."""
    found: list[TrailStep] = st.session_state.get(f"_trail_{page}", [])
    return found


def go_back(page: str) -> None:
    """Ask the question before."""
    if before := steps(page):
        st.session_state[f"_trail_{page}"] = before[:-1]
        _put(before[-1].values)


def forget(page: str) -> None:
    """The trail begins anew: what stands on it belongs to something else."""
    st.session_state.pop(f"_trail_{page}", None)


def trail_bar(page: str, here: str) -> None:
    """The way back, where there is one: a button and the last questions. `here` is the name of the present question."""
    st.session_state[f"_trail_here_{page}"] = " ".join(here.split())[:MAX_NAME_CHARACTERS]
    before = steps(page)
    place = st.container()  # there in every run, so that what stands below keeps its place
    if not before:
        return
    with place.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{page}_trail_bar"):
        message = "To what was looked at before."
        st.button(
            "Back", icon=":material/arrow_back:", key=f"{page}_back", on_click=go_back, args=(page,), help=message
        )
        st.caption(" › ".join(plain(one.name) for one in before[-MAX_NAMED_STEPS:]))


def open_page(page: str, query: Mapping[str, str], kept: Mapping[str, permalink.Plain] | None = None) -> None:
    """Go on to another page with a question; the frame turns to it in this run. For a click on something in a list.

    Args:
        page: Its name.
        query: What its address says.
        kept: What its link holds besides, such as texts of the user.
    """
    name = permalink.save({"page": page, "values": dict(kept)}) if kept else None
    st.session_state[NEXT_PAGE] = (page, dict(query) | ({permalink.PARAMETER: name} if name else {}))


def ask(page: str, controls: Mapping[str, object], texts: Mapping[str, str]) -> None:
    """Ask something on a page, this one or another. On this one the question before stays on the trail.

    Args:
        page: Its name.
        controls: Values of what stands in the address, by key.
        texts: Those of the boxes for texts.
    """
    if here() == page:
        walk(page, {**controls, **texts})
    else:
        kept: dict[str, permalink.Plain] = {f"widget:{key}": text for key, text in texts.items()}
        open_page(page, {key: str(value) for key, value in controls.items()}, kept)


def here() -> str:
    """The name of the page that is shown."""
    return str(st.session_state.get(_HERE, ""))


def neighbors_in(space: str) -> Callable[[object], None]:
    """What a click on a word in a list does: it asks for the word's neighbors in a space; empty for the first one."""

    def ask(word: object) -> None:
        where = {"ns": choices.space_label(space)} if space else {}
        open_page("neighbors", {"mode": "A word", "w": str(word)} | where)

    return ask


def turn_page(here: str) -> None:
    """Turn to the page that `open_page` chose; `here` is the name of the one that is shown."""
    st.session_state[_HERE] = here
    wish = st.session_state.pop(NEXT_PAGE, None)
    if wish is not None:
        page, query = wish
        st.switch_page(f"app_pages/{page}.py", query_params=query)


def _put(values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if value is None:
            st.session_state.pop(name, None)
        else:
            st.session_state[name] = value
