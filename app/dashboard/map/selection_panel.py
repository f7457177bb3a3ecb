"""The page Map: what a selection is, and what can be made of it."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import streamlit as st

from polysema.app.collection.column_values import set_column
from polysema.app.collection.registry import CollectionRegistry
from polysema.app.dashboard import permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.components.scatter import Selection
from polysema.app.dashboard.map.condition import write, written
from polysema.app.dashboard.map.controls import MapQuestion
from polysema.app.dashboard.map.inspector import FILTER, go_to, listed_rows
from polysema.app.dashboard.picker import choices
from polysema.app.explorer.results import SpaceMap
from polysema.app.explorer.results.columns import TypicalRows
from polysema.core.errors import UserError
from polysema.core.maps.region_names import words_of
from polysema.core.measure.senses import load_senses
from polysema.core.model.catalog import models_here
from polysema.core.space.space import Space
from polysema.indexes.engines.protocol import VectorCollection

MAX_READ, MAX_SENTENCES = 2_000, 20
TAGS = "tags"
"""The column of a collection in which the sets stand that its rows belong to."""


def selection_panel(query: MapQuestion, space: Space, found: SpaceMap, selected: Selection) -> None:
    """What is typical of the selection, and forms that name it or save it."""
    n = len(found.space)
    rows = tuple(row for row in selected.rows if row < n)
    if not rows:
        widgets.remark("Nothing is selected: click a point or a name in the legend, or draw a lasso or a box.")
        return
    wish = st.session_state.get("map_wish")
    _name_form(query, space, rows, opened=wish == "name")
    _save_form(query, space, rows, opened=wish == "save")
    _contexts_link(space, rows)
    if len(rows) < n:
        typical: TypicalRows | None = work.answer(
            ("typical", rows, *query.key), lambda progress: widgets.explorer().maps.typical(found, rows)
        )
        if typical is not None:
            _show(typical, space, n)


def _show(typical: TypicalRows, space: Space, n: int) -> None:
    """The selection beside the rest."""
    widgets.say(f"**{typical.n:,} of {typical.of:,} rows beside the rest**")
    widgets.remark(
        f"Mean cosine to the selection's mean: {typical.inside:.3f} of its rows, {typical.outside:.3f} of the rest."
    )
    if typical.words:
        widgets.say("**Words that the rest has less often**")
        words = [
            ListedRow(one.word, f"in {one.share:.0%} here, {one.rest:.1%} of the rest", one.share, one.word)
            for one in typical.words
        ]
        clickable_list(words, "map_typical_words", find)
    if typical.values:
        widgets.say("**Values that the rest has less often**")
        values = [
            ListedRow(
                f"{one.column}: {one.value}",
                f"in {one.share:.0%} here, {one.rest:.1%} of the rest",
                one.share,
                one.condition,
            )
            for one in typical.values
        ]
        clickable_list(values, "map_typical_values", filter_by)
    widgets.say("**Nearest to its mean**")
    nearest = [(one.row, one.key, one.score, "") for one in typical.nearest]
    clickable_list(listed_rows(space, nearest, n), "mean", go_to, widgets.explorer().space(space).baseline)


def find(word: object) -> None:
    """Mark every point with a word, as the search box does."""
    st.session_state["map_find"] = str(word)


def filter_by(condition: object) -> None:
    """Let only the points pass that have a value too."""
    before = written()
    write(f"({before}) and {condition}" if before else str(condition))
    st.session_state["map_next_panel"] = FILTER


def _contexts_link(space: Space, rows: tuple[int, ...]) -> None:
    """The selected texts as own sentences on the page Contexts, for the word of its list that most of them hold."""
    if space.columns is None or "text" not in space.columns.column_names:
        return
    column = space.columns.column("text").take(pa.array(rows[:MAX_READ], pa.int64()))
    texts = list(dict.fromkeys(" ".join(str(text or "").split()) for text in column.to_pylist()))
    word = word_of(texts)
    if not word:
        return
    own = [text for text in texts if word in words_of(text)][:MAX_SENTENCES]
    kept = permalink.save({"page": "contexts", "values": {"widget:own": "\n".join(own)}})
    model = {"model": space.origin.source} if space.origin.source in models_here() else {}
    st.page_link(
        "app_pages/contexts.py",
        label=f"Open in Contexts: {word}",
        query_params={"word": word} | model | ({permalink.PARAMETER: kept} if kept else {}),
        help=f"{len(own)} of the selected texts hold {word}: they go along as your sentences.",
    )


def word_of(texts: Sequence[str]) -> str:
    """The word of the corpus of senses that most texts hold; empty where none does."""
    known = load_senses().words
    counted = Counter(word for text in texts for word in set(words_of(text)) if word in known)
    return min(counted, key=lambda word: (-counted[word], word), default="")


def _save_form(query: MapQuestion, space: Space, rows: tuple[int, ...], opened: bool) -> None:
    """A form that puts the selected rows into a collection of their own."""
    with st.expander("Save as a collection", expanded=opened), st.form("map_save", border=False):
        name = st.text_input("Name", key="map_save_name", max_chars=64, placeholder="my-selection")
        if not st.form_submit_button("Save", type="primary") or not (name or "").strip():
            return
        job = widgets.jobs().start(
            ("save selection", name, rows, *query.key),
            lambda progress: _save(widgets.shelf(), name.strip(), space, rows),
        )
        job.wait(60)
        try:
            count = job.result() if not job.pending else 0
            st.success(f"{count:,} rows are in {widgets.plain(name)}; it is in every list of spaces.")
        except UserError as error:
            widgets.problem(error)
            widgets.jobs().forget(("save selection", name, rows, *query.key))


def _save(shelf: CollectionRegistry, name: str, space: Space, rows: tuple[int, ...]) -> int:
    """Put rows of a space into a new collection with their columns; how many they are."""
    chosen = space.take(np.array(rows, np.int64))
    columns = chosen.columns if chosen.columns is not None else pa.table({"word": chosen.keys.array})
    given = {column: columns.column(column).combine_chunks() for column in columns.column_names if column != "id"}
    with shelf.making(name) as collection:
        return collection.add(_ids(chosen), chosen.vectors, given, origin=chosen.origin)


def _ids(space: Space) -> list[str]:
    """The keys, each with its place where two are the same."""
    keys = space.keys.array.to_pylist()
    return keys if len(set(keys)) == len(keys) else [f"{place + 1}-{key}" for place, key in enumerate(keys)]


def _name_form(query: MapQuestion, space: Space, rows: tuple[int, ...], opened: bool) -> None:
    """A form that writes the name of the set into the rows of the collection."""
    folder = query.name.partition("/")[0]
    with st.expander("Name as a set", expanded=opened):
        if folder not in widgets.shelf().names() or query.name.endswith(choices.HIDDEN_SPACES):
            widgets.remark("Sets are kept in a column of a collection: save the selection as a collection first.")
            return
        with st.form("map_name", border=False):
            tag = st.text_input("Name of the set", key="map_tag", max_chars=64, placeholder="my set")
            if not st.form_submit_button("Name it", type="primary") or not (tag or "").strip():
                return
        keys = space.keys.take(np.array(rows, np.int64))
        try:
            count = tag_rows(widgets.shelf().get(folder), query.name.partition("/")[2] or None, keys, tag.strip())
            st.success(f"{count:,} rows are in the set {widgets.plain(tag)}: color or filter by the column {TAGS}.")
        except UserError as error:
            widgets.problem(error)


def tag_rows(collection: VectorCollection, space: str | None, ids: list[str], tag: str) -> int:
    """Add a name to the column of sets of some rows of a collection; how many they are."""
    rows = collection.get(ids, space)
    before = [None] * len(rows)
    if rows.columns is not None and TAGS in rows.columns.column_names:
        before = rows.columns.column(TAGS).to_pylist()
    return set_column(collection, rows, TAGS, pa.array([_with(each, tag) for each in before], pa.large_string()), space)


def _with(before: str | None, tag: str) -> str:
    """The names of sets of a row, one of which is new."""
    names = [name for name in (before or "").split("; ") if name]
    return "; ".join(names if tag in names else [*names, tag])
