"""The page Data, collections: what there is, one of them in detail, search, files to take away, and looking after
it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from polysema.app.collection import summary
from polysema.app.collection.summary import CollectionSummary
from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.explorer import query_vectors
from polysema.core.errors import NotFoundError, UserError
from polysema.core.model.catalog import CATALOG
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Floats, Origin
from polysema.indexes.collection import Collection
from polysema.indexes.store.verify import Report
from polysema.indexes.store.verify import verify as verify_all

FIRST, TEXT, ROW = "First rows", "Like a text", "Like a row"
INDEXES = ("as before", "auto", "none", "hnsw", "ivf", "ivf-sq8", "ivf-pq", "pq-fastscan")
MARKED_COLUMN = 8  # sentences that are shown with their word marked
MAX_TEXT_CHARACTERS = 300


def section() -> None:
    """The whole section."""
    if (gone := st.session_state.pop("deleted_collection", None)) is not None:
        st.success(f"{widgets.plain(gone)} is deleted.")
    found = {one.name: one for one in summary.holdings(widgets.shelf())}
    query = st.query_params.get("dc", "")
    if not found:
        st.info("There is no collection yet. Put one together under Add: the example there takes one click.")
        if query:
            widgets.problem(NotFoundError(f"there is no collection {widgets.plain(query)} on this machine"))
        return
    if query and query not in found:
        widgets.problem(
            NotFoundError(f"there is no collection {widgets.plain(query)} on this machine; here is the first one")
        )
    listed(list(found.values()))
    name = choice("dc", "Collection", list(found), "Which one is shown below.")
    one = found[name]
    if one.problem:
        damaged(one)
        return
    try:
        opened(one, widgets.shelf().get(name))
    except UserError as error:
        widgets.problem(error)


def choice(key: str, label: str, names: list[str], what: str, shown: Callable[[str], str] = str) -> str:
    """Which of these is shown: as it was chosen, else as the link says, else the first; the link names it always, since
    the first may be another one tomorrow.
    """
    if permalink.returning() or st.session_state.get(key) not in names:
        query = st.query_params.get(key, "")
        st.session_state[key] = query if query in names else names[0]
        if query and query not in names and key != "dc":  # of collections it is told above
            widgets.problem(
                NotFoundError(f"there is no {label.lower()} {widgets.plain(query)} in it; {names[0]} is shown")
            )
    chosen = st.selectbox(label, names, key=key, format_func=shown, persist_state="session", help=what)
    st.query_params[key] = chosen
    return chosen


def listed(found: list[CollectionSummary]) -> None:
    """All of them in a table; a click on a row opens it."""
    rows = [
        {
            "collection": one.name,
            "rows": one.rows,
            "spaces": ", ".join(f"{space} ({count:,} × {dim})" for space, (count, dim) in one.spaces.items()),
            "versions": one.versions,
            "on disk": size(one.bytes),
            "changed": _when(one.changed),
            "state": "damaged" if one.problem else "whole",
        }
        for one in found
    ]

    def choose() -> None:
        chosen = st.session_state["listed"]["selection"]["rows"]
        if chosen:
            st.session_state["dc"] = found[chosen[0]].name

    st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        on_select=choose,
        selection_mode="single-row",
        key="listed",
        height=min(38 + 35 * len(rows), 260),
        alt="The collections of the data folder",
    )
    downloads.numbers(rows, "collections", "List (CSV)")


def damaged(one: CollectionSummary) -> None:
    """What is wrong with one that can't be opened, and what to do."""
    widgets.problem(UserError(one.problem))
    st.markdown(
        "In a shell, this makes it whole again as far as it can be; damaged files are set aside, never deleted:"
    )
    st.code(f"polysema store repair {widgets.shelf().folder / one.name}", language="sh")
    delete(one)


def opened(one: CollectionSummary, collection: Collection) -> None:
    """One collection."""
    manifest = collection.view().manifest
    st.caption(
        f"{one.rows:,} rows · {size(one.bytes)} on disk · version {manifest.version} ({widgets.plain(manifest.what)})"
    )
    if not one.spaces:
        st.info("It is empty: put rows into it under Add, or go back to an earlier version of it.")
        with st.expander("Versions, check", expanded=one.versions > 1):
            _versions(one, collection)
            _check(one)
        delete(one)
        return
    space = choice(
        "dcs",
        "Space",
        list(one.spaces),
        "Rows of one model, layer and pooling.",
        lambda name: f"{name}: {one.spaces[name][0]:,} rows, {one.spaces[name][1]} wide",
    )
    origin = collection.view().card(space).origin
    st.markdown(f"Space **{widgets.plain(space)}**: {widgets.plain(origin.card() if origin else 'of unknown origin')}")
    where = search_part(one, collection, space, origin)
    links(one, collection, space)
    left, right = st.columns(2, gap="medium")
    with left:
        take_away(one, collection, space, where)
    with right:
        provenance(collection, space, origin)
    look_after(one, collection, space)
    delete(one)


# Search


def search_part(one: CollectionSummary, collection: Collection, space: str, origin: Origin | None) -> str | None:
    """Rows by text, by id or by a condition; returns the condition where it is a good one."""
    reads = origin is not None and origin.layer is not None and origin.pooling != "single tokens"
    modes = [FIRST, TEXT, ROW] if reads else [FIRST, ROW]
    if st.session_state.get("dq") not in (None, *modes):
        st.session_state["dq"] = FIRST
    mode = (
        st.segmented_control(
            "Which rows",
            modes,
            default=FIRST,
            required=True,
            key="dq",
            bind="query-params",
            help="In the order in which they came, or those nearest to a text (read by the model of the space) or to a "
            "row.",
        )
        or FIRST
    )
    of_words = reads and origin is not None and not origin.pooling.endswith("of the text")
    text = word = name = ""
    with st.form("search", border=False):
        if mode == TEXT:
            first, second = st.columns([8, 3]) if of_words else (st.container(), None)
            text = (
                permalink.box(
                    first.text_input,
                    "data",
                    "Text",
                    "They had a picnic on the bank of the river.",
                    key="dt",
                    help=f"Rows near to it are looked for. {widgets.LOCAL_NOTE}",
                )
                or ""
            )
            if second is not None:
                word = (
                    permalink.box(
                        second.text_input,
                        "data",
                        "Word in it",
                        "bank",
                        key="dword",
                        max_chars=200,
                        help="The space is of words in texts: which one.",
                    )
                    or ""
                )
        if mode == ROW:
            name = (
                permalink.box(
                    st.text_input,
                    "data",
                    "Id of a row (empty: the first)",
                    "",
                    key="did",
                    max_chars=widgets.MAX_WORDS,
                    help="As it stands in the column id.",
                )
                or ""
            )
        box, many, run = st.columns([8, 2, 1.4], vertical_alignment="bottom")
        where = (
            permalink.box(
                box.text_input,
                "data",
                "Only rows that pass (may be empty)",
                "",
                key="dw",
                max_chars=widgets.MAX_WORDS,
                placeholder=_example(collection),
                help="A condition over the columns with =, <, >, in, and, or, not, starts with, contains.",
            )
            or ""
        )
        k = int(many.number_input("Rows", 1, 1000, 10, key="dk", bind="query-params", help="How many to show."))
        run.form_submit_button("Go", type="primary", width="stretch", help="Look for them.")
    where = where.strip()
    try:
        rows, message = _found(collection, one, space, mode, text.strip(), word.strip(), name.strip(), where, k)
    except UserError as error:
        widgets.problem(error)
        return None
    if not rows:
        st.info("No row passes.")
    else:
        _show(rows, one, space, message)
    return where or None


def _found(
    collection: Collection,
    one: CollectionSummary,
    space: str,
    mode: str,
    text: str,
    word: str,
    name: str,
    where: str,
    k: int,
) -> tuple[list[dict[str, Any]], str]:
    if mode == FIRST or (mode == TEXT and not text) or not one.spaces[space][0]:
        rows = summary.first_rows(collection, space, where or None, k).to_pylist()
        passing = summary.count_rows(collection, space, where) if where else one.spaces[space][0]
        return rows, f"{len(rows):,} of {passing:,} rows" + (" that pass" if where else "")
    if mode == TEXT:
        key = ("read", one.name, collection.view().manifest.version, space, text, word)
        queries = work.answer(key, lambda progress: _text_vector(collection, space, text, word))
        if queries is None:
            return [], ""
    else:
        first = summary.first_rows(collection, space, None, 1)
        name = name or str(first.column("id")[0].as_py())
        queries = collection.get([name], space).vectors
    more = mode == ROW  # a row is the nearest to itself
    matches = collection.search(queries, min(k + more, one.spaces[space][0]), where or None, space=space)
    rows = [row for row in matches.table(None).to_pylist() if not more or row["id"] != name][:k]
    for row in rows:
        row.pop("query", None)
        row.pop("rank", None)
    exact = (
        "exact"
        if matches.recall == 1
        else f"recall {matches.recall:.3f} expected"
        if matches.recall
        else "recall unknown"
    )
    return rows, f"Nearest to {name or word or 'the text'}, {exact}"


def _text_vector(collection: Collection, space: str, text: str, word: str) -> Floats:
    """The vector of what is written in the boxes."""
    widgets.check_length(text)
    return query_vectors.text_in(collection.view(), space, text, word or None, _model)


def _model(origin: Origin) -> LanguageModel:
    """Only a model of the catalog is loaded: a collection's card may name any path."""
    if origin.source not in [row.name for row in CATALOG]:
        raise UserError(
            f"the space was made by {origin.source}, which is not of the catalog; search by a row, or with "
            "`polysema store search`"
        )
    if origin.stack in ("", "encoder") and origin.final_norm in ("", "after"):
        return widgets.explorer().model(origin.source)
    return query_vectors.load_like(origin)


def _show(rows: list[dict[str, Any]], one: CollectionSummary, space: str, message: str) -> None:
    """Sentences with their word marked where there are any, and the whole table."""
    scored = "score" in rows[0]
    if scored and {"text", "start", "end"} <= rows[0].keys():
        widgets.sentences(
            [
                (row["text"], row["start"], row["end"], f"{row['score']:.3f}")
                for row in rows[:MARKED_COLUMN]
                if row["text"]
            ]
        )
    st.caption(
        f"{widgets.plain(message)}. {_baseline(one, space) if scored else 'Choose a row to find those like it.'}"
    )
    first = [column for column in ("score", "word", "token", "text") if column in rows[0]]
    table = pd.DataFrame(rows, columns=[*first, *(column for column in rows[0] if column not in first)])
    for name in table.columns:
        if table[name].dtype == object:
            table[name] = table[name].map(lambda value: None if value is None else str(value)[:MAX_TEXT_CHARACTERS])

    def like() -> None:
        chosen = st.session_state["found"]["selection"]["rows"]
        if chosen:
            st.session_state["dq"], st.session_state["did"] = ROW, str(rows[chosen[0]]["id"])

    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        on_select=like,
        selection_mode="single-row",
        key="found",
        alt="Rows of the collection; choosing one looks for those like it",
    )
    downloads.numbers(rows, f"{one.name}-{space}-rows", "Rows (CSV)")


def _baseline(one: CollectionSummary, space: str) -> str:
    if one.spaces[space][0] < 2:
        return ""
    name = one.name if len(one.spaces) == 1 else f"{one.name}/{space}"
    value: float | None = work.answer(
        ("baseline", one.name, one.version, space), lambda progress: widgets.explorer().baseline(name)
    )
    return "" if value is None else f"Two rows taken at random have cosine {value:.3f}: read the scores beside that."


def _example(collection: Collection) -> str:
    names = collection.view().manifest.columns.names
    if "word" in names:
        return "word in ('bank', 'shore') and text contains 'river'"
    return "text contains 'river'" if "text" in names else "id starts with 'a'"


# Elsewhere


def links(one: CollectionSummary, collection: Collection, space: str) -> None:
    """The other pages, with this space in them."""
    name = one.name if len(one.spaces) == 1 else f"{one.name}/{space}"
    first = summary.first_rows(collection, space, None, 1)
    start = {"ns": name, "w": str(first.column("id")[0].as_py())} if len(first) else {"ns": name}
    left, right, _ = st.columns([3, 3, 6])
    left.page_link("app_pages/map.py", label="Open on the Map", query_params={"space": name})
    right.page_link("app_pages/neighbors.py", label="Neighbors in it", query_params=start)


def take_away(one: CollectionSummary, collection: Collection, space: str, where: str | None) -> None:
    """A file of the rows: for the browser where it is of moderate size, else in a folder of this machine."""
    st.subheader("Download", anchor=False)
    with st.form("take", border=False):
        first, second = st.columns([7, 4], vertical_alignment="bottom")
        chosen = first.selectbox(
            "As",
            [form.name for form in summary.LAYOUTS],
            key="df",
            bind="query-params",
            help="; ".join(f"{form.name}: {form.keeps}" for form in summary.LAYOUTS) + ".",
        )
        pressed = second.form_submit_button("Make the file", width="stretch", help="Write the rows of this space.")
    form = summary.layout(chosen)
    st.caption(f"{form.name} holds {form.keeps}." + (" Only the rows that pass the condition above." if where else ""))
    rows, dim = one.spaces[space]
    keep = rows * dim * 4 > summary.IN_BROWSER
    key = ("file", one.name, one.version, space, where, form.name)
    made: Path | None = work.on_request(
        key, lambda progress: summary.write_out(collection, one.name, space, where, form, keep, progress), pressed
    )
    if made is None:
        return
    if keep:
        st.success(f"It is large, so it is not sent through the browser. {size(made.stat().st_size)} are in this file:")
        st.code(str(made), language=None)
        return
    if not made.is_file():
        work.dismiss(key)
        return
    st.download_button(
        f"Save {made.name} ({size(made.stat().st_size)})",
        made.read_bytes,
        made.name,
        form.media,
        key="saved_file",
        type="primary",
        on_click="ignore",
        help="The file that was made.",
    )


def provenance(collection: Collection, space: str, origin: Origin | None) -> None:
    """The card of a space, its columns, and the Python lines that open it."""
    card = collection.view().card(space)
    st.subheader("Provenance", anchor=False)
    with st.expander("Card and columns"):
        message = origin.to_json() if origin is not None else {}
        rows = [
            {"field": name, "value": _cell(value)} for name, value in message.items() if value not in ("", None, [], {})
        ]
        rows += [
            {"field": "width", "value": str(card.dim)},
            {"field": "metric", "value": card.metric.value},
            {"field": "index", "value": str((card.index or {"kind": "none"})["kind"])},
        ]
        st.dataframe(rows, hide_index=True, width="stretch", alt="The provenance card")
        columns = [{"column": field.name, "type": str(field.type)} for field in collection.view().schema]
        st.dataframe(columns, hide_index=True, width="stretch", alt="The columns")
        downloads.numbers(rows, f"{space}-card", "Card (CSV)")
    widgets.python_lines(
        "from polysema.indexes.collection import Collection\n\n"
        f"collection = Collection({str(collection.root)!r})\nspace = collection.space({space!r})\n"
        "print(len(space), space.dim, space.origin.card())\n"
        f"found = collection.search(space.vectors[:1], k=5, space={space!r})\nprint(found.table())",
        "A collection is a folder; any number of programs read it while one writes. "
        f"In the other pages and in `polysema` it is called {widgets.plain(collection.root.name)}.",
    )


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


# Looking after


def look_after(one: CollectionSummary, collection: Collection, space: str) -> None:
    """Verify, compact, versions and snapshots."""
    with st.expander("Versions, check, compact"):
        _versions(one, collection)
        _check(one)
        _compact(one, collection, space)


def _versions(one: CollectionSummary, collection: Collection) -> None:
    named = {found.version: name for name, found in collection.snapshots().items()}
    kept = {found.version: found for found in (*collection.snapshots().values(), *collection.versions())}
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
        number = collection.snapshot((name or "").strip()) if keep else collection.restore((name or "").strip())
    except UserError as error:
        widgets.problem(UserError(str(error).replace(str(collection.root), one.name)))
        return
    st.toast(f"Version {number} is kept." if keep else f"It is as it was; that is version {number}.")
    st.rerun()


def _check(one: CollectionSummary) -> None:
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
        st.code(f"polysema store repair {widgets.shelf().folder / one.name}", language="sh")
        return
    st.success(f"{report.files:,} files, {size(report.bytes)}: each is as it was written.")


def _compact(one: CollectionSummary, collection: Collection, space: str) -> None:
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


def size(count: int) -> str:
    """Bytes for people."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} bytes"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else ""
