"""State in the link beyond what fits into it: sentences and selections, kept on this machine under a short number.

Controls write themselves into the address (`bind="query-params"`). Texts of one's own and selected rows are put into a
small file instead, and the address holds its name, `?s=…`: whoever opens the link on this machine sees the same.
"""

import base64
import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from polysema.app.dashboard.addresses import EARLIER_NAMES
from polysema.core.atomic import atomic_write, prune, sweep
from polysema.core.environment import home

PARAMETER = "s"
VIEWS = ("view", "aview", "bview", "sview", "cstep")  # parameters that say how an answer is looked at
MAX_BYTES = 1 << 20  # of one view
LOST_NOTE = (
    "The sentences and the selection of this link are not on this machine (any more); the rest of the view is restored."
)
MAX_VIEWS = 2_000
MAX_LISTED = 2_000  # rows that a view holds as numbers; of more it holds a bit for each row
MAX_ROWS = 1 << 20
_NAME = re.compile(r"[0-9a-f]{20}")

Plain = str | int | float | bool | None | list[Any]


def question(page: str) -> str:
    """What a page asks, as a text that is the same for the same question: what is in the address and what it stands
    for, but for how the answer is looked at (`VIEWS`, and the `views` of `keep`).
    """
    query = sorted((name, value) for name, value in st.query_params.items() if name not in (*VIEWS, PARAMETER))
    return json.dumps([query, st.session_state.get(f"_link_asked_{page}", "")])


def returning() -> bool:
    """Whether this run is for an entry of the browser's history: the question is in the address, not in the session."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def restore(page: str) -> dict[str, Plain]:
    """What the link holds for this page, once for each link: texts and numbers by the name they were kept under.

    Call it before the page's widgets; names that begin with `widget:` are put into the session, so that the widget
    with that key starts from them. Says so in one line where the link's view is not on this machine. Back at an entry
    of the history that holds less than what the session has, the rest is as the page begins: None for a name.
    """
    name = st.query_params.get(PARAMETER, "")
    done = f"_link_{page}"
    lost = f"_link_lost_{page}"  # shown until something else is in the link: the page may run again at once
    begins: dict[str, Plain] = st.session_state.get(f"_link_begins_{page}", {}) if returning() else {}
    if not name and st.session_state.get(lost):
        st.warning(LOST_NOTE, icon="⚠️")
    if not begins and (not name or st.session_state.get(done) == name):
        return {}
    kept = load(name) if name else None
    if name and (kept is None or kept.get("page") != page):
        if kept is None:
            st.session_state[lost] = True
            st.warning(LOST_NOTE, icon="⚠️")
        st.query_params.pop(PARAMETER, None)
    st.session_state[done] = name
    found: dict[str, Plain] = kept["values"] if kept is not None and kept.get("page") == page else {}
    values = begins | found
    for key, value in values.items():
        if key.startswith("widget:"):
            st.session_state[key.removeprefix("widget:")] = value
    return values


def keep(
    page: str, values: Mapping[str, Plain], starts: Mapping[str, Plain] | None = None, views: Collection[str] = ()
) -> None:
    """Put values into the link. Where all are empty or as `starts` says, the link needs none of it.

    Args:
        page: The page's name.
        values: What is kept, by name.
        starts: What the page begins with, by name.
        views: The names of those that change how an answer is shown, not the question.
    """
    starts = starts or {}
    done = f"_link_{page}"
    message = {
        key: value for key, value in values.items() if value not in (None, "", [], ()) and value != starts.get(key)
    }
    query = {key: value for key, value in message.items() if key not in views}
    st.session_state[f"_link_asked_{page}"] = json.dumps(query, sort_keys=True) if query else ""
    begins = st.session_state.setdefault(f"_link_begins_{page}", {})
    begins.update({key: starts.get(key) for key in values if key not in views})
    if not message:
        st.query_params.pop(PARAMETER, None)
        st.session_state.pop(done, None)
        return
    st.session_state.pop(f"_link_lost_{page}", None)
    name = save({"page": page, "values": dict(values)})
    if name is not None and st.query_params.get(PARAMETER) != name:
        st.session_state[done] = name
        st.query_params[PARAMETER] = name


def put(name: str, text: str) -> None:
    """Put a short text into the address under a name, or take it out when it is empty."""
    if text and st.query_params.get(name) != text:
        st.query_params[name] = text
    elif not text:
        st.query_params.pop(name, None)


def pick(
    place: DeltaGenerator,
    label: str,
    options: Sequence[str],
    what: str,
    *,
    key: str,
    names: Callable[[str], str] = str,
    **how: object,
) -> str:
    """A list (`st.selectbox` at a place) that is bound to the address, which may also name an option by itself where
    the list shows a longer name. Says in one line where the address names what isn't there.
    """
    query = st.query_params.get(key)
    shown = {names(option) for option in options}
    if query is not None and query not in shown and query in options:
        st.session_state[key] = query  # Streamlit knows only what is shown
    _note_gone(key, query, query is not None and query not in shown and query not in options)
    chosen: str = place.selectbox(label, options, key=key, format_func=names, bind="query-params", **how)
    _tell_gone(key, what, names(chosen) if chosen is not None else "")
    return chosen


def pick_several(
    label: str, options: Sequence[str], what: str, *, key: str, names: Callable[[str], str] = str, **how: object
) -> list[str]:
    """As `pick`, a list of which several are chosen."""
    query = st.query_params.get_all(key)
    shown = {names(option) for option in options}
    there = [one for one in query if one in options]
    if there and not set(there) <= shown:
        st.session_state[key] = there
    gone = [one for one in query if one not in shown and one not in options]
    _note_gone(key, next(iter(gone or query), None), bool(gone))
    chosen: list[str] = st.multiselect(label, options, key=key, format_func=names, bind="query-params", **how)
    _tell_gone(key, what, ", ".join(names(one) for one in chosen))
    return chosen


def pick_layer(layers: Sequence[int], *, key: str, **how: object) -> int:
    """A slider of layers that is bound to the address; says in one line where the address names one that isn't
    there.
    """
    query = st.query_params.get(key)
    _note_gone(key, query, query is not None and query not in {str(layer) for layer in layers})
    chosen = int(st.select_slider("Layer", layers, key=key, bind="query-params", **how))
    _tell_gone(key, "layer", str(chosen))
    return chosen


def lines() -> None:
    """Where the lines of a page stand that say what its link names and isn't there: call it once, under the title."""
    st.session_state["_link_lines"] = st.container()


def _note_gone(key: str, query: str | None, gone: bool) -> None:
    """Remember what isn't there: Streamlit takes it out of the address at once, and the page may run again."""
    name = f"_link_gone_{key}"
    if gone:
        st.session_state[name] = (query, None)
    elif query is not None:
        st.session_state.pop(name, None)


def _tell_gone(key: str, what: str, chosen: str) -> None:
    """The line, until something else is chosen."""
    name = f"_link_gone_{key}"
    query, first = st.session_state.get(name, (None, None))
    if query is None or first not in (None, chosen):
        st.session_state.pop(name, None)
        return
    st.session_state[name] = (query, chosen)
    place = st.session_state.get("_link_lines") or st
    place.warning(
        f"The link names the {what} {plain(query[:120])}, which is not on this machine (any more)"
        + (f"; {plain(chosen)} is shown instead." if chosen else "."),
        icon="⚠️",
    )


def box(widget: Callable[..., str | None], page: str, label: str, start: str, *, key: str, **how: object) -> str | None:
    """A text box (`st.text_input` or `st.text_area`) whose text `keep_boxes` puts into the link; it outlives other
    pages.
    """
    note_box(page, key, start)
    return widget(label, start, key=key, persist_state="session", **how)


def note_box(page: str, key: str, start: str) -> None:
    """Have `keep_boxes` put the text under a widget's key into the link; `start` is what the widget starts with."""
    st.session_state.setdefault("_link_boxes", {}).setdefault(page, {})[key] = start


def keep_boxes(page: str) -> None:
    """Put what is written in the page's boxes into the link, where it is not what they start with."""
    starts: dict[str, str] = st.session_state.get("_link_boxes", {}).get(page, {})
    written = {key: st.session_state[key] for key in starts if isinstance(st.session_state.get(key), str)}
    keep(
        page,
        {f"widget:{key}": text for key, text in written.items()},
        {f"widget:{key}": start for key, start in starts.items()},
    )


def pack(rows: Sequence[int]) -> list[int] | str:
    """Rows for a view: as numbers, or, when they are many, as a text of packed bits."""
    if len(rows) <= MAX_LISTED:
        return [int(row) for row in rows]
    bits = np.zeros(max(rows) + 1, np.bool_)
    bits[np.array(rows)] = True
    return base64.b64encode(zlib.compress(np.packbits(bits).tobytes())).decode()


def unpack(value: object) -> list[int]:
    """The rows that a view holds, ascending, below 2^20; none where it is something else."""
    if isinstance(value, list):
        return sorted({row for row in value if type(row) is int and 0 <= row < MAX_ROWS})
    if not isinstance(value, str):
        return []
    try:
        packed = zlib.decompressobj().decompress(base64.b64decode(value, validate=True), MAX_ROWS // 8)
    except (ValueError, zlib.error):
        return []
    return [int(row) for row in np.flatnonzero(np.unpackbits(np.frombuffer(packed, np.uint8)))]


def plain(text: str) -> str:
    """User text for a place that reads Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|<>~:$" else c for c in " ".join(text.split()))


def save(view: Mapping[str, Any], max_views: int = MAX_VIEWS) -> str | None:
    """Keep a view and return its name, that of its content; None where there is no room for it. Of more than
    `max_views` the oldest go.
    """
    content = json.dumps(view, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
    if len(content) > MAX_BYTES:
        return None
    name = hashlib.sha256(content).hexdigest()[:20]
    folder = _folder()
    path = folder / f"{name}.json"
    try:
        if path.exists():
            os.utime(path)
            return name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write(path, content, durable=False)
        sweep(folder)
        prune(folder, "*.json", max_files=max_views)
    except OSError:
        return None
    return name


def load(name: str) -> dict[str, Any] | None:
    """The view of that name; None where it isn't there or isn't whole."""
    if not _NAME.fullmatch(name):
        return None
    try:
        content = (_folder() / f"{name}.json").read_bytes()
        view = json.loads(content)
    except (OSError, ValueError):
        return None
    whole = hashlib.sha256(content).hexdigest()[:20] == name
    if not (whole and isinstance(view, dict) and isinstance(view.get("values"), dict)):
        return None
    page = str(view.get("page"))
    return view | {"page": EARLIER_NAMES.get(page, page)}


def _folder() -> Path:
    return home() / "views"
