"""What the reader of this machine did before: the pages opened last, and how far each lesson was taken.

It is kept in POLYSEMA_HOME where the dashboard serves this machine only; where others reach it, in the session.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit import config

from polysema.app.config.settings import is_loopback
from polysema.app.dashboard.addresses import FIRST_PAGE, PAGES
from polysema.core.atomic import atomic_write
from polysema.core.environment import home

NOTES_FILE = "reader.json"
MAX_PAGES = 8
MAX_NOTES_BYTES = 200_000
SUBJECTS = ("lesson", "w", "q", "word", "cw", "ms", "ns", "space", "model", "a", "b", "am", "lm", "collection", "see")
"""Parameters that say what a page is about."""


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """A page that was opened, with the question of its address."""

    name: str
    query: dict[str, str]

    @property
    def label(self) -> str:
        """The page's title and what it was about."""
        title = next((page.title for page in PAGES if page.name == self.name), self.name)
        about = [self.query[key] for key in SUBJECTS if self.query.get(key)][:2]
        return f"{title}: {', '.join(about)}"[:80] if about else title


def note_page(name: str) -> None:
    """Put the page that is open, with its address, at the beginning of those opened last."""
    if name == FIRST_PAGE.name:
        return
    query = {key: str(value) for key, value in st.query_params.items()}
    now = OpenedPage(name, query)
    before = opened_last()
    if before and before[0] == now:
        return
    pages = [now, *(page for page in before if page.label != now.label)][:MAX_PAGES]
    _write("pages", [[page.name, page.query] for page in pages])


def opened_last() -> list[OpenedPage]:
    """The pages opened last, newest first; none where the notes can't be read."""
    named = {page.name for page in PAGES}
    given = _read().get("pages")
    return [
        OpenedPage(entry[0], {str(key): str(value) for key, value in entry[1].items()})
        for entry in (given if isinstance(given, list) else [])
        if isinstance(entry, list) and len(entry) == 2 and entry[0] in named and isinstance(entry[1], dict)
    ]


def lesson_steps() -> dict[str, int]:
    """How far each lesson was taken: the number of its furthest step."""
    steps = _read().get("lessons")
    return {str(name): step for name, step in steps.items() if type(step) is int} if isinstance(steps, dict) else {}


def note_lessons(steps: dict[str, int]) -> None:
    """Keep how far each lesson was taken."""
    if steps != lesson_steps():
        _write("lessons", dict(steps))


def _read() -> dict[str, object]:
    session: dict[str, object] = st.session_state.get("_reader_notes", {})
    if not _kept_on_disk():
        return session
    try:
        content = _file().read_bytes()
        notes = json.loads(content) if len(content) <= MAX_NOTES_BYTES else {}
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _write(name: str, value: object) -> None:
    notes = _read() | {name: value}
    if not _kept_on_disk():
        st.session_state["_reader_notes"] = notes
        return
    with suppress(OSError):  # without room on the disk it is forgotten
        _file().parent.mkdir(parents=True, exist_ok=True)
        atomic_write(_file(), json.dumps(notes, ensure_ascii=False).encode("utf-8", "replace"), durable=False)


def _kept_on_disk() -> bool:
    return is_loopback(str(config.get_option("server.address") or "127.0.0.1"))


def _file() -> Path:
    return home() / NOTES_FILE
