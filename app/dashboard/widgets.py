"""What the pages share: the explorer, background work, and small pieces of a page. User text is always escaped."""

import gc
import math
from collections.abc import Sequence
from html import escape

import streamlit as st

from polysema.app.collection.registry import CollectionRegistry
from polysema.app.config.loading import load_settings
from polysema.app.dashboard.addresses import FIRST_PAGE, MISSING_PAGE, PAGES
from polysema.app.dashboard.decorators import cached_resource
from polysema.app.dashboard.jobs import JobRunner, WatchedJob
from polysema.app.dashboard.permalink import lines
from polysema.app.dashboard.permalink import plain as plain
from polysema.app.dashboard.share_menu import offer_lines
from polysema.app.dashboard.sharing import page_record
from polysema.app.explorer import Explorer
from polysema.app.explorer.context_cloud import SpaceTexts
from polysema.core.errors import UnknownWordError, UserError
from polysema.core.maps.projection import warm
from polysema.core.model.catalog import catalog, folder_of
from polysema.core.progress import Progress

MAX_WORDS = 2_000  # characters of an expression or a word
MAX_TEXT = 20_000  # of a text; its boxes take more, since a box with a limit drops a longer paste without a word
LOCAL_NOTE = "It stays on this machine; a copied link names it by a number and doesn't hold it."


@cached_resource(1)
def explorer() -> Explorer:
    """The one explorer of this process: models and spaces are shared by all sessions."""
    settings = load_settings().settings
    return Explorer(collections=settings.folder, models=settings.own_models)


@cached_resource(1)
def shelf() -> CollectionRegistry:
    """The collections in the data folder, the same as the service's."""
    return CollectionRegistry(load_settings().settings.folder)


@cached_resource(1)
def jobs() -> JobRunner:
    """The one set of background jobs of this process."""
    return JobRunner()


@cached_resource(1)
def warm_up() -> None:
    """Once a process: load what the first pages need, and let the maps' loops compile, before anybody waits for it."""

    def work(progress: Progress) -> None:  # one after the other: those who ask meanwhile need the threads more
        _ = explorer().space().index
        if "minilm-l6" in explorer().models():
            for method in ("pca", "umap"):
                word_map_job("bank", "minilm-l6", method).wait(600)
        warm()
        # Half a million objects stay: a collection that goes through them takes half a second.
        gc.collect()
        gc.freeze()

    jobs().start(("warm up",), work)


def word_map_job(
    word: str, model: str, method: str, extra: tuple[str, ...] = (), texts: SpaceTexts | None = None
) -> WatchedJob:
    """The work of laying out a word's occurrences, the same for whoever asks first."""
    stamp = None if texts is None else texts.key(explorer())
    return jobs().start(
        ("word map", word, model, method, extra, stamp),
        lambda progress: explorer().maps.word_map(word, model, method, extra, progress, texts),
    )


def collected() -> list[str]:
    """The spaces of the collections in the data folder; a damaged collection is left out (the page Data names it)."""
    names = []
    for name in shelf().names():
        try:
            current = list(shelf().get(name).view().manifest.spaces)
        except UserError:
            continue
        names += [f"{name}/{space}" for space in current] if len(current) > 1 else [name] * len(current)
    return names


def check_length(text: str) -> None:
    """Raise `UserError` for a text of a box that is longer than what is read."""
    if len(text) > MAX_TEXT:
        raise UserError(
            f"the box holds {len(text):,} characters, and at most {MAX_TEXT:,} are read here: shorten the text"
        )


def title(text: str, explanation: str) -> None:
    """A page's title and the sentence under it."""
    st.title(text, anchor=False)
    page_record.title(text)
    say(explanation)
    _tell_missing_page()
    lines()


def problem(error: UserError, box: str = "") -> None:
    """One clear line; nothing else of the page is lost. Of an unknown word the nearest spellings are offered, and put
    into the text box with the key `box` in its place.
    """
    text = str(error)
    st.error(text[0].upper() + text[1:] if not isinstance(error, UnknownWordError) else text, icon="⚠️")
    if not (box and isinstance(error, UnknownWordError) and error.suggestions):
        return
    key = f"spelling_{box}"

    def take() -> None:
        chosen, typed = st.session_state.get(key), str(st.session_state.get(box, ""))
        if chosen:
            st.session_state[box] = typed.replace(error.word, chosen) if error.word in typed else chosen

    st.pills("Did you mean", error.suggestions[:5], key=key, on_change=take, help="Put this spelling in its place.")


def bars(
    rows: Sequence[tuple[str, float]],
    head: str = "word",
    baseline: float = math.nan,
    label: str = "cosine",
    notes: Sequence[str] = (),
) -> None:
    """A table of names and scores, a bar beside each; a mark in the bars stands at the baseline, `notes` under the
    names.
    """
    lines = [f'<tr><th></th><th>{escape(head)}</th><th></th><th class="num">{escape(label)}</th></tr>']
    mark = "" if math.isnan(baseline) else f'<div class="ps-base" style="left:{_share(baseline)}%"></div>'
    for rank, (name, score) in enumerate(rows, 1):
        note = f'<div class="meta">{escape(notes[rank - 1])}</div>' if notes else ""
        lines.append(
            f'<tr><td class="rank">{rank}</td><td class="word">{escape(name)}{note}</td>'
            f'<td><div class="ps-track"><div class="ps-fill" style="width:{_share(score)}%"></div>{mark}</div></td>'
            f'<td class="num">{score:.3f}</td></tr>'
        )
    st.html(f'<table class="ps-bars">{"".join(lines)}</table>')


def beside(baseline: float) -> str:
    """What the mark in the bars says."""
    if math.isnan(baseline):
        return ""
    return f"The mark is the mean cosine of two rows taken at random ({baseline:.3f}): read the numbers beside that."


def _share(score: float) -> str:
    return f"{100 * min(1.0, max(0.0, score)):.1f}"


def marked(text: str, start: int, end: int) -> str:
    """Escaped HTML of a text with one word marked."""
    return f"{escape(text[:start])}<mark>{escape(text[start:end])}</mark>{escape(text[end:])}"


def sentences(rows: Sequence[tuple[str, int, int, str]]) -> None:
    """Texts with their words marked, and a line of small print under each (already escaped)."""
    items = "".join(
        f'<li>{marked(text, start, end)}<div class="meta">{meta}</div></li>' for text, start, end, meta in rows
    )
    st.html(f'<ul class="ps-hits">{items}</ul>')


def notes_of(*answers: object) -> tuple[str, ...]:
    """What core tells of answers, spaces and maps: their own `notes` and those of their origins, each once."""
    found: dict[str, None] = {}
    for answer in answers:
        for holder in (answer, getattr(answer, "origin", None)):
            found |= dict.fromkeys(getattr(holder, "notes", ()))
    return tuple(found)


def notes(*answers: object) -> None:
    """The notes of answers, spaces and maps, a line each."""
    for note in notes_of(*answers):
        remark(f"ⓘ {plain(note[0].upper() + note[1:])}" + ("" if note.endswith((".", "?", "!")) else "."))


def say(markdown: str) -> None:
    """A paragraph that the file of the page has as well."""
    st.markdown(markdown)
    page_record.text(markdown)


def heading(text: str) -> None:
    """A heading within the page, that its file has as well."""
    st.subheader(text, anchor=False)
    page_record.text(f"## {text}")


def remark(markdown: str) -> None:
    """Small print that the file of the page has as well."""
    st.caption(markdown)
    page_record.text(markdown)


def python_lines(lines: str, details: str) -> None:
    """The expander under each answer: how it was made, and the Python lines that make the same."""
    offer_lines(lines)
    page_record.recipe(lines, details)
    with st.expander("Details"):
        st.markdown(details)
        st.code(lines, language="python")


def note_missing_page(page: str) -> None:
    """Take up from the address that there was no page at another one, until the next question or until another page is
    opened.
    """
    if (name := st.query_params.get(MISSING_PAGE)) is not None:
        st.session_state["_missing_page"] = name
        st.query_params.pop(MISSING_PAGE)
    if page or len(st.query_params):
        st.session_state.pop("_missing_page", None)


def _tell_missing_page() -> None:
    if (name := st.session_state.get("_missing_page")) is not None:
        titles = ", ".join(one.title for one in PAGES)
        st.warning(
            f"There is no page {plain(name[:60])} here. The pages are {titles}; this is {FIRST_PAGE.title}.", icon="⚠️"
        )


def sidebar_notes() -> None:
    """What is here, and how to bring what isn't."""
    missing = [row.name for row in catalog() if row.package and folder_of(row) is None]  # those that come with set-up
    st.caption("Your texts stay on this machine: nothing is sent anywhere.")
    for name in missing:
        st.caption(f"{name} is not here yet; bring it with: polysema models pull {name}")


def tell_split(numbers: Sequence[int], window: str) -> None:
    """Say which of the texts (from 0) were longer than the model's window."""
    if numbers:
        which = "Your text was" if len(numbers) == 1 else f"{len(numbers)} of your texts were"
        remark(
            f"{which} longer than the model's window and read in overlapping parts ({plain(window)}); each "
            "word's vector is from where it has most context."
        )
