"""The tab Collections of the page Data: what there is, and one of them opened."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from polysema.app.collection import summary
from polysema.app.collection.summary import CollectionSummary
from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.data.collection_care import check_part, delete, look_after, size, versions_part, when
from polysema.app.dashboard.data.collection_search import links, search_part
from polysema.app.dashboard.share_menu import FileOffer, offer
from polysema.core.errors import NotFoundError, UserError
from polysema.core.space.space import Origin
from polysema.indexes.collection import Collection
from polysema.indexes.engines.protocol import VectorCollection


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
        if query and query not in names and key != "dc":  # for collections that is said above
            widgets.problem(
                NotFoundError(f"there is no {label.lower()} {widgets.plain(query)} in it; {names[0]} is shown")
            )
    chosen = st.selectbox(label, names, key=key, format_func=shown, persist_state="session", help=what)
    st.query_params[key] = chosen
    found: str = chosen
    return found


def listed(found: list[CollectionSummary]) -> None:
    """All of them in a table; a click on a row opens it."""
    rows = [
        {
            "collection": one.name,
            "rows": one.rows,
            "spaces": ", ".join(f"{space} ({count:,} × {dim})" for space, (count, dim) in one.spaces.items()),
            "versions": one.versions,
            "on disk": size(one.bytes),
            "changed": when(one.changed),
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
    st.code(f"polysema collection repair {widgets.shelf().folder / one.name}", language="sh")
    delete(one)


def opened(one: CollectionSummary, collection: VectorCollection) -> None:
    """One collection."""
    manifest = collection.view().manifest
    st.caption(
        f"{one.rows:,} rows · {size(one.bytes)} on disk · version {manifest.version} ({widgets.plain(manifest.what)})"
    )
    if not one.spaces:
        st.info("It is empty: put rows into it under Add, or go back to an earlier version of it.")
        with st.expander("Versions, check", expanded=one.versions > 1):
            if isinstance(collection, Collection):
                versions_part(one, collection)
                check_part(one)
        delete(one)
        return
    space = choice(
        "dcs",
        "Space",
        list(one.spaces),
        "Rows of one model, layer and pooling.",
        lambda name: f"{name}: {one.spaces[name][0]:,} rows, {one.spaces[name][1]} dimensions",
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


def take_away(one: CollectionSummary, collection: VectorCollection, space: str, where: str | None) -> None:
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
    wanted = summary.Download(one.name, space, where, form, keep)
    made: Path | None = work.on_request(key, lambda progress: summary.write_out(collection, wanted, progress), pressed)
    if made is None:
        return
    if keep:
        st.success(f"It is large, so it is not sent through the browser. {size(made.stat().st_size)} are in this file:")
        st.code(str(made), language=None)
        return
    if not made.is_file():
        work.dismiss(key)
        return
    offer(
        FileOffer(
            f"{form.name} ({size(made.stat().st_size)})", made.name, made.read_bytes, made.name, form.media, "made"
        )
    )
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


def provenance(collection: VectorCollection, space: str, origin: Origin | None) -> None:
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
        f"collection = Collection.open({str(collection.root)!r})\nspace = collection.space({space!r})\n"
        "print(len(space), space.dim, space.origin.card())\n"
        f"found = collection.search(space.vectors[:1], k=5, space={space!r})\nprint(found.table())",
        "A collection is a folder; any number of programs read it while one writes. "
        f"In the other pages and in `polysema` it is called {widgets.plain(Path(collection.root).name)}.",
    )


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
