"""The page Data: searching a collection by a row or a text."""

import math
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from polysema.app.collection import summary
from polysema.app.collection.summary import CollectionSummary
from polysema.app.dashboard import downloads, permalink, point_colors, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import trail_bar, walk
from polysema.app.explorer import query_vectors
from polysema.core.errors import UserError
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress
from polysema.core.space.space import Floats, Origin
from polysema.indexes.engines.protocol import VectorCollection

FIRST, TEXT, ROW = "First rows", "Like a text", "Like a row"
MAX_LISTED = 10  # rows above the table
MAX_TEXT_CHARACTERS = 300


def search_part(one: CollectionSummary, collection: VectorCollection, space: str, origin: Origin | None) -> str | None:
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
    query = search_form(mode, of_words, _example(collection))
    try:
        rows, message = _found(collection, one, space, query)
    except UserError as error:
        widgets.problem(error)
        return None
    if not rows:
        st.info("No row passes.")
    else:
        _show(rows, one, space, message)
    return query.where or None


class RowQuery(NamedTuple):
    """Which rows of a space are shown: by `mode` the first ones, or those nearest to a text (or its word) or a row."""

    mode: str
    text: str
    word: str
    name: str
    where: str
    k: int


def text_boxes(of_words: bool) -> tuple[str, str]:
    """The boxes for a text, and for a word in it where the rows are words."""
    word = ""
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
    return text, word


def search_form(mode: str, of_words: bool, example: str) -> RowQuery:
    """The form for a text or a row, a condition, and how many rows."""
    text = word = name = ""
    with st.form("search", border=False):
        if mode == TEXT:
            text, word = text_boxes(of_words)
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
                placeholder=example,
                help="A condition over the columns with =, <, >, in, and, or, not, starts with, contains.",
            )
            or ""
        )
        k = int(many.number_input("Rows", 1, 1000, 10, key="dk", bind="query-params", help="How many to show."))
        run.form_submit_button("Go", type="primary", width="stretch", help="Look for them.")
    return RowQuery(mode, text.strip(), word.strip(), name.strip(), where.strip(), k)


def _found(
    collection: VectorCollection, one: CollectionSummary, space: str, query: RowQuery
) -> tuple[list[dict[str, object]], str]:
    mode, text, word, name, where, k = query
    if mode == FIRST or (mode == TEXT and not text) or not one.spaces[space][0]:
        rows = summary.first_rows(collection, space, where or None, k).to_pylist()
        passing = summary.count_rows(collection, space, where) if where else one.spaces[space][0]
        return rows, f"{len(rows):,} of {passing:,} rows" + (" that pass" if where else "")
    if mode == TEXT:
        key = ("read", one.name, collection.view().manifest.version, space, text, word)
        queries = work.answer(key, lambda progress: _text_vector(collection, space, query, progress))
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


def _text_vector(collection: VectorCollection, space: str, query: RowQuery, progress: Progress) -> Floats:
    """The vector of what is written in the boxes."""
    widgets.check_length(query.text)
    load = partial(_model, progress=progress)
    return query_vectors.text_in(collection.view(), space, query.text, query.word or None, load)


def _model(origin: Origin, progress: Progress) -> LanguageModel:
    """Only what has a name or was opened before is loaded: a collection's card may name any path."""
    if origin.source not in [*(row.name for row in choices.rows()), *(one.name for one in choices.opened())]:
        raise UserError(
            f"the space was made by {origin.source}, which is not of the catalog and was not opened here before: open "
            "it on the page Contexts, search by a row, or with `polysema collection search`"
        )
    if origin.stack in ("", "encoder") and origin.final_norm in ("", "after"):
        return widgets.explorer().model(origin.source, progress=progress).model
    return query_vectors.load_like(origin, widgets.explorer().names.locate(origin.source), progress)


def like_row(name: object) -> None:
    """Ask for the rows like one of them."""
    walk("data", {"dq": ROW, "did": name})


def _show(rows: list[dict[str, Any]], one: CollectionSummary, space: str, message: str) -> None:
    """The best rows, each of which leads to its own neighbors, and the whole table."""
    scored = "score" in rows[0]
    trail_bar("data", message)
    if scored:
        listed = [
            ListedRow(
                " ".join(str(row.get("text") or row["id"])[:MAX_TEXT_CHARACTERS].split("\n")),
                str(row["id"]) if row.get("text") else "",
                float(row["score"]),
                str(row["id"]),
                point_colors.mark(str(row.get("text") or "")[:MAX_TEXT_CHARACTERS], row.get("start"), row.get("end")),
            )
            for row in rows[:MAX_LISTED]
        ]
        clickable_list(listed, "rows", like_row, math.nan)
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
            like_row(str(rows[chosen[0]]["id"]))

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
        ("baseline", one.name, one.version, space), lambda progress: widgets.explorer().space(name).baseline
    )
    return "" if value is None else f"Two rows taken at random have cosine {value:.3f}: read the scores beside that."


def _example(collection: VectorCollection) -> str:
    names = collection.view().manifest.columns.names
    if "word" in names:
        return "word in ('bank', 'shore') and text contains 'river'"
    return "text contains 'river'" if "text" in names else "id starts with 'a'"


def links(one: CollectionSummary, collection: VectorCollection, space: str) -> None:
    """The other pages, with this space in them."""
    name = one.name if len(one.spaces) == 1 else f"{one.name}/{space}"
    first = summary.first_rows(collection, space, None, 1)
    start = {"ns": name, "w": str(first.column("id")[0].as_py())} if len(first) else {"ns": name}
    left, right, _ = st.columns([3, 3, 6])
    left.page_link("app_pages/map.py", label="Open on the Map", query_params={"space": name})
    right.page_link("app_pages/neighbors.py", label="Neighbors in it", query_params=start)
