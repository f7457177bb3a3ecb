"""The list of models or spaces of a page, and the box beside it that opens others."""

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from polysema.app.dashboard import permalink
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.choices import HIDDEN_SPACES, MODEL_FAMILIES
from polysema.app.dashboard.picker.opening import Picker, choose_opened, opening
from polysema.core.space.space import Family


def pick_model(
    place: DeltaGenerator, names: Sequence[str], key: str, explains: str, families: Sequence[Family] = MODEL_FAMILIES
) -> str:
    """A list of models, and the box that opens others.

    Args:
        place: Where they stand; not in a form.
        names: What can be chosen, `choices.models()` or some of it.
        key: Of the list, and of its parameter in the address.
        explains: The list's help.
        families: Which families the page takes.

    Returns:
        A name, a path or a hub id.
    """
    with _row(place, key):
        chosen = permalink.pick(st, "Model", names, "model", key=key, names=choices.name_label, help=explains)
        _others(Picker(key, tuple(families)))
    return chosen


def pick_space(place: DeltaGenerator, key: str, explains: str) -> str:
    """A list of static spaces, and the box that opens others; as `pick_model`."""
    names = choices.spaces()
    with _row(place, key):
        chosen = permalink.pick(
            st, "Space", names, "space", key=key, names=_labels(names, choices.space_label), help=explains
        )
        _others(Picker(key))
    return chosen


def pick_source(place: DeltaGenerator, label: str, start: str, key: str, explains: str) -> str:
    """A list of sources, the static spaces and the hidden states of each model, `start` chosen at first where it is
    there; as `pick_model`.
    """
    names = choices.sources()
    index = names.index(start) if start in names else 0
    with _row(place, key):
        chosen = permalink.pick(
            st, label, names, "space", key=key, names=_labels(names, choices.source_label), index=index, help=explains
        )
        _others(Picker(key, hidden_states=True))
    return chosen


def _labels(names: Sequence[str], label: Callable[[str], str]) -> Callable[[str], str]:
    """How the names are called: looked up once."""
    known = {name: label(name) for name in names}
    return lambda name: known.get(name) or label(name)


def _row(place: DeltaGenerator, key: str) -> DeltaGenerator:
    """One line for the list and the box beside it, in which what was opened there is chosen."""
    choose_opened(key)
    return place.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")


def _others(picker: Picker) -> None:
    """The box beside the list."""
    with st.popover(
        "Other", key=f"{picker.key}_other", help="Open a model or file that is not in the list.", width="content"
    ):
        opening(picker)


__all__ = ["HIDDEN_SPACES", "pick_model", "pick_source", "pick_space"]
