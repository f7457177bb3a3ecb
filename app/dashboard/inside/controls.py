"""What the tabs of the page Inside share: the boxes for a model and a text, names of tokens, colors."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard.picker.choices import MODEL_FAMILIES, family_of, reads_letters
from polysema.app.dashboard.picker.pick import pick_model
from polysema.app.explorer.circuits import CircuitExplorer
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family

Result = TypeVar("Result")

SENTENCE = "the white swan in the blue water"
PROMPT = "The sport that Michael Jordan played is"
LETTERS = "phone"
TEAL, AMBER, GRAY = "#0d9488", "#d97706", "#8b94a0"


def given(model: LanguageModel, text: str) -> tuple[str | None, str | None]:
    """The text and the source: an encoder reads what is typed, and its decoder writes the rest itself."""
    widgets.check_length(text)
    return (None, text) if model.reads_two else (text, None)


def circuits_of(name: str, progress: Progress = no_progress) -> CircuitExplorer:
    """How a model, which is loaded first, comes to its answer."""
    return widgets.explorer().model(name, progress=progress).circuits


def with_model(name: str, ask: Callable[[], Result]) -> Callable[[Progress], Result]:
    """The work of a question to a model, which is loaded first: that is watched, and can be cancelled."""

    def do(progress: Progress) -> Result:
        widgets.explorer().model(name, progress=progress)
        return ask()

    return do


def letter_kind(model: str) -> str:
    """The ending of the keys of boxes for a text: a model that reads the letters of one word has boxes of its own."""
    return "w" if reads_letters(model) else "t"


def shown(name: str) -> str:
    """A token for a list: without the space before a word, and a sign for one that is nothing but space."""
    return name.strip() or ("⏎" if "\n" in name else "␣")


def model_box(
    names: Sequence[str],
    key: str,
    place: DeltaGenerator,
    explains: str,
    families: Sequence[Family] = MODEL_FAMILIES,
) -> str:
    """Which model, of the families that the tab takes."""
    return pick_model(place, names, key, explains, families)


def typed(key: str, start: str, label: str, explains: str) -> str:
    """A line of text; the link names it by a number."""
    return (permalink.box(st.text_input, "inside", label, start, key=key, help=explains) or "").strip()


def preferred(names: Sequence[str], family: Family) -> list[str]:
    """The names with those of one family first."""
    return sorted(names, key=lambda name: family_of(name) is not family)
