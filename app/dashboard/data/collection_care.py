"""The page Data: versions, checks, compaction and deletion of a collection."""

from datetime import UTC, datetime

import streamlit as st

from polysema.app.collection.summary import CollectionSummary
from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.core.errors import UserError
from polysema.indexes.collection import Collection
from polysema.indexes.engines.protocol import VectorCollection
from polysema.indexes.store.verify import Report
from polysema.indexes.store.verify import verify as verify_all

INDEXES = ("as before", "auto", "none", "hnsw", "ivf", "ivf-sq8", "ivf-pq", "pq-fastscan")


def look_after(one: CollectionSummary, collection: VectorCollection, space: str) -> None:
    """Verify, compact, versions and snapshots."""
    with st.expander("Versions, check, compact"):
        if isinstance(collection, Collection):
            versions_part(one, collection)
            check_part(one)
        else:
            st.caption(f"It lives at {widgets.plain(str(collection.root))}, where there are no versions.")
        _compact(one, collection, space)


def versions_part(one: CollectionSummary, collection: Collection) -> None:
    """The versions of a collection, one of which can be restored or named."""
    snapshots, versions = collection.history.snapshots(), collection.history.versions()
    named = {found.version: name for name, found in snapshots.items()}
    kept = {found.version: found for found in (*snapshots.values(), *versions)}
    rows = [
        {
            "version": number,
            "made": kept[number].made[:19].replace("T", " "),
            "rows": kept[number].n_rows,
            "what": kept[number].what,
            "snapshot": named.get(number, ""),
        }
        for number in sorted(kept, reverse=True)
    ]
    st.dataframe(rows, hide_index=True, width="stretch", alt="The versions that are kept")
    with st.form("snapshot", border=False):
        first, second, third = st.columns([5, 3, 3], vertical_alignment="bottom")
        name = first.text_input(
            "Snapshot’s name, or a version",
            key=f"snap_{one.name}",
            max_chars=64,
            help="A snapshot keeps the current version under a name; going back makes an earlier one current, and is a "
            "version too.",
        )
        keep = second.form_submit_button("Keep as snapshot", width="stretch", help="Keep the current version.")
        back = third.form_submit_button("Go back to it", width="stretch", help="Make that version current again.")
    if not (keep or back):
        return
    try:
        history, text = collection.history, (name or "").strip()
        number = history.snapshot(text) if keep else history.restore(text)
    except UserError as error:
        widgets.problem(UserError(str(error).replace(str(collection.root), one.name)))
        return
    st.toast(f"Version {number} is kept." if keep else f"It is as it was; that is version {number}.")
    st.rerun()


def check_part(one: CollectionSummary) -> None:
    """The button that checks every byte, and its report."""
    pressed = st.button(
        "Check every byte", help="Read all files of all versions and compare them with what was written."
    )
    report: Report | None = work.on_request(
        ("verify", one.name, one.version),
        lambda progress: verify_all(widgets.shelf().folder / one.name, progress),
        pressed,
    )
    if report is None:
        return
    if report.problems:
        for line in report.problems[:20]:
            widgets.problem(UserError(line))
        st.code(f"polysema collection repair {widgets.shelf().folder / one.name}", language="sh")
        return
    st.success(f"{report.files:,} files, {size(report.bytes)}: each is as it was written.")


def _compact(one: CollectionSummary, collection: VectorCollection, space: str) -> None:
    with st.form("compact", border=False):
        first, second = st.columns([7, 4], vertical_alignment="bottom")
        index = first.selectbox(
            "Index",
            INDEXES,
            key="di",
            bind="query-params",
            help="How the space is searched: none is exact, auto chooses by rows, width and measured recall.",
        )
        pressed = second.form_submit_button(
            "Compact", width="stretch", help="Write the rows together and build the index; others read meanwhile."
        )
    key = ("compact", one.name, space, index)
    reason: str | None = work.on_request(
        key, lambda progress: collection.compact(space, None if index == "as before" else index, progress), pressed
    )
    if reason is not None:
        st.success(f"Compacted: {widgets.plain(reason)}.")


def delete(one: CollectionSummary) -> None:
    """Delete a collection, after its name was typed."""
    with st.expander("Delete this collection"), st.form("delete", border=False, clear_on_submit=True):
        first, second = st.columns([7, 4], vertical_alignment="bottom")
        typed = first.text_input(
            "Its name, to delete it with all its versions",
            key="delete_name",
            placeholder=one.name,
            max_chars=64,
            help="There is no way back.",
        )
        pressed = second.form_submit_button("Delete", width="stretch", help="Remove it from the disk.")
    if not pressed:
        return
    if (typed or "").strip() != one.name:
        widgets.problem(UserError(f"nothing was deleted: type the name {one.name} to delete it; got {typed!r:.80}"))
        return
    try:
        widgets.shelf().delete(one.name)
    except UserError as error:
        widgets.problem(error)
        return
    st.session_state["deleted_collection"] = one.name
    st.session_state.pop("dc", None)
    st.query_params.pop("dc", None)
    st.rerun()


def when(seconds: float) -> str:
    """A time as text; nothing for 0."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else ""


def size(count: int) -> str:
    """Bytes for people."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} bytes"
