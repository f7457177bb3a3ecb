"""The page Neighbors: the nearest words of a static vector, or the nearest occurrences of a hidden state."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from polysema.app.dashboard import downloads, point_colors, space_picker, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list, neighbor_rows
from polysema.app.dashboard.components.scatter import PlotMarks, PlotOptions, Points, scatter
from polysema.app.dashboard.neighbors.context_tab import STATIC, context_part, look_up
from polysema.app.dashboard.picker.pick import pick_space
from polysema.app.dashboard.trail import trail_bar
from polysema.app.explorer.results import NeighborAnswer
from polysema.core.maps.pca import principal_plane
from polysema.core.progress import Progress
from polysema.core.space.label_search import labels_of, spot
from polysema.core.space.metric import unit
from polysema.core.space.space import Space

CONTEXT = "A word in a sentence"


def word_form() -> tuple[str, str, int]:
    """The form for a word, the space, and how many neighbors."""
    form, where = st.columns([8, 4], vertical_alignment="bottom")
    space = pick_space(where, "ns", "Whose static vectors are searched.")
    with form, st.form("word", border=False):
        box, many, run = st.columns([5, 2, 1], vertical_alignment="bottom")
        word = box.text_input(
            "Word",
            "bank",
            key="w",
            bind="query-params",
            max_chars=widgets.MAX_WORDS,
            help="A single word, as it is written.",
        )
        k = int(
            many.number_input(
                "Answers", 1, 50, 12, key="nk", bind="query-params", help="How many of the nearest words to show."
            )
        )
        run.form_submit_button("Go", type="primary", width="stretch")
    return (word or "").strip(), space, k


def static_part() -> None:
    """The nearest words of a word's one vector."""
    word, space, k = word_form()
    if not word:
        st.info("Write a word to see its neighbors, such as bank.")
        return
    if space_picker.without_rows(space):
        return
    answer, note = work.answer(
        ("neighbors", word, space, k), lambda progress: of_row(word, space, k, progress), box="w"
    ) or (None, "")
    if answer is None:
        return
    opened = widgets.explorer().space(space).space
    if note:
        widgets.remark(note)
    widgets.notes(answer, opened)
    if not answer.neighbors:
        st.info(f"{widgets.plain(answer.word)} is the only row of this space, so it has no neighbors.")
        return
    left, right = st.columns([7, 5], gap="medium")
    with left:
        picture(answer, opened)
    with right:
        ranked(answer, opened, widgets.explorer().space(space).baseline)
    widgets.python_lines(
        f"from polysema.app.explorer import Explorer\n\nanswer = Explorer().space({space!r}).neighbors({word!r}, "
        f"k={k})\n"
        "for word in answer.neighbors:\n    print(word.rank, word.key, word.score)",
        f"Exact search by cosine over the whole space. {widgets.plain(answer.origin.card())}.",
    )


def ranked(answer: NeighborAnswer, opened: Space, baseline: float) -> None:
    """The neighbors, nearest first; a click on one asks for its own."""
    places = sentences_of(opened, [opened.resolve(answer.word), *(n.row for n in answer.neighbors)])
    rows = neighbor_rows(answer.neighbors)
    if places is not None:
        text, start, end = places[0]
        trail_bar("neighbors", text[start:end] or text)
        st.html(f'<p class="ps-text">Nearest to {widgets.marked(*places[0])}</p>')
        rows = [
            ListedRow(text or n.key, "", n.score, n.key, point_colors.mark(text, start, end))
            for (text, start, end), n in zip(places[1:], answer.neighbors, strict=True)
        ]
    else:
        trail_bar("neighbors", answer.word)
        widgets.say(f"Nearest to **{widgets.plain(answer.word)}**, whatever the sentence")
    clickable_list(rows, "nearest", look_up, baseline)
    downloads.ranked([(n.key, n.score) for n in answer.neighbors], "neighbors", "word", "cosine", baseline)
    widgets.remark(widgets.beside(baseline))


def of_row(word: str, space: str, k: int, progress: Progress) -> tuple[NeighborAnswer, str]:
    """The neighbors of a word, and its notes. In a collection of occurrences, whose rows have ids, those of
    the first occurrence of the word.
    """
    opened = widgets.explorer().space(space, progress).space
    note = ""
    if opened.columns is not None and word not in opened.keys:
        spotted = spot(opened, word)
        name = opened.keys[int(spotted.rows[0])]
        if spotted.total > 1 or name != word:
            note = f"{space} has {spotted.total:,} rows for {word}; this is about the first. The Map shows them all."
        word = name
    return widgets.explorer().space(opened).neighbors(word, k), widgets.plain(note)


def sentences_of(space: Space, rows: Sequence[int]) -> list[tuple[str, int, int]] | None:
    """The text of each row and where its word stands in it, where the space has them."""
    if space.columns is None or not {"text", "start", "end"} <= set(space.columns.column_names):
        return None
    table = space.columns.select(["text", "start", "end"]).take(rows).to_pylist()
    return [(row["text"], row["start"], row["end"]) for row in table]


def picture(answer: NeighborAnswer, space: Space) -> None:
    """The word and its neighbors on the plane of their first two principal components."""
    rows = [space.resolve(answer.word), *(n.row for n in answer.neighbors)]
    vectors = unit(np.asarray(space.vectors[rows]))
    labels = labels_of(space).take(rows).to_pylist()
    keys = [answer.word, *(n.key for n in answer.neighbors)]
    places = sentences_of(space, rows)
    points = Points(
        positions=principal_plane(vectors).project(vectors),
        labels=labels,
        categories=["query", "its neighbors"],
        category=np.array([0] + [1] * len(answer.neighbors)),
        shapes=np.array([1] + [0] * len(answer.neighbors)),
        details=[text for text, _, _ in places]
        if places
        else ["", *(f"cosine {n.score:.3f}" for n in answer.neighbors)],
        marks=[(start, end) for _, start, end in places] if places else None,
    )
    selected = scatter(
        points,
        key="neighbor_map",
        alt=f"Plane of {labels[0]} and its nearest neighbors",
        marks=PlotMarks(label_rows=list(range(len(labels)))),
        options=PlotOptions(height=430, report_view=False),
    )
    state = st.session_state
    fresh = selected.clicked and selected.at != state.get("neighbor_click")  # the browser tells it again after Back
    if fresh and selected.clicked:  # the first point is the query
        state["neighbor_click"] = selected.at
        state["clicked_word"] = keys[selected.clicked]
        st.rerun()
    downloads.points(points, "neighbors")
    widgets.remark(
        "Click a point to see its own neighbors. Distances on the plane are rough; the list is from the full space."
    )


def page() -> None:
    """The page."""
    widgets.title(
        "Neighbors",
        "A word has one static vector, and in each sentence a hidden state of its own. Both have neighbors: "
        "seldom the same.",
    )
    if (clicked := st.session_state.pop("clicked_word", None)) is not None:
        look_up(clicked)
    mode = st.segmented_control(
        "What to look up",
        [STATIC, CONTEXT],
        default=STATIC,
        required=True,
        key="mode",
        bind="query-params",
        label_visibility="collapsed",
    )
    if mode == CONTEXT:
        context_part()
    else:
        static_part()


page()
