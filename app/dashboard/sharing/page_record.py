"""What a page shows in a run, in its order: what its file for others is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

SESSION = "_page_record"
Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """One thing that a page shows.

    Attributes:
        kind: `text` (Markdown), `picture` (SVG), `numbers` (rows) or `recipe` (Python lines).
        name: Which it is: a later one of the same kind and name takes its place.
        make: What gives its content, called when the file is made.
        note: Beside it: what a picture shows, or the card of a recipe.
    """

    kind: str
    name: str
    make: Callable[[], Any]
    note: str = ""


@dataclass(slots=True)
class PageRecord:
    """A page's title and its parts."""

    title: str = ""
    parts: dict[tuple[str, str], RecordedPart] = field(default_factory=dict)


def begin() -> None:
    """At the start of a run nothing is recorded."""
    st.session_state[SESSION] = PageRecord()


def current() -> PageRecord:
    """What the run has shown so far."""
    record: PageRecord = st.session_state.setdefault(SESSION, PageRecord())
    return record


def title(text: str) -> None:
    """The page's heading."""
    current().title = text


def text(markdown: str) -> None:
    """A paragraph, in Markdown without HTML."""
    _add(RecordedPart("text", markdown[:400], lambda: markdown))


def picture(drawn: Callable[[], str], name: str, note: str = "") -> None:
    """A drawing: an SVG that is made on demand."""
    _add(RecordedPart("picture", name, drawn, note))


def numbers(rows: "Rows | Callable[[], Rows]", name: str) -> None:
    """The rows behind a picture."""
    _add(RecordedPart("numbers", name, rows if callable(rows) else lambda: rows))


def recipe(lines: str, card: str) -> None:
    """The Python lines that give the same, and how it was made."""
    _add(RecordedPart("recipe", lines[:400], lambda: lines, card))


def _add(part: RecordedPart) -> None:
    current().parts[part.kind, part.name] = part
